/* SPDX-License-Identifier: Apache-2.0
 *
 * The sequencer: woken by commits, at most four times a second, so that a checkpoint covers every commit within a second;
 * where other servers may commit, whose commits wake nobody here, it looks by itself.  A scheduler for each lane of jobs.def.  A job that
 * fails is loud, counted, and tried again at its next turn; it takes no other with it.  Witnesses and sinks have threads of their own.
 */
#include "jobs/jobs.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "api/metrics.h"
#include "audit/log/log.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "duty/clock_guard.h"
#include "jobs/jobs_internal.h"
#include "jobs/lease.h"
#include "jobs/parcels.h"
#include "jobs/sinks.h"
#include "jobs/witness.h"

enum { LEASE_SECONDS = 30, DOUBT_SECONDS = 5, SEQUENCER_SECONDS = 5 }; /* while a server is gone nothing is signed for so long */
#define SEQUENCER "sequencer"
#define SEQUENCE_EVERY_US (250 * SECOND_US / 1000)
#define SEQUENCE_SHARED_US (500 * SECOND_US / 1000) /* unasked, on PostgreSQL */
#define SEQUENCE_RETRY_US SECOND_US		    /* after a failure */

enum destroys { KEEPS, DESTROYS };
enum lane { STEPS, FILES, MAIL, REPORTS, CALLS, LANES };

static const struct job {
	const char *name;
	int period_seconds;
	bool woken;
	enum lane lane;
	enum err (*run)(struct server *srv, struct scope *s, bool *ret_more);
	enum destroys destroys;
	bool own; /* runs on each server, without the lease */
} JOBS[] = {
#define JOB(name, period, woken, lane, destroys, function) {name, period, woken, lane, function, destroys, false},
#define OWN_JOB(name, period, woken, lane, destroys, function) {name, period, woken, lane, function, destroys, true},
#include "jobs/jobs.def"
#undef JOB
};

enum { JOB_COUNT = sizeof JOBS / sizeof JOBS[0] };

struct jobs {
	struct server *srv;
	struct id holder;
	int64_t fence; /* under which the sequencer last ran well; 0: not yet */
	pthread_t sequencer;
	struct scheduler {
		struct jobs *jobs;
		enum lane lane;
		pthread_t thread;
	} scheduler[LANES];
	struct sinks *sinks;
	struct parcels *parcels;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop;
	uint64_t commits; /* counts jobs_wake() */
	struct witnesses *witnesses;
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
	witnesses_wake(j->witnesses);
	sinks_wake(j->sinks);
	parcels_wake(j->parcels);
}

static enum err done(struct jobs *j, struct scope *s, const char *name, enum err err, bool *ret_more)
{
	if (err != OK) {
		atomic_fetch_add(&j->srv->metrics->jobs_failed, 1);
		log_event(LOG_ERROR, "job_failed", "job=%s error=%s detail=\"%s\"", name, err_name(err), scope_detail(s, err));
		*ret_more = false;
	}
	arena_reset(s->arena);
	return err;
}

/* One run in a scope and an arena of its own.  On PostgreSQL only under the lease, but for what each server does for itself.  *ret_doubted: it
 * has not run, because the time is in doubt. */
static enum err run_once(struct jobs *j, struct arena *arena, const char *name, bool own, enum destroys destroys,
			 enum err (*run)(struct server *, struct scope *, bool *), bool *ret_more, bool *ret_doubted)
{
	struct scope s;
	bool held = true;
	enum err err = OK;
	scope_system(&s, arena, j->srv->db, j->srv->keeper);
	*ret_more = false;
	if (db_engine(j->srv->db) == DB_POSTGRES && !own)
		err = lease_take(&s, name, j->holder, LEASE_SECONDS, &held, NULL);
	*ret_doubted = err == OK && held && destroys == DESTROYS && clock_guard_doubts(j->srv->clock, &s);
	if (err == OK && held && !*ret_doubted)
		err = run(j->srv, &s, ret_more);
	return done(j, &s, name, err, ret_more);
}

/* Whoever takes over from another server first holds its own keeper against what that server left, and so does whoever lost the database. */
static enum err sequence(struct jobs *j, struct scope *s, bool *ret_more)
{
	bool shared = db_engine(j->srv->db) == DB_POSTGRES, held = true;
	struct audit_fence fence = {.lease = SEQUENCER, .holder = j->holder};
	if (shared)
		TRY(lease_take(s, SEQUENCER, j->holder, SEQUENCER_SECONDS, &held, &fence.number));
	if (!held)
		return OK;
	if (fence.number != j->fence)
		TRY(audit_check_heads(s, j->srv->host));
	j->fence = fence.number;
	TRY(audit_sequence_fenced(s, j->srv->host, shared ? &fence : NULL, ret_more));
	atomic_store(&j->srv->metrics->last_checkpoint_us, s->now);
	return OK;
}

static enum err sequence_once(struct jobs *j, struct arena *arena, bool *ret_more)
{
	struct scope s;
	scope_system(&s, arena, j->srv->db, j->srv->keeper);
	*ret_more = false;
	enum err err = sequence(j, &s, ret_more);
	if (err != OK && err != ERR_CONFLICT)
		j->fence = -1; /* the database was away: who knows in what state it comes back */
	return done(j, &s, SEQUENCER, err, ret_more);
}

