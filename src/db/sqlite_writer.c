/* SPDX-License-Identifier: Apache-2.0
 *
 * Group commit: one thread runs the queued closures in one transaction, each in its own savepoint, commits once and
 * answers all.
 *
 * Promises: nobody is answered before COMMIT returned (I10); a closure that fails changes nothing and disturbs no
 * other; when a failure ended the whole transaction the other closures run again, as if for the first time; after a
 * failed fsync no answer of success leaves and the process ends, because nobody can say what is on disk.  The low queue
 * gets a turn when the normal one is empty, or after LOW_PATIENCE batches, so that deletion goes on under any load.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "db/sqlite_internal.h"

enum { LOW_PATIENCE = 16, EXIT_IO = 74 };
#define LOW_BATCH_US (5 * SECOND_US / 1000)

/* ---- queue ---- */

static void queue_init(struct sq_queue *q)
{
	*q = (struct sq_queue){.end = &q->first};
}

static void queue_push(struct sq_queue *q, struct sq_job *j)
{
	j->next = NULL;
	*q->end = j;
	q->end = &j->next;
	q->n++;
}

static struct sq_job *queue_pop(struct sq_queue *q)
{
	struct sq_job *j = q->first;
	if (j == NULL)
		return NULL;
	q->first = j->next;
	if (q->first == NULL)
		q->end = &q->first;
	q->n--;
	return j;
}

/* The job lives on its caller's stack: it is gone as soon as this returns. */
static void answer(struct sq_job *j)
{
	sem_post(&j->answered);
}

static enum err submit(struct sq_db *d, struct sq_queue *q, struct sq_job *j)
{
	if (atomic_load(&d->dead))
		return ERR_IO;
	sem_init(&j->answered, 0, 0);
	pthread_mutex_lock(&d->queue_lock);
	queue_push(q, j);
	pthread_mutex_unlock(&d->queue_lock);
	pthread_cond_signal(&d->queue_filled); /* outside: the writer wants the lock */
	while (sem_wait(&j->answered) != 0)
		check(errno == EINTR);
	sem_destroy(&j->answered);
	return j->result;
}

enum err sq_write(struct db *db, struct scope *s, db_fn fn, void *arg)
{
	struct sq_db *d = (struct sq_db *)db;
	struct sq_job j = {.mark = db_mark_take(s), .fn = fn, .arg = arg};
	return submit(d, &d->normal, &j);
}

enum err sq_write_low(struct db *db, struct scope *s, db_fn fn, void *arg)
{
	struct sq_db *d = (struct sq_db *)db;
	struct sq_job j = {.mark = db_mark_take(s), .fn = fn, .arg = arg};
	return submit(d, &d->low, &j);
}

enum err sq_maintain(struct sq_db *d, enum err (*fn)(struct sq_db *d, void *arg), void *arg)
{
	struct sq_job j = {.maintenance = fn, .arg = arg};
	return submit(d, &d->upkeep, &j);
}

size_t sq_queue_length(struct db *db)
{
	struct sq_db *d = (struct sq_db *)db;
	pthread_mutex_lock(&d->queue_lock);
	size_t n = d->upkeep.n + d->normal.n + d->low.n;
	pthread_mutex_unlock(&d->queue_lock);
	return n;
}

/* ---- one closure ---- */

static bool transaction_gone(struct sq_db *d)
{
	return sqlite3_get_autocommit(d->writer.h) != 0;
}

/* A deferred foreign key would fail the COMMIT of everybody: it fails its own closure instead. */
static enum err deferred_check(struct sq_db *d, struct scope *s)
{
	int now = 0, high = 0;
	sqlite3_db_status(d->writer.h, SQLITE_DBSTATUS_DEFERRED_FKS, &now, &high, 0);
	return now == 0 ? OK : scope_fail(s, ERR_CONFLICT, "a foreign key points nowhere");
}

static enum err closure_run(struct sq_db *d, struct sq_job *j)
{
	struct sq_tx tx = {.conn = &d->writer};
	if (j->ran) {
		db_mark_back(&j->mark);
		atomic_fetch_add(&d->base.retries, 1);
	}
	j->ran = true;
	int64_t changes = sqlite3_total_changes64(d->writer.h);
	db_tx_start(&tx.base, &d->base, j->mark.scope, true);
	enum err e = db_tx_run(&tx.base, j->fn, j->arg);
	if (e == OK)
		e = deferred_check(d, j->mark.scope);
	j->changed = e == OK && sqlite3_total_changes64(d->writer.h) != changes;
	return e;
}

/* False: the whole transaction is gone, and the job has its final result. */
static bool job_run(struct sq_db *d, struct sq_job *j)
{
	struct sq_conn *w = &d->writer;
	enum err e = sq_run(w, w->savepoint);
	bool whole = e == OK;
	if (whole) {
		e = closure_run(d, j);
		whole = !transaction_gone(d) && (e == OK || sq_run(w, w->rollback_to) == OK) &&
			sq_run(w, w->release) == OK;
	}
	j->result = e == OK && !whole ? ERR_IO : e;
	j->settled = !whole || w->fsync_failed;
	return !j->settled;
}

/* ---- a batch ---- */

/* Closures of the low queue share a commit, too, while nobody waits in the normal one and the batch is as short as one of them may be. */
static struct sq_job *take_more(struct sq_db *d, bool low, int64_t began)
{
	struct sq_job *j = NULL;
	pthread_mutex_lock(&d->queue_lock);
	if (!low)
		j = queue_pop(&d->normal);
	else if (d->normal.n == 0 && (d->low.first == NULL || d->low.first->maintenance == NULL) && clock_monotonic() - began < LOW_BATCH_US)
		j = queue_pop(&d->low);
	pthread_mutex_unlock(&d->queue_lock);
	return j;
}

