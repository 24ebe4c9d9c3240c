/* SPDX-License-Identifier: Apache-2.0
 * deviceManagement/managedDevices and users/{user}/managedDevices: the same handlers; under a user they see that
 * person's devices only. */
#include <string.h>

#include "api/api.h"
#include "audit/audit_read.h"
#include "devices/action_preview.h"
#include "devices/limit.h"
#include "devices/managed_device.h"
#include "devices/platform_action.h"
#include "devices/request.h"
#include "directory/user.h"
#include "resource/tables.h"

enum err managed_devices_list(struct call *c);
enum err managed_devices_get(struct call *c);
enum err managed_devices_patch(struct call *c);
enum err managed_devices_delete(struct call *c);
enum err managed_devices_apps(struct call *c);
enum err managed_devices_retire(struct call *c);
enum err managed_devices_wipe(struct call *c);
enum err managed_devices_sync(struct call *c);
enum err managed_devices_cancel(struct call *c);
enum err managed_devices_preview(struct call *c);

struct devices_query {
	struct resource_query q;
	struct id user;
	struct db_value args[1];
};

/* *ret: the user of the path, or NULL. */
static enum err user_of_path(struct call *c, struct id *room, const struct id **ret)
{
	*ret = NULL;
	if (strstr(c->route->path, "/{user}/") == NULL)
		return OK;
	TRY(user_resolve(&c->s, call_param(c, "user"), room));
	*ret = room;
	return OK;
}

static enum err query(struct call *c, struct devices_query *d)
{
	const struct id *user;
	TRY(user_of_path(c, &d->user, &user));
	TRY(call_query(c, &RES_MANAGED_DEVICE, &d->q));
	d->q.more = managed_device_more;
	if (user == NULL)
		return OK;
	d->args[0] = db_v_id(&d->user);
	d->q.extra_where = "t.user_id = ?2";
	d->q.args = d->args;
	d->q.arg_count = 1;
	return OK;
}

/* Under a user these are parts of the person's page: who looks at it is recorded. */
static enum err record_view(struct call *c, const struct devices_query *d)
{
	return d->q.arg_count == 0 ? OK : audit_record_view(&c->s, d->user);
}

/* The device of the path, visible and, under a user, that person's. */
static enum err device_of_path(struct call *c, struct id *ret)
{
	struct id room;
	const struct id *user;
	TRY(call_param_id(c, "device", "managed device", ret));
	c->s.subject = *ret;
	TRY(user_of_path(c, &room, &user));
	return managed_device_visible(&c->s, *ret, user);
}

enum err managed_devices_list(struct call *c)
{
	struct devices_query d;
	TRY(query(c, &d));
	TRY(record_view(c, &d));
	return call_list(c, &d.q);
}

enum err managed_devices_get(struct call *c)
{
	struct devices_query d;
	struct id device;
	TRY(call_param_id(c, "device", "managed device", &device));
	TRY(query(c, &d));
	TRY(record_view(c, &d));
	return call_get(c, &d.q, device);
}

enum err managed_devices_patch(struct call *c)
{
	struct devices_query d;
	struct record *r;
	struct id device;
	json_t *body;
	TRY(device_of_path(c, &device));
	TRY(call_body(c, true, &body));
	TRY(record_parse(&c->s, &RES_MANAGED_DEVICE, body, RECORD_PATCH, c->version, NULL, &r));
	TRY(managed_device_patch(&c->s, device, r));
	TRY(query(c, &d));
	return call_get(c, &d.q, device);
}

/* Where the day's limit is reached, the next day is when to come back. */
static enum err call_limited(struct call *c, enum err err)
{
	if (err == ERR_DAILY_LIMIT)
		c->retry_after = action_limit_retry_after(c->s.now);
	return err;
}

enum err managed_devices_delete(struct call *c)
{
	struct id device;
	TRY(device_of_path(c, &device));
	TRY(call_limited(c, device_delete(&c->s, device)));
	return call_status(c, 204);
}

enum err managed_devices_apps(struct call *c)
{
	struct resource_query q;
	struct devices_query d;
	struct id device;
	TRY(device_of_path(c, &device));
	TRY(query(c, &d));
	TRY(record_view(c, &d));
	TRY(call_query(c, &RES_DETECTED_APP, &q));
	struct db_value args[] = {db_v_id(&device)};
	q.extra_where = "t.device_id = ?2";
	q.args = args;
	q.arg_count = 1;
	return call_list(c, &q);
}

/* ---- actions ---- */

static enum err no_parameters(struct call *c)
{
	static const char *const none[] = {NULL};
	json_t *body;
	TRY(call_body(c, false, &body));
	return call_only(c, body, none);
}

enum err managed_devices_retire(struct call *c)
{
	struct id device;
	TRY(device_of_path(c, &device));
	TRY(no_parameters(c));
	TRY(call_limited(c, device_retire(&c->s, device)));
	return call_status(c, 204);
}

enum err managed_devices_sync(struct call *c)
{
	struct id device;
	TRY(device_of_path(c, &device));
	TRY(no_parameters(c));
	TRY(device_sync(&c->s, device));
	return call_status(c, 204);
}

/* Clients send no body, {}, or any part of Graph's parameters, defaults by rote (parameters.def). */
enum err managed_devices_wipe(struct call *c)
{
	struct id device;
	json_t *body;
	TRY(device_of_path(c, &device));
	TRY(call_body(c, false, &body));
	TRY(call_only(c, body, action_parameter_names(&c->s, c->version == API_BETA, NULL)));
	TRY(call_limited(c, device_wipe(&c->s, device, body)));
	return call_status(c, 204);
}

/* {"actionName": …} calls back that one only. */
enum err managed_devices_cancel(struct call *c)
{
	static const char *const allowed[] = {"actionName", NULL};
	const char *name;
	struct id device;
	json_t *body;
	TRY(device_of_path(c, &device));
	TRY(call_body(c, false, &body));
	TRY(call_only(c, body, allowed));
	TRY(call_string(c, body, "actionName", false, &name));
	TRY(device_cancel(&c->s, device, name));
	return call_status(c, 204);
}

/* ?action=wipe */
static enum err action_of_query(struct call *c, const char **ret)
{
	const char *at = strncmp(c->in->query, "action=", 7) == 0 ? c->in->query : strstr(c->in->query, "&action=");
	if (at == NULL)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "say which action: ?action=retire, wipe or delete");
	at += 7 + (*at == '&');
	*ret = url_decode(c->s.arena, at, strcspn(at, "&"), true);
	return *ret != NULL ? OK : scope_fail(&c->s, ERR_BAD_REQUEST, "the query is malformed");
}

enum err managed_devices_preview(struct call *c)
{
	struct id device;
	const char *action;
	TRY(device_of_path(c, &device));
	TRY(action_of_query(c, &action));
	const char *base = call_base_url(c);
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(c->s.arena, "%s/$metadata#microsoft.graph.deviceActionPreview", base));
	TRY(action_preview_write(&c->s, device, action, &w));
	jw_end_object(&w);
	return OK;
}
