/* SPDX-License-Identifier: Apache-2.0
 * Paths of tiles, and bundles.  Input: a path, a line; then the bytes of a bundle.  A path that is accepted is the only one of its tile; a
 * bundle that is accepted is what its commitments make. */
#include "fuzz.h"

#include "tlog/tile.h"

static void bundle(const uint8_t *bytes, size_t n)
{
	static uint8_t commitments[TILE_WIDTH][SHA256_BYTES];
	unsigned width = n / (2 + ENTRY_BYTES) < TILE_WIDTH ? (unsigned)(n / (2 + ENTRY_BYTES)) : TILE_WIDTH;
	auto_buf out;
	buf_init(&out, BUNDLE_BYTES);
	if (!bundle_read(bytes, n, width, commitments))
		return;
	bundle_write(&out, (const void *)commitments, width);
	check(!out.failed && out.len == n && (n == 0 || memcmp(out.data, bytes, n) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const uint8_t *end = n > 0 ? memchr(bytes, '\n', n) : NULL;
	struct scope *s = fuzz_scope();
	struct tile t;
	char again[TILE_PATH_MAX];
	if (n > 16 * KIB || end == NULL)
		return 0;
	const char *path = arena_strndup(s->arena, (const char *)bytes, (size_t)(end - bytes));
	if (tile_parse(path, &t)) {
		tile_path(&t, again);
		check(strcmp(again, path) == 0 && t.width >= 1 && t.width <= TILE_WIDTH && t.level < TILE_LEVELS && (!t.entries || t.level == 0));
	}
	bundle(end + 1, n - (size_t)(end + 1 - bytes));
	return 0;
}
