/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits of public pages: counters in memory, each for a window of time.  A key's counter is found by its keyed digest in a table of fixed size;
 * two keys that meet there share it, so that nobody fills the memory, and at worst somebody is told to wait who need not.
 */
#include <pthread.h>
#include <string.h>

#include "api/public/page.h"
#include "base/clock.h"
#include "http/address.h"

enum { COUNTERS = 16384 };

static const struct {
	unsigned most;
	int64_t window_us;
	const char *name;
} LIMITS[PAGE_LIMITS] = {
	[LIMIT_PAGES] = {240, MINUTE_US, "pages, ANY by ADDRESS"},
	[LIMIT_INTAKE] = {20, HOUR_US, "pages, requests opened by ADDRESS"},
	[LIMIT_INTAKE_TENANT] = {200, HOUR_US, "pages, requests opened by TENANT"},
	[LIMIT_INTAKE_MAIL] = {3, HOUR_US, "pages, requests opened by mail address"},
	[LIMIT_CODES] = {30, HOUR_US, "pages, codes by ADDRESS"},
	[LIMIT_ATTEMPTS] = {60, HOUR_US, "pages, codes entered by ADDRESS"},
	[LIMIT_DEVICE_CODES] = {30, 15 * MINUTE_US, "pages, device codes by ADDRESS"},
	[LIMIT_USER_CODES] = {5, 15 * MINUTE_US, "pages, device codes entered by session"},
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	int64_t began;
	unsigned n;
} counters[COUNTERS];
static uint64_t refused[PAGE_LIMITS];

/* Seconds to wait; 0: it is within the limit. */
static unsigned take(enum page_limit limit, size_t slot)
{
	int64_t now = clock_monotonic(), window = LIMITS[limit].window_us;
	unsigned wait = 0;
	pthread_mutex_lock(&lock);
	if (counters[slot].n == 0 || now - counters[slot].began >= window) {
		counters[slot].began = now;
		counters[slot].n = 0;
	}
	if (counters[slot].n >= LIMITS[limit].most)
		wait = (unsigned)((counters[slot].began + window - now) / SECOND_US) + 1;
	else
		counters[slot].n++;
	refused[limit] += wait != 0;
	pthread_mutex_unlock(&lock);
	return wait;
}

const char *page_limit_name(enum page_limit limit) { return LIMITS[limit].name; }

uint64_t page_refused(enum page_limit limit)
{
	pthread_mutex_lock(&lock);
	uint64_t n = refused[limit];
	pthread_mutex_unlock(&lock);
	return n;
}

/* Of IPv6 the network of 64 bits, which one subscriber has. */
const char *page_client(struct call *c)
{
	struct address a;
	char hex[2 * 8 + 1];
	const char *text = c->in->client_ip == NULL ? "" : c->in->client_ip;
	if (strchr(text, ':') == NULL || !address_parse(text, strlen(text), &a))
		return text;
	hex_encode(a.b, 8, hex);
	return arena_strdup(c->s.arena, hex);
}

unsigned page_wait(struct call *c, enum page_limit limit, const char *key)
{
	uint8_t digest[SHA256_BYTES];
	size_t slot;
	const char *what = arena_printf(c->s.arena, "%d %s", (int)limit, key != NULL ? key : page_client(c));
	keeper_reference(c->server->keeper, "page-limit", what, strlen(what), digest);
	memcpy(&slot, digest, sizeof slot);
	return take(limit, slot % COUNTERS);
}

bool page_within(struct call *c, enum page_limit limit, const char *key)
{
	unsigned wait = page_wait(c, limit, key);
	if (wait == 0)
		return true;
	http_response_header(c->out, "Retry-After", arena_printf(c->s.arena, "%u", wait));
	(void)page_message(c, 429, "Too many at once", "Please try again later.");
	return false;
}
