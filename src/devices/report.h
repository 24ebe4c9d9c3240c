/* SPDX-License-Identifier: Apache-2.0
 *
 * What a device says of its actions and items.  A finished retire or wipe ends the device's certificates and brings the
 * duty to erase its data forward; a failed one shows in managementState, and the duty stays as it was (deletion never
 * waits for a device).
 */
#ifndef REEVE_DEVICES_REPORT_H
#define REEVE_DEVICES_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "devices/action.h"
#include "devices/checkin.h"

struct action_report {
	struct id action;
	enum action_state state; /* done, failed, notSupported, notNow */
	const char *error;
};

struct device_report {
	struct id device;
	const uint8_t *fingerprint;
	const struct action_report *results;
	size_t result_n;
	const struct item_report *items;
	size_t item_n;
};

/* s: of the device.  The same report twice changes nothing the second time.  ERR_NOT_FOUND for an action that is not
 * the device's, ERR_CONFLICT for a state that contradicts the first word.  *ret_more: another check-in at once is worth
 * while. */
MUST_CHECK enum err device_report(struct scope *s, const struct device_report *r, bool *ret_more);

#endif
