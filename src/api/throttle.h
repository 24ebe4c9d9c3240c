/* SPDX-License-Identifier: Apache-2.0
 *
 * Throttles (throttles.def): how many requests of a kind a caller made in a window of time, counted in memory.  A window begins with its first
 * request and is as long as its row says.  Memory is bounded: the table is of fixed size, and where it is full of windows that run, the
 * oldest is forgotten, to the advantage of its owner.  Thread-safe.
 */
#ifndef REEVE_API_THROTTLE_H
#define REEVE_API_THROTTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"

struct throttle;

struct throttle_request {
	const char *method, *path; /* path: of the route's row */
	struct id tenant, actor;
	bool person;               /* the actor is a person, not an application */
	bool anonymous;            /* nobody has said who they are: actor is a digest of the address, tenant is nil */
	int64_t now;               /* microseconds of a clock that nobody sets */
};

struct throttle_answer {
	unsigned retry_after;      /* seconds; 0: come in */
	const char *what;          /* "devices: 200 writes of an application in 20 seconds" (static text of the row) */
	unsigned requests;         /* what the row allows, scaled */
	bool tell;                 /* nothing was told of this one for a minute: record it */
};

/* text: "graph" (the table's numbers), "off", or a factor ("0.5", "10").  False: it is none of these.  *ret is NULL for "off". */
bool throttle_new(const char *text, struct throttle **ret);
void throttle_free(struct throttle *t); /* NULL is allowed */
/* Counts the request, or says why not; a refused one is not counted.  t NULL: every request may come in. */
struct throttle_answer throttle_take(struct throttle *t, const struct throttle_request *q);
/* How many the table's row i refused since the start, for /metrics.  False: there is no such row. */
bool throttle_refused(struct throttle *t, size_t i, const char **ret_what, uint64_t *ret);

#endif
