/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests that were refused before anybody had signed in: counted in memory, by source address, and written as one event per source and
 * minute into the installation's log (REFUSALS).  Nobody outside fills the memory or the log, with however many addresses: REFUSAL_SOURCES
 * are told apart (an IPv6 network of 64 bits is one), of which the busiest get an event of their own, REFUSAL_EVENTS at a time and
 * REFUSAL_EVENTS_A_DAY at most; all others share one.  Thread-safe.
 */
#ifndef REEVE_API_REFUSALS_H
#define REEVE_API_REFUSALS_H

#include <stdint.h>

#include "base/err.h"
#include "base/scope.h"

enum { REFUSAL_SOURCES = 256, REFUSAL_EVENTS = 64, REFUSAL_EVENTS_A_DAY = 4096 };

/* source: as http_request.client_ip; NULL: unknown.  why: a word of ours, never one of the request's. */
void refusals_count(const char *source, int status, const char *why, int64_t now);
/* Writes what was counted, in one transaction, where the first of it is `age` old; what cannot be written is kept for the next call. */
MUST_CHECK enum err refusals_flush(struct scope *s, int64_t age);

#endif