static void settle_all(struct sq_db *d, size_t n, enum err e)
{
	for (size_t i = 0; i < n; i++) {
		if (d->batch[i]->settled)
			continue;
		d->batch[i]->settled = true;
		d->batch[i]->result = e;
	}
}

static void batch_answer(struct sq_db *d, size_t n)
{
	for (size_t i = 0; i < n; i++)
		answer(d->batch[i]);
}

static void roll_back(struct sq_db *d)
{
	if (!transaction_gone(d)) {
		enum err e = sq_run(&d->writer, d->writer.rollback);
		(void)e; /* a failing ROLLBACK has ended the transaction too */
	}
}

/* COMMIT, and what everybody is told when it fails: a full disk changed nothing; after any other failed write nobody
 * knows, since the commit may be on disk although SQLite could not finish it. */
static void batch_commit(struct sq_db *d, size_t n)
{
	bool changed = false;
	enum err e = sq_run(&d->writer, d->writer.commit);
	if (e == OK) {
		atomic_fetch_add(&d->base.commits, 1);
		for (size_t i = 0; i < n; i++)
			changed |= !d->batch[i]->settled && d->batch[i]->changed;
		if (changed)
			db_committed(&d->base);
		return;
	}
	if ((sqlite3_errcode(d->writer.h) & 0xff) == SQLITE_IOERR)
		d->writer.fsync_failed = true;
	roll_back(d);
	settle_all(d, n, e);
}

/* Runs every job that is not settled, takes more while they wait, commits.  False: one of them ended the transaction;
 * again. */
static bool batch_try(struct sq_db *d, size_t *n, bool low)
{
	int64_t began = clock_monotonic();
	enum err e = sq_run(&d->writer, d->writer.begin);
	if (e != OK) {
		settle_all(d, *n, e);
		return true;
	}
	for (size_t i = 0;; i++) {
		if (i == *n) {
			struct sq_job *more = *n < d->batch_max ? take_more(d, low, began) : NULL;
			if (more == NULL)
				break;
			d->batch[(*n)++] = more;
		}
		if (!d->batch[i]->settled && !job_run(d, d->batch[i])) {
			roll_back(d);
			return d->writer.fsync_failed;
		}
	}
	batch_commit(d, *n);
	return true;
}

static void batch_run(struct sq_db *d, struct sq_job *first, bool low)
{
	size_t n = 1;
	d->batch[0] = first;
	while (!batch_try(d, &n, low)) /* each round that fails settles one job */
		;
	if (d->writer.fsync_failed) {
		for (size_t i = 0; i < n; i++)
			d->batch[i]->result = ERR_IO;
		atomic_store(&d->dead, true);
		batch_answer(d, n);
		sq_end_process(d, "commit");
	}
	batch_answer(d, n);
}

void sq_end_process(struct sq_db *d, const char *where)
{
	atomic_store(&d->dead, true);
	log_event(LOG_ERROR, "db.io",
		  "at=%s detail=\"the outcome of the last write is unknown: ending, the next start recovers\"", where);
	if (pthread_mutex_trylock(&d->queue_lock) == 0) {
		for (struct sq_job *j; (j = queue_pop(&d->upkeep)) != NULL || (j = queue_pop(&d->normal)) != NULL || (j = queue_pop(&d->low)) != NULL;) {
			j->result = ERR_IO;
			answer(j);
		}
		pthread_mutex_unlock(&d->queue_lock);
	}
	struct timespec ts = {.tv_nsec = 200 * 1000 * 1000}; /* the answers go out */
	nanosleep(&ts, NULL);
	_exit(EXIT_IO);
}

/* ---- the thread ---- */

static struct sq_job *next_job(struct sq_db *d, bool *ret_low)
{
	*ret_low = false;
	bool upkeep = d->upkeep.n > 0 && (!d->upkeep_was_last || d->normal.n == 0); /* in steps: commits go between them */
	d->upkeep_was_last = upkeep;
	if (upkeep)
		return queue_pop(&d->upkeep);
	bool low = d->low.n > 0 && (d->normal.n == 0 || d->low_passed_over >= LOW_PATIENCE);
	*ret_low = low;
	d->low_passed_over = low || d->low.n == 0 ? 0 : d->low_passed_over + 1;
	return queue_pop(low ? &d->low : &d->normal);
}

static void *writer_main(void *arg)
{
	struct sq_db *d = arg;
	for (;;) {
		bool low;
		struct sq_job *j;
		pthread_mutex_lock(&d->queue_lock);
		while ((j = next_job(d, &low)) == NULL && !d->stop)
			pthread_cond_wait(&d->queue_filled, &d->queue_lock);
		pthread_mutex_unlock(&d->queue_lock);
		if (j == NULL)
			return NULL;
		if (j->maintenance == NULL) {
			batch_run(d, j, low);
			continue;
		}
		j->result = j->maintenance(d, j->arg);
		answer(j);
	}
}

enum err sq_writer_start(struct sq_db *d)
{
	queue_init(&d->upkeep);
	queue_init(&d->normal);
	queue_init(&d->low);
	d->batch = calloc(d->batch_max, sizeof *d->batch);
	if (d->batch == NULL || pthread_create(&d->writer_thread, NULL, writer_main, d) != 0)
		return ERR_UNAVAILABLE;
	d->writer_runs = true;
	return OK;
}

void sq_writer_stop(struct sq_db *d)
{
	if (d->writer_runs) {
		pthread_mutex_lock(&d->queue_lock);
		d->stop = true;
		pthread_cond_signal(&d->queue_filled);
		pthread_mutex_unlock(&d->queue_lock);
		pthread_join(d->writer_thread, NULL);
		d->writer_runs = false;
	}
	free(d->batch);
	d->batch = NULL;
}
