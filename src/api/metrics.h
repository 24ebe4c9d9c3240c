/* SPDX-License-Identifier: Apache-2.0
 * Counters for /metrics (Prometheus text format 0.0.4).  Labels never carry a person, a tenant or an id. */
#ifndef REEVE_API_METRICS_H
#define REEVE_API_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "audit/out/sink.h"
#include "base/buf.h"
#include "base/err.h"

enum { METRICS_WITNESSES = 128 }; /* as many as a policy may have (tlog/policy.h) */

struct metrics_witness {
	const char *name; /* in the operator's policy */
	_Atomic uint64_t cosignatures, failures;
	_Atomic int64_t behind_since_us; /* 0: it has the newest checkpoint of every log */
};

enum { METRICS_CLASSES = 6 }; /* 1xx … 5xx by their first digit */

struct metrics {
	_Atomic uint64_t requests[METRICS_CLASSES];
	_Atomic uint64_t request_us;
	_Atomic uint64_t refused_before_sign_in;
	_Atomic uint64_t sign_ins_failed, sign_ins_throttled; /* on the pages: wrong passwords and codes; sent away unheard */
	_Atomic uint64_t devices_returned; /* devices/returned.h */
	_Atomic uint64_t jobs_failed;
	_Atomic int64_t last_checkpoint_us;
	struct {
		_Atomic uint64_t delivered, failures;
	} sinks[SINK_KINDS];                  /* by kind */
	_Atomic uint64_t sink_events_expired; /* gone by retention before they were delivered */
	_Atomic unsigned witnesses;
	struct metrics_witness witness[METRICS_WITNESSES];
	int64_t started_us;
};

void metrics_request(struct metrics *m, int status, int64_t took_us);

struct server;
struct scope;
MUST_CHECK enum err metrics_write(struct server *srv, struct scope *s, struct buf *out);

#endif
