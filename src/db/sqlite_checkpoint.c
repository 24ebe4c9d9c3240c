/* SPDX-License-Identifier: Apache-2.0
 *
 * Moving the WAL into the database file, in a thread of its own so that no commit waits for it, and scrubbing: pushing
 * deleted bytes out of both.
 *
 * Promises: the WAL is copied after every CHECKPOINT_FRAMES frames; past WAL_LARGE old readers are interrupted and the
 * file is cut back; after a scrub that returned OK neither the WAL nor a free part of a page holds what was deleted
 * before it.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "db/sqlite_internal.h"

enum { CHECKPOINT_FRAMES = 1000 };
static const int64_t wal_large = 64 * (int64_t)MIB;
static const int64_t old_reader_us = 5 * SECOND_US;
static const int64_t reader_patience_us = SECOND_US;
/* VACUUM keeps a whole copy of the database in its temporary store: in memory below this size, in a file without a name
 * above. */
static const int64_t vacuum_in_memory = 256 * (int64_t)MIB;

/* ---- the thread ---- */

/* Called by SQLite on the writer's thread after each commit. */
static int wal_grew(void *arg, sqlite3 *h, const char *name, int frames)
{
	struct sq_db *d = arg;
	int copied = atomic_load(&d->wal_copied);
	if (frames < copied) /* the WAL began anew */
		atomic_store(&d->wal_copied, copied = 0);
	if (frames - copied < CHECKPOINT_FRAMES)
		return SQLITE_OK;
	pthread_mutex_lock(&d->checkpoint_lock);
	d->checkpoint_wanted = true;
	pthread_cond_signal(&d->checkpoint_due);
	pthread_mutex_unlock(&d->checkpoint_lock);
	return SQLITE_OK;
}

static int64_t pragma_int(struct sq_conn *c, const char *sql)
{
	int64_t v = 0;
	sqlite3_stmt *st = NULL;
	if (sqlite3_prepare_v2(c->h, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
		v = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return v;
}

static enum err checkpoint(struct sq_conn *c, int mode, int *ret_frames, int *ret_copied)
{
	int rc = sqlite3_wal_checkpoint_v2(c->h, "main", mode, ret_frames, ret_copied);
	if (rc == SQLITE_OK)
		return OK;
	enum err e = sq_error(c);
	return (rc & 0xff) == SQLITE_BUSY ? ERR_BUSY : e;
}

static void checkpoint_once(struct sq_db *d)
{
	int frames = 0, copied = 0;
	struct sq_conn *c = &d->checkpointer;
	enum err e = checkpoint(c, SQLITE_CHECKPOINT_PASSIVE, &frames, &copied);
	if (e == OK && frames * pragma_int(c, "PRAGMA page_size") > wal_large) {
		sq_readers_interrupt(d, old_reader_us);
		e = checkpoint(c, SQLITE_CHECKPOINT_TRUNCATE, &frames, &copied);
	}
	if (c->fsync_failed)
		sq_end_process(d, "checkpoint");
	if (e != OK && e != ERR_BUSY)
		log_event(LOG_WARN, "db.checkpoint", "error=%s", err_name(e));
	/* Where nothing was copied the next thousand frames ask again, not the next commit. */
	atomic_store(&d->wal_copied, frames > 0 ? frames : 0);
}

static void *checkpoint_main(void *arg)
{
	struct sq_db *d = arg;
	pthread_mutex_lock(&d->checkpoint_lock);
	for (;;) {
		while (!d->checkpoint_wanted && !d->checkpoint_stop)
			pthread_cond_wait(&d->checkpoint_due, &d->checkpoint_lock);
		if (d->checkpoint_stop)
			break;
		d->checkpoint_wanted = false;
		pthread_mutex_unlock(&d->checkpoint_lock);
		pthread_mutex_lock(&d->checkpoint_turn);
		checkpoint_once(d);
		pthread_mutex_unlock(&d->checkpoint_turn);
		pthread_mutex_lock(&d->checkpoint_lock);
	}
	pthread_mutex_unlock(&d->checkpoint_lock);
	return NULL;
}

enum err sq_checkpoint_start(struct sq_db *d)
{
	sqlite3_wal_hook(d->writer.h, wal_grew, d);
	if (pthread_create(&d->checkpoint_thread, NULL, checkpoint_main, d) != 0)
		return ERR_UNAVAILABLE;
	d->checkpoint_runs = true;
	return OK;
}

void sq_checkpoint_stop(struct sq_db *d)
{
	if (!d->checkpoint_runs)
		return;
	pthread_mutex_lock(&d->checkpoint_lock);
	d->checkpoint_stop = true;
	pthread_cond_signal(&d->checkpoint_due);
	pthread_mutex_unlock(&d->checkpoint_lock);
	pthread_join(d->checkpoint_thread, NULL);
	d->checkpoint_runs = false;
}

/* ---- scrubbing ---- */

/* The bulk is copied while readers go on; the gate is shut only for the rest. */
static enum err truncate_wal(struct sq_db *d)
{
	int frames, copied;
	enum err e = checkpoint(&d->writer, SQLITE_CHECKPOINT_PASSIVE, &frames, &copied);
	if (e != OK && e != ERR_BUSY)
		return e;
	TRY(sq_readers_shut(d, reader_patience_us));
	e = checkpoint(&d->writer, SQLITE_CHECKPOINT_TRUNCATE, &frames, &copied);
	sq_readers_admit(d);
	atomic_store(&d->wal_copied, 0);
	return e;
}

enum err sq_wal_empty(struct sq_db *d)
{
	pthread_mutex_lock(&d->checkpoint_turn);
	enum err e = truncate_wal(d);
	pthread_mutex_unlock(&d->checkpoint_turn);
	if (d->writer.fsync_failed)
		sq_end_process(d, "checkpoint");
	return e;
}

static enum err vacuum(struct sq_db *d)
{
	struct sq_conn *w = &d->writer;
	bool large = pragma_int(w, "PRAGMA page_count") * pragma_int(w, "PRAGMA page_size") > vacuum_in_memory;
	if (large)
		TRY(sq_exec_text(w, "PRAGMA temp_store = FILE", NULL));
	enum err e = sq_exec_text(w, "VACUUM", NULL);
	if (large)
		TRY(sq_exec_text(w, "PRAGMA temp_store = MEMORY", NULL));
	return e;
}

/* secure_delete blanks what a DELETE frees, but pages that were split or joined keep stale copies in their gaps, and
 * the WAL keeps old pages: hence the VACUUM, and a truncation after it.  The one before it gives up early, when a
 * reader does not leave. */
static enum err scrub(struct sq_db *d, void *arg)
{
	TRY(sq_wal_empty(d));
	enum err e = vacuum(d);
	if (d->writer.fsync_failed)
		sq_end_process(d, "vacuum");
	return e == OK ? sq_wal_empty(d) : e;
}

enum err sq_scrub(struct db *db, const char *const *tables, size_t n)
{
	return sq_maintain((struct sq_db *)db, scrub, NULL);
}

/* ---- statistics ---- */

/* Without them SQLite takes the first index that begins with the tenant.  This build keeps counts only (no sqlite_stat4), so nothing of a
 * row is copied; the limit bounds the rows looked at per index. */
static enum err analyze(struct sq_db *d, void *arg)
{
	TRY(sq_exec_text(&d->writer, "PRAGMA analysis_limit = 1000", NULL));
	return sq_exec_text(&d->writer, "ANALYZE", NULL);
}

enum err sq_analyze(struct db *db)
{
	return sq_maintain((struct sq_db *)db, analyze, NULL);
}
