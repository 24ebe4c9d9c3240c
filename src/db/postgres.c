/* SPDX-License-Identifier: Apache-2.0
 *
 * The PostgreSQL engine: pool, transactions, its table of functions.
 *
 * Promises: a write is SERIALIZABLE, which is what closures get on SQLite too; a conflict is run again as if for the
 * first time, at the end alone in this process, so that it does not starve; a read is one snapshot.  Each transaction
 * tells the server its tenant (row security, the second lock of I4); that, its BEGIN and its first statement are one
 * round trip.  A connection that broke before the transaction began is replaced once; one that broke during COMMIT leaves an unknown
 * outcome, and the caller is told so (ERR_IO).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "base/log.h"
#include "db/postgres_internal.h"

enum { POOL_DEFAULT = 8 };

/* ---- pool ---- */

/* Reads what an earlier transaction did not wait for.  False: the connection is of no use. */
static bool settle(struct pg_conn *c)
{
	for (PGresult *res; c->owes && (res = PQgetResult(c->pg)) != NULL;)
		PQclear(res);
	c->owes = false;
	return pg_alive(c) && PQtransactionStatus(c->pg) == PQTRANS_IDLE;
}

static enum err pool_take(struct pg_db *d, struct pg_conn **ret, char **detail)
{
	pthread_mutex_lock(&d->pool_lock);
	d->waiting++;
	while (d->idle == NULL && d->open >= d->size)
		pthread_cond_wait(&d->pool_changed, &d->pool_lock);
	d->waiting--;
	struct pg_conn *c = d->idle;
	if (c != NULL)
		d->idle = c->next;
	else
		d->open++;
	pthread_mutex_unlock(&d->pool_lock);
	*ret = c;
	if (c != NULL && settle(c))
		return OK;
	pg_conn_free(c);
	enum err e = pg_connect(d->url, ret, detail);
	if (e != OK) {
		pthread_mutex_lock(&d->pool_lock);
		d->open--;
		pthread_cond_signal(&d->pool_changed);
		pthread_mutex_unlock(&d->pool_lock);
	}
	return e;
}

static void pool_give(struct pg_db *d, struct pg_conn *c)
{
	bool keep = !c->stale && pg_alive(c) && (c->owes || PQtransactionStatus(c->pg) == PQTRANS_IDLE);
	if (!keep)
		pg_conn_free(c);
	pthread_mutex_lock(&d->pool_lock);
	if (keep) {
		c->next = d->idle;
		d->idle = c;
	} else {
		d->open--;
	}
	pthread_cond_signal(&d->pool_changed);
	pthread_mutex_unlock(&d->pool_lock);
}

/* ---- one transaction ---- */

void pg_begin_texts(const struct db_tx *tx, char begin[PG_BEGIN_TEXT], char tenant[PG_BEGIN_TEXT])
{
	char id[2 * sizeof tx->tenant_id.b + 1] = "*";
	if (tx->has_tenant)
		hex_encode(tx->tenant_id.b, sizeof tx->tenant_id.b, id);
	snprintf(begin, PG_BEGIN_TEXT, "BEGIN ISOLATION LEVEL %s", tx->writing ? "SERIALIZABLE" : "REPEATABLE READ, READ ONLY");
	snprintf(tenant, PG_BEGIN_TEXT, "SET LOCAL reeve.tenant = '%s'", id);
}

enum err pg_replace(struct pg_tx *tx)
{
	struct pg_conn *fresh = NULL;
	TRY(pg_connect(((struct pg_db *)tx->base.db)->url, &fresh, NULL));
	pg_conn_free(tx->conn);
	tx->conn = fresh;
	return OK;
}

/* Deferred constraints and conflicts show themselves here. */
static enum err commit_failed(struct pg_tx *tx, const PGresult *res)
{
	if (!pg_alive(tx->conn) && tx->base.writing)
		return scope_fail(tx->base.scope, ERR_IO,
				  "the connection broke while committing: the outcome is unknown");
	enum err e = pg_error(tx->conn, res, &tx->again);
	char *why = pg_message(tx->conn, res);
	scope_fail(tx->base.scope, e, "commit: %s", why == NULL ? err_text(e) : why);
	free(why);
	return e;
}

