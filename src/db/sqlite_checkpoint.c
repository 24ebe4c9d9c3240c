/* SPDX-License-Identifier: Apache-2.0
 *
 * Moving the WAL into the database file, in a thread of its own so that no commit waits for it, and emptying it: what was deleted stands in
 * older frames.
 *
 * Promises: the WAL is copied after every CHECKPOINT_FRAMES frames; past WAL_LARGE old readers are interrupted and the
 * file is cut back; after sq_wal_empty() returned OK there is no WAL, and nothing of what was deleted before comes back into it.  Writers wait
 * only for its last step: FRAMES_LEFT frames or little more.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "db/sqlite_internal.h"

enum {
	CHECKPOINT_FRAMES = 1000,
	PASSES = 16,
	FRAMES_LEFT = 64,   /* what is worth no further pass */
	FRAMES_CUT = 2048,  /* more than this is not copied while writers wait */
	CUT_BUSY_MS = 50,
	CHECKPOINT_BUSY_US = 250 * 1000,
	FRAMES_LARGE = 2500,
	TRIM = 8 << 20,
	WAL_HEADER = 32,
	WAL_FRAME_HEADER = 24,
	INDEX_PAGE = 32768
};
static const int64_t wal_large = 64 * (int64_t)MIB;
static const int64_t old_reader_us = 5 * SECOND_US;
static const int64_t reader_patience_us = SECOND_US;
static const int64_t turn_patience_us = 2 * SECOND_US;

/* ---- copying ---- */

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

static enum err checkpoint(struct sq_conn *c, int mode, int *ret_frames, int *ret_copied)
{
	int rc = sqlite3_wal_checkpoint_v2(c->h, "main", mode, ret_frames, ret_copied);
	if (rc == SQLITE_OK)
		return OK;
	enum err e = sq_error(c);
	return (rc & 0xff) == SQLITE_BUSY ? ERR_BUSY : e;
}

/* As much as readers allow, while the writer goes on.  *ret_left: frames that are not in the file yet. */
static enum err copy_beside(struct sq_db *d, int *ret_frames, int *ret_left)
{
	int left = INT_MAX;
	for (int i = 0; i < PASSES && left > FRAMES_LEFT; i++) {
		int before = left, frames = 0, copied = 0;
		enum err e = checkpoint(&d->checkpointer, SQLITE_CHECKPOINT_PASSIVE, &frames, &copied);
		if (e != OK && e != ERR_BUSY)
			return e;
		*ret_frames = frames;
		left = frames - copied;
		if (left >= before)
			break;
	}
	*ret_left = left;
	return OK;
}

/* ---- cutting it to nothing ---- */

enum err sq_turn_take(struct sq_db *d)
{
	int64_t until = clock_monotonic() + turn_patience_us;
	struct timespec ts = {.tv_sec = until / SECOND_US, .tv_nsec = until % SECOND_US * 1000};
	return pthread_mutex_clocklock(&d->checkpoint_turn, CLOCK_MONOTONIC, &ts) == 0 ? OK : ERR_BUSY;
}

void sq_turn_give(struct sq_db *d)
{
	pthread_mutex_unlock(&d->checkpoint_turn);
}

/* On the writer's thread, no reader inside: what came in since, and the cut.  The pages that the writer has in memory still have what was dead
 * on them, and would bring it back into the WAL: they go. */
static enum err cut(struct sq_db *d, void *arg)
{
	int frames, copied;
	enum err (*const *last)(struct sq_db *d) = arg;
	sqlite3_busy_timeout(d->writer.h, CUT_BUSY_MS);
	enum err e = checkpoint(&d->writer, SQLITE_CHECKPOINT_TRUNCATE, &frames, &copied);
	sqlite3_busy_timeout(d->writer.h, SQ_BUSY_MS);
	if (d->writer.fsync_failed)
		sq_end_process(d, "checkpoint");
	if (e != OK)
		return e;
	atomic_store(&d->wal_copied, 0);
	sqlite3_db_release_memory(d->writer.h);
	return *last == NULL ? OK : (*last)(d);
}

/* On the writer's thread, no reader inside: the log begins anew, so that what stands behind its new end is of no use to anybody. */
static enum err begin_anew(struct sq_db *d, void *arg)
{
	int frames, copied;
	sqlite3_busy_timeout(d->writer.h, CUT_BUSY_MS);
	enum err e = checkpoint(&d->writer, SQLITE_CHECKPOINT_RESTART, &frames, &copied);
	sqlite3_busy_timeout(d->writer.h, SQ_BUSY_MS);
	if (e == OK) /* the first commit after it does it; this one changes nothing */
		e = sq_exec_text(&d->writer, "PRAGMA user_version = 0", NULL);
	if (d->writer.fsync_failed)
		sq_end_process(d, "checkpoint");
	atomic_store(&d->wal_copied, 0);
	return e;
}

