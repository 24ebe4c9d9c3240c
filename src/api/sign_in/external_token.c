/* SPDX-License-Identifier: Apache-2.0 */
#include "api/sign_in/external_token.h"

#include <string.h>
#include <strings.h>

#include "api/sign_in/issuer.h"
#include "audit/audit_read.h"
#include "codec/json.h"
#include "directory/sign_in/provider_token.h"

bool external_token_looks(const char *text)
{
	const char *dot = strchr(text, '.');
	return dot != NULL && strchr(dot + 1, '.') != NULL && !keeper_token_looks(text);
}

static enum err refuse(struct scope *s, const char *why)
{
	return scope_fail(s, ERR_UNAUTHENTICATED, "the token %s", why);
}

/* RFC 9068 section 2.1, RFC 8725 section 3.11: what says that it is something else is; Entra says JWT, some say nothing. */
static enum err check_type(struct scope *s, const struct jose_token *t)
{
	static const char *const types[] = {"JWT", "at+jwt", "application/at+jwt"};
	bool good = json_object_get(t->header, "typ") == NULL;
	for (size_t i = 0; i < sizeof types / sizeof *types && !good; i++)
		good = t->typ != NULL && strcasecmp(t->typ, types[i]) == 0;
	return good ? OK : refuse(s, "is no access token (typ)");
}

/* What only ID tokens (OpenID Connect Core, section 2) and logout tokens have, and an access token has not. */
static enum err check_kind(struct scope *s, const struct provider *p, const json_t *claims)
{
	static const char *const others[] = {"nonce", "at_hash", "c_hash", "s_hash", "events"};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (json_object_get(claims, others[i]) != NULL)
			return refuse(s, "is an ID token or a logout token, no access token");
	if (jose_has_audience(claims, p->client_id))
		return refuse(s, "is for the client that people sign in with, so it is no access token");
	return OK;
}

static enum err check_token(struct call *c, const struct jose_token *t, const struct provider *p, struct tenant_levels *ret)
{
	auto_json *claims = NULL;
	const struct issuer_expected x = {.issuer = p->issuer, .other_issuer = p->tenants != NULL ? PROVIDER_ENTRA_V1 : NULL,
					  .audiences = p->audiences, .tenants = p->tenants, .algs = JOSE_ALL};
	TRY(check_kind(&c->s, p, t->claims));
	TRY(issuer_verify(&c->s, c->server->issuers, &x, t, &claims));
	TRY(provider_token_actor(&c->s, p, claims, &c->s.actor, ret));
	c->s.actor.ip = c->in->client_ip;
	return audit_record_sign_in(&c->s, p->provider);
}

/* At most once a minute and provider: outsiders can cause it. */
static void tell(struct call *c, const struct provider *p)
{
	if (!audit_first_in_minute(&c->s, ACT_EXTERNAL_TOKEN_REFUSED, p->provider))
		return;
	audit_refused(&c->s, &(struct audit_event){.activity = ACT_EXTERNAL_TOKEN_REFUSED, .resource_type = "IdentityProvider", .resource = p->provider,
						   .resource_name = p->display_name, .failure = scope_detail(&c->s, ERR_UNAUTHENTICATED)});
}

enum err external_token_admit(struct call *c, const char *text, struct tenant_levels *ret)
{
	auto_jose t = {0};
	struct provider p;
	TRY(jose_read(&c->s, text, strlen(text), &t));
	TRY(check_type(&c->s, &t));
	TRY(provider_of_token(&c->s, t.claims, &p));
	enum err e = check_token(c, &t, &p, ret);
	if (e == ERR_UNAUTHENTICATED)
		tell(c, &p);
	return e;
}
