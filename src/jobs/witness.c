/* SPDX-License-Identifier: Apache-2.0
 *
 * Each log has a target: the checkpoint that all witnesses are shown.  The next one becomes the target when all that answer have cosigned it, or
 * two seconds later: a quorum is reached at one checkpoint, so they must be shown the same ones, and yet none waits long for a slow one.
 *
 * Threads: one looks for new heads when something was committed; one for each witness takes the logs in turn.  What they share is under
 * `lock`, which nobody holds over a request or a statement.
 */
#include "jobs/witness.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/metrics.h"
#include "audit/log/log.h"
#include "audit/log/witness.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "jobs/lease.h"
#include "jobs/witness_call.h"

enum { LEASE_SECONDS = 30, PAGE = 256, RECOVERIES_MAX = 4 };
#define TARGET_US (2 * SECOND_US)         /* how long others wait for a slow witness */
#define LOOK_EVERY_US (SECOND_US / 10)    /* at most */
#define FIRST_ANSWERS_US (5 * SECOND_US)  /* at start, in all */
#define SLACK_US (10 * MINUTE_US)         /* heads become visible after the time that they carry, which is another server's */
#define LOST_MAX_US (60 * SECOND_US)
#define REFUSED_MAX_US HOUR_US

static const char LEASE[] = "witnesses";

struct head {
	uint64_t size;
	char *note; /* NULL: none */
};

struct view { /* one witness on one log */
	bool known, tried;
	uint64_t cosigned;    /* known: what it has, as it or the database said */
	uint64_t done;        /* the size of the target that it has been shown */
	int64_t retry_at;     /* monotonic */
	unsigned refusals;
	int64_t behind_since; /* 0: it has our newest */
};

struct log {
	struct id tenant;
	unsigned generation;
	struct head target, next;
	int64_t chosen_at; /* monotonic */
	struct view of[];
};

struct witness {
	struct witnesses *all;
	unsigned number;
	const struct policy_item *item;
	struct metrics_witness *counters;
	pthread_t thread;
	int64_t retry_at; /* monotonic: it gave no answer */
	unsigned failures;
	size_t turn; /* of the logs */
};

struct witnesses {
	struct server *srv;
	struct id holder;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t looker;
	atomic_bool stop;
	bool active; /* this server has the lease */
	uint64_t commits;
	int64_t looked_until;
	struct log **log;
	size_t logs;
	unsigned count;
	struct witness of[];
};

static void wait_until(struct witnesses *w, int64_t monotonic_us)
{
	struct timespec ts = {.tv_sec = monotonic_us / SECOND_US, .tv_nsec = monotonic_us % SECOND_US * 1000};
	pthread_cond_clockwait(&w->wake, &w->lock, CLOCK_MONOTONIC, &ts);
}

static int64_t back_off(int64_t first_us, unsigned times, int64_t most_us)
{
	int64_t us = first_us << (times < 12 ? times : 12);
	return us < most_us ? us : most_us;
}

/* ---- heads ---- */

static uint64_t newest(const struct log *l)
{
	return l->next.note != NULL ? l->next.size : l->target.size;
}

static bool may_be_waited_for(const struct witness *x, const struct log *l, int64_t now)
{
	const struct view *v = &l->of[x->number];
	return v->done != l->target.size && x->failures == 0 && v->retry_at <= now;
}

/* Makes the next checkpoint the target where it is time. */
static void promote(struct witnesses *w, struct log *l)
{
	int64_t now = clock_monotonic();
	if (l->next.note == NULL)
		return;
	if (l->target.note != NULL && now - l->chosen_at < TARGET_US)
		for (unsigned i = 0; i < w->count; i++)
			if (may_be_waited_for(&w->of[i], l, now))
				return;
	free(l->target.note);
	l->target = l->next;
	l->next.note = NULL;
	l->chosen_at = now;
	pthread_cond_broadcast(&w->wake);
}

