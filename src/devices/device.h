/* SPDX-License-Identifier: Apache-2.0
 *
 * The few facts of a managed device that rules decide on, loaded in the transaction that decides.  Everything that
 * people see of a device is read through its resource table (managed_device.h).
 */
#ifndef REEVE_DEVICES_DEVICE_H
#define REEVE_DEVICES_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "audit/audit.h"
#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"

#define OWNER_PERSONAL "personal"
#define OWNER_COMPANY "company"
#define PLATFORM_LINUX "linux"
#define DEVICE_ENTITY "ManagedDevice" /* of audit events */

struct device {
	struct id id, directory_id, user; /* user: nil where nobody is linked any more */
	bool company, provisioning, hidden, deleted; /* hidden: by a deletion or by a cleanup rule */
	const char *name, *owner, *platform, *management_state; /* in the arena */
};

/* ERR_NOT_FOUND with a detail, also where the scope's actor does not reach its person.  A hidden device (deleted by an
 * administrator, its retire still owed; silent for too long, cleanup.h) is found only with hidden_too. */
MUST_CHECK enum err device_load(struct db_tx *tx, struct id device, bool hidden_too, struct device *ret);

/* From here on the scope's actor is the device's user, who acts through it.  A user who is gone: the device stays the actor. */
MUST_CHECK enum err device_act_as_user(struct db_tx *tx, struct id user);

MUST_CHECK enum err device_set_management_state(struct db_tx *tx, struct id device, const char *state);

/* Records an event about the device; subject: its user.  */
MUST_CHECK enum err device_record(struct db_tx *tx, const struct device *d, enum activity activity,
				  const struct audit_change *changes, const char *failure);

#endif
