/* SPDX-License-Identifier: Apache-2.0
 *
 * What a sink's thread does: rounds of reading, delivering and confirming.  The cursor in the database is the only truth: a thread remembers
 * nothing that a crash may not take, but for events that the filter passed over, which are saved at most once a second.
 */
#include <string.h>
#include <time.h>

#include "api/metrics.h"
#include "audit/log/log.h"
#include "audit/out/format.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "jobs/lease.h"
#include "jobs/sinks_internal.h"
#include "resource/tables.h"

enum {
	LEASE_SECONDS = 15, /* a round may take longer: then another server may send the same again, and one of them moves the cursor */
	BACKOFF_STEPS = 9,   /* 2^9 s is past the longest pause */
};
#define LEASE_RENEW_US (5 * SECOND_US)
#define LEASE_RETRY_US (5 * SECOND_US)
#define SAVE_EVERY_US SECOND_US
#define IDLE_US (60 * SECOND_US)
#define BACKOFF_MAX_US (5 * MINUTE_US)
#define LOUD_AFTER_US (5 * MINUTE_US)
#define RETRY_AFTER_MAX_US HOUR_US

static const struct {
	enum err (*deliver)(struct delivery *d);
	struct audit_sink_limits most;
	int64_t pace_us; /* between rounds that were not full */
} KINDS[SINK_KINDS] = {
	[SINK_FILE] = {sink_to_file, {256, MIB}, 0},
	[SINK_SYSLOG] = {sink_to_syslog, {256, MIB}, SECOND_US},
	[SINK_WEBHOOK] = {sink_to_webhook, {100, 512 * KIB}, 0},
};

/* Of one thread; nobody else looks. */
struct runner {
	struct sink_thread *t;
	struct sinks *all;
	struct arena *arena;
	void *kept;
	char id[ID_TEXT];
	enum sink_kind kind;
	int64_t until;               /* when it looks without being woken */
	int64_t not_before;          /* being woken does not shorten this, but a changed row does */
	bool over;                   /* the row is gone or switched off */
	size_t fewer;                /* events at once, as the receiver wanted; 0: as many as the kind allows */
	uint64_t cursor;             /* that this stands on: */
	uint64_t passed, expired;    /* how far the filter passed over events that were not saved yet, and how many were gone */
	int64_t saved_at, lease_at;
	int64_t retry_after_us;      /* the pause that the receiver asked for; 0: none */
	unsigned failures;           /* in a row, of this process */
	int64_t failing_since, loud_at;
};

int64_t sink_backoff_us(unsigned failures, uint32_t random)
{
	int64_t pause = BACKOFF_MAX_US;
	if (failures < BACKOFF_STEPS + 1)
		pause = SECOND_US << (failures > 0 ? failures - 1 : 0);
	if (pause > BACKOFF_MAX_US)
		pause = BACKOFF_MAX_US;
	pause -= (int64_t)((uint64_t)pause / 4 * random >> 32);
	return pause < SECOND_US ? SECOND_US : pause;
}

enum err sink_render(struct delivery *d, const struct audit_sink_event *e, struct buf *out)
{
	if (!d->sink->ocsf) {
		buf_add(out, e->bytes, e->n);
		return OK;
	}
	TRY(audit_format_event(d->s, AUDIT_OCSF, e->index, e->bytes, e->n, out));
	if (!out->failed && out->len > 0 && out->data[out->len - 1] == '\n')
		out->data[--out->len] = '\0';
	return OK;
}

/* ---- being loud ---- */

static void say_failure(struct runner *q, const char *why)
{
	int64_t now = clock_monotonic();
	bool first = q->failures++ == 0, loud = false;
	if (first)
		q->failing_since = now;
	if (now - q->failing_since >= LOUD_AFTER_US && (q->loud_at == 0 || now - q->loud_at >= HOUR_US)) {
		q->loud_at = now;
		loud = true;
	}
	if (first || loud)
		log_event(loud ? LOG_ERROR : LOG_WARN, "sink_failing", "sink=%s kind=%s failures=%u seconds=%lld reason=\"%s\"", q->id,
			  sink_kind_name(q->kind), q->failures, (long long)((now - q->failing_since) / SECOND_US), why);
}

