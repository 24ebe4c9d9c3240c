/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages of reeve-agent to structs.
 */
#include "channels/linux/decode.h"

#include <string.h>

#include "base/limits.h"
#include "channels/linux/members.h"

/* Arrays of structs whose number outside input decides; never NULL for a number that fits its limit. */
static void *list_room(struct scope *s, size_t n, size_t size, enum err *ret)
{
	void *p = arena_try(s->arena, (n + 1) * size);
	if (p == NULL)
		*ret = scope_fail(s, ERR_LIMIT, "the message is too large");
	return p;
}

/* ---- terms, enrol, renew, leave ---- */

enum err linux_decode_token(struct scope *s, const char *bytes, size_t n, json_t **doc, const char **ret_token)
{
	TRY(json_read(s, bytes, n, doc));
	struct members m = members_of(s, *doc, "body");
	*ret_token = member_text(&m, "token", MEMBER_REQUIRED, LIMIT_TEXT_BYTES);
	return members_end(&m);
}

enum err linux_decode_renew(struct scope *s, const char *bytes, size_t n, json_t **doc, const char **ret_csr)
{
	TRY(json_read(s, bytes, n, doc));
	struct members m = members_of(s, *doc, "body");
	*ret_csr = member_text(&m, "csr", MEMBER_REQUIRED | MEMBER_LINES, LIMIT_NOTES_BYTES);
	return members_end(&m);
}

enum err linux_decode_empty(struct scope *s, const char *bytes, size_t n)
{
	auto_json *doc = NULL;
	if (n == 0)
		return OK;
	TRY(json_read(s, bytes, n, &doc));
	struct members m = members_of(s, doc, "body");
	return members_end(&m);
}

enum err linux_decode_ownership(struct scope *s, const char *bytes, size_t n, int *ret_consents)
{
	auto_json *doc = NULL;
	TRY(json_read(s, bytes, n, &doc));
	struct members m = members_of(s, doc, "body");
	*ret_consents = member_bool(&m, "consents", MEMBER_OPTIONAL);
	return members_end(&m);
}

static enum err read_accepted(struct scope *s, const json_t *list, size_t n, struct enrolment_request *ret)
{
	enum err err = OK;
	struct accepted_terms *all = list_room(s, n, sizeof *all, &err);
	TRY(err);
	for (size_t i = 0; i < n; i++) {
		struct members m = members_of(s, json_array_get(list, i), "acceptedTerms");
		all[i].terms = member_id(&m, "id", MEMBER_REQUIRED);
		all[i].version = member_count(&m, "version", MEMBER_REQUIRED);
		TRY(members_end(&m));
	}
	ret->accepted = all;
	ret->accepted_n = n;
	return OK;
}

static enum err read_new_device(struct scope *s, const json_t *device, struct enrolment_request *ret)
{
	struct members m = members_of(s, device, "device");
	ret->device_name = member_text(&m, "deviceName", MEMBER_REQUIRED, LIMIT_TEXT_BYTES);
	ret->manufacturer = member_text(&m, "manufacturer", MEMBER_OPTIONAL, LIMIT_TEXT_BYTES);
	ret->model = member_text(&m, "model", MEMBER_OPTIONAL, LIMIT_TEXT_BYTES);
	ret->serial_number = member_text(&m, "serialNumber", MEMBER_OPTIONAL, LIMIT_TEXT_BYTES);
	ret->os_name = member_text(&m, "osName", MEMBER_OPTIONAL, LIMIT_TEXT_BYTES);
	ret->os_version = member_text(&m, "osVersion", MEMBER_OPTIONAL, LIMIT_TEXT_BYTES);
	return members_end(&m);
}

enum err linux_decode_enroll(struct scope *s, const char *bytes, size_t n, json_t **doc, struct enrolment_request *ret)
{
	size_t accepted_n;
	*ret = (struct enrolment_request){0};
	TRY(json_read(s, bytes, n, doc));
	struct members m = members_of(s, *doc, "body");
	ret->token = member_text(&m, "token", MEMBER_REQUIRED, LIMIT_TEXT_BYTES);
	ret->csr_pem = member_text(&m, "csr", MEMBER_REQUIRED | MEMBER_LINES, LIMIT_NOTES_BYTES);
	const json_t *accepted = member_list(&m, "acceptedTerms", MEMBER_OPTIONAL, LIMIT_PAGE_MAX, &accepted_n);
	const json_t *device = member_object(&m, "device", MEMBER_REQUIRED);
	ret->provisioning = member_bool(&m, "provisioning", MEMBER_OPTIONAL) != 0;
	TRY(members_end(&m));
	TRY(read_accepted(s, accepted, accepted_n, ret));
	return read_new_device(s, device, ret);
}

/* ---- inventory ---- */

