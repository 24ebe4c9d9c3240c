/* SPDX-License-Identifier: Apache-2.0
 * SHA-256, HMAC-SHA256, constant-time comparison, and wiping.  crypto/ is the only folder that includes OpenSSL's
 * headers.  All functions are thread-safe (algorithms are fetched once; contexts are per thread). */
#ifndef REEVE_CRYPTO_DIGEST_H
#define REEVE_CRYPTO_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32 };

struct digest_part {
	const void *p;
	size_t n;
};

void sha256(const void *p, size_t n, uint8_t out[SHA256_BYTES]);
void sha256_parts(const struct digest_part *parts, size_t count, uint8_t out[SHA256_BYTES]);
void hmac_sha256(const void *key, size_t key_n, const struct digest_part *parts, size_t count,
		 uint8_t out[SHA256_BYTES]);
bool bytes_equal(const void *a, const void *b, size_t n); /* constant time */
void wipe(void *p, size_t n);                             /* not optimised away */

/* Incremental, for files. */
struct sha256_stream;
struct sha256_stream *sha256_new(void);
void sha256_update(struct sha256_stream *s, const void *p, size_t n);
void sha256_final(struct sha256_stream *s, uint8_t out[SHA256_BYTES]); /* frees s */

#endif
