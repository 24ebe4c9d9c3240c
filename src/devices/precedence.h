/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside devices/: one removal at a time, whoever asks for it.
 */
#ifndef REEVE_DEVICES_PRECEDENCE_H
#define REEVE_DEVICES_PRECEDENCE_H

#include "devices/action.h"
#include "devices/device.h"

struct removal_order {
	const char *action;       /* ACTION_RETIRE, ACTION_WIPE */
	const char *trigger;      /* DUTY_BY_… */
	enum activity activity;   /* of the event; ACT_NONE: the caller records */
	enum action_state first;
	const char *parameters;   /* JSON or NULL */
};

/* Queues the removal with its duty and its event.  Where one that takes at least as much is open, or the device has
 * confirmed one, nothing changes: *ret_new is false and *ret_action that one's id (nil: confirmed); but where an erasure or the device's
 * user asks, the open one is theirs from now on and nobody calls it back.  ERR_DAILY_LIMIT for a retire or wipe that somebody asked for by that name. */
MUST_CHECK enum err removal_queue(struct db_tx *tx, const struct device *d, const struct removal_order *o,
				  struct id *ret_action, bool *ret_new);

/* The promise to erase the device's data: due after the tenant's grace days, deadline 30 days from now. */
MUST_CHECK enum err removal_open_duty(struct db_tx *tx, const struct device *d, const char *trigger);

/* Whether the device has confirmed a removal: nothing more can be asked of it. */
MUST_CHECK enum err removal_confirmed(struct db_tx *tx, struct id device, bool *ret);

/* AzureADDeviceId, DeviceManagementAPIVersion (Graph's) and the action, as every event about an action has them. */
struct audit_change **removal_changes(struct scope *s, const struct device *d, const char *action,
				      struct audit_change **tail);

#endif
