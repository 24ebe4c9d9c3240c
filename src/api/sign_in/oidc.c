/* SPDX-License-Identifier: Apache-2.0
 * The code flow: to the provider, back with a code, to a session. */
#include "api/sign_in/oidc.h"

#include <stdlib.h>
#include <string.h>

#include "api/public/page.h"
#include "api/sign_in/oidc_inner.h"
#include "api/sign_in/pages.h"
#include "codec/form.h"
#include "codec/html.h"
#include "codec/odata.h"
#include "codec/target.h"
#include "crypto/digest.h"
#include "directory/sign_in/identity.h"
#include "directory/sign_in/session.h"

enum err oidc_start(struct call *c);
enum err oidc_callback(struct call *c);

#define HINT "__Host-reeve-hint"
enum { CODE_MAX = 4096, MAX_AGE_MAX = 31 * 24 * 3600 };

/* ---- pages ---- */

/* title and text: ours; nothing of what the provider or the browser sent. */
static enum err say(struct call *c, int status, const char *title, const char *text)
{
	char tenant[ID_TEXT];
	struct buf *b = page_begin(c, NULL, title);
	buf_adds(b, "<p>");
	html_escape(b, text);
	buf_printf(b, "</p>\n<p><a href=\"/signin/%s\">Back to the sign-in page</a></p>\n", id_format(c->s.tenant, tenant));
	return sign_in_page_end(c, status);
}

static enum err refuse(struct call *c, const struct provider *p, const char *why, const char *text)
{
	oidc_refused(c, p, why);
	return say(c, 403, "You could not be signed in", text);
}

#define AGAIN "Please begin again on the sign-in page. If this happens again, tell the people who administer this system the time at which it happened."

/* ---- which provider ---- */

static enum err load_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct provider *p = arg;
	(void)s;
	return provider_load(tx, p->provider, p);
}

/* *ret_there false: the answer is given already. */
static enum err provider_of_path(struct call *c, struct provider *ret, bool *ret_there)
{
	*ret_there = false;
	if (!page_within(c, LIMIT_PAGES, NULL))
		return OK;
	if (!id_parse(call_param(c, "tenant"), &c->s.tenant) || !id_parse(call_param(c, "provider"), &ret->provider))
		return page_not_found(c);
	c->s.has_tenant = true;
	enum err e = db_read(&c->s, load_tx, ret);
	if (e == ERR_NOT_FOUND || (e == OK && !ret->enabled))
		return page_not_found(c);
	*ret_there = e == OK;
	return e;
}

/* ---- to the provider ---- */

static enum err ask_document(struct call *c, const struct provider *p, struct issuer_document *ret)
{
	struct target t;
	TRY(issuer_document(&c->s, c->server->issuers, p->issuer, ret));
	if (ret->authorization_endpoint == NULL || ret->token_endpoint == NULL || !target_https(c->s.arena, ret->authorization_endpoint, &t))
		return scope_fail(&c->s, ERR_UNAVAILABLE, "the identity provider's discovery document has no endpoints for the code flow");
	return OK;
}

static enum err unreachable(struct call *c, const struct provider *p)
{
	oidc_refused(c, p, scope_detail(&c->s, ERR_UNAVAILABLE));
	c->s.detail = NULL;
	return say(c, 503, "The identity provider cannot be asked", "Signing in goes through your organisation's identity provider, which does not answer "
		"as it should at the moment. Please try again later.");
}

static void add(struct call *c, struct buf *b, const char *name, const char *value)
{
	buf_printf(b, "&%s=%s", name, url_encode(c->s.arena, value));
}

static const char *authorization_url(struct call *c, const struct provider *p, const struct issuer_document *d, const struct attempt *t)
{
	auto_buf b;
	buf_init(&b, 8192);
	buf_printf(&b, "%s%cresponse_type=code", d->authorization_endpoint, strchr(d->authorization_endpoint, '?') == NULL ? '?' : '&');
	add(c, &b, "client_id", p->client_id);
	add(c, &b, "redirect_uri", oidc_address(c, t->tenant, t->provider, "/callback"));
	add(c, &b, "scope", p->scope);
	add(c, &b, "state", t->state);
	add(c, &b, "nonce", t->nonce);
	add(c, &b, "code_challenge", attempt_challenge(c->s.arena, t));
	add(c, &b, "code_challenge_method", "S256");
	if (p->domain_hint != NULL)
		add(c, &b, "domain_hint", p->domain_hint);
	if (t->max_age >= 0)
		add(c, &b, "max_age", arena_printf(c->s.arena, "%lld", (long long)t->max_age));
	return b.failed ? NULL : arena_strndup(c->s.arena, b.data, b.len);
}

