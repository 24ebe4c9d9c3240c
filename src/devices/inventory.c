/* SPDX-License-Identifier: Apache-2.0
 *
 * The inventory of a device: its row, its disks, its network interfaces.  Packages are in packages.c.
 */
#include "devices/inventory.h"

#include <string.h>

#include "base/limits.h"
#include "codec/json.h"

DB_TENANT(inventory_identity,
	  "SELECT device_name, serial_number, manufacturer, model, wifi_mac, ethernet_mac "
	  "FROM managed_devices WHERE tenant_id = ?1 AND device_id = ?2");
DB_TENANT(inventory_update,
	  "UPDATE managed_devices SET device_name = ?3, serial_number = ?4, manufacturer = ?5, model = ?6, "
	  "wifi_mac = ?7, ethernet_mac = ?8, chassis_type = ?9, os_name = ?10, os_version = ?11, os_build = ?12, "
	  "kernel = ?13, architecture = ?14, processor = ?15, processor_count = ?16, physical_memory_bytes = ?17, "
	  "total_storage_bytes = ?18, free_storage_bytes = ?19, is_encrypted = ?20, inventory_at = ?21 "
	  "WHERE tenant_id = ?1 AND device_id = ?2");
DB_TENANT(disks_delete, "DELETE FROM device_disks WHERE tenant_id = ?1 AND device_id = ?2");
DB_TENANT(disk_insert,
	  "INSERT INTO device_disks (tenant_id, device_id, name, model, size_bytes) VALUES (?1, ?2, ?3, ?4, ?5)");
DB_TENANT(interfaces_delete, "DELETE FROM network_interfaces WHERE tenant_id = ?1 AND device_id = ?2");
DB_TENANT(interface_insert,
	  "INSERT INTO network_interfaces (tenant_id, device_id, name, mac, kind, addresses) "
	  "VALUES (?1, ?2, ?3, ?4, ?5, ?6)");

/* ---- what may be said ---- */

enum err inventory_check(struct scope *s, const struct inventory *inv, const struct collect *c)
{
	if (inv->has_packages && !c->packages)
		return scope_fail(s, ERR_BAD_REQUEST, "packages: not asked for");
	if (inv->has_disks && !c->disks)
		return scope_fail(s, ERR_BAD_REQUEST, "disks: not asked for");
	for (size_t i = 0; i < inv->interface_n; i++) {
		if (inv->interfaces[i].has_addresses && !c->addresses)
			return scope_fail(s, ERR_BAD_REQUEST, "networkInterfaces/addresses: not asked for");
		for (size_t j = 0; j < i; j++)
			if (strcmp(inv->interfaces[i].name, inv->interfaces[j].name) == 0)
				return scope_fail(s, ERR_BAD_REQUEST, "networkInterfaces: two have the same name");
	}
	for (size_t i = 0; i < inv->disk_n; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(inv->disks[i].name, inv->disks[j].name) == 0)
				return scope_fail(s, ERR_BAD_REQUEST, "disks: two have the same name");
	return OK;
}

/* ---- the device's row ---- */

/* Of several interfaces of a kind the first by name, so that the choice does not depend on the order they were listed
 * in. */
static const char *mac_of(const struct inventory *inv, const char *kind)
{
	const struct inventory_interface *best = NULL;
	for (size_t i = 0; i < inv->interface_n; i++) {
		const struct inventory_interface *at = &inv->interfaces[i];
		if (at->mac != NULL && at->kind != NULL && strcmp(at->kind, kind) == 0 &&
		    (best == NULL || strcmp(at->name, best->name) < 0))
			best = at;
	}
	return best == NULL ? NULL : best->mac;
}

static bool same_text(const char *a, const char *b) { return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0; }

/* A device whose user was erased keeps the name that the erasure gave it: what people call a machine often names them, and a late report must not
 * bring that back. */
static const char *name_of(const struct device *d, const struct inventory *inv)
{
	return id_is_nil(d->user) ? d->name : inv->device_name;
}

