/* SPDX-License-Identifier: Apache-2.0
 *
 * POST /{tenant}/oauth2/v2.0/token: client credentials (RFC 6749 section 4.4; section 2.3.1: the client in the Authorization header or in
 * the body, not both).  Errors have OAuth's form, not Graph's, so this handler writes them itself and returns OK.
 */
#include <string.h>
#include <strings.h>

#include "api/api.h"
#include "api/refusals.h"
#include "base/clock.h"
#include "codec/base64.h"
#include "codec/odata.h"
#include "directory/application.h"

enum err oauth_token(struct call *c);

struct token_form {
	const char *grant_type, *client_id, *client_secret, *scope;
	bool basic;
};

static enum err oauth_error(struct call *c, int status, const char *error, const char *description)
{
	refusals_count(c->in->client_ip, status, error, c->s.now);
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "error", error);
	jw_kstring(&w, "error_description", description);
	jw_end_object(&w);
	c->out->status = status;
	http_response_header(c->out, "Cache-Control", "no-store");
	if (status == 401)
		http_response_header(c->out, "WWW-Authenticate", "Basic realm=\"reeve\"");
	return OK;
}

/* ---- the form; NULL or what is wrong with it ---- */

static const char *set_once(const char **field, char *value)
{
	if (value == NULL)
		return "the form's encoding is malformed";
	if (*field != NULL)
		return "a parameter is given twice";
	*field = value;
	return NULL;
}

static const char *read_field(struct arena *a, const char *p, size_t n, struct token_form *f)
{
	const char *equals = memchr(p, '=', n);
	size_t name_n = equals != NULL ? (size_t)(equals - p) : n;
	struct {
		const char *name, **field;
	} const known[] = {{"grant_type", &f->grant_type}, {"client_id", &f->client_id}, {"client_secret", &f->client_secret},
			   {"scope", &f->scope}};
	const char *name = url_decode(a, p, name_n, true);
	if (name == NULL)
		return "the form's encoding is malformed";
	char *value = equals != NULL ? url_decode(a, equals + 1, n - name_n - 1, true) : arena_strdup(a, "");
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (strcmp(name, known[i].name) == 0)
			return set_once(known[i].field, value);
	return NULL; /* unknown parameters are ignored (RFC 6749 section 3.2) */
}

static const char *read_form(struct call *c, struct token_form *f)
{
	static const char form[] = "application/x-www-form-urlencoded";
	const char *type = http_header(c->in, "Content-Type");
	if (type == NULL || strncasecmp(type, form, sizeof form - 1) != 0)
		return "the body must be application/x-www-form-urlencoded";
	const char *p = c->in->body, *end = p + c->in->body_len;
	while (p < end) {
		const char *amp = memchr(p, '&', (size_t)(end - p));
		size_t n = (size_t)((amp != NULL ? amp : end) - p);
		const char *wrong = n > 0 ? read_field(c->s.arena, p, n, f) : NULL;
		if (wrong != NULL)
			return wrong;
		p += n + (amp != NULL);
	}
	return NULL;
}

/* Authorization: Basic base64(urlencoded id ":" urlencoded secret). */
static const char *read_basic(struct call *c, struct token_form *f)
{
	const char *h = http_header(c->in, "Authorization");
	if (h == NULL || strncasecmp(h, "Basic ", strlen("Basic ")) != 0)
		return NULL;
	void *bytes;
	size_t n;
	h += strlen("Basic ");
	if (f->client_secret != NULL)
		return "the client is named in the header and in the body";
	if (!base64_decode(c->s.arena, h, strlen(h), &bytes, &n))
		return "the Authorization header is malformed";
	const char *colon = memchr(bytes, ':', n), *start = bytes;
	if (colon == NULL)
		return "the Authorization header is malformed";
	const char *id = url_decode(c->s.arena, start, (size_t)(colon - start), true);
	f->client_secret = url_decode(c->s.arena, colon + 1, n - (size_t)(colon + 1 - start), true);
	if (id == NULL || f->client_secret == NULL)
		return "the Authorization header is malformed";
	if (f->client_id != NULL && strcasecmp(f->client_id, id) != 0)
		return "the header and the body name different clients";
	f->client_id = id;
	f->basic = true;
	return NULL;
}

/* ---- the answer ---- */

static enum err answer(struct call *c, const struct token_claims *claims)
{
	char tenant[ID_TEXT];
	const char *issuer = arena_printf(c->s.arena, "%s/%s/v2.0", c->server->url, id_format(claims->tenant, tenant));
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

enum err oauth_token(struct call *c)
{
	struct token_form f = {0};
	struct token_claims claims;
	static const struct id nobody;
	struct id tenant, client = nobody;
	const char *wrong = read_form(c, &f);
	if (wrong == NULL)
		wrong = read_basic(c, &f);
	if (wrong == NULL && f.grant_type == NULL)
		wrong = "grant_type is required";
	if (wrong == NULL && !id_parse(call_param(c, "tenant"), &tenant))
		wrong = "the path must name the tenant by its id";
	if (wrong != NULL)
		return oauth_error(c, 400, "invalid_request", wrong);
	if (strcmp(f.grant_type, "client_credentials") != 0)
		return oauth_error(c, 400, "unsupported_grant_type", "only client_credentials is supported");
	if (f.client_id == NULL || f.client_secret == NULL)
		return oauth_error(c, 401, "invalid_client", "client_id and client_secret are required");
	id_parse(f.client_id, &client); /* what is no id is an unknown client */
	c->s.tenant = tenant;
	c->s.has_tenant = true;
	enum err e = application_sign_in(&c->s, client, f.client_secret, &claims);
	if (e == ERR_UNAUTHENTICATED)
		return oauth_error(c, 401, "invalid_client", scope_detail(&c->s, e));
	TRY(e);
	return answer(c, &claims);
}
