/* SPDX-License-Identifier: Apache-2.0
 * Inside crypto/ only: keys of other people's tokens. */
#ifndef REEVE_CRYPTO_JOSE_INNER_H
#define REEVE_CRYPTO_JOSE_INNER_H

#include <jansson.h>

#include "crypto/openssl.h"

#include <cjose/cjose.h> /* behind the above: it includes the same headers */

/* Which of JOSE_RS256 … a JWK may verify; 0: none, or it is odd. */
unsigned jose_key_fits(const json_t *key);
/* Only the public members are looked at.  NULL where the library does not take it; the caller releases it. */
cjose_jwk_t *jose_key_import(const json_t *key);

#endif
