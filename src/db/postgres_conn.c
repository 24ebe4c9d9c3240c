/* SPDX-License-Identifier: Apache-2.0
 *
 * One PostgreSQL connection, and what the server's errors mean to us.  Promises: UTF-8, commits that are on disk, names
 * that resolve in the public schema only; details name tables, columns and constraints and never hold a value of a row.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/postgres_internal.h"

/* A weaker synchronous_commit would make an answer a lie (I10); a stronger one is the operator's choice.
 * Nothing waits or runs without end: an old snapshot keeps deleted rows alive. */
static const char session[] =
	"SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'"
	" ELSE current_setting('synchronous_commit') END, false), set_config('search_path', 'public', false),"
	" set_config('lock_timeout', '10s', false), set_config('statement_timeout', '60s', false), "
	"set_config('idle_in_transaction_session_timeout', '60s', false)";

static void no_notice(void *arg, const PGresult *res)
{
}

enum err pg_connect(const char *url, struct pg_conn **ret, char **detail)
{
	/* What stands after dbname overrides the URL, what stands before it is a default. */
	static const char *const keys[] = {"fallback_application_name", "connect_timeout", "dbname", "client_encoding",
					   NULL};
	const char *const values[] = {"reeve", "10", url, "UTF8", NULL};
	struct pg_conn *c = calloc(1, sizeof *c);
	if (c == NULL)
		return ERR_UNAVAILABLE;
	c->pg = PQconnectdbParams(keys, values, 1);
	if (c->pg == NULL || PQstatus(c->pg) != CONNECTION_OK) {
		db_detail(detail, ERR_UNAVAILABLE, "PostgreSQL: %s",
			  c->pg == NULL ? "no memory" : PQerrorMessage(c->pg));
		pg_conn_free(c);
		return ERR_UNAVAILABLE;
	}
	PQsetNoticeReceiver(c->pg, no_notice, NULL);
	enum err e = pg_exec_text(c, session, detail);
	if (e != OK) {
		pg_conn_free(c);
		return e;
	}
	*ret = c;
	return OK;
}

void pg_conn_free(struct pg_conn *c)
{
	if (c == NULL)
		return;
	for (int i = 0; i < c->cache_n; i++)
		free(c->cache[i].types);
	free(c->cache);
	for (int i = 0; i < PG_TEXTS; i++) {
		free(c->texts[i].sql);
		free(c->texts[i].types);
	}
	PQfinish(c->pg);
	free(c);
}

bool pg_alive(const struct pg_conn *c)
{
	return PQstatus(c->pg) == CONNECTION_OK;
}

static bool succeeded(const PGresult *res)
{
	ExecStatusType status = PQresultStatus(res);
	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;
}

static enum err result_check(struct pg_conn *c, PGresult *res, char **detail)
{
	if (succeeded(res))
		return OK;
	bool again;
	enum err e = pg_error(c, res, &again);
	char *why = pg_message(c, res);
	db_detail(detail, e, "PostgreSQL: %s", why == NULL ? err_text(e) : why);
	free(why);
	return e;
}

enum err pg_exec_text(struct pg_conn *c, const char *sql, char **detail)
{
	PGresult *res = PQexec(c->pg, sql);
	enum err e = result_check(c, res, detail);
	PQclear(res);
	return e;
}

enum err pg_query_int(struct pg_conn *c, const char *sql, int64_t *ret, char **detail)
{
	PGresult *res = PQexec(c->pg, sql);
	enum err e = result_check(c, res, detail);
	if (e == OK)
		*ret = PQntuples(res) > 0 && !PQgetisnull(res, 0, 0) ? strtoll(PQgetvalue(res, 0, 0), NULL, 10) : 0;
	PQclear(res);
	return e;
}

/* ---- errors ---- */

static const struct {
	const char *state; /* SQLSTATE or the start of one; the first that fits counts */
	enum err e;
	bool again;
} states[] = {
	{"23505", ERR_EXISTS, false},       /* unique_violation */
	{"23503", ERR_CONFLICT, false},     /* foreign_key_violation */
	{"P0001", ERR_CONFLICT, false},     /* RAISE EXCEPTION of ours */
	{"22021", ERR_BAD_REQUEST, false},  /* text that is not UTF-8 */
	{"40001", ERR_UNAVAILABLE, true},   /* serialization_failure */
	{"40P01", ERR_UNAVAILABLE, true},   /* deadlock_detected */
	{"0A000", ERR_INTERNAL, true},      /* a cached plan whose table has changed */
	{"26000", ERR_UNAVAILABLE, true},   /* a prepared statement that a pooler lost */
	{"53100", ERR_STORAGE_FULL, false}, /* disk_full */
	{"58030", ERR_IO, false},           /* io_error */
	{"55P03", ERR_BUSY, false},         /* lock_not_available */
	{"53", ERR_UNAVAILABLE, false},     /* resources */
	{"57", ERR_UNAVAILABLE, false},     /* cancelled, shut down */
	{"08P01", ERR_INTERNAL, false},     /* a wrong number of values */
	{"08", ERR_UNAVAILABLE, false},     /* connection */
	{"XX", ERR_IO, false},              /* corrupted data or index */
};

static const char *field(const PGresult *res, int code)
{
	const char *s = res == NULL ? NULL : PQresultErrorField(res, code);
	return s == NULL ? "" : s;
}

enum err pg_error(const struct pg_conn *c, const PGresult *res, bool *ret_again)
{
	*ret_again = false;
	const char *state = field(res, PG_DIAG_SQLSTATE);
	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		if (strncmp(state, states[i].state, strlen(states[i].state)) != 0)
			continue;
		*ret_again = states[i].again;
		return states[i].e;
	}
	return *state == '\0' ? ERR_UNAVAILABLE : ERR_INTERNAL; /* no state: the connection broke */
}

char *pg_message(const struct pg_conn *c, const PGresult *res)
{
	char *s = NULL;
	int n;
	const char *state = field(res, PG_DIAG_SQLSTATE);
	if (*state == '\0')
		n = asprintf(&s, "the connection broke");
	else if (strncmp(state, "23", 2) == 0)
		n = asprintf(&s, "constraint %s of table %s (column %s)", field(res, PG_DIAG_CONSTRAINT_NAME),
			     field(res, PG_DIAG_TABLE_NAME), field(res, PG_DIAG_COLUMN_NAME));
	else if (strncmp(state, "22", 2) == 0) /* these messages repeat the value */
		n = asprintf(&s, "a value has the wrong form (SQLSTATE %s)", state);
	else
		n = asprintf(&s, "%s", field(res, PG_DIAG_MESSAGE_PRIMARY));
	return n < 0 ? NULL : s;
}
