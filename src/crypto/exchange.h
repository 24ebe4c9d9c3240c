/* SPDX-License-Identifier: Apache-2.0
 * X25519 (RFC 7748) and HKDF-SHA256 (RFC 5869): a secret that whoever has one public half can make and only the owner of the private half can
 * make again, and a key from it. */
#ifndef REEVE_CRYPTO_EXCHANGE_H
#define REEVE_CRYPTO_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { X25519_BYTES = 32 };

/* 32 random bytes are a private half. */
void x25519_public(const uint8_t private_half[X25519_BYTES], uint8_t public_half[X25519_BYTES]);
/* False: `theirs` is no public half (a point of small order). */
bool x25519_secret(const uint8_t private_half[X25519_BYTES], const uint8_t theirs[X25519_BYTES], uint8_t secret[X25519_BYTES]);

void hkdf_sha256(const void *secret, size_t secret_n, const void *salt, size_t salt_n, const char *info, uint8_t *out, size_t out_n);

#endif
