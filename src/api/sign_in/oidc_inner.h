/* SPDX-License-Identifier: Apache-2.0
 * Shared by the files of single sign-on. */
#ifndef REEVE_API_SIGN_IN_OIDC_INNER_H
#define REEVE_API_SIGN_IN_OIDC_INNER_H

#include "api/api.h"
#include "api/sign_in/issuer.h"
#include "base/clock.h"
#include "directory/sign_in/provider.h"

/* ---- an attempt, between the two requests (oidc_attempt.c) ----
 *
 * It lives in a cookie of the browser that began it, sealed by the keeper, for ten minutes and this run of the server; used once. */

#define ATTEMPT_US (10 * MINUTE_US)
enum { ATTEMPT_RANDOM_TEXT = 44 }; /* 32 random bytes in base64url, and the terminator */

struct attempt {
	struct id tenant, provider;
	char state[ATTEMPT_RANDOM_TEXT], nonce[ATTEMPT_RANDOM_TEXT], verifier[ATTEMPT_RANDOM_TEXT];
	int64_t until;
	int64_t max_age;  /* seconds; -1: not asked for */
	const char *next; /* where to go afterwards: a path of ours */
};
/* Fills the rest of ret (tenant, provider, max_age and next are given) and sets the cookie. */
void attempt_begin(struct call *c, struct attempt *ret);
/* base64url(SHA-256(verifier)), RFC 7636. */
const char *attempt_challenge(struct arena *a, const struct attempt *t);
/* state: NULL: none was sent.  The attempt that this answer belongs to; the cookie is taken back and the attempt is used up.  NULL, or why not, for the log. */
const char *attempt_end(struct call *c, struct id tenant, struct id provider, const char *state, struct attempt *ret);
/* Marks a text as used until then; false: it was used already, or too many were (of which none is forgotten before its time). */
bool attempt_use(const char *kind, const char *text, int64_t until, int64_t now);

/* ---- sealed cookies ---- */

/* flags: more attributes, or "".  Nothing is set where the sealed object is too long for a cookie. */
void sealed_cookie_set(struct call *c, const char *name, const json_t *object, const char *flags);
/* The caller's; NULL: there is none that this server sealed for this name. */
json_t *sealed_cookie_get(struct call *c, const char *name);
void sealed_cookie_clear(struct call *c, const char *name);

/* ---- tokens (oidc_token.c) ---- */

/* Whether the claims of a verified ID token are an answer to this attempt: azp, nonce, at_hash, auth_time, what must be there.  NULL, or why not. */
const char *id_token_problem(struct arena *a, const struct provider *p, const json_t *claims, const struct attempt *t, const char *access_token,
			     int64_t now);
/* Whether the claims of a verified token are a logout token's (Back-Channel Logout 1.0, section 2.6).  NULL, or why not. */
const char *logout_token_problem(const json_t *claims, const char *typ);
/* Verifies signature, issuer, audience and times. */
MUST_CHECK enum err provider_verify(struct call *c, const struct provider *p, const char *jwt, struct jose_token *ret_token, json_t **ret_claims);
/* Whether the issuer that an answer names (RFC 9207) is the provider's. */
bool is_provider_issuer(struct arena *a, const struct provider *p, const struct issuer_document *d, const char *iss);

/* ---- saying no (oidc_refuse.c) ---- */

/* An event of the tenant, at most one a minute for each provider and reason.  why: a constant of ours, or a detail that holds nothing of the request. */
void oidc_refused(struct call *c, const struct provider *p, const char *why);

#endif
