/* SPDX-License-Identifier: Apache-2.0
 * X25519 by RFC 7748, section 6.1, and HKDF by RFC 5869, A.1; a point of small order gives no secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/id.h"
#include "crypto/exchange.h"

static void bytes(const char *hex, size_t n, void *out) { assert_true(hex_decode(hex, n, out)); }

static void rfc_7748(void **state)
{
	uint8_t alice[X25519_BYTES], bob_private[X25519_BYTES], bob[X25519_BYTES], want[X25519_BYTES], got[X25519_BYTES];
	bytes("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a", sizeof alice, alice);
	bytes("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb", sizeof bob_private, bob_private);
	bytes("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f", sizeof bob, bob);
	bytes("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742", sizeof want, want);
	x25519_public(bob_private, got);
	assert_memory_equal(got, bob, sizeof bob);
	assert_true(x25519_secret(bob_private, alice, got));
	assert_memory_equal(got, want, sizeof want);
}

static void small_order(void **state)
{
	static const uint8_t zero[X25519_BYTES], one[X25519_BYTES] = {1};
	uint8_t mine[X25519_BYTES], got[X25519_BYTES];
	random_bytes(mine, sizeof mine);
	assert_false(x25519_secret(mine, zero, got));
	assert_false(x25519_secret(mine, one, got));
}

static void rfc_5869(void **state)
{
	uint8_t secret[22], salt[13], want[42], got[42];
	memset(secret, 0x0b, sizeof secret);
	bytes("000102030405060708090a0b0c", sizeof salt, salt);
	bytes("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865", sizeof want, want);
	hkdf_sha256(secret, sizeof secret, salt, sizeof salt, "\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9", got, sizeof got);
	assert_memory_equal(got, want, sizeof want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_7748),
		cmocka_unit_test(small_order),
		cmocka_unit_test(rfc_5869),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
