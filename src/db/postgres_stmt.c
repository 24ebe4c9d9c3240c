/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements and cursors on PostgreSQL.  Promises: a declared statement is parsed once per connection, and a made text
 * not again while it is among the last ones; values travel in binary with explicit types, so that no text is ever made
 * of them; results are binary too and read into the four types of db.h.
 */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/postgres_internal.h"

enum { VALUES_MAX = 128 };

struct pg_rows {
	struct db_rows base;
	PGresult *res;
	int row;
	bool streamed; /* res is some rows of the cursor */
};

#define STREAM "reeve_stream"

/* What libpq wants to have in arrays. */
struct params {
	int n;
	Oid types[VALUES_MAX]; /* 0: let the server find it (NULL says nothing about its type) */
	const char *values[VALUES_MAX];
	int lengths[VALUES_MAX], formats[VALUES_MAX];
	uint64_t ints[VALUES_MAX];
};

static struct pg_tx *pg_tx_of(struct db_tx *tx)
{
	return (struct pg_tx *)tx;
}

static const char *call_name(const struct db_call *c)
{
	return c->stmt == NULL ? "(made text)" : c->stmt->name;
}

/* ---- values out ---- */

static void param_add(struct params *p, const struct db_value *v)
{
	static const Oid oids[] = {[DB_NULL] = 0, [DB_INT] = PG_INT8, [DB_TEXT] = PG_TEXT, [DB_BLOB] = PG_BYTEA};
	int i = p->n++;
	p->types[i] = oids[v->type];
	p->formats[i] = 1;
	p->lengths[i] = v->type == DB_INT ? 8 : (int)v->n;
	p->ints[i] = htobe64((uint64_t)v->i);
	if (v->type == DB_NULL)
		p->values[i] = NULL;
	else if (v->type == DB_INT)
		p->values[i] = (const char *)&p->ints[i];
	else
		p->values[i] = v->p == NULL ? "" : v->p;
}

static enum err params_make(struct db_tx *tx, const struct db_call *c, struct params *p)
{
	p->n = 0;
	if (c->n + 1 > VALUES_MAX)
		return scope_fail(tx->scope, ERR_INTERNAL, "%s: more than %d values", call_name(c), VALUES_MAX - 1);
	if (c->tenant != NULL)
		param_add(p, c->tenant);
	for (size_t i = 0; i < c->n; i++) {
		if (c->args[i].n > INT32_MAX / 2)
			return scope_fail(tx->scope, ERR_TOO_LARGE, "%s: a value is too large", call_name(c));
		param_add(p, &c->args[i]);
	}
	return OK;
}

/* ---- running ---- */

static enum err failed(struct db_tx *tx, const struct db_call *c, const PGresult *res)
{
	struct pg_tx *t = pg_tx_of(tx);
	bool again;
	enum err e = pg_error(t->conn, res, &again);
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	if (state == NULL)
		state = "";
	t->again |= again;
	t->conn->stale |= again && strncmp(state, "40", 2) != 0;
	char *why = pg_message(t->conn, res);
	if (why != NULL && strncmp(state, "P0", 2) == 0)
		scope_fail(tx->scope, e, "%s", why);
	else
		scope_fail(tx->scope, e, "%s: %s", call_name(c), why == NULL ? err_text(e) : why);
	free(why);
	return e;
}

static bool good(const PGresult *res)
{
	return PQresultStatus(res) == PGRES_COMMAND_OK || PQresultStatus(res) == PGRES_TUPLES_OK;
}

static struct pg_prepared *slot_of(struct pg_conn *c, const struct db_stmt *s)
{
	if (s->index >= c->cache_n) {
		int n = db_stmt_count();
		struct pg_prepared *bigger = realloc(c->cache, (size_t)n * sizeof *bigger);
		if (bigger == NULL)
			return NULL;
		memset(bigger + c->cache_n, 0, (size_t)(n - c->cache_n) * sizeof *bigger);
		c->cache = bigger;
		c->cache_n = n;
	}
	return &c->cache[s->index];
}