static void say_success(struct runner *q)
{
	if (q->failures > 0)
		log_event(LOG_INFO, "sink_recovered", "sink=%s kind=%s failures=%u", q->id, sink_kind_name(q->kind), q->failures);
	q->failures = 0;
	q->loud_at = 0;
}

/* ---- a round ---- */

static enum err filter_of(struct scope *s, const struct audit_sink *sink, struct audit_sink_filter *ret)
{
	struct resource_condition c;
	*ret = (struct audit_sink_filter){0};
	if (sink->filter == NULL)
		return OK;
	TRY(resource_condition(s, &RES_AUDIT_EVENT, API_V1, sink->filter, AUDIT_SINK_FIRST_PARAM, &c));
	*ret = (struct audit_sink_filter){c.sql, c.args, c.arg_count};
	return OK;
}

/* Whether this server delivers: where several share a database one of them holds the sink's lease. */
static enum err take_lease(struct runner *q, bool *ret_held)
{
	struct scope s;
	*ret_held = true;
	if (db_engine(q->all->srv->db) != DB_POSTGRES || (q->lease_at != 0 && clock_monotonic() - q->lease_at < LEASE_RENEW_US))
		return OK;
	scope_system(&s, q->arena, q->all->srv->db, q->all->srv->keeper);
	TRY(lease_take(&s, arena_printf(q->arena, "sink/%s", q->id), q->all->holder, LEASE_SECONDS, ret_held, NULL));
	q->lease_at = *ret_held ? clock_monotonic() : 0;
	return OK;
}

static enum err save(struct runner *q, struct scope *s, const struct audit_sink_progress *p)
{
	bool moved;
	struct metrics *m = q->all->srv->metrics;
	TRY(audit_sink_confirm(s, q->t->sink, p, &moved));
	q->passed = q->expired = 0;
	q->saved_at = clock_monotonic();
	if (!moved)
		return OK; /* another server was there: look again */
	atomic_fetch_add(&m->sinks[q->kind].delivered, p->delivered);
	atomic_fetch_add(&m->sink_events_expired, p->expired);
	if (p->expired > 0)
		log_event(LOG_ERROR, "sink_events_expired", "sink=%s kind=%s events=%llu before_index=%llu", q->id, sink_kind_name(q->kind),
			  (unsigned long long)p->expired, (unsigned long long)p->next);
	return OK;
}

static enum err deliver(struct runner *q, struct scope *s, const struct audit_sink *sink, const struct audit_sink_page *page)
{
	struct sinks *a = q->all;
	struct delivery d = {.s = s, .srv = a->srv, .sink = sink, .page = page, .wake_fd = a->stop_fd, .stop = &a->stop, .kept = &q->kept,
			     .origin = audit_origin_of(s->arena, a->srv->host, s->tenant, sink->generation)};
	enum err e = KINDS[q->kind].deliver(&d);
	if (d.fewer > 0)
		q->fewer = d.fewer;
	q->retry_after_us = d.retry_after_us < RETRY_AFTER_MAX_US ? d.retry_after_us : RETRY_AFTER_MAX_US;
	return e;
}

/* Nothing to deliver in this stretch: how far that is, saved now and then. */
static enum err pass_over(struct runner *q, struct scope *s, const struct audit_sink *sink, const struct audit_sink_page *page)
{
	if (page->next == sink->next_index)
		return OK;
	q->cursor = sink->next_index;
	q->passed = page->next;
	q->expired += page->expired;
	if (clock_monotonic() - q->saved_at < SAVE_EVERY_US) {
		q->until = q->saved_at + SAVE_EVERY_US;
		return OK;
	}
	return save(q, s, &(struct audit_sink_progress){.from = q->cursor, .next = q->passed, .expired = q->expired});
}

static enum err next_page(struct runner *q, struct scope *s, const struct audit_sink *sink, struct audit_sink_page *ret)
{
	struct audit_sink_filter filter;
	struct audit_sink_limits most = KINDS[q->kind].most;
	if (q->fewer > 0)
		most.events = q->fewer;
	if (q->cursor != sink->next_index)
		q->passed = q->expired = 0;
	TRY(filter_of(s, sink, &filter));
	return audit_sink_page(s, q->passed > sink->next_index ? q->passed : sink->next_index, &filter, most, ret);
}

