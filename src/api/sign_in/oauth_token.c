/* SPDX-License-Identifier: Apache-2.0
 * POST /{tenant}/oauth2/v2.0/token: the grants, and client credentials (RFC 6749, section 4.4) with a secret or a signed assertion (RFC 7523). */
#include <string.h>
#include <strings.h>

#include "api/sign_in/oauth.h"
#include "base/clock.h"
#include "directory/application.h"

enum err oauth_token(struct call *c);

static const char ASSERTION_TYPE[] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

static enum err answer(struct call *c, const struct token_claims *claims)
{
	const char *issuer = arena_printf(c->s.arena, "%s/v2.0", oauth_base(c));
	int64_t seconds = (claims->expires_us - claims->issued_us) / SECOND_US - 1; /* as Entra says it: one less than it lives */
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "token_type", "Bearer");
	jw_kint(&w, "expires_in", seconds);
	jw_kint(&w, "ext_expires_in", seconds);
	jw_kstring(&w, "access_token", keeper_token_issue(c->server->keeper, c->s.arena, issuer, claims));
	jw_end_object(&w);
	http_response_header(c->out, "Cache-Control", "no-store");
	return OK;
}

/* ERR_UNAUTHENTICATED: it is malformed, or does not say who it is of. */
static enum err assert_client(struct call *c, const struct oauth_form *f, struct token_claims *ret)
{
	auto_jose t = {0};
	struct id client;
	const char *base = oauth_base(c);
	const char *const audiences[] = {arena_printf(c->s.arena, "%s/oauth2/v2.0/token", base), arena_printf(c->s.arena, "%s/v2.0", base), NULL};
	TRY(jose_read(&c->s, f->client_assertion, strlen(f->client_assertion), &t));
	const char *named = f->client_id != NULL ? f->client_id : jose_text(t.claims, "sub");
	if (!id_parse(named, &client))
		return scope_fail(&c->s, ERR_UNAUTHENTICATED, "unknown client");
	return application_assert(&c->s, client, &t, audiences, ret);
}

static enum err grant_client_credentials(struct call *c, const struct oauth_form *f)
{
	struct token_claims claims;
	struct id client = {0};
	enum err e;
	if (f->client_assertion != NULL && f->client_secret != NULL)
		return oauth_error(c, 400, "invalid_request", "a client shows a secret or an assertion, not both");
	if (f->client_assertion != NULL && (f->client_assertion_type == NULL || strcmp(f->client_assertion_type, ASSERTION_TYPE) != 0))
		return oauth_error(c, 400, "invalid_request", "client_assertion_type must be jwt-bearer's");
	if (f->client_assertion != NULL) {
		e = assert_client(c, f, &claims);
	} else {
		if (f->client_id == NULL || f->client_secret == NULL)
			return oauth_error(c, 401, "invalid_client", "client_id and client_secret, or client_assertion, are required");
		id_parse(f->client_id, &client); /* what is no id is an unknown client */
		e = application_sign_in(&c->s, client, f->client_secret, &claims);
	}
	if (e == ERR_UNAUTHENTICATED)
		return oauth_error(c, 401, "invalid_client", scope_detail(&c->s, e));
	TRY(e);
	return answer(c, &claims);
}

static const struct {
	const char *grant_type;
	enum err (*grant)(struct call *c, const struct oauth_form *f);
} GRANTS[] = {
	{"client_credentials", grant_client_credentials},
	{"urn:ietf:params:oauth:grant-type:device_code", oauth_grant_device_code},
	{"device_code", oauth_grant_device_code}, /* as Microsoft's older libraries say it */
	{"refresh_token", oauth_grant_refresh},
};

enum err oauth_token(struct call *c)
{
	struct oauth_form f = {0};
	const char *wrong = oauth_read(c, &f);
	if (wrong == NULL && f.grant_type == NULL)
		wrong = "grant_type is required";
	if (wrong != NULL)
		return oauth_error(c, 400, "invalid_request", wrong);
	for (size_t i = 0; i < sizeof GRANTS / sizeof *GRANTS; i++)
		if (strcmp(f.grant_type, GRANTS[i].grant_type) == 0)
			return GRANTS[i].grant(c, &f);
	return oauth_error(c, 400, "unsupported_grant_type", "client_credentials, device_code and refresh_token are supported");
}
