/* SPDX-License-Identifier: Apache-2.0
 *
 * Issuers of tokens outside this house (OpenID providers): their discovery documents (OpenID Connect Discovery 1.0) and key sets (RFC 7517), fetched
 * over HTTPS with the guards of http/outbound.h, kept in memory, shared by all requests.
 *
 *   - A document and a key set are kept for 24 hours; a kid that the set does not have makes it be fetched again, at most once a minute.
 *   - While an issuer cannot be reached, what is held stays in use, up to ISSUER_STALE_US since it was fetched.  A failure is remembered for a while, so
 *     that nobody waits for it again.
 *   - One call at a time and issuer; whoever has nothing to use meanwhile waits for it, ISSUER_WAITERS at most.  No issuer waits for another, but ISSUERS_BUSY
 *     requests in all: workers are few, and a tenant can have many issuers that do not answer.
 *   - At most ISSUERS_MAX issuers are held; the one that was used longest ago makes room.
 */
#ifndef REEVE_API_SIGN_IN_ISSUER_H
#define REEVE_API_SIGN_IN_ISSUER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/scope.h"
#include "crypto/jose.h"
#include "http/reach.h"

#define ISSUER_FRESH_US (24 * HOUR_US)
#define ISSUER_STALE_US (7 * DAY_US)
#define ISSUER_REFETCH_US MINUTE_US       /* between two calls for an unknown kid */
#define ISSUER_RETRY_US (15 * SECOND_US)  /* how long a failure is remembered */
enum { ISSUERS_MAX = 256, ISSUERS_BUSY = 12, ISSUER_WAITERS = 4, ISSUER_TIMEOUT_MS = 5000, ISSUER_ANSWER_MAX = 256 * 1024 };

struct issuers;

/* reach and ca_file ("": the system's certificates; setting issuer_ca_file) must outlive it. */
struct issuers *issuers_new(const struct reach *reach, const char *ca_file);
void issuers_free(struct issuers *is); /* NULL is allowed; nobody uses it any more */

struct issuer_counts {
	uint64_t fetches, failures, verified, refused;
	unsigned held;
};
void issuers_counts(struct issuers *is, struct issuer_counts *ret); /* of NULL: none */

/* What the issuer says of itself; in the arena, NULL where it says nothing. */
struct issuer_document {
	const char *issuer; /* as the document has it; may hold "{tenantid}" (Microsoft Entra ID's common, organizations) */
	const char *authorization_endpoint, *token_endpoint, *jwks_uri, *end_session_endpoint, *userinfo_endpoint;
	bool iss_parameter;      /* authorization_response_iss_parameter_supported (RFC 9207) */
	bool backchannel_logout; /* backchannel_logout_supported */
	bool pkce_s256;          /* code_challenge_methods_supported has S256, or the document does not say */
	const char *auth_methods; /* token_endpoint_auth_methods_supported, space-separated; "client_secret_basic" by default */
};
/* issuer: as the administrator configured it (https, no query, no fragment); the document is at <issuer>/.well-known/openid-configuration and must name
 * it byte for byte, or, where the configured one ends in /common/v2.0 or /organizations/v2.0, the same with {tenantid} there.
 * ERR_UNAVAILABLE: it cannot be reached (or not now), or what came is no such document; the detail says which and names no address. */
MUST_CHECK enum err issuer_document(struct scope *s, struct issuers *is, const char *issuer, struct issuer_document *ret);

/* What a token has to be. */
struct issuer_expected {
	const char *issuer;           /* configured: whose keys */
	const char *other_issuer;     /* also accepted in the claim iss (Entra's v1 form), NULL: none; may hold {tenantid} */
	const char *const *audiences; /* one of them must be in aud; NULL-terminated */
	const char *const *tenants;   /* allowed values of tid, NULL-terminated; NULL: any, but then an issuer with {tenantid} is refused */
	unsigned algs;                /* JOSE_ALL */
};
/* Signature (by kid), iss, aud, exp, nbf, iat.  *ret_claims is the caller's (auto_json).  What is special to a use (nonce, azp, typ, scp, …) is the
 * caller's to check.
 * ERR_UNAUTHENTICATED with a detail ("the token …") that holds nothing of it; ERR_UNAVAILABLE: there are no keys to check it with. */
MUST_CHECK enum err issuer_verify(struct scope *s, struct issuers *is, const struct issuer_expected *x, const struct jose_token *t,
				  json_t **ret_claims);

/* A call of the issuer with the same guards (its token endpoint): POST of a form.  basic: "id:secret" for the Authorization header, both form-encoded, or
 * NULL.  *ret: the object that it answered, with any status below 500 (*ret_status); the caller's.  It is one of the ISSUERS_BUSY.  ERR_UNAVAILABLE. */
MUST_CHECK enum err issuer_post(struct scope *s, struct issuers *is, const char *url, const char *form, const char *basic, long *ret_status,
				json_t **ret);

#endif