/* A read has its rows already: nobody waits for the answer to its COMMIT (pool_take() reads it). */
static enum err commit(struct pg_tx *tx)
{
	if (!tx->begun)
		return OK;
	if (!tx->base.writing) {
		tx->conn->owes = PQsendQuery(tx->conn->pg, "COMMIT") == 1;
		return OK;
	}
	PGresult *res = PQexec(tx->conn->pg, "COMMIT");
	enum err e = OK;
	if (PQresultStatus(res) != PGRES_COMMAND_OK) {
		e = commit_failed(tx, res);
	} else if (strcmp(PQcmdStatus(res), "COMMIT") != 0) {
		e = scope_fail(tx->base.scope, ERR_INTERNAL, "the transaction had failed");
	}
	PQclear(res);
	return e;
}

static enum err run_once(struct pg_db *d, struct pg_tx *tx, db_fn fn, void *arg)
{
	enum err e = db_tx_run(&tx->base, fn, arg);
	if (e == OK)
		e = commit(tx);
	if (e != OK && tx->begun && pg_alive(tx->conn) && PQtransactionStatus(tx->conn->pg) != PQTRANS_IDLE) {
		enum err ignored = pg_exec_text(tx->conn, "ROLLBACK", NULL);
		(void)ignored; /* pool_give() drops a connection that is still in a transaction */
	}
	if (e == OK && tx->base.writing) {
		atomic_fetch_add(&d->base.commits, 1);
		if (tx->changed)
			db_committed(&d->base);
	}
	return e;
}

static void pause_after_conflict(unsigned attempt)
{
	uint16_t r;
	random_bytes(&r, sizeof r);
	struct timespec ts = {.tv_nsec = (long)(r % (2000 * attempt)) * 1000}; /* up to 2, 4, 6 ms */
	nanosleep(&ts, NULL);
}

/* The last attempts run while no other writer of this process does: then only another server can be in the way. */
static void take_turn(struct pg_db *d, bool writing, unsigned attempt)
{
	if (writing && attempt >= 2)
		pthread_rwlock_wrlock(&d->turn);
	else if (writing)
		pthread_rwlock_rdlock(&d->turn);
}

static enum err transact(struct pg_db *d, struct scope *s, db_fn fn, void *arg, bool writing)
{
	struct db_mark mark = db_mark_take(s);
	for (unsigned attempt = 0;; attempt++) {
		struct pg_tx tx = {0};
		char *why = NULL;
		take_turn(d, writing, attempt);
		enum err e = pool_take(d, &tx.conn, &why);
		if (e == OK) {
			db_tx_start(&tx.base, &d->base, s, writing);
			e = run_once(d, &tx, fn, arg);
			pool_give(d, tx.conn);
		} else {
			scope_fail(s, e, "%s", why == NULL ? "no connection" : why);
		}
		free(why);
		if (writing)
			pthread_rwlock_unlock(&d->turn);
		if (e == OK || !tx.again || attempt >= LIMIT_RETRIES)
			return e;
		db_mark_back(&mark);
		atomic_fetch_add(&d->base.retries, 1);
		pause_after_conflict(attempt + 1);
	}
}

static enum err pg_write(struct db *db, struct scope *s, db_fn fn, void *arg)
{
	return transact((struct pg_db *)db, s, fn, arg, true);
}

static enum err pg_write_low(struct db *db, struct scope *s, db_fn fn, void *arg)
{
	struct pg_db *d = (struct pg_db *)db;
	pthread_mutex_lock(&d->low);
	enum err e = transact(d, s, fn, arg, true);
	pthread_mutex_unlock(&d->low);
	return e;
}

static enum err pg_read(struct db *db, struct scope *s, db_fn fn, void *arg)
{
	return transact((struct pg_db *)db, s, fn, arg, false);
}

static size_t pg_queue(struct db *db)
{
	struct pg_db *d = (struct pg_db *)db;
	pthread_mutex_lock(&d->pool_lock);
	size_t n = (size_t)d->waiting;
	pthread_mutex_unlock(&d->pool_lock);
	return n;
}

static enum err pg_scan(struct db *db, struct db_needle *needles, size_t n)
{
	return ERR_NOT_IMPLEMENTED; /* the server's files are not ours to read */
}

/* ---- life ---- */

