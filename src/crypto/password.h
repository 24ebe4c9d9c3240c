/* SPDX-License-Identifier: Apache-2.0
 *
 * Passwords of people at rest: Argon2id (RFC 9106) in PHC form, "$argon2id$v=19$m=65536,t=3,p=1$<salt>$<hash>".  One hashing takes 64 MiB and
 * about a tenth of a second of one core.  So few run at a time, as many wait their turn, and whoever comes then is refused at once: a flood of
 * sign-ins costs a part of the machine and no more.
 */
#ifndef REEVE_CRYPTO_PASSWORD_H
#define REEVE_CRYPTO_PASSWORD_H

#include <stdbool.h>

#include "base/err.h"
#include "base/scope.h"

enum {
	PASSWORD_BYTES_MAX = 256,
	PASSWORD_PHC_TEXT = 128,
	PASSWORD_WAITING = 8, /* beside the ones that run: a quarter of the cores, one to four */
};

/* Both: ERR_TOO_MANY where too many wait already; a password is 1 to PASSWORD_BYTES_MAX bytes (ERR_BAD_REQUEST). */
MUST_CHECK enum err password_hash(struct scope *s, const char *password, char ret[PASSWORD_PHC_TEXT]);
/* phc NULL: nobody's; the same work, and wrong.  *ret_weak (may be NULL): right, and hashed with less than password_hash() would. */
MUST_CHECK enum err password_check(struct scope *s, const char *password, const char *phc, bool *ret_right, bool *ret_weak);

#endif
