/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements and cursors on SQLite.  Promises: a declared statement is prepared once per connection, and a made text
 * not again while it is among the last ones; a value given for a cursor is copied, one given for an exec is not; a wrong
 * number of values is refused instead of being read as NULL.
 */
#include <stdlib.h>
#include <string.h>

#include "db/sqlite_internal.h"

static struct sq_tx *sq_tx_of(struct db_tx *tx)
{
	return (struct sq_tx *)tx;
}

/* ---- preparing ---- */

static struct sq_cached *slot_of(struct sq_conn *c, const struct db_stmt *s)
{
	if (s->index >= c->cache_n) {
		int n = db_stmt_count();
		struct sq_cached *bigger = realloc(c->cache, (size_t)n * sizeof *bigger);
		if (bigger == NULL)
			return NULL;
		memset(bigger + c->cache_n, 0, (size_t)(n - c->cache_n) * sizeof *bigger);
		c->cache = bigger;
		c->cache_n = n;
	}
	return &c->cache[s->index];
}

static enum err prepare(struct db_tx *tx, const struct db_call *c, unsigned flags, sqlite3_stmt **ret)
{
	struct sq_conn *conn = sq_tx_of(tx)->conn;
	const char *tail = NULL;
	if (sqlite3_prepare_v3(conn->h, c->sql, -1, flags, ret, &tail) != SQLITE_OK)
		return sq_fail(conn, tx->scope, c);
	tail += strspn(tail, " \t\n;");
	if (*ret != NULL && *tail == '\0')
		return OK;
	sqlite3_finalize(*ret);
	*ret = NULL;
	return scope_fail(tx->scope, ERR_INTERNAL, "%s is not one statement",
			  c->stmt == NULL ? "(made text)" : c->stmt->name);
}

/* The slot of a made text, else the one that was not asked for the longest time, emptied; NULL where all are running. */
static struct sq_cached *text_slot(struct sq_conn *c, const char *text)
{
	uint64_t hash = db_text_hash(text);
	struct sq_cached *oldest = NULL;
	c->text_calls++;
	for (struct sq_cached *t = c->texts; t < c->texts + SQ_TEXTS; t++) {
		if (t->st != NULL && t->hash == hash && strcmp(sqlite3_sql(t->st), text) == 0) {
			t->used = c->text_calls;
			return t;
		}
		if (!t->busy && (oldest == NULL || t->used < oldest->used))
			oldest = t;
	}
	if (oldest != NULL) {
		sqlite3_finalize(oldest->st);
		*oldest = (struct sq_cached){.hash = hash, .used = c->text_calls};
	}
	return oldest;
}

/* A slot, when the statement is not running already (a cursor over it may be open); else a statement of its own. */
static enum err acquire(struct db_tx *tx, const struct db_call *c, sqlite3_stmt **ret, struct sq_cached **ret_slot)
{
	*ret = NULL;
	*ret_slot = NULL;
	struct sq_conn *conn = sq_tx_of(tx)->conn;
	struct sq_cached *slot = c->stmt == NULL ? text_slot(conn, c->sql) : slot_of(conn, c->stmt);
	if (slot == NULL || slot->busy)
		return prepare(tx, c, 0, ret);
	if (slot->st == NULL)
		TRY(prepare(tx, c, SQLITE_PREPARE_PERSISTENT, &slot->st));
	slot->busy = true;
	*ret = slot->st;
	*ret_slot = slot;
	return OK;
}

static void give_back(sqlite3_stmt *st, struct sq_cached *slot)
{
	if (slot == NULL) {
		sqlite3_finalize(st);
		return;
	}
	sqlite3_reset(st);
	sqlite3_clear_bindings(st); /* no copy of a value stays behind */
	slot->busy = false;
}

/* ---- binding ---- */

static int bind_one(sqlite3_stmt *st, int at, const struct db_value *v, sqlite3_destructor_type copy)
{
	switch (v->type) {
	case DB_INT:
		return sqlite3_bind_int64(st, at, v->i);
	case DB_TEXT:
		return sqlite3_bind_text64(st, at, v->p == NULL ? "" : v->p, v->n, copy, SQLITE_UTF8);
	case DB_BLOB: /* a NULL pointer would bind NULL */
		return sqlite3_bind_blob64(st, at, v->p == NULL ? "" : v->p, v->n, copy);
	case DB_NULL:
		break;
	}
	return sqlite3_bind_null(st, at);
}