static enum err read_disks(struct scope *s, const json_t *list, size_t n, struct inventory *ret)
{
	enum err err = OK;
	struct inventory_disk *all = list_room(s, n, sizeof *all, &err);
	TRY(err);
	for (size_t i = 0; i < n; i++) {
		struct members m = members_of(s, json_array_get(list, i), "disks");
		all[i].name = member_text(&m, "name", MEMBER_REQUIRED, LIMIT_TEXT_BYTES);
		all[i].model = member_text(&m, "model", MEMBER_OPTIONAL, LIMIT_TEXT_BYTES);
		all[i].size_bytes = member_count(&m, "sizeBytes", MEMBER_OPTIONAL);
		TRY(members_end(&m));
	}
	ret->disks = all;
	ret->disk_n = n;
	return OK;
}

static enum err read_addresses(struct scope *s, const json_t *list, size_t n, struct inventory_interface *ret)
{
	enum err err = OK;
	const char **all = list_room(s, n, sizeof *all, &err);
	TRY(err);
	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_array_get(list, i);
		if (!json_is_string(v) || json_string_length(v) == 0 || json_string_length(v) > 64)
			return scope_fail(s, ERR_BAD_REQUEST, "networkInterfaces/addresses has texts");
		all[i] = json_string_value(v);
	}
	ret->addresses = all;
	ret->address_n = n;
	ret->has_addresses = list != NULL;
	return OK;
}

static enum err read_interface(struct scope *s, const json_t *object, struct inventory_interface *ret)
{
	size_t n;
	struct members m = members_of(s, object, "networkInterfaces");
	ret->name = member_text(&m, "name", MEMBER_REQUIRED, LIMIT_TEXT_BYTES);
	ret->mac = member_text(&m, "mac", MEMBER_OPTIONAL, LIMIT_TEXT_BYTES);
	ret->kind = member_text(&m, "kind", MEMBER_OPTIONAL, LIMIT_TEXT_BYTES);
	const json_t *addresses = member_list(&m, "addresses", MEMBER_OPTIONAL, LIMIT_INTERFACES_PER_DEVICE, &n);
	TRY(members_end(&m));
	if (ret->kind != NULL && strcmp(ret->kind, "ethernet") != 0 && strcmp(ret->kind, "wifi") != 0)
		return scope_fail(s, ERR_BAD_REQUEST, "networkInterfaces/kind is ethernet or wifi");
	return read_addresses(s, addresses, n, ret);
}

static enum err read_interfaces(struct scope *s, const json_t *list, size_t n, struct inventory *ret)
{
	enum err err = OK;
	struct inventory_interface *all = list_room(s, n, sizeof *all, &err);
	TRY(err);
	for (size_t i = 0; i < n; i++)
		TRY(read_interface(s, json_array_get(list, i), &all[i]));
	ret->interfaces = all;
	ret->interface_n = n;
	return OK;
}

static enum err read_packages(struct scope *s, const json_t *list, size_t n, struct inventory *ret)
{
	enum err err = OK;
	struct inventory_package *all = list_room(s, n, sizeof *all, &err);
	TRY(err);
	for (size_t i = 0; i < n; i++) {
		struct members m = members_of(s, json_array_get(list, i), "packages");
		all[i].name = member_text(&m, "name", MEMBER_REQUIRED, LIMIT_TEXT_BYTES);
		all[i].version = member_text(&m, "version", MEMBER_REQUIRED, LIMIT_TEXT_BYTES);
		TRY(members_end(&m));
	}
	ret->packages = all;
	ret->package_n = n;
	return OK;
}

static void read_texts(struct members *m, struct inventory *ret)
{
	ret->device_name = member_text(m, "deviceName", MEMBER_REQUIRED, LIMIT_TEXT_BYTES);
	ret->manufacturer = member_text(m, "manufacturer", MEMBER_OPTIONAL, LIMIT_TEXT_BYTES);
	ret->model = member_text(m, "model", MEMBER_OPTIONAL, LIMIT_TEXT_BYTES);
	ret->serial_number = member_text(m, "serialNumber", MEMBER_OPTIONAL, LIMIT_TEXT_BYTES);
	ret->chassis_type = member_text(m, "chassisType", MEMBER_OPTIONAL, LIMIT_TEXT_BYTES);
	ret->os_name = member_text(m, "osName", MEMBER_OPTIONAL, LIMIT_TEXT_BYTES);
	ret->os_version = member_text(m, "osVersion", MEMBER_OPTIONAL, LIMIT_TEXT_BYTES);
	ret->os_build = member_text(m, "osBuild", MEMBER_OPTIONAL, LIMIT_TEXT_BYTES);
	ret->kernel = member_text(m, "kernel", MEMBER_OPTIONAL, LIMIT_TEXT_BYTES);
	ret->architecture = member_text(m, "architecture", MEMBER_OPTIONAL, LIMIT_TEXT_BYTES);
	ret->processor = member_text(m, "processor", MEMBER_OPTIONAL, LIMIT_TEXT_BYTES);
	ret->processor_count = member_count(m, "processorCount", MEMBER_OPTIONAL);
	ret->physical_memory = member_count(m, "physicalMemoryBytes", MEMBER_OPTIONAL);
	ret->total_storage = member_count(m, "totalStorageBytes", MEMBER_OPTIONAL);
	ret->free_storage = member_count(m, "freeStorageBytes", MEMBER_OPTIONAL);
	ret->encrypted = member_bool(m, "encrypted", MEMBER_OPTIONAL);
}