static struct log *log_of(struct witnesses *w, struct id tenant)
{
	for (size_t i = 0; i < w->logs; i++)
		if (id_equal(w->log[i]->tenant, tenant))
			return w->log[i];
	struct log **grown = reallocarray(w->log, w->logs + 1, sizeof(struct log *));
	struct log *l = calloc(1, sizeof *l + w->count * sizeof l->of[0]);
	check(grown != NULL && l != NULL);
	w->log = grown;
	l->tenant = tenant;
	return w->log[w->logs++] = l;
}

static void forget(struct witnesses *w, struct log *l)
{
	free(l->target.note);
	free(l->next.note);
	l->target = l->next = (struct head){0};
	memset(l->of, 0, w->count * sizeof l->of[0]);
}

static void note_head(struct witnesses *w, const struct audit_signed *h)
{
	struct log *l = log_of(w, h->tenant);
	if (l->generation != h->generation)
		forget(w, l);
	l->generation = h->generation;
	if (h->size > newest(l)) {
		free(l->next.note);
		l->next = (struct head){.size = h->size, .note = strdup(h->checkpoint)};
		check(l->next.note != NULL);
		for (unsigned i = 0; i < w->count; i++)
			if (l->of[i].behind_since == 0)
				l->of[i].behind_since = clock_now();
	}
	promote(w, l);
}

static void measure(struct witnesses *w)
{
	for (unsigned i = 0; i < w->count; i++) {
		int64_t since = 0;
		for (size_t k = 0; k < w->logs; k++) {
			int64_t b = w->log[k]->of[i].behind_since;
			since = b != 0 && (since == 0 || b < since) ? b : since;
		}
		atomic_store(&w->of[i].counters->behind_since_us, w->active ? since : 0);
	}
}

/* Reads the heads that are new; all of them where this server has just become the one that shows them. */
static enum err look(struct witnesses *w, struct scope *s)
{
	bool held = true;
	struct audit_signed *page = arena_alloc(s->arena, PAGE * sizeof *page);
	struct id after = {{0}};
	size_t n;
	if (db_engine(w->srv->db) == DB_POSTGRES)
		TRY(lease_take(s, LEASE, w->holder, LEASE_SECONDS, &held, NULL));
	int64_t since = w->active && held ? w->looked_until - SLACK_US : 0;
	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < w->logs && !(w->active && held); i++)
		forget(w, w->log[i]); /* what another server has shown meanwhile is in the database */
	w->active = held;
	pthread_mutex_unlock(&w->lock);
	for (bool first = true; held && (first || n == PAGE); first = false) {
		struct arena_mark mark = arena_mark(s->arena);
		TRY(audit_signed_since(s, since, after, page, PAGE, &n));
		pthread_mutex_lock(&w->lock);
		for (size_t i = 0; i < n; i++)
			note_head(w, &page[i]);
		pthread_mutex_unlock(&w->lock);
		after = n > 0 ? page[n - 1].tenant : after;
		arena_rewind(s->arena, mark);
	}
	w->looked_until = s->now;
	return OK;
}

static void look_once(struct witnesses *w, struct arena *arena)
{
	struct scope s;
	scope_system(&s, arena, w->srv->db, w->srv->keeper);
	enum err err = look(w, &s);
	if (err != OK)
		log_event(LOG_ERROR, "witnesses_failed", "error=%s detail=\"%s\"", err_name(err), scope_detail(&s, err));
	arena_reset(arena);
}

