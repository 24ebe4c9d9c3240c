/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine: which duties are due, and who carries them out.  Several threads take one after another from a list, since each duty waits for
 * disks most of its time: their changes share commits.  One duty never holds up another.
 */
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "directory/user.h"
#include "privacy/erasure/erasure.h"
#include "privacy/erasure/internal.h"
#include "privacy/restore/restore.h"

DB_GLOBAL(purged_tenants,
	  "SELECT d.tenant_id, d.duty_id FROM tenants t JOIN duties d ON d.tenant_id = t.tenant_id AND d.subject_id = "
	  "t.tenant_id "
	  "AND d.state IN ('scrubbed', 'copies_gone') AND d.requested_at >= t.closed_at WHERE t.state = 'purging' LIMIT ?1");

enum {
	DUTIES_AT_ONCE = 256,
	SCRUB_AT_ONCE = 512,
	TENANTS_AT_ONCE = 64,
	USERS_AT_ONCE = 20,
	STEPS_A_RUN = 2000, /* then other jobs have a turn */
	THREADS = 16,
	THREADS_SHARED = 4, /* on PostgreSQL, whose connections others need, too */
};
/* At most so long for other duties to join the batch: what is left in free pages waits for those whose rows are all there. */
static const int64_t scrub_waits_us = 5 * MINUTE_US;

struct run {
	struct erasure e;
	unsigned threads;
	_Atomic unsigned steps;	     /* left */
	_Atomic bool more;	     /* some work is left that can go on at once */
	_Atomic bool under_way;	     /* a duty that is due has not come to `deleted` yet, and may soon */
};

static bool take_step(struct run *r)
{
	unsigned left = atomic_load(&r->steps);
	while (left > 0 && !atomic_compare_exchange_weak(&r->steps, &left, left - 1))
		;
	return left > 0;
}

/* Up to `deleted`, or until the steps are used up.  e: the run's, or a thread's own. */
static void run_duty(struct run *r, const struct erasure *e, struct id tenant, struct id duty)
{
	for (;;) {
		struct erase_job j;
		bool overtaken = false;
		struct arena_mark mark = arena_mark(e->system->arena);
		enum err err = erase_job_load(&j, e, tenant, duty, &overtaken);
		bool runs = err == OK && !overtaken && j.d.due_at <= j.s.now && /* the undo window is over */
			    (j.d.state == DUTY_received || j.d.state == DUTY_suppressed || j.d.state == DUTY_deleting ||
			     (j.d.state == DUTY_scheduled && j.type == SUBJECT_TENANT));
		if (runs && !take_step(r)) {
			r->more = r->under_way = true;
			runs = false;
		}
		if (runs) {
			err = erase_step(&j);
			if (err != OK)
				erase_step_failed(&j, err);
		}
		erase_job_free(&j);
		arena_rewind(e->system->arena, mark);
		if (!runs || err != OK)
			return;
	}
}

void erasure_run_duty(const struct erasure *e, struct id tenant, struct id duty)
{
	struct run r = {.e = *e, .steps = UINT_MAX};
	run_duty(&r, e, tenant, duty);
}

/* ---- several at once ---- */

typedef void (*each_fn)(struct run *r, const struct erasure *e, void *list, size_t i);

struct crew {
	struct run *run;
	each_fn fn;
	void *list;
	size_t n;
	_Atomic size_t next;
};

static void *crew_main(void *arg)
{
	struct crew *c = arg;
	struct scope own = *c->run->e.system;
	struct erasure e = c->run->e;
	own.arena = arena_new(LIMIT_ARENA_BYTES);
	e.system = &own;
	for (size_t i; (i = atomic_fetch_add(&c->next, 1)) < c->n;)
		c->fn(c->run, &e, c->list, i);
	arena_free(own.arena);
	return NULL;
}

