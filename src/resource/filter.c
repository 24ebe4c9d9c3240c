/* SPDX-License-Identifier: Apache-2.0
 *
 * $filter to a condition.  Promises: every literal is a bound parameter of its property's type; a property that the
 * table does not mark as filterable, and a literal of another type, are refused by name.  Meaning as in OData: a
 * comparison with a null value is false (only `ne` is true), and `not` turns false into true, where SQL alone would
 * answer NULL.  startswith, endswith and contains take no notice of case, as in Graph; comparisons do, but for P_NOCASE
 * properties, so that indexes serve them.
 */
#include <ctype.h>
#include <string.h>

#include "resource/internal.h"

enum { NESTING_MAX = 16 };

struct filter {
	struct scope *s;
	const struct resource *r;
	enum api_version v;
	struct sql *q;
};

static const struct {
	const char *name, *sql;
} ops[] = {
	[ODATA_EQ] = {"eq", " = "},  [ODATA_NE] = {"ne", " IS DISTINCT FROM "}, [ODATA_GT] = {"gt", " > "},
	[ODATA_GE] = {"ge", " >= "}, [ODATA_LT] = {"lt", " < "},                [ODATA_LE] = {"le", " <= "},
	[ODATA_IN] = {"in", NULL},   [ODATA_STARTSWITH] = {"startswith", NULL}, [ODATA_ENDSWITH] = {"endswith", NULL},
	[ODATA_CONTAINS] = {"contains", NULL},
};

static enum err wrong_type(struct filter *f, const struct property *p, const char *wanted)
{
	return scope_fail(f->s, ERR_BAD_REQUEST, "'%s' in $filter is compared with %s", p->name, wanted);
}

static enum err id_value(struct filter *f, const struct property *p, const struct odata_value *v, struct db_value *ret)
{
	struct id id;
	if ((v->type != ODATA_STRING && v->type != ODATA_GUID) || !id_parse(v->text, &id))
		return wrong_type(f, p, "a UUID");
	*ret = db_v_blob(arena_memdup(f->s->arena, id.b, sizeof id.b), sizeof id.b);
	return OK;
}

static enum err enum_value(struct filter *f, const struct property *p, const struct odata_value *v,
			   struct db_value *ret)
{
	const char *member = v->type == ODATA_STRING ? property_enum_member(f->s->arena, p, v->text) : NULL;
	if (member == NULL)
		return wrong_type(f, p, arena_printf(f->s->arena, "one of %s", p->values));
	*ret = db_v_text(member);
	return OK;
}

static enum err text_value(struct filter *f, const struct property *p, const struct odata_value *v, struct db_value *ret)
{
	const char *known = NULL;
	if (v->type != ODATA_STRING)
		return wrong_type(f, p, "a string in quotes");
	if (p->values != NULL)
		known = property_enum_member(f->s->arena, p, v->text);
	*ret = db_v_text(known != NULL ? known : v->text);
	return OK;
}

static enum err value_of(struct filter *f, const struct property *p, const struct odata_value *v, struct db_value *ret)
{
	switch (p->type) {
	case PROP_ID: return id_value(f, p, v, ret);
	case PROP_ENUM: return enum_value(f, p, v, ret);
	case PROP_TEXT: return text_value(f, p, v, ret);
	case PROP_BOOL:
		*ret = db_v_int(v->i);
		return v->type == ODATA_BOOL ? OK : wrong_type(f, p, "true or false");
	case PROP_INT:
		*ret = db_v_int(v->i);
		return v->type == ODATA_NUMBER ? OK : wrong_type(f, p, "a number");
	case PROP_TIME:
	case PROP_TIME_0:
		*ret = db_v_int(v->i);
		return v->type == ODATA_TIME ? OK : wrong_type(f, p, "a date and time without quotes");
	case PROP_JSON:
	case PROP_CONST:
	case PROP_BINARY:
	case PROP_KEY: break;
	}
	return scope_fail(f->s, ERR_BAD_REQUEST, "'%s' cannot be used in $filter", p->name);
}

/* The table's own condition: "?" is the value; "?1" and its like are left. */
static void eq_template(struct filter *f, const struct property *p, struct db_value v)
{
	if (p->flags & P_NOCASE) {
		char *low = arena_strndup(f->s->arena, v.p, v.n);
		for (char *c = low; *c != '\0'; c++)
			*c = (char)tolower((unsigned char)*c);
		v = db_v_text(low);
	}
	sql_add(f->q, "(");
	for (const char *at = p->eq; *at != '\0';) {
		size_t n = strcspn(at, "?");
		sql_add(f->q, arena_strndup(f->s->arena, at, n));
		at += n;
		if (*at == '\0')
			break;
		if (isdigit((unsigned char)at[1]))
			sql_add(f->q, "?");
		else
			sql_param(f->q, v);
		at++;
	}
	sql_add(f->q, ")");
}

static enum err compare_null(struct filter *f, const struct property *p, enum odata_op op)
{
	if (op != ODATA_EQ && op != ODATA_NE)
		return scope_fail(f->s, ERR_BAD_REQUEST, "null in $filter can be compared with eq and ne only");
	sql_operand(f->q, p);
	sql_add(f->q, op == ODATA_EQ ? " IS NULL" : " IS NOT NULL");
	return OK;
}

