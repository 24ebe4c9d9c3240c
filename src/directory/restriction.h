/* SPDX-License-Identifier: Apache-2.0
 *
 * Restriction of processing (GDPR Art. 18): the person's data stays and nothing is done with it.  Check-ins of their devices are answered and
 * not stored, retention and erasure of their data pause visibly, a change by an administrator is refused; retire, leaving with a device, export
 * and lifting the restriction still work.
 */
#ifndef REEVE_DIRECTORY_RESTRICTION_H
#define REEVE_DIRECTORY_RESTRICTION_H

#include <stdbool.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"

/* In the caller's transaction, each with its event.  ERR_CONFLICT: it is so already. */
MUST_CHECK enum err restriction_set(struct db_tx *tx, struct id user);
MUST_CHECK enum err restriction_lift(struct db_tx *tx, struct id user);
/* false for nobody (a nil id, a person who is gone). */
MUST_CHECK enum err restriction_holds(struct db_tx *tx, struct id user, bool *ret);
/* ERR_CONFLICT with a detail where it holds: at the head of what an administrator may not do meanwhile. */
MUST_CHECK enum err restriction_refuses(struct db_tx *tx, struct id user);

/* restriction_set() or restriction_lift() in a transaction of its own; also of a soft-deleted person. */
MUST_CHECK enum err restriction_order(struct scope *s, struct id user, bool restrict_it);

#endif
