/* SPDX-License-Identifier: Apache-2.0
 * installation/tenants: what the installation's operator does with tenants. */
#include "api/api.h"
#include "api/graph/subscription.h"
#include "base/clock.h"
#include "directory/installation.h"
#include "duty/clock_guard.h"
#include "directory/tenant.h"
#include "privacy/erasure/tenant_deletion.h"
#include "resource/tables.h"

enum err tenants_list(struct call *c);
enum err tenants_create(struct call *c);
enum err tenants_get(struct call *c);
enum err tenants_close(struct call *c);
enum err tenants_reopen(struct call *c);
enum err tenants_patch(struct call *c);
enum err tenants_deletion(struct call *c);
enum err tenants_delete(struct call *c);
enum err tenants_delete_confirm(struct call *c);
enum err operators_list(struct call *c);
enum err operators_create(struct call *c);
enum err operators_delete(struct call *c);
enum err tenants_subscription(struct call *c);
enum err clock_get(struct call *c);
enum err clock_confirm(struct call *c);
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

static void write_secret(struct json_writer *w, const struct application_secret *secret)
{
	jw_kid(w, "clientId", secret->application);
	jw_kstring(w, "clientSecret", secret->text);
	jw_kid(w, "keyId", secret->secret);
	jw_ktime(w, "endDateTime", secret->expires_at);
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
	write_secret(&w, admin);
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
	struct id tenant;
	TRY(tenant_param(c, &tenant));
	return subscription_put(c, tenant);
}

enum err tenants_patch(struct call *c)
{
	struct id tenant;
	struct record *r;
	json_t *body;
	TRY(tenant_param(c, &tenant));
	TRY(call_body(c, true, &body));
	if (json_object_get(body, "displayName") != NULL)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "a tenant keeps the name that it was created with");
	TRY(record_parse(&c->s, &RES_TENANT, body, RECORD_PATCH, c->version, NULL, &r));
	if (record_has(r, "unpaid"))
		TRY(tenant_set_unpaid_flag(&c->s, tenant, record_int(r, "unpaid") != 0));
	return call_status(c, 204);
}

/* ---- deleting one at once ---- */

static void write_precondition(struct json_writer *w, const struct tenant_precondition *p)
{
	jw_object(w);
	jw_kstring(w, "name", p->name);
	jw_kbool(w, "met", p->found <= p->most);
	jw_kint(w, "found", p->found);
	jw_kint(w, "allowed", p->most);
	jw_kstring(w, "text", p->text);
	jw_end_object(w);
}

static void write_deletion(struct call *c, struct id tenant, const struct tenant_deletion *d)
{
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(c->s.arena, "%s/$metadata#installation/tenants/deletion", call_base_url(c)));
	jw_kid(&w, "id", tenant);
	if (d->asked_at != 0) {
		jw_ktime(&w, "requestedDateTime", d->asked_at);
		jw_kid(&w, "requestedBy", d->asked_by);
		jw_ktime(&w, "confirmBeforeDateTime", d->asked_at + TENANT_DELETION_CONFIRM_US);
	}
	jw_key(&w, "preconditions");
	jw_array(&w);
	for (size_t i = 0; i < d->n; i++)
		write_precondition(&w, &d->v[i]);
	jw_end_array(&w);
	jw_end_object(&w);
}

enum err tenants_deletion(struct call *c)
{
	struct tenant_deletion d;
	struct id tenant;
	TRY(tenant_param(c, &tenant));
	TRY(tenant_deletion_get(&c->s, tenant, &d));
	write_deletion(c, tenant, &d);
	return OK;
}

enum err tenants_delete(struct call *c)
{
	struct tenant_deletion d;
	struct id tenant;
	TRY(tenant_param(c, &tenant));
	TRY(tenant_deletion_ask(&c->s, tenant, &d));
	write_deletion(c, tenant, &d);
	c->out->status = 202; /* another operator confirms */
	return OK;
}

enum err tenants_delete_confirm(struct call *c)
{
	struct id tenant;
	TRY(tenant_param(c, &tenant));
	TRY(tenant_deletion_confirm(&c->s, tenant));
	return call_status(c, 204);
}

/* ---- operators ---- */

enum err operators_list(struct call *c)
{
	struct resource_query q;
	TRY(call_query(c, &RES_APPLICATION, &q));
	return call_list(c, &q);
}

enum err operators_create(struct call *c)
{
	static const char *const allowed[] = {"displayName", NULL};
	struct application_secret secret;
	json_t *body;
	const char *name;
	TRY(call_body(c, true, &body));
	TRY(call_only(c, body, allowed));
	TRY(call_string(c, body, "displayName", true, &name));
	TRY(installation_add_operator(&c->s, name, &secret));
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(c->s.arena, "%s/$metadata#installation/operators/$entity", call_base_url(c)));
	jw_kid(&w, "id", secret.application);
	jw_kstring(&w, "displayName", name);
	jw_kid(&w, "tenant", c->s.tenant); /* with it the answer is a file for --credentials */
	write_secret(&w, &secret);
	jw_end_object(&w);
	http_response_header(c->out, "Cache-Control", "no-store"); /* the secret is shown this once */
	c->out->status = 201;
	return OK;
}

enum err operators_delete(struct call *c)
{
	struct id operator_;
	TRY(call_param_id(c, "operator", "operator", &operator_));
	TRY(installation_remove_operator(&c->s, operator_));
	return call_status(c, 204);
}

enum err clock_get(struct call *c)
{
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_ktime(&w, "dateTime", c->s.now);
	jw_kbool(&w, "inDoubt", clock_guard_in_doubt(c->server->clock));
	jw_end_object(&w);
	return OK;
}

enum err clock_confirm(struct call *c)
{
	TRY(clock_guard_confirm(c->server->clock, &c->s));
	return call_status(c, 204);
}

enum err certificate_authority_roll(struct call *c)
{
	TRY(installation_roll_ca(&c->s, c->server->host));
	return call_status(c, 204);
}
