/* SPDX-License-Identifier: Apache-2.0
 * What a tenant sees of itself: organization, subscriptions, settings. */
#include "api/api.h"
#include "base/clock.h"
#include "directory/tenant.h"
#include "directory/tenant_settings.h"
#include "resource/tables.h"

enum err organization_list(struct call *c);
enum err subscribed_skus_list(struct call *c);
enum err subscriptions_list(struct call *c);
enum err subscriptions_put(struct call *c);
enum err tenant_settings_get(struct call *c);
enum err tenant_settings_change(struct call *c);

/* Graph's collection of one. */
enum err organization_list(struct call *c)
{
	struct tenant t;
	TRY(tenant_get(&c->s, c->s.tenant, &t));
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(c->s.arena, "%s/$metadata#organization", call_base_url(c)));
	jw_key(&w, "value");
	jw_array(&w);
	jw_object(&w);
	jw_kid(&w, "id", t.tenant);
	jw_kstring(&w, "displayName", t.display_name);
	jw_ktime(&w, "createdDateTime", t.created_at);
	jw_kstring(&w, "state", t.state);
	jw_key(&w, "verifiedDomains");
	jw_array(&w);
	jw_end_array(&w);
	jw_end_object(&w);
	jw_end_array(&w);
	jw_end_object(&w);
	return OK;
}

enum err subscribed_skus_list(struct call *c)
{
	struct resource_query q;
	TRY(call_query(c, &RES_SUBSCRIBED_SKU, &q));
	return call_list(c, &q);
}

enum err subscriptions_list(struct call *c)
{
	struct resource_query q;
	TRY(call_query(c, &RES_SUBSCRIPTION, &q));
	return call_list(c, &q);
}

enum err subscriptions_put(struct call *c)
{
	static const char *const allowed[] = {"status", NULL};
	json_t *body;
	const char *status;
	TRY(call_body(c, true, &body));
	TRY(call_only(c, body, allowed));
	TRY(call_string(c, body, "status", true, &status));
	TRY(subscription_set(&c->s, c->s.tenant, call_param(c, "product"), status));
	return call_status(c, 204);
}

enum err tenant_settings_get(struct call *c)
{
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context",
		   arena_printf(c->s.arena, "%s/$metadata#deviceManagement/tenantSettings/$entity", call_base_url(c)));
	TRY(tenant_settings_write(&c->s, &w));
	jw_end_object(&w);
	return OK;
}

enum err tenant_settings_change(struct call *c)
{
	json_t *body;
	TRY(call_body(c, true, &body));
	TRY(tenant_settings_patch(&c->s, body));
	return call_status(c, 204);
}
