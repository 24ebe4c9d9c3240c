/* SPDX-License-Identifier: Apache-2.0
 *
 * The facts of a device that rules decide on, and events about it.
 */
#include "devices/device.h"

#include <string.h>

#include "resource/tables.h"

DB_TENANT(device_facts,
	  "SELECT directory_device_id, user_id, owner_type, provisioning, hidden_at, device_name, platform, "
	  "management_state, hidden_reason FROM managed_devices WHERE tenant_id = ?1 AND device_id = ?2");
DB_TENANT(device_person, "SELECT upn, display_name FROM users WHERE tenant_id = ?1 AND user_id = ?2");
DB_TENANT(device_management_state,
	  "UPDATE managed_devices SET management_state = ?3 WHERE tenant_id = ?1 AND device_id = ?2");

static enum err not_found(struct scope *s, struct id device)
{
	char text[ID_TEXT];
	return scope_fail(s, ERR_NOT_FOUND, "no managed device with id %s", id_format(device, text));
}

enum err device_load(struct db_tx *tx, struct id device, bool hidden_too, struct device *ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	TRY(resource_reachable(tx, &RES_MANAGED_DEVICE, device));
	enum err err = db_query_one(tx, &device_facts, DB_ARGS(db_v_id(&device)), &r);
	if (err == ERR_NOT_FOUND || (err == OK && !hidden_too && !db_is_null(r, 4)))
		return not_found(s, device);
	TRY(err);
	*ret = (struct device){
		.id = device, .directory_id = db_id(r, 0), .user = db_id(r, 1), .owner = db_text_dup(r, 2, s->arena),
		.provisioning = db_bool(r, 3), .hidden = !db_is_null(r, 4), .name = db_text_dup(r, 5, s->arena),
		.platform = db_text_dup(r, 6, s->arena), .management_state = db_text_dup(r, 7, s->arena),
	};
	ret->company = strcmp(ret->owner, OWNER_COMPANY) == 0;
	ret->deleted = ret->hidden && strcmp(db_text(r, 8), "deleted") == 0;
	s->subject = device;
	return OK;
}

enum err device_act_as_user(struct db_tx *tx, struct id user)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	enum err err = db_query_one(tx, &device_person, DB_ARGS(db_v_id(&user)), &r);
	if (err == ERR_NOT_FOUND)
		return OK;
	TRY(err);
	s->actor = (struct actor){.type = ACTOR_USER, .id = user, .ip = s->actor.ip, .upn = db_text_dup(r, 0, s->arena),
				  .name = db_text_dup(r, 1, s->arena)};
	return OK;
}

enum err device_set_management_state(struct db_tx *tx, struct id device, const char *state)
{
	return db_exec(tx, &device_management_state, DB_ARGS(db_v_id(&device), db_v_text(state)), NULL);
}

enum err device_record(struct db_tx *tx, const struct device *d, enum activity activity,
		       const struct audit_change *changes, const char *failure)
{
	return audit_record(tx, &(struct audit_event){.activity = activity,
						      .resource_type = DEVICE_ENTITY,
						      .resource = d->id,
						      .resource_name = d->name,
						      .subject = d->user,
						      .changes = changes,
						      .failure = failure});
}
