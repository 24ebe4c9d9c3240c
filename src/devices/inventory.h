/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside devices/: storing an inventory.
 */
#ifndef REEVE_DEVICES_INVENTORY_H
#define REEVE_DEVICES_INVENTORY_H

#include "devices/checkin.h"
#include "devices/device.h"

/* ERR_BAD_REQUEST with a detail: a key that was not asked for, two disks or interfaces of one name. */
MUST_CHECK enum err inventory_check(struct scope *s, const struct inventory *i, const struct collect *c);

/* The device's own row, its disks and its interfaces; a changed identity is one event. */
MUST_CHECK enum err inventory_store(struct db_tx *tx, const struct device *d, const struct inventory *i,
				    const struct collect *c);

/* Packages by difference, in transactions of a bounded number of rows each.  No packages: what was known goes. */
MUST_CHECK enum err packages_store(struct scope *s, struct id device, struct inventory_package *packages, size_t n);

#endif
