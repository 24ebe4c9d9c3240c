/* SPDX-License-Identifier: Apache-2.0
 * Roots of the eight-leaf tree that the transparency projects publish, and of a tree of decimal numbers around the
 * borders of a tile and far beyond. */
#include "../keeper/fixture.h"

#include "tlog/merkle.h"

static void assert_root(const struct merkle_range *r, const char *hex)
{
	uint8_t root[SHA256_BYTES];
	char text[2 * SHA256_BYTES + 1];
	merkle_root(r, root);
	hex_encode(root, sizeof root, text);
	assert_string_equal(text, hex);
}

static void eight_leaves(void **state)
{
	static const char *const leaves[] = {
		"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
	static const char *const roots[] = {
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	};
	struct merkle_range r = {0};
	assert_root(&r, roots[0]);
	for (size_t i = 0; i < 8; i++) {
		uint8_t entry[16], hash[SHA256_BYTES];
		size_t n = strlen(leaves[i]) / 2;
		assert_true(hex_decode(leaves[i], n, entry));
		merkle_leaf_hash(entry, n, hash);
		merkle_append(&r, hash);
		assert_int_equal(r.size, i + 1);
		assert_int_equal(r.count, __builtin_popcountll(r.size));
		assert_root(&r, roots[i + 1]);
	}
}

static void large_trees(void **state)
{
	static const struct {
		uint64_t size;
		const char *root;
	} want[] = {
		{255, "32f85bcaa87d7bcd05728f09e9aeba350ba6a2f733830087f0597682848be5cb"},
		{256, "828515d033c19d8c901f37eccb8aed919667703486f8d2fff1cf7040321c5db1"},
		{257, "1eda049a4351d86f76252bd7ec0b7746ad75b7fa0316ad5f541dbda458a312c4"},
		{70000, "1a4cdfcb66374a0c0dcbef49acbd4976d13ee864fb3cb241fc943cad04f02f7e"},
	};
	struct merkle_range r = {0};
	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
		while (r.size < want[i].size) {
			char entry[24];
			uint8_t hash[SHA256_BYTES];
			int n = snprintf(entry, sizeof entry, "%llu", (unsigned long long)r.size);
			merkle_leaf_hash(entry, (size_t)n, hash);
			merkle_append(&r, hash);
		}
		assert_root(&r, want[i].root);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(eight_leaves), cmocka_unit_test(large_trees)};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
