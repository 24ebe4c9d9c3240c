/* SPDX-License-Identifier: Apache-2.0
 * Back-channel logout: the provider says that a session there has ended, and those that it began here end, too. */
#include <string.h>

#include "api/public/page.h"
#include "api/sign_in/oidc_inner.h"
#include "codec/form.h"
#include "directory/sign_in/identity.h"
#include "directory/sign_in/session.h"

enum err oidc_back_channel_logout(struct call *c);

struct logout {
	struct provider p;
	const json_t *claims;
};

static enum err load_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct logout *l = arg;
	(void)s;
	return provider_load(tx, l->p.provider, &l->p);
}

/* A token with a sid ends that session; one with a sub alone all of the person's. */
static enum err end_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	static const struct id anybody;
	const struct logout *l = arg;
	const char *sid = jose_text(l->claims, "sid");
	struct id user;
	(void)s;
	if (sid != NULL)
		return session_end_provider(tx, l->p.provider, sid, anybody, "backChannelLogout");
	enum err e = identity_user(tx, &l->p, l->claims, &user);
	return e == ERR_NOT_FOUND ? OK : e != OK ? e : session_end_provider(tx, l->p.provider, NULL, user, "backChannelLogout");
}

/* Section 2.8: what is refused is 400, as an error of OAuth. */
static enum err refuse(struct call *c, const struct provider *p, const char *why)
{
	oidc_refused(c, p, why);
	if (!page_within(c, LIMIT_PAGES, NULL))
		return OK;
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "error", "invalid_request");
	jw_kstring(&w, "error_description", why);
	jw_end_object(&w);
	c->out->status = 400;
	return OK;
}

static const char *token_problem(struct call *c, const struct logout *l, const struct jose_token *token)
{
	const char *wrong = logout_token_problem(l->claims, token->typ);
	char provider[ID_TEXT];
	if (wrong != NULL)
		return wrong;
	double exp = json_number_value(json_object_get(l->claims, "exp"));
	if (exp > (double)((c->s.now + HOUR_US) / SECOND_US))
		return "the logout token is good for longer than an hour";
	int64_t until = (int64_t)exp * SECOND_US + JOSE_SKEW_US;
	const char *name = arena_printf(c->s.arena, "%s %s", id_format(l->p.provider, provider), jose_text(l->claims, "jti"));
	return attempt_use("jti", name, until, c->s.now) ? NULL : "the logout token was used before";
}

enum err oidc_back_channel_logout(struct call *c)
{
	struct form_field f[] = {{"logout_token", JOSE_TOKEN_MAX, false, NULL}};
	struct logout l = {0};
	auto_jose token = {0};
	auto_json *claims = NULL;
	if (!id_parse(call_param(c, "tenant"), &c->s.tenant) || !id_parse(call_param(c, "provider"), &l.p.provider))
		return scope_fail(&c->s, ERR_NOT_FOUND, "there is no such identity provider");
	c->s.has_tenant = true;
	TRY(db_read(&c->s, load_tx, &l));
	if (!l.p.enabled)
		return scope_fail(&c->s, ERR_NOT_FOUND, "there is no such identity provider");
	http_response_header(c->out, "Cache-Control", "no-store");
	if (!form_parse(c->s.arena, c->in->body, c->in->body_len, f, 1) || *f[0].value == '\0')
		return refuse(c, &l.p, "there is no logout token");
	enum err e = provider_verify(c, &l.p, f[0].value, &token, &claims);
	l.claims = claims;
	if (e == ERR_UNAVAILABLE)
		return e;
	if (e != OK)
		return refuse(c, &l.p, scope_detail(&c->s, e));
	const char *wrong = token_problem(c, &l, &token);
	if (wrong != NULL)
		return refuse(c, &l.p, wrong);
	TRY(db_write(&c->s, end_tx, &l));
	return call_status(c, 200);
}
