/* SPDX-License-Identifier: Apache-2.0
 *
 * Records in the database.  Promises: a statement names only columns of the table, each once; an update writes what
 * differs and reports exactly that, with the column, so that the data map decides what an audit event may carry.
 */
#include <string.h>

#include "resource/internal.h"
#include "resource/record_internal.h"

/* ---- insert ---- */

struct columns {
	struct sql names, values;
};

static void add_column(struct columns *c, const char *name, struct db_value v)
{
	if (c->names.len > 0) {
		sql_add(&c->names, ", ");
		sql_add(&c->values, ", ");
	}
	sql_add(&c->names, name);
	sql_param(&c->values, v);
}

static bool in_extras(const char *column, const struct extra_column *extra, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(extra[i].column, column) == 0)
			return true;
	return false;
}

static bool is_written(const struct record *r, size_t i, const struct extra_column *extra, size_t n)
{
	const struct property *p = &r->res->props[i];
	return r->set[i] && property_is_column(p) && record_is_first(r, i) && !in_extras(p->sql, extra, n);
}

enum err record_insert(struct db_tx *tx, const struct record *r, struct id key, const struct extra_column *extra,
		       size_t n)
{
	struct scope *s = db_tx_scope(tx);
	const struct resource *res = r->res;
	bool global = resource_reach(s, res) == DB_REACH_GLOBAL, one_key = strchr(res->key, ',') == NULL;
	struct columns c;
	sql_begin(&c.names, s->arena, 1);
	sql_begin(&c.values, s->arena, global ? 1 : 2);
	if (!global) {
		sql_add(&c.names, "tenant_id");
		sql_add(&c.values, "?1");
	}
	if (one_key && !(res->global && !global))
		add_column(&c, res->key, db_v_blob(key.b, sizeof key.b));
	for (size_t i = 0; i < res->prop_count; i++)
		if (is_written(r, i, extra, n) && !(one_key && strcmp(res->props[i].sql, res->key) == 0))
			add_column(&c, res->props[i].sql, r->v[i]);
	for (size_t i = 0; i < n; i++)
		add_column(&c, extra[i].column, extra[i].value);
	TRY(sql_end(&c.names, s));
	TRY(sql_end(&c.values, s));
	char *text = arena_printf(s->arena, "INSERT INTO %s (%s) VALUES (%s)", res->table, c.names.text, c.values.text);
	return db_exec_text(tx, resource_reach(s, res), text, c.values.args, c.values.arg_count, NULL);
}

/* ---- one row ---- */

/* " WHERE …" of the row with this key. */
static void where_key(struct sql *q, const struct scope *s, const struct resource *r, const char *alias,
		      const struct id *key)
{
	sql_add(q, " WHERE ");
	if (resource_reach(s, r) == DB_REACH_TENANT) {
		sql_add(q, alias);
		sql_add(q, "tenant_id = ?1 AND ");
	}
	check(strchr(r->key, ',') == NULL);
	sql_add(q, alias);
	sql_add(q, r->key);
	sql_add(q, " = ");
	sql_param(q, db_v_blob(key->b, sizeof key->b));
}

static enum err not_found(struct scope *s, const struct resource *r, struct id key)
{
	char text[ID_TEXT];
	return scope_fail(s, ERR_NOT_FOUND, "there is no %s with the id %s", r->name, id_format(key, text));
}

static bool is_loaded(const struct property *p)
{
	return p->sql != NULL && p->type != PROP_CONST;
}

static void select_all(struct sql *q, const struct scope *s, const struct resource *r, const struct id *key)
{
	const char *before = "SELECT ";
	for (size_t i = 0; i < r->prop_count; i++) {
		if (!is_loaded(&r->props[i]))
			continue;
		sql_add(q, before);
		sql_property(q, &r->props[i]);
		before = ", ";
	}
	sql_add(q, " FROM ");
	sql_add(q, r->table);
	sql_add(q, " t ");
	if (r->join != NULL)
		sql_add(q, r->join);
	where_key(q, s, r, "t.", key);
}

