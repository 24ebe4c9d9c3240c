/* SPDX-License-Identifier: Apache-2.0
 * deviceManagement/deviceConfigurations and deviceAppManagement/mobileApps: two kinds of item, handled alike. */
#include <string.h>

#include "api/api.h"
#include "devices/item.h"
#include "resource/tables.h"

enum err device_configurations_list(struct call *c);
enum err device_configurations_create(struct call *c);
enum err device_configurations_get(struct call *c);
enum err device_configurations_patch(struct call *c);
enum err device_configurations_delete(struct call *c);
enum err device_configurations_assign(struct call *c);
enum err device_configurations_assignments(struct call *c);
enum err mobile_apps_list(struct call *c);
enum err mobile_apps_create(struct call *c);
enum err mobile_apps_get(struct call *c);
enum err mobile_apps_patch(struct call *c);
enum err mobile_apps_delete(struct call *c);
enum err mobile_apps_assign(struct call *c);
enum err mobile_apps_assignments(struct call *c);

static enum err item_param(struct call *c, struct id *ret)
{
	TRY(call_param_id(c, "item", "item", ret));
	c->s.subject = *ret;
	return OK;
}

static enum err query(struct call *c, const struct item_kind *k, struct resource_query *q)
{
	TRY(call_query(c, item_resource(k), q));
	q->more = item_more;
	q->more_arg = (void *)k; /* the hook's argument is not const; it only reads */
	return OK;
}

static enum err list(struct call *c, const struct item_kind *k)
{
	struct resource_query q;
	TRY(query(c, k, &q));
	return call_list(c, &q);
}

static enum err get(struct call *c, const struct item_kind *k)
{
	struct resource_query q;
	struct id item;
	TRY(item_param(c, &item));
	TRY(query(c, k, &q));
	return call_get(c, &q, item);
}

static enum err create(struct call *c, const struct item_kind *k)
{
	struct resource_query q;
	struct id item;
	json_t *body;
	char text[ID_TEXT];
	TRY(call_body(c, true, &body));
	TRY(item_create(&c->s, k, body, c->version, &item));
	TRY(query(c, k, &q));
	TRY(call_get(c, &q, item));
	http_response_header(
		c->out, "Location",
		arena_printf(c->s.arena, "%s/%s/%s", q.base_url, item_resource(k)->context, id_format(item, text)));
	c->out->status = 201;
	return OK;
}

static enum err patch(struct call *c, const struct item_kind *k)
{
	struct resource_query q;
	struct id item;
	json_t *body;
	TRY(item_param(c, &item));
	TRY(call_body(c, true, &body));
	TRY(item_patch(&c->s, k, item, body, c->version));
	TRY(query(c, k, &q));
	return call_get(c, &q, item);
}

static enum err delete_one(struct call *c, const struct item_kind *k)
{
	struct id item;
	TRY(item_param(c, &item));
	TRY(item_delete(&c->s, k, item));
	return call_status(c, 204);
}

static enum err write_assignments(struct call *c, const struct item_kind *k, struct id item)
{
	struct resource_query q;
	TRY(call_query(c, &RES_ASSIGNMENT, &q));
	struct db_value args[] = {db_v_text(k == &item_app ? "mobileApp" : "deviceConfiguration"), db_v_id(&item)};
	q.extra_where = "t.item_type = ?2 AND t.item_id = ?3";
	q.args = args;
	q.arg_count = 2;
	return call_list(c, &q);
}

static enum err assignments(struct call *c, const struct item_kind *k)
{
	struct id item;
	TRY(item_param(c, &item));
	TRY(item_exists(&c->s, k, item));
	return write_assignments(c, k, item);
}

static enum err assign(struct call *c, const struct item_kind *k)
{
	struct id item;
	json_t *body;
	TRY(item_param(c, &item));
	TRY(call_body(c, true, &body));
	TRY(item_assign(&c->s, k, item, body));
	return k == &item_app ? call_status(c, 204) : write_assignments(c, k, item); /* as Graph answers */
}

enum err device_configurations_list(struct call *c) { return list(c, &item_configuration); }
enum err device_configurations_create(struct call *c) { return create(c, &item_configuration); }
enum err device_configurations_get(struct call *c) { return get(c, &item_configuration); }
enum err device_configurations_patch(struct call *c) { return patch(c, &item_configuration); }
enum err device_configurations_delete(struct call *c) { return delete_one(c, &item_configuration); }
enum err device_configurations_assign(struct call *c) { return assign(c, &item_configuration); }
enum err device_configurations_assignments(struct call *c) { return assignments(c, &item_configuration); }
enum err mobile_apps_list(struct call *c) { return list(c, &item_app); }
enum err mobile_apps_create(struct call *c) { return create(c, &item_app); }
enum err mobile_apps_get(struct call *c) { return get(c, &item_app); }
enum err mobile_apps_patch(struct call *c) { return patch(c, &item_app); }
enum err mobile_apps_delete(struct call *c) { return delete_one(c, &item_app); }
enum err mobile_apps_assign(struct call *c) { return assign(c, &item_app); }
enum err mobile_apps_assignments(struct call *c) { return assignments(c, &item_app); }
