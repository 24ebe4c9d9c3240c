/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes of ownership.
 *
 *   company -> personal  applies at once; what only company devices may have (company_only.def) goes with it: a change is approved while
 *                        rows of it are left, then done
 *   personal -> company  unmasks and collects more, so it waits (pending) for the user's consent, given on the device, or for a second
 *                        person's approval, for three days.  The user is told when it is asked for and when it is done.
 */
#ifndef REEVE_DEVICES_OWNERSHIP_H
#define REEVE_DEVICES_OWNERSHIP_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "crypto/digest.h"
#include "db/db.h"
#include "devices/device.h"
#include "resource/resource.h"

#define OWNERSHIP_EXPIRY_US (3 * DAY_US)
#define OWNERSHIP_CONSENT "consent"
#define OWNERSHIP_SECOND_PERSON "secondPerson"

/* In the transaction of a PATCH, before the device's record is changed.  d becomes personal: `change` also clears the properties that only
 * company devices have, *ret is the change whose rows ownership_forget() deletes.  d is to become the company's: a pending change, unless
 * there is one; nil.  ERR_CONFLICT while a removal of the device is open. */
MUST_CHECK enum err ownership_order(struct db_tx *tx, const struct device *d, bool company, struct record *change, struct id *ret);

/* Deletes the rows of an approved change in batches, then it is done. */
MUST_CHECK enum err ownership_forget(struct scope *s, struct id change);

/* The decision of a pending change.  ground: OWNERSHIP_…; evidence: of a consent that was given outside (required then, else NULL).
 * ERR_FORBIDDEN for whoever asked for it; ERR_CONFLICT where it is not pending any more; ERR_BAD_REQUEST; ERR_NOT_FOUND. */
MUST_CHECK enum err ownership_approve(struct scope *s, struct id change, const char *ground, const char *evidence);
/* Also by whoever asked for it, who withdraws it so. */
MUST_CHECK enum err ownership_refuse(struct scope *s, struct id change);

/* What the user of a device is asked, in plain English in the arena; NULL: nothing. */
MUST_CHECK enum err ownership_asked(struct scope *s, struct id device, const char **ret_text);
/* The user consents, or refuses, on the device itself; the event's actor is the user.  ERR_CONFLICT: nothing is asked. */
MUST_CHECK enum err ownership_answer(struct scope *s, struct id device, const uint8_t fingerprint[SHA256_BYTES], bool consents);

/* In the system's scope: pending changes whose time is over, approved ones whose rows are left.  *ret_more: call again. */
MUST_CHECK enum err ownership_run_due(struct scope *s, bool *ret_more);

#endif
