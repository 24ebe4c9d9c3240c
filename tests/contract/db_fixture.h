/* SPDX-License-Identifier: Apache-2.0
 *
 * A fresh database for one test, on either engine: a file in a new directory, or a database of the private server that
 * with-postgres.sh started, opened by its application role.  Gone with fixture_close().
 *
 *     struct db_fixture f;
 *     if (!fixture_open(&f, DB_POSTGRES, NULL)) skip();
 *
 * Not for several processes at once; assertions belong to the test's own thread (closures run on others).
 */
#ifndef REEVE_TESTS_CONTRACT_DB_FIXTURE_H
#define REEVE_TESTS_CONTRACT_DB_FIXTURE_H

#include <libpq-fe.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "db/db_internal.h"

struct db_fixture {
	enum db_engine engine;
	struct db *db;
	char *app_url, *owner_url, *admin_url;
	char dir[64], file[96], name[32]; /* of SQLite, of SQLite, of PostgreSQL */
	struct arena *arena;
};

static inline void fixture_ok(enum err e, const char *detail)
{
	if (e != OK)
		fail_msg("%s: %s", err_name(e), detail == NULL ? err_text(e) : detail);
}

static inline void fixture_admin(const char *url, const char *sql)
{
	PGconn *c = PQconnectdb(url);
	PGresult *res = PQexec(c, sql);
	ExecStatusType status = PQresultStatus(res);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		print_message("# %s: %s\n", sql, PQerrorMessage(c));
	assert_true(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK);
	PQclear(res);
	PQfinish(c);
}

static inline void fixture_place(struct db_fixture *f)
{
	static int serial;
	if (f->engine == DB_SQLITE) {
		snprintf(f->dir, sizeof f->dir, "/tmp/reeve-test.XXXXXX");
		assert_non_null(mkdtemp(f->dir));
		snprintf(f->file, sizeof f->file, "%s/reeve.db", f->dir);
		assert_true(asprintf(&f->admin_url, "sqlite:%s", f->file) > 0);
		return;
	}
	char sql[128];
	snprintf(f->name, sizeof f->name, "t%d_%d", (int)getpid(), serial++);
	snprintf(sql, sizeof sql, "CREATE DATABASE %s", f->name);
	fixture_admin(getenv("REEVE_TEST_PG"), sql);
	assert_true(asprintf(&f->admin_url, "postgresql:///%s?host=%s&user=postgres", f->name,
			     getenv("REEVE_TEST_PG_HOST")) > 0);
}

static inline void fixture_reopen(struct db_fixture *f, const struct db_migration *list)
{
	char *why = NULL;
	db_close(f->db);
	fixture_ok(db_open_with(&(struct db_options){.url = f->app_url}, list, &f->db, &why), why);
}

/* list: NULL for the real schema.  False: there is no PostgreSQL server. */
static inline bool fixture_open(struct db_fixture *f, enum db_engine engine, const struct db_migration *list)
{
	char *why = NULL;
	*f = (struct db_fixture){.engine = engine};
	if (engine == DB_POSTGRES && getenv("REEVE_TEST_PG") == NULL)
		return false;
	fixture_place(f);
	list = list == NULL ? db_migrations : list;
	fixture_ok(db_init_with(f->admin_url, list, &f->app_url, &f->owner_url, &why), why);
	fixture_reopen(f, list);
	f->arena = arena_new(LIMIT_ARENA_BYTES);
	return true;
}

static inline void fixture_close(struct db_fixture *f)
{
	char command[256];
	if (f->admin_url == NULL)
		return;
	db_close(f->db);
	arena_free(f->arena);
	if (f->engine == DB_SQLITE) {
		snprintf(command, sizeof command, "rm -rf '%s'", f->dir);
		assert_int_equal(system(command), 0);
	} else {
		snprintf(command, sizeof command, "DROP DATABASE %s WITH (FORCE)", f->name);
		fixture_admin(getenv("REEVE_TEST_PG"), command);
		snprintf(command, sizeof command, "DROP ROLE %s_owner; DROP ROLE %s_app", f->name, f->name);
		fixture_admin(getenv("REEVE_TEST_PG"), command);
	}
	free(f->app_url);
	free(f->owner_url);
	free(f->admin_url);
	*f = (struct db_fixture){0};
}

#endif
