/* SPDX-License-Identifier: Apache-2.0
 *
 * Signed JSON Web Tokens of others (RFC 7515, 7517, 7519), checked as RFC 8725 asks.  Public keys only, and three algorithms: RS256, PS256,
 * ES256; never "none", never an HMAC.  What a token says about its own key (jwk, jku, x5c, x5u) is not looked at, and one that has critical
 * extensions (crit, b64) is refused.
 *
 *   jose_read()   -> header and claims, not yet to be believed: enough to find out whose keys to ask for
 *   jose_verify() -> whether one of these keys signed it
 */
#ifndef REEVE_CRYPTO_JOSE_H
#define REEVE_CRYPTO_JOSE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/scope.h"

enum { JOSE_RS256 = 1, JOSE_PS256 = 2, JOSE_ES256 = 4, JOSE_ALL = 7 };

enum {
	JOSE_TOKEN_MAX = 12 * 1024,    /* bytes of a compact JWS: it travels in a header of at most 16 KiB */
	JOSE_KEYS_MAX = 100,           /* of one set; the rest is not looked at */
	JOSE_TRIED_MAX = 8,            /* keys of a set that a token without a kid is tried against */
	JOSE_RSA_BITS_MIN = 2048, JOSE_RSA_BITS_MAX = 8192,
};

struct jose_token {
	const char *compact; /* in the arena */
	json_t *header, *claims; /* objects; owned by the token */
	unsigned alg;        /* JOSE_RS256 …: what the header says, and it is one of ours */
	const char *kid, *typ, *x5t, *x5t_s256; /* of the header, NULL where it has none; live as long as it */
};
void jose_release(struct jose_token *t); /* may be called on {0}, and twice */
#define auto_jose __attribute__((cleanup(jose_release))) struct jose_token

/* Takes a compact JWS apart; checks nothing but its form: three parts of base64url, JSON objects without duplicate members, no crit, an algorithm of
 * ours.  ERR_UNAUTHENTICATED with a detail that says what is wrong ("the token …") and holds nothing of it. */
MUST_CHECK enum err jose_read(struct scope *s, const char *jwt, size_t n, struct jose_token *ret);

enum jose_verdict {
	JOSE_GOOD,
	JOSE_UNKNOWN_KEY,   /* no key of the set has the token's kid, or (without a kid) none fits its algorithm */
	JOSE_BAD_SIGNATURE, /* the key is there, and did not sign this */
	JOSE_ALGORITHM,     /* not one of `algs`, or the key that is meant is for another (kty, alg, crv, use, key_ops) */
};
/* keys: a JWK set ({"keys": […]}).  A key that is odd (unknown type or curve, too short, private, malformed) is passed over.  algs: of JOSE_…, what
 * the caller accepts. */
enum jose_verdict jose_verify(const struct jose_token *t, const json_t *keys, unsigned algs);

/* Times of the claims (RFC 7519 section 4.1, seconds): exp must be there and ahead, nbf and iat, where they are there, not ahead; `skew_us` both
 * ways.  ERR_UNAUTHENTICATED. */
MUST_CHECK enum err jose_check_times(struct scope *s, const json_t *claims, int64_t skew_us);
#define JOSE_SKEW_US (120 * SECOND_US)
/* Whether the claim aud (a string or an array) has the value. */
bool jose_has_audience(const json_t *claims, const char *audience);
/* A claim that is a string; NULL where it is anything else. */
const char *jose_text(const json_t *claims, const char *name);

/* The public key of an X.509 certificate as a JWK, for whom it is registered (keyCredentials). */
struct jose_certificate {
	json_t *jwk;  /* owned by the caller; its kid is sha256_text */
	uint8_t sha1[20], sha256[32]; /* thumbprints of the DER */
	char sha1_text[28], sha256_text[44]; /* base64url, as x5t and x5t#S256 have them */
	int64_t not_before_us, not_after_us;
	const char *der; /* in the arena */
	size_t der_n;
	const char *subject; /* RFC 2253, for people; in the arena */
};
/* bytes: DER, or PEM that holds exactly one certificate and no private key.  ERR_BAD_REQUEST with a detail: not a certificate, more than one, a
 * private key beside it, a key of another kind than RSA (2048 to 8192 bits) or P-256. */
MUST_CHECK enum err jose_certificate(struct scope *s, const void *bytes, size_t n, struct jose_certificate *ret);

#endif