/* Whether the values have the types that the statement was prepared with; a NULL has any. */
static bool types_fit(const struct pg_prepared *slot, const struct params *p)
{
	for (int i = 0; i < p->n && i < slot->n; i++)
		if (p->types[i] != 0 && p->types[i] != slot->types[i])
			return false;
	return slot->n == p->n;
}

/* Types that the server found for the NULLs are asked for, so that a later value of that type fits. */
static enum err types_learn(struct db_tx *tx, const struct db_call *c, const char *name, struct params *p)
{
	bool known = true;
	for (int i = 0; i < p->n; i++)
		known &= p->types[i] != 0;
	if (known)
		return OK;
	PGresult *res = PQdescribePrepared(pg_tx_of(tx)->conn->pg, name);
	enum err e = good(res) ? OK : failed(tx, c, res);
	for (int i = 0; e == OK && i < p->n && i < PQnparams(res); i++)
		p->types[i] = PQparamtype(res, i);
	PQclear(res);
	return e;
}

static enum err prepare_as(struct db_tx *tx, const struct db_call *c, const char *name, struct params *p)
{
	char *text = db_postgres_text(c->sql);
	if (text == NULL)
		return ERR_UNAVAILABLE;
	PGresult *res = PQprepare(pg_tx_of(tx)->conn->pg, name, text, p->n, p->types);
	free(text);
	enum err e = good(res) ? OK : failed(tx, c, res);
	PQclear(res);
	return e == OK ? types_learn(tx, c, name, p) : e;
}

static enum err drop_prepared(struct db_tx *tx, const struct db_call *c, const char *name, struct pg_prepared *slot)
{
	char sql[64];
	snprintf(sql, sizeof sql, "DEALLOCATE %s", name);
	free(slot->types);
	slot->types = NULL;
	PGresult *res = PQexec(pg_tx_of(tx)->conn->pg, sql);
	enum err e = good(res) ? OK : failed(tx, c, res);
	PQclear(res);
	return e;
}

/* Prepared under its name, with types that fit these values; types learnt before are kept where a value is NULL now. */
static enum err ensure_prepared(struct db_tx *tx, const struct db_call *c, const char *name, const struct params *p)
{
	struct pg_prepared *slot = slot_of(pg_tx_of(tx)->conn, c->stmt);
	if (slot == NULL)
		return ERR_UNAVAILABLE;
	if (slot->types != NULL && types_fit(slot, p))
		return OK;
	struct params with = {.n = p->n};
	for (int i = 0; i < p->n; i++)
		with.types[i] = p->types[i] == 0 && slot->types != NULL && i < slot->n ? slot->types[i] : p->types[i];
	if (slot->types != NULL)
		TRY(drop_prepared(tx, c, name, slot));
	TRY(prepare_as(tx, c, name, &with));
	slot->types = malloc((size_t)(with.n + 1) * sizeof *slot->types);
	if (slot->types == NULL)
		return ERR_UNAVAILABLE;
	memcpy(slot->types, with.types, (size_t)with.n * sizeof *slot->types);
	slot->n = with.n;
	return OK;
}

/* BEGIN, tenant and statement in one round trip (libpq's pipeline mode).  *ret: the first of the three that failed, or the statement's
 * result; NULL where the connection broke. */
static void begin_with(struct pg_tx *t, const char *name, const struct params *p, PGresult **ret)
{
	char begin[PG_BEGIN_TEXT], tenant[PG_BEGIN_TEXT];
	PGconn *pg = t->conn->pg;
	pg_begin_texts(&t->base, begin, tenant);
	bool sent = PQenterPipelineMode(pg) == 1 && PQsendQueryParams(pg, begin, 0, NULL, NULL, NULL, NULL, 1) == 1 &&
		    PQsendQueryParams(pg, tenant, 0, NULL, NULL, NULL, NULL, 1) == 1 &&
		    PQsendQueryPrepared(pg, name, p->n, p->values, p->lengths, p->formats, 1) == 1 && PQpipelineSync(pg) == 1;
	*ret = NULL;
	for (int i = 0; sent && i < 3; i++) {
		PGresult *res = PQgetResult(pg), *end = res != NULL ? PQgetResult(pg) : NULL;
		PQclear(end); /* NULL: the end of this one's results */
		t->begun |= i == 0 && good(res);
		if (*ret == NULL || good(*ret)) {
			PQclear(*ret);
			*ret = res;
		} else {
			PQclear(res);
		}
	}
	PQclear(sent ? PQgetResult(pg) : NULL); /* the sync */
	PQexitPipelineMode(pg);
}