enum err record_load(struct db_tx *tx, const struct resource *r, struct id key, bool any_row, struct record **ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *rows = NULL;
	struct sql q;
	sql_begin(&q, s->arena, resource_reach(s, r) == DB_REACH_TENANT ? 2 : 1);
	select_all(&q, s, r, &key);
	if (!any_row) {
		sql_add(&q, " AND ");
		sql_add(&q, r->where);
	}
	sql_reach(&q, s, r, s->actor.only, true);
	TRY(sql_end(&q, s));
	TRY(db_query_text(tx, resource_reach(s, r), q.text, q.args, q.arg_count, &rows));
	if (!db_next(rows)) {
		TRY(db_rows_err(rows));
		return not_found(s, r, key);
	}
	*ret = record_new(s->arena, r);
	int col = 0;
	for (size_t i = 0; i < r->prop_count; i++)
		if (is_loaded(&r->props[i]))
			record_put(*ret, i, db_value_dup(rows, col++, s->arena));
	return OK;
}

/* ---- update ---- */

static bool same(const struct db_value *a, const struct db_value *b)
{
	if (a->type != b->type)
		return false;
	if (a->type == DB_NULL)
		return true;
	return a->type == DB_INT ? a->i == b->i : a->n == b->n && memcmp(a->p, b->p, a->n) == 0;
}

static void assign(struct sql *q, const char *column, struct db_value v)
{
	sql_add(q, q->len == 0 ? "" : ", ");
	sql_add(q, column);
	sql_add(q, " = ");
	sql_param(q, v);
}

/* Assigns what differs; each difference becomes a change, one that an extra column overrides too. */
static bool assign_differences(struct sql *q, const struct record *old, const struct record *change,
			       const struct extra_column *extra, size_t n, struct audit_change ***tail)
{
	bool any = false;
	for (size_t i = 0; i < change->res->prop_count; i++) {
		const struct property *p = &change->res->props[i];
		if (!change->set[i] || !property_is_column(p) || !record_is_first(change, i) || same(&old->v[i], &change->v[i]))
			continue;
		check(old->set[i]);
		any = true;
		if (!in_extras(p->sql, extra, n))
			assign(q, p->sql, change->v[i]);
		*tail = audit_change_add(q->arena, *tail, p->name, change->res->table, p->sql,
					 record_public_text(q->arena, p, &old->v[i]),
					 record_public_text(q->arena, p, &change->v[i]));
	}
	return any;
}

enum err record_update(struct db_tx *tx, const struct record *old, const struct record *change, struct id key,
		       const struct extra_column *extra, size_t n, struct audit_change ***changes_tail, bool *ret_changed)
{
	struct scope *s = db_tx_scope(tx);
	const struct resource *r = old->res;
	check(change->res == r);
	struct sql set, q;
	int64_t rows;
	sql_begin(&set, s->arena, resource_reach(s, r) == DB_REACH_TENANT ? 2 : 1);
	*ret_changed = assign_differences(&set, old, change, extra, n, changes_tail);
	if (!*ret_changed)
		return OK;
	for (size_t i = 0; i < n; i++)
		assign(&set, extra[i].column, extra[i].value);
	sql_begin(&q, s->arena, set.first);
	sql_add(&q, "UPDATE ");
	sql_add(&q, r->table);
	sql_add(&q, " SET ");
	sql_add(&q, set.text);
	sql_args(&q, set.args, set.arg_count);
	where_key(&q, s, r, "", &key);
	TRY(sql_end(&set, s));
	TRY(sql_end(&q, s));
	TRY(db_exec_text(tx, resource_reach(s, r), q.text, q.args, q.arg_count, &rows));
	return rows > 0 ? OK : not_found(s, r, key);
}