/* -1: not asked for, or not a number of ours. */
static int64_t max_age_of(struct call *c)
{
	struct form_field f[] = {{"max_age", 10, false, NULL}};
	char *end;
	if (!form_parse(c->s.arena, c->in->query, strlen(c->in->query), f, 1) || *f[0].value == '\0')
		return -1;
	long n = strtol(f[0].value, &end, 10);
	return *end == '\0' && n >= 0 && n <= MAX_AGE_MAX ? n : -1;
}

static enum err leave_for(struct call *c, const char *url)
{
	http_response_header(c->out, "Location", url);
	http_response_header(c->out, "Cache-Control", "no-store");
	http_response_header(c->out, "Referrer-Policy", "no-referrer");
	return call_status(c, 302);
}

enum err oidc_start(struct call *c)
{
	struct provider p = {0};
	struct issuer_document d;
	bool there;
	TRY(provider_of_path(c, &p, &there));
	if (!there)
		return OK;
	if (ask_document(c, &p, &d) != OK)
		return unreachable(c, &p);
	struct attempt t = {.tenant = c->s.tenant, .provider = p.provider, .max_age = max_age_of(c), .next = sign_in_next_of_query(c)};
	attempt_begin(c, &t);
	const char *url = authorization_url(c, &p, &d, &t);
	return url != NULL ? leave_for(c, url) : scope_fail(&c->s, ERR_UNAVAILABLE, "the identity provider's address is too long");
}

/* ---- back from it ---- */

enum { CODE, STATE, ISS, ERROR, FIELDS };

/* What a provider may say (RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6); anything else is "an error". */
static const char *known_error(const char *error)
{
	static const char *const known[] = {"access_denied", "invalid_request", "unauthorized_client", "unsupported_response_type", "invalid_scope",
					    "server_error", "temporarily_unavailable", "interaction_required", "login_required",
					    "account_selection_required", "consent_required", "invalid_grant", "invalid_client",
					    "unsupported_grant_type"};
	for (size_t i = 0; error != NULL && i < sizeof known / sizeof known[0]; i++)
		if (strcmp(known[i], error) == 0)
			return known[i];
	return "an error";
}

/* What is wrong with the answer before its code is looked at; NULL: nothing.  iss first: an error is believed of nobody else, either. */
static const char *answer_problem(struct call *c, const struct provider *p, const struct issuer_document *d, const struct form_field *f)
{
	if (*f[ISS].value == '\0' && d->iss_parameter)
		return "the answer does not say whose it is (iss) although the provider promises that";
	if (*f[ISS].value != '\0' && !is_provider_issuer(c->s.arena, p, d, f[ISS].value))
		return "the answer is another issuer's (iss)";
	if (*f[ERROR].value != '\0')
		return arena_printf(c->s.arena, "the provider answered with %s", known_error(f[ERROR].value));
	return *f[CODE].value == '\0' ? "the answer has no code" : NULL;
}

/* ---- the code ---- */

struct proof {
	struct id provider;
	char *secret;
};

static enum err secret_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct proof *a = arg;
	(void)s;
	return provider_secret(tx, a->provider, &a->secret);
}

/* RFC 6749, section 2.3.1: both parts are form-encoded before they become a Basic header. */
static enum err client_proof(struct call *c, const struct provider *p, struct buf *form, const char **ret_basic)
{
	struct proof a = {p->provider, NULL};
	bool basic = strcmp(p->client_authentication, "client_secret_basic") == 0;
	*ret_basic = NULL;
	if (strcmp(p->client_authentication, "none") != 0)
		TRY(db_read(&c->s, secret_tx, &a));
	if (a.secret != NULL && basic)
		*ret_basic = arena_printf(c->s.arena, "%s:%s", url_encode(c->s.arena, p->client_id), url_encode(c->s.arena, a.secret));
	else
		add(c, form, "client_id", p->client_id);
	if (a.secret != NULL && !basic)
		add(c, form, "client_secret", a.secret);
	if (a.secret != NULL)
		wipe(a.secret, strlen(a.secret));
	return OK;
}