/* fn for each of the list, in no order where there are threads. */
static void for_each(struct run *r, each_fn fn, void *list, size_t n)
{
	struct crew c = {.run = r, .fn = fn, .list = list, .n = n};
	pthread_t thread[THREADS];
	unsigned started = 0;
	while (started < r->threads && started < n && n > 1 && pthread_create(&thread[started], NULL, crew_main, &c) == 0)
		started++;
	for (size_t i = 0; started == 0 && i < n; i++)
		fn(r, &r->e, list, i);
	for (unsigned i = 0; i < started; i++)
		pthread_join(thread[i], NULL);
}

/* ---- the last states ---- */

static enum err load_deleted(struct run *r, const struct duty *list, size_t n, struct erase_job *jobs, size_t *ret_n)
{
	*ret_n = 0;
	for (size_t i = 0; i < n; i++) {
		bool overtaken = false;
		struct erase_job *j = &jobs[*ret_n];
		enum err err = erase_job_load(j, &r->e, list[i].tenant, list[i].duty, &overtaken);
		if (err == OK && !overtaken && j->d.state == DUTY_deleted)
			(*ret_n)++;
		else
			erase_job_free(j);
		if (err != OK && err != ERR_NOT_FOUND)
			return err;
	}
	return OK;
}

static void certify(struct run *r, const struct erasure *e, void *list, size_t i)
{
	struct erase_job *j = ((struct erase_job **)list)[i];
	struct arena_mark mark = arena_mark(e->system->arena);
	if (!take_step(r)) {
		r->more = true;
		return;
	}
	j->e = e;
	j->s.arena = e->system->arena;
	enum err err = step_certify(j);
	if (err != OK)
		erase_step_failed(j, err);
	else if (j->type == SUBJECT_TENANT)
		r->more = true; /* its row is next */
	arena_rewind(e->system->arena, mark);
}

static void scrub(struct run *r, struct erase_job *const *wait, size_t n)
{
	enum err err = erasure_scrub(&r->e, wait, n);
	if (err == OK)
		r->more = true; /* the certificates are next */
	else if (err != ERR_BUSY)
		log_event(LOG_ERROR, "erasure_scrub", "duties=%zu error=%s detail=\"%s\"", n, err_name(err),
			  scope_detail(r->e.system, err));
}

/* Those whose scan is done get their certificate; the others are scrubbed together. */
static void finish(struct run *r, struct erase_job *jobs, size_t n)
{
	struct erase_job *wait[SCRUB_AT_ONCE], *ready[SCRUB_AT_ONCE];
	size_t waiting = 0, done = 0;
	struct needles unused;
	for (size_t i = 0; i < n; i++) {
		if (progress_has(&jobs[i], "scrubbedAt")) {
			ready[done++] = &jobs[i];
			continue;
		}
		enum err err = needles_get(&jobs[i], &unused);
		if (err == OK)
			wait[waiting++] = &jobs[i];
		else /* without them nothing can be proved: only this duty fails */
			erase_step_failed(&jobs[i], err);
	}
	for_each(r, certify, ready, done);
	if (waiting > 0 && take_step(r))
		scrub(r, wait, waiting);
	else if (waiting > 0)
		r->more = true;
}

static enum err finish_deleted(struct run *r)
{
	struct duty *list;
	size_t n, loaded;
	TRY(duty_due(r->e.system, DUTY_deleted, 1, &list, &n)); /* the first: a row holds its plan, and there may be thousands */
	if (n == 0 || (r->under_way && r->e.system->now - list[0].updated_at <= scrub_waits_us))
		return OK;
	TRY(duty_due(r->e.system, DUTY_deleted, SCRUB_AT_ONCE, &list, &n));
	struct erase_job *jobs = arena_alloc(r->e.system->arena, n * sizeof *jobs);
	enum err err = load_deleted(r, list, n, jobs, &loaded);
	if (err == OK)
		finish(r, jobs, loaded);
	for (size_t i = 0; i < loaded; i++)
		erase_job_free(&jobs[i]);
	return err;
}

struct purged {
	struct id tenant[TENANTS_AT_ONCE], duty[TENANTS_AT_ONCE];
	size_t n;
};

