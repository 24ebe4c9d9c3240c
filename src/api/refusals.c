/* SPDX-License-Identifier: Apache-2.0
 * A table of fixed size, emptied every minute. */
#include "api/refusals.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "http/address.h"

enum { KINDS = 8, WHY_BYTES = 80 }; /* kinds of refusal told apart in one source; the last takes what is left */

struct kind {
	int status;
	char why[WHY_BYTES];
	uint64_t count;
};

struct source {
	struct address address;
	bool known; /* has an address */
	uint64_t count;
	int64_t first, last;
	struct kind kind[KINDS];
};

struct table {
	struct source source[REFUSAL_SOURCES + 1]; /* the last: all others */
	size_t n;                                  /* of the table's own */
	int64_t first;                             /* when the first was counted; 0: nothing was */
};

static struct {
	pthread_mutex_t lock;
	struct table t;
	int64_t day;      /* of the events counted here */
	int64_t written;  /* events of single sources today */
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- counting ---- */

static bool read_address(const char *text, struct address *ret)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	*ret = (struct address){{0}};
	if (text == NULL || !address_parse(text, strlen(text), ret))
		return false;
	if (memcmp(ret->b, mapped, sizeof mapped) != 0)
		memset(ret->b + 8, 0, 8);
	return true;
}

static void add_kind(struct source *s, int status, const char *why, uint64_t count)
{
	size_t i = 0;
	while (i < KINDS - 1 && s->kind[i].count > 0 && (s->kind[i].status != status || strncmp(s->kind[i].why, why, WHY_BYTES - 1) != 0))
		i++;
	if (s->kind[i].count == 0) {
		s->kind[i].status = i < KINDS - 1 ? status : 0;
		snprintf(s->kind[i].why, WHY_BYTES, "%s", i < KINDS - 1 ? why : "other reasons");
	}
	s->kind[i].count += count;
}

/* The source's own place, a new one, or the common one. */
static struct source *place_of(struct table *t, const struct address *a, bool known)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->source[i].known == known && address_equal(&t->source[i].address, a))
			return &t->source[i];
	struct source *s = &t->source[t->n < REFUSAL_SOURCES ? t->n++ : REFUSAL_SOURCES];
	if (s != &t->source[REFUSAL_SOURCES])
		*s = (struct source){.address = *a, .known = known};
	return s;
}

static void add_times(struct source *s, int64_t first, int64_t last)
{
	s->first = s->first == 0 || first < s->first ? first : s->first;
	s->last = last > s->last ? last : s->last;
}

static void merge(struct source *into, const struct source *from)
{
	into->count += from->count;
	add_times(into, from->first, from->last);
	for (size_t i = 0; i < KINDS; i++)
		if (from->kind[i].count > 0)
			add_kind(into, from->kind[i].status, from->kind[i].why, from->kind[i].count);
}

void refusals_count(const char *source, int status, const char *why, int64_t now)
{
	struct address a;
	bool known = read_address(source, &a);
	pthread_mutex_lock(&all.lock);
	struct source *s = place_of(&all.t, &a, known);
	all.t.first = all.t.first == 0 ? now : all.t.first;
	s->count++;
	add_times(s, now, now);
	add_kind(s, status, why, 1);
	pthread_mutex_unlock(&all.lock);
}

/* ---- writing ---- */

/* NULL: of all others. */
static const char *source_name(struct arena *a, const struct source *s)
{
	static const uint8_t none[8];
	char text[ADDRESS_TEXT];
	if (s == NULL)
		return "other sources";
	if (!s->known)
		return "local";
	address_format(&s->address, text);
	bool network = strchr(text, ':') != NULL && memcmp(s->address.b + 8, none, sizeof none) == 0;
	return arena_printf(a, "%s%s", text, network ? "/64" : "");
}