static enum err run(struct runner *q, struct scope *s, bool *ret_more)
{
	struct audit_sink sink;
	struct audit_sink_page page;
	bool held;
	enum err e = audit_sink_load(s, q->t->sink, &sink);
	q->over = e == ERR_NOT_FOUND || (e == OK && !sink.enabled);
	if (q->over || e != OK)
		return q->over ? OK : e;
	q->kind = sink.kind;
	TRY(next_page(q, s, &sink, &page));
	*ret_more = page.next < page.size;
	if (page.count == 0)
		return pass_over(q, s, &sink, &page);
	TRY(take_lease(q, &held));
	if (!held) {
		*ret_more = false;
		q->not_before = clock_monotonic() + LEASE_RETRY_US;
		q->until = q->not_before;
		return OK;
	}
	TRY(deliver(q, s, &sink, &page));
	say_success(q);
	if (!*ret_more)
		q->not_before = clock_monotonic() + KINDS[q->kind].pace_us;
	return save(q, s, &(struct audit_sink_progress){.from = sink.next_index, .next = page.next, .delivered = page.count,
							.expired = q->expired + page.expired});
}

static void fail(struct runner *q, struct scope *s, enum err e)
{
	struct scope t;
	uint32_t random;
	if (q->all->stop)
		return; /* it was told to */
	const char *why = scope_detail(s, e);
	say_failure(q, why);
	atomic_fetch_add(&q->all->srv->metrics->sinks[q->kind].failures, 1);
	scope_tenant(&t, q->arena, q->all->srv->db, q->all->srv->keeper, q->t->tenant);
	if (audit_sink_failed(&t, q->t->sink, why) != OK)
		log_event(LOG_ERROR, "sink_not_updated", "sink=%s", q->id);
	random_bytes(&random, sizeof random);
	int64_t pause = q->retry_after_us > 0 ? q->retry_after_us : sink_backoff_us(q->failures, random);
	q->retry_after_us = 0;
	q->not_before = q->until = clock_monotonic() + pause;
}

/* True: there is more to do at once. */
static bool round_of(struct runner *q)
{
	struct scope s;
	bool more = false;
	scope_tenant(&s, q->arena, q->all->srv->db, q->all->srv->keeper, q->t->tenant);
	q->until = clock_monotonic() + IDLE_US;
	enum err e = run(q, &s, &more);
	if (e != OK) {
		fail(q, &s, e);
		more = false;
	}
	arena_reset(q->arena);
	return more;
}

/* ---- the thread ---- */

/* Until there is something to look at.  False: the thread shall end. */
static bool wait_for_work(struct runner *q, bool more)
{
	struct sink_thread *t = q->t;
	bool go_on;
	pthread_mutex_lock(&q->all->lock);
	for (;;) {
		int64_t now = clock_monotonic(), until = t->look && q->not_before < q->until ? q->not_before : q->until;
		go_on = !t->leave && !q->all->stop;
		if (!go_on || more || t->changed || now >= until)
			break;
		struct timespec ts = {.tv_sec = until / SECOND_US, .tv_nsec = until % SECOND_US * 1000};
		pthread_cond_clockwait(&t->wake, &q->all->lock, CLOCK_MONOTONIC, &ts);
	}
	t->look = t->changed = false;
	pthread_mutex_unlock(&q->all->lock);
	return go_on;
}

static void end(struct runner *q)
{
	struct sinks *a = q->all;
	struct scope s;
	if (q->lease_at != 0) {
		scope_system(&s, q->arena, a->srv->db, a->srv->keeper);
		lease_give(&s, arena_printf(q->arena, "sink/%s", q->id), a->holder);
	}
	sink_webhook_forget(q->kept);
	arena_free(q->arena);
	pthread_mutex_lock(&a->lock);
	q->t->ended = true;
	a->commits++; /* to be joined */
	pthread_cond_signal(&a->wake);
	pthread_mutex_unlock(&a->lock);
}

void *sink_thread_main(void *thread)
{
	struct sink_thread *t = thread;
	struct runner q = {.t = t, .all = t->all, .arena = arena_new(LIMIT_ARENA_BYTES)};
	bool more = false;
	id_format(t->sink, q.id);
	while (!q.over && wait_for_work(&q, more))
		more = round_of(&q);
	end(&q);
	return NULL;
}
