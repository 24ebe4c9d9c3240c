/* SPDX-License-Identifier: Apache-2.0
 *
 * Retire, wipe and leave.  action.json is on disk before anything is done, so that what was begun is ended by the next
 * run:
 *
 *   doing     the device is being changed (safe to do again)
 *   ended     the result is known and is to be reported
 *   reported  the server knows; the agent's own key, certificate and state are being removed
 */
#ifndef REEVE_AGENT_ACTION_H
#define REEVE_AGENT_ACTION_H

#include "agent.h"
#include "provision.h"
#include "state.h"

enum action_phase { ACTION_DOING, ACTION_ENDED, ACTION_REPORTED };

struct action {
	const char *id, *name; /* "retire", "wipe", or what else the server asks for */
	enum action_phase phase;
	const char *state; /* done, failed, notSupported; NULL while doing */
	const char *error;
	const char **dirs; /* directories to remove after the state's content, outermost first; NULL-terminated */
	int tries;         /* reports that failed */
};

MUST_CHECK enum err action_load(struct agent *a, struct action *ret); /* ERR_NOT_FOUND where none is under way */
MUST_CHECK enum err action_begin(struct agent *a, const struct device *d, const char *id, const char *name);
/* Does what is left of the action under way: change, report, remove the state.  *ret as it ended; *ret_gone: the device
 * is no longer enrolled and the state is removed. */
MUST_CHECK enum err action_finish(struct agent *a, const struct device *d, struct action *ret, struct outcome *out,
				  bool *ret_gone);
MUST_CHECK enum err action_save(struct agent *a, const struct action *act);

/* report.c: POST /linux/report with the items as they are now and, where not NULL, an action's result.  On success the
 * records of removed items are forgotten. */
MUST_CHECK enum err report_send(struct agent *a, const struct device *d, const struct action *act, bool *ret_more);
/* The "items" array of a check-in or report. */
MUST_CHECK enum err report_items(struct agent *a, struct json_writer *w);
/* Forgets the records that the call just answered said were removed. */
MUST_CHECK enum err report_told(struct agent *a);

/* wipe.c: sets state and error of the action. */
MUST_CHECK enum err wipe_device(struct agent *a, const struct device *d, struct action *act);
/* A real system, after the report: what the hook does last (it ends the running system). */
void wipe_goodbye(struct agent *a, const struct action *act);
/* wipe_tree.c: back to the factory manifest beside the tree; act->dirs becomes what is not in it. */
MUST_CHECK enum err wipe_tree(struct agent *a, struct action *act);

#endif
