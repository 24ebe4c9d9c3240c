/* SPDX-License-Identifier: Apache-2.0
 *
 * A managed device as people see and change it.
 */
#include "devices/managed_device.h"

#include <string.h>

#include "devices/action.h"
#include "devices/device.h"
#include "devices/ownership.h"
#include "directory/restriction.h"
#include "resource/tables.h"

DB_TENANT(hardware_of_device,
	  "SELECT serial_number, manufacturer, model, wifi_mac, os_build, os_name, device_name, total_storage_bytes, free_storage_bytes, "
	  "is_encrypted FROM managed_devices WHERE tenant_id = ?1 AND device_id = ?2");
DB_TENANT(addresses_of_device,
	  "SELECT addresses FROM network_interfaces WHERE tenant_id = ?1 AND device_id = ?2 AND addresses IS NOT NULL ORDER BY name");

/* hardwareInformation, member by member.  column: of hardware_of_device; what Linux has no value for, or Reeve does not ask, is -1 and the JSON
 * that Graph writes for it. */
static const struct {
	const char *name, *nothing;
	enum { HW_TEXT, HW_INT, HW_BOOL } type;
	int column;
} HARDWARE[] = {
	{"serialNumber", NULL, HW_TEXT, 0},
	{"totalStorageSpace", NULL, HW_INT, 7},
	{"freeStorageSpace", NULL, HW_INT, 8},
	{"imei", "null", HW_TEXT, -1},
	{"meid", "null", HW_TEXT, -1},
	{"manufacturer", NULL, HW_TEXT, 1},
	{"model", NULL, HW_TEXT, 2},
	{"phoneNumber", "null", HW_TEXT, -1},
	{"subscriberCarrier", "null", HW_TEXT, -1},
	{"cellularTechnology", "null", HW_TEXT, -1},
	{"wifiMac", NULL, HW_TEXT, 3},
	{"operatingSystemLanguage", "null", HW_TEXT, -1},
	{"isSupervised", "false", HW_BOOL, -1},
	{"isEncrypted", NULL, HW_BOOL, 9},
	{"batterySerialNumber", "null", HW_TEXT, -1},
	{"batteryHealthPercentage", "0", HW_INT, -1},
	{"batteryChargeCycles", "0", HW_INT, -1},
	{"isSharedDevice", "false", HW_BOOL, -1},
	{"sharedDeviceCachedUsers", "[]", HW_TEXT, -1},
	{"tpmSpecificationVersion", "null", HW_TEXT, -1},
	{"operatingSystemEdition", NULL, HW_TEXT, 5},
	{"deviceFullQualifiedDomainName", NULL, HW_TEXT, 6},
	{"deviceGuardVirtualizationBasedSecurityHardwareRequirementState", "\"hyperVNotAvailable\"", HW_TEXT, -1},
	{"deviceGuardVirtualizationBasedSecurityState", "\"notConfigured\"", HW_TEXT, -1},
	{"deviceGuardLocalSystemAuthorityCredentialGuardState", "\"notConfigured\"", HW_TEXT, -1},
	{"osBuildNumber", NULL, HW_TEXT, 4},
	{"operatingSystemProductType", "0", HW_INT, -1},
	{"subnetAddress", "null", HW_TEXT, -1},
	{"esimIdentifier", "null", HW_TEXT, -1},
	{"systemManagementBIOSVersion", "null", HW_TEXT, -1},
	{"tpmManufacturer", "null", HW_TEXT, -1},
	{"tpmVersion", "null", HW_TEXT, -1},
};

static void write_member(struct json_writer *w, const struct db_rows *r, size_t i)
{
	jw_key(w, HARDWARE[i].name);
	if (HARDWARE[i].column < 0)
		jw_raw(w, HARDWARE[i].nothing, strlen(HARDWARE[i].nothing));
	else if (HARDWARE[i].type == HW_TEXT)
		jw_string(w, db_text(r, HARDWARE[i].column));
	else if (HARDWARE[i].type == HW_INT)
		jw_int(w, db_int(r, HARDWARE[i].column));
	else
		jw_bool(w, db_bool(r, HARDWARE[i].column));
}

