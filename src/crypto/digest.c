/* SPDX-License-Identifier: Apache-2.0
 * SHA-256 and HMAC-SHA256 on the contexts of the thread.  Nothing here can fail but for memory, which ends the process.
 */
#include "crypto/digest.h"

#include <stdlib.h>

#include "base/err.h"
#include "crypto/openssl.h"
#include "crypto/thread.h"

struct sha256_stream {
	EVP_MD_CTX *ctx;
};

void sha256_parts(const struct digest_part *parts, size_t count, uint8_t out[SHA256_BYTES])
{
	EVP_MD_CTX *ctx = crypto_thread()->md;
	check(EVP_DigestInit_ex2(ctx, crypto_sha256(), NULL) == 1);
	for (size_t i = 0; i < count; i++)
		check(EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) == 1);
	check(EVP_DigestFinal_ex(ctx, out, NULL) == 1);
}

void sha256(const void *p, size_t n, uint8_t out[SHA256_BYTES])
{
	sha256_parts(&(struct digest_part){p, n}, 1, out);
}

void hmac_sha256(const void *key, size_t key_n, const struct digest_part *parts, size_t count,
		 uint8_t out[SHA256_BYTES])
{
	EVP_MAC_CTX *ctx = crypto_thread()->hmac;
	/* A NULL key would mean "the key of the last call". */
	check(EVP_MAC_init(ctx, key != NULL ? key : (const void *)"", key_n, NULL) == 1);
	for (size_t i = 0; i < count; i++)
		if (parts[i].n > 0)
			check(EVP_MAC_update(ctx, parts[i].p, parts[i].n) == 1);
	size_t n = 0;
	check(EVP_MAC_final(ctx, out, &n, SHA256_BYTES) == 1 && n == SHA256_BYTES);
}

bool bytes_equal(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

void wipe(void *p, size_t n)
{
	if (p != NULL)
		OPENSSL_cleanse(p, n);
}

struct sha256_stream *sha256_new(void)
{
	struct sha256_stream *s = malloc(sizeof *s);
	check(s != NULL);
	s->ctx = EVP_MD_CTX_new();
	check(s->ctx != NULL && EVP_DigestInit_ex2(s->ctx, crypto_sha256(), NULL) == 1);
	return s;
}

void sha256_update(struct sha256_stream *s, const void *p, size_t n)
{
	check(EVP_DigestUpdate(s->ctx, p, n) == 1);
}

void sha256_final(struct sha256_stream *s, uint8_t out[SHA256_BYTES])
{
	check(EVP_DigestFinal_ex(s->ctx, out, NULL) == 1);
	EVP_MD_CTX_free(s->ctx);
	free(s);
}