static void *sequencer_main(void *arg)
{
	struct jobs *j = arg;
	struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
	int64_t unasked = db_engine(j->srv->db) == DB_POSTGRES ? SEQUENCE_SHARED_US : 3600 * SECOND_US;
	bool more;
	pthread_mutex_lock(&j->lock);
	while (!j->stop) {
		uint64_t seen = j->commits;
		pthread_mutex_unlock(&j->lock);
		int64_t began = clock_monotonic();
		enum err err = sequence_once(j, arena, &more);
		int64_t next = began + (err == OK ? SEQUENCE_EVERY_US : SEQUENCE_RETRY_US), until = err == OK ? began + unasked : next;
		pthread_mutex_lock(&j->lock);
		while (!j->stop && !more && clock_monotonic() < next)
			wait_until(j, next);
		while (!j->stop && !more && j->commits == seen && clock_monotonic() < until)
			wait_until(j, until);
	}
	pthread_mutex_unlock(&j->lock);
	do
		sequence_once(j, arena, &more); /* so that the last commits are signed */
	while (more);
	arena_free(arena);
	return NULL;
}

static bool makes_files(enum lane lane) { return lane == FILES || lane == REPORTS; }

/* Who has more to do goes on at once; where files are made, after half the time that the last one took: a thousand of them then leave room for
 * whoever waits for an answer. */
static int64_t breath(enum lane lane, int64_t began) { return makes_files(lane) ? (clock_monotonic() - began) / 2 : 0; }

/* Runs what is due in the lane; returns when the next job is. */
static int64_t run_due(struct jobs *j, enum lane lane, struct arena *arena, int64_t next[JOB_COUNT], bool woken)
{
	int64_t first = INT64_MAX;
	for (int i = 0; i < JOB_COUNT; i++) {
		bool more = false, doubted = false;
		int64_t began = clock_monotonic();
		if (JOBS[i].lane != lane)
			continue;
		if (began >= next[i] || (woken && JOBS[i].woken)) {
			enum err err = run_once(j, arena, JOBS[i].name, JOBS[i].own, JOBS[i].destroys, JOBS[i].run, &more, &doubted);
			next[i] = clock_monotonic() + (err == OK && more ? breath(lane, began) : JOBS[i].period_seconds * SECOND_US);
			if (doubted) /* soon after the time is confirmed, which it may be by now */
				next[i] = clock_monotonic() + DOUBT_SECONDS * SECOND_US;
		}
		first = next[i] < first ? next[i] : first;
	}
	return first;
}

/* Files are made behind whoever waits for an answer.  On Linux a priority is a thread's own. */
static void stand_back(enum lane lane)
{
	if (makes_files(lane) && setpriority(PRIO_PROCESS, 0, 10) != 0)
		log_event(LOG_WARN, "priority_kept", "error=\"%s\"", strerror(errno));
}

static void *scheduler_main(void *arg)
{
	const struct scheduler *lane = arg;
	struct jobs *j = lane->jobs;
	struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
	int64_t next[JOB_COUNT] = {0};
	bool woken = false;
	stand_back(lane->lane);
	pthread_mutex_lock(&j->lock);
	while (!j->stop) {
		uint64_t seen = j->commits;
		pthread_mutex_unlock(&j->lock);
		int64_t until = run_due(j, lane->lane, arena, next, woken);
		int64_t rest = clock_monotonic() + SECOND_US / 2; /* jobs that commits wake run at most twice a second */
		pthread_mutex_lock(&j->lock);
		while (!j->stop && clock_monotonic() < rest && until > clock_monotonic())
			wait_until(j, until < rest ? until : rest);
		while (!j->stop && clock_monotonic() < until && j->commits == seen)
			wait_until(j, until);
		woken = j->commits != seen;
	}
	pthread_mutex_unlock(&j->lock);
	arena_free(arena);
	return NULL;
}

/* The same for every process in this place, of which the keeper's lock admits one: a server that was killed takes its own leases again at
 * once.  Another for a server with a copy of the data directory. */
static struct id stable_holder(struct server *srv)
{
	uint8_t place[SHA256_BYTES], reference[SHA256_BYTES];
	struct id id;
	keeper_place(srv->keeper, place);
	keeper_reference(srv->keeper, "lease", place, sizeof place, reference);
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
	j->witnesses = witnesses_start(srv, j->holder); /* before anything is signed */
	check(pthread_create(&j->sequencer, NULL, sequencer_main, j) == 0);
	for (int i = 0; i < LANES; i++) {
		j->scheduler[i] = (struct scheduler){.jobs = j, .lane = (enum lane)i};
		check(pthread_create(&j->scheduler[i].thread, NULL, scheduler_main, &j->scheduler[i]) == 0);
	}
	j->sinks = sinks_start(srv, j->holder);
	j->parcels = parcels_start(srv, j->holder);
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
	lease_give(&s, SEQUENCER, j->holder);
	for (int i = 0; i < JOB_COUNT; i++)
		lease_give(&s, JOBS[i].name, j->holder);
	arena_free(arena);
}

/* What is only in memory, before the log is signed for the last time. */
static void write_refusals(struct jobs *j)
{
	struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
	bool more, doubted;
	run_once(j, arena, "refusals", true, KEEPS, job_refusals_end, &more, &doubted);
	arena_free(arena);
}

void jobs_stop(struct jobs *j)
{
	if (j == NULL)
		return;
	write_refusals(j);
	pthread_mutex_lock(&j->lock);
	j->stop = true;
	pthread_cond_broadcast(&j->wake);
	pthread_mutex_unlock(&j->lock);
	pthread_join(j->sequencer, NULL);
	for (int i = 0; i < LANES; i++)
		pthread_join(j->scheduler[i].thread, NULL);
	sinks_stop(j->sinks);
	parcels_stop(j->parcels);
	witnesses_stop(j->witnesses);
	give_leases(j);
	pthread_cond_destroy(&j->wake);
	pthread_mutex_destroy(&j->lock);
	free(j);
}
