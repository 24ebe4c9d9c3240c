/* SPDX-License-Identifier: Apache-2.0
 *
 * Nobody rises above themselves, and somebody stays.  Each is asked in the transaction of the change that it is about; the system may do all.
 *
 * A permission that the Administrator does not hold either (reach HOLDERS of permissions.def) is handed on by those who hold it.  While nobody
 * in the tenant does, an administrator may give it once; that is an event of its own (ROLE_FIRST_GIVEN), which alarms.  Not while bundles are
 * left of somebody who is gone: they may be the last holder's.
 */
#ifndef REEVE_DIRECTORY_ACCESS_RULE_H
#define REEVE_DIRECTORY_ACCESS_RULE_H

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"

/* Before a role is given: the caller holds each of its permissions, over the whole tenant or for that very group (nil: the tenant).
 * ERR_FORBIDDEN with a detail naming the first that is missing; ERR_BAD_REQUEST: no such role. */
MUST_CHECK enum err access_may_give(struct db_tx *tx, struct id role, struct id scope_group);
/* Whether an administrator could name the first holder of a permission now: only holders hand it on, nobody holds it, and no bundles are left. */
MUST_CHECK enum err access_first_is_open(struct db_tx *tx, const char *permission, bool *ret);
/* Before a role is taken away: those of its permissions that only holders hand on are the caller's, too.  ERR_FORBIDDEN. */
MUST_CHECK enum err access_may_take(struct db_tx *tx, struct id role);
/* Before a custom role gets these permissions (a list): the caller holds them over the whole tenant.  ERR_FORBIDDEN. */
MUST_CHECK enum err access_may_list(struct db_tx *tx, const char *permissions);
/* Before a credential (secret, certificate, token, password, second factor) of another principal is set, or a disabled application is enabled:
 * the caller holds all that the principal holds.  type: ACTOR_USER or ACTOR_APPLICATION.  Oneself: always.  ERR_FORBIDDEN. */
MUST_CHECK enum err access_may_become(struct db_tx *tx, enum actor_type type, struct id principal);
/* Before an application loses what it holds (it is deleted): access_may_take() of each of its roles. */
MUST_CHECK enum err access_may_end(struct db_tx *tx, struct id application);
/* Before somebody becomes a member of a group: the caller could give each role that the group holds, and does not widen a scope of their own.
 * ERR_FORBIDDEN. */
MUST_CHECK enum err access_may_join(struct db_tx *tx, struct id group);

/* After whatever took a role, a membership, an account away: ERR_CONFLICT where no enabled person or application holds the role Administrator
 * (in the nil tenant: Installation Operator) over the whole tenant any more. */
MUST_CHECK enum err access_keep_administrator(struct db_tx *tx);

#endif
