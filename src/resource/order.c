/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of a list, and the condition for "the rows after this one".  Promises: the order is total (the key comes
 * last), the same on both engines (NULLs after all values ascending, before them descending), and a condition on it is
 * one that an index over the same columns serves where all terms run one way and none is NULL.
 */
#include <string.h>

#include "resource/internal.h"

static bool has_term(const struct order *o, const struct property *p)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->t[i].p == p || (property_is_column(p) && property_is_column(o->t[i].p) && property_is_plain(o->t[i].p) &&
				       strcmp(o->t[i].p->sql, p->sql) == 0))
			return true;
	return false;
}

static void add_term(struct order *o, const struct property *p, bool descending)
{
	check(o->n < TERMS_MAX);
	if (!has_term(o, p))
		o->t[o->n++] = (struct term){.p = p, .descending = descending, .nullable = property_is_nullable(p), .column = -1};
}

static enum err asked_terms(struct scope *s, const struct resource_query *rq, struct order *o)
{
	size_t asked = 0;
	for (const struct odata_order *t = rq->odata.order; t != NULL; t = t->next) {
		const struct property *p = property_find(rq->res, t->path, rq->version);
		if (p == NULL)
			return scope_fail(s, ERR_BAD_REQUEST, "$orderby names '%.64s', which %s does not have", t->path, rq->res->name);
		if (!(p->flags & P_SORT))
			return scope_fail(s, ERR_BAD_REQUEST, "'%s' cannot be used in $orderby", p->name);
		if (++asked > ORDER_MAX)
			return scope_fail(s, ERR_BAD_REQUEST, "$orderby names more than %d properties", ORDER_MAX);
		add_term(o, p, t->descending);
	}
	return OK;
}

enum err order_plan(struct scope *s, const struct resource_query *rq, struct order *ret)
{
	const struct resource *r = rq->res;
	*ret = (struct order){0};
	TRY(asked_terms(s, rq, ret));
	if (rq->odata.order == NULL && r->order != NULL) {
		const struct property *p = resource_property(r, r->order, rq->version);
		check(p != NULL);
		add_term(ret, p, r->order_descending);
	}
	const struct property *keys[KEY_COLUMNS_MAX];
	size_t n = property_keys(r, keys);
	bool descending = ret->n > 0 && ret->t[ret->n - 1].descending; /* one way with what precedes: an index may serve it */
	for (size_t i = 0; i < n; i++)
		add_term(ret, keys[i], descending);
	return OK;
}

void order_sql(const struct order *o, struct sql *q)
{
	for (size_t i = 0; i < o->n; i++) {
		const struct term *t = &o->t[i];
		const char *way = t->descending ? " DESC" : "";
		sql_add(q, i == 0 ? " ORDER BY " : ", ");
		if (t->nullable) {
			sql_add(q, "(");
			sql_operand(q, t->p);
			sql_add(q, " IS NULL)");
			sql_add(q, way);
			sql_add(q, ", ");
		}
		sql_operand(q, t->p);
		sql_add(q, way);
	}
}

/* (a, b) > (?, ?) */
static void after_row(const struct order *o, const struct db_value *v, struct sql *q)
{
	sql_add(q, "(");
	for (size_t i = 0; i < o->n; i++) {
		sql_add(q, i == 0 ? "" : ", ");
		sql_operand(q, o->t[i].p);
	}
	sql_add(q, o->t[0].descending ? ") < (" : ") > (");
	for (size_t i = 0; i < o->n; i++) {
		sql_add(q, i == 0 ? "" : ", ");
		sql_operand_param(q, o->t[i].p, v[i]);
	}
	sql_add(q, ")");
}

/* Strictly after, in this term alone. */
static void after_term(const struct term *t, struct db_value v, struct sql *q)
{
	if (v.type == DB_NULL) { /* NULLs are last when ascending, first when descending */
		if (t->descending)
			sql_operand(q, t->p);
		sql_add(q, t->descending ? " IS NOT NULL" : "1 = 0");
		return;
	}
	sql_add(q, "(");
	sql_operand(q, t->p);
	sql_add(q, t->descending ? " < " : " > ");
	sql_operand_param(q, t->p, v);
	if (t->nullable && !t->descending) {
		sql_add(q, " OR ");
		sql_operand(q, t->p);
		sql_add(q, " IS NULL");
	}
	sql_add(q, ")");
}

static void same_term(const struct term *t, struct db_value v, struct sql *q)
{
	sql_operand(q, t->p);
	if (v.type == DB_NULL) {
		sql_add(q, " IS NULL");
		return;
	}
	sql_add(q, " = ");
	sql_operand_param(q, t->p, v);
}

void order_after_sql(const struct order *o, const struct db_value place[TERMS_MAX], struct sql *q)
{
	bool one_way = true;
	for (size_t i = 0; i < o->n; i++)
		one_way = one_way && !o->t[i].nullable && o->t[i].descending == o->t[0].descending;
	if (one_way) {
		after_row(o, place, q);
		return;
	}
	sql_add(q, "(");
	for (size_t i = 0; i < o->n; i++) { /* after in the first term, or the same there and after in the second … */
		sql_add(q, i == 0 ? "(" : " OR (");
		for (size_t j = 0; j < i; j++) {
			same_term(&o->t[j], place[j], q);
			sql_add(q, " AND ");
		}
		after_term(&o->t[i], place[i], q);
		sql_add(q, ")");
	}
	sql_add(q, ")");
}
