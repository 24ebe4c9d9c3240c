/* SPDX-License-Identifier: Apache-2.0
 * Ed25519 by the seed.  The key object lives for one call, so that no copy of the key outlives it. */
#include "crypto/sign.h"

#include "base/err.h"
#include "base/id.h"
#include "crypto/openssl.h"

static EVP_PKEY *private_key(const uint8_t seed[ED25519_KEY_BYTES])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, seed, ED25519_KEY_BYTES);
	check(key != NULL); /* every seed is a key */
	return key;
}

void ed25519_generate(uint8_t seed[ED25519_KEY_BYTES])
{
	random_bytes(seed, ED25519_KEY_BYTES);
}

void ed25519_public(const uint8_t seed[ED25519_KEY_BYTES], uint8_t public_key[ED25519_KEY_BYTES])
{
	EVP_PKEY *key = private_key(seed);
	size_t n = ED25519_KEY_BYTES;
	check(EVP_PKEY_get_raw_public_key(key, public_key, &n) == 1 && n == ED25519_KEY_BYTES);
	EVP_PKEY_free(key);
}

void ed25519_sign(const uint8_t seed[ED25519_KEY_BYTES], const void *msg, size_t n,
		  uint8_t out[ED25519_SIGNATURE_BYTES])
{
	EVP_PKEY *key = private_key(seed);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t out_n = ED25519_SIGNATURE_BYTES;
	check(ctx != NULL && EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL, key, NULL) == 1);
	check(EVP_DigestSign(ctx, out, &out_n, msg, n) == 1 && out_n == ED25519_SIGNATURE_BYTES);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
}

bool ed25519_verify(const uint8_t public_key[ED25519_KEY_BYTES], const void *msg, size_t n,
		    const uint8_t signature[ED25519_SIGNATURE_BYTES])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, public_key, ED25519_KEY_BYTES);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = key != NULL && ctx != NULL &&
		    EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, key, NULL) == 1 &&
		    EVP_DigestVerify(ctx, signature, ED25519_SIGNATURE_BYTES, msg, n) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	ERR_clear_error(); /* a refused signature leaves notes in the thread's queue */
	return good;
}
