/* SPDX-License-Identifier: Apache-2.0
 *
 * A device that said that it was retired or wiped, and then checks in with the credential that ended with it: what it said was not so.
 */
#ifndef REEVE_DEVICES_RETURNED_H
#define REEVE_DEVICES_RETURNED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/scope.h"
#include "crypto/digest.h"

/* A check-in with this certificate was refused.  Where its device had confirmed a removal, the action becomes failed (returned), the device's
 * managementState wipeFailed or retireFailed, with an event (DEVICE_RETURNED) and a notice, once.  Where the device was erased, the event is about
 * the certificate's keyed hash; what is owed by one that never confirmed is offered to it, so it does not come here while it owes.  s: of the
 * certificate's tenant; it stays as it is: the check-in is refused in any case.  True: this was such a device, and the first time. */
bool device_returned(const struct scope *s, const uint8_t fingerprint[SHA256_BYTES]);

#endif
