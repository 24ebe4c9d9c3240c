/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the SQLite engine: its connections, its queue of closures, its threads.
 *
 * One connection writes, owned by the writer thread; a few read, each lent to one thread at a time; one moves the WAL
 * into the file, and one holds the file still: both belong to whoever has the turn of checkpoints.
 */
#ifndef REEVE_DB_SQLITE_INTERNAL_H
#define REEVE_DB_SQLITE_INTERNAL_H

#include <pthread.h>
#include <semaphore.h>
#include <sqlite3.h>

#include "db/db_internal.h"

struct sq_cached {
	sqlite3_stmt *st;
	bool busy;
	uint64_t hash, used; /* of made text: what it is found by, and when it was last asked for */
};

enum { SQ_TEXTS = 384 }; /* a deletion asks for each table in its own words */

struct sq_conn {
	sqlite3 *h;
	struct sq_cached *cache; /* by db_stmt.index */
	int cache_n;
	struct sq_cached texts[SQ_TEXTS]; /* the made texts that were asked for last */
	uint64_t text_calls;
	bool fsync_failed; /* nothing after this is certain */
	sqlite3_stmt *begin, *commit, *rollback, *savepoint, *release, *rollback_to;
	/* of the reader pool, under its mutex */
	bool in_use;
	int64_t since; /* monotonic */
};

struct sq_tx {
	struct db_tx base;
	struct sq_conn *conn;
};

struct sq_rows {
	struct db_rows base;
	sqlite3_stmt *st;
	struct sq_cached *slot; /* NULL: not cached, finalised at the end */
	struct db_stmt *stmt;   /* NULL: made text */
	bool done;
};

struct sq_db;
struct sq_job {
	struct db_mark mark;
	db_fn fn;
	void *arg;
	enum err (*maintenance)(struct sq_db *d, void *arg); /* instead of fn: outside a transaction */
	bool ran;                                            /* once already: rewind before the next run */
	bool changed;                                        /* rows, in its last run */
	bool settled;                                        /* has its final result although the batch runs again */
	enum err result;
	sem_t answered;
	struct sq_job *next;
};

struct sq_queue {
	struct sq_job *first, **end;
	size_t n;
};

struct sq_db {
	struct db base;
	char *path;
	int lock_fd; /* flock: one server per file */
	int scan_fd; /* opened before SQLite opens the file and closed after it: closing any other one would drop
			SQLite's locks */
	_Atomic bool dead;

	/* writer (sqlite_writer.c) */
	struct sq_conn writer;
	pthread_t writer_thread;
	pthread_mutex_t queue_lock;
	pthread_cond_t queue_filled;
	struct sq_queue upkeep, normal, low; /* upkeep is short, and readers stand at the gate meanwhile: it goes first */
	unsigned low_passed_over;
	bool upkeep_was_last;
	bool stop, writer_runs;
	size_t batch_max;
	struct sq_job **batch;

	/* readers (sqlite_readers.c) */
	struct sq_conn *readers;
	int readers_n, readers_active, readers_waiting;
	bool gate_closed; /* no new reader, so that a checkpoint can truncate the WAL */
	pthread_mutex_t readers_lock;
	pthread_cond_t readers_changed;

	/* checkpoints (sqlite_checkpoint.c) */
	struct sq_conn checkpointer;
	struct sq_conn still; /* its read transaction keeps the file as it is (sqlite_frozen.c) */
	_Atomic bool unblanked; /* dead bytes may stand in the file */
	pthread_t checkpoint_thread;
	pthread_mutex_t checkpoint_lock;
	pthread_cond_t checkpoint_due;
	pthread_mutex_t checkpoint_turn; /* SQLite runs one at a time and does not wait for the other; the writer never takes it */
	bool checkpoint_wanted, checkpoint_stop, checkpoint_runs;
	_Atomic int wal_copied; /* frames of the WAL that are in the file already */
};

/* ---- sqlite_conn.c ---- */