static enum err record_identity(struct db_tx *tx, const struct device *d, const struct inventory *inv)
{
	struct scope *s = db_tx_scope(tx);
	const struct {
		const char *name, *column, *value;
	} identity[] = {
		{"deviceName", "device_name", name_of(d, inv)},
		{"serialNumber", "serial_number", inv->serial_number},
		{"manufacturer", "manufacturer", inv->manufacturer},
		{"model", "model", inv->model},
		{"wiFiMacAddress", "wifi_mac", mac_of(inv, "wifi")},
		{"ethernetMacAddress", "ethernet_mac", mac_of(inv, "ethernet")},
	};
	struct audit_change *changes = NULL, **tail = &changes;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &inventory_identity, DB_ARGS(db_v_id(&d->id)), &r));
	for (int i = 0; i < 6; i++)
		if (!same_text(db_text(r, i), identity[i].value))
			tail = audit_change_add(s->arena, tail, identity[i].name, "managed_devices", identity[i].column,
						db_text(r, i), identity[i].value);
	return changes == NULL ? OK : device_record(tx, d, ACT_DEVICE_REPORTED, changes, NULL);
}

static struct db_value known(int64_t v) { return v < 0 ? db_v_null() : db_v_int(v); }

static enum err update_row(struct db_tx *tx, const struct device *d, const struct inventory *inv)
{
	struct scope *s = db_tx_scope(tx);
	return db_exec(tx, &inventory_update,
		       DB_ARGS(db_v_id(&d->id), db_v_text(name_of(d, inv)), db_v_text(inv->serial_number),
			       db_v_text(inv->manufacturer), db_v_text(inv->model), db_v_text(mac_of(inv, "wifi")),
			       db_v_text(mac_of(inv, "ethernet")), db_v_text(inv->chassis_type),
			       db_v_text(inv->os_name), db_v_text(inv->os_version), db_v_text(inv->os_build),
			       db_v_text(inv->kernel), db_v_text(inv->architecture), db_v_text(inv->processor),
			       known(inv->processor_count), known(inv->physical_memory), known(inv->total_storage),
			       known(inv->free_storage), known(inv->encrypted), db_v_int(s->now)),
		       NULL);
}

/* ---- lists ---- */

static enum err store_disks(struct db_tx *tx, struct id device, const struct inventory *inv)
{
	TRY(db_exec(tx, &disks_delete, DB_ARGS(db_v_id(&device)), NULL));
	for (size_t i = 0; i < inv->disk_n; i++) {
		const struct inventory_disk *d = &inv->disks[i];
		TRY(db_exec(tx, &disk_insert,
			    DB_ARGS(db_v_id(&device), db_v_text(d->name), db_v_text(d->model), known(d->size_bytes)),
			    NULL));
	}
	return OK;
}

static const char *addresses_json(struct arena *a, const struct inventory_interface *at)
{
	auto_buf out;
	struct json_writer w;
	buf_init(&out, LIMIT_CHECKIN_BYTES);
	jw_init(&w, &out);
	jw_array(&w);
	for (size_t i = 0; i < at->address_n; i++)
		jw_string(&w, at->addresses[i]);
	jw_end_array(&w);
	return out.failed ? NULL : arena_strndup(a, out.data, out.len);
}

static enum err store_interfaces(struct db_tx *tx, struct id device, const struct inventory *inv, bool with_addresses)
{
	struct scope *s = db_tx_scope(tx);
	TRY(db_exec(tx, &interfaces_delete, DB_ARGS(db_v_id(&device)), NULL));
	for (size_t i = 0; i < inv->interface_n; i++) {
		const struct inventory_interface *at = &inv->interfaces[i];
		const char *addresses = with_addresses && at->has_addresses ? addresses_json(s->arena, at) : NULL;
		TRY(db_exec(tx, &interface_insert,
			    DB_ARGS(db_v_id(&device), db_v_text(at->name), db_v_text(at->mac), db_v_text(at->kind),
				    db_v_text(addresses)),
			    NULL));
	}
	return OK;
}

enum err inventory_store(struct db_tx *tx, const struct device *d, const struct inventory *inv, const struct collect *c)
{
	TRY(record_identity(tx, d, inv));
	TRY(update_row(tx, d, inv));
	TRY(store_disks(tx, d->id, inv));
	return store_interfaces(tx, d->id, inv, c->addresses);
}