static enum err read_inventory(struct scope *s, const json_t *object, struct inventory *ret)
{
	size_t disks_n, interfaces_n, packages_n;
	struct members m = members_of(s, object, "inventory");
	read_texts(&m, ret);
	const json_t *disks = member_list(&m, "disks", MEMBER_OPTIONAL, LIMIT_INTERFACES_PER_DEVICE, &disks_n);
	const json_t *interfaces = member_list(&m, "networkInterfaces", MEMBER_OPTIONAL, LIMIT_INTERFACES_PER_DEVICE,
					       &interfaces_n);
	const json_t *packages = member_list(&m, "packages", MEMBER_OPTIONAL, LIMIT_APPS_PER_DEVICE, &packages_n);
	TRY(members_end(&m));
	ret->has_disks = disks != NULL;
	ret->has_packages = packages != NULL;
	TRY(read_disks(s, disks, disks_n, ret));
	TRY(read_interfaces(s, interfaces, interfaces_n, ret));
	return read_packages(s, packages, packages_n, ret);
}

/* ---- items and results ---- */

static enum err read_item(struct scope *s, const json_t *object, struct item_report *ret)
{
	static const char *const states[] = {
		[ITEM_installed] = "installed", [ITEM_failed] = "failed", [ITEM_removed] = "removed"};
	struct members m = members_of(s, object, "items");
	ret->item = member_id(&m, "id", MEMBER_REQUIRED);
	ret->version = member_count(&m, "version", MEMBER_OPTIONAL);
	const char *state = member_text(&m, "state", MEMBER_REQUIRED, LIMIT_TEXT_BYTES);
	ret->identifier = member_text(&m, "identifier", MEMBER_OPTIONAL, LIMIT_TEXT_BYTES);
	ret->error = member_text(&m, "error", MEMBER_LINES, LIMIT_TEXT_BYTES);
	TRY(members_end(&m));
	for (int i = ITEM_installed; i <= ITEM_removed; i++)
		if (strcmp(states[i], state) == 0) {
			ret->state = (enum item_state)i;
			if (ret->version < 0 && ret->state != ITEM_removed)
				return scope_fail(s, ERR_BAD_REQUEST, "items/version is required");
			return OK;
		}
	return scope_fail(s, ERR_BAD_REQUEST, "items/state is installed, failed or removed");
}

static enum err read_items(struct scope *s, const json_t *list, size_t n, struct item_report **ret)
{
	enum err err = OK;
	*ret = list_room(s, n, sizeof **ret, &err);
	TRY(err);
	for (size_t i = 0; i < n; i++)
		TRY(read_item(s, json_array_get(list, i), &(*ret)[i]));
	return OK;
}

static enum err read_result(struct scope *s, const json_t *object, struct action_report *ret)
{
	struct members m = members_of(s, object, "results");
	ret->action = member_id(&m, "id", MEMBER_REQUIRED);
	const char *state = member_text(&m, "state", MEMBER_REQUIRED, LIMIT_TEXT_BYTES);
	ret->error = member_text(&m, "error", MEMBER_LINES, LIMIT_TEXT_BYTES);
	TRY(members_end(&m));
	if (!action_state_parse(state, &ret->state) || ret->state == ACTION_pending || ret->state == ACTION_issued || ret->state == ACTION_canceled)
		return scope_fail(s, ERR_BAD_REQUEST, "results/state is done, failed, notSupported or notNow");
	return OK;
}

enum err linux_decode_checkin(struct scope *s, const char *bytes, size_t n, json_t **doc, struct linux_checkin *ret)
{
	*ret = (struct linux_checkin){0};
	TRY(json_read(s, bytes, n, doc));
	struct members m = members_of(s, *doc, "body");
	const json_t *inventory = member_object(&m, "inventory", MEMBER_OPTIONAL);
	const json_t *items = member_list(&m, "items", MEMBER_OPTIONAL, LIMIT_PAGE_MAX, &ret->item_n);
	TRY(members_end(&m));
	ret->has_inventory = inventory != NULL;
	if (inventory != NULL)
		TRY(read_inventory(s, inventory, &ret->inventory));
	return read_items(s, items, ret->item_n, &ret->items);
}

enum err linux_decode_report(struct scope *s, const char *bytes, size_t n, json_t **doc, struct linux_report *ret)
{
	enum err err = OK;
	*ret = (struct linux_report){0};
	TRY(json_read(s, bytes, n, doc));
	struct members m = members_of(s, *doc, "body");
	const json_t *results = member_list(&m, "results", MEMBER_OPTIONAL, LIMIT_PAGE_MAX, &ret->result_n);
	const json_t *items = member_list(&m, "items", MEMBER_OPTIONAL, LIMIT_PAGE_MAX, &ret->item_n);
	TRY(members_end(&m));
	ret->results = list_room(s, ret->result_n, sizeof *ret->results, &err);
	TRY(err);
	for (size_t i = 0; i < ret->result_n; i++)
		TRY(read_result(s, json_array_get(results, i), &ret->results[i]));
	return read_items(s, items, ret->item_n, &ret->items);
}