static enum err load_purged(struct scope *s, struct db_tx *tx, void *arg)
{
	struct purged *p = arg;
	auto_rows struct db_rows *r = NULL;
	p->n = 0;
	TRY(db_query(tx, &purged_tenants, DB_ARGS(db_v_int(TENANTS_AT_ONCE)), &r));
	for (; p->n < TENANTS_AT_ONCE && db_next(r); p->n++) {
		p->tenant[p->n] = db_id(r, 0);
		p->duty[p->n] = db_id(r, 1);
	}
	return db_rows_err(r);
}

static enum err finish_tenants(struct run *r)
{
	struct purged p;
	TRY(db_read(r->e.system, load_purged, &p));
	for (size_t i = 0; i < p.n; i++) {
		struct erase_job j;
		bool overtaken, gone = true;
		if (!take_step(r)) {
			r->more = true;
			return OK;
		}
		enum err err = erase_job_load(&j, &r->e, p.tenant[i], p.duty[i], &overtaken);
		if (err == OK)
			err = step_tenant_vanish(&j, &gone);
		if (err != OK)
			erase_step_failed(&j, err);
		r->more = r->more || (err == OK && !gone);
		erase_job_free(&j);
	}
	return OK;
}

/* ---- a run ---- */

/* Duties that failed before this process started: perhaps what was in their way has gone with the old one. */
static void retry_at_start(struct run *r)
{
	static atomic_flag done = ATOMIC_FLAG_INIT;
	struct duty *list;
	size_t n;
	if (atomic_flag_test_and_set(&done) || duty_due(r->e.system, DUTY_failed, 1000, &list, &n) != OK)
		return;
	for (size_t i = 0; i < n; i++) {
		struct scope t;
		scope_tenant(&t, r->e.system->arena, r->e.system->db, r->e.system->keeper, list[i].tenant);
		if (erasure_retry(&t, list[i].duty) != OK)
			log_event(LOG_WARN, "erasure_retry", "detail=\"%s\"", scope_detail(&t, ERR_CONFLICT));
	}
}

static void run_one(struct run *r, const struct erasure *e, void *list, size_t i)
{
	const struct duty *d = &((const struct duty *)list)[i];
	if (d->state != DUTY_scheduled || strcmp(d->subject_type, "tenant") == 0)
		run_duty(r, e, d->tenant, d->duty);
}

static enum err run_state(struct run *r, enum duty_state state)
{
	struct duty *list;
	size_t n;
	unsigned before = r->steps;
	TRY(duty_due(r->e.system, state, DUTIES_AT_ONCE, &list, &n));
	for_each(r, run_one, list, n);
	if (n == DUTIES_AT_ONCE && r->steps < before)
		r->more = true;
	return OK;
}

static enum err run_all(struct run *r, bool *ret_more)
{
	/* received twice: a person's erasure makes their devices' duties due */
	static const enum duty_state order[] = {DUTY_deleting, DUTY_suppressed, DUTY_scheduled, DUTY_received,
						DUTY_received};
	struct scope *s = r->e.system;
	size_t users = 0;
	*ret_more = false;
	retry_at_start(r);
	TRY(user_expire_deleted(s, USERS_AT_ONCE, &users));
	r->more = users == USERS_AT_ONCE;
	TRY(erasure_release_due(s));
	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
		TRY(run_state(r, order[i]));
	TRY(finish_tenants(r));
	TRY(finish_deleted(r));
	TRY(duty_alarms(s));
	TRY(restore_follow(s));
	*ret_more = r->more;
	return OK;
}

enum err erasure_run_steps(struct scope *s, const char *data_dir, const char *host, unsigned steps, bool *ret_more)
{
	struct run r = {.e = {.system = s, .data_dir = data_dir, .host = host}, .steps = steps};
	return run_all(&r, ret_more);
}

enum err erasure_run_due(struct scope *s, const char *data_dir, const char *host, bool *ret_more)
{
	struct run r = {.e = {.system = s, .data_dir = data_dir, .host = host}, .steps = STEPS_A_RUN};
	r.threads = db_engine(s->db) == DB_SQLITE ? THREADS : THREADS_SHARED;
	return run_all(&r, ret_more);
}
