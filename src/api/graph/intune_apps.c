/* SPDX-License-Identifier: Apache-2.0
 * Where an app stands: on which devices, with which people, and how many of each. */
#include "api/api.h"
#include "devices/item.h"
#include "devices/standing.h"
#include "resource/tables.h"

enum err intune_install_summary(struct call *c);
enum err intune_app_device_statuses(struct call *c);
enum err intune_app_user_statuses(struct call *c);

static enum err app_of_path(struct call *c, struct id *ret)
{
	TRY(call_param_id(c, "item", "app", ret));
	return item_exists(&c->s, &item_app, *ret);
}

struct summary_read {
	struct call *c;
	struct id app;
};

static enum err read_summary(struct scope *s, struct db_tx *tx, void *arg)
{
	struct summary_read *a = arg;
	struct json_writer w = call_json(a->c);
	return standing_write_app(tx, a->app, &w);
}

enum err intune_install_summary(struct call *c)
{
	struct summary_read a = {.c = c};
	struct odata_query options;
	TRY(app_of_path(c, &a.app));
	TRY(odata_parse(&c->s, c->in->query, &options));
	return db_read(&c->s, read_summary, &a);
}

enum err intune_app_device_statuses(struct call *c)
{
	struct resource_query q;
	struct id app;
	TRY(app_of_path(c, &app));
	TRY(call_query(c, &RES_APP_INSTALL_STATUS, &q));
	struct db_value args[] = {db_v_id(&app)};
	q.extra_where = "t.item_id = ?2";
	q.args = args;
	q.arg_count = 1;
	return call_list(c, &q);
}

enum err intune_app_user_statuses(struct call *c)
{
	struct resource_query q;
	struct id app;
	TRY(app_of_path(c, &app));
	TRY(call_query(c, &RES_USER_APP_INSTALL_STATUS, &q));
	struct db_value args[] = {db_v_id(&app)};
	q.extra_where = "t.user_id IN (SELECT d.user_id FROM provisioned_items p JOIN managed_devices d ON d.tenant_id = p.tenant_id AND "
			"d.device_id = p.device_id WHERE p.tenant_id = ?1 AND p.item_id = ?2 AND d.hidden_at IS NULL)";
	q.args = args;
	q.arg_count = 1;
	q.more = standing_user_more;
	q.more_arg = &app;
	return call_list(c, &q);
}
