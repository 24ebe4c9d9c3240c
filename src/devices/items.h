/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside devices/: what stands on a device (its own word), and what should.
 */
#ifndef REEVE_DEVICES_ITEMS_H
#define REEVE_DEVICES_ITEMS_H

#include "devices/checkin.h"
#include "devices/device.h"

/* What the device says of its items.  A new state, version or identifier is one event an item; the rest is none.  An
 * item that was never delivered to this device is not looked at. */
MUST_CHECK enum err items_report(struct db_tx *tx, const struct device *d, const struct item_report *reports, size_t n);

/* Everything that is assigned to a group of the user, by its id. */
MUST_CHECK enum err items_desired(struct db_tx *tx, struct id user, struct desired_item **ret, size_t *ret_n);

/* Leaves of the desired state what the device has, or was given, already. */
MUST_CHECK enum err items_keep_known(struct db_tx *tx, struct id device, struct desired_item *items, size_t *n);
/* Notes what is delivered (pending) and what the device is to take back (removing, until it says removed). */
MUST_CHECK enum err items_reconcile(struct db_tx *tx, struct id device, const struct desired_item *desired, size_t n);

#endif