static enum err redeem(struct call *c, const struct provider *p, const struct issuer_document *d, const struct attempt *t, const char *code,
		       json_t **ret)
{
	const char *basic;
	long status = 0;
	auto_buf form;
	buf_init(&form, 16384);
	buf_adds(&form, "grant_type=authorization_code");
	add(c, &form, "code", code);
	add(c, &form, "redirect_uri", oidc_address(c, t->tenant, t->provider, "/callback"));
	add(c, &form, "code_verifier", t->verifier);
	TRY(client_proof(c, p, &form, &basic));
	enum err e = form.failed ? ERR_BAD_REQUEST : issuer_post(&c->s, c->server->issuers, d->token_endpoint, form.data, basic, &status, ret);
	if (form.data != NULL)
		wipe(form.data, form.len);
	if (e == OK && status != 200)
		return scope_fail(&c->s, ERR_UNAUTHENTICATED, "the provider does not take the code: %s", known_error(jose_text(*ret, "error")));
	return e;
}

/* ---- the person ---- */

struct arrival {
	const struct provider *p;
	const json_t *claims;
	struct session_new begin;
	struct id session;
	char secret[SESSION_SECRET_TEXT];
	bool closed; /* the provider was disabled since the code was sent there */
};

/* By the provider's rules of now: what ended its sessions meanwhile ends this one, too. */
static enum err arrive_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct arrival *a = arg;
	struct provider now;
	(void)s;
	TRY(provider_load(tx, a->p->provider, &now));
	a->closed = !now.enabled;
	if (a->closed)
		return ERR_NOT_FOUND;
	TRY(identity_sign_in(tx, &now, a->claims, &a->begin.user));
	TRY(identity_roles(tx, &now, a->claims, a->begin.user));
	return session_begin(tx, &a->begin, a->secret, &a->session);
}

/* For the sign-out at the provider: it is the person's own browser that keeps it, sealed. */
static void keep_hint(struct call *c, struct id session, const char *id_token)
{
	char text[ID_TEXT];
	auto_json *o = json_pack("{s:s, s:s}", "session", id_format(session, text), "token", id_token);
	sealed_cookie_set(c, HINT, o, "");
}

/* For back-channel logout; a text that nobody would send is none. */
static const char *session_of(const json_t *claims)
{
	const char *sid = jose_text(claims, "sid");
	return sid != NULL && strlen(sid) <= IDENTITY_SUBJECT_MAX ? sid : NULL;
}

static enum err arrive(struct call *c, const struct provider *p, const struct attempt *t, const json_t *claims, const char *id_token)
{
	struct arrival a = {.p = p, .claims = claims};
	double auth_time = json_number_value(json_object_get(claims, "auth_time"));
	a.begin = (struct session_new){.kind = SESSION_BROWSER, .method = "oidc", .provider = p->provider, .provider_session = session_of(claims),
				       .auth_at = auth_time > 0 && auth_time < 1e11 ? (int64_t)auth_time * SECOND_US : 0};
	sign_in_describe(c, &a.begin);
	if (identity_overage(claims, p->role_claim))
		return refuse(c, p, "the provider left the groups out of the ID token because there are too many (overage): use app roles",
			      "You are a member of so many groups that your organisation's identity provider does not list them. Ask the people who "
			      "administer this system to use app roles instead of groups.");
	enum err e = db_write(&c->s, arrive_tx, &a);
	if (e == ERR_EXISTS) { /* two tabs at the first sign-in: the other one bound them */
		c->s.detail = NULL;
		e = db_write(&c->s, arrive_tx, &a);
	}
	if (e == ERR_NOT_FOUND && a.closed)
		return refuse(c, p, "the provider was disabled meanwhile", AGAIN);
	if (e == ERR_NOT_FOUND)
		return refuse(c, p, "nobody here is bound to this account of the provider",
			      "Your organisation knows you, but there is no account for you here, or it is not connected with the one that you used. "
			      "Ask the people who administer this system.");
	if (e == ERR_UNAUTHENTICATED)
		return refuse(c, p, scope_detail(&c->s, e), "Your account here is disabled. Ask the people who administer this system.");
	TRY(e);
	keep_hint(c, a.session, id_token);
	return sign_in_done(c, a.session, a.secret, t->next);
}

static enum err take_tokens(struct call *c, const struct provider *p, const struct attempt *t, const json_t *answer)
{
	const char *id_token = jose_text(answer, "id_token");
	auto_jose token = {0};
	auto_json *claims = NULL;
	if (id_token == NULL)
		return refuse(c, p, "the provider's answer has no ID token", AGAIN);
	enum err e = provider_verify(c, p, id_token, &token, &claims);
	if (e == ERR_UNAVAILABLE)
		return unreachable(c, p);
	if (e != OK)
		return refuse(c, p, scope_detail(&c->s, e), AGAIN);
	const char *wrong = id_token_problem(c->s.arena, p, claims, t, jose_text(answer, "access_token"), c->s.now);
	if (wrong == NULL && identity_subject(c->s.arena, p, claims) == NULL)
		wrong = p->tenants == NULL ? "the ID token has no usable sub" : "the ID token has no oid and tid of an allowed tenant";
	return wrong != NULL ? refuse(c, p, wrong, AGAIN) : arrive(c, p, t, claims, id_token);
}

