/* SPDX-License-Identifier: Apache-2.0
 *
 * What of a filter an index can serve: equality of userName, externalId, id, e-mail addresses, a group's name and members.  The condition lets
 * through every row that matches and perhaps more: each is still asked (match.c).
 */
#include <string.h>
#include <strings.h>

#include "directory/provisioning/rows.h"
#include "resource/tables.h"

enum form { LOWER, EXACT, UPN, ID };

static const struct index {
	enum scim_resource r;
	const char *path; /* of attributes.def */
	enum form form;
	const char *sql; /* the value stands for %s, once or twice */
} INDEXES[] = {
	{SCIM_USER, "id", ID, "t.user_id = %s"},
	{SCIM_USER, "userName", UPN, "t.upn_key = %s"},
	{SCIM_USER, "externalId", EXACT,
	 "t.user_id IN (SELECT x.user_id FROM users x WHERE x.tenant_id = ?1 AND x.external_id = %s AND x.deleted_at IS NULL)"},
	{SCIM_USER, "emails.value", LOWER,
	 "t.user_id IN (SELECT e.user_id FROM users e WHERE e.tenant_id = ?1 AND lower(e.mail) = %s UNION "
	 "SELECT c.user_id FROM user_contacts c WHERE c.tenant_id = ?1 AND c.email IS NOT NULL AND lower(c.email) = %s)"},
	{SCIM_USER, "groups.value", ID, "t.user_id IN (SELECT x.user_id FROM group_members x WHERE x.tenant_id = ?1 AND x.group_id = %s)"},
	{SCIM_GROUP, "id", ID, "t.group_id = %s"},
	{SCIM_GROUP, "externalId", EXACT, "t.group_id IN (SELECT g.group_id FROM groups g WHERE g.tenant_id = ?1 AND g.external_id = %s)"},
	{SCIM_GROUP, "displayName", LOWER,
	 "t.group_id IN (SELECT g.group_id FROM groups g WHERE g.tenant_id = ?1 AND lower(g.display_name) = %s)"},
	{SCIM_GROUP, "members.value", ID, "t.group_id IN (SELECT x.group_id FROM group_members x WHERE x.tenant_id = ?1 AND x.user_id = %s)"},
};

static const struct index *index_of(const struct scim_attribute *a, const struct scim_attribute *sub)
{
	if (sub == NULL && a->type == SCIM_COMPLEX)
		sub = scim_sub(a, "value");
	const char *path = sub != NULL ? sub->path : a->path;
	for (size_t i = 0; i < sizeof INDEXES / sizeof INDEXES[0]; i++)
		if (INDEXES[i].r == a->resource && strcmp(INDEXES[i].path, path) == 0)
			return &INDEXES[i];
	return NULL;
}

/* False: the text can be no such value, and nothing matches. */
static bool argument(struct scope *s, const struct index *x, const char *text, struct db_value *ret)
{
	struct id id;
	switch (x->form) {
	case ID:
		if (!id_parse(text, &id))
			return false;
		*ret = db_v_blob(arena_memdup(s->arena, id.b, sizeof id.b), sizeof id.b);
		return true;
	case UPN: *ret = db_v_text(upn_key(s->arena, scim_upn(s->arena, text))); return true;
	case LOWER: *ret = db_v_text(upn_key(s->arena, text)); return true;
	case EXACT: break;
	}
	*ret = db_v_text(text);
	return true;
}

static const char *place_of(struct scope *s, const char *sql, const char *place)
{
	const char *at = strstr(sql, "%s");
	if (at == NULL)
		return sql;
	return arena_printf(s->arena, "%.*s%s%s", (int)(at - sql), sql, place, place_of(s, at + 2, place));
}

static const char *equality(struct scope *s, const struct scim_attribute *a, const struct scim_attribute *sub, const struct scim_filter *f,
			    struct scim_condition *c)
{
	struct db_value v;
	const struct index *x = f->op == SCIM_EQ && f->value.type == SCIM_TEXT ? index_of(a, sub) : NULL;
	if (x == NULL || c->arg_count == sizeof c->args / sizeof c->args[0])
		return NULL;
	if (!argument(s, x, f->value.text, &v))
		return "1 = 0";
	c->args[c->arg_count++] = v;
	return place_of(s, x->sql, arena_printf(s->arena, "?%zu", c->arg_count + 1));
}

/* One element has all of what is joined by and: any of it may narrow. */
static const char *element(struct scope *s, const struct scim_attribute *a, const struct scim_filter *f, struct scim_condition *c)
{
	if (f->op == SCIM_AND) {
		const char *left = element(s, a, f->left, c);
		return left != NULL ? left : element(s, a, f->right, c);
	}
	if (f->op == SCIM_OR || f->op == SCIM_NOT)
		return NULL;
	const struct scim_attribute *sub = scim_sub(a, f->path.attr);
	return sub == NULL ? NULL : equality(s, a, sub, f, c);
}

static const char *narrow(struct scope *s, enum scim_resource r, const struct scim_filter *f, struct scim_condition *c)
{
	struct scim_place p;
	if (f->op == SCIM_AND || f->op == SCIM_OR) {
		size_t before = c->arg_count;
		const char *left = narrow(s, r, f->left, c), *right = narrow(s, r, f->right, c);
		if (left != NULL && right != NULL)
			return arena_printf(s->arena, "(%s %s %s)", left, f->op == SCIM_AND ? "AND" : "OR", right);
		if (f->op == SCIM_AND)
			return left != NULL ? left : right;
		c->arg_count = before; /* no half of an `or` narrows alone; an argument that stands nowhere has no type */
		return NULL;
	}
	if (f->op == SCIM_NOT || !scim_resolve(r, &f->path, &p) || p.whole)
		return NULL;
	return f->op == SCIM_HAS ? element(s, p.attr, f->left, c) : equality(s, p.attr, p.sub, f, c);
}

void scim_narrow(struct scope *s, enum scim_resource r, const struct scim_filter *f, struct scim_condition *ret)
{
	ret->arg_count = 0;
	ret->sql = f == NULL ? NULL : narrow(s, r, f, ret);
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
	{SCIM_USER, "userName", "lower(COALESCE(t.user_name, t.upn))"},
	{SCIM_USER, "displayName", "lower(t.display_name)"},
	{SCIM_USER, "emails", "lower(t.mail)"},
	{SCIM_USER, "emails.value", "lower(t.mail)"},
	{SCIM_USER, "meta.created", "t.created_at"},
	{SCIM_USER, "meta.lastModified", "COALESCE(t.modified_at, t.created_at)"},
	{SCIM_GROUP, "id", "t.group_id"},
	{SCIM_GROUP, "displayName", "lower(t.display_name)"},
	{SCIM_GROUP, "externalId", "t.external_id"},
	{SCIM_GROUP, "meta.created", "t.created_at"},
	{SCIM_GROUP, "meta.lastModified", "COALESCE(t.modified_at, t.created_at)"},
};

static const char *order_sql(struct scope *s, const struct scim_attribute *a)
{
	for (size_t i = 0; i < sizeof ORDERS / sizeof ORDERS[0]; i++)
		if (ORDERS[i].r == a->resource && strcmp(ORDERS[i].path, a->path) == 0)
			return ORDERS[i].sql;
	if (a->resource != SCIM_USER || a->property == NULL)
		return NULL;
	const struct property *p = resource_property(&RES_USER, a->property, API_V1);
	bool plain = a->type == SCIM_BOOLEAN || (a->flags & SCIM_EXACT);
	return arena_printf(s->arena, plain ? "t.%s" : "lower(t.%s)", p->sql);
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
