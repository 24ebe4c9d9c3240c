/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes a log's public files with src/tlog:  make_log DIR SIZE [OLD ...]
 *
 * Of SIZE made-up commitments, with its checkpoint, key, tiles and bundles, and the checkpoint that it had at each size OLD as
 * checkpoint.OLD.  A SIZE with an "x" behind it is another log under the same key: a fork.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "tlog/note.h"
#include "tlog/tile.h"

#define ORIGIN "reeve.example/log/00000000-0000-0000-0000-000000000000"

struct log {
	const char *dir;
	uint64_t size;
	struct note_signer signer;
	struct arena *arena;
	uint8_t (*commitment)[SHA256_BYTES], (*row[TILE_LEVELS])[SHA256_BYTES];
};

static void write_file(const struct log *l, const char *name, const void *p, size_t n)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", l->dir, name);
	for (char *slash = path + 1; (slash = strchr(slash, '/')) != NULL; *slash++ = '/') {
		*slash = '\0';
		check(mkdir(path, 0777) == 0 || errno == EEXIST);
	}
	FILE *f = fopen(path, "wb");
	check(f != NULL && fwrite(p, 1, n, f) == n && fclose(f) == 0);
}

static void write_checkpoint(const struct log *l, const char *name, uint64_t size)
{
	struct merkle_range r = {0};
	uint8_t root[SHA256_BYTES];
	while (r.size < size)
		merkle_append(&r, l->row[0][r.size]);
	merkle_root(&r, root);
	const char *note = note_checkpoint(l->arena, &l->signer, ORIGIN, size, root);
	write_file(l, name, note, strlen(note));
}

static void write_row(const struct log *l, unsigned level)
{
	unsigned width;
	for (uint64_t i = 0; (width = tile_width(l->size, level, i)) > 0; i++) {
		struct tile t = {.level = level, .index = i, .width = width};
		char path[TILE_PATH_MAX];
		tile_path(&t, path);
		write_file(l, path, l->row[level] + i * TILE_WIDTH, width * SHA256_BYTES);
		if (width == TILE_WIDTH)
			merkle_perfect_root((const void *)(l->row[level] + i * TILE_WIDTH), TILE_WIDTH, l->row[level + 1][i]);
		if (level > 0)
			continue;
		auto_buf b;
		buf_init(&b, BUNDLE_BYTES);
		bundle_write(&b, (const void *)(l->commitment + i * TILE_WIDTH), width);
		t.entries = true;
		tile_path(&t, path);
		write_file(l, path, b.data, b.len);
	}
}

static void make(struct log *l, bool fork)
{
	l->commitment = calloc(l->size + 1, SHA256_BYTES);
	for (unsigned level = 0; level < TILE_LEVELS; level++)
		l->row[level] = calloc((l->size >> (8 * level)) + 1, SHA256_BYTES);
	for (uint64_t i = 0; i < l->size; i++) {
		char text[32];
		sha256(text, (size_t)snprintf(text, sizeof text, "%s%" PRIu64, fork ? "x" : "", i), l->commitment[i]);
	}
	for (uint64_t i = 0; i < l->size; i++)
		entry_hashes((const void *)(l->commitment + i), 1, l->row[0] + i);
}

int main(int argc, char **argv)
{
	struct log l = {.dir = argv[1], .arena = arena_new(LIMIT_ARENA_BYTES)};
	char *end;
	if (argc < 3)
		return 64;
	l.size = strtoull(argv[2], &end, 10);
	memset(l.signer.seed, 7, sizeof l.signer.seed);
	ed25519_public(l.signer.seed, l.signer.public_key);
	make(&l, *end == 'x');
	for (unsigned level = 0; level < tile_levels(l.size); level++)
		write_row(&l, level);
	write_checkpoint(&l, "checkpoint", l.size);
	const char *key = arena_printf(l.arena, "%s\n", note_vkey(l.arena, ORIGIN, l.signer.public_key));
	write_file(&l, "key", key, strlen(key));
	for (int i = 3; i < argc; i++)
		write_checkpoint(&l, arena_printf(l.arena, "checkpoint.%s", argv[i]), strtoull(argv[i], NULL, 10));
	free(l.commitment);
	for (unsigned level = 0; level < TILE_LEVELS; level++)
		free(l.row[level]);
	arena_free(l.arena);
	return 0;
}
