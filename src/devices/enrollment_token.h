/* SPDX-License-Identifier: Apache-2.0
 *
 * Enrolment tokens: each lets one device enrol once, for one user, as personal or company property, until it expires.
 * 32 random bytes, shown once as base64url; the database holds their SHA-256.
 */
#ifndef REEVE_DEVICES_ENROLLMENT_TOKEN_H
#define REEVE_DEVICES_ENROLLMENT_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "codec/json.h"
#include "crypto/digest.h"
#include "db/db.h"

enum { ENROLLMENT_HOURS = 24, ENROLLMENT_HOURS_MAX = 30 * 24, ENROLLMENT_TOKEN_TEXT = 44 };

struct enrollment_token {
	struct id token, user;
	bool company;
	int64_t created_at, expires_at, used_at; /* used_at 0: not yet */
	char text[ENROLLMENT_TOKEN_TEXT];        /* only after enrollment_token_create(); never stored, never logged */
};

/* hours 0: ENROLLMENT_HOURS.  ERR_BAD_REQUEST past ENROLLMENT_HOURS_MAX and for a disabled user, ERR_NOT_FOUND for no
 * such user. */
MUST_CHECK enum err enrollment_token_create(struct scope *s, struct id user, bool company, int64_t hours,
					    struct enrollment_token *ret);
MUST_CHECK enum err enrollment_token_delete(struct scope *s, struct id token);

/* The text's hash; false where it cannot be one of ours. */
bool enrollment_token_hash(struct scope *s, const char *text, uint8_t out[SHA256_BYTES]);
/* Which tenant issued the token.  s: a scope without a tenant.  ERR_UNAUTHENTICATED with one detail for unknown, used
 * and expired ones. */
MUST_CHECK enum err enrollment_token_tenant(struct scope *s, const char *text, struct id *ret_tenant);
/* In the tenant's scope.  ERR_UNAUTHENTICATED as above. */
MUST_CHECK enum err enrollment_token_load(struct db_tx *tx, const char *text, struct enrollment_token *ret);
/* Marks it used; ERR_UNAUTHENTICATED where another enrolment was first. */
MUST_CHECK enum err enrollment_token_use(struct db_tx *tx, const struct enrollment_token *t);

#endif
