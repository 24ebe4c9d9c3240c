/* SPDX-License-Identifier: Apache-2.0
 * roleManagement/directory/operatorAccess: letting the installation's operator in; installation/tenants/{tenant}/token: going in. */
#include <string.h>
#include <strings.h>

#include "api/api.h"
#include "base/clock.h"
#include "directory/access/operator_access.h"
#include "resource/tables.h"

enum err operator_access_list(struct call *c);
enum err operator_access_get(struct call *c);
enum err operator_access_create(struct call *c);
enum err operator_access_delete(struct call *c);
enum err tenants_token(struct call *c);

static enum err access_param(struct call *c, struct id *ret)
{
	TRY(call_param_id(c, "operatoraccess", "operator access", ret));
	c->s.subject = *ret;
	return OK;
}

enum err operator_access_list(struct call *c)
{
	struct resource_query q;
	TRY(call_query(c, &RES_OPERATOR_ACCESS, &q));
	return call_list(c, &q);
}

enum err operator_access_get(struct call *c)
{
	struct resource_query q;
	struct id grant;
	TRY(access_param(c, &grant));
	TRY(call_query(c, &RES_OPERATOR_ACCESS, &q));
	return call_get(c, &q, grant);
}

enum err operator_access_create(struct call *c)
{
	json_t *body;
	struct record *r;
	struct id grant;
	TRY(call_body(c, true, &body));
	TRY(record_parse(&c->s, &RES_OPERATOR_ACCESS, body, RECORD_CREATE, c->version, NULL, &r));
	struct operator_access a = {.role = record_id(r, "roleDefinitionId"), .operator_ = record_id(r, "operatorId"),
				    .reason = record_text(c->s.arena, r, "reason"), .expires_at = record_int(r, "expirationDateTime")};
	TRY(operator_access_grant(&c->s, &a, &grant));
	return call_created(c, &RES_OPERATOR_ACCESS, grant);
}

enum err operator_access_delete(struct call *c)
{
	struct id grant;
	TRY(access_param(c, &grant));
	TRY(operator_access_end(&c->s, grant));
	return call_status(c, 204);
}

/* The claims of the token that the request came with; the gate has admitted it. */
static enum err own_claims(struct call *c, struct token_claims *ret)
{
	const char *h = http_header(c->in, "Authorization");
	if (h == NULL || strncasecmp(h, "Bearer ", strlen("Bearer ")) != 0)
		return scope_fail(&c->s, ERR_FORBIDDEN, "only an operator's own token opens another tenant");
	h += strlen("Bearer ");
	return keeper_token_verify(c->server->keeper, &c->s, h + strspn(h, " "), ret);
}

enum err tenants_token(struct call *c)
{
	struct token_claims own, claims;
	struct id tenant;
	char text[ID_TEXT];
	TRY(call_param_id(c, "tenant", "tenant", &tenant));
	c->s.subject = tenant;
	TRY(own_claims(c, &own));
	TRY(operator_access_enter(&c->s, tenant, &own, &claims));
	const char *issuer = arena_printf(c->s.arena, "%s/%s/v2.0", c->server->url, id_format(tenant, text));
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "token_type", "Bearer");
	jw_kint(&w, "expires_in", (claims.expires_us - claims.issued_us) / SECOND_US);
	jw_kstring(&w, "access_token", keeper_token_issue(c->server->keeper, c->s.arena, issuer, &claims));
	jw_end_object(&w);
	http_response_header(c->out, "Cache-Control", "no-store");
	return OK;
}
