/* SPDX-License-Identifier: Apache-2.0
 *
 * Tiles (C2SP tlog-tiles): a log's tree cut into rows of 256 hashes.  Tile (level, n) holds, for i in 0..255, the root of the
 * perfect subtree over the leaves [(n*256+i) * 256^level, (n*256+i+1) * 256^level).  An entry bundle holds the entries that level 0
 * hashes.  Entries of Reeve's logs are always 33 bytes: 0x01 and a commitment.  Pure.
 */
#ifndef REEVE_TLOG_TILE_H
#define REEVE_TLOG_TILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "tlog/merkle.h"

enum {
	TILE_WIDTH = 256,
	TILE_BYTES = TILE_WIDTH * SHA256_BYTES,
	TILE_LEVELS = 8,          /* 256^8 leaves is past any log */
	TILE_PATH_MAX = 96,
	ENTRY_BYTES = 33,
	ENTRY_VERSION = 0x01,
	BUNDLE_BYTES = TILE_WIDTH * (2 + ENTRY_BYTES),
};

struct tile {
	bool entries;   /* the bundle of level 0 */
	unsigned level; /* 0 for bundles */
	uint64_t index;
	unsigned width; /* 1 to 256 */
};

/* "tile/0/x001/067", "tile/entries/000.p/12": behind the log's prefix.  Writes at most TILE_PATH_MAX bytes, terminated. */
void tile_path(const struct tile *t, char out[TILE_PATH_MAX]);
/* The inverse; false for whatever tile_path() would not have written (leading zeros, .p/0, .p/256 …). */
bool tile_parse(const char *path, struct tile *ret);

/* How many hashes the tile has in a tree of that size: 0 (not there) to 256. */
unsigned tile_width(uint64_t size, unsigned level, uint64_t index);
/* Levels that a tree of that size has tiles of: 0 for the empty tree, 1 for 1 to 255 leaves … */
unsigned tile_levels(uint64_t size);

/* An entry from its commitment, and a bundle's bytes from n commitments of 32 bytes: uint16 length and entry, n times. */
void entry_make(const uint8_t commitment[SHA256_BYTES], uint8_t out[ENTRY_BYTES]);
void bundle_write(struct buf *out, const uint8_t (*commitments)[SHA256_BYTES], unsigned n);
/* The commitments of a bundle of exactly n entries; false where its bytes are anything else. */
bool bundle_read(const void *bytes, size_t len, unsigned n, uint8_t (*out)[SHA256_BYTES]);
/* The leaf hashes of commitments. */
void entry_hashes(const uint8_t (*commitments)[SHA256_BYTES], unsigned n, uint8_t (*out)[SHA256_BYTES]);

/* ---- proofs from tiles ---- */

/* Gives the hashes of a tile: t->width of them, which stay valid until the next call; t is never a bundle. */
typedef enum err (*tile_read_fn)(void *arg, const struct tile *t, const uint8_t (**ret)[SHA256_BYTES]);

struct tile_tree {
	uint64_t size;
	tile_read_fn read;
	void *arg;
};

/* Each reads O(log size) tiles.  Proofs have at most 63 hashes, in RFC 6962's order (sections 2.1.1, 2.1.2). */
MUST_CHECK enum err tile_tree_root(const struct tile_tree *t, uint8_t out[SHA256_BYTES]);
MUST_CHECK enum err tile_tree_root_at(const struct tile_tree *t, uint64_t size, uint8_t out[SHA256_BYTES]); /* size <= t->size */
MUST_CHECK enum err tile_tree_inclusion(const struct tile_tree *t, uint64_t index, struct merkle_proof *ret);
MUST_CHECK enum err tile_tree_consistency(const struct tile_tree *t, uint64_t old_size, struct merkle_proof *ret);

#endif
