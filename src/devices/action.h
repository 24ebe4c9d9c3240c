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
#define ACTION_DELETE "delete" /* of the record: done at once; what the device is told is a retire or a wipe of its own */
#define ACTION_SYNC "syncDevice"

/* What an action was asked as; its own name where that says it. */
#define ASKED_AS_LEAVE "leave"
#define ASKED_AS_ERASURE "erasure" /* nobody asked: the erasure of its person, of its tenant … */

/* What became of an action where its state does not say it (device_actions.outcome). */
#define OUTCOME_NEVER_SEEN "neverSeen"  /* it waits, and the device is silent */
#define OUTCOME_CANCELED "canceled"     /* called back by a person */
#define OUTCOME_SUPERSEDED "superseded" /* another took its place */
#define OUTCOME_EXPIRED "expired"       /* it waited for too long */
#define OUTCOME_RETURNED "returned"     /* done, by the device's word, and then seen with the credential that ended with it */

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
	const char *name, *asked_as, *parameters, *error, *outcome; /* in the arena; from parameters on NULL where there is none */
	enum action_state state;
	int64_t requested_at, updated_at;
};

bool action_removes(const struct device_action *a); /* retire or wipe */

struct action_order {
	const char *name, *asked_as, *parameters; /* parameters: a JSON object or NULL */
	enum action_state first;                  /* ACTION_pending, ACTION_issued; of a delete ACTION_done */
};
/* A new action of the scope's actor, and the device's managementState.  The event is the caller's: it is that of the
 * request. */
MUST_CHECK enum err action_create(struct db_tx *tx, const struct device *d, const struct action_order *o, struct id *ret);

/* a->state -> to, with its event (ACTION_ISSUED, ACTION_RESULT, ACTION_CANCELED) and the device's managementState.  d:
 * the action's device. error: the device's own words, or NULL.  ERR_STATE where the table does not have it,
 * ERR_CONFLICT where the action is elsewhere by now. */
MUST_CHECK enum err action_move(struct db_tx *tx, const struct device *d, const struct device_action *a,
				enum action_state to, const char *error);

/* The same, with what became of it: OUTCOME_…; NULL: the state says it. */
MUST_CHECK enum err action_end(struct db_tx *tx, const struct device *d, const struct device_action *a,
			       enum action_state to, const char *outcome, const char *error);
/* It waits on, and the device is silent: outcome and event (ACTION_SILENT).  Nothing happens where it moved meanwhile. */
MUST_CHECK enum err action_mark_silent(struct db_tx *tx, const struct device *d, const struct device_action *a);
/* An open action that the device's user or an erasure relies on from now on is nobody's to call back.  asked_as: ASKED_AS_LEAVE, ASKED_AS_ERASURE. */
MUST_CHECK enum err action_claim(struct db_tx *tx, struct id action, const char *asked_as);
bool action_is_claimed(const char *asked_as);

/* ERR_NOT_FOUND with a detail. */
MUST_CHECK enum err action_load(struct db_tx *tx, struct id action, struct device_action *ret);
/* Open actions of a device, oldest first. */
MUST_CHECK enum err action_open_of(struct db_tx *tx, struct id device, struct device_action **ret, size_t *ret_n);
/* The newest retire or wipe of a device, whatever its state.  ERR_NOT_FOUND without a detail. */
MUST_CHECK enum err action_last_removal(struct db_tx *tx, struct id device, struct device_action *ret);
/* The device's newest action of each name, as Graph's deviceActionResults (an array).  beta: with what it was asked as, what became of it and
 * what it leaves on the device. */
MUST_CHECK enum err action_write_results(struct db_tx *tx, struct id device, bool beta, struct json_writer *w);

#endif
