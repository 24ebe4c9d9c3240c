/* SPDX-License-Identifier: Apache-2.0
 * What Intune tells of a device and of a person's devices, beside managedDevice: states, actions, failures, the directory's view. */
#include "api/graph/intune.h"
#include "devices/standing.h"
#include "resource/tables.h"

enum err intune_configuration_states(struct call *c);
enum err intune_configuration_state(struct call *c);
enum err intune_setting_states(struct call *c);
enum err intune_device_users(struct call *c);
enum err intune_registered_devices(struct call *c);
enum err intune_troubleshooting_events(struct call *c);
enum err intune_action_audits(struct call *c);
enum err intune_action_audit(struct call *c);

/* Rows of r below one object: where names it as ?2. */
struct below {
	struct resource_query q;
	struct id id;
	struct db_value arg;
};

static enum err below(struct call *c, struct below *b, const struct resource *r, const char *where)
{
	TRY(call_query(c, r, &b->q));
	b->arg = db_v_id(&b->id);
	b->q.extra_where = where;
	b->q.args = &b->arg;
	b->q.arg_count = 1;
	return OK;
}

/* ---- of a device ---- */

static enum err states_query(struct call *c, struct below *b)
{
	TRY(intune_device(c, &b->id));
	TRY(below(c, b, &RES_DEVICE_CONFIGURATION_STATE, "t.device_id = ?2"));
	b->q.more = standing_configuration_more;
	return OK;
}

enum err intune_configuration_states(struct call *c)
{
	struct below b;
	TRY(states_query(c, &b));
	return call_list(c, &b.q);
}

enum err intune_configuration_state(struct call *c)
{
	struct below b;
	struct id item;
	TRY(call_param_id(c, "item", "deviceConfigurationState", &item));
	TRY(states_query(c, &b));
	return call_get(c, &b.q, item);
}

struct settings_read {
	struct call *c;
	struct id device, item;
};

static enum err read_settings(struct scope *s, struct db_tx *tx, void *arg)
{
	struct settings_read *a = arg;
	const char *base = call_base_url(a->c);
	struct json_writer w = call_json(a->c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(s->arena, "%s/$metadata#Collection(microsoft.graph.deviceConfigurationSettingState)", base));
	jw_key(&w, "value");
	TRY(standing_write_settings(tx, a->device, a->item, &w));
	jw_end_object(&w);
	return OK;
}

enum err intune_setting_states(struct call *c)
{
	struct settings_read a = {.c = c};
	struct odata_query options;
	TRY(call_param_id(c, "item", "deviceConfigurationState", &a.item));
	TRY(intune_device(c, &a.device));
	TRY(odata_parse(&c->s, c->in->query, &options));
	return db_read(&c->s, read_settings, &a);
}

enum err intune_device_users(struct call *c)
{
	struct below b;
	TRY(intune_device(c, &b.id));
	TRY(below(c, &b, &RES_USER,
		  "t.user_id IN (SELECT d.user_id FROM managed_devices d WHERE d.tenant_id = ?1 AND d.device_id = ?2)"));
	return call_list(c, &b.q);
}

/* ---- of a person ---- */

enum err intune_registered_devices(struct call *c)
{
	struct below b;
	TRY(intune_user(c, &b.id));
	TRY(below(c, &b, &RES_DIRECTORY_DEVICE, "t.user_id = ?2"));
	return call_list(c, &b.q);
}

enum err intune_troubleshooting_events(struct call *c)
{
	struct below b;
	TRY(intune_user(c, &b.id));
	TRY(below(c, &b, &RES_TROUBLESHOOTING_EVENT,
		  "t.device_id IN (SELECT d.device_id FROM managed_devices d WHERE d.tenant_id = ?1 AND d.user_id = ?2)"));
	return call_list(c, &b.q);
}

/* ---- actions of the tenant ---- */

enum err intune_action_audits(struct call *c)
{
	struct resource_query q;
	TRY(call_query(c, &RES_REMOTE_ACTION_AUDIT, &q));
	return call_list(c, &q);
}

enum err intune_action_audit(struct call *c)
{
	struct resource_query q;
	struct id action;
	TRY(call_param_id(c, "action", "remote action", &action));
	TRY(call_query(c, &RES_REMOTE_ACTION_AUDIT, &q));
	return call_get(c, &q, action);
}
