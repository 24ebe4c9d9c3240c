/* SPDX-License-Identifier: Apache-2.0
 * identity/identityProviders (Graph beta's openIdConnectIdentityProvider), their role mappings, and the identities of users. */
#include <string.h>

#include "api/api.h"
#include "api/sign_in/oidc.h"
#include "directory/sign_in/identity.h"
#include "directory/sign_in/provider.h"
#include "directory/user.h"
#include "http/reach.h"
#include "resource/tables.h"

enum err identity_providers_list(struct call *c);
enum err identity_providers_create(struct call *c);
enum err identity_providers_get(struct call *c);
enum err identity_providers_patch(struct call *c);
enum err identity_providers_delete(struct call *c);
enum err identity_provider_roles_list(struct call *c);
enum err identity_provider_roles_create(struct call *c);
enum err identity_provider_roles_delete(struct call *c);
enum err user_identities_list(struct call *c);
enum err user_identities_bind(struct call *c);
enum err user_identities_unbind(struct call *c);

static enum err provider_param(struct call *c, struct id *ret)
{
	TRY(call_param_id(c, "provider", "identity provider", ret));
	c->s.subject = *ret;
	return OK;
}

/* What the administrator enters at the provider. */
static enum err write_addresses(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id key, void *arg)
{
	struct call *c = arg;
	(void)tx;
	if (resource_selected(q, "redirectUri"))
		jw_kstring(w, "redirectUri", oidc_address(c, c->s.tenant, key, "/callback"));
	if (resource_selected(q, "backChannelLogoutUri"))
		jw_kstring(w, "backChannelLogoutUri", oidc_address(c, c->s.tenant, key, "/logout"));
	return OK;
}

static enum err query(struct call *c, struct resource_query *q)
{
	TRY(call_query(c, &RES_IDENTITY_PROVIDER, q));
	q->more = write_addresses;
	q->more_arg = c;
	return OK;
}

enum err identity_providers_list(struct call *c)
{
	struct resource_query q;
	TRY(query(c, &q));
	return call_list(c, &q);
}

static enum err answer(struct call *c, struct id provider)
{
	struct resource_query q;
	TRY(query(c, &q));
	return call_get(c, &q, provider);
}

enum err identity_providers_get(struct call *c)
{
	struct id provider;
	TRY(provider_param(c, &provider));
	return answer(c, provider);
}

static bool may_reach(const void *reach, const char *host)
{
	return reach_may_allow(reach, host);
}

/* Graph's clients name the issuer by its document. */
static enum err take_metadata_url(struct call *c, json_t *body)
{
	static const char end[] = "/.well-known/openid-configuration";
	const char *url, *issuer;
	TRY(call_string(c, body, "metadataUrl", false, &url));
	TRY(call_string(c, body, "issuer", false, &issuer));
	size_t n = url == NULL ? 0 : strlen(url), m = sizeof end - 1;
	if (url == NULL)
		return OK;
	if (n <= m || strcmp(url + n - m, end) != 0 || (issuer != NULL && strncmp(issuer, url, n - m) != 0))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'metadataUrl' is the issuer and %s", end);
	if (issuer == NULL)
		json_object_set_new(body, "issuer", json_stringn(url, n - m));
	json_object_del(body, "metadataUrl");
	return OK;
}

static enum err read_request(struct call *c, enum record_mode mode, struct provider_request *q)
{
	static const char *const secret[] = {"clientSecret", NULL};
	json_t *body;
	struct record *r;
	TRY(call_body(c, true, &body));
	if (mode == RECORD_CREATE)
		TRY(take_metadata_url(c, body));
	TRY(record_parse(&c->s, &RES_IDENTITY_PROVIDER, body, mode, c->version, secret, &r));
	*q = (struct provider_request){.r = r, .may_reach = may_reach, .arg = c->server->reach};
	return call_string(c, body, "clientSecret", false, &q->client_secret);
}

static enum err created(struct call *c, const char *where)
{
	http_response_header(c->out, "Location", arena_printf(c->s.arena, "%s/%s", call_base_url(c), where));
	c->out->status = 201;
	return OK;
}

enum err identity_providers_create(struct call *c)
{
	struct provider_request q;
	struct id provider;
	char text[ID_TEXT];
	TRY(read_request(c, RECORD_CREATE, &q));
	TRY(provider_create(&c->s, &q, &provider));
	TRY(answer(c, provider));
	return created(c, arena_printf(c->s.arena, "identity/identityProviders/%s", id_format(provider, text)));
}

