/* SPDX-License-Identifier: Apache-2.0
 *
 * Two threads.  The sequencer: woken by commits, at most four times a second, so that a checkpoint covers every commit within a second.
 * The scheduler: the jobs of jobs.def.  A job that fails is loud, counted, and tried again at its next turn; it takes no other with it.
 */
#include "jobs/jobs.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/metrics.h"
#include "audit/audit_log.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "jobs/jobs_internal.h"
#include "jobs/lease.h"

enum { LEASE_SECONDS = 30 };
#define SEQUENCE_EVERY_US (250 * SECOND_US / 1000)

static const struct job {
	const char *name;
	int period_seconds;
	bool woken;
	enum err (*run)(struct server *srv, struct scope *s, bool *ret_more);
} JOBS[] = {
#define JOB(name, period, woken, function) {name, period, woken, function},
#include "jobs/jobs.def"
#undef JOB
};

enum { JOB_COUNT = sizeof JOBS / sizeof JOBS[0] };

struct jobs {
	struct server *srv;
	struct id holder;
	pthread_t sequencer, scheduler;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop;
	uint64_t commits; /* counts jobs_wake() */
};

static void wait_until(struct jobs *j, int64_t monotonic_us)
{
	struct timespec ts = {.tv_sec = monotonic_us / SECOND_US, .tv_nsec = monotonic_us % SECOND_US * 1000};
	pthread_cond_clockwait(&j->wake, &j->lock, CLOCK_MONOTONIC, &ts);
}

void jobs_wake(void *jobs)
{
	struct jobs *j = jobs;
	pthread_mutex_lock(&j->lock);
	j->commits++;
	pthread_cond_broadcast(&j->wake);
	pthread_mutex_unlock(&j->lock);
}

/* One run in a scope and an arena of its own.  On PostgreSQL only under the lease. */
static enum err run_once(struct jobs *j, struct arena *arena, const char *name, enum err (*run)(struct server *, struct scope *, bool *),
			 bool *ret_more)
{
	struct scope s;
	bool held = true;
	enum err err = OK;
	scope_system(&s, arena, j->srv->db, j->srv->keeper);
	*ret_more = false;
	if (db_engine(j->srv->db) == DB_POSTGRES)
		err = lease_take(&s, name, j->holder, LEASE_SECONDS, &held);
	if (err == OK && held)
		err = run(j->srv, &s, ret_more);
	if (err != OK) {
		atomic_fetch_add(&j->srv->metrics->jobs_failed, 1);
		log_event(LOG_ERROR, "job_failed", "job=%s error=%s detail=\"%s\"", name, err_name(err), scope_detail(&s, err));
		*ret_more = false;
	}
	arena_reset(arena);
	return err;
}

static enum err run_sequencer(struct server *srv, struct scope *s, bool *ret_more)
{
	TRY(audit_sequence(s, srv->host, ret_more));
	atomic_store(&srv->metrics->last_checkpoint_us, s->now);
	return OK;
}

static void *sequencer_main(void *arg)
{
	struct jobs *j = arg;
	struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
	uint64_t seen = 0;
	bool more = true; /* what an earlier process left */
	pthread_mutex_lock(&j->lock);
	while (!j->stop) {
		if (!more && j->commits == seen) {
			wait_until(j, clock_monotonic() + 60 * SECOND_US);
			continue;
		}
		seen = j->commits;
		pthread_mutex_unlock(&j->lock);
		int64_t next = clock_monotonic() + SEQUENCE_EVERY_US;
		enum err err = run_once(j, arena, "sequencer", run_sequencer, &more);
		pthread_mutex_lock(&j->lock);
		if (err != OK && seen > 0)
			seen--; /* again, though nothing new is committed */
		while (!j->stop && !more && clock_monotonic() < next)
			wait_until(j, next);
	}
	pthread_mutex_unlock(&j->lock);
	run_once(j, arena, "sequencer", run_sequencer, &more); /* so that the last commits are signed */
	arena_free(arena);
	return NULL;
}

/* Runs what is due; returns when the next job is. */
static int64_t run_due(struct jobs *j, struct arena *arena, int64_t next[JOB_COUNT], bool woken)
{
	int64_t first = INT64_MAX;
	for (int i = 0; i < JOB_COUNT; i++) {
		bool more = false;
		if (clock_monotonic() >= next[i] || (woken && JOBS[i].woken)) {
			enum err err = run_once(j, arena, JOBS[i].name, JOBS[i].run, &more);
			next[i] = clock_monotonic() + (err == OK && more ? 0 : JOBS[i].period_seconds * SECOND_US);
		}
		first = next[i] < first ? next[i] : first;
	}
	return first;
}

static void *scheduler_main(void *arg)
{
	struct jobs *j = arg;
	struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
	int64_t next[JOB_COUNT] = {0};
	bool woken = false;
	pthread_mutex_lock(&j->lock);
	while (!j->stop) {
		uint64_t seen = j->commits;
		pthread_mutex_unlock(&j->lock);
		int64_t until = run_due(j, arena, next, woken);
		int64_t rest = clock_monotonic() + SECOND_US / 2; /* jobs that commits wake run at most twice a second */
		pthread_mutex_lock(&j->lock);
		while (!j->stop && clock_monotonic() < rest && until > clock_monotonic())
			wait_until(j, rest);
		while (!j->stop && clock_monotonic() < until && j->commits == seen)
			wait_until(j, until);
		woken = j->commits != seen;
	}
	pthread_mutex_unlock(&j->lock);
	arena_free(arena);
	return NULL;
}

/* The same for every process of this data directory, of which the keeper's lock admits one: a server that was killed takes its own leases
 * again at once. */
static struct id stable_holder(struct server *srv)
{
	uint8_t reference[SHA256_BYTES];
	struct id id;
	keeper_reference(srv->keeper, "lease", srv->url, strlen(srv->url), reference);
	memcpy(id.b, reference, sizeof id.b);
	return id;
}

struct jobs *jobs_start(struct server *srv)
{
	struct jobs *j = calloc(1, sizeof *j);
	check(j != NULL);
	j->srv = srv;
	j->holder = stable_holder(srv);
	pthread_mutex_init(&j->lock, NULL);
	pthread_cond_init(&j->wake, NULL);
	check(pthread_create(&j->sequencer, NULL, sequencer_main, j) == 0);
	check(pthread_create(&j->scheduler, NULL, scheduler_main, j) == 0);
	return j;
}

/* Another server need not wait until they expire. */
static void give_leases(struct jobs *j)
{
	struct scope s;
	if (db_engine(j->srv->db) != DB_POSTGRES)
		return;
	struct arena *arena = arena_new(MIB);
	scope_system(&s, arena, j->srv->db, j->srv->keeper);
	lease_give(&s, "sequencer", j->holder);
	for (int i = 0; i < JOB_COUNT; i++)
		lease_give(&s, JOBS[i].name, j->holder);
	arena_free(arena);
}

void jobs_stop(struct jobs *j)
{
	if (j == NULL)
		return;
	pthread_mutex_lock(&j->lock);
	j->stop = true;
	pthread_cond_broadcast(&j->wake);
	pthread_mutex_unlock(&j->lock);
	pthread_join(j->sequencer, NULL);
	pthread_join(j->scheduler, NULL);
	give_leases(j);
	pthread_cond_destroy(&j->wake);
	pthread_mutex_destroy(&j->lock);
	free(j);
}
