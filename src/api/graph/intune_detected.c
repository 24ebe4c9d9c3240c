/* SPDX-License-Identifier: Apache-2.0
 * deviceManagement/detectedApps: packages of all devices, and the devices of each. */
#include "api/api.h"
#include "base/limits.h"
#include "devices/detected.h"
#include "devices/managed_device.h"
#include "resource/tables.h"

enum err intune_detected_apps(struct call *c);
enum err intune_detected_app(struct call *c);
enum err intune_detected_devices(struct call *c);

enum { PAGE_DEFAULT = 50 };

struct detected_read {
	struct call *c;
	struct detected_page page;
	struct detected_package package;
	struct resource_query q;
};

static enum err package_of_path(struct call *c, struct detected_package *ret)
{
	if (detected_parse(c->s.arena, call_param(c, "package"), ret))
		return OK;
	return scope_fail(&c->s, ERR_NOT_FOUND, "there is no detectedApp with this id");
}

/* $filter, $top and $skiptoken; others would need all packages at once. */
static enum err read_options(struct call *c, struct detected_read *a)
{
	const struct odata_query *o = &a->q.odata;
	TRY(call_query(c, &RES_DETECTED_APP, &a->q));
	if (o->order != NULL || o->skip > 0 || o->expand != NULL || o->search != NULL || o->count || o->select != NULL)
		return scope_fail(&c->s, ERR_NOT_IMPLEMENTED, "detectedApps of all devices take $filter, $top and @odata.nextLink");
	a->page.most = o->top < 0 ? PAGE_DEFAULT : o->top < LIMIT_PAGE_MAX ? o->top : LIMIT_PAGE_MAX;
	if (o->skiptoken != NULL && !detected_parse(c->s.arena, o->skiptoken, &a->page.after))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "$skiptoken is none of this server's");
	if (o->filter_text == NULL && c->s.actor.only == NULL)
		return OK;
	struct resource_condition *condition = arena_alloc(c->s.arena, sizeof *condition);
	TRY(resource_filter_reached(&c->s, &RES_DETECTED_APP, c->version, o->filter_text, 4, condition));
	a->page.condition = condition;
	return OK;
}

static void write_link(struct detected_read *a, struct json_writer *w)
{
	struct arena *arena = a->c->s.arena;
	char *link = arena_printf(arena, "%s%s?$top=%lld&$skiptoken=%s", a->q.base_url, a->q.path, (long long)a->page.most,
				  detected_id(arena, &a->page.after));
	if (a->q.odata.filter_text != NULL)
		link = arena_printf(arena, "%s&$filter=%s", link, url_encode(arena, a->q.odata.filter_text));
	jw_kstring(w, "@odata.nextLink", link);
}

static enum err read_page(struct scope *s, struct db_tx *tx, void *arg)
{
	struct detected_read a = *(struct detected_read *)arg; /* it may run again */
	struct json_writer w = call_json(a.c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(s->arena, "%s/$metadata#deviceManagement/detectedApps", a.q.base_url));
	jw_key(&w, "value");
	jw_array(&w);
	TRY(detected_write_page(tx, &a.page, &w));
	jw_end_array(&w);
	if (a.page.more)
		write_link(&a, &w);
	jw_end_object(&w);
	return OK;
}

enum err intune_detected_apps(struct call *c)
{
	struct detected_read a = {.c = c};
	TRY(read_options(c, &a));
	return db_read(&c->s, read_page, &a);
}

static enum err read_one(struct scope *s, struct db_tx *tx, void *arg)
{
	struct detected_read *a = arg;
	const char *base = call_base_url(a->c);
	struct json_writer w = call_json(a->c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(s->arena, "%s/$metadata#deviceManagement/detectedApps/$entity", base));
	TRY(detected_write(tx, &a->package, &w));
	jw_end_object(&w);
	return OK;
}

enum err intune_detected_app(struct call *c)
{
	struct detected_read a = {.c = c};
	TRY(package_of_path(c, &a.package));
	return db_read(&c->s, read_one, &a);
}

enum err intune_detected_devices(struct call *c)
{
	struct resource_query q;
	struct detected_package p;
	TRY(package_of_path(c, &p));
	TRY(call_query(c, &RES_MANAGED_DEVICE, &q));
	struct db_value args[] = {db_v_text(p.name), db_v_text(p.version)};
	q.extra_where = "t.device_id IN (SELECT x.device_id FROM detected_apps x WHERE x.tenant_id = ?1 AND x.name = ?2 AND x.version = ?3)";
	q.args = args;
	q.arg_count = 2;
	q.more = managed_device_more;
	return call_list(c, &q);
}
