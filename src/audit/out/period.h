/* SPDX-License-Identifier: Apache-2.0
 * Inside audit/: where in the log the events of a period stand. */
#ifndef REEVE_AUDIT_OUT_PERIOD_H
#define REEVE_AUDIT_OUT_PERIOD_H

#include <stdint.h>

#include "base/err.h"
#include "base/scope.h"

struct audit_period {
	int64_t from, until;  /* of activityDateTime, [from, until); 0 and INT64_MAX: everything */
	uint64_t size;        /* of the log: what stands behind it is left out */
	uint64_t first, end;  /* out: all events of the period that still have content stand in [first, end); 0 and 0: there are none */
};

/* Reads an index, page by page, in time proportional to the period. */
MUST_CHECK enum err audit_period_find(struct scope *s, struct audit_period *io);

#endif
