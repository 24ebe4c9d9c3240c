/* SPDX-License-Identifier: Apache-2.0
 * Windows in a hash table of fixed size.  A key may stand in any of PROBES places behind its own. */
#include "api/throttle.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"

enum counted { COUNT_ANY, COUNT_WRITES };
enum key { KEY_APPLICATION, KEY_TENANT, KEY_USER, KEY_ADDRESS };
enum class {
	CLASS_devices,
	CLASS_exportJobs,
	CLASS_directory,
	CLASS_scim,
	CLASS_signIn,
};

static const struct {
	enum class class;
	const char *path;
} PATHS[] = {
#define THROTTLED(class_, path_) {CLASS_##class_, path_},
#define THROTTLE(class_, counted_, key_, requests_, seconds_)
#include "api/throttles.def"
#undef THROTTLED
#undef THROTTLE
};

static const struct row {
	enum class class;
	enum counted counted;
	enum key key;
	unsigned requests, seconds;
	const char *what;
} ROWS[] = {
#define THROTTLED(class_, path_)
#define THROTTLE(class_, counted_, key_, requests_, seconds_) \
	{CLASS_##class_, COUNT_##counted_, KEY_##key_, requests_, seconds_, #class_ ", " #counted_ " by " #key_ " in " #seconds_ " s"},
#include "api/throttles.def"
#undef THROTTLED
#undef THROTTLE
};

enum {
	PATH_COUNT = sizeof PATHS / sizeof PATHS[0],
	ROW_COUNT = sizeof ROWS / sizeof ROWS[0],
	WINDOWS = 4096,
	PROBES = 8,
};

struct window {
	struct id tenant, who;
	uint32_t row_number; /* from 1; 0: a free place */
	uint32_t count;
	int64_t began, told;
};

struct throttle {
	pthread_mutex_t lock;
	double factor;
	struct window window[WINDOWS];
	uint64_t refused[ROW_COUNT];
};

bool throttle_new(const char *text, struct throttle **ret)
{
	char *end;
	double factor = 1;
	*ret = NULL;
	if (strcmp(text, "off") == 0)
		return true;
	if (strcmp(text, "graph") != 0) {
		errno = 0;
		factor = strtod(text, &end);
		if (errno != 0 || end == text || *end != '\0' || !(factor >= 0.001 && factor <= 100000))
			return false;
	}
	*ret = calloc(1, sizeof **ret);
	check(*ret != NULL);
	pthread_mutex_init(&(*ret)->lock, NULL);
	(*ret)->factor = factor;
	return true;
}

void throttle_free(struct throttle *t)
{
	if (t != NULL)
		pthread_mutex_destroy(&t->lock);
	free(t);
}

/* ---- what a request counts for ---- */

static bool in_class(const char *path, enum class class)
{
	for (size_t i = 0; i < PATH_COUNT; i++) {
		size_t n = strlen(PATHS[i].path);
		if (PATHS[i].class == class && strncmp(PATHS[i].path, path, n) == 0 && (path[n] == '/' || path[n] == '\0'))
			return true;
	}
	return false;
}

static bool counts(const struct row *r, const struct throttle_request *q)
{
	if (r->counted == COUNT_WRITES && strcmp(q->method, "GET") == 0)
		return false;
	if ((r->key == KEY_ADDRESS) != q->anonymous)
		return false;
	if (r->key != KEY_TENANT && r->key != KEY_ADDRESS && q->person != (r->key == KEY_USER))
		return false;
	return in_class(q->path, r->class);
}

static unsigned allowed(const struct throttle *t, const struct row *r)
{
	double n = r->requests * t->factor;
	return n < 1 ? 1 : (unsigned)n;
}

/* ---- windows ---- */

static bool is_over(const struct window *w, int64_t now)
{
	return w->row_number == 0 || now - w->began >= (int64_t)ROWS[w->row_number - 1].seconds * SECOND_US;
}

static uint64_t hash(uint32_t row_number, struct id tenant, struct id who)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325) ^ row_number;
	for (size_t i = 0; i < sizeof tenant.b; i++)
		h = ((h ^ tenant.b[i]) * UINT64_C(0x100000001b3) ^ who.b[i]) * UINT64_C(0x100000001b3);
	return h ^ h >> 29;
}

/* The key's window, or the place for a new one: a free one, one that is over, the oldest. */
static struct window *window_of(struct throttle *t, uint32_t row_number, const struct throttle_request *q)
{
	struct id who = ROWS[row_number - 1].key == KEY_TENANT ? (struct id){{0}} : q->actor;
	uint64_t at = hash(row_number, q->tenant, who);
	struct window *best = NULL;
	for (unsigned i = 0; i < PROBES; i++) {
		struct window *w = &t->window[(at + i) % WINDOWS];
		if (w->row_number == row_number && id_equal(w->tenant, q->tenant) && id_equal(w->who, who))
			return w;
		if (best == NULL || (!is_over(best, q->now) && (is_over(w, q->now) || w->began < best->began)))
			best = w;
	}
	*best = (struct window){.tenant = q->tenant, .who = who, .row_number = row_number, .began = q->now, .told = INT64_MIN};
	return best;
}

static struct throttle_answer refuse(const struct throttle *t, const struct row *r, struct window *w, int64_t now)
{
	int64_t left = w->began + (int64_t)r->seconds * SECOND_US - now;
	struct throttle_answer a = {.retry_after = (unsigned)((left + SECOND_US - 1) / SECOND_US), .what = r->what, .requests = allowed(t, r)};
	a.tell = w->told == INT64_MIN || now - w->told >= MINUTE_US;
	if (a.tell)
		w->told = now;
	return a;
}

struct throttle_answer throttle_take(struct throttle *t, const struct throttle_request *q)
{
	struct window *mine[ROW_COUNT];
	struct throttle_answer answer = {0};
	size_t n = 0;
	if (t == NULL)
		return answer;
	pthread_mutex_lock(&t->lock);
	for (uint32_t i = 0; i < ROW_COUNT && answer.retry_after == 0; i++) {
		if (!counts(&ROWS[i], q))
			continue;
		struct window *w = window_of(t, i + 1, q);
		if (is_over(w, q->now)) {
			w->began = q->now;
			w->count = 0;
		}
		if (w->count >= allowed(t, &ROWS[i]))
			answer = refuse(t, &ROWS[i], w, q->now), t->refused[i]++;
		mine[n++] = w;
	}
	for (size_t i = 0; answer.retry_after == 0 && i < n; i++)
		mine[i]->count++;
	pthread_mutex_unlock(&t->lock);
	return answer;
}

bool throttle_refused(struct throttle *t, size_t i, const char **ret_what, uint64_t *ret)
{
	if (t == NULL || i >= ROW_COUNT)
		return false;
	pthread_mutex_lock(&t->lock);
	*ret_what = ROWS[i].what;
	*ret = t->refused[i];
	pthread_mutex_unlock(&t->lock);
	return true;
}
