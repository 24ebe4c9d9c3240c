/* SPDX-License-Identifier: Apache-2.0
 * Ed25519: RFC 8032, section 7.1, tests 1 to 3; every changed bit is refused. */
#include "test.h"

#include "crypto/sign.h"

static const struct {
	const char *seed, *public_key, *msg, *signature;
} vectors[] = {
	{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
	 "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
	 "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bb"
	 "e24655141438e7a100b"},
	{"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
	 "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
	 "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302"
	 "aeeb00d291612bb0c00"},
	{"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
	 "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
	 "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed"
	 "28dc027beceea1ec40a"},
};

static void rfc_8032(void **state)
{
	for (size_t i = 0; i < 3; i++) {
		uint8_t seed[32], public_key[32], msg[2], signature[64];
		size_t n = strlen(vectors[i].msg) / 2;
		assert_true(hex_decode(vectors[i].seed, 32, seed) && hex_decode(vectors[i].msg, n, msg));
		ed25519_public(seed, public_key);
		assert_hex(public_key, 32, vectors[i].public_key);
		ed25519_sign(seed, msg, n, signature);
		assert_hex(signature, 64, vectors[i].signature);
		assert_true(ed25519_verify(public_key, msg, n, signature));
	}
}

static void refuses_every_changed_bit(void **state)
{
	uint8_t seed[32], public_key[32], signature[64];
	char msg[] = "a text";
	ed25519_generate(seed);
	ed25519_public(seed, public_key);
	ed25519_sign(seed, msg, sizeof msg, signature);
	assert_true(ed25519_verify(public_key, msg, sizeof msg, signature));
	for (size_t bit = 0; bit < 64 * 8; bit++) {
		signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(ed25519_verify(public_key, msg, sizeof msg, signature));
		signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < sizeof msg * 8; bit++) {
		msg[bit / 8] ^= (char)(1 << bit % 8);
		assert_false(ed25519_verify(public_key, msg, sizeof msg, signature));
		msg[bit / 8] ^= (char)(1 << bit % 8);
	}
	assert_false(ed25519_verify(public_key, msg, sizeof msg - 1, signature));
	uint8_t other[32];
	ed25519_generate(seed);
	ed25519_public(seed, other);
	assert_memory_not_equal(other, public_key, sizeof other);
	assert_false(ed25519_verify(other, msg, sizeof msg, signature));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(rfc_8032), cmocka_unit_test(refuses_every_changed_bit)};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