static void exec_prepared(struct db_tx *tx, const char *name, const struct params *p, PGresult **ret)
{
	struct pg_tx *t = pg_tx_of(tx);
	if (t->begun)
		*ret = PQexecPrepared(t->conn->pg, name, p->n, p->values, p->lengths, p->formats, 1);
	else
		begin_with(t, name, p, ret);
}

static enum err run_declared(struct db_tx *tx, const struct db_call *c, const struct params *p, PGresult **ret)
{
	char name[16];
	snprintf(name, sizeof name, "s%d", c->stmt->index);
	TRY(ensure_prepared(tx, c, name, p));
	exec_prepared(tx, name, p, ret);
	return OK;
}

static bool is_text(const struct pg_text *t, uint64_t hash, const char *sql, const struct params *p)
{
	return t->sql != NULL && t->hash == hash && t->n == p->n && memcmp(t->types, p->types, (size_t)p->n * sizeof *p->types) == 0 &&
	       strcmp(t->sql, sql) == 0;
}

/* The slot of a made text with values of these types, else the one that was not asked for the longest time, emptied. */
static enum err text_slot(struct db_tx *tx, const struct db_call *c, const struct params *p, struct pg_text **ret)
{
	struct pg_conn *conn = pg_tx_of(tx)->conn;
	struct pg_text *oldest = conn->texts;
	uint64_t hash = db_text_hash(c->sql);
	char name[24];
	conn->text_calls++;
	for (struct pg_text *t = conn->texts; t < conn->texts + PG_TEXTS; t++) {
		if (is_text(t, hash, c->sql, p)) {
			*ret = t;
			return OK;
		}
		if (t->used < oldest->used)
			oldest = t;
	}
	*ret = oldest;
	snprintf(name, sizeof name, "t%d", (int)(oldest - conn->texts));
	struct pg_prepared gone = {.types = oldest->types};
	free(oldest->sql);
	*oldest = (struct pg_text){.hash = hash};
	enum err e = gone.types == NULL ? OK : drop_prepared(tx, c, name, &gone);
	conn->stale |= e != OK; /* the name may still be taken */
	return e;
}

static enum err text_prepare(struct db_tx *tx, const struct db_call *c, const char *name, const struct params *p, struct pg_text *t)
{
	char *text = db_postgres_text(c->sql);
	if (text == NULL)
		return ERR_UNAVAILABLE;
	PGresult *res = PQprepare(pg_tx_of(tx)->conn->pg, name, text, p->n, p->types);
	free(text);
	enum err e = good(res) ? OK : failed(tx, c, res);
	PQclear(res);
	if (e != OK)
		return e;
	t->sql = strdup(c->sql);
	t->types = malloc((size_t)(p->n + 1) * sizeof *t->types);
	check(t->sql != NULL && t->types != NULL);
	memcpy(t->types, p->types, (size_t)p->n * sizeof *t->types);
	t->n = p->n;
	return OK;
}

static enum err run_text(struct db_tx *tx, const struct db_call *c, const struct params *p, PGresult **ret)
{
	struct pg_conn *conn = pg_tx_of(tx)->conn;
	struct pg_text *t;
	char name[24];
	TRY(text_slot(tx, c, p, &t));
	snprintf(name, sizeof name, "t%d", (int)(t - conn->texts));
	if (t->sql == NULL)
		TRY(text_prepare(tx, c, name, p, t));
	t->used = conn->text_calls;
	exec_prepared(tx, name, p, ret);
	return OK;
}

