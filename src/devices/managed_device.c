/* SPDX-License-Identifier: Apache-2.0
 *
 * A managed device as people see and change it.
 */
#include "devices/managed_device.h"

#include <string.h>

#include "devices/action.h"
#include "devices/device.h"
#include "resource/tables.h"

DB_TENANT(hardware_of_device,
	  "SELECT serial_number, total_storage_bytes, free_storage_bytes, manufacturer, model, wifi_mac, "
	  "is_encrypted, os_build, os_name, device_name FROM managed_devices WHERE tenant_id = ?1 "
	  "AND device_id = ?2");
/* A step of the low queue: a company device may have 20,000 packages. */
DB_TENANT(packages_forget,
	  "DELETE FROM detected_apps WHERE tenant_id = ?1 AND device_id = ?2 AND (name, version) IN "
	  "(SELECT name, version FROM detected_apps WHERE tenant_id = ?1 AND device_id = ?2 LIMIT 2000)");

/* Members that Intune's scripts look for and Linux has no value for are null, as Graph writes them. */
static enum err write_hardware(struct db_tx *tx, struct json_writer *w, struct id device)
{
	static const char *const nothing[] = {
		"imei", "meid", "phoneNumber", "subscriberCarrier", "cellularTechnology", "operatingSystemLanguage",
		"batterySerialNumber", "ipAddressV4", "subnetAddress", "esimIdentifier", "tpmVersion",
	};
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &hardware_of_device, DB_ARGS(db_v_id(&device)), &r));
	jw_object(w);
	jw_kstring(w, "serialNumber", db_text(r, 0));
	jw_kint(w, "totalStorageSpace", db_int(r, 1));
	jw_kint(w, "freeStorageSpace", db_int(r, 2));
	jw_kstring(w, "manufacturer", db_text(r, 3));
	jw_kstring(w, "model", db_text(r, 4));
	jw_kstring(w, "wifiMac", db_text(r, 5));
	jw_kbool(w, "isEncrypted", db_bool(r, 6));
	jw_kbool(w, "isSupervised", false);
	jw_kbool(w, "isSharedDevice", false);
	jw_kstring(w, "osBuildNumber", db_text(r, 7));
	jw_kstring(w, "operatingSystemEdition", db_text(r, 8));
	jw_kstring(w, "deviceFullQualifiedDomainName", db_text(r, 9));
	jw_key(w, "sharedDeviceCachedUsers");
	jw_array(w);
	jw_end_array(w);
	for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++) {
		jw_key(w, nothing[i]);
		jw_null(w);
	}
	jw_end_object(w);
	return OK;
}

enum err managed_device_more(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id device,
			     void *arg)
{
	if (resource_selected(q, "deviceActionResults")) {
		jw_key(w, "deviceActionResults");
		TRY(action_write_results(tx, device, w));
	}
	if (q->version == API_BETA && resource_selected(q, "hardwareInformation")) {
		jw_key(w, "hardwareInformation");
		TRY(write_hardware(tx, w, device));
	}
	return OK;
}

struct device_change {
	struct id device;
	const struct record *record;
	bool now_personal;
};

static enum err patch(struct scope *s, struct db_tx *tx, void *arg)
{
	struct device_change *q = arg;
	struct device d;
	struct record *old;
	struct audit_change *changes = NULL, **tail = &changes;
	bool changed;
	TRY(device_load(tx, q->device, false, &d));
	TRY(record_load(tx, &RES_MANAGED_DEVICE, q->device, false, &old));
	TRY(record_update(tx, old, q->record, q->device, NULL, 0, &tail, &changed));
	const char *owner = record_text(s->arena, q->record, "managedDeviceOwnerType");
	q->now_personal = changed && d.company && owner != NULL && strcmp(owner, OWNER_PERSONAL) == 0;
	return changed ? device_record(tx, &d, ACT_DEVICE_UPDATE, changes, NULL) : OK;
}

static enum err forget_packages(struct scope *s, struct db_tx *tx, void *arg)
{
	struct {
		struct id device;
		int64_t gone;
	} *q = arg;
	return db_exec(tx, &packages_forget, DB_ARGS(db_v_id(&q->device)), &q->gone);
}

enum err managed_device_patch(struct scope *s, struct id device, const struct record *change)
{
	struct device_change q = {.device = device, .record = change};
	struct {
		struct id device;
		int64_t gone;
	} packages = {device, 1};
	const char *owner = record_text(s->arena, change, "managedDeviceOwnerType");
	if (owner != NULL && strcmp(owner, OWNER_PERSONAL) != 0 && strcmp(owner, OWNER_COMPANY) != 0)
		return scope_fail(s, ERR_BAD_REQUEST, "managedDeviceOwnerType is personal or company");
	TRY(db_write(s, patch, &q));
	while (q.now_personal && packages.gone > 0)
		TRY(db_write_low(s, forget_packages, &packages));
	return OK;
}

struct device_search {
	struct id device;
	const struct id *user;
};

static enum err load_visible(struct scope *s, struct db_tx *tx, void *arg)
{
	struct device_search *q = arg;
	struct device d;
	TRY(device_load(tx, q->device, false, &d));
	return q->user == NULL || id_equal(d.user, *q->user)
		       ? OK
		       : scope_fail(s, ERR_NOT_FOUND, "the user has no managed device with this id");
}

enum err managed_device_visible(struct scope *s, struct id device, const struct id *user)
{
	return db_read(s, load_visible, &(struct device_search){device, user});
}
