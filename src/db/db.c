/* SPDX-License-Identifier: Apache-2.0
 *
 * The face of the database: chooses the engine, keeps the rules that hold on both (db_internal.h), and reads values out
 * of cursors. Promises I4: no statement runs without the tenant of its scope, and none that crosses tenants runs in a
 * scope that has one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/db_internal.h"

/* The thread is inside a closure.  A nested transaction would wait for itself. */
static _Thread_local bool inside_closure;

/* ---- life ---- */

static bool is_sqlite(const char *url)
{
	return strncmp(url, "sqlite:", 7) == 0;
}

enum err db_open_with(const struct db_options *o, const struct db_migration *list, struct db **ret, char **detail)
{
	*ret = NULL;
	if (detail != NULL)
		*detail = NULL;
	return is_sqlite(o->url) ? sqlite_open(o, list, ret, detail) : postgres_open(o, list, ret, detail);
}

enum err db_open(const struct db_options *o, struct db **ret, char **detail)
{
	return db_open_with(o, db_migrations, ret, detail);
}

void db_close(struct db *db)
{
	if (db != NULL)
		db->ops->close(db);
}

enum db_engine db_engine(const struct db *db)
{
	return db->engine;
}

enum err db_init_with(const char *admin_url, const struct db_migration *list, char **ret_app, char **ret_owner,
		      char **detail)
{
	*ret_app = *ret_owner = NULL;
	if (detail != NULL)
		*detail = NULL;
	if (!is_sqlite(admin_url))
		return postgres_init(admin_url, list, ret_app, ret_owner, detail);
	TRY(sqlite_init(admin_url, list, detail));
	*ret_app = strdup(admin_url);
	return *ret_app == NULL ? ERR_UNAVAILABLE : OK;
}

enum err db_init(const char *admin_url, char **ret_app_url, char **ret_owner_url, char **detail)
{
	return db_init_with(admin_url, db_migrations, ret_app_url, ret_owner_url, detail);
}

enum err db_detail(char **detail, enum err e, const char *fmt, ...)
{
	if (detail == NULL || *detail != NULL)
		return e;
	va_list ap;
	va_start(ap, fmt);
	if (vasprintf(detail, fmt, ap) < 0)
		*detail = NULL;
	va_end(ap);
	for (char *p = *detail; p != NULL && *p != '\0'; p++)
		if (*p == '\n') /* engines answer in several lines; a detail is one */
			*p = p[1] == '\0' ? '\0' : ' ';
	return e;
}

void db_on_commit(struct db *db, void (*fn)(void *arg), void *arg)
{
	atomic_store(&db->on_commit_arg, arg);
	atomic_store(&db->on_commit, fn);
}

void db_committed(struct db *db)
{
	void (*fn)(void *arg) = atomic_load(&db->on_commit);
	if (fn != NULL)
		fn(atomic_load(&db->on_commit_arg));
}

void db_stats(struct db *db, struct db_stats *ret)
{
	*ret = (struct db_stats){
		.commits = atomic_load(&db->commits),
		.closures = atomic_load(&db->closures),
		.retries = atomic_load(&db->retries),
		.failures = atomic_load(&db->failures),
		.queue = db->ops->queue(db),
	};
}

/* ---- transactions ---- */

void db_tx_start(struct db_tx *tx, struct db *db, struct scope *s, bool writing)
{
	tx->db = db;
	tx->scope = s;
	tx->tenant_id = s->tenant;
	tx->tenant = db_v_id(&tx->tenant_id);
	tx->has_tenant = s->has_tenant;
	tx->writing = writing;
	tx->doom = OK;
	tx->open_rows = 0;
}

enum err db_tx_run(struct db_tx *tx, db_fn fn, void *arg)
{
	atomic_fetch_add(&tx->db->closures, 1);
	inside_closure = true;
	enum err e = fn(tx->scope, tx, arg);
	inside_closure = false;
	check(tx->open_rows == 0);
	if (e == OK)
		e = tx->doom;
	return e;
}

struct db_mark db_mark_take(struct scope *s)
{
	return (struct db_mark){.scope = s, .saved = *s, .arena = arena_mark(s->arena)};
}

void db_mark_back(const struct db_mark *m)
{
	*m->scope = m->saved; /* a detail would point into what is rewound */
	arena_rewind(m->saved.arena, m->arena);
}

enum err db_write(struct scope *s, db_fn fn, void *arg)
{
	check(s->db != NULL && !inside_closure);
	enum err e = s->db->ops->write(s->db, s, fn, arg);
	if (e != OK)
		atomic_fetch_add(&s->db->failures, 1);
	return e;
}

enum err db_write_low(struct scope *s, db_fn fn, void *arg)
{
	check(s->db != NULL && !inside_closure);
	enum err e = s->db->ops->write_low(s->db, s, fn, arg);
	if (e != OK)
		atomic_fetch_add(&s->db->failures, 1);
	return e;
}

enum err db_read(struct scope *s, db_fn fn, void *arg)
{
	check(s->db != NULL && !inside_closure);
	return s->db->ops->read(s->db, s, fn, arg);
}