/* On PostgreSQL another server may sign what this one shows: then no commit of ours says so. */
static void *looker_main(void *arg)
{
	struct witnesses *w = arg;
	struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
	uint64_t seen = 0;
	pthread_mutex_lock(&w->lock);
	while (!atomic_load(&w->stop)) {
		int64_t started = clock_monotonic();
		while (!atomic_load(&w->stop) && w->commits == seen && clock_monotonic() < started + SECOND_US)
			wait_until(w, started + SECOND_US);
		while (!atomic_load(&w->stop) && clock_monotonic() < started + LOOK_EVERY_US)
			wait_until(w, started + LOOK_EVERY_US);
		bool again = w->commits != seen || db_engine(w->srv->db) == DB_POSTGRES;
		seen = w->commits;
		pthread_mutex_unlock(&w->lock);
		if (again && !atomic_load(&w->stop))
			look_once(w, arena);
		pthread_mutex_lock(&w->lock);
		for (size_t i = 0; i < w->logs; i++)
			promote(w, w->log[i]);
		measure(w);
	}
	pthread_mutex_unlock(&w->lock);
	arena_free(arena);
	return NULL;
}

/* ---- showing ---- */

struct showing {
	struct log *log;
	struct id tenant;
	unsigned generation;
	uint64_t size, old_size;
	bool known;
	const char *note;
	struct witness_answer answer;
	bool passed; /* it has what we have, from a newer checkpoint than this one, or the log has gone on */
};

/* The next log whose target the witness has not been shown; NULL and when to look again. */
static struct log *pick(struct witness *x, int64_t *ret_when)
{
	struct witnesses *w = x->all;
	int64_t now = clock_monotonic();
	*ret_when = now + 60 * SECOND_US;
	for (size_t i = 0; w->active && i < w->logs; i++) {
		struct log *l = w->log[(x->turn + i) % w->logs];
		const struct view *v = &l->of[x->number];
		int64_t at = v->retry_at > x->retry_at ? v->retry_at : x->retry_at;
		if (l->target.note == NULL || v->done == l->target.size)
			continue;
		if (at <= now) {
			x->turn = (x->turn + i + 1) % w->logs;
			return l;
		}
		*ret_when = at < *ret_when ? at : *ret_when;
	}
	return NULL;
}

static enum err last_cosigned(struct scope *s, const struct witness *x, uint64_t *ret)
{
	struct audit_cosignature *last;
	size_t n;
	*ret = 0; /* then it will say itself */
	TRY(audit_cosignatures_last(s, &last, &n));
	for (size_t i = 0; i < n; i++)
		if (strcmp(last[i].witness, x->item->name) == 0)
			*ret = last[i].size;
	return OK;
}

static enum err submit(struct scope *s, struct witness *x, void *curl, struct showing *j)
{
	struct merkle_proof proof = {0};
	if (j->old_size > 0 && j->old_size < j->size)
		TRY(audit_consistency(s, j->old_size, j->size, &proof));
	witness_call(s, curl, x->item, j->old_size, &proof, j->note, &x->all->stop, &j->answer);
	return OK;
}

static enum err contradicts_itself(struct showing *j)
{
	j->answer.what = WITNESS_LOST;
	snprintf(j->answer.why, sizeof j->answer.why, "it names ever other sizes as the last that it saw");
	return OK;
}

/* It has seen more than we showed.  Either we have signed that meanwhile, or database and keeper are older than what it saw: asked once more,
 * with the newest that we have, it says so again. */
static enum err ahead(struct scope *s, struct witness *x, void *curl, struct showing *j)
{
	for (int round = 0;; round++) {
		struct audit_head_info head;
		uint64_t seen = j->answer.size;
		TRY(audit_head(s, &head));
		j->passed = head.generation != j->generation || head.signed_size >= seen || head.checkpoint == NULL;
		if (j->passed)
			return OK;
		if (round == 1)
			return audit_restored_by_witness(s, x->all->srv->host, j->generation, seen, x->item->name, NULL);
		j->note = head.checkpoint;
		j->size = j->old_size = head.signed_size;
		TRY(submit(s, x, curl, j));
		if (j->answer.what != WITNESS_ELSEWHERE)
			return OK;
		if (j->answer.size <= j->size)
			return contradicts_itself(j);
	}
}

