/* SPDX-License-Identifier: Apache-2.0
 * Tokens of people through programs: a device code (RFC 8628), then refresh tokens, each good once (RFC 9700, section 2.2.2), and their end
 * (RFC 7009). */
#include <string.h>

#include "api/public/page.h"
#include "api/sign_in/oauth.h"
#include "base/clock.h"
#include "codec/base64.h"
#include "directory/access/access.h"
#include "directory/application.h"
#include "directory/sign_in/session.h"

enum err oauth_device_code(struct call *c);
enum err oauth_revoke(struct call *c);

static const char NO_CLIENT[] = "client_id must be one of a program that people use (\"reeve\"); applications sign in with client_credentials";
static const char NO_TENANT[] = "nobody signs in to a tenant of this id: look at the id, or ask the organisation";

/* ---- devicecode ---- */

static enum err answer_code(struct call *c, const struct device_code *d, const char *device, const char *user)
{
	char tenant[ID_TEXT];
	const char *uri = arena_printf(c->s.arena, "%s/signin/%s/device", c->server->url, id_format(c->s.tenant, tenant));
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "user_code", user);
	jw_kstring(&w, "device_code", device);
	jw_kstring(&w, "verification_uri", uri);
	jw_kint(&w, "expires_in", (d->expires_at - d->created_at) / SECOND_US);
	jw_kint(&w, "interval", DEVICE_POLL_SECONDS);
	jw_kstring(&w, "message", arena_printf(c->s.arena, "To sign in, use a web browser to open the page %s and enter the code %s to authenticate.",
					       uri, user));
	jw_end_object(&w);
	http_response_header(c->out, "Cache-Control", "no-store");
	return OK;
}

static enum err tenant_is_open(struct call *c, bool *ret)
{
	enum tenant_level level;
	TRY(tenant_access(&c->s, &level));
	*ret = level != TENANT_NONE && !id_is_nil(c->s.tenant);
	return OK;
}

enum err oauth_device_code(struct call *c)
{
	struct oauth_form f = {0};
	struct public_client client;
	char device[DEVICE_CODE_TEXT], user[DEVICE_USER_TEXT];
	bool open;
	const char *wrong = oauth_read(c, &f);
	if (wrong != NULL)
		return oauth_error(c, 400, "invalid_request", wrong);
	if (page_wait(c, LIMIT_DEVICE_CODES, NULL) > 0)
		return oauth_error(c, 429, "slow_down", "too many codes were asked for from this address");
	TRY(tenant_is_open(c, &open));
	if (!open || !public_client_find(f.client_id, &client))
		return oauth_error(c, 400, "invalid_client", open ? NO_CLIENT : NO_TENANT);
	if (!oauth_scope_known(f.scope))
		return oauth_error(c, 400, "invalid_scope", "the scope is .default, with or without openid, profile and offline_access");
	struct device_code d = {.application = client.id, .scope = f.scope != NULL ? f.scope : "", .ip = c->in->client_ip,
				.user_agent = http_header(c->in, "User-Agent")};
	enum err e = device_code_begin(&c->s, &d, device, user);
	if (e == ERR_TOO_MANY)
		return oauth_error(c, 429, "slow_down", scope_detail(&c->s, e));
	TRY(e);
	return answer_code(c, &d, device, user);
}

/* ---- tokens ---- */

struct person {
	struct session session;
	char secret[SESSION_SECRET_TEXT];
	struct actor actor;
	bool stolen;
};

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static const char *client_info(struct call *c, const struct person *p)
{
	char user[ID_TEXT], tenant[ID_TEXT];
	const char *json = arena_printf(c->s.arena, "{\"uid\":\"%s\",\"utid\":\"%s\"}", id_format(p->session.user, user), id_format(c->s.tenant, tenant));
	return base64url_encode(c->s.arena, json, strlen(json));
}

static enum err answer_person(struct call *c, const struct oauth_form *f, const struct person *p, const char *scope)
{
	const char *issuer = arena_printf(c->s.arena, "%s/v2.0", oauth_base(c));
	struct token_claims claims = {.tenant = c->s.tenant, .application = p->session.application, .user = p->session.user,
				      .credential = p->session.session, .issued_us = c->s.now,
				      .expires_us = earlier(c->s.now + TOKEN_LIFE_US, p->session.ends_at)};
	const struct id_token id = {.audience = f->client_id, .name = p->actor.name, .upn = p->actor.upn, .claims = &claims};
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "token_type", "Bearer");
	jw_kstring(&w, "scope", scope);
	jw_kint(&w, "expires_in", (claims.expires_us - claims.issued_us) / SECOND_US - 1);
	jw_kint(&w, "ext_expires_in", (claims.expires_us - claims.issued_us) / SECOND_US - 1);
	jw_kstring(&w, "access_token", keeper_token_issue(c->server->keeper, c->s.arena, issuer, &claims));
	jw_kstring(&w, "refresh_token", p->secret);
	if (oauth_scope_has(scope, "openid")) {
		jw_kstring(&w, "id_token", keeper_id_token_issue(c->server->keeper, c->s.arena, issuer, &id));
		jw_kstring(&w, "client_info", client_info(c, p));
	}
	jw_end_object(&w);
	http_response_header(c->out, "Cache-Control", "no-store");
	return OK;
}

