/* SPDX-License-Identifier: Apache-2.0
 *
 * What erasure needs of devices.
 */
#include "devices/removal.h"

#include <string.h>

#include "devices/precedence.h"

DB_TENANT(certificate_owe,
	  "UPDATE device_certificates SET owed_action = ?3, owed_name = ?4 WHERE tenant_id = ?1 "
	  "AND device_id = ?2 AND revoked_at IS NULL AND expires_at > ?5");
DB_TENANT(action_owed,
	  "SELECT action_id, action_name FROM device_actions WHERE tenant_id = ?1 AND device_id = ?2 "
	  "AND action_name IN ('retire', 'wipe') AND state IN ('pending', 'issued', 'notNow', 'failed') "
	  "ORDER BY requested_at DESC, action_id DESC LIMIT 1");
DB_TENANT(devices_by_user,
	  "SELECT device_id, owner_type, hidden_at FROM managed_devices WHERE tenant_id = ?1 "
	  "AND user_id = ?2 ORDER BY device_id");

enum err device_owe(struct db_tx *tx, struct id device, struct id action, const char *name, size_t *ret_owed)
{
	struct scope *s = db_tx_scope(tx);
	int64_t n;
	TRY(db_exec(tx, &certificate_owe,
		    DB_ARGS(db_v_id(&device), db_v_id(&action), db_v_text(name), db_v_int(s->now)), &n));
	if (ret_owed != NULL)
		*ret_owed = (size_t)n;
	return OK;
}

enum err device_owed_action(struct db_tx *tx, struct id device, struct id *ret_action, const char **ret_name)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &action_owed, DB_ARGS(db_v_id(&device)), &r));
	*ret_action = db_id(r, 0);
	*ret_name = db_text_dup(r, 1, db_tx_scope(tx)->arena);
	return OK;
}

enum err devices_of_user(struct db_tx *tx, struct id user, struct user_device **ret, size_t *ret_n)
{
	struct scope *s = db_tx_scope(tx);
	size_t room = 0;
	auto_rows struct db_rows *r = NULL;
	*ret = NULL;
	*ret_n = 0;
	TRY(db_query(tx, &devices_by_user, DB_ARGS(db_v_id(&user)), &r));
	while (db_next(r)) {
		if (*ret_n == room) {
			room = room == 0 ? 16 : 2 * room;
			struct user_device *more = arena_alloc(s->arena, room * sizeof *more);
			if (*ret_n > 0)
				memcpy(more, *ret, *ret_n * sizeof *more);
			*ret = more;
		}
		(*ret)[(*ret_n)++] = (struct user_device){.device = db_id(r, 0),
							  .company = strcmp(db_text(r, 1), OWNER_COMPANY) == 0,
							  .hidden = !db_is_null(r, 2)};
	}
	return db_rows_err(r);
}

enum err device_retire_in_tx(struct db_tx *tx, struct id device, const char *trigger, struct id *ret_action)
{
	struct device d;
	struct id action;
	bool new;
	TRY(device_load(tx, device, true, &d));
	TRY(removal_queue(tx, &d,
			  &(struct removal_order){.action = ACTION_RETIRE,
						  .trigger = trigger,
						  .activity = ACT_DEVICE_RETIRE,
						  .first = ACTION_pending},
			  &action, &new));
	if (ret_action != NULL)
		*ret_action = action;
	return OK;
}
