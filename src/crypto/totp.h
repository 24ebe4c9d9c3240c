/* SPDX-License-Identifier: Apache-2.0
 * One-time passwords by time (RFC 6238) with HMAC-SHA-1, which is what authenticator apps know: six digits, thirty seconds. */
#ifndef REEVE_CRYPTO_TOTP_H
#define REEVE_CRYPTO_TOTP_H

#include <stddef.h>
#include <stdint.h>

enum { TOTP_SECONDS = 30, TOTP_DIGITS = 6, TOTP_SECRET_BYTES = 20, TOTP_TEXT = 9 };

/* RFC 4226, section 5.3: the code of one step, with leading zeros; digits: 6 to 8. */
void totp_code(const void *key, size_t n, int64_t step, unsigned digits, char ret[TOTP_TEXT]);

#endif