static enum err bind(struct db_tx *tx, sqlite3_stmt *st, const struct db_call *c, sqlite3_destructor_type copy)
{
	int at = 1, first = c->tenant == NULL ? 1 : 2, wants = sqlite3_bind_parameter_count(st);
	if (wants != (int)c->n + first - 1)
		return scope_fail(tx->scope, ERR_INTERNAL, "%s takes %d values and got %d",
				  c->stmt == NULL ? "(made text)" : c->stmt->name, wants, (int)c->n + first - 1);
	int rc = SQLITE_OK;
	if (c->tenant != NULL)
		rc = bind_one(st, at++, c->tenant, copy);
	for (size_t i = 0; i < c->n && rc == SQLITE_OK; i++)
		rc = bind_one(st, at++, &c->args[i], copy);
	return rc == SQLITE_OK ? OK : sq_fail(sq_tx_of(tx)->conn, tx->scope, c);
}

/* ---- running ---- */

enum err sq_exec(struct db_tx *tx, const struct db_call *c, int64_t *ret_changes)
{
	sqlite3_stmt *st;
	struct sq_cached *slot;
	struct sq_conn *conn = sq_tx_of(tx)->conn;
	TRY(acquire(tx, c, &st, &slot));
	enum err e = bind(tx, st, c, SQLITE_STATIC);
	if (e == OK) {
		int rc;
		while ((rc = sqlite3_step(st)) == SQLITE_ROW)
			;
		if (rc != SQLITE_DONE)
			e = sq_fail(conn, tx->scope, c);
		else
			*ret_changes = sqlite3_stmt_readonly(st) ? 0 : sqlite3_changes64(conn->h);
	}
	give_back(st, slot);
	return e;
}

enum err sq_query(struct db_tx *tx, const struct db_call *c, struct db_rows **ret)
{
	sqlite3_stmt *st;
	struct sq_cached *slot;
	TRY(acquire(tx, c, &st, &slot));
	struct sq_rows *r = calloc(1, sizeof *r);
	enum err e = r == NULL ? ERR_UNAVAILABLE : bind(tx, st, c, SQLITE_TRANSIENT);
	if (e != OK) {
		give_back(st, slot);
		free(r);
		return e;
	}
	r->base.tx = tx;
	r->st = st;
	r->slot = slot;
	r->stmt = c->stmt;
	*ret = &r->base;
	return OK;
}

bool sq_next(struct db_rows *rows)
{
	struct sq_rows *r = (struct sq_rows *)rows;
	if (r->done) /* another step would run it again */
		return false;
	int rc = sqlite3_step(r->st);
	if (rc == SQLITE_ROW)
		return true;
	r->done = true;
	if (rc != SQLITE_DONE) {
		struct db_call c = {.stmt = r->stmt};
		rows->e = sq_fail(sq_tx_of(rows->tx)->conn, rows->tx->scope, &c);
	}
	return false;
}

void sq_rows_free(struct db_rows *rows)
{
	struct sq_rows *r = (struct sq_rows *)rows;
	give_back(r->st, r->slot);
	free(r);
}

int sq_columns(const struct db_rows *r)
{
	return sqlite3_column_count(((const struct sq_rows *)r)->st);
}

const char *sq_column_name(const struct db_rows *r, int col)
{
	return sqlite3_column_name(((const struct sq_rows *)r)->st, col);
}

struct db_value sq_value(const struct db_rows *r, int col)
{
	sqlite3_stmt *st = ((const struct sq_rows *)r)->st;
	switch (sqlite3_column_type(st, col)) {
	case SQLITE_INTEGER:
	case SQLITE_FLOAT: /* STRICT tables have no such column: an average, and we take its whole part */
		return db_v_int(sqlite3_column_int64(st, col));
	case SQLITE_TEXT: {
		const char *p = (const char *)sqlite3_column_text(st, col);
		return db_v_textn(p == NULL ? "" : p, (size_t)sqlite3_column_bytes(st, col));
	}
	case SQLITE_BLOB: {
		const void *p = sqlite3_column_blob(st, col);
		return db_v_blob(p, (size_t)sqlite3_column_bytes(st, col));
	}
	default:
		return db_v_null();
	}
}

enum err sq_prepare_check(struct db_tx *tx, const struct db_call *c)
{
	sqlite3_stmt *st = NULL;
	TRY(prepare(tx, c, 0, &st));
	sqlite3_finalize(st);
	return OK;
}
