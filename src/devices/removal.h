/* SPDX-License-Identifier: Apache-2.0
 *
 * What erasure (privacy/) needs of devices, inside its own transactions.  Deleting rows is not here: the data map says
 * what goes.
 *
 * Order when a device's rows go: device_owe() first, in the transaction that suppresses the device, so that a device
 * that comes back late can still prove who it is, fetch what it owes, and nothing else.
 */
#ifndef REEVE_DEVICES_REMOVAL_H
#define REEVE_DEVICES_REMOVAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"

/* The device's certificates that are still valid may from now on only fetch this action ("retire" or "wipe") and report
 * on it. *ret_owed (may be NULL): how many; none where the device confirmed already (its certificates are revoked). */
MUST_CHECK enum err device_owe(struct db_tx *tx, struct id device, struct id action, const char *name,
			       size_t *ret_owed);

/* The open removal of a device, or the newest one that failed: what device_owe() is called with.  ERR_NOT_FOUND. */
MUST_CHECK enum err device_owed_action(struct db_tx *tx, struct id device, struct id *ret_action,
				       const char **ret_name);

struct user_device {
	struct id device;
	bool company, hidden;
};
/* The devices of a user, hidden ones too, in the arena. */
MUST_CHECK enum err devices_of_user(struct db_tx *tx, struct id user, struct user_device **ret, size_t *ret_n);

/* Queues a retire with its duty and its event, as device_retire() does, for another reason than a request (trigger:
 * DUTY_BY_…; a user is being erased).  Nothing happens where a removal is open already.  *ret_action may be NULL. */
MUST_CHECK enum err device_retire_in_tx(struct db_tx *tx, struct id device, const char *trigger, struct id *ret_action);

#endif
