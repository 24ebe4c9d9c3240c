/* SPDX-License-Identifier: Apache-2.0
 *
 * One removal at a time: what is open gives way, or stays because it takes at least as much.
 */
#include "devices/precedence.h"

#include <string.h>

#include "devices/limit.h"
#include "directory/tenant_settings.h"
#include "duty/duty.h"

DB_TENANT(removal_done,
	  "SELECT 1 FROM device_actions WHERE tenant_id = ?1 AND device_id = ?2 AND (state = 'done' OR outcome = 'returned') "
	  "AND action_name IN ('retire', 'wipe') LIMIT 1"); /* one that came back has no credential left to be told with */

enum err removal_open_duty(struct db_tx *tx, const struct device *d, const char *trigger)
{
	struct scope *s = db_tx_scope(tx);
	int64_t days;
	TRY(tenant_setting_int(tx, "deviceGraceDays", &days));
	return duty_open(tx,
			 &(struct duty_order){.trigger = trigger,
					      .subject_type = "device",
					      .subject = d->id,
					      .person = d->user,
					      .first = DUTY_received,
					      .due_at = s->now + days * DAY_US,
					      .deadline_at = s->now + DUTY_DEADLINE_US},
			 NULL);
}

struct audit_change **removal_changes(struct scope *s, const struct device *d, const char *action,
				      struct audit_change **tail)
{
	char id[ID_TEXT];
	tail = audit_change_add(s->arena, tail, "AzureADDeviceId", "managed_devices", "directory_device_id", NULL,
				id_format(d->directory_id, id));
	tail = audit_change_add(s->arena, tail, "DeviceManagementAPIVersion", NULL, NULL, NULL, "1.0");
	return audit_change_add(s->arena, tail, "actionName", "device_actions", "action_name", NULL, action);
}

/* A wipe takes everything; a retire takes no more than either. */
static bool takes_as_much(const char *open, const char *wanted)
{
	return strcmp(open, ACTION_WIPE) == 0 ||
	       (strcmp(open, ACTION_RETIRE) == 0 && strcmp(wanted, ACTION_RETIRE) == 0);
}

static const char *asked_as(const char *trigger)
{
	static const struct {
		const char *trigger, *asked_as;
	} WAYS[] = {
		{DUTY_BY_RETIRE, ACTION_RETIRE},
		{DUTY_BY_WIPE, ACTION_WIPE},
		{DUTY_BY_DEVICE_DELETE, ACTION_DELETE},
		{DUTY_BY_LEAVE, ASKED_AS_LEAVE},
	};
	for (size_t i = 0; i < sizeof WAYS / sizeof WAYS[0]; i++)
		if (strcmp(WAYS[i].trigger, trigger) == 0)
			return WAYS[i].asked_as;
	return ASKED_AS_ERASURE;
}

enum err removal_confirmed(struct db_tx *tx, struct id device, bool *ret)
{
	auto_rows struct db_rows *r = NULL;
	enum err err = db_query_one(tx, &removal_done, DB_ARGS(db_v_id(&device)), &r);
	*ret = err == OK;
	return err == ERR_NOT_FOUND ? OK : err;
}

/* *ret: an open removal takes as much as this one would. */
static enum err gives_way(struct db_tx *tx, const struct device_action *open, size_t n, const struct removal_order *o, const char *as,
			  struct id *ret_action, bool *ret)
{
	*ret = false;
	for (size_t i = 0; i < n && !*ret; i++)
		if (takes_as_much(open[i].name, o->action)) {
			*ret_action = open[i].action;
			*ret = true;
		}
	return *ret && action_is_claimed(as) ? action_claim(tx, *ret_action, as) : OK;
}

/* A wipe that takes the place of what somebody relies on is relied on, too. */
static const char *claimed_by(const struct device_action *open, size_t n, const char *as)
{
	for (size_t i = 0; i < n; i++)
		if (action_is_claimed(open[i].asked_as))
			return open[i].asked_as;
	return as;
}

static enum err queue(struct db_tx *tx, const struct device *d, const struct removal_order *o, const char *as, const char *claimed,
		      struct id *ret_action)
{
	if (strcmp(as, o->action) == 0) /* a delete is counted as one, whatever it queues */
		TRY(action_limit_take(tx, as));
	TRY(action_create(tx, d,
			  &(struct action_order){.name = o->action, .asked_as = claimed, .first = o->first, .parameters = o->parameters},
			  ret_action));
	return removal_open_duty(tx, d, o->trigger);
}

enum err removal_queue(struct db_tx *tx, const struct device *d, const struct removal_order *o, struct id *ret_action,
		       bool *ret_new)
{
	struct scope *s = db_tx_scope(tx);
	struct device_action *open;
	const char *as = asked_as(o->trigger);
	size_t n;
	bool confirmed, gives;
	*ret_new = false;
	*ret_action = (struct id){0};
	TRY(removal_confirmed(tx, d->id, &confirmed));
	if (confirmed)
		return OK;
	TRY(action_open_of(tx, d->id, &open, &n));
	TRY(gives_way(tx, open, n, o, as, ret_action, &gives));
	if (gives)
		return OK;
	for (size_t i = 0; i < n; i++)
		TRY(action_end(tx, d, &open[i], ACTION_canceled, OUTCOME_SUPERSEDED, NULL));
	TRY(queue(tx, d, o, as, claimed_by(open, n, as), ret_action));
	*ret_new = true;
	if (o->activity == ACT_NONE)
		return OK;
	struct audit_change *changes = NULL;
	removal_changes(s, d, o->action, &changes);
	return device_record(tx, d, o->activity, changes, NULL);
}
