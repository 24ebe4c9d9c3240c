/* SPDX-License-Identifier: Apache-2.0
 * Where a hash stands in the tiles, and what the tiles say. */
#include "tlog/tile.h"

#include <string.h>

unsigned tile_width(uint64_t size, unsigned level, uint64_t index)
{
	uint64_t hashes = level < TILE_LEVELS ? size >> (8 * level) : 0;
	uint64_t before = index * TILE_WIDTH;
	if (index > UINT64_MAX / TILE_WIDTH || hashes <= before)
		return 0;
	return hashes - before < TILE_WIDTH ? (unsigned)(hashes - before) : TILE_WIDTH;
}

unsigned tile_levels(uint64_t size)
{
	unsigned n = 0;
	while (n < TILE_LEVELS && size >> (8 * n) > 0)
		n++;
	return n;
}

void entry_make(const uint8_t commitment[SHA256_BYTES], uint8_t out[ENTRY_BYTES])
{
	out[0] = ENTRY_VERSION;
	memcpy(out + 1, commitment, SHA256_BYTES);
}

void entry_hashes(const uint8_t (*commitments)[SHA256_BYTES], unsigned n, uint8_t (*out)[SHA256_BYTES])
{
	for (unsigned i = 0; i < n; i++) {
		uint8_t entry[ENTRY_BYTES];
		entry_make(commitments[i], entry);
		merkle_leaf_hash(entry, sizeof entry, out[i]);
	}
}
