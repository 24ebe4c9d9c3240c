/* SPDX-License-Identifier: Apache-2.0 */
#include "duty/kept.h"

DB_TENANT(kept_of_person,
	  "SELECT 1 FROM legal_hold_members m WHERE m.tenant_id = ?1 AND m.user_id = ?2 UNION ALL "
	  "SELECT 1 FROM managed_devices d JOIN legal_hold_members m ON m.tenant_id = d.tenant_id AND m.device_id = d.device_id "
	  "WHERE d.tenant_id = ?1 AND d.user_id = ?2 LIMIT 1");
DB_TENANT(kept_of_device,
	  "SELECT 1 FROM legal_hold_members m WHERE m.tenant_id = ?1 AND m.device_id = ?2 UNION ALL "
	  "SELECT 1 FROM managed_devices d JOIN legal_hold_members m ON m.tenant_id = d.tenant_id AND m.user_id = d.user_id AND m.device_id IS NULL "
	  "WHERE d.tenant_id = ?1 AND d.device_id = ?2 LIMIT 1");
DB_TENANT(kept_of_tenant, "SELECT 1 FROM legal_hold_members WHERE tenant_id = ?1 LIMIT 1");

static enum err any(struct db_tx *tx, struct db_stmt *stmt, const struct db_value *args, size_t n, bool *ret)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, stmt, args, n, &r));
	*ret = db_next(r);
	return db_rows_err(r);
}

enum err kept_person(struct db_tx *tx, struct id user, bool *ret) { return any(tx, &kept_of_person, DB_ARGS(db_v_id(&user)), ret); }

enum err kept_device(struct db_tx *tx, struct id device, bool *ret) { return any(tx, &kept_of_device, DB_ARGS(db_v_id(&device)), ret); }

enum err kept_tenant(struct db_tx *tx, bool *ret) { return any(tx, &kept_of_tenant, DB_NOARGS, ret); }
