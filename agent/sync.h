/* SPDX-License-Identifier: Apache-2.0
 *
 * One synchronisation: end what was begun, check in, do what is asked, bring the device to the desired state, renew the
 * certificate in time, report.
 */
#ifndef REEVE_AGENT_SYNC_H
#define REEVE_AGENT_SYNC_H

#include "action.h"
#include "agent.h"
#include "provision.h"
#include "state.h"

enum { SYNC_ACTIONS = 16 };

struct sync_result {
	struct outcome items;
	struct {
		const char *id, *name, *state;
	} actions[SYNC_ACTIONS];
	int n_actions;
	bool inventory_sent, renewed;
	bool gone;            /* retired or wiped: the device is no longer enrolled */
	int64_t sync_seconds; /* until the next one */
};

MUST_CHECK enum err sync_once(struct agent *a, struct sync_result *r);

/* What a check-in answers, checked. */
struct checkin {
	int64_t now, sync_seconds, renew_before;
	struct collect collect;
	struct desired *items;
	size_t n_items;
	const json_t *actions;
	json_t *owner; /* the payloads live in it */
};
/* checkin.c: sends the inventory where it is due. */
MUST_CHECK enum err checkin_send(struct agent *a, const struct device *d, struct last_sync *last, struct checkin *ret,
				 bool *ret_inventory);
MUST_CHECK enum err checkin_read(struct agent *a, const char *device_id, json_t *answer,
				 struct checkin *ret); /* pure */
void checkin_release(struct checkin *c);

MUST_CHECK enum err renew(struct agent *a, const struct device *d); /* renew.c */
/* Checks a certificate and CA set of the server against our key.  ERR_BAD_REQUEST. */
MUST_CHECK enum err renew_check(struct agent *a, const char *cert, const char *ca, const char *key);

#endif
