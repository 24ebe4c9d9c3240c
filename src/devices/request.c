/* SPDX-License-Identifier: Apache-2.0
 *
 * What administrators and people ask of a device.
 */
#include "devices/request.h"

#include <string.h>

#include "devices/certificate.h"
#include "devices/limit.h"
#include "devices/platform_action.h"
#include "devices/precedence.h"
#include "duty/duty.h"

DB_TENANT(device_hide,
	  "UPDATE managed_devices SET hidden_at = ?3, hidden_reason = 'deleted', management_state = 'deletePending' WHERE tenant_id = ?1 "
	  "AND device_id = ?2");
DB_TENANT(action_forget_syncs,
	  "DELETE FROM device_actions WHERE tenant_id = ?1 AND device_id = ?2 AND action_name = 'syncDevice' "
	  "AND state NOT IN ('pending', 'issued', 'notNow')");

struct request {
	struct id device, action;
	const json_t *parameters;
	const uint8_t *fingerprint;
};

/* ---- retire ---- */

static enum err retire(struct scope *s, struct db_tx *tx, void *arg)
{
	struct request *q = arg;
	struct device d;
	struct id action;
	bool new;
	TRY(device_load(tx, q->device, false, &d));
	return removal_queue(tx, &d,
			     &(struct removal_order){.action = ACTION_RETIRE,
						     .trigger = DUTY_BY_RETIRE,
						     .activity = ACT_DEVICE_RETIRE,
						     .first = ACTION_pending},
			     &action, &new);
}

enum err device_retire(struct scope *s, struct id device)
{
	return db_write(s, retire, &(struct request){.device = device});
}

/* ---- wipe ---- */

/* What the device is told where this is asked for. */
static enum err told(struct scope *s, const struct device *d, const char *asked, const char **ret)
{
	const struct platform_action *a = platform_action_find(d->platform, d->owner, asked);
	if (a == NULL || a->told == NULL)
		return scope_fail(s, ERR_NOT_SUPPORTED, "notSupported: %s", a == NULL ? "this platform knows no such action" : a->refusal);
	*ret = a->told;
	return OK;
}

static enum err may_wipe(struct scope *s, const struct device *d, const json_t *body, const char **ret_told, const char **ret_parameters)
{
	size_t n;
	const struct action_parameter *rows = action_parameters_all(&n);
	TRY(told(s, d, ACTION_WIPE, ret_told));
	if (!d->provisioning)
		return scope_fail(s, ERR_NOT_SUPPORTED,
				  "notSupported: this device was enrolled for inventory only and is never wiped");
	return action_parameters_encode(s, rows, n, d->platform, body, ret_parameters);
}

static enum err wipe_device(struct scope *s, struct db_tx *tx, void *arg)
{
	struct request *q = arg;
	struct device d;
	struct id action;
	bool new, confirmed;
	struct removal_order o = {.trigger = DUTY_BY_WIPE, .activity = ACT_DEVICE_WIPE, .first = ACTION_pending};
	TRY(device_load(tx, q->device, false, &d));
	TRY(may_wipe(s, &d, q->parameters, &o.action, &o.parameters));
	TRY(removal_confirmed(tx, d.id, &confirmed));
	if (confirmed)
		return scope_fail(s, ERR_CONFLICT, "the device has confirmed its removal and can no longer be reached");
	return removal_queue(tx, &d, &o, &action, &new);
}

enum err device_wipe(struct scope *s, struct id device, const json_t *parameters)
{
	TRY(action_parameters_check(s, parameters));
	return db_write(s, wipe_device, &(struct request){.device = device, .parameters = parameters});
}

/* ---- sync ---- */

