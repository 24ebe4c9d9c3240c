/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens are taken apart with our own strict readers first (one spelling of base64url, no duplicate members), so that what is judged here and what
 * the library then verifies can only be the same; the library does the arithmetic.
 */
#include "crypto/jose.h"

#include <string.h>

#include "base/clock.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "crypto/jose_inner.h"

/* ---- taking apart ---- */

static const struct {
	const char *name;
	unsigned alg;
} algorithms[] = {{"RS256", JOSE_RS256}, {"PS256", JOSE_PS256}, {"ES256", JOSE_ES256}};

static unsigned algorithm(const char *name)
{
	for (size_t i = 0; name != NULL && i < sizeof algorithms / sizeof *algorithms; i++)
		if (strcmp(algorithms[i].name, name) == 0)
			return algorithms[i].alg;
	return 0;
}

void jose_release(struct jose_token *t)
{
	json_decref(t->header);
	json_decref(t->claims);
	t->header = t->claims = NULL;
}

static enum err refuse(struct scope *s, const char *why)
{
	return scope_fail(s, ERR_UNAUTHENTICATED, "the token %s", why);
}

/* A part that is a JSON object; the reader's detail speaks of JSON, ours of a token. */
static enum err read_part(struct scope *s, const char *text, size_t n, json_t **ret)
{
	void *bytes;
	size_t bytes_n;
	bool good = n > 0 && base64url_decode(s->arena, text, n, &bytes, &bytes_n) && json_read(s, bytes, bytes_n, ret) == OK;
	if (good)
		return OK;
	s->detail = NULL;
	return refuse(s, "is malformed");
}

const char *jose_text(const json_t *claims, const char *name)
{
	return json_string_value(json_object_get(claims, name));
}

static enum err read_header(struct scope *s, struct jose_token *t)
{
	if (json_object_get(t->header, "crit") != NULL || json_object_get(t->header, "b64") != NULL)
		return refuse(s, "has extensions that are not understood (crit)");
	t->alg = algorithm(jose_text(t->header, "alg"));
	if (t->alg == 0)
		return refuse(s, "is not signed with RS256, PS256 or ES256");
	t->kid = jose_text(t->header, "kid");
	t->typ = jose_text(t->header, "typ");
	t->x5t = jose_text(t->header, "x5t");
	t->x5t_s256 = jose_text(t->header, "x5t#S256");
	return OK;
}

static enum err read_parts(struct scope *s, struct jose_token *t)
{
	void *signature;
	size_t signature_n;
	const char *dot = strchr(t->compact, '.'), *last = dot != NULL ? strchr(dot + 1, '.') : NULL;
	if (last == NULL || strchr(last + 1, '.') != NULL)
		return refuse(s, "is malformed");
	if (!base64url_decode(s->arena, last + 1, strlen(last + 1), &signature, &signature_n) || signature_n == 0)
		return refuse(s, "has no signature, or a malformed one");
	TRY(read_part(s, t->compact, (size_t)(dot - t->compact), &t->header));
	TRY(read_header(s, t));
	return read_part(s, dot + 1, (size_t)(last - dot - 1), &t->claims);
}

enum err jose_read(struct scope *s, const char *jwt, size_t n, struct jose_token *ret)
{
	*ret = (struct jose_token){0};
	if (n > JOSE_TOKEN_MAX)
		return refuse(s, "is too long");
	if (memchr(jwt, '\0', n) != NULL)
		return refuse(s, "is malformed");
	ret->compact = arena_strndup(s->arena, jwt, n);
	enum err e = read_parts(s, ret);
	if (e != OK)
		jose_release(ret);
	return e;
}

/* ---- verifying ---- */

static bool signed_by(const struct jose_token *t, const json_t *key)
{
	cjose_err err;
	cjose_jwk_t *jwk = jose_key_import(key);
	cjose_jws_t *jws = jwk != NULL ? cjose_jws_import(t->compact, strlen(t->compact), &err) : NULL;
	bool good = jws != NULL && cjose_jws_verify(jws, jwk, &err);
	if (jws != NULL)
		cjose_jws_release(jws);
	if (jwk != NULL)
		cjose_jwk_release(jwk);
	ERR_clear_error();
	return good;
}

enum jose_verdict jose_verify(const struct jose_token *t, const json_t *keys, unsigned algs)
{
	const json_t *set = json_object_get(keys, "keys");
	size_t n = json_array_size(set), tried = 0;
	bool named = false;
	if ((t->alg & algs) == 0)
		return JOSE_ALGORITHM;
	for (size_t i = 0; i < n && i < JOSE_KEYS_MAX && tried < JOSE_TRIED_MAX; i++) {
		const json_t *key = json_array_get(set, i);
		const char *kid = jose_text(key, "kid");
		if (t->kid != NULL && (kid == NULL || strcmp(kid, t->kid) != 0))
			continue;
		named = named || t->kid != NULL;
		if ((jose_key_fits(key) & t->alg) == 0)
			continue;
		tried++;
		if (signed_by(t, key))
			return JOSE_GOOD;
	}
	if (tried > 0)
		return JOSE_BAD_SIGNATURE;
	return named ? JOSE_ALGORITHM : JOSE_UNKNOWN_KEY;
}

/* ---- claims ---- */

/* A NumericDate may have a fraction, which is dropped.  False: the claim is there and is none. */
static bool read_time(const json_t *claims, const char *name, bool *ret_there, int64_t *ret_us)
{
	const json_t *v = json_object_get(claims, name);
	double seconds = json_number_value(v);
	*ret_there = v != NULL;
	*ret_us = 0;
	if (v == NULL)
		return true;
	if (!json_is_number(v) || !(seconds >= 0 && seconds < 1e11))
		return false;
	*ret_us = (int64_t)seconds * SECOND_US;
	return true;
}

enum err jose_check_times(struct scope *s, const json_t *claims, int64_t skew_us)
{
	int64_t expires, not_before, issued;
	bool has_expires, has_not_before, has_issued;
	if (!read_time(claims, "exp", &has_expires, &expires) || !read_time(claims, "nbf", &has_not_before, &not_before) ||
	    !read_time(claims, "iat", &has_issued, &issued))
		return refuse(s, "has a time that is none");
	if (!has_expires)
		return refuse(s, "has no exp");
	if (s->now >= expires + skew_us)
		return refuse(s, "has expired");
	if ((has_not_before && not_before > s->now + skew_us) || (has_issued && issued > s->now + skew_us))
		return refuse(s, "is not yet valid");
	return OK;
}

bool jose_has_audience(const json_t *claims, const char *audience)
{
	const json_t *aud = json_object_get(claims, "aud");
	const char *one = json_string_value(aud);
	if (one != NULL)
		return strcmp(one, audience) == 0;
	for (size_t i = 0; i < json_array_size(aud); i++) {
		const char *text = json_string_value(json_array_get(aud, i));
		if (text != NULL && strcmp(text, audience) == 0)
			return true;
	}
	return false;
}
