/* SPDX-License-Identifier: Apache-2.0
 *
 * What administrators and people ask of a device.
 */
#include "devices/request.h"

#include <string.h>

#include "devices/certificate.h"
#include "devices/precedence.h"
#include "duty/duty.h"

DB_TENANT(device_hide,
	  "UPDATE managed_devices SET hidden_at = ?3, management_state = 'deletePending' WHERE tenant_id = ?1 "
	  "AND device_id = ?2");
DB_TENANT(action_forget_syncs,
	  "DELETE FROM device_actions WHERE tenant_id = ?1 AND device_id = ?2 AND action_name = 'syncDevice' "
	  "AND state NOT IN ('pending', 'issued')");
DB_TENANT(user_names, "SELECT upn, display_name FROM users WHERE tenant_id = ?1 AND user_id = ?2");

struct request {
	struct id device, action;
	const struct wipe_options *wipe;
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

static enum err may_wipe(struct scope *s, const struct device *d, const struct wipe_options *o)
{
	if (!d->company)
		return scope_fail(s, ERR_BAD_REQUEST, "notSupported: a personal Linux device is not wiped: retire it");
	if (!d->provisioning)
		return scope_fail(s, ERR_BAD_REQUEST,
				  "notSupported: this device was enrolled for inventory only and is never wiped");
	if (o->keep_enrollment_data)
		return scope_fail(s, ERR_BAD_REQUEST,
				  "notSupported: keepEnrollmentData: the wipe of a Linux device keeps no enrolment");
	return OK;
}

static enum err wipe_device(struct scope *s, struct db_tx *tx, void *arg)
{
	struct request *q = arg;
	struct device d;
	struct id action;
	bool new, confirmed;
	TRY(device_load(tx, q->device, false, &d));
	TRY(may_wipe(s, &d, q->wipe));
	TRY(removal_confirmed(tx, d.id, &confirmed));
	if (confirmed)
		return scope_fail(s, ERR_CONFLICT, "the device has confirmed its removal and can no longer be reached");
	return removal_queue(tx, &d,
			     &(struct removal_order){.action = ACTION_WIPE,
						     .trigger = DUTY_BY_WIPE,
						     .activity = ACT_DEVICE_WIPE,
						     .first = ACTION_pending},
			     &action, &new);
}

enum err device_wipe(struct scope *s, struct id device, const struct wipe_options *o)
{
	return db_write(s, wipe_device, &(struct request){.device = device, .wipe = o});
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
	TRY(action_create(tx, &d, ACTION_SYNC, ACTION_pending, NULL, &q->action));
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
	TRY(device_load(tx, q->device, false, &d));
	TRY(removal_queue(tx, &d,
			  &(struct removal_order){.action = ACTION_RETIRE,
						  .trigger = DUTY_BY_DEVICE_DELETE,
						  .activity = ACT_NONE,
						  .first = ACTION_pending},
			  &action, &new));
	TRY(db_exec(tx, &device_hide, DB_ARGS(db_v_id(&d.id), db_v_int(s->now)), NULL));
	removal_changes(s, &d, new ? ACTION_RETIRE : NULL, &changes);
	return device_record(tx, &d, ACT_DEVICE_DELETE, changes, NULL);
}

enum err device_delete(struct scope *s, struct id device)
{
	return db_write(s, delete_device, &(struct request){.device = device});
}

/* ---- leave ---- */

/* The person acts, through their device. */
static enum err act_as_user(struct scope *s, struct db_tx *tx, struct id user)
{
	auto_rows struct db_rows *r = NULL;
	enum err err = db_query_one(tx, &user_names, DB_ARGS(db_v_id(&user)), &r);
	if (err == ERR_NOT_FOUND)
		return OK;
	TRY(err);
	s->actor = (struct actor){.type = ACTOR_USER, .id = user, .ip = s->actor.ip, .upn = db_text_dup(r, 0, s->arena),
				  .name = db_text_dup(r, 1, s->arena)};
	return OK;
}

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
	enum err err = act_as_user(s, tx, d.user);
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
