/* SPDX-License-Identifier: Apache-2.0
 * Bearer tokens: JWTs with HS256 that only this server issues and only this server verifies.  So there is one header,
 * compared as bytes: no algorithm is ever read from a token, and nothing in a token is parsed before its MAC was found
 * right. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "codec/base64.h"
#include "keeper/vault/vault.h"

enum { TOKEN_MAX = 4096, MAC_TEXT = 43 /* base64url of 32 bytes */ };

static const char header_json[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
static const int64_t early_us = MINUTE_US; /* how far the clock may have been set back since a token was issued */

static char *mac_text(struct vault *k, struct arena *a, const char *text, size_t n)
{
	uint8_t mac[SHA256_BYTES];
	hmac_sha256(k->token_key, sizeof k->token_key, &(struct digest_part){text, n}, 1, mac);
	return base64url_encode(a, mac, sizeof mac);
}

static char *payload_text(json_t *o)
{
	check(o != NULL); /* fails for an issuer that is not UTF-8: it is the configuration's, not a caller's */
	char *text = json_dumps(o, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(o);
	check(text != NULL);
	return text;
}

static char *payload_json(const char *issuer, const struct token_claims *c)
{
	char tenant[ID_TEXT], application[ID_TEXT], credential[ID_TEXT], user[ID_TEXT];
	json_int_t issued = c->issued_us / SECOND_US, expires = c->expires_us / SECOND_US;
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "iss", issuer, "aud", issuer, "tid",
			      id_format(c->tenant, tenant), "appid", id_format(c->application, application), "jti",
			      id_format(c->credential, credential), "iat", issued, "nbf", issued, "exp", expires);
	if (!id_is_nil(c->user))
		json_object_set_new(o, "oid", json_string(id_format(c->user, user)));
	return payload_text(o);
}

static char *signed_text(struct vault *k, struct arena *a, const char *header, char *payload)
{
	char *text = arena_printf(a, "%s.%s", base64url_encode(a, header, strlen(header)), base64url_encode(a, payload, strlen(payload)));
	free(payload);
	return arena_printf(a, "%s.%s", text, mac_text(k, a, text, strlen(text)));
}

char *vault_token_issue(struct vault *k, struct arena *a, const char *issuer, const struct token_claims *c)
{
	return signed_text(k, a, header_json, payload_json(issuer, c));
}

bool keeper_token_looks(const char *text)
{
	static const char header[] = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."; /* header_json */
	return strncmp(text, header, sizeof header - 1) == 0;
}

char *vault_id_token_issue(struct vault *k, struct arena *a, const char *issuer, const struct id_token *t)
{
	static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"id+jwt\"}";
	const struct token_claims *c = t->claims;
	char tenant[ID_TEXT], user[ID_TEXT];
	id_format(c->user, user);
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "iss", issuer, "aud", t->audience, "sub", user, "oid", user,
			      "tid", id_format(c->tenant, tenant), "name", t->name, "preferred_username", t->upn, "ver", "2.0", "iat",
			      (json_int_t)(c->issued_us / SECOND_US), "nbf", (json_int_t)(c->issued_us / SECOND_US), "exp",
			      (json_int_t)(c->expires_us / SECOND_US));
	return signed_text(k, a, header, payload_text(o));
}

static bool id_claim(const json_t *o, const char *key, struct id *ret)
{
	return id_parse(json_string_value(json_object_get(o, key)), ret);
}

static bool time_claim(const json_t *o, const char *key, int64_t *ret_us)
{
	const json_t *v = json_object_get(o, key);
	json_int_t seconds = json_integer_value(v);
	if (!json_is_integer(v) || seconds < 0 || seconds > INT64_MAX / SECOND_US)
		return false;
	*ret_us = seconds * SECOND_US;
	return true;
}

static bool read_claims(const char *payload, size_t n, struct token_claims *ret, int64_t *ret_not_before)
{
	json_t *o = json_loadb(payload, n, JSON_REJECT_DUPLICATES, NULL);
	ret->user = (struct id){0};
	bool good = (json_object_get(o, "oid") == NULL || id_claim(o, "oid", &ret->user)) &&
		    json_is_object(o) && json_is_string(json_object_get(o, "iss")) &&
		    json_is_string(json_object_get(o, "aud")) && id_claim(o, "tid", &ret->tenant) &&
		    id_claim(o, "appid", &ret->application) && id_claim(o, "jti", &ret->credential) &&
		    time_claim(o, "iat", &ret->issued_us) && time_claim(o, "nbf", ret_not_before) &&
		    time_claim(o, "exp", &ret->expires_us);
	json_decref(o);
	return good;
}

static enum err refuse(struct scope *s, const char *why)
{
	return scope_fail(s, ERR_UNAUTHENTICATED, "the access token %s", why);
}

/* Header and MAC; the payload's place is returned. */
static enum err check_mac(struct vault *k, struct scope *s, const char *token, const char **ret, size_t *ret_n)
{
	size_t n = token != NULL ? strnlen(token, TOKEN_MAX + 1) : 0;
	if (n > TOKEN_MAX)
		return refuse(s, "is too long");
	const char *header = base64url_encode(s->arena, header_json, sizeof header_json - 1);
	size_t header_n = strlen(header);
	const char *dot = n > 0 ? strrchr(token, '.') : NULL;
	if (dot == NULL || (size_t)(dot - token) <= header_n + 1 || strncmp(token, header, header_n) != 0 ||
	    token[header_n] != '.')
		return refuse(s, "is malformed");
	if ((size_t)(token + n - dot) != MAC_TEXT + 1)
		return refuse(s, "has a wrong signature");
	/* As text, so that no second spelling of a MAC (unused bits of the last character) is accepted. */
	const char *want = mac_text(k, s->arena, token, (size_t)(dot - token));
	if (!bytes_equal(want, dot + 1, MAC_TEXT))
		return refuse(s, "has a wrong signature");
	*ret = token + header_n + 1;
	*ret_n = (size_t)(dot - *ret);
	return OK;
}

enum err vault_token_verify(struct vault *k, struct scope *s, const char *token, struct token_claims *ret)
{
	const char *text = NULL;
	void *payload;
	size_t text_n = 0, n;
	int64_t not_before;
	struct token_claims claims;
	TRY(check_mac(k, s, token, &text, &text_n));
	if (!base64url_decode(s->arena, text, text_n, &payload, &n) || !read_claims(payload, n, &claims, &not_before))
		return refuse(s, "is malformed");
	if (s->now >= claims.expires_us)
		return refuse(s, "has expired");
	if (s->now < not_before - early_us)
		return refuse(s, "is not yet valid");
	*ret = claims;
	return OK;
}
