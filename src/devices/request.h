/* SPDX-License-Identifier: Apache-2.0
 *
 * What is asked of a device: retire, wipe, sync, delete, leave.  Each call is one transaction with its action, its duty
 * and its event.
 *
 * The duty to erase arises at the request: it falls due after the tenant's grace days (deviceGraceDays, 7 by default)
 * and its deadline is 30 days from the request even if the device never answers; the device's own word only brings it
 * forward.
 *
 * Precedence: one removal (retire, wipe) at a time.  A removal cancels whatever else is open; a wipe takes the place of
 * an open retire; a retire where a removal is open already, and a sync where one is, change nothing and succeed.
 */
#ifndef REEVE_DEVICES_REQUEST_H
#define REEVE_DEVICES_REQUEST_H

#include <stdbool.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "crypto/digest.h"

struct wipe_options {
	bool keep_enrollment_data; /* refused: a Linux device keeps none */
	bool keep_user_data;       /* of Windows; means nothing here */
};

MUST_CHECK enum err device_retire(struct scope *s, struct id device);
/* ERR_BAD_REQUEST with a detail: a personal Linux device is retired, not wiped; an inventory-only device is never
 * wiped; a wipe of a Linux device keeps no enrolment. */
MUST_CHECK enum err device_wipe(struct scope *s, struct id device, const struct wipe_options *o);
MUST_CHECK enum err device_sync(struct scope *s, struct id device);
/* Hidden at once; its retire stays owed and is fetched at its next check-in. */
MUST_CHECK enum err device_delete(struct scope *s, struct id device);
/* The device's user takes it out.  s: of the device.  ERR_FORBIDDEN for a company device, and for one whose record is
 * gone. */
MUST_CHECK enum err device_leave(struct scope *s, struct id device, const uint8_t fingerprint[SHA256_BYTES],
				 struct id *ret_action);

#endif