static enum err show(struct scope *s, struct witness *x, void *curl, struct showing *j)
{
	if (!j->known)
		TRY(last_cosigned(s, x, &j->old_size));
	if (j->old_size > j->size)
		j->old_size = j->size; /* the database may be older than what it was told once */
	for (int i = 0; i < RECOVERIES_MAX; i++) {
		TRY(submit(s, x, curl, j));
		if (j->answer.what != WITNESS_ELSEWHERE)
			break;
		if (j->answer.size > j->size)
			return ahead(s, x, curl, j);
		j->old_size = j->answer.size;
	}
	if (j->answer.what == WITNESS_ELSEWHERE)
		return contradicts_itself(j);
	if (j->answer.what != WITNESS_SIGNED)
		return OK;
	return audit_cosignature_store(s, x->all->srv->policy, &(struct audit_cosignature){
		.generation = j->generation, .size = j->size, .witness = x->item->name, .checkpoint = j->note, .line = j->answer.line});
}

/* ---- what came of it; under the lock ---- */

static void lost(struct witness *x, const char *why)
{
	x->retry_at = clock_monotonic() + back_off(SECOND_US, x->failures++, LOST_MAX_US);
	atomic_fetch_add(&x->counters->failures, 1);
	log_event(LOG_WARN, "witness_lost", "witness=\"%s\" times=%u detail=\"%s\"", x->item->name, x->failures, why);
}

static void refused(struct witness *x, struct view *v, const struct showing *j)
{
	char tenant[ID_TEXT];
	v->retry_at = clock_monotonic() + back_off(5 * SECOND_US, v->refusals++, REFUSED_MAX_US);
	atomic_fetch_add(&x->counters->failures, 1);
	log_event(LOG_ERROR, "witness_refused", "witness=\"%s\" log=%s generation=%u size=%" PRIu64 " detail=\"%s\"", x->item->name,
		  id_format(j->tenant, tenant), j->generation, j->size, j->answer.why);
}

static void answered(struct witness *x, const struct log *l, struct view *v, const struct showing *j)
{
	if (x->failures > 0)
		log_event(LOG_INFO, "witness_back", "witness=\"%s\"", x->item->name);
	x->failures = 0;
	v->known = true;
	v->cosigned = j->passed ? j->answer.size : j->size;
	v->done = j->size;
	v->refusals = 0;
	if (v->cosigned >= newest(l))
		v->behind_since = 0;
	if (!j->passed)
		atomic_fetch_add(&x->counters->cosignatures, 1);
}

static void settle(struct witness *x, const struct showing *j, enum err err, const char *detail)
{
	struct log *l = j->log;
	struct view *v = &l->of[x->number];
	if (l->generation != j->generation || l->target.note == NULL)
		return;
	v->tried = true;
	if (err != OK) {
		log_event(LOG_ERROR, "witness_failed", "witness=\"%s\" error=%s detail=\"%s\"", x->item->name, err_name(err), detail);
		v->retry_at = clock_monotonic() + back_off(SECOND_US, v->refusals++, REFUSED_MAX_US);
	} else if (j->passed || j->answer.what == WITNESS_SIGNED) {
		answered(x, l, v, j);
	} else if (j->answer.what == WITNESS_REFUSED) {
		refused(x, v, j);
	} else if (j->answer.what == WITNESS_LOST && !atomic_load(&x->all->stop)) {
		lost(x, j->answer.why);
	} else {
		v->retry_at = clock_monotonic() + SECOND_US; /* the log was given a new origin, or the server stops */
	}
	promote(x->all, l);
}

static void one_turn(struct witness *x, struct arena *arena, void *curl, struct log *l)
{
	struct witnesses *w = x->all;
	struct view *v = &l->of[x->number];
	struct showing j = {.log = l, .tenant = l->tenant, .generation = l->generation, .size = l->target.size, .old_size = v->cosigned,
			    .known = v->known, .note = arena_strdup(arena, l->target.note)};
	struct scope s;
	pthread_mutex_unlock(&w->lock);
	scope_tenant(&s, arena, w->srv->db, w->srv->keeper, j.tenant);
	enum err err = show(&s, x, curl, &j);
	pthread_mutex_lock(&w->lock);
	settle(x, &j, err, scope_detail(&s, err));
	pthread_cond_broadcast(&w->wake); /* the start may wait for it */
	arena_reset(arena);
}

