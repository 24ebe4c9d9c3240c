/* SPDX-License-Identifier: Apache-2.0
 *
 * Assets: recorded by the erasure of a wiped company device, taken up by its next enrolment.
 */
#include "devices/asset.h"

#include <string.h>

#include "devices/action.h"
#include "resource/tables.h"

DB_TENANT(asset_of_device,
	  "SELECT manufacturer, model, serial_number, asset_note FROM managed_devices WHERE tenant_id = ?1 AND device_id = ?2 AND owner_type = 'company'");
DB_TENANT(asset_wipe,
	  "SELECT state, updated_at FROM device_actions WHERE tenant_id = ?1 AND device_id = ?2 AND action_name = 'wipe' AND state <> 'canceled' "
	  "ORDER BY requested_at DESC, action_id DESC LIMIT 1");
DB_TENANT(asset_insert,
	  "INSERT INTO device_assets (tenant_id, asset_id, manufacturer, model, serial_number, asset_note, recorded_at, wiped_at) "
	  "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
DB_TENANT(asset_same,
	  "SELECT asset_id, manufacturer, model, asset_note FROM device_assets WHERE tenant_id = ?1 AND serial_number = ?2 LIMIT 20");
DB_TENANT(asset_remove, "DELETE FROM device_assets WHERE tenant_id = ?1 AND asset_id = ?2");

/* No event of an asset names a device's id: nothing in the log leads from the asset to whoever had the machine, but by its serial number. */
static enum err record_event(struct db_tx *tx, enum activity activity, struct id asset, const struct audit_change *changes)
{
	return audit_record(tx, &(struct audit_event){
					.activity = activity, .resource_type = RES_DEVICE_ASSET.entity, .resource = asset, .changes = changes});
}

/* ---- the end of a device's record ---- */

/* When the device confirmed; 0: it never did.  ERR_NOT_FOUND: no wipe was asked for. */
static enum err wiped_at(struct db_tx *tx, struct id device, int64_t *ret)
{
	enum action_state state;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &asset_wipe, DB_ARGS(db_v_id(&device)), &r));
	check(action_state_parse(db_text(r, 0), &state));
	*ret = state == ACTION_done ? db_int(r, 1) : 0;
	return OK;
}

static enum err insert(struct db_tx *tx, const struct db_rows *device, int64_t wiped)
{
	static const char *const names[] = {"manufacturer", "model", "serialNumber", "assetNote"};
	static const char *const columns[] = {"manufacturer", "model", "serial_number", "asset_note"};
	struct scope *s = db_tx_scope(tx);
	struct id asset = scope_id(s);
	struct audit_change *changes = NULL, **tail = &changes;
	TRY(db_exec(tx, &asset_insert,
		    DB_ARGS(db_v_id(&asset), db_v_text(db_text(device, 0)), db_v_text(db_text(device, 1)), db_v_text(db_text(device, 2)),
			    db_v_text(db_text(device, 3)), db_v_int(s->now), wiped == 0 ? db_v_null() : db_v_int(wiped)),
		    NULL));
	for (int i = 0; i < 4; i++)
		if (!db_is_null(device, i))
			tail = audit_change_add(s->arena, tail, names[i], "device_assets", columns[i], NULL, db_text(device, i));
	return record_event(tx, ACT_ASSET_CREATE, asset, changes);
}

enum err asset_record(struct db_tx *tx, struct id device)
{
	int64_t wiped = 0;
	auto_rows struct db_rows *r = NULL;
	enum err e = wiped_at(tx, device, &wiped);
	if (e == OK)
		e = db_query_one(tx, &asset_of_device, DB_ARGS(db_v_id(&device)), &r);
	if (e == ERR_NOT_FOUND)
		return OK;
	TRY(e);
	return db_is_null(r, 2) && db_is_null(r, 3) ? OK : insert(tx, r, wiped);
}

/* ---- the machine comes back ---- */

static bool same(const char *a, const char *b) { return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0; }

/* *ret_n: how many look like it; *ret and *ret_note are the last one's. */
static enum err find_same(struct db_tx *tx, const char *manufacturer, const char *model, const char *serial_number, size_t *ret_n, struct id *ret,
			  const char **ret_note)
{
	auto_rows struct db_rows *r = NULL;
	*ret_n = 0;
	TRY(db_query(tx, &asset_same, DB_ARGS(db_v_text(serial_number)), &r));
	while (db_next(r)) {
		if (!same(db_text(r, 1), manufacturer) || !same(db_text(r, 2), model))
			continue;
		*ret = db_id(r, 0);
		*ret_note = db_text_dup(r, 3, db_tx_scope(tx)->arena);
		++*ret_n;
	}
	return db_rows_err(r);
}

enum err asset_take_up(struct db_tx *tx, const char *manufacturer, const char *model, const char *serial_number, const char **ret_note)
{
	struct id asset;
	const char *note = NULL;
	size_t n = 0;
	*ret_note = NULL;
	if (serial_number != NULL)
		TRY(find_same(tx, manufacturer, model, serial_number, &n, &asset, &note));
	if (n != 1)
		return OK;
	*ret_note = note;
	TRY(db_exec(tx, &asset_remove, DB_ARGS(db_v_id(&asset)), NULL));
	return record_event(tx, ACT_ASSET_TAKE_UP, asset, NULL);
}

/* ---- by people ---- */

struct edit {
	struct id asset;
	const struct record *change;
};

static enum err patch_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct edit *q = arg;
	struct record *old;
	struct audit_change *changes = NULL, **tail = &changes;
	bool changed;
	TRY(record_load(tx, &RES_DEVICE_ASSET, q->asset, false, &old));
	TRY(record_update(tx, old, q->change, q->asset, NULL, 0, &tail, &changed));
	return changed ? record_event(tx, ACT_ASSET_UPDATE, q->asset, changes) : OK;
}

enum err asset_patch(struct scope *s, struct id asset, const struct record *change)
{
	return db_write(s, patch_tx, &(struct edit){asset, change});
}

static enum err delete_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct edit *q = arg;
	struct record *old;
	struct audit_change *changes = NULL, **tail = &changes;
	TRY(record_load(tx, &RES_DEVICE_ASSET, q->asset, false, &old));
	TRY(db_exec(tx, &asset_remove, DB_ARGS(db_v_id(&q->asset)), NULL));
	record_changes_all(s->arena, old, false, &tail);
	return record_event(tx, ACT_ASSET_DELETE, q->asset, changes);
}

enum err asset_delete(struct scope *s, struct id asset) { return db_write(s, delete_tx, &(struct edit){.asset = asset}); }
