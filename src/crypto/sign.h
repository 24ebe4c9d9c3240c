/* SPDX-License-Identifier: Apache-2.0
 * Ed25519 (RFC 8032). */
#ifndef REEVE_CRYPTO_SIGN_H
#define REEVE_CRYPTO_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ED25519_KEY_BYTES = 32, ED25519_SIGNATURE_BYTES = 64 };

void ed25519_generate(uint8_t seed[ED25519_KEY_BYTES]);
void ed25519_public(const uint8_t seed[ED25519_KEY_BYTES], uint8_t public_key[ED25519_KEY_BYTES]);
void ed25519_sign(const uint8_t seed[ED25519_KEY_BYTES], const void *msg, size_t n,
		  uint8_t out[ED25519_SIGNATURE_BYTES]);
bool ed25519_verify(const uint8_t public_key[ED25519_KEY_BYTES], const void *msg, size_t n,
		    const uint8_t signature[ED25519_SIGNATURE_BYTES]);

#endif