/* Rows that the statement changed; a SELECT counts what it returns, which is no change. */
static int64_t changes_of(PGresult *res)
{
	return strncmp(PQcmdStatus(res), "SELECT", 6) == 0 ? 0 : strtoll(PQcmdTuples(res), NULL, 10);
}

static enum err run_once(struct db_tx *tx, const struct db_call *c, const struct params *p, PGresult **ret)
{
	enum err e = c->stmt == NULL ? run_text(tx, c, p, ret) : run_declared(tx, c, p, ret);
	if (e == OK && !good(*ret)) {
		e = failed(tx, c, *ret);
		PQclear(*ret);
		*ret = NULL;
	}
	return e;
}

static enum err run(struct db_tx *tx, const struct db_call *c, PGresult **ret, int64_t *ret_changes)
{
	struct params p;
	PGresult *res = NULL;
	char *detail = tx->scope->detail;
	TRY(params_make(tx, c, &p));
	enum err e = run_once(tx, c, &p, &res);
	if (e != OK && !pg_tx_of(tx)->begun && !pg_alive(pg_tx_of(tx)->conn) && pg_replace(pg_tx_of(tx)) == OK) {
		tx->scope->detail = detail; /* it died while it was idle */
		e = run_once(tx, c, &p, &res);
	}
	TRY(e);
	*ret_changes = changes_of(res);
	pg_tx_of(tx)->changed |= *ret_changes > 0;
	*ret = res;
	return OK;
}

enum err pg_exec(struct db_tx *tx, const struct db_call *c, int64_t *ret_changes)
{
	PGresult *res;
	TRY(run(tx, c, &res, ret_changes));
	PQclear(res);
	return OK;
}

enum err pg_query(struct db_tx *tx, const struct db_call *c, struct db_rows **ret)
{
	int64_t changes;
	struct pg_rows *r = calloc(1, sizeof *r);
	enum err e = r == NULL ? ERR_UNAVAILABLE : run(tx, c, &r->res, &changes);
	if (e != OK) {
		free(r);
		return e;
	}
	r->base.tx = tx;
	r->row = -1;
	*ret = &r->base;
	return OK;
}

/* ---- streams ---- */

static enum err fetch(struct pg_rows *r)
{
	static const struct db_call call = {.sql = "FETCH"};
	PQclear(r->res);
	r->row = -1;
	r->res = PQexecParams(pg_tx_of(r->base.tx)->conn->pg, "FETCH 50 FROM " STREAM, 0, NULL, NULL, NULL, NULL, 1);
	return good(r->res) ? OK : failed(r->base.tx, &call, r->res);
}

enum err pg_stream(struct db_tx *tx, const struct db_call *c, struct db_rows **ret)
{
	int64_t changes;
	struct db_call declare = *c;
	char *sql = NULL;
	struct pg_rows *r = calloc(1, sizeof *r);
	if (r == NULL || asprintf(&sql, "DECLARE " STREAM " NO SCROLL CURSOR FOR %s", c->sql) < 0) {
		free(r);
		return ERR_UNAVAILABLE;
	}
	declare.sql = sql;
	r->base.tx = tx;
	r->streamed = true;
	enum err e = pg_exec(tx, &declare, &changes);
	free(sql);
	if (e == OK)
		e = fetch(r);
	if (e != OK) {
		PQclear(r->res);
		free(r);
		return e;
	}
	*ret = &r->base;
	return OK;
}

static enum err begin_alone(struct pg_tx *t)
{
	char begin[PG_BEGIN_TEXT], tenant[PG_BEGIN_TEXT];
	pg_begin_texts(&t->base, begin, tenant);
	TRY(pg_exec_text(t->conn, begin, NULL));
	t->begun = true;
	return pg_exec_text(t->conn, tenant, NULL);
}