static enum err sync_device(struct scope *s, struct db_tx *tx, void *arg)
{
	struct request *q = arg;
	struct device d;
	struct device_action *open;
	size_t n;
	struct audit_change *changes = NULL;
	TRY(device_load(tx, q->device, false, &d));
	TRY(action_open_of(tx, d.id, &open, &n));
	if (n > 0) /* a sync waits already, or a removal, which wakes the device as well */
		return OK;
	TRY(db_exec(tx, &action_forget_syncs, DB_ARGS(db_v_id(&d.id)), NULL));
	TRY(action_create(tx, &d, &(struct action_order){.name = ACTION_SYNC, .asked_as = ACTION_SYNC, .first = ACTION_pending}, &q->action));
	removal_changes(s, &d, ACTION_SYNC, &changes);
	return device_record(tx, &d, ACT_DEVICE_SYNC, changes, NULL);
}

enum err device_sync(struct scope *s, struct id device)
{
	return db_write(s, sync_device, &(struct request){.device = device});
}

/* ---- delete ---- */

static enum err delete_device(struct scope *s, struct db_tx *tx, void *arg)
{
	struct request *q = arg;
	struct device d;
	struct id action;
	bool new;
	struct audit_change *changes = NULL;
	struct removal_order o = {.trigger = DUTY_BY_DEVICE_DELETE, .activity = ACT_NONE, .first = ACTION_pending};
	TRY(device_load(tx, q->device, false, &d));
	TRY(told(s, &d, ACTION_DELETE, &o.action));
	TRY(action_limit_take(tx, ACTION_DELETE));
	TRY(removal_queue(tx, &d, &o, &action, &new));
	TRY(action_create(tx, &d, &(struct action_order){.name = ACTION_DELETE, .asked_as = ACTION_DELETE, .first = ACTION_done}, &q->action));
	TRY(db_exec(tx, &device_hide, DB_ARGS(db_v_id(&d.id), db_v_int(s->now)), NULL));
	removal_changes(s, &d, new ? o.action : NULL, &changes);
	return device_record(tx, &d, ACT_DEVICE_DELETE, changes, NULL);
}

enum err device_delete(struct scope *s, struct id device)
{
	return db_write(s, delete_device, &(struct request){.device = device});
}

/* ---- leave ---- */

/* The answer delivers the action: a retire that waited is issued by it, a new one is from its birth. */
static enum err leave_with(struct db_tx *tx, const struct device *d, struct request *q)
{
	bool new;
	struct device_action a;
	TRY(removal_queue(tx, d,
			  &(struct removal_order){.action = ACTION_RETIRE,
						  .trigger = DUTY_BY_LEAVE,
						  .activity = ACT_DEVICE_LEAVE,
						  .first = ACTION_issued},
			  &q->action, &new));
	if (new || id_is_nil(q->action))
		return OK;
	TRY(action_load(tx, q->action, &a));
	return a.state == ACTION_pending ? action_move(tx, d, &a, ACTION_issued, NULL) : OK;
}

static enum err leave(struct scope *s, struct db_tx *tx, void *arg)
{
	struct request *q = arg;
	struct device_identity who;
	struct device d;
	TRY(certificate_load(tx, q->fingerprint, &who));
	if (who.owed_only)
		return scope_fail(s, ERR_FORBIDDEN, "this device is no longer on record; it owes a %s and nothing else",
				  who.owed_name);
	TRY(device_load(tx, q->device, true, &d));
	if (d.company)
		return scope_fail(s, ERR_FORBIDDEN,
				  "this device belongs to the organisation: it is not removed from management by its "
				  "user; return it");
	struct actor device = s->actor;
	enum err err = device_act_as_user(tx, d.user);
	if (err == OK)
		err = leave_with(tx, &d, q);
	s->actor = device;
	return err;
}

enum err device_leave(struct scope *s, struct id device, const uint8_t fingerprint[SHA256_BYTES], struct id *ret_action)
{
	struct request q = {.device = device, .fingerprint = fingerprint};
	TRY(db_write(s, leave, &q));
	if (id_is_nil(q.action))
		return scope_fail(s, ERR_CONFLICT, "the device has left already");
	*ret_action = q.action;
	return OK;
}