static enum err person_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct person *p = arg;
	(void)s;
	return access_of_user(tx, p->session.user, &p->actor);
}

/* ---- the grant of a device code ---- */

static enum err refuse_poll(struct call *c, enum device_poll poll)
{
	static const struct {
		const char *error, *description;
	} REFUSED[] = {
		[DEVICE_PENDING] = {"authorization_pending", "nobody has entered the code yet"},
		[DEVICE_SLOW_DOWN] = {"slow_down", "wait five seconds longer between two requests"},
		[DEVICE_DENIED] = {"access_denied", "the person who entered the code denied it"},
		[DEVICE_EXPIRED] = {"expired_token", "the code has expired, was used, or is unknown"},
	};
	bool early = poll == DEVICE_PENDING || poll == DEVICE_SLOW_DOWN;
	return (early ? oauth_wait : oauth_error)(c, 400, REFUSED[poll].error, REFUSED[poll].description);
}

enum err oauth_grant_device_code(struct call *c, const struct oauth_form *f)
{
	struct public_client client;
	struct person p;
	enum device_poll poll;
	if (!public_client_find(f->client_id, &client))
		return oauth_error(c, 400, "invalid_client", NO_CLIENT);
	if (f->device_code == NULL)
		return oauth_error(c, 400, "invalid_request", "device_code is required");
	if (!oauth_scope_known(f->scope))
		return oauth_error(c, 400, "invalid_scope", "the scope is .default, with or without openid, profile and offline_access");
	TRY(device_code_poll(&c->s, client.id, f->device_code, &poll, &p.session, p.secret));
	if (poll != DEVICE_ALLOWED)
		return refuse_poll(c, poll);
	enum err e = db_read(&c->s, person_tx, &p);
	if (e == ERR_UNAUTHENTICATED)
		return refuse_poll(c, DEVICE_EXPIRED);
	TRY(e);
	return answer_person(c, f, &p, f->scope != NULL ? f->scope : "openid profile offline_access");
}

/* ---- the grant of a refresh token ---- */

struct renewal {
	const char *old;
	struct id application;
	struct person *person;
};

static enum err renew_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct renewal *r = arg;
	struct person *p = r->person;
	TRY(session_renew(tx, r->old, p->secret, &p->session, &p->stolen));
	if (p->stolen)
		return OK;
	if (!id_equal(p->session.application, r->application))
		return scope_fail(s, ERR_UNAUTHENTICATED, "the refresh token is another program's");
	return access_of_user(tx, p->session.user, &p->actor);
}

enum err oauth_grant_refresh(struct call *c, const struct oauth_form *f)
{
	struct public_client client;
	struct person p;
	if (!public_client_find(f->client_id, &client))
		return oauth_error(c, 400, "invalid_client", NO_CLIENT);
	if (f->refresh_token == NULL)
		return oauth_error(c, 400, "invalid_request", "refresh_token is required");
	if (!oauth_scope_known(f->scope))
		return oauth_error(c, 400, "invalid_scope", "the scope is .default, with or without openid, profile and offline_access");
	bool known;
	TRY(session_known(&c->s, f->refresh_token, &known));
	enum err e = known ? db_write(&c->s, renew_tx, &(struct renewal){f->refresh_token, client.id, &p}) : ERR_UNAUTHENTICATED;
	if (e == ERR_UNAUTHENTICATED || (e == OK && p.stolen))
		return oauth_error(c, 400, "invalid_grant", e == OK ? "the refresh token was used before, so its session has ended: sign in again"
								     : "the refresh token is good no more: sign in again");
	TRY(e);
	return answer_person(c, f, &p, f->scope != NULL ? f->scope : "openid profile offline_access");
}

/* ---- revoke ---- */

static enum err revoke_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct renewal *r = arg;
	struct person *p = r->person;
	enum err e = session_renew(tx, r->old, p->secret, &p->session, &p->stolen);
	if (e == ERR_UNAUTHENTICATED || (e == OK && p->stolen)) {
		s->detail = NULL;
		return OK;
	}
	TRY(e);
	TRY(access_of_user(tx, p->session.user, &p->actor));
	p->actor.ip = s->actor.ip;
	p->actor.session = p->session.session;
	p->actor.application = p->session.application;
	s->actor = p->actor;
	s->actor.type = ACTOR_USER;
	return session_end(tx, p->session.session, SESSION_SIGN_OUT);
}

/* RFC 7009, section 2.2: a token that is good no more is as good as revoked. */
enum err oauth_revoke(struct call *c)
{
	struct oauth_form f = {0};
	struct public_client client;
	struct person p;
	const char *wrong = oauth_read(c, &f);
	if (wrong == NULL && f.token == NULL)
		wrong = "token is required";
	if (wrong != NULL)
		return oauth_error(c, 400, "invalid_request", wrong);
	if (!public_client_find(f.client_id, &client))
		return oauth_error(c, 400, "invalid_client", NO_CLIENT);
	bool known;
	TRY(session_known(&c->s, f.token, &known));
	if (known)
		TRY(db_write(&c->s, revoke_tx, &(struct renewal){f.token, client.id, &p}));
	return call_status(c, 200);
}
