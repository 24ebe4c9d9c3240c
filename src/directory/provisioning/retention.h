/* SPDX-License-Identifier: Apache-2.0
 *
 * Leavers whom their directory never deletes.  Some directories (Okta) only ever deactivate an account, so that the signal to erase does not
 * come.  An account that a provisioning client deactivated, by SCIM or by Graph's routes, is therefore erased deactivatedEraseDays later (a
 * setting of the tenant; 0: never), as one that was deleted for good: with a duty (trigger `deactivated`), which waits for a restriction or
 * a legal hold like any other.  What an administrator disabled by hand is left alone.
 *
 * It is announced first: deactivatedNoticeDays before, or, where a setting shortened the time, so long before that it still is; each person has
 * an event and erasureDueDateTime, and whoever receives alarms is told how many and which day.  Enabling the account again calls it off, and so
 * does a setting that moves the day.
 */
#ifndef REEVE_DIRECTORY_PROVISIONING_RETENTION_H
#define REEVE_DIRECTORY_PROVISIONING_RETENTION_H

#include <stdbool.h>

#include "base/err.h"
#include "base/scope.h"

/* For the periodic job, in a scope without a tenant: of each tenant calls off, announces and erases what is to be, some at a time. */
MUST_CHECK enum err provisioning_retention_run(struct scope *s, bool *ret_more);

#endif
