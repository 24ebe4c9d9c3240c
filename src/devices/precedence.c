/* SPDX-License-Identifier: Apache-2.0
 *
 * One removal at a time: what is open gives way, or stays because it takes at least as much.
 */
#include "devices/precedence.h"

#include <string.h>

#include "directory/tenant_settings.h"
#include "duty/duty.h"

DB_TENANT(removal_done,
	  "SELECT 1 FROM device_actions WHERE tenant_id = ?1 AND device_id = ?2 AND state = 'done' "
	  "AND action_name IN ('retire', 'wipe') LIMIT 1");

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

enum err removal_confirmed(struct db_tx *tx, struct id device, bool *ret)
{
	auto_rows struct db_rows *r = NULL;
	enum err err = db_query_one(tx, &removal_done, DB_ARGS(db_v_id(&device)), &r);
	*ret = err == OK;
	return err == ERR_NOT_FOUND ? OK : err;
}

enum err removal_queue(struct db_tx *tx, const struct device *d, const struct removal_order *o, struct id *ret_action,
		       bool *ret_new)
{
	struct scope *s = db_tx_scope(tx);
	struct device_action *open;
	size_t n;
	*ret_new = false;
	*ret_action = (struct id){0};
	bool confirmed;
	TRY(removal_confirmed(tx, d->id, &confirmed));
	if (confirmed)
		return OK;
	TRY(action_open_of(tx, d->id, &open, &n));
	for (size_t i = 0; i < n; i++)
		if (takes_as_much(open[i].name, o->action)) {
			*ret_action = open[i].action;
			return OK;
		}
	for (size_t i = 0; i < n; i++)
		TRY(action_move(tx, d, &open[i], ACTION_canceled, NULL));
	TRY(action_create(tx, d, o->action, o->first, o->parameters, ret_action));
	TRY(removal_open_duty(tx, d, o->trigger));
	*ret_new = true;
	if (o->activity == ACT_NONE)
		return OK;
	struct audit_change *changes = NULL;
	removal_changes(s, d, o->action, &changes);
	return device_record(tx, d, o->activity, changes, NULL);
}
