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
 *
 * What waits for a device can be called back (cancel): the action is canceled and with it the duty that it opened.
 */
#ifndef REEVE_DEVICES_REQUEST_H
#define REEVE_DEVICES_REQUEST_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "crypto/digest.h"

MUST_CHECK enum err device_retire(struct scope *s, struct id device);
/* parameters: Graph's, of a request's body (members that are none are ignored).  ERR_BAD_REQUEST with a detail for one that is malformed,
 * ERR_NOT_SUPPORTED where the platform does not know it, or is not wiped (platform_actions.def); an inventory-only device never is.  What is
 * counted by the day may be refused with ERR_DAILY_LIMIT (limit.h): retire, wipe, delete. */
MUST_CHECK enum err device_wipe(struct scope *s, struct id device, const json_t *parameters);
MUST_CHECK enum err device_sync(struct scope *s, struct id device);
/* Hidden at once; a retire or wipe, as its platform and ownership have it, stays owed and is fetched at its next check-in. */
MUST_CHECK enum err device_delete(struct scope *s, struct id device);
/* What is open of the device is called back; name (NULL: whatever it is): only where that is its name.  The device may have begun: where it then
 * says that it is done, it is, and its data goes.  ERR_CONFLICT with a detail: nothing of the kind is open; the device's user or an erasure asked
 * for it; the erasure of its data has begun. */
MUST_CHECK enum err device_cancel(struct scope *s, struct id device, const char *name);
/* The device's user takes it out.  s: of the device.  ERR_FORBIDDEN for a company device, and for one whose record is
 * gone. */
MUST_CHECK enum err device_leave(struct scope *s, struct id device, const uint8_t fingerprint[SHA256_BYTES],
				 struct id *ret_action);

#endif