static void pg_close(struct db *db)
{
	struct pg_db *d = (struct pg_db *)db;
	for (struct pg_conn *c = d->idle, *next; c != NULL; c = next) {
		next = c->next;
		pg_conn_free(c);
	}
	pthread_mutex_destroy(&d->pool_lock);
	pthread_cond_destroy(&d->pool_changed);
	pthread_rwlock_destroy(&d->turn);
	pthread_mutex_destroy(&d->low);
	free(d->url);
	free(d->owner_url);
	free(d->data_dir);
	free(d);
}

static const struct db_ops postgres_ops = {
	.close = pg_close,
	.write = pg_write,
	.write_low = pg_write_low,
	.read = pg_read,
	.exec = pg_exec,
	.query = pg_query,
	.stream = pg_stream,
	.prepare_check = pg_prepare_check,
	.next = pg_next,
	.rows_free = pg_rows_free,
	.columns = pg_columns,
	.column_name = pg_column_name,
	.value = pg_value,
	.scrub = pg_scrub,
	.scan = pg_scan,
	.scan_tables = pg_scan_tables,
	.wal_position = pg_wal_position,
	.queue = pg_queue,
	.live_columns_sql =
		"SELECT c.relname, a.attname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
		" JOIN pg_attribute a ON a.attrelid = c.oid WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
		" AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname COLLATE \"C\", a.attname COLLATE \"C\"",
};

static void turn_init(struct pg_db *d)
{
	pthread_rwlockattr_t attr;
	pthread_rwlockattr_init(&attr);
	/* glibc's default would let a stream of first attempts keep the last ones out for ever. */
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&d->turn, &attr);
	pthread_rwlockattr_destroy(&attr);
}

static struct pg_db *pg_db_new(const struct db_options *o)
{
	struct pg_db *d = calloc(1, sizeof *d);
	if (d == NULL)
		return NULL;
	d->base.ops = &postgres_ops;
	d->base.engine = DB_POSTGRES;
	d->size = o->readers > 0 ? o->readers : POOL_DEFAULT;
	pthread_mutex_init(&d->pool_lock, NULL);
	pthread_cond_init(&d->pool_changed, NULL);
	pthread_mutex_init(&d->low, NULL);
	turn_init(d);
	d->url = strdup(o->url);
	d->owner_url = o->owner_url == NULL ? NULL : strdup(o->owner_url);
	d->data_dir = o->data_dir == NULL || *o->data_dir == '\0' ? NULL : strdup(o->data_dir);
	return d;
}

/* Whether the schema is this binary's; migrates where the owner's connection was given. */
static enum err schema_ready(struct pg_db *d, struct pg_conn *c, const struct db_migration *list, char **detail)
{
	int64_t have;
	int last = db_migrations_last(list);
	TRY(pg_schema_version(c, &have, detail));
	if (have == last)
		return OK;
	if (have > last)
		return db_detail(
			detail, ERR_SCHEMA,
			"the database has schema %lld and this version of Reeve knows up to %d: run a newer one",
			(long long)have, last);
	if (d->owner_url != NULL)
		return pg_migrate(d->owner_url, list, detail);
	if (have < 0)
		return db_detail(detail, ERR_SCHEMA, "the database has no schema of Reeve: run reeve init");
	return db_detail(detail, ERR_SCHEMA,
			 "the database has schema %lld, this version needs %d, and only the owner role can migrate it",
			 (long long)have, last);
}

static void role_warn(struct pg_conn *c)
{
	int64_t bypasses = 0;
	enum err e =
		pg_query_int(c, "SELECT (rolsuper OR rolbypassrls)::int FROM pg_roles WHERE rolname = current_user",
			     &bypasses, NULL);
	if (e == OK && bypasses)
		log_event(LOG_WARN, "db.role",
			  "detail=\"this PostgreSQL role bypasses row security: use the one that init made\"");
}

enum err postgres_open(const struct db_options *o, const struct db_migration *list, struct db **ret, char **detail)
{
	struct pg_conn *c = NULL;
	struct pg_db *d = pg_db_new(o);
	if (d == NULL)
		return ERR_UNAVAILABLE;
	enum err e = pg_connect(d->url, &c, detail);
	if (e == OK)
		e = schema_ready(d, c, list, detail);
	if (e != OK) {
		db_detail(detail, e, "%s", err_text(e));
		pg_conn_free(c);
		pg_close(&d->base);
		return e;
	}
	role_warn(c);
	d->idle = c;
	d->open = 1;
	*ret = &d->base;
	return OK;
}
