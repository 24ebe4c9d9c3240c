/* SPDX-License-Identifier: Apache-2.0
 * A lease: which of several servers runs a job.  Taken and renewed by compare-and-set with a fencing number. */
#ifndef REEVE_JOBS_LEASE_H
#define REEVE_JOBS_LEASE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/scope.h"

/* Takes or renews the lease `name` for `holder` until now + seconds.  *ret_held false: another server holds it.  s: a system scope. */
MUST_CHECK enum err lease_take(struct scope *s, const char *name, struct id holder, int seconds, bool *ret_held);
/* Gives it up, so that another server need not wait. */
void lease_give(struct scope *s, const char *name, struct id holder);

#endif
