/* SPDX-License-Identifier: Apache-2.0
 * What a tenant sees of itself: organization, subscriptions, settings. */
#include "api/api.h"
#include "api/graph/subscription.h"
#include "base/clock.h"
#include "directory/approval/policy.h"
#include "directory/tenant.h"
#include "directory/tenant_settings.h"
#include "resource/tables.h"

enum err organization_list(struct call *c);
enum err subscribed_skus_list(struct call *c);
enum err subscribed_skus_get(struct call *c);
enum err subscriptions_list(struct call *c);
enum err subscriptions_get(struct call *c);
enum err subscriptions_put(struct call *c);
enum err tenant_settings_get(struct call *c);
enum err tenant_settings_change(struct call *c);

/* What an administrator should still do. */
static enum err write_warnings(struct call *c, struct json_writer *w)
{
	unsigned on;
	TRY(approval_policies_on(&c->s, &on));
	jw_key(w, "warnings");
	jw_array(w);
	if (!(on & 1u << APPROVAL_deviceWipe))
		jw_string(w, "one person alone can wipe devices: POST /deviceManagement/operationApprovalPolicies with policyType deviceWipe");
	jw_end_array(w);
	return OK;
}

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
	TRY(write_warnings(c, &w));
	jw_key(&w, "verifiedDomains");
	jw_array(&w);
	jw_end_array(&w);
	jw_end_object(&w);
	jw_end_array(&w);
	jw_end_object(&w);
	return OK;
}

static enum err write_plans(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id key, void *arg)
{
	const char *name = arg;
	if (resource_selected(q, name)) {
		jw_key(w, name);
		TRY(subscription_write_plans(tx, w, key));
	}
	if (resource_property(q->res, "subscriptionIds", q->version) == NULL || !resource_selected(q, "subscriptionIds"))
		return OK;
	char text[ID_TEXT];
	jw_key(w, "subscriptionIds");
	jw_array(w);
	jw_string(w, id_format(key, text));
	jw_end_array(w);
	return OK;
}

static enum err subscription_query(struct call *c, const struct resource *r, char *plans, struct resource_query *q)
{
	TRY(call_query(c, r, q));
	q->more = write_plans;
	q->more_arg = plans;
	return OK;
}

static char sku_plans[] = "servicePlans", subscription_plans[] = "serviceStatus";

enum err subscribed_skus_list(struct call *c)
{
	struct resource_query q;
	TRY(subscription_query(c, &RES_SUBSCRIBED_SKU, sku_plans, &q));
	return call_list(c, &q);
}

enum err subscribed_skus_get(struct call *c)
{
	struct resource_query q;
	struct id sku;
	TRY(call_param_id(c, "sku", "subscribed SKU", &sku));
	TRY(subscription_query(c, &RES_SUBSCRIBED_SKU, sku_plans, &q));
	return call_get(c, &q, sku);
}

enum err subscriptions_list(struct call *c)
{
	struct resource_query q;
	TRY(subscription_query(c, &RES_SUBSCRIPTION, subscription_plans, &q));
	return call_list(c, &q);
}

enum err subscriptions_get(struct call *c)
{
	struct resource_query q;
	struct id subscription;
	TRY(call_param_id(c, "product", "subscription", &subscription));
	TRY(subscription_query(c, &RES_SUBSCRIPTION, subscription_plans, &q));
	return call_get(c, &q, subscription);
}

static enum err read_numbers(struct call *c, const json_t *body, struct subscription_order *o)
{
	const json_t *trial = json_object_get(body, "isTrial"), *licenses = json_object_get(body, "totalLicenses");
	if (trial != NULL && !json_is_boolean(trial))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "isTrial must be true or false");
	if (licenses != NULL && (!json_is_integer(licenses) || json_integer_value(licenses) < 1))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "totalLicenses must be a whole number from 1 on");
	o->trial = trial == NULL ? -1 : json_is_true(trial);
	o->licenses = json_integer_value(licenses);
	return OK;
}

enum err subscription_put(struct call *c, struct id tenant)
{
	static const char *const allowed[] = {"status", "isTrial", "totalLicenses", "skuId", "nextLifecycleDateTime", NULL};
	struct subscription_order o = {.product = call_param(c, "product")};
	const char *sku, *ends;
	json_t *body;
	TRY(call_body(c, true, &body));
	TRY(call_only(c, body, allowed));
	TRY(call_string(c, body, "status", true, &o.status));
	TRY(read_numbers(c, body, &o));
	TRY(call_string(c, body, "skuId", false, &sku));
	TRY(call_string(c, body, "nextLifecycleDateTime", false, &ends));
	if (sku != NULL && !id_parse(sku, &o.sku))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "skuId must be a UUID");
	if (ends != NULL && !time_parse(ends, &o.ends_at))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "nextLifecycleDateTime must be a date and a time in UTC");
	TRY(subscription_set(&c->s, tenant, &o));
	return call_status(c, 204);
}

enum err subscriptions_put(struct call *c)
{
	return subscription_put(c, c->s.tenant);
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