enum err identity_providers_patch(struct call *c)
{
	struct provider_request q;
	struct id provider;
	TRY(provider_param(c, &provider));
	TRY(read_request(c, RECORD_PATCH, &q));
	TRY(provider_patch(&c->s, provider, &q));
	return answer(c, provider);
}

enum err identity_providers_delete(struct call *c)
{
	struct id provider;
	TRY(provider_param(c, &provider));
	TRY(provider_delete(&c->s, provider));
	return call_status(c, 204);
}

/* ---- role mappings ---- */


static enum err exists_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct provider p;
	(void)s;
	return provider_load(tx, *(const struct id *)arg, &p);
}

static enum err list_by(struct call *c, const struct resource *r, const char *where, struct id id)
{
	struct resource_query q;
	struct db_value *arg = arena_alloc(c->s.arena, sizeof *arg);
	*arg = db_v_id(arena_memdup(c->s.arena, &id, sizeof id));
	TRY(call_query(c, r, &q));
	q.extra_where = where;
	q.args = arg;
	q.arg_count = 1;
	return call_list(c, &q);
}

enum err identity_provider_roles_list(struct call *c)
{
	struct id provider;
	TRY(provider_param(c, &provider));
	TRY(db_read(&c->s, exists_tx, &provider));
	return list_by(c, &RES_IDENTITY_PROVIDER_ROLE, "t.provider_id = ?2", provider);
}

static enum err answer_one(struct call *c, const struct resource *r, struct id key, const char *where)
{
	struct resource_query q;
	TRY(call_query(c, r, &q));
	TRY(call_get(c, &q, key));
	return created(c, where);
}

enum err identity_provider_roles_create(struct call *c)
{
	json_t *body;
	struct record *r;
	struct id provider, mapping;
	char of[ID_TEXT], text[ID_TEXT];
	TRY(provider_param(c, &provider));
	TRY(call_body(c, true, &body));
	TRY(record_parse(&c->s, &RES_IDENTITY_PROVIDER_ROLE, body, RECORD_CREATE, c->version, NULL, &r));
	TRY(provider_role_create(&c->s, provider, r, &mapping));
	return answer_one(c, &RES_IDENTITY_PROVIDER_ROLE, mapping,
			  arena_printf(c->s.arena, "identity/identityProviders/%s/roles/%s", id_format(provider, of), id_format(mapping, text)));
}

enum err identity_provider_roles_delete(struct call *c)
{
	struct id provider, mapping;
	TRY(provider_param(c, &provider));
	TRY(call_param_id(c, "mapping", "role mapping", &mapping));
	TRY(provider_role_delete(&c->s, provider, mapping));
	return call_status(c, 204);
}

/* ---- identities ---- */

static enum err user_param(struct call *c, struct id *ret)
{
	TRY(user_resolve(&c->s, call_param(c, "user"), ret));
	c->s.subject = *ret;
	return OK;
}

enum err user_identities_list(struct call *c)
{
	struct id user;
	TRY(user_param(c, &user));
	return list_by(c, &RES_USER_IDENTITY, "t.user_id = ?2", user);
}

enum err user_identities_bind(struct call *c)
{
	static const char *const allowed[] = {"identityProviderId", "issuerAssignedId", NULL};
	json_t *body;
	const char *provider_text, *subject;
	struct id user, provider, identity;
	char of[ID_TEXT], text[ID_TEXT];
	TRY(user_param(c, &user));
	TRY(call_body(c, true, &body));
	TRY(call_only(c, body, allowed));
	TRY(call_string(c, body, "identityProviderId", true, &provider_text));
	TRY(call_string(c, body, "issuerAssignedId", true, &subject));
	if (!id_parse(provider_text, &provider))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'identityProviderId' is no id");
	TRY(identity_bind(&c->s, user, provider, subject, &identity));
	return answer_one(c, &RES_USER_IDENTITY, identity,
			  arena_printf(c->s.arena, "users/%s/identities/%s", id_format(user, of), id_format(identity, text)));
}

enum err user_identities_unbind(struct call *c)
{
	struct id user, identity;
	TRY(user_param(c, &user));
	TRY(call_param_id(c, "identity", "identity", &identity));
	TRY(identity_unbind(&c->s, user, identity));
	return call_status(c, 204);
}