static void *witness_main(void *arg)
{
	struct witness *x = arg;
	struct witnesses *w = x->all;
	struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
	CURL *curl = curl_easy_init();
	int64_t when;
	check(curl != NULL);
	pthread_mutex_lock(&w->lock);
	while (!atomic_load(&w->stop)) {
		struct log *l = pick(x, &when);
		if (l != NULL)
			one_turn(x, arena, curl, l);
		else
			wait_until(w, when);
	}
	pthread_mutex_unlock(&w->lock);
	curl_easy_cleanup(curl);
	arena_free(arena);
	return NULL;
}

/* ---- life ---- */

static bool all_tried(const struct witnesses *w)
{
	for (size_t k = 0; k < w->logs; k++)
		for (unsigned i = 0; i < w->count; i++)
			if (w->log[k]->target.note != NULL && !w->log[k]->of[i].tried && w->of[i].failures == 0)
				return false;
	return true;
}

static unsigned count_witnesses(const struct policy *p)
{
	unsigned n = 0;
	for (unsigned i = 0; p != NULL && i < p->n; i++)
		n += p->item[i].kind == POLICY_WITNESS && p->item[i].url != NULL;
	return n;
}

static void fill(struct witnesses *w)
{
	const struct policy *p = w->srv->policy;
	struct metrics *m = w->srv->metrics;
	for (unsigned i = 0; i < p->n; i++) {
		if (p->item[i].kind != POLICY_WITNESS || p->item[i].url == NULL)
			continue;
		m->witness[w->count].name = p->item[i].name;
		w->of[w->count] = (struct witness){.all = w, .number = w->count, .item = &p->item[i], .counters = &m->witness[w->count]};
		w->count++;
	}
	m->witnesses = w->count;
}

struct witnesses *witnesses_start(struct server *srv, struct id holder)
{
	unsigned n = count_witnesses(srv->policy);
	if (n == 0)
		return NULL;
	check(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
	struct witnesses *w = calloc(1, sizeof *w + n * sizeof w->of[0]);
	check(w != NULL);
	w->srv = srv;
	w->holder = holder;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	fill(w);
	struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
	look_once(w, arena);
	arena_free(arena);
	for (unsigned i = 0; i < w->count; i++)
		check(pthread_create(&w->of[i].thread, NULL, witness_main, &w->of[i]) == 0);
	pthread_mutex_lock(&w->lock);
	for (int64_t end = clock_monotonic() + FIRST_ANSWERS_US; !all_tried(w) && clock_monotonic() < end;)
		wait_until(w, end);
	pthread_mutex_unlock(&w->lock);
	check(pthread_create(&w->looker, NULL, looker_main, w) == 0);
	return w;
}

void witnesses_wake(struct witnesses *w)
{
	if (w == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	w->commits++;
	pthread_cond_broadcast(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

static void give_lease(struct witnesses *w)
{
	struct scope s;
	struct arena *arena = arena_new(MIB);
	scope_system(&s, arena, w->srv->db, w->srv->keeper);
	lease_give(&s, LEASE, w->holder);
	arena_free(arena);
}

void witnesses_stop(struct witnesses *w)
{
	if (w == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	atomic_store(&w->stop, true);
	pthread_cond_broadcast(&w->wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->looker, NULL);
	for (unsigned i = 0; i < w->count; i++)
		pthread_join(w->of[i].thread, NULL);
	if (w->active && db_engine(w->srv->db) == DB_POSTGRES)
		give_lease(w);
	for (size_t i = 0; i < w->logs; i++) {
		forget(w, w->log[i]);
		free(w->log[i]);
	}
	free(w->log);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