bool db_writing(const struct db_tx *tx)
{
	return tx->writing;
}

struct scope *db_tx_scope(struct db_tx *tx)
{
	return tx->scope;
}

/* ---- running statements ---- */

static enum err doom(struct db_tx *tx, enum err e)
{
	if (e != OK && tx->doom == OK)
		tx->doom = e;
	return e;
}

static enum err reach_check(struct db_tx *tx, enum db_reach reach, const char *name)
{
	if (reach == DB_REACH_TENANT && !tx->has_tenant)
		return scope_fail(tx->scope, ERR_INTERNAL, "statement %s needs a tenant and the scope has none", name);
	if (reach == DB_REACH_GLOBAL && tx->has_tenant)
		return scope_fail(tx->scope, ERR_INTERNAL, "statement %s crosses tenants and the scope has one", name);
	return OK;
}

static enum err args_check(struct db_tx *tx, const struct db_call *c, const char *name)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->args[i].type == DB_TEXT && !db_text_valid(c->args[i].p, c->args[i].n))
			return scope_fail(tx->scope, ERR_BAD_REQUEST,
					  "statement %s: text %zu is not UTF-8 or contains a NUL", name, i);
	return OK;
}

static enum err call_make(struct db_tx *tx, enum db_reach reach, const char *name, struct db_call *c)
{
	if (tx->doom != OK)
		return tx->doom;
	TRY(reach_check(tx, reach, name));
	TRY(args_check(tx, c, name));
	c->tenant = reach == DB_REACH_TENANT ? &tx->tenant : NULL;
	return OK;
}

static struct db_call stmt_call(struct db_tx *tx, struct db_stmt *s, const struct db_value *args, size_t n)
{
	bool pg = tx->db->engine == DB_POSTGRES && s->pg_sql != NULL;
	return (struct db_call){.stmt = s, .sql = pg ? s->pg_sql : s->sql, .args = args, .n = n};
}

static enum err call_exec(struct db_tx *tx, enum db_reach reach, const char *name, struct db_call *c,
			  int64_t *ret_changes)
{
	int64_t changes = 0;
	enum err e = call_make(tx, reach, name, c);
	if (e == OK)
		e = tx->db->ops->exec(tx, c, &changes);
	if (ret_changes != NULL)
		*ret_changes = changes;
	return doom(tx, e);
}

typedef enum err (*query_fn)(struct db_tx *tx, const struct db_call *c, struct db_rows **ret);

static enum err call_rows(struct db_tx *tx, enum db_reach reach, const char *name, struct db_call *c, query_fn fn,
			  struct db_rows **ret)
{
	*ret = NULL;
	enum err e = call_make(tx, reach, name, c);
	if (e == OK)
		e = fn(tx, c, ret);
	if (e == OK)
		tx->open_rows++;
	return doom(tx, e);
}

static enum err call_query(struct db_tx *tx, enum db_reach reach, const char *name, struct db_call *c,
			   struct db_rows **ret)
{
	return call_rows(tx, reach, name, c, tx->db->ops->query, ret);
}

enum err db_exec(struct db_tx *tx, struct db_stmt *s, const struct db_value *args, size_t n, int64_t *ret_changes)
{
	struct db_call c = stmt_call(tx, s, args, n);
	return call_exec(tx, s->reach, s->name, &c, ret_changes);
}

enum err db_query(struct db_tx *tx, struct db_stmt *s, const struct db_value *args, size_t n, struct db_rows **ret)
{
	struct db_call c = stmt_call(tx, s, args, n);
	return call_query(tx, s->reach, s->name, &c, ret);
}

enum err db_exec_text(struct db_tx *tx, enum db_reach reach, const char *sql, const struct db_value *args, size_t n,
		      int64_t *ret_changes)
{
	struct db_call c = {.sql = sql, .args = args, .n = n};
	return call_exec(tx, reach, "(made text)", &c, ret_changes);
}

enum err db_query_text(struct db_tx *tx, enum db_reach reach, const char *sql, const struct db_value *args, size_t n,
		       struct db_rows **ret)
{
	struct db_call c = {.sql = sql, .args = args, .n = n};
	return call_query(tx, reach, "(made text)", &c, ret);
}

enum err db_stream_text(struct db_tx *tx, enum db_reach reach, const char *sql, const struct db_value *args, size_t n,
			struct db_rows **ret)
{
	struct db_call c = {.sql = sql, .args = args, .n = n};
	return call_rows(tx, reach, "(made text)", &c, tx->db->ops->stream, ret);
}

enum err db_query_one(struct db_tx *tx, struct db_stmt *s, const struct db_value *args, size_t n, struct db_rows **ret)
{
	TRY(db_query(tx, s, args, n, ret));
	if (db_next(*ret))
		return OK;
	enum err e = db_rows_err(*ret);
	db_rows_free(ret);
	return e == OK ? ERR_NOT_FOUND : e;
}

enum err db_prepare_check(struct db_tx *tx, struct db_stmt *s)
{
	struct db_call c = stmt_call(tx, s, NULL, 0);
	if (s->reach == DB_REACH_TENANT)
		c.tenant = &tx->tenant; /* not bound: only its type is used */
	return tx->db->ops->prepare_check(tx, &c);
}