static struct audit_change *changes_of(struct scope *s, const struct source *from, const char *name)
{
	struct audit_change *list = NULL, **tail = &list;
	char number[24], time[TIME_TEXT];
	const char *kinds = "";
	for (size_t i = 0; i < KINDS && from->kind[i].count > 0; i++) {
		const struct kind *k = &from->kind[i];
		const char *status = k->status > 0 ? arena_printf(s->arena, "%d ", k->status) : "";
		kinds = arena_printf(s->arena, "%s%s%s%s: %" PRIu64, kinds, i > 0 ? "; " : "", status, k->why, k->count);
	}
	tail = audit_change_add(s->arena, tail, "source", NULL, NULL, NULL, name);
	snprintf(number, sizeof number, "%" PRIu64, from->count);
	tail = audit_change_add(s->arena, tail, "count", NULL, NULL, NULL, number);
	tail = audit_change_add(s->arena, tail, "kinds", NULL, NULL, NULL, kinds);
	tail = audit_change_add(s->arena, tail, "firstDateTime", NULL, NULL, NULL, time_format(from->first, time));
	audit_change_add(s->arena, tail, "lastDateTime", NULL, NULL, NULL, time_format(from->last, time));
	return list;
}

static enum err record_all(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct table *t = arg;
	for (size_t i = 0; i <= REFUSAL_SOURCES; i++) {
		const struct source *from = &t->source[i];
		if (from->count == 0)
			continue;
		const char *name = source_name(s->arena, i < REFUSAL_SOURCES ? from : NULL);
		s->actor = (struct actor){.type = ACTOR_ANONYMOUS, .ip = i < REFUSAL_SOURCES ? name : NULL};
		TRY(audit_record(tx, &(struct audit_event){.activity = ACT_REFUSALS, .resource_type = "Request",
							    .changes = changes_of(s, from, name), .failure = "refused before sign-in"}));
	}
	return OK;
}

static int busiest_first(const void *a, const void *b)
{
	const struct source *x = a, *y = b;
	return x->count < y->count ? 1 : x->count > y->count ? -1 : 0;
}

/* Takes what was counted and leaves the events that may be written: the rest goes into the last place.  How many are of single sources. */
static int64_t take(struct table *ret, int64_t now)
{
	pthread_mutex_lock(&all.lock);
	*ret = all.t;
	all.t = (struct table){.n = 0};
	if (all.day != now / DAY_US)
		all.written = 0;
	all.day = now / DAY_US;
	int64_t room = REFUSAL_EVENTS_A_DAY - all.written;
	pthread_mutex_unlock(&all.lock);
	struct source *others = &ret->source[REFUSAL_SOURCES];
	qsort(ret->source, ret->n, sizeof ret->source[0], busiest_first);
	size_t most = room < REFUSAL_EVENTS ? (size_t)room : REFUSAL_EVENTS, n = ret->n < most ? ret->n : most;
	for (size_t i = n; i < ret->n; i++) {
		merge(others, &ret->source[i]);
		ret->source[i] = (struct source){.count = 0};
	}
	return (int64_t)n;
}

static void give_back(const struct table *t)
{
	pthread_mutex_lock(&all.lock);
	all.t.first = t->first;
	for (size_t i = 0; i < REFUSAL_SOURCES; i++)
		if (t->source[i].count > 0)
			merge(place_of(&all.t, &t->source[i].address, t->source[i].known), &t->source[i]);
	if (t->source[REFUSAL_SOURCES].count > 0)
		merge(&all.t.source[REFUSAL_SOURCES], &t->source[REFUSAL_SOURCES]);
	pthread_mutex_unlock(&all.lock);
}

static bool is_due(int64_t until)
{
	pthread_mutex_lock(&all.lock);
	bool due = all.t.first != 0 && all.t.first <= until;
	pthread_mutex_unlock(&all.lock);
	return due;
}

enum err refusals_flush(struct scope *s, int64_t age)
{
	static const struct id installation;
	struct scope log;
	if (!is_due(s->now - age))
		return OK;
	struct table *t = arena_alloc(s->arena, sizeof *t);
	int64_t written = take(t, s->now);
	scope_tenant(&log, s->arena, s->db, s->keeper, installation);
	enum err err = db_write(&log, record_all, t);
	if (err != OK) {
		give_back(t);
		return scope_fail(s, err, "%s", scope_detail(&log, err));
	}
	pthread_mutex_lock(&all.lock);
	all.written += written;
	pthread_mutex_unlock(&all.lock);
	return OK;
}
