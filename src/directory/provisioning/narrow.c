/* SPDX-License-Identifier: Apache-2.0
 *
 * What of a filter the database can decide.  Equality of userName, externalId, id, e-mail addresses, a group's name and members is a set of ids
 * that an index serves; what compares a column is a condition on the row.  Together they let through every row that matches and perhaps more:
 * each is still asked (match.c), but where the condition is exact.
 */
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "directory/provisioning/rows.h"
#include "resource/tables.h"

enum { SCANS_MAX = 3 /* of all addresses, by one filter: with more it is cheaper to ask each row once */ };

enum form { LOWER, EXACT, UPN, ID };

static const struct index {
	enum scim_resource r;
	const char *path; /* of attributes.def */
	enum form form;
	const char *sql; /* the ids; the value stands for %s, once or twice */
	bool exact;
} INDEXES[] = {
	{SCIM_USER, "id", ID, "SELECT x.user_id FROM users x WHERE x.tenant_id = ?1 AND x.user_id = %s"},
	{SCIM_USER, "userName", UPN, "SELECT x.user_id FROM users x WHERE x.tenant_id = ?1 AND x.upn_key = %s"},
	{SCIM_USER, "externalId", EXACT, "SELECT x.user_id FROM users x WHERE x.tenant_id = ?1 AND x.external_id = %s AND x.deleted_at IS NULL"},
	{SCIM_USER, "emails.value", LOWER,
	 "SELECT e.user_id FROM users e WHERE e.tenant_id = ?1 AND lower(e.mail) = %s UNION "
	 "SELECT c.user_id FROM user_contacts c WHERE c.tenant_id = ?1 AND c.email IS NOT NULL AND lower(c.email) = %s"},
	{SCIM_USER, "groups.value", ID, "SELECT x.user_id FROM group_members x WHERE x.tenant_id = ?1 AND x.group_id = %s", true},
	{SCIM_GROUP, "id", ID, "SELECT x.group_id FROM groups x WHERE x.tenant_id = ?1 AND x.group_id = %s"},
	{SCIM_GROUP, "externalId", EXACT, "SELECT x.group_id FROM groups x WHERE x.tenant_id = ?1 AND x.external_id = %s"},
	{SCIM_GROUP, "displayName", LOWER, "SELECT x.group_id FROM groups x WHERE x.tenant_id = ?1 AND lower(x.display_name) = %s"},
	{SCIM_GROUP, "members.value", ID, "SELECT x.group_id FROM group_members x WHERE x.tenant_id = ?1 AND x.user_id = %s"},
};

/* Attributes that are one column, beside those that are a property. */
static const struct {
	enum scim_resource r;
	const char *path, *sql;
} COLUMNS[] = {
	{SCIM_USER, "userName", "COALESCE(t.user_name, t.upn)"},
	{SCIM_USER, "displayName", "CASE WHEN t.display_derived = 1 THEN NULL ELSE t.display_name END"},
	{SCIM_USER, "meta.created", "t.created_at"},
	{SCIM_USER, "meta.lastModified", "COALESCE(t.modified_at, t.created_at)"},
	{SCIM_GROUP, "displayName", "t.display_name"},
	{SCIM_GROUP, "externalId", "t.external_id"},
	{SCIM_GROUP, "meta.created", "t.created_at"},
	{SCIM_GROUP, "meta.lastModified", "COALESCE(t.modified_at, t.created_at)"},
};

/* The value of an attribute in a row t; NULL: it is not just a column. */
static const char *column_of(struct scope *s, const struct scim_attribute *a)
{
	for (size_t i = 0; i < sizeof COLUMNS / sizeof COLUMNS[0]; i++)
		if (COLUMNS[i].r == a->resource && strcmp(COLUMNS[i].path, a->path) == 0)
			return COLUMNS[i].sql;
	if (a->resource != SCIM_USER || a->property == NULL)
		return NULL;
	return arena_printf(s->arena, "t.%s", resource_property(&RES_USER, a->property, API_V1)->sql);
}

/* ---- what is known of the matches ---- */

/* They are among the ids of set, and row holds for them; NULL: nothing is known.  exact: and there are no others. */
struct known {
	const char *set, *row;
	bool exact;
};

static const char *key_of(enum scim_resource r)
{
	return r == SCIM_USER ? "t.user_id" : "t.group_id";
}

static const char *condition(struct scope *s, enum scim_resource r, const struct known *k)
{
	const char *in = k->set == NULL ? NULL : arena_printf(s->arena, "%s IN (%s)", key_of(r), k->set);
	return in == NULL ? k->row : k->row == NULL ? in : arena_printf(s->arena, "(%s AND %s)", in, k->row);
}

