/* SPDX-License-Identifier: Apache-2.0
 *
 * Pushing deleted bytes out of PostgreSQL: tables are rewritten (VACUUM leaves what it frees where it is), their statistics too, which hold
 * common values, and the write-ahead log is moved on.
 *
 * Whoever waits for the lock of a table makes everybody wait who comes after: so it is asked for LOCK_WAIT_MS at a time, and the pauses between
 * are longer than the waits.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "db/postgres_internal.h"

enum { LOCK_WAIT_MS = 40, LOCK_TRIES = 20, SEGMENTS_MOST = 128 };

/* ---- tables ---- */

static void pause_before(int try)
{
	uint16_t r;
	random_bytes(&r, sizeof r);
	long us = 20000 + (try < 8 ? try : 8) * 10000 + r % 20000;
	nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

/* VACUUM runs in no function, so the owner's own connection does it. */
static enum err run_on(struct pg_conn *c, const char *what, const char *schema, const char *table)
{
	char *sql = NULL, *name = PQescapeIdentifier(c->pg, table, strlen(table));
	if (name == NULL || asprintf(&sql, "%s %s.%s", what, schema, name) < 0)
		sql = NULL;
	enum err e = sql == NULL ? ERR_UNAVAILABLE : pg_exec_text(c, sql, NULL);
	for (int i = 0; e == ERR_BUSY && i < LOCK_TRIES; i++) {
		pause_before(i);
		e = pg_exec_text(c, sql, NULL);
	}
	free(sql);
	PQfreemem(name);
	return e;
}

/* Of a table, and of each of its partitions, that has statistics.  None are made: of a partitioned table nobody else would ever renew them, and
 * so they would keep values of partitions that are long dropped. */
static void analyse(struct pg_conn *c, const char *table)
{
	static const char sql[] = "SELECT DISTINCT s.tablename FROM pg_stats s WHERE s.schemaname = 'public' AND (s.tablename = $1 OR s.tablename IN "
				  "(SELECT p.relname FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhrelid JOIN pg_class t ON t.oid = i.inhparent "
				  "WHERE t.relname = $1 AND t.relnamespace = 'public'::regnamespace))";
	enum err ignored = OK;
	PGresult *res = PQexecParams(c->pg, sql, 1, NULL, &table, NULL, NULL, 0);
	if (PQresultStatus(res) == PGRES_TUPLES_OK)
		for (int i = 0; i < PQntuples(res); i++)
			ignored = run_on(c, "ANALYZE", "public", PQgetvalue(res, i, 0));
	PQclear(res);
	(void)ignored;
}

/* The old ones stay in their own table until that is rewritten, which needs the database's owner. */
static void renew_statistics(struct pg_conn *c, const char *const *tables, size_t n)
{
	for (size_t i = 0; i < n; i++)
		analyse(c, tables[i]);
	enum err ignored = run_on(c, "VACUUM (FULL)", "pg_catalog", "pg_statistic");
	(void)ignored;
}

/* ---- the log ---- */

/* Moving to another segment fills the rest of this one with zeros, and a checkpoint lets old ones be used again: after as many as there are,
 * each was written anew.  A message makes sure that there is something to move on from. */
static void move_log(struct pg_db *d, struct pg_conn *c)
{
	int n = atomic_exchange(&d->wal_dirty, false) ? pg_wal_segments(d) + 1 : 1;
	for (int i = 0; i < n && i < SEGMENTS_MOST; i++) {
		enum err ignored = pg_exec_text(c, "SELECT pg_logical_emit_message(false, 'reeve', ''), pg_switch_wal()", NULL);
		if (ignored == OK)
			ignored = pg_exec_text(c, "CHECKPOINT", NULL);
		(void)ignored; /* init grants them where its role could */
	}
}

enum err pg_scrub(struct db *db, const char *const *tables, size_t n)
{
	struct pg_db *d = (struct pg_db *)db;
	char settings[96];
	if (d->owner_url == NULL)
		return ERR_NOT_IMPLEMENTED;
	struct pg_conn *c = NULL;
	TRY(pg_connect(d->owner_url, &c, NULL));
	snprintf(settings, sizeof settings, "SET lock_timeout = '%dms'; SET statement_timeout = 0", LOCK_WAIT_MS);
	enum err e = pg_exec_text(c, settings, NULL);
	for (size_t i = 0; i < n && e == OK; i++)
		e = run_on(c, "VACUUM (FULL)", "public", tables[i]);
	if (e == OK) {
		renew_statistics(c, tables, n);
		move_log(d, c);
	}
	pg_conn_free(c);
	return e;
}

/* ---- where it stands ---- */

static const char *dup_or_null(struct arena *a, const PGresult *res, int row, int col)
{
	return PQgetisnull(res, row, col) ? NULL : arena_strdup(a, PQgetvalue(res, row, col));
}

static void read_standbys(struct arena *a, const PGresult *res, struct db_wal *ret)
{
	ret->position = dup_or_null(a, res, 0, 0);
	ret->standbys = arena_alloc(a, (size_t)(PQntuples(res) + 1) * sizeof *ret->standbys);
	for (int i = 0; i < PQntuples(res); i++) {
		const char *name = dup_or_null(a, res, i, 1);
		if (name != NULL)
			ret->standbys[ret->standby_n++] = (struct db_standby){
				.name = name, .replayed = dup_or_null(a, res, i, 2), .behind = strcmp(PQgetvalue(res, i, 3), "f") != 0};
	}
}

enum err pg_wal_position(struct db *db, struct arena *a, struct db_wal *ret)
{
	/* Of others' connections a role without pg_monitor sees only that they are there. */
	static const char sql[] = "SELECT w.at, coalesce(nullif(r.application_name, ''), 'standby ' || r.pid), r.replay_lsn, r.replay_lsn < w.at "
				  "FROM (SELECT pg_current_wal_lsn() AS at) w LEFT JOIN pg_stat_replication r ON true ORDER BY 2";
	struct pg_db *d = (struct pg_db *)db;
	struct pg_conn *c = NULL;
	TRY(pg_connect(d->owner_url != NULL ? d->owner_url : d->url, &c, NULL));
	PGresult *res = PQexec(c->pg, sql);
	bool again;
	enum err e = PQresultStatus(res) == PGRES_TUPLES_OK && PQntuples(res) > 0 ? OK : pg_error(c, res, &again);
	if (e == OK)
		read_standbys(a, res, ret);
	PQclear(res);
	pg_conn_free(c);
	return e;
}
