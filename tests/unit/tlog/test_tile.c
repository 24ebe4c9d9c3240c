/* SPDX-License-Identifier: Apache-2.0
 * Paths and widths of tiles, and the bytes of bundles. */
#include "fixture.h"

static const struct {
	const char *path;
	struct tile tile;
} paths[] = {
	{"tile/0/000", {false, 0, 0, 256}},
	{"tile/0/000.p/1", {false, 0, 0, 1}},
	{"tile/7/999.p/255", {false, 7, 999, 255}},
	{"tile/1/x001/000", {false, 1, 1000, 256}},
	{"tile/0/x001/x234/067", {false, 0, 1234067, 256}},
	{"tile/entries/x001/x234/067.p/12", {true, 0, 1234067, 12}},
	{"tile/entries/000", {true, 0, 0, 256}},
	{"tile/0/x072/x057/x594/x037/x927/935", {false, 0, UINT64_MAX / 256, 256}},
	{"tile/0/x018/x446/x744/x073/x709/x551/615", {false, 0, UINT64_MAX, 256}},
};

static void both_ways(void **state)
{
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		char path[TILE_PATH_MAX];
		struct tile t;
		tile_path(&paths[i].tile, path);
		assert_string_equal(path, paths[i].path);
		assert_true(tile_parse(path, &t));
		assert_true(t.entries == paths[i].tile.entries && t.level == paths[i].tile.level && t.index == paths[i].tile.index &&
			    t.width == paths[i].tile.width);
	}
}

static void no_paths(void **state)
{
	static const char *const bad[] = {
		"", "tile", "tile/", "tile/0", "tile/0/", "tile//000", "tile/00/000", "tile/8/000", "tile/63/000", "tile/-1/000", "tile/+0/000",
		"tile/0/0", "tile/0/00", "tile/0/0000", "tile/0/x000/000", "tile/0/001/000", "tile/0/x1/000", "tile/0/x001", "tile/0/x001/",
		"tile/0/x001/0", "tile/0/000.p", "tile/0/000.p/", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/1000",
		"tile/0/000.p/1/", "tile/0/000 ", " tile/0/000", "/tile/0/000", "tile/0/000/", "tile/0/000.q/1", "tile/8/0/000", "tile/data/000",
		"tile/entries/0/000", "tile/entries000", "tile/0x/000", "tile/0/abc", "tile/0/x018/x446/x744/x073/x709/x551/616",
		"tile/0/x999/x999/x999/x999/x999/x999/x999/999", "checkpoint", "tile/0/\xd9\xa0\xd9\xa0\xd9\xa0",
	};
	struct tile t = {.width = 77};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (tile_parse(bad[i], &t))
			fail_msg("%s was accepted", bad[i]);
	assert_int_equal(t.width, 77);
}

static void widths(void **state)
{
	assert_int_equal(tile_width(0, 0, 0), 0);
	assert_int_equal(tile_width(256, 0, 0), 256);
	assert_int_equal(tile_width(256, 0, 1), 0);
	assert_int_equal(tile_width(256, 1, 0), 1);
	assert_int_equal(tile_width(70000, 0, 273), 112);
	assert_int_equal(tile_width(70000, 1, 1), 17);
	assert_int_equal(tile_width(70000, 2, 0), 1);
	assert_int_equal(tile_width(70000, 3, 0), 0);
	assert_int_equal(tile_width(UINT64_MAX, 7, 0), 255);
	assert_int_equal(tile_width(UINT64_MAX, 8, 0), 0);
	assert_int_equal(tile_width(UINT64_MAX, 0, UINT64_MAX), 0);
	assert_int_equal(tile_levels(0), 0);
	assert_int_equal(tile_levels(255), 1);
	assert_int_equal(tile_levels(256), 2);
	assert_int_equal(tile_levels(UINT64_MAX), 8);
}

static void bundles(void **state)
{
	enum { N = 3, EACH = 2 + ENTRY_BYTES };
	uint8_t commitment[N][SHA256_BYTES], back[TILE_WIDTH][SHA256_BYTES];
	auto_buf b;
	buf_init(&b, BUNDLE_BYTES);
	for (unsigned i = 0; i < N; i++)
		memset(commitment[i], (int)i + 1, SHA256_BYTES);
	bundle_write(&b, (const void *)commitment, N);
	assert_int_equal(b.len, N * EACH);
	assert_true(bundle_read(b.data, b.len, N, back));
	assert_memory_equal(back, commitment, sizeof commitment);
	assert_false(bundle_read(b.data, b.len, N - 1, back));
	assert_false(bundle_read(b.data, b.len, N + 1, back));
	assert_false(bundle_read(b.data, b.len - 1, N, back));
	assert_false(bundle_read(b.data, (TILE_WIDTH + 1) * (size_t)EACH, TILE_WIDTH + 1, back));
	assert_true(bundle_read(b.data, 0, 0, back));
	for (unsigned i = 0; i < 3; i++) { /* the length's two bytes and the version */
		b.data[EACH + i] ^= 1;
		assert_false(bundle_read(b.data, b.len, N, back));
		b.data[EACH + i] ^= 1;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(both_ways), cmocka_unit_test(no_paths), cmocka_unit_test(widths), cmocka_unit_test(bundles)};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
