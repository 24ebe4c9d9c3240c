/* SPDX-License-Identifier: Apache-2.0
 *
 * device.json (who this device is, written once at enrolment) and sync.json (what the last check-in said).
 */
#include <string.h>

#include "state.h"

static const char *text_of(struct agent *a, const json_t *o, const char *key)
{
	return arena_strdup(a->scope->arena, json_string_value(json_object_get(o, key)));
}

enum err device_load(struct agent *a, struct device *ret)
{
	auto_json *o = NULL;
	TRY(state_read_json(a, "device.json", &o));
	*ret = (struct device){.id = text_of(a, o, "deviceId"),
			       .url = text_of(a, o, "url"),
			       .ownership = text_of(a, o, "ownership"),
			       .device_name = text_of(a, o, "deviceName"),
			       .provisioning = !json_is_false(json_object_get(o, "provisioning"))};
	if (ret->id == NULL || ret->url == NULL || ret->ownership == NULL)
		return scope_fail(a->scope, ERR_BAD_REQUEST, "%s/device.json is damaged", a->state_path);
	ret->company = strcmp(ret->ownership, "company") == 0;
	const json_t *made = json_object_get(o, "madeDirectories");
	ret->made = arena_alloc(a->scope->arena, (json_array_size(made) + 1) * sizeof *ret->made);
	for (size_t i = 0, n = 0; i < json_array_size(made); i++)
		if (json_is_string(json_array_get(made, i)))
			ret->made[n++] = arena_strdup(a->scope->arena, json_string_value(json_array_get(made, i)));
	if (a->device_name == NULL)
		a->device_name = ret->device_name;
	return OK;
}

enum err device_save(struct agent *a, const struct device *d)
{
	auto_buf out;
	struct json_writer w;
	buf_init(&out, 1u << 20);
	jw_init(&w, &out);
	jw_object(&w);
	jw_kstring(&w, "deviceId", d->id);
	jw_kstring(&w, "url", d->url);
	jw_kstring(&w, "ownership", d->ownership);
	jw_kstring(&w, "deviceName", d->device_name);
	jw_kbool(&w, "provisioning", d->provisioning);
	jw_key(&w, "madeDirectories");
	jw_array(&w);
	for (const char **dir = d->made; *dir != NULL; dir++)
		jw_string(&w, *dir);
	jw_end_array(&w);
	jw_end_object(&w);
	return state_write_json(a, "device.json", &out);
}

static int64_t int_of(const json_t *o, const char *key, int64_t otherwise)
{
	const json_t *v = json_object_get(o, key);
	return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

void last_sync_load(struct agent *a, struct last_sync *ret)
{
	auto_json *o = NULL;
	*ret = (struct last_sync){.sync_seconds = 3600};
	if (state_read_json(a, "sync.json", &o) != OK) {
		agent_forgive(a); /* nothing in it that the next check-in would not say again */
		return;
	}
	ret->sync_seconds = int_of(o, "syncSeconds", 3600);
	ret->at = int_of(o, "at", 0);
	ret->inventory_at = int_of(o, "inventoryAt", 0);
	const char *hash = json_string_value(json_object_get(o, "inventoryHash"));
	if (hash != NULL && strlen(hash) == 64)
		memcpy(ret->inventory_hash, hash, 65);
	ret->collect = (struct collect){.packages = json_is_true(json_object_get(o, "packages")),
					.addresses = json_is_true(json_object_get(o, "addresses")),
					.disks = json_is_true(json_object_get(o, "disks"))};
}

enum err last_sync_save(struct agent *a, const struct last_sync *l)
{
	auto_buf out;
	struct json_writer w;
	buf_init(&out, 1u << 16);
	jw_init(&w, &out);
	jw_object(&w);
	jw_kint(&w, "syncSeconds", l->sync_seconds);
	jw_kint(&w, "at", l->at);
	jw_kint(&w, "inventoryAt", l->inventory_at);
	jw_kstring(&w, "inventoryHash", l->inventory_hash);
	jw_kbool(&w, "packages", l->collect.packages);
	jw_kbool(&w, "addresses", l->collect.addresses);
	jw_kbool(&w, "disks", l->collect.disks);
	jw_end_object(&w);
	return state_write_json(a, "sync.json", &out);
}
