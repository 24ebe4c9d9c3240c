/* SPDX-License-Identifier: Apache-2.0
 *
 * Applications: programs and administrators that sign in with a client id and a secret (client credentials), and what a bearer token
 * stands for.  Each has one role.  A secret is 32 random bytes in base64url; its SHA-256 is stored, its text is shown once.  A token
 * names the secret it came from: removing the secret, disabling or deleting the application ends the token at the next request.
 *
 * Nobody gives an application a role with a permission that they do not have themselves (ERR_FORBIDDEN); the system may.  The last
 * enabled application with the role Administrator stays (ERR_CONFLICT).
 */
#ifndef REEVE_DIRECTORY_APPLICATION_H
#define REEVE_DIRECTORY_APPLICATION_H

#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "crypto/jose.h"
#include "db/db.h"
#include "keeper/keeper.h"
#include "resource/resource.h"

enum { SECRET_TEXT = 44 }; /* 43 characters and the terminator */

#define SECRET_DEFAULT_US (730 * DAY_US)  /* Graph's default of addPassword */
#define SECRET_LONGEST_US (1096 * DAY_US) /* three years */
#define TOKEN_LIFE_US (3600 * SECOND_US)

struct application_secret {
	struct id application, secret;
	char text[SECRET_TEXT]; /* never stored, never logged */
	const char *display_name;
	int64_t created_at, expires_at;
};

/* The record is of the resource "application" (record_parse); its role is one of the tenant's. */
MUST_CHECK enum err application_create(struct scope *s, const struct record *r, struct id *ret);
MUST_CHECK enum err application_patch(struct scope *s, struct id application, const struct record *r);
MUST_CHECK enum err application_delete(struct scope *s, struct id application);
/* expires_at 0: SECRET_DEFAULT_US from now.  ERR_BAD_REQUEST where it is past or more than SECRET_LONGEST_US away. */
MUST_CHECK enum err application_add_secret(struct scope *s, struct id application, const char *display_name, int64_t expires_at,
					   struct application_secret *ret);
MUST_CHECK enum err application_remove_secret(struct scope *s, struct id application, struct id secret);
/* Its secrets (never their text), oldest first. */
struct secret_info {
	struct id secret;
	const char *hint, *display_name;
	int64_t created_at, expires_at;
};
MUST_CHECK enum err application_secrets(struct db_tx *tx, struct id application, struct secret_info **ret, size_t *ret_n);

/* ---- certificates: the private key stays where it is used ---- */

struct application_certificate {
	struct id certificate, application;
	const char *display_name, *subject; /* display_name: NULL where it was given none */
	uint8_t sha1[20], sha256[SHA256_BYTES];
	int64_t created_at, starts_at, expires_at;
	const void *der;
	size_t der_n;
};
/* expires_at 0: the certificate's own end.  ERR_BAD_REQUEST: it has ended, or expires_at lies behind its end or in the past; ERR_EXISTS: the application
 * has this certificate; ERR_CONFLICT: it has too many. */
MUST_CHECK enum err application_add_certificate(struct scope *s, struct id application, const char *display_name, const struct jose_certificate *c,
						int64_t expires_at, struct application_certificate *ret);
MUST_CHECK enum err application_remove_certificate(struct scope *s, struct id application, struct id certificate);
/* Oldest first. */
MUST_CHECK enum err application_certificates(struct db_tx *tx, struct id application, struct application_certificate **ret, size_t *ret_n);
/* With the application. */
MUST_CHECK enum err application_certificates_drop(struct db_tx *tx, struct id application);

/* Client credentials with a signed assertion in the place of a secret (RFC 7523; private_key_jwt): of one of the client's certificates, named by
 * x5t#S256, x5t or kid where the token names one; iss and sub are the client; aud is one of `audiences` (NULL-terminated); it ends within ASSERTION_LIFE_US
 * and its jti was not used before, which is on disk.  Errors as of application_sign_in(). */
#define ASSERTION_LIFE_US (20 * MINUTE_US)
MUST_CHECK enum err application_assert(struct scope *s, struct id client, const struct jose_token *t, const char *const *audiences,
				       struct token_claims *ret);

/* The enabled application that an app-only token of another issuer stands for.  ERR_NOT_FOUND without a detail. */
MUST_CHECK enum err application_external(struct db_tx *tx, const char *issuer, const char *client, struct id *ret);

/* In a transaction of the tenant's birth: an application with a built-in role and one secret that lives for `life_us`. */
MUST_CHECK enum err application_found(struct db_tx *tx, const char *display_name, const char *role, int64_t life_us,
				      struct application_secret *ret);

/* Client credentials.  s is bound to the tenant that the client named (it need not exist).  ERR_UNAUTHENTICATED for an unknown tenant or
 * client, a wrong or expired secret, a disabled application, a tenant that may not sign in any more: one detail for all of them, and
 * the same hashing and comparing.  It is an event (APPLICATION_SIGN_IN), the first of a day; so is a refusal, where the application exists. */
MUST_CHECK enum err application_sign_in(struct scope *s, struct id client, const char *secret, struct token_claims *ret);

/* Who a verified token is now.  s is bound to c->tenant.  ERR_UNAUTHENTICATED where application or secret are gone, disabled or expired.
 * *ret: id, name and permissions in the arena; ACTOR_OPERATOR in the nil tenant, else ACTOR_APPLICATION.  ip is left alone. */
MUST_CHECK enum err application_principal(struct scope *s, const struct token_claims *c, struct actor *ret);

#endif