static struct known both(struct scope *s, enum scim_resource r, struct known a, struct known b)
{
	const char *left = a.row, *right = a.set == NULL ? b.row : condition(s, r, &b);
	const char *row = left == NULL ? right : right == NULL ? left : arena_printf(s->arena, "(%s AND %s)", left, right);
	return (struct known){.set = a.set != NULL ? a.set : b.set, .row = row, .exact = a.exact && b.exact};
}

static struct known either(struct scope *s, enum scim_resource r, struct known a, struct known b)
{
	if (a.set != NULL && b.set != NULL && a.row == NULL && b.row == NULL)
		return (struct known){.set = arena_printf(s->arena, "%s UNION %s", a.set, b.set), .exact = a.exact && b.exact};
	return (struct known){.row = arena_printf(s->arena, "(%s OR %s)", condition(s, r, &a), condition(s, r, &b)), .exact = a.exact && b.exact};
}

/* All others: of what is known exactly. */
static struct known others(struct scope *s, enum scim_resource r, struct known k)
{
	return (struct known){.row = k.exact ? arena_printf(s->arena, "(%s) IS NOT TRUE", condition(s, r, &k)) : NULL, .exact = k.exact};
}

static const char *argument(struct scope *s, struct scim_condition *c, struct db_value v)
{
	c->args[c->arg_count++] = v;
	return arena_printf(s->arena, "?%zu", c->arg_count + 1);
}

/* ---- by an index ---- */

static const struct index *index_of(const struct scim_attribute *a)
{
	for (size_t i = 0; i < sizeof INDEXES / sizeof INDEXES[0]; i++)
		if (INDEXES[i].r == a->resource && strcmp(INDEXES[i].path, a->path) == 0)
			return &INDEXES[i];
	return NULL;
}

static const char *place_of(struct scope *s, const char *sql, const char *place)
{
	const char *at = strstr(sql, "%s");
	if (at == NULL)
		return sql;
	return arena_printf(s->arena, "%.*s%s%s", (int)(at - sql), sql, place, place_of(s, at + 2, place));
}

static struct known indexed(struct scope *s, const struct index *x, const char *text, struct scim_condition *c)
{
	struct id id;
	char same[ID_TEXT];
	struct db_value v = db_v_text(text);
	if (x->form == ID && !id_parse(text, &id)) /* the text can be no such value, and nothing matches */
		return (struct known){.row = "1 = 0", .exact = true};
	if (x->form == ID)
		v = db_v_blob(arena_memdup(s->arena, id.b, sizeof id.b), sizeof id.b);
	else if (x->form == UPN)
		v = db_v_text(upn_key(s->arena, scim_upn(s->arena, text)));
	else if (x->form == LOWER)
		v = db_v_text(upn_key(s->arena, text));
	bool exact = x->exact && strcmp(id_format(id, same), text) == 0; /* ids are written in one way */
	return (struct known){.set = place_of(s, x->sql, argument(s, c, v)), .exact = exact};
}

/* ---- by a column ---- */

static const char *const SIGNS[] = {[SCIM_EQ] = "=", [SCIM_GT] = ">", [SCIM_GE] = ">=", [SCIM_LT] = "<", [SCIM_LE] = "<="};

static const char *sign_of(enum scim_op op)
{
	return op < sizeof SIGNS / sizeof SIGNS[0] ? SIGNS[op] : NULL;
}