static enum err compare(struct filter *f, const struct property *p, enum odata_op op, const struct odata_value *lit)
{
	struct db_value v;
	if (lit->type == ODATA_NULL)
		return compare_null(f, p, op);
	TRY(value_of(f, p, lit, &v));
	if (op != ODATA_EQ && op != ODATA_NE && (p->type == PROP_ID || p->type == PROP_BOOL || p->type == PROP_ENUM))
		return scope_fail(f->s, ERR_BAD_REQUEST, "'%s' in $filter has no order: %s does not apply", p->name, ops[op].name);
	if (op == ODATA_EQ && p->eq != NULL) {
		eq_template(f, p, v);
		return OK;
	}
	sql_operand(f->q, p);
	sql_add(f->q, ops[op].sql);
	sql_operand_param(f->q, p, v);
	return OK;
}

/* One condition per member where the table has its own, or a member is null; else SQL's IN. */
static enum err in_list(struct filter *f, const struct property *p, const struct odata_value *first)
{
	bool apart = p->eq != NULL;
	for (const struct odata_value *v = first; v != NULL; v = v->next)
		apart = apart || v->type == ODATA_NULL;
	if (!apart)
		sql_operand(f->q, p);
	sql_add(f->q, apart ? "(" : " IN (");
	for (const struct odata_value *lit = first; lit != NULL; lit = lit->next) {
		struct db_value v;
		if (lit != first)
			sql_add(f->q, apart ? " OR " : ", ");
		if (apart) {
			TRY(compare(f, p, ODATA_EQ, lit));
			continue;
		}
		TRY(value_of(f, p, lit, &v));
		sql_operand_param(f->q, p, v);
	}
	sql_add(f->q, ")");
	return OK;
}

static enum err match(struct filter *f, const struct property *p, enum odata_op op, const struct odata_value *lit)
{
	if (p->type != PROP_TEXT)
		return scope_fail(f->s, ERR_BAD_REQUEST, "%s in $filter is for text; '%s' is none", ops[op].name, p->name);
	if (lit->type != ODATA_STRING)
		return wrong_type(f, p, "a string in quotes");
	char *pattern = arena_try(f->s->arena, 2 * strlen(lit->text) + 3), *to = pattern;
	if (pattern == NULL)
		return scope_fail(f->s, ERR_LIMIT, "the query is too long");
	if (op != ODATA_STARTSWITH)
		*to++ = '%';
	for (const char *c = lit->text; *c != '\0'; c++) {
		if (*c == '%' || *c == '_' || *c == '!')
			*to++ = '!';
		*to++ = *c;
	}
	if (op != ODATA_ENDSWITH)
		*to++ = '%';
	sql_add(f->q, "lower(");
	sql_property(f->q, p);
	sql_add(f->q, ") LIKE lower(");
	sql_param(f->q, db_v_text(pattern));
	sql_add(f->q, ") ESCAPE '!'");
	return OK;
}

static enum err leaf(struct filter *f, const struct odata_node *n)
{
	const struct property *p = property_find(f->r, n->path, f->v);
	if (p == NULL)
		return scope_fail(f->s, ERR_BAD_REQUEST, "$filter names '%.64s', which %s does not have", n->path, f->r->name);
	if (!(p->flags & P_FILTER))
		return scope_fail(f->s, ERR_BAD_REQUEST, "'%s' cannot be used in $filter", p->name);
	if (n->op == ODATA_IN)
		return in_list(f, p, n->value);
	if (n->op == ODATA_STARTSWITH || n->op == ODATA_ENDSWITH || n->op == ODATA_CONTAINS)
		return match(f, p, n->op, n->value);
	return compare(f, p, n->op, n->value);
}

/* `a and b and c` needs no brackets, so that only what people nest is nested in SQL, whose parser's stack is small. */
static enum err node(struct filter *f, const struct odata_node *n, const struct odata_node *parent, unsigned depth)
{
	if (n->op != ODATA_AND && n->op != ODATA_OR && n->op != ODATA_NOT)
		return leaf(f, n);
	bool apart = parent == NULL || n->op != parent->op || n->op == ODATA_NOT;
	if (apart && ++depth > NESTING_MAX)
		return scope_fail(f->s, ERR_BAD_REQUEST, "$filter nests more than %d levels", NESTING_MAX);
	if (apart)
		sql_add(f->q, "(");
	if (n->op == ODATA_NOT)
		sql_add(f->q, "(");
	TRY(node(f, n->left, n, depth));
	if (n->op == ODATA_NOT) {
		sql_add(f->q, ") IS NOT TRUE");
	} else {
		sql_add(f->q, n->op == ODATA_AND ? " AND " : " OR ");
		TRY(node(f, n->right, n, depth));
	}
	if (apart)
		sql_add(f->q, ")");
	return OK;
}

enum err filter_sql(struct scope *s, const struct resource *r, enum api_version v, const struct odata_node *n,
		    struct sql *q)
{
	struct filter f = {s, r, v, q};
	sql_add(q, "(");
	TRY(node(&f, n, NULL, 0));
	sql_add(q, ")");
	return OK;
}
