/* SPDX-License-Identifier: Apache-2.0
 *
 * The device's word on its actions and items.
 */
#include "devices/report.h"

#include <string.h>

#include "devices/certificate.h"
#include "devices/device.h"
#include "devices/items.h"
#include "devices/precedence.h"
#include "directory/restriction.h"
#include "duty/duty.h"

struct reporting {
	const struct device_report *in;
	const char *done; /* a removal is finished: DUTY_BY_…; NULL: none is */
	bool failed;      /* one of them was not */
};

static enum err contradiction(struct scope *s, const struct device_action *a, enum action_state to)
{
	return scope_fail(s, ERR_CONFLICT, "the action is %s and does not become %s", action_state_name(a->state),
			  action_state_name(to));
}

/* One that was called back and is done all the same has no duty any more: it gets it again. */
static enum err end_device(struct db_tx *tx, const struct device *d, const char *trigger)
{
	TRY(certificate_revoke_all(tx, d->id));
	TRY(removal_open_duty(tx, d, trigger));
	return duty_hasten(tx, d->id);
}

static enum err report_action(struct db_tx *tx, const struct device *d, const struct action_report *r,
			      struct reporting *q)
{
	struct scope *s = db_tx_scope(tx);
	struct device_action a;
	TRY(action_load(tx, r->action, &a));
	if (!id_equal(a.device, d->id))
		return scope_fail(s, ERR_NOT_FOUND, "the action is not of this device");
	if (a.state == r->state) /* said before: the answer was lost */
		return OK;
	if (a.state == ACTION_canceled && r->state != ACTION_done) /* nobody waits for it any more */
		return OK;
	if (!action_may_move(a.state, r->state))
		return contradiction(s, &a, r->state);
	TRY(action_move(tx, d, &a, r->state, r->state == ACTION_done ? NULL : r->error));
	if (r->state == ACTION_failed || r->state == ACTION_notSupported)
		q->failed = true;
	else if (r->state == ACTION_done && action_removes(&a))
		q->done = strcmp(a.name, ACTION_WIPE) == 0 ? DUTY_BY_WIPE : DUTY_BY_RETIRE;
	return OK;
}

/* The record is gone, so there is no row to move: the event tells, and the certificate ends where the device will not
 * try again. */
static enum err report_owed(struct db_tx *tx, const struct device_identity *who, struct reporting *q)
{
	struct scope *s = db_tx_scope(tx);
	const struct device_report *in = q->in;
	for (size_t i = 0; i < in->result_n; i++) {
		const struct action_report *r = &in->results[i];
		struct device d = {.id = who->device};
		struct audit_change *changes = NULL, **tail = &changes;
		char id[ID_TEXT];
		if (!id_equal(r->action, who->owed_action))
			return scope_fail(s, ERR_NOT_FOUND, "the action is not of this device");
		if (r->state == ACTION_notNow) /* it will be offered again */
			continue;
		tail = audit_change_add(s->arena, tail, "actionId", NULL, NULL, NULL, id_format(r->action, id));
		tail = audit_change_add(s->arena, tail, "actionName", NULL, NULL, NULL, who->owed_name);
		audit_change_add(s->arena, tail, "actionState", NULL, NULL, NULL, action_state_name(r->state));
		const char *failure = r->state == ACTION_done ? NULL
				      : r->error != NULL      ? r->error
							      : action_state_name(r->state);
		TRY(device_record(tx, &d, ACT_ACTION_RESULT, changes, failure));
		if (r->state != ACTION_failed)
			TRY(certificate_revoke_all(tx, who->device));
	}
	return OK;
}

/* Of a restricted person's device only that something is gone. */
static enum err report_on_items(struct db_tx *tx, const struct device *d, const struct device_report *in)
{
	bool restricted;
	TRY(restriction_holds(tx, d->user, &restricted));
	for (size_t i = 0; i < in->item_n; i++)
		if (!restricted || in->items[i].state == ITEM_removed)
			TRY(items_report(tx, d, &in->items[i], 1));
	return OK;
}

static enum err report(struct scope *s, struct db_tx *tx, void *arg)
{
	struct reporting *q = arg;
	const struct device_report *in = q->in;
	struct device_identity who;
	struct device d;
	q->done = NULL;
	q->failed = false;
	TRY(certificate_load(tx, in->fingerprint, &who));
	if (who.owed_only)
		return report_owed(tx, &who, q);
	TRY(device_load(tx, in->device, true, &d));
	TRY(report_on_items(tx, &d, in));
	for (size_t i = 0; i < in->result_n; i++)
		TRY(report_action(tx, &d, &in->results[i], q));
	return q->done != NULL ? end_device(tx, &d, q->done) : OK;
}

enum err device_report(struct scope *s, const struct device_report *r, bool *ret_more)
{
	struct reporting q = {.in = r};
	TRY(db_write(s, report, &q));
	*ret_more = q.failed && q.done == NULL; /* what the removal held back is desired again */
	return OK;
}
