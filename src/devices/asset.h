/* SPDX-License-Identifier: Apache-2.0
 *
 * Assets: what is left of a company device that was wiped.  Make, model, serial number and the asset note; nothing that leads to the person
 * who had it.  The machine is enrolled again as a new device with a new id, and takes its asset up.
 */
#ifndef REEVE_DEVICES_ASSET_H
#define REEVE_DEVICES_ASSET_H

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"
#include "resource/resource.h"

/* In the transaction that begins to erase a device's record: where it is a company device that a wipe was asked of, its asset is
 * recorded, with its event.  Otherwise, or without anything that tells the machine from others, nothing happens. */
MUST_CHECK enum err asset_record(struct db_tx *tx, struct id device);

/* A company device of this make, model and serial number is being enrolled: the asset goes, with its event, and *ret_note (in the arena; NULL)
 * is its note.  Two assets that look the same (a serial number that a vendor gave to many) stay where they are. */
MUST_CHECK enum err asset_take_up(struct db_tx *tx, const char *manufacturer, const char *model, const char *serial_number,
				  const char **ret_note);

/* assetNote is all that may be changed.  ERR_NOT_FOUND. */
MUST_CHECK enum err asset_patch(struct scope *s, struct id asset, const struct record *change);
/* The machine is sold, lost or scrapped. */
MUST_CHECK enum err asset_delete(struct scope *s, struct id asset);

#endif
