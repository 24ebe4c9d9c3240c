/* SPDX-License-Identifier: Apache-2.0
 *
 * One SQLite connection: how it is opened and what its errors mean to us.  Promises: every connection keeps foreign
 * keys, secure deletion and recursive triggers on, loads no extension, and takes no double-quoted word for a string;
 * details never hold a value.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "db/sqlite_internal.h"

enum { CHECKPOINT_BUSY_MS = 250 };

/* WAL and the sync level belong to whoever writes; synchronous=FULL makes a commit's answer true (I10).  No limit of the log's file: SQLite would
 * cut it within a commit, which takes long where it is large (sqlite_checkpoint.c does it in steps). */
static const char writer_pragmas[] = "PRAGMA synchronous = FULL;"
				     "PRAGMA wal_autocheckpoint = 0;"
				     "PRAGMA cache_size = -16000;";
static const char reader_pragmas[] = "PRAGMA query_only = ON; PRAGMA cache_size = -8000;";
static const char checkpointer_pragmas[] = "PRAGMA synchronous = FULL;";
static const char common_pragmas[] = "PRAGMA secure_delete = ON;"
				     "PRAGMA foreign_keys = ON;"
				     "PRAGMA recursive_triggers = ON;"
				     "PRAGMA temp_store = MEMORY;"
				     "PRAGMA trusted_schema = OFF;";