/* The first of version 4, where the tenant collects addresses. */
static enum err write_address(struct db_tx *tx, struct json_writer *w, struct id device)
{
	const char *found = NULL;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &addresses_of_device, DB_ARGS(db_v_id(&device)), &r));
	while (found == NULL && db_next(r)) {
		size_t i;
		json_t *v;
		auto_json *list = json_loads(db_text(r, 0), 0, NULL);
		json_array_foreach (list, i, v)
			if (found == NULL && json_is_string(v) && strchr(json_string_value(v), ':') == NULL)
				found = arena_strdup(db_tx_scope(tx)->arena, json_string_value(v));
	}
	jw_kstring(w, "ipAddressV4", found);
	return db_rows_err(r);
}

static enum err write_hardware(struct db_tx *tx, struct json_writer *w, struct id device)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &hardware_of_device, DB_ARGS(db_v_id(&device)), &r));
	jw_object(w);
	for (size_t i = 0; i < sizeof HARDWARE / sizeof HARDWARE[0]; i++)
		write_member(w, r, i);
	TRY(write_address(tx, w, device));
	jw_end_object(w);
	return OK;
}

enum err managed_device_more(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id device,
			     void *arg)
{
	if (resource_selected(q, "deviceActionResults")) {
		jw_key(w, "deviceActionResults");
		TRY(action_write_results(tx, device, q->version == API_BETA, w));
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
	struct id forget; /* the change of ownership whose rows go; nil: none */
};

static void leave_out(struct record *r, const char *name)
{
	for (size_t i = 0; i < r->res->prop_count; i++)
		if (strcmp(r->res->props[i].name, name) == 0)
			r->set[i] = false;
}

/* A device becomes personal with the PATCH; it becomes the company's when somebody agrees, and the PATCH leaves it as it is. */
static enum err order_ownership(struct db_tx *tx, const struct device *d, struct record *change, struct id *ret)
{
	const char *owner = record_text(db_tx_scope(tx)->arena, change, "managedDeviceOwnerType");
	*ret = (struct id){0};
	if (owner == NULL || strcmp(owner, d->owner) == 0)
		return OK;
	TRY(ownership_order(tx, d, !d->company, change, ret));
	if (!d->company)
		leave_out(change, "managedDeviceOwnerType");
	return OK;
}

static enum err patch(struct scope *s, struct db_tx *tx, void *arg)
{
	struct device_change *q = arg;
	struct device d;
	struct record *old, *change = arena_memdup(s->arena, q->record, sizeof *q->record);
	struct audit_change *changes = NULL, **tail = &changes;
	bool changed;
	TRY(device_load(tx, q->device, false, &d));
	TRY(restriction_refuses(tx, d.user));
	if (!d.company && record_has(change, "assetNote"))
		return scope_fail(s, ERR_BAD_REQUEST, "'assetNote' is for the organisation's own devices");
	TRY(record_load(tx, &RES_MANAGED_DEVICE, q->device, false, &old));
	TRY(order_ownership(tx, &d, change, &q->forget));
	TRY(record_update(tx, old, change, q->device, NULL, 0, &tail, &changed));
	return changed ? device_record(tx, &d, ACT_DEVICE_UPDATE, changes, NULL) : OK;
}

enum err managed_device_patch(struct scope *s, struct id device, const struct record *change)
{
	struct device_change q = {.device = device, .record = change};
	const char *owner = record_text(s->arena, change, "managedDeviceOwnerType");
	if (owner != NULL && strcmp(owner, OWNER_PERSONAL) != 0 && strcmp(owner, OWNER_COMPANY) != 0)
		return scope_fail(s, ERR_BAD_REQUEST, "managedDeviceOwnerType is personal or company");
	TRY(db_write(s, patch, &q));
	return id_is_nil(q.forget) ? OK : ownership_forget(s, q.forget);
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
