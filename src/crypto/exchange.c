/* SPDX-License-Identifier: Apache-2.0
 * The private half's object lives for one call, so that no copy of it outlives the caller's. */
#include "crypto/exchange.h"

#include <string.h>

#include "base/err.h"
#include "crypto/openssl.h"

static EVP_PKEY *private_key(const uint8_t private_half[X25519_BYTES])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, private_half, X25519_BYTES);
	check(key != NULL); /* every 32 bytes are one (RFC 7748, section 5) */
	return key;
}

void x25519_public(const uint8_t private_half[X25519_BYTES], uint8_t public_half[X25519_BYTES])
{
	EVP_PKEY *key = private_key(private_half);
	size_t n = X25519_BYTES;
	check(EVP_PKEY_get_raw_public_key(key, public_half, &n) == 1 && n == X25519_BYTES);
	EVP_PKEY_free(key);
}

bool x25519_secret(const uint8_t private_half[X25519_BYTES], const uint8_t theirs[X25519_BYTES], uint8_t secret[X25519_BYTES])
{
	EVP_PKEY *key = private_key(private_half);
	EVP_PKEY *peer = EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, theirs, X25519_BYTES);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	size_t n = X25519_BYTES;
	/* The library refuses a result of zeros, which a point of small order gives (RFC 7748, section 6.1). */
	bool good = peer != NULL && ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
		    EVP_PKEY_derive(ctx, secret, &n) == 1 && n == X25519_BYTES;
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(peer);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return good;
}

void hkdf_sha256(const void *secret, size_t secret_n, const void *salt, size_t salt_n, const char *info, uint8_t *out, size_t out_n)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret, secret_n),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt, salt_n),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info, strlen(info)),
		OSSL_PARAM_construct_end(),
	};
	check(ctx != NULL && EVP_KDF_derive(ctx, out, out_n, params) == 1);
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}
