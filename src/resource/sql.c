/* SPDX-License-Identifier: Apache-2.0
 *
 * SQL text and the values of its parameters, growing together in the arena.  Promises: text comes from the tables and
 * from this folder's own literals; everything else is a parameter.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "resource/internal.h"

#define YEAR_ONE_SQL "-62135596800000000" /* 0001-01-01T00:00:00Z in microseconds */

void sql_begin(struct sql *q, struct arena *a, unsigned first)
{
	*q = (struct sql){.arena = a, .first = first};
}

/* Room for `need` elements, or `failed`. */
static void *grown(struct sql *q, void *old, size_t count, size_t need, size_t *cap, size_t size)
{
	if (q->failed || need <= *cap)
		return old;
	size_t bigger = *cap ? *cap * 2 : 64;
	while (bigger < need)
		bigger *= 2;
	void *p = arena_try(q->arena, bigger * size);
	if (p == NULL) {
		q->failed = true;
		return old;
	}
	if (count > 0)
		memcpy(p, old, count * size);
	*cap = bigger;
	return p;
}

void sql_add(struct sql *q, const char *text)
{
	size_t n = strlen(text);
	q->text = grown(q, q->text, q->len, q->len + n + 1, &q->cap, 1);
	if (q->failed)
		return;
	memcpy(q->text + q->len, text, n + 1);
	q->len += n;
}

void sql_number(struct sql *q, int64_t v)
{
	char text[24];
	snprintf(text, sizeof text, "%" PRId64, v);
	sql_add(q, text);
}

void sql_args(struct sql *q, const struct db_value *v, size_t n)
{
	q->args = grown(q, q->args, q->arg_count, q->arg_count + n, &q->arg_cap, sizeof *q->args);
	if (q->failed || n == 0)
		return;
	memcpy(q->args + q->arg_count, v, n * sizeof *v);
	q->arg_count += n;
}

void sql_param(struct sql *q, struct db_value v)
{
	sql_add(q, "?");
	sql_number(q, (int64_t)(q->first + q->arg_count));
	sql_args(q, &v, 1);
}

enum err sql_end(struct sql *q, struct scope *s)
{
	return q->failed ? scope_fail(s, ERR_LIMIT, "the query is too long") : OK;
}

void sql_property(struct sql *q, const struct property *p)
{
	check(p->sql != NULL && p->type != PROP_CONST);
	if (property_is_column(p))
		sql_add(q, "t.");
	if (strncmp(p->sql, "(u.", 3) == 0)
		q->joined = true;
	sql_add(q, p->sql);
}

static const char *default_sql(const struct property *p)
{
	if (p->type == PROP_TIME_0 && !(p->flags & P_NOT_NULL))
		return YEAR_ONE_SQL;
	if (!(p->flags & P_DEFAULT))
		return NULL;
	return property_db_type(p) == DB_INT ? "0" : p->type == PROP_JSON ? "'[]'" : "''";
}

bool property_is_plain(const struct property *p)
{
	return default_sql(p) == NULL && !(p->flags & P_NOCASE);
}

bool property_is_nullable(const struct property *p)
{
	return default_sql(p) == NULL && !(p->flags & P_NOT_NULL);
}

void sql_operand(struct sql *q, const struct property *p)
{
	const char *def = default_sql(p);
	if (p->flags & P_NOCASE)
		sql_add(q, "lower(");
	if (def != NULL)
		sql_add(q, "COALESCE(");
	sql_property(q, p);
	if (def != NULL) {
		sql_add(q, ", ");
		sql_add(q, def);
		sql_add(q, ")");
	}
	if (p->flags & P_NOCASE)
		sql_add(q, ")");
}

void sql_operand_param(struct sql *q, const struct property *p, struct db_value v)
{
	if (p->flags & P_NOCASE)
		sql_add(q, "lower(");
	sql_param(q, v);
	if (p->flags & P_NOCASE)
		sql_add(q, ")");
}

enum db_reach resource_reach(const struct scope *s, const struct resource *r)
{
	return r->global && !s->has_tenant ? DB_REACH_GLOBAL : DB_REACH_TENANT;
}

void sql_from(struct sql *q, const struct resource *r, bool joined)
{
	sql_add(q, " FROM ");
	sql_add(q, r->table);
	sql_add(q, " t");
	if (joined && r->join != NULL) {
		sql_add(q, " ");
		sql_add(q, r->join);
	}
}

void sql_where(struct sql *q, const struct scope *s, const struct resource_query *rq, bool one)
{
	const struct resource *r = rq->res;
	sql_add(q, " WHERE ");
	if (resource_reach(s, r) == DB_REACH_TENANT)
		sql_add(q, "t.tenant_id = ?1 AND ");
	sql_add(q, r->where);
	if (rq->extra_where != NULL) {
		sql_add(q, " AND (");
		sql_add(q, rq->extra_where);
		sql_add(q, ")");
	}
	check(q->arg_count == 0);
	sql_args(q, rq->args, rq->arg_count);
	sql_reach(q, s, r, s->actor.only, one);
}