enum { SQ_BUSY_MS = 10000 };
enum sq_role { SQ_WRITER, SQ_READER, SQ_CHECKPOINTER };
enum err sq_conn_open(struct sq_conn *c, const char *path, enum sq_role role, char **detail);
void sq_conn_close(struct sq_conn *c);
/* The error of the connection's last call; remembers a failed fsync. */
enum err sq_error(struct sq_conn *c);
/* The same, with the detail of it in the scope (never a bound value). */
enum err sq_fail(struct sq_conn *c, struct scope *s, const struct db_call *call);
enum err sq_run(struct sq_conn *c, sqlite3_stmt *st); /* begin, commit and their like */
enum err sq_exec_text(struct sq_conn *c, const char *sql, char **detail);
int64_t sq_pragma(struct sq_conn *c, const char *sql); /* the first number that it answers; 0 where it does not */

/* ---- sqlite_stmt.c ---- */

enum err sq_exec(struct db_tx *tx, const struct db_call *c, int64_t *ret_changes);
enum err sq_query(struct db_tx *tx, const struct db_call *c, struct db_rows **ret);
enum err sq_prepare_check(struct db_tx *tx, const struct db_call *c);
bool sq_next(struct db_rows *r);
void sq_rows_free(struct db_rows *r);
int sq_columns(const struct db_rows *r);
const char *sq_column_name(const struct db_rows *r, int col);
struct db_value sq_value(const struct db_rows *r, int col);

/* ---- sqlite_writer.c ---- */

enum err sq_writer_start(struct sq_db *d);
void sq_writer_stop(struct sq_db *d); /* drains both queues */
enum err sq_write(struct db *db, struct scope *s, db_fn fn, void *arg);
enum err sq_write_low(struct db *db, struct scope *s, db_fn fn, void *arg);
/* Runs fn on the writer's thread, outside a transaction: writers wait, so it is short. */
enum err sq_maintain(struct sq_db *d, enum err (*fn)(struct sq_db *d, void *arg), void *arg);
size_t sq_queue_length(struct db *db);

/* ---- sqlite_readers.c ---- */

enum err sq_readers_open(struct sq_db *d, int n);
void sq_readers_close(struct sq_db *d);
enum err sq_read(struct db *db, struct scope *s, db_fn fn, void *arg);
/* Keeps new readers out and waits for those inside, after `patience_us` interrupting those that are older than `older_than_us`.  ERR_BUSY:
 * one is still inside (the gate is open again). */
enum err sq_readers_shut(struct sq_db *d, int64_t patience_us, int64_t older_than_us);
void sq_readers_admit(struct sq_db *d);
void sq_readers_interrupt(struct sq_db *d, int64_t older_than_us);

/* ---- sqlite_checkpoint.c ---- */

enum err sq_checkpoint_start(struct sq_db *d);
void sq_checkpoint_stop(struct sq_db *d);
/* Whoever empties the WAL or needs the file still has the turn.  ERR_BUSY: another has it for long. */
enum err sq_turn_take(struct sq_db *d);
void sq_turn_give(struct sq_db *d);
/* With the turn, not on the writer's thread: the whole WAL goes into the file and is cut to nothing, beside the writer but for a last short
 * step, in which `last` (may be NULL) runs.  ERR_BUSY: a reader does not leave. */
enum err sq_wal_empty(struct sq_db *d, enum err (*last)(struct sq_db *d));
enum err sq_analyze(struct db *db);

/* ---- sqlite_frozen.c ---- */

/* With the turn: no checkpoint writes into the file between the two, and the file alone is what sq_db.still reads. */
enum err sq_freeze(struct sq_db *d);
void sq_thaw(struct sq_db *d);

/* ---- sqlite_pages.c ---- */

enum err sq_scan_tables(struct db *db, struct arena *a, struct db_needle *needles, size_t n, struct db_hit **ret, size_t *ret_n);
enum err sq_scrub(struct db *db, const char *const *tables, size_t n);

/* ---- sqlite_vfs.c ---- */

enum { SQ_BLANKED_PAGES = 1 << 24 }; /* files of more are not blanked as they are written */
const char *sq_vfs(void); /* its name, for sqlite3_open_v2() */

/* ---- sqlite_writer.c, used by both threads ---- */

/* After a failed fsync: says so and ends the process once answers could go out. */
void sq_end_process(struct sq_db *d, const char *where) __attribute__((noreturn));

#endif
