/* SPDX-License-Identifier: Apache-2.0
 * deviceManagement/managedDevices/executeAction: one action on up to 100 devices.  Each device is a request of its own: its own transaction, its
 * own events, its own refusal. */
#include <string.h>

#include "api/api.h"
#include "base/limits.h"
#include "devices/managed_device.h"
#include "devices/platform_action.h"
#include "devices/request.h"
#include "directory/access/access.h"

enum err managed_devices_execute(struct call *c);

enum { DEVICES_MAX = 100 };

/* Graph's managedDeviceRemoteAction.  run NULL: no platform here does it, and each device is not supported. */
struct bulk_action {
	const char *name;
	enum err (*run)(struct scope *s, struct id device, const json_t *body);
	enum activity activity;
	const char *permission; /* beside the route's */
};

static enum err retire(struct scope *s, struct id device, const json_t *body) { return device_retire(s, device); }
static enum err delete(struct scope *s, struct id device, const json_t *body) { return device_delete(s, device); }
static enum err sync(struct scope *s, struct id device, const json_t *body) { return device_sync(s, device); }

static const struct bulk_action ACTIONS[] = {
	{"retire", retire, ACT_DEVICE_RETIRE, NULL},
	{"delete", delete, ACT_DEVICE_DELETE, "DeviceManagementManagedDevices.ReadWrite.All"},
	{"wipe", device_wipe, ACT_DEVICE_WIPE, NULL},
	{"syncDevice", sync, ACT_DEVICE_SYNC, NULL},
	{"fullScan", NULL, ACT_NONE, NULL},
	{"quickScan", NULL, ACT_NONE, NULL},
	{"signatureUpdate", NULL, ACT_NONE, NULL},
	{"customTextNotification", NULL, ACT_NONE, NULL},
	{"rebootNow", NULL, ACT_NONE, NULL},
	{"setDeviceName", NULL, ACT_NONE, NULL},
	{"deprovision", NULL, ACT_NONE, NULL},
	{"disable", NULL, ACT_NONE, NULL},
	{"reenable", NULL, ACT_NONE, NULL},
	{"moveDeviceToOrganizationalUnit", NULL, ACT_NONE, NULL},
	{"activateDeviceEsim", NULL, ACT_NONE, NULL},
	{"collectDiagnostics", NULL, ACT_NONE, NULL},
};

enum outcome { SUCCESSFUL, FAILED, NOT_FOUND, NOT_SUPPORTED, OUTCOMES };
static const char *const LISTS[OUTCOMES] = {"successfulDeviceIds", "failedDeviceIds", "notFoundDeviceIds", "notSupportedDeviceIds"};

struct bulk {
	const struct bulk_action *action;
	const json_t *body;
	const struct scope_groups *only; /* of the action's own permission */
	const char *id[DEVICES_MAX];
	enum outcome outcome[DEVICES_MAX];
	size_t n;
};

static enum err find_action(struct call *c, const char *name, struct bulk *b)
{
	for (size_t i = 0; i < sizeof ACTIONS / sizeof ACTIONS[0]; i++)
		if (strcmp(ACTIONS[i].name, name) == 0)
			b->action = &ACTIONS[i];
	if (b->action == NULL)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'actionName' is none of Graph's remote actions");
	b->only = c->s.actor.only;
	if (b->action->permission != NULL && !actor_allows(&c->s.actor, b->action->permission, c->s.arena, &b->only))
		return scope_fail(&c->s, ERR_FORBIDDEN, "this needs the permission %s", b->action->permission);
	return OK;
}

static bool known(const struct bulk *b, const char *id)
{
	for (size_t i = 0; i < b->n; i++)
		if (strcmp(b->id[i], id) == 0)
			return true;
	return false;
}

/* A device that is named twice is asked once. */
static enum err read_ids(struct call *c, const json_t *list, struct bulk *b)
{
	size_t i;
	json_t *v;
	if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > DEVICES_MAX)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'deviceIds' is a list of 1 to %d ids", DEVICES_MAX);
	json_array_foreach ((json_t *)list, i, v) {
		if (!json_is_string(v) || json_string_length(v) > LIMIT_TEXT_BYTES)
			return scope_fail(&c->s, ERR_BAD_REQUEST, "'deviceIds' is a list of ids");
		if (!known(b, json_string_value(v)))
			b->id[b->n++] = json_string_value(v);
	}
	return OK;
}

static enum err read_body(struct call *c, struct bulk *b)
{
	static const char *const others[] = {"actionName", "deviceIds", "deviceName", "notificationTitle", "notificationBody", "deprovisionReason",
					     "organizationalUnitPath", "carrierUrl", NULL};
	const char *name;
	json_t *body;
	TRY(call_body(c, true, &body));
	TRY(call_only(c, body, action_parameter_names(&c->s, true, others)));
	TRY(call_string(c, body, "actionName", true, &name));
	TRY(find_action(c, name, b));
	TRY(action_parameters_check(&c->s, body));
	b->body = body;
	return read_ids(c, json_object_get(body, "deviceIds"), b);
}

static enum outcome outcome_of(enum err err)
{
	return err == OK ? SUCCESSFUL : err == ERR_NOT_FOUND ? NOT_FOUND : err == ERR_NOT_SUPPORTED ? NOT_SUPPORTED : FAILED;
}

/* Each refusal is an event of its own, as it is where one device is asked. */
static enum outcome ask(struct call *c, const struct bulk *b, const char *text)
{
	struct id device;
	if (!id_parse(text, &device))
		return NOT_FOUND;
	if (b->action->run == NULL)
		return NOT_SUPPORTED;
	struct scope s = c->s;
	s.detail = NULL;
	enum err err = managed_device_visible(&s, device, NULL);
	s.actor.only = b->only == NULL ? c->s.actor.only : b->only; /* the action's own permission may hold for other groups */
	if (err == OK)
		err = b->action->run(&s, device, b->body);
	if (err != OK)
		audit_refused(&c->s, &(struct audit_event){.activity = b->action->activity, .resource_type = "ManagedDevice", .resource = device,
							   .failure = err_http_status(err) >= 500 ? err_text(err) : scope_detail(&s, err)});
	return outcome_of(err);
}

enum err managed_devices_execute(struct call *c)
{
	struct bulk *b = arena_alloc(c->s.arena, sizeof *b);
	*b = (struct bulk){0};
	TRY(read_body(c, b));
	for (size_t i = 0; i < b->n; i++)
		b->outcome[i] = ask(c, b, b->id[i]);
	const char *base = call_base_url(c);
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(c->s.arena, "%s/$metadata#microsoft.graph.bulkManagedDeviceActionResult", base));
	for (int o = 0; o < OUTCOMES; o++) {
		jw_key(&w, LISTS[o]);
		jw_array(&w);
		for (size_t i = 0; i < b->n; i++)
			if (b->outcome[i] == (enum outcome)o)
				jw_string(&w, b->id[i]);
		jw_end_array(&w);
	}
	jw_end_object(&w);
	return OK;
}
