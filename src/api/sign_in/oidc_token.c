/* SPDX-License-Identifier: Apache-2.0
 * ID tokens and logout tokens: what is asked of them beyond a good signature. */
#include <string.h>
#include <strings.h>

#include "api/sign_in/oidc_inner.h"
#include "codec/base64.h"
#include "crypto/digest.h"

#define LOGOUT_EVENT "http://schemas.openid.net/event/backchannel-logout"
#define SKEW_SECONDS (JOSE_SKEW_US / SECOND_US)

enum err provider_verify(struct call *c, const struct provider *p, const char *jwt, struct jose_token *ret_token, json_t **ret_claims)
{
	const char *audiences[] = {p->client_id, NULL};
	struct issuer_expected x = {.issuer = p->issuer, .audiences = audiences, .tenants = p->tenants, .algs = JOSE_ALL};
	TRY(jose_read(&c->s, jwt, strlen(jwt), ret_token));
	return issuer_verify(&c->s, c->server->issuers, &x, ret_token, ret_claims);
}

/* Left half of the digest of the access token (OpenID Connect Core, section 3.1.3.6); all our algorithms have 256 bits. */
static bool at_hash_fits(struct arena *a, const char *at_hash, const char *access_token)
{
	uint8_t digest[SHA256_BYTES];
	if (access_token == NULL)
		return false;
	sha256(access_token, strlen(access_token), digest);
	return strcmp(at_hash, base64url_encode(a, digest, SHA256_BYTES / 2)) == 0;
}

static bool is_int(const json_t *claims, const char *name)
{
	return json_is_number(json_object_get(claims, name));
}

static int64_t number(const json_t *claims, const char *name)
{
	double v = json_number_value(json_object_get(claims, name));
	return v >= 0 && v < 1e12 ? (int64_t)v : 0;
}

static const char *azp_problem(const struct provider *p, const json_t *claims)
{
	const json_t *azp = json_object_get(claims, "azp");
	if (azp == NULL)
		return json_array_size(json_object_get(claims, "aud")) > 1 ? "the ID token has several audiences and no azp" : NULL;
	return json_is_string(azp) && strcmp(json_string_value(azp), p->client_id) == 0 ? NULL : "the ID token was issued for another client (azp)";
}

/* Fresh enough where that was asked for: auth_time is then required (section 3.1.2.1, max_age). */
static const char *age_problem(const json_t *claims, const struct attempt *t, int64_t now)
{
	if (t->max_age < 0)
		return NULL;
	if (!is_int(claims, "auth_time"))
		return "the ID token has no auth_time although a fresh sign-in was asked for";
	return number(claims, "auth_time") + t->max_age + SKEW_SECONDS < now / SECOND_US ? "the sign-in at the provider is older than was asked for" : NULL;
}

const char *id_token_problem(struct arena *a, const struct provider *p, const json_t *claims, const struct attempt *t, const char *access_token,
			     int64_t now)
{
	const char *nonce = jose_text(claims, "nonce"), *wrong = azp_problem(p, claims);
	const json_t *at_hash = json_object_get(claims, "at_hash");
	if (wrong != NULL)
		return wrong;
	if (!is_int(claims, "iat"))
		return "the ID token has no iat";
	if (nonce == NULL)
		return "the ID token has no nonce";
	if (strlen(nonce) != strlen(t->nonce) || !bytes_equal(nonce, t->nonce, strlen(t->nonce)))
		return "the ID token's nonce is another one";
	if (at_hash != NULL && (!json_is_string(at_hash) || !at_hash_fits(a, json_string_value(at_hash), access_token)))
		return "the ID token's at_hash is not that of the access token";
	return age_problem(claims, t, now);
}

const char *logout_token_problem(const json_t *claims, const char *typ)
{
	const json_t *events = json_object_get(claims, "events");
	if (typ != NULL && strcasecmp(typ, "logout+jwt") != 0 && strcasecmp(typ, "JWT") != 0)
		return "the logout token has another type";
	if (!json_is_object(json_object_get(events, LOGOUT_EVENT)))
		return "the logout token has no logout event";
	if (json_object_get(claims, "nonce") != NULL)
		return "the logout token has a nonce";
	if (!is_int(claims, "iat") || jose_text(claims, "jti") == NULL)
		return "the logout token has no iat or no jti";
	if (jose_text(claims, "sid") == NULL && jose_text(claims, "sub") == NULL)
		return "the logout token names neither a session nor a person";
	return NULL;
}

/* ---- the issuer of an answer ---- */

static bool equals_with_tenant(struct arena *a, const char *issuer, const char *tenant, const char *iss)
{
	static const char hole[] = "{tenantid}";
	const char *at = strstr(issuer, hole);
	if (at == NULL)
		return strcmp(issuer, iss) == 0;
	return strcmp(arena_printf(a, "%.*s%s%s", (int)(at - issuer), issuer, tenant, at + sizeof hole - 1), iss) == 0;
}

bool is_provider_issuer(struct arena *a, const struct provider *p, const struct issuer_document *d, const char *iss)
{
	if (p->tenants == NULL || strstr(d->issuer, "{tenantid}") == NULL)
		return strcmp(d->issuer, iss) == 0;
	for (const char *const *t = p->tenants; *t != NULL; t++)
		if (equals_with_tenant(a, d->issuer, *t, iss))
			return true;
	return false;
}