/* With the write lock: how many frames the log has (https://www.sqlite.org/walformat.html, 2.1: mxFrame).  False: it cannot be seen. */
static bool frames_now(struct sq_conn *c, uint32_t *ret)
{
	sqlite3_file *f = NULL;
	void volatile *index = NULL;
	if (sqlite3_file_control(c->h, "main", SQLITE_FCNTL_FILE_POINTER, &f) != SQLITE_OK || f->pMethods->iVersion < 2 ||
	    f->pMethods->xShmMap(f, 0, INDEX_PAGE, 0, &index) != SQLITE_OK || index == NULL)
		return false;
	*ret = ((uint32_t volatile *)index)[4];
	return true;
}

static enum err trim_locked(struct sq_db *d, int fd, bool *ret_more)
{
	uint32_t frames;
	struct stat st;
	if (!frames_now(&d->writer, &frames) || fstat(fd, &st) != 0)
		return ERR_BUSY;
	int64_t end = WAL_HEADER + (int64_t)frames * (WAL_FRAME_HEADER + sq_pragma(&d->writer, "PRAGMA page_size"));
	int64_t keep = st.st_size - TRIM;
	*ret_more = keep > end;
	return !*ret_more || ftruncate(fd, keep) == 0 ? OK : ERR_IO;
}

/* On the writer's thread: gives back some of what stands behind the end.  To cut a large file takes the file system long. */
static enum err trim(struct sq_db *d, void *arg)
{
	char *path = NULL;
	if (asprintf(&path, "%s-wal", d->path) < 0)
		return ERR_UNAVAILABLE;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	free(path);
	if (fd < 0)
		return ERR_IO;
	enum err e = sq_run(&d->writer, d->writer.begin);
	if (e == OK) {
		e = trim_locked(d, fd, arg);
		enum err ignored = sq_run(&d->writer, d->writer.rollback);
		(void)ignored; /* nothing was written */
	}
	close(fd);
	return e;
}

/* A log that has grown large (a backup held the file still for long) is made small in steps, between which writers go on. */
static enum err make_small(struct sq_db *d, int64_t patience_us, int64_t interrupt_us)
{
	int frames, left;
	bool more = true;
	TRY(sq_readers_shut(d, patience_us, interrupt_us));
	enum err e = copy_beside(d, &frames, &left);
	if (e == OK)
		e = left > FRAMES_CUT ? ERR_BUSY : sq_maintain(d, begin_anew, NULL);
	sq_readers_admit(d);
	while (e == OK && more)
		e = sq_maintain(d, trim, &more);
	return e;
}

static enum err wal_empty(struct sq_db *d, int64_t patience_us, int64_t interrupt_us, enum err (*last)(struct sq_db *d))
{
	int frames, left;
	TRY(copy_beside(d, &frames, &left));
	if (frames > FRAMES_LARGE)
		TRY(make_small(d, patience_us, interrupt_us));
	TRY(sq_readers_shut(d, patience_us, interrupt_us));
	enum err e = copy_beside(d, &frames, &left);
	if (e == OK) /* somebody outside this process reads */
		e = left > FRAMES_CUT ? ERR_BUSY : sq_maintain(d, cut, &last);
	sq_readers_admit(d);
	return e;
}

enum err sq_wal_empty(struct sq_db *d, enum err (*last)(struct sq_db *d))
{
	enum err e = wal_empty(d, reader_patience_us, 0, last);
	if (d->checkpointer.fsync_failed)
		sq_end_process(d, "checkpoint");
	return e;
}

/* ---- the thread ---- */

static void checkpoint_once(struct sq_db *d)
{
	int frames = 0, left;
	struct sq_conn *c = &d->checkpointer;
	enum err e = copy_beside(d, &frames, &left);
	if (e == OK && frames * sq_pragma(c, "PRAGMA page_size") > wal_large)
		e = wal_empty(d, CHECKPOINT_BUSY_US, old_reader_us, NULL);
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

/* ---- statistics ---- */

/* Without them SQLite takes the first index that begins with the tenant.  This build keeps counts only (no sqlite_stat4), so nothing of a
 * row is copied; the limit bounds the rows looked at per index. */
static enum err analyze(struct sq_db *d, void *arg)
{
	TRY(sq_exec_text(&d->writer, "PRAGMA analysis_limit = 1000", NULL));
	TRY(sq_exec_text(&d->writer, "DROP TABLE IF EXISTS sqlite_stat1", NULL)); /* a change of the schema: else only this connection reads the new ones */
	return sq_exec_text(&d->writer, "ANALYZE", NULL);
}

enum err sq_analyze(struct db *db)
{
	return sq_maintain((struct sq_db *)db, analyze, NULL);
}
