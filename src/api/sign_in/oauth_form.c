/* SPDX-License-Identifier: Apache-2.0
 * What OAuth's requests say (RFC 6749, section 2.3.1: the client in the Authorization header or in the body, not both), and how they are refused. */
#include <string.h>
#include <strings.h>

#include "api/refusals.h"
#include "api/sign_in/oauth.h"
#include "codec/base64.h"
#include "codec/odata.h"

void oauth_error_body(struct buf *out, const char *error, const char *description)
{
	struct json_writer w;
	buf_clear(out);
	jw_init(&w, out);
	jw_object(&w);
	jw_kstring(&w, "error", error);
	jw_kstring(&w, "error_description", description);
	jw_end_object(&w);
}

const char *oauth_error_code(enum err err, int status)
{
	if (err_retryable(err))
		return "temporarily_unavailable";
	return status >= 500 ? "server_error" : "invalid_request";
}

enum err oauth_wait(struct call *c, int status, const char *error, const char *description)
{
	oauth_error_body(&c->out->body, error, description);
	c->out->status = status;
	http_response_header(c->out, "Cache-Control", "no-store");
	if (status == 401)
		http_response_header(c->out, "WWW-Authenticate", "Basic realm=\"reeve\"");
	return OK;
}

enum err oauth_error(struct call *c, int status, const char *error, const char *description)
{
	refusals_count(c->in->client_ip, status, error, c->s.now);
	return oauth_wait(c, status, error, description);
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

static const char *read_field(struct arena *a, const char *p, size_t n, struct oauth_form *f)
{
	const char *equals = memchr(p, '=', n);
	size_t name_n = equals != NULL ? (size_t)(equals - p) : n;
	struct {
		const char *name, **field;
	} const known[] = {{"grant_type", &f->grant_type}, {"client_id", &f->client_id}, {"client_secret", &f->client_secret},
			   {"client_assertion", &f->client_assertion}, {"client_assertion_type", &f->client_assertion_type},
			   {"scope", &f->scope}, {"device_code", &f->device_code}, {"refresh_token", &f->refresh_token}, {"token", &f->token}};
	const char *name = url_decode(a, p, name_n, true);
	if (name == NULL)
		return "the form's encoding is malformed";
	char *value = equals != NULL ? url_decode(a, equals + 1, n - name_n - 1, true) : arena_strdup(a, "");
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (strcmp(name, known[i].name) == 0)
			return set_once(known[i].field, value);
	return NULL; /* unknown parameters are ignored (RFC 6749 section 3.2) */
}

static const char *read_form(struct call *c, struct oauth_form *f)
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
static const char *read_basic(struct call *c, struct oauth_form *f)
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

const char *oauth_read(struct call *c, struct oauth_form *f)
{
	struct id tenant;
	const char *wrong = read_form(c, f);
	if (wrong == NULL)
		wrong = read_basic(c, f);
	if (wrong == NULL && !id_parse(call_param(c, "tenant"), &tenant))
		wrong = "the path must name the tenant by its id";
	if (wrong != NULL)
		return wrong;
	c->s.tenant = tenant;
	c->s.has_tenant = true;
	return NULL;
}

const char *oauth_base(struct call *c)
{
	char tenant[ID_TEXT];
	return arena_printf(c->s.arena, "%s/%s", c->server->url, id_format(c->s.tenant, tenant));
}

/* ---- scopes ---- */

static const char *next_word(const char **at, size_t *ret_n)
{
	const char *word = *at + strspn(*at, " ");
	*ret_n = strcspn(word, " ");
	*at = word + *ret_n;
	return *ret_n > 0 ? word : NULL;
}

static bool is_word(const char *word, size_t n, const char *text)
{
	return n == strlen(text) && memcmp(word, text, n) == 0;
}

bool oauth_scope_has(const char *scope, const char *text)
{
	size_t n;
	const char *word, *at = scope;
	while (at != NULL && (word = next_word(&at, &n)) != NULL)
		if (is_word(word, n, text))
			return true;
	return false;
}

bool oauth_scope_known(const char *scope)
{
	static const char *const words[] = {"openid", "profile", "email", "offline_access"};
	static const char all[] = ".default";
	size_t n;
	const char *word, *at = scope;
	while (at != NULL && (word = next_word(&at, &n)) != NULL) {
		bool known = n >= sizeof all - 1 && memcmp(word + n - (sizeof all - 1), all, sizeof all - 1) == 0;
		for (size_t i = 0; i < sizeof words / sizeof *words; i++)
			known = known || is_word(word, n, words[i]);
		if (!known)
			return false;
	}
	return true;
}
