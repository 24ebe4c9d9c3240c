/* SPDX-License-Identifier: Apache-2.0
 *
 * A managed device as people see it: reading through its resource table, and the few properties that may be changed.
 * What is asked of a device is in request.h.
 */
#ifndef REEVE_DEVICES_MANAGED_DEVICE_H
#define REEVE_DEVICES_MANAGED_DEVICE_H

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "resource/resource.h"

/* The `more` of a resource_query over RES_MANAGED_DEVICE: deviceActionResults and, in beta, hardwareInformation, each
 * where $select does not leave it out. */
enum err managed_device_more(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id device,
			     void *arg);

/* managedDeviceName, notes, assetNote, managedDeviceOwnerType; the record is of the resource (record_parse refuses all others).  A device
 * becomes personal at once, and loses what only company devices have; it becomes the company's later or never (ownership.h), and is still
 * personal when this returns. */
MUST_CHECK enum err managed_device_patch(struct scope *s, struct id device, const struct record *change);

/* ERR_NOT_FOUND unless the device is visible and, with a user, that person's: for what is asked below it. */
MUST_CHECK enum err managed_device_visible(struct scope *s, struct id device, const struct id *user);

#endif
