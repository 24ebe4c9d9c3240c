/* SPDX-License-Identifier: Apache-2.0
 * installation/tenants: what the installation's operator does with tenants. */
#include "api/api.h"
#include "base/clock.h"
#include "directory/installation.h"
#include "directory/tenant.h"
#include "resource/tables.h"

enum err tenants_list(struct call *c);
enum err tenants_create(struct call *c);
enum err tenants_get(struct call *c);
enum err tenants_close(struct call *c);
enum err tenants_reopen(struct call *c);
enum err tenants_subscription(struct call *c);
enum err certificate_authority_roll(struct call *c);

static enum err tenant_param(struct call *c, struct id *ret)
{
	TRY(call_param_id(c, "tenant", "tenant", ret));
	c->s.subject = *ret;
	return OK;
}

/* The permission of these routes is one of the installation's own role only; the core asks again whose scope this is. */
struct tenants {
	struct resource_query q;
	struct id installation;
	struct db_value args[1];
};

static enum err tenants_query(struct call *c, struct tenants *t)
{
	*t = (struct tenants){0};
	TRY(call_query(c, &RES_TENANT, &t->q));
	t->args[0] = db_v_id(&t->installation);
	t->q.extra_where = "t.tenant_id <> ?1"; /* the installation itself is none of its tenants */
	t->q.args = t->args;
	t->q.arg_count = 1;
	return OK;
}

enum err tenants_list(struct call *c)
{
	struct tenants t;
	TRY(tenants_query(c, &t));
	TRY(tenant_operator_scope(&c->s));
	return call_list(c, &t.q);
}

enum err tenants_get(struct call *c)
{
	struct tenants t;
	struct id tenant;
	TRY(tenant_param(c, &tenant));
	TRY(tenants_query(c, &t));
	TRY(tenant_operator_scope(&c->s));
	return call_get(c, &t.q, tenant);
}

static void write_created(struct call *c, struct id tenant, const char *name, const struct application_secret *admin)
{
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(c->s.arena, "%s/$metadata#installation/tenants/$entity", call_base_url(c)));
	jw_kid(&w, "id", tenant);
	jw_kstring(&w, "displayName", name);
	jw_kstring(&w, "state", "active");
	jw_ktime(&w, "createdDateTime", c->s.now);
	jw_key(&w, "administrator");
	jw_object(&w);
	jw_kid(&w, "clientId", admin->application);
	jw_kstring(&w, "clientSecret", admin->text);
	jw_kid(&w, "keyId", admin->secret);
	jw_ktime(&w, "endDateTime", admin->expires_at);
	jw_end_object(&w);
	jw_end_object(&w);
}

enum err tenants_create(struct call *c)
{
	static const char *const allowed[] = {"displayName", NULL};
	struct application_secret admin;
	struct id tenant;
	json_t *body;
	const char *name;
	char text[ID_TEXT];
	TRY(call_body(c, true, &body));
	TRY(call_only(c, body, allowed));
	TRY(call_string(c, body, "displayName", true, &name));
	TRY(tenant_create(&c->s, name, SECRET_DEFAULT_US, &admin, &tenant));
	write_created(c, tenant, name, &admin);
	http_response_header(c->out, "Cache-Control", "no-store"); /* the secret is shown this once */
	http_response_header(c->out, "Location",
			     arena_printf(c->s.arena, "%s/installation/tenants/%s", call_base_url(c), id_format(tenant, text)));
	c->out->status = 201;
	return OK;
}

enum err tenants_close(struct call *c)
{
	struct id tenant;
	TRY(tenant_param(c, &tenant));
	TRY(tenant_close(&c->s, tenant));
	return call_status(c, 204);
}

enum err tenants_reopen(struct call *c)
{
	struct id tenant;
	TRY(tenant_param(c, &tenant));
	TRY(tenant_reopen(&c->s, tenant));
	return call_status(c, 204);
}

enum err tenants_subscription(struct call *c)
{
	static const char *const allowed[] = {"status", NULL};
	struct id tenant;
	json_t *body;
	const char *status;
	TRY(tenant_param(c, &tenant));
	TRY(call_body(c, true, &body));
	TRY(call_only(c, body, allowed));
	TRY(call_string(c, body, "status", true, &status));
	TRY(subscription_set(&c->s, tenant, call_param(c, "product"), status));
	return call_status(c, 204);
}

enum err certificate_authority_roll(struct call *c)
{
	TRY(installation_roll_ca(&c->s, c->server->host));
	return call_status(c, 204);
}
