/* SPDX-License-Identifier: Apache-2.0
 * SHA-256 (FIPS 180-4 examples), HMAC (RFC 4231), comparison, and that threads do not disturb each other. */
#include "test.h"

#include <pthread.h>

#include "crypto/digest.h"

static void sha256_examples(void **state)
{
	static const struct {
		const char *text, *hash;
	} want[] = {
		{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	};
	uint8_t out[SHA256_BYTES];
	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
		size_t n = strlen(want[i].text), half = n / 2;
		sha256(want[i].text, n, out);
		assert_hex(out, sizeof out, want[i].hash);
		struct digest_part parts[] = {{want[i].text, half}, {NULL, 0}, {want[i].text + half, n - half}};
		sha256_parts(parts, 3, out);
		assert_hex(out, sizeof out, want[i].hash);
	}
}

static void sha256_of_a_million(void **state)
{
	char block[1000];
	uint8_t out[SHA256_BYTES], other[SHA256_BYTES];
	memset(block, 'a', sizeof block);
	struct sha256_stream *s = sha256_new();
	for (int i = 0; i < 1000; i++) {
		sha256_update(s, block, sizeof block);
		sha256("between", 7, other); /* a stream is not the thread's own context */
	}
	sha256_final(s, out);
	assert_hex(out, sizeof out, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void hmac_rfc_4231(void **state)
{
	uint8_t aa[131], counting[25], b0[20], dd[50], cd[50];
	memset(aa, 0xaa, sizeof aa);
	memset(b0, 0x0b, sizeof b0);
	memset(dd, 0xdd, sizeof dd);
	memset(cd, 0xcd, sizeof cd);
	for (size_t i = 0; i < sizeof counting; i++)
		counting[i] = (uint8_t)(i + 1);
	static const char six[] = "Test Using Larger Than Block-Size Key - Hash Key First";
	static const char seven[] =
		"This is a test using a larger than block-size key and a larger than block-size data. "
		"The key needs to be hashed before being used by the HMAC algorithm.";
	const struct {
		const void *key;
		size_t key_n;
		const void *data;
		size_t n;
		const char *mac;
	} want[] = {
		{b0, 20, "Hi There", 8, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
		{"Jefe", 4, "what do ya want for nothing?", 28,
		 "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{aa, 20, dd, 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
		{counting, 25, cd, 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
		{aa, 131, six, sizeof six - 1, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
		{aa, 131, seven, sizeof seven - 1, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
	};
	uint8_t out[SHA256_BYTES];
	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
		struct digest_part parts[] = {{want[i].data, 5}, {(const char *)want[i].data + 5, want[i].n - 5}};
		hmac_sha256(want[i].key, want[i].key_n, parts, 2, out);
		assert_hex(out, sizeof out, want[i].mac);
	}
}

/* No key is the empty key, not the key of the call before. */
static void hmac_without_a_key(void **state)
{
	uint8_t out[SHA256_BYTES];
	hmac_sha256("another", 7, &(struct digest_part){"x", 1}, 1, out);
	hmac_sha256(NULL, 0, NULL, 0, out);
	assert_hex(out, sizeof out, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void compares(void **state)
{
	uint8_t a[32] = {1, 2, 3}, b[32] = {1, 2, 3};
	assert_true(bytes_equal(a, b, sizeof a));
	for (int bit = 0; bit < 256; bit++) {
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(bytes_equal(a, b, sizeof a));
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	wipe(a, sizeof a);
	for (size_t i = 0; i < sizeof a; i++)
		assert_int_equal(a[i], 0);
	wipe(NULL, 0);
}

static void *hash_a_lot(void *arg)
{
	uint8_t want[SHA256_BYTES], again[SHA256_BYTES], mac[SHA256_BYTES];
	sha256(arg, strlen(arg), want);
	for (int i = 0; i < 2000; i++) {
		hmac_sha256(arg, strlen(arg), &(struct digest_part){"x", 1}, 1, mac);
		sha256(arg, strlen(arg), again);
		if (memcmp(want, again, sizeof want) != 0)
			return NULL;
	}
	return arg;
}

static void threads(void **state)
{
	static char text[4][8] = {"one", "two", "three", "four"};
	pthread_t thread[4];
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, hash_a_lot, text[i]), 0);
	for (int i = 0; i < 4; i++) {
		void *good;
		assert_int_equal(pthread_join(thread[i], &good), 0);
		assert_non_null(good);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_examples), cmocka_unit_test(sha256_of_a_million),
		cmocka_unit_test(hmac_rfc_4231),   cmocka_unit_test(hmac_without_a_key),
		cmocka_unit_test(compares),        cmocka_unit_test(threads),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
