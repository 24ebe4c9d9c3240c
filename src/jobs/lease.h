/* SPDX-License-Identifier: Apache-2.0
 * A lease: which of several servers runs a job.  Taken and renewed by compare-and-set with a fencing number that grows with every take-over
 * and never goes back: it also says whether there ever was more than one server. */
#ifndef REEVE_JOBS_LEASE_H
#define REEVE_JOBS_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/scope.h"

/* Takes or renews the lease `name` for `holder`: it is held for at least half of `seconds` from now on.  *ret_held false: another server
 * holds it.  *ret_fence (may be NULL): the number under which it is held.  s: a system scope. */
MUST_CHECK enum err lease_take(struct scope *s, const char *name, struct id holder, int seconds, bool *ret_held, int64_t *ret_fence);
/* Gives it up, so that another server need not wait. */
void lease_give(struct scope *s, const char *name, struct id holder);

#endif
