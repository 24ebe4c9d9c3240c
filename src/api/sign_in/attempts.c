/* SPDX-License-Identifier: Apache-2.0
 *
 * Growing delays for addresses that fail to sign in, in memory.  A counter is found by the keyed digest of the address in a table of fixed size;
 * two addresses that meet there share it, and at worst somebody waits who need not.  Locks of accounts are in directory/sign_in/account.h.
 */
#include "api/sign_in/pages.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "api/metrics.h"
#include "base/clock.h"

enum { SLOTS = 16384, FREE = 10 };

#define LONGEST_US (15 * MINUTE_US)
#define FORGET_US (2 * LONGEST_US) /* the longest wait alone buys no new free attempts */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	int64_t last;
	unsigned failures;
} slots[SLOTS];

static size_t slot_of(struct call *c)
{
	uint8_t digest[SHA256_BYTES];
	size_t slot;
	const char *who = page_client(c);
	keeper_reference(c->server->keeper, "sign-in-attempts", who, strlen(who), digest);
	memcpy(&slot, digest, sizeof slot);
	return slot % SLOTS;
}

static int64_t delay(unsigned failures)
{
	int64_t us = SECOND_US;
	if (failures <= FREE)
		return 0;
	for (unsigned i = FREE + 1; i < failures && us < LONGEST_US; i++)
		us *= 2;
	return us < LONGEST_US ? us : LONGEST_US;
}

bool sign_in_may_try(struct call *c)
{
	size_t slot = slot_of(c);
	pthread_mutex_lock(&lock);
	int64_t wait = slots[slot].last + delay(slots[slot].failures) - clock_monotonic();
	bool may = slots[slot].failures <= FREE || wait <= 0;
	pthread_mutex_unlock(&lock);
	if (may)
		return true;
	atomic_fetch_add(&c->server->metrics->sign_ins_throttled, 1);
	http_response_header(c->out, "Retry-After", arena_printf(c->s.arena, "%u", (unsigned)(wait / SECOND_US) + 1));
	(void)page_message(c, 429, "Too many attempts", "Somebody on your network entered wrong passwords several times. Please wait a little and try again.");
	return false;
}

void sign_in_failed(struct call *c)
{
	size_t slot = slot_of(c);
	int64_t now = clock_monotonic();
	atomic_fetch_add(&c->server->metrics->sign_ins_failed, 1);
	pthread_mutex_lock(&lock);
	if (now - slots[slot].last > FORGET_US)
		slots[slot].failures = 0;
	slots[slot].last = now;
	slots[slot].failures++;
	pthread_mutex_unlock(&lock);
}