enum err oidc_callback(struct call *c)
{
	struct form_field f[FIELDS] = {[CODE] = {"code", CODE_MAX, false, NULL}, [STATE] = {"state", 512, false, NULL}, [ISS] = {"iss", 1024, false, NULL},
				       [ERROR] = {"error", 128, false, NULL}};
	struct provider p = {0};
	struct issuer_document d;
	struct attempt t;
	auto_json *answer = NULL;
	bool there;
	TRY(provider_of_path(c, &p, &there));
	if (!there)
		return OK;
	bool readable = form_parse(c->s.arena, c->in->query, strlen(c->in->query), f, FIELDS);
	const char *wrong = attempt_end(c, c->s.tenant, p.provider, readable ? f[STATE].value : "", &t);
	if (wrong != NULL)
		return refuse(c, &p, wrong, AGAIN);
	if (ask_document(c, &p, &d) != OK)
		return unreachable(c, &p);
	wrong = answer_problem(c, &p, &d, f);
	if (wrong != NULL)
		return refuse(c, &p, wrong, strcmp(f[ERROR].value, "access_denied") == 0 ? "Your organisation's identity provider did not let you in." : AGAIN);
	enum err e = redeem(c, &p, &d, &t, f[CODE].value, &answer);
	if (e == ERR_UNAVAILABLE)
		return unreachable(c, &p);
	if (e == ERR_UNAUTHENTICATED || e == ERR_BAD_REQUEST)
		return refuse(c, &p, scope_detail(&c->s, e), AGAIN);
	TRY(e);
	return take_tokens(c, &p, &t, answer);
}

/* ---- sign-out ---- */

static const char *hint_of(struct call *c, struct id session)
{
	auto_json *o = sealed_cookie_get(c, HINT);
	const char *text = jose_text(o, "session");
	struct id id;
	sealed_cookie_clear(c, HINT);
	return text != NULL && id_parse(text, &id) && id_equal(id, session) ? arena_strdup(c->s.arena, jose_text(o, "token")) : NULL;
}

static const char *end_session_url(struct call *c, struct id provider)
{
	struct provider p = {.provider = provider};
	struct issuer_document d;
	struct target target;
	char tenant[ID_TEXT];
	const char *hint = hint_of(c, c->s.actor.session);
	if (db_read(&c->s, load_tx, &p) != OK || issuer_document(&c->s, c->server->issuers, p.issuer, &d) != OK ||
	    d.end_session_endpoint == NULL || !target_https(c->s.arena, d.end_session_endpoint, &target)) {
		c->s.detail = NULL;
		return NULL;
	}
	auto_buf b;
	buf_init(&b, 16384);
	buf_printf(&b, "%s%cclient_id=%s", d.end_session_endpoint, strchr(d.end_session_endpoint, '?') == NULL ? '?' : '&',
		   url_encode(c->s.arena, p.client_id));
	if (hint != NULL)
		add(c, &b, "id_token_hint", hint);
	add(c, &b, "post_logout_redirect_uri", arena_printf(c->s.arena, "%s/signin/%s", c->server->url, id_format(c->s.tenant, tenant)));
	return b.failed ? NULL : arena_strndup(c->s.arena, b.data, b.len);
}

static enum err session_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	return session_get(tx, s->actor.session, arg);
}

struct id oidc_provider_of_session(struct call *c)
{
	struct session session = {0};
	if (db_read(&c->s, session_tx, &session) != OK)
		c->s.detail = NULL;
	return session.provider;
}

bool oidc_signed_out(struct call *c, struct id provider)
{
	const char *url = id_is_nil(provider) ? NULL : end_session_url(c, provider);
	if (url == NULL)
		return false;
	http_response_header(c->out, "Refresh", arena_printf(c->s.arena, "0;url=%s", url));
	struct buf *b = page_begin(c, NULL, "You are signed out here");
	buf_adds(b, "<p>You are being taken to your organisation's identity provider, to be signed out there, too.</p>\n<p><a href=\"");
	html_escape(b, url);
	buf_adds(b, "\">Go there now</a></p>\n");
	(void)sign_in_page_end(c, 200);
	return true;
}