static void harden(sqlite3 *h)
{
	sqlite3_db_config(h, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, (int *)NULL);
	sqlite3_db_config(h, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
	sqlite3_db_config(h, SQLITE_DBCONFIG_DQS_DML, 0, (int *)NULL);
	sqlite3_db_config(h, SQLITE_DBCONFIG_DQS_DDL, 0, (int *)NULL);
}

enum err sq_exec_text(struct sq_conn *c, const char *sql, char **detail)
{
	if (sqlite3_exec(c->h, sql, NULL, NULL, NULL) == SQLITE_OK)
		return OK;
	return db_detail(detail, sq_error(c), "SQLite: %s", sqlite3_errmsg(c->h));
}

int64_t sq_pragma(struct sq_conn *c, const char *sql)
{
	int64_t v = 0;
	sqlite3_stmt *st = NULL;
	if (sqlite3_prepare_v2(c->h, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
		v = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return v;
}

/* A file system without shared memory keeps the old mode and says so only in the answer. */
static enum err use_wal(struct sq_conn *c, const char *path, char **detail)
{
	sqlite3_stmt *st = NULL;
	if (sqlite3_prepare_v2(c->h, "PRAGMA journal_mode = WAL", -1, &st, NULL) != SQLITE_OK ||
	    sqlite3_step(st) != SQLITE_ROW) {
		enum err e = db_detail(detail, sq_error(c), "%s: %s", path, sqlite3_errmsg(c->h));
		sqlite3_finalize(st);
		return e;
	}
	bool wal = strcmp((const char *)sqlite3_column_text(st, 0), "wal") == 0;
	sqlite3_finalize(st);
	return wal ? OK
		   : db_detail(detail, ERR_IO, "%s: this file system does not support SQLite's write-ahead log", path);
}

static enum err control_statements(struct sq_conn *c, enum sq_role role, char **detail)
{
	const struct {
		sqlite3_stmt **st;
		const char *sql;
	} control[] = {
		{&c->begin, role == SQ_WRITER ? "BEGIN IMMEDIATE" : "BEGIN"},
		{&c->commit, "COMMIT"},
		{&c->rollback, "ROLLBACK"},
		{&c->savepoint, "SAVEPOINT c"},
		{&c->release, "RELEASE c"},
		{&c->rollback_to, "ROLLBACK TO c"},
	};
	for (size_t i = 0; i < sizeof control / sizeof *control; i++)
		if (sqlite3_prepare_v3(c->h, control[i].sql, -1, SQLITE_PREPARE_PERSISTENT, control[i].st, NULL) !=
		    SQLITE_OK)
			return db_detail(detail, sq_error(c), "SQLite: %s", sqlite3_errmsg(c->h));
	return OK;
}

enum err sq_conn_open(struct sq_conn *c, const char *path, enum sq_role role, char **detail)
{
	int flags = (role == SQ_READER ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOMUTEX;
	if (sqlite3_open_v2(path, &c->h, flags, sq_vfs()) != SQLITE_OK)
		return db_detail(detail, c->h == NULL ? ERR_UNAVAILABLE : sq_error(c), "cannot open %s: %s", path,
				 c->h == NULL ? "no memory" : sqlite3_errmsg(c->h));
	sqlite3_extended_result_codes(c->h, 1);
	harden(c->h);
	sqlite3_busy_timeout(c->h, role == SQ_CHECKPOINTER ? CHECKPOINT_BUSY_MS : SQ_BUSY_MS);
	if (role == SQ_WRITER)
		TRY(use_wal(c, path, detail));
	TRY(sq_exec_text(c, common_pragmas, detail));
	const char *own = role == SQ_WRITER   ? writer_pragmas
			  : role == SQ_READER ? reader_pragmas
					      : checkpointer_pragmas;
	TRY(sq_exec_text(c, own, detail));
	return control_statements(c, role, detail);
}

void sq_conn_close(struct sq_conn *c)
{
	for (int i = 0; i < c->cache_n; i++)
		sqlite3_finalize(c->cache[i].st);
	free(c->cache);
	for (int i = 0; i < SQ_TEXTS; i++)
		sqlite3_finalize(c->texts[i].st);
	sqlite3_finalize(c->begin);
	sqlite3_finalize(c->commit);
	sqlite3_finalize(c->rollback);
	sqlite3_finalize(c->savepoint);
	sqlite3_finalize(c->release);
	sqlite3_finalize(c->rollback_to);
	if (c->h != NULL)
		check(sqlite3_close(c->h) == SQLITE_OK); /* anything still open is a leak of ours */
	*c = (struct sq_conn){0};
}

enum err sq_run(struct sq_conn *c, sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);
	enum err e = rc == SQLITE_DONE ? OK : sq_error(c);
	sqlite3_reset(st);
	return e;
}

/* ---- errors ---- */

static enum err constraint_error(int extended)
{
	switch (extended) {
	case SQLITE_CONSTRAINT_UNIQUE:
	case SQLITE_CONSTRAINT_PRIMARYKEY:
	case SQLITE_CONSTRAINT_ROWID:
		return ERR_EXISTS;
	case SQLITE_CONSTRAINT_FOREIGNKEY:
	case SQLITE_CONSTRAINT_TRIGGER: /* RAISE(ABORT, '…') */
		return ERR_CONFLICT;
	default: /* CHECK, NOT NULL, a type: the code above must not have let it through */
		return ERR_INTERNAL;
	}
}

/* A full disk shows itself as an I/O error where the shared memory file cannot grow. */
static enum err io_error(struct sq_conn *c, int extended)
{
	if (extended == SQLITE_IOERR_FSYNC || extended == SQLITE_IOERR_DIR_FSYNC)
		c->fsync_failed = true;
	else if (sqlite3_system_errno(c->h) == ENOSPC || sqlite3_system_errno(c->h) == EDQUOT)
		return ERR_STORAGE_FULL;
	return ERR_IO;
}

enum err sq_error(struct sq_conn *c)
{
	int extended = sqlite3_extended_errcode(c->h);
	switch (extended & 0xff) {
	case SQLITE_CONSTRAINT:
		return constraint_error(extended);
	case SQLITE_FULL:
		return ERR_STORAGE_FULL;
	case SQLITE_IOERR:
		return extended == SQLITE_IOERR_NOMEM ? ERR_UNAVAILABLE : io_error(c, extended);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_CANTOPEN:
		return ERR_IO;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_INTERRUPT:
	case SQLITE_NOMEM:
		return ERR_UNAVAILABLE;
	case SQLITE_TOOBIG:
		return ERR_TOO_LARGE;
	default:
		return ERR_INTERNAL;
	}
}

/* SQLite's messages name tables, columns and constraints, or repeat the text of a RAISE or of the statement; never a
 * bound value. */
enum err sq_fail(struct sq_conn *c, struct scope *s, const struct db_call *call)
{
	enum err e = sq_error(c);
	const char *why = sqlite3_errmsg(c->h);
	if (sqlite3_extended_errcode(c->h) == SQLITE_CONSTRAINT_TRIGGER)
		return scope_fail(s, e, "%s", why);
	if ((sqlite3_extended_errcode(c->h) & 0xff) == SQLITE_INTERRUPT)
		return scope_fail(s, e, "the reading took too long and was interrupted");
	return scope_fail(s, e, "%s: %s", call->stmt == NULL ? "(made text)" : call->stmt->name, why);
}
