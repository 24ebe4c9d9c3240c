/* SPDX-License-Identifier: Apache-2.0
 *
 * Device actions: rows with a state, moved by one engine.  What is asked of a device and by whom is in request.h; what
 * the device says of it is in report.h.
 */
#ifndef REEVE_DEVICES_ACTION_H
#define REEVE_DEVICES_ACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "codec/json.h"
#include "db/db.h"
#include "devices/device.h"

#define ACTION_RETIRE "retire"
#define ACTION_WIPE "wipe"
#define ACTION_SYNC "syncDevice"

enum action_state {
#define STATE(name, open, graph, meaning) ACTION_##name,
#define MOVE(from, to)
#include "devices/action_states.def"
#undef STATE
#undef MOVE
	ACTION_STATE_COUNT
};

const char *action_state_name(enum action_state s);
const char *action_state_graph(enum action_state s);
bool action_state_open(enum action_state s);
bool action_may_move(enum action_state from, enum action_state to);
bool action_state_parse(const char *text, enum action_state *ret); /* false leaves *ret */

/* managementState of a device whose newest removal (retire, wipe) is in this state; NULL for an action that is none. */
const char *action_management_state(const char *action, enum action_state s);

struct device_action {
	struct id action, device;
	const char *name, *parameters, *error; /* in the arena; parameters: a JSON object or NULL */
	enum action_state state;
	int64_t requested_at, updated_at;
};

bool action_removes(const struct device_action *a); /* retire or wipe */

/* A new action of the scope's actor, and the device's managementState.  The event is the caller's: it is that of the
 * request.  first: ACTION_pending or ACTION_issued. */
MUST_CHECK enum err action_create(struct db_tx *tx, const struct device *d, const char *name, enum action_state first,
				  const char *parameters, struct id *ret);

/* a->state -> to, with its event (ACTION_ISSUED, ACTION_RESULT, ACTION_CANCELED) and the device's managementState.  d:
 * the action's device. error: the device's own words, or NULL.  ERR_STATE where the table does not have it,
 * ERR_CONFLICT where the action is elsewhere by now. */
MUST_CHECK enum err action_move(struct db_tx *tx, const struct device *d, const struct device_action *a,
				enum action_state to, const char *error);

/* ERR_NOT_FOUND with a detail. */
MUST_CHECK enum err action_load(struct db_tx *tx, struct id action, struct device_action *ret);
/* Open actions of a device, oldest first. */
MUST_CHECK enum err action_open_of(struct db_tx *tx, struct id device, struct device_action **ret, size_t *ret_n);
/* The device's newest action of each name, as Graph's deviceActionResults (an array). */
MUST_CHECK enum err action_write_results(struct db_tx *tx, struct id device, struct json_writer *w);

#endif