/* ---- cursors ---- */

bool db_next(struct db_rows *r)
{
	r->on_row = r->e == OK && r->tx->doom == OK && r->tx->db->ops->next(r);
	doom(r->tx, r->e);
	return r->on_row;
}

enum err db_rows_err(const struct db_rows *r)
{
	return r->e != OK ? r->e : r->tx->doom;
}

void db_rows_free(struct db_rows **r)
{
	if (*r == NULL)
		return;
	(*r)->tx->open_rows--;
	(*r)->tx->db->ops->rows_free(*r);
	*r = NULL;
}

int db_columns(const struct db_rows *r)
{
	return r->tx->db->ops->columns(r);
}

const char *db_column_name(const struct db_rows *r, int col)
{
	return r->tx->db->ops->column_name(r, col);
}

static struct db_value value(const struct db_rows *r, int col)
{
	check(r->on_row && col >= 0 && col < db_columns(r));
	return r->tx->db->ops->value(r, col);
}

bool db_is_null(const struct db_rows *r, int col)
{
	return value(r, col).type == DB_NULL;
}

int64_t db_int(const struct db_rows *r, int col)
{
	struct db_value v = value(r, col);
	check(v.type == DB_INT || v.type == DB_NULL);
	return v.i;
}

bool db_bool(const struct db_rows *r, int col)
{
	return db_int(r, col) != 0;
}

const char *db_text(const struct db_rows *r, int col)
{
	struct db_value v = value(r, col);
	check(v.type == DB_TEXT || v.type == DB_NULL);
	return v.type == DB_NULL ? NULL : v.p;
}

const void *db_blob(const struct db_rows *r, int col, size_t *ret_n)
{
	struct db_value v = value(r, col);
	check(v.type != DB_INT);
	*ret_n = v.n;
	return v.type == DB_NULL ? NULL : v.p;
}

struct id db_id(const struct db_rows *r, int col)
{
	struct id id = {0};
	struct db_value v = value(r, col);
	if (v.type == DB_NULL)
		return id;
	check(v.type == DB_BLOB && v.n == sizeof id.b);
	memcpy(id.b, v.p, sizeof id.b);
	return id;
}

char *db_text_dup(const struct db_rows *r, int col, struct arena *a)
{
	return arena_strdup(a, db_text(r, col));
}

struct db_value db_value_dup(const struct db_rows *r, int col, struct arena *a)
{
	struct db_value v = value(r, col);
	if (v.type == DB_TEXT || v.type == DB_BLOB)
		v.p = arena_strndup(a, v.p, v.n);
	return v;
}

/* ---- schema ---- */

struct live {
	struct db_column *columns;
	size_t n, cap;
};

static void live_add(struct live *l, struct arena *a, const struct db_rows *r)
{
	if (l->n == l->cap) {
		size_t cap = l->cap == 0 ? 256 : l->cap * 2;
		struct db_column *bigger = arena_alloc(a, cap * sizeof *bigger);
		if (l->n > 0)
			memcpy(bigger, l->columns, l->n * sizeof *bigger);
		l->columns = bigger;
		l->cap = cap;
	}
	l->columns[l->n++] = (struct db_column){db_text_dup(r, 0, a), db_text_dup(r, 1, a)};
}

/* The catalogue belongs to no tenant and holds no rows of one, so the reach of the scope does not matter here. */
static enum err live_read(struct scope *s, struct db_tx *tx, void *arg)
{
	struct live *l = arg;
	*l = (struct live){0};
	struct db_call c = {.sql = tx->db->ops->live_columns_sql};
	auto_rows struct db_rows *r = NULL;
	TRY(tx->db->ops->query(tx, &c, &r));
	tx->open_rows++;
	while (db_next(r))
		live_add(l, s->arena, r);
	return db_rows_err(r);
}

enum err db_live_columns(struct scope *s, struct db_column **ret, size_t *ret_n)
{
	struct live l = {0};
	TRY(db_read(s, live_read, &l));
	*ret = l.columns;
	*ret_n = l.n;
	return OK;
}

enum err db_scrub(struct db *db, const char *const *tables, size_t n)
{
	return db->ops->scrub(db, tables, n);
}

enum err db_analyze(struct db *db)
{
	return db->ops->analyze != NULL ? db->ops->analyze(db) : OK;
}

enum err db_scan(struct db *db, struct db_needle *needles, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (needles[i].n == 0)
			return ERR_BAD_REQUEST;
		needles[i].hits = 0;
	}
	return db->ops->scan(db, needles, n);
}

enum err db_scan_tables(struct db *db, struct arena *a, struct db_needle *needles, size_t n, struct db_hit **ret, size_t *ret_n)
{
	*ret = NULL;
	*ret_n = 0;
	return db->ops->scan_tables(db, a, needles, n, ret, ret_n);
}

enum err db_wal_position(struct db *db, struct arena *a, struct db_wal *ret)
{
	*ret = (struct db_wal){0};
	return db->ops->wal_position == NULL ? ERR_NOT_IMPLEMENTED : db->ops->wal_position(db, a, ret);
}