/* In a savepoint, so that a caller can look at many statements in one transaction. */
enum err pg_prepare_check(struct db_tx *tx, const struct db_call *c)
{
	struct pg_conn *conn = pg_tx_of(tx)->conn;
	struct params p = {.n = c->tenant == NULL ? 0 : 1, .types = {PG_BYTEA}};
	char *text = db_postgres_text(c->sql);
	if (text == NULL)
		return ERR_UNAVAILABLE;
	enum err e = pg_tx_of(tx)->begun ? OK : begin_alone(pg_tx_of(tx));
	if (e == OK)
		e = pg_exec_text(conn, "SAVEPOINT prepare_check", NULL);
	if (e == OK) {
		PGresult *res = PQprepare(conn->pg, "", text, p.n, p.types);
		e = good(res) ? OK : failed(tx, c, res);
		PQclear(res);
		enum err back = pg_exec_text(conn, "ROLLBACK TO prepare_check", NULL);
		e = e == OK ? back : e;
	}
	free(text);
	return e;
}

/* ---- values in ---- */

bool pg_next(struct db_rows *r)
{
	struct pg_rows *rows = (struct pg_rows *)r;
	if (rows->streamed && rows->row + 1 >= PQntuples(rows->res) && PQntuples(rows->res) > 0)
		r->e = fetch(rows);
	if (r->e != OK || rows->row + 1 >= PQntuples(rows->res))
		return false;
	rows->row++;
	return true;
}

void pg_rows_free(struct db_rows *r)
{
	struct pg_rows *rows = (struct pg_rows *)r;
	PQclear(rows->res);
	if (rows->streamed && r->tx->doom == OK) /* what fails here fails the transaction's next statement */
		PQclear(PQexec(pg_tx_of(r->tx)->conn->pg, "CLOSE " STREAM));
	free(r);
}

int pg_columns(const struct db_rows *r)
{
	return PQnfields(((const struct pg_rows *)r)->res);
}

const char *pg_column_name(const struct db_rows *r, int col)
{
	return PQfname(((const struct pg_rows *)r)->res, col);
}

static uint64_t big_endian(const char *p, int n)
{
	uint64_t v = 0;
	for (int i = 0; i < n; i++)
		v = v << 8 | (unsigned char)p[i];
	return v;
}

/* sum() of a bigint is a numeric: count of digits to base 10,000, weight of the first, sign, scale, digits.  Its whole
 * part. */
static int64_t numeric_int(const char *p)
{
	int n = (int)big_endian(p, 2), weight = (int16_t)big_endian(p + 2, 2);
	int64_t v = 0;
	for (int i = 0; i <= weight; i++) {
		int64_t digit = i < n ? (int64_t)big_endian(p + 8 + 2 * i, 2) : 0;
		check(!__builtin_mul_overflow(v, 10000, &v) && !__builtin_add_overflow(v, digit, &v));
	}
	return big_endian(p + 4, 2) == 0x4000 ? -v : v;
}

struct db_value pg_value(const struct db_rows *r, int col)
{
	const struct pg_rows *rows = (const struct pg_rows *)r;
	if (PQgetisnull(rows->res, rows->row, col))
		return db_v_null();
	const char *p = PQgetvalue(rows->res, rows->row, col); /* libpq adds a NUL to each */
	size_t n = (size_t)PQgetlength(rows->res, rows->row, col);
	switch (PQftype(rows->res, col)) {
	case PG_INT8:
		return db_v_int((int64_t)big_endian(p, 8));
	case PG_INT4:
		return db_v_int((int32_t)big_endian(p, 4));
	case PG_INT2:
		return db_v_int((int16_t)big_endian(p, 2));
	case PG_BOOL:
		return db_v_int(*p != 0);
	case PG_NUMERIC:
		return db_v_int(numeric_int(p));
	case PG_TEXT:
	case PG_NAME:
	case PG_VARCHAR:
	case PG_BPCHAR:
	case PG_UNKNOWN:
		return db_v_textn(p, n);
	default: /* bytea, and what we never ask for */
		return db_v_blob(p, n);
	}
}