static size_t characters(const char *text)
{
	size_t n = 0;
	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

/* x: a text as it is compared, NULL where there is none. */
static const char *text_row(struct scope *s, const char *x, enum scim_op op, const char *p, const char *text)
{
	size_t n = characters(text);
	switch (op) {
	case SCIM_CO: return n == 0 ? arena_printf(s->arena, "%s >= %s", x, p) : arena_printf(s->arena, "replace(%s, %s, '') <> %s", x, p, x);
	case SCIM_SW: return arena_printf(s->arena, "substr(%s, 1, %zu) = %s", x, n, p);
	case SCIM_EW: return arena_printf(s->arena, "(length(%s) >= %zu AND substr(%s, length(%s) - %zu + 1) = %s)", x, n, x, x, n, p);
	default: return arena_printf(s->arena, "%s %s %s", x, sign_of(op), p);
	}
}

static bool is_pushed(const struct scim_filter *f)
{
	return f->value.type == SCIM_TEXT && (sign_of(f->op) != NULL || f->op == SCIM_CO || f->op == SCIM_SW || f->op == SCIM_EW);
}

static const char *text_condition(struct scope *s, const char *column, bool exact, const struct scim_filter *f, const char *p)
{
	const char *x = arena_printf(s->arena, exact ? "NULLIF(%s, '')" : "NULLIF(lower(%s), '')", column);
	return text_row(s, x, f->op, p, f->value.text);
}

static struct db_value text_argument(struct scope *s, bool exact, const char *text)
{
	return db_v_text(exact ? text : upn_key(s->arena, text));
}

static struct known of_truth(struct scope *s, const char *column, const struct scim_filter *f)
{
	bool yes = f->value.type == SCIM_BOOL ? f->value.yes : f->value.type == SCIM_TEXT && strcasecmp(f->value.text, "true") == 0;
	bool pushed = f->op == SCIM_EQ && f->value.type != SCIM_NULL;
	return (struct known){.row = pushed ? arena_printf(s->arena, "%s = %d", column, yes) : NULL, .exact = pushed};
}

static struct known of_moment(struct scope *s, const char *column, const struct scim_filter *f, struct scim_condition *c)
{
	int64_t us;
	if (f->value.type != SCIM_TEXT || sign_of(f->op) == NULL || !time_parse(f->value.text, &us))
		return (struct known){0};
	return (struct known){.row = arena_printf(s->arena, "%s %s %s", column, sign_of(f->op), argument(s, c, db_v_int(us))), .exact = true};
}

static struct known of_column(struct scope *s, const struct scim_attribute *a, const struct scim_filter *f, struct scim_condition *c)
{
	const char *column = column_of(s, a), *present = a->type == SCIM_STRING ? "NULLIF(%s, '') IS NOT NULL" : "%s IS NOT NULL";
	bool exact = (a->flags & SCIM_EXACT) != 0;
	if (column == NULL || a->type == SCIM_COMPLEX || a->type == SCIM_REFERENCE)
		return (struct known){0};
	if (f->op == SCIM_NE && f->value.type != SCIM_NULL) {
		struct scim_filter equal = *f;
		equal.op = SCIM_EQ;
		return others(s, a->resource, of_column(s, a, &equal, c));
	}
	if (f->op == SCIM_PR)
		return (struct known){.row = arena_printf(s->arena, present, column), .exact = true};
	if (a->type == SCIM_BOOLEAN)
		return of_truth(s, column, f);
	if (a->type == SCIM_DATETIME)
		return of_moment(s, column, f, c);
	if (!is_pushed(f))
		return (struct known){0};
	return (struct known){.row = text_condition(s, column, exact, f, argument(s, c, text_argument(s, exact, f->value.text))), .exact = true};
}

/* An address stands in a column or in a row of its own. */
static struct known of_email(struct scope *s, const struct scim_filter *f, struct scim_condition *c)
{
	if (!is_pushed(f) || ++c->scans > SCANS_MAX)
		return (struct known){0};
	const char *p = argument(s, c, text_argument(s, false, f->value.text));
	return (struct known){.row = arena_printf(s->arena, "(%s OR t.user_id IN (SELECT c.user_id FROM user_contacts c WHERE c.tenant_id = ?1 AND %s))",
						  text_condition(s, "t.mail", false, f, p), text_condition(s, "c.email", false, f, p))};
}

/* ---- a filter ---- */

static struct known compared(struct scope *s, const struct scim_attribute *a, const struct scim_filter *f, struct scim_condition *c)
{
	if (a->type == SCIM_COMPLEX)
		a = scim_sub(a, "value");
	if (a == NULL || c->arg_count == sizeof c->args / sizeof c->args[0])
		return (struct known){0};
	const struct index *x = f->op == SCIM_EQ && f->value.type == SCIM_TEXT ? index_of(a) : NULL;
	if (x != NULL)
		return indexed(s, x, f->value.text, c);
	return strcmp(a->path, "emails.value") == 0 ? of_email(s, f, c) : of_column(s, a, f, c);
}

/* One element has all of what is joined by and: any of it may narrow. */
static struct known element(struct scope *s, const struct scim_attribute *a, const struct scim_filter *f, struct scim_condition *c)
{
	if (f->op == SCIM_AND)
		return both(s, a->resource, element(s, a, f->left, c), element(s, a, f->right, c));
	const struct scim_attribute *sub = f->op == SCIM_OR || f->op == SCIM_NOT ? NULL : scim_sub(a, f->path.attr);
	struct known k = sub == NULL ? (struct known){0} : compared(s, sub, f, c);
	k.exact = false;
	return k;
}

static struct known narrow(struct scope *s, enum scim_resource r, const struct scim_filter *f, struct scim_condition *c)
{
	struct scim_place p;
	if (f->op == SCIM_AND || f->op == SCIM_OR) {
		size_t before = c->arg_count;
		struct known a = narrow(s, r, f->left, c), b = narrow(s, r, f->right, c);
		if (f->op == SCIM_AND)
			return both(s, r, a, b);
		if (condition(s, r, &a) != NULL && condition(s, r, &b) != NULL)
			return either(s, r, a, b);
		c->arg_count = before; /* no half of an `or` narrows alone; an argument that stands nowhere has no type */
		return (struct known){0};
	}
	if (f->op == SCIM_NOT) {
		size_t before = c->arg_count;
		struct known k = others(s, r, narrow(s, r, f->left, c));
		c->arg_count = k.exact ? c->arg_count : before;
		return k;
	}
	if (!scim_resolve(r, &f->path, &p)) /* another resource's */
		return (struct known){.row = "1 = 0", .exact = true};
	if (p.whole)
		return (struct known){0};
	return f->op == SCIM_HAS ? element(s, p.attr, f->left, c) : compared(s, p.sub != NULL ? p.sub : p.attr, f, c);
}

void scim_narrow(struct scope *s, enum scim_resource r, const struct scim_filter *f, struct scim_condition *ret)
{
	ret->arg_count = 0;
	ret->scans = 0;
	struct known k = f == NULL ? (struct known){.exact = true} : narrow(s, r, f, ret);
	ret->sql = condition(s, r, &k);
	ret->exact = k.exact;
}

unsigned scim_filter_needs(enum scim_resource r, const struct scim_filter *f)
{
	struct scim_place p;
	if (f->op == SCIM_AND || f->op == SCIM_OR)
		return scim_filter_needs(r, f->left) | scim_filter_needs(r, f->right);
	if (f->op == SCIM_NOT)
		return scim_filter_needs(r, f->left);
	if (!scim_resolve(r, &f->path, &p) || p.whole || r != SCIM_USER || !(p.attr->flags & SCIM_MULTI))
		return 0;
	return strcmp(p.attr->name, "groups") == 0 ? SCIM_NEED_GROUPS : SCIM_NEED_CONTACTS;
}

/* ---- order ---- */

static const struct {
	enum scim_resource r;
	const char *path, *sql;
} ORDERS[] = {
	{SCIM_USER, "id", "t.user_id"},
	{SCIM_USER, "displayName", "lower(t.display_name)"},
	{SCIM_USER, "emails", "lower(t.mail)"},
	{SCIM_USER, "emails.value", "lower(t.mail)"},
	{SCIM_GROUP, "id", "t.group_id"},
};

static const char *order_sql(struct scope *s, const struct scim_attribute *a)
{
	for (size_t i = 0; i < sizeof ORDERS / sizeof ORDERS[0]; i++)
		if (ORDERS[i].r == a->resource && strcmp(ORDERS[i].path, a->path) == 0)
			return ORDERS[i].sql;
	const char *column = column_of(s, a);
	bool plain = a->type == SCIM_BOOLEAN || a->type == SCIM_DATETIME || (a->flags & SCIM_EXACT);
	return column == NULL || plain ? column : arena_printf(s->arena, "lower(%s)", column);
}

enum err scim_order(struct scope *s, enum scim_resource r, const char *by, bool descending, const char **ret)
{
	struct scim_path path;
	struct scim_place p;
	const char *key = r == SCIM_USER ? "t.user_id" : "t.group_id", *way = descending ? " DESC" : "";
	*ret = arena_printf(s->arena, " ORDER BY %s", key); /* the order in which they were made */
	if (by == NULL || *by == '\0')
		return OK;
	TRY(scim_path_parse(s, by, strlen(by), &path));
	if (!scim_resolve(r, &path, &p) || p.whole)
		return scope_fail(s, ERR_BAD_PATH, "sortBy: there is no such attribute");
	const char *sql = order_sql(s, p.sub != NULL ? p.sub : p.attr);
	if (sql == NULL)
		return scope_fail(s, ERR_BAD_PATH, "sortBy: it cannot be sorted by this attribute");
	/* Who has no value is last, and first where the order is turned round (RFC 7644, section 3.4.2.3). */
	*ret = arena_printf(s->arena, " ORDER BY (%s IS NULL)%s, %s%s, %s%s", sql, way, sql, way, key, way);
	return OK;
}
