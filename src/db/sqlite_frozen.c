/* SPDX-License-Identifier: Apache-2.0
 *
 * A file that stands still while writers go on: what the scan, the scrub and a backup read.
 *
 * A reader that begins when the WAL is empty reads the file and no frame (read mark 0, https://www.sqlite.org/walformat.html), and while it
 * reads no checkpoint may write into the file.  So: the WAL is emptied, such a reader begins before the next commit, and until it ends all that
 * is committed stands in the WAL.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "db/sqlite_internal.h"

/* One that begins after a commit reads frames, and holds nothing. */
static bool wal_is_empty(struct sq_db *d)
{
	char *path = NULL;
	struct stat st;
	if (asprintf(&path, "%s-wal", d->path) < 0)
		return false;
	bool empty = stat(path, &st) != 0 || st.st_size == 0;
	free(path);
	return empty;
}

/* On the writer's thread. */
static enum err hold(struct sq_db *d)
{
	struct sq_conn *c = &d->still;
	TRY(sq_run(c, c->begin));
	enum err e = sq_exec_text(c, "SELECT 1 FROM sqlite_schema LIMIT 1", NULL);
	if (e == OK && !wal_is_empty(d)) /* another process wrote */
		e = ERR_BUSY;
	if (e != OK)
		sq_thaw(d);
	return e;
}

enum err sq_freeze(struct sq_db *d)
{
	if (d->still.h == NULL) {
		enum err e = sq_conn_open(&d->still, d->path, SQ_READER, NULL);
		if (e != OK) {
			sq_conn_close(&d->still);
			return e;
		}
	}
	return sq_wal_empty(d, hold);
}

void sq_thaw(struct sq_db *d)
{
	enum err ignored = sq_run(&d->still, d->still.rollback);
	(void)ignored; /* nothing was written */
}

enum err db_frozen(struct db *db, db_frozen_fn fn, void *arg)
{
	struct sq_db *d = (struct sq_db *)db;
	if (db->engine != DB_SQLITE)
		return ERR_NOT_IMPLEMENTED;
	TRY(sq_turn_take(d));
	enum err e = sq_freeze(d);
	if (e == OK) {
		int64_t size = sq_pragma(&d->still, "PRAGMA page_size"), pages = sq_pragma(&d->still, "PRAGMA page_count");
		e = size > 0 && pages > 0 ? fn(arg, d->scan_fd, (uint64_t)(size * pages), (size_t)size) : ERR_IO;
		sq_thaw(d);
	}
	sq_turn_give(d);
	return e;
}

bool db_file_is(const struct db *db, const struct stat *st)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
	const struct sq_db *d = (const struct sq_db *)db;
	bool is = false;
	for (size_t i = 0; db->engine == DB_SQLITE && i < sizeof suffixes / sizeof *suffixes && !is; i++) {
		char *path = NULL;
		struct stat own;
		if (asprintf(&path, "%s%s", d->path, suffixes[i]) < 0)
			return true;
		is = stat(path, &own) == 0 && own.st_dev == st->st_dev && own.st_ino == st->st_ino;
		free(path);
	}
	return is;
}
