/* SPDX-License-Identifier: Apache-2.0
 * The Merkle tree of RFC 6962 by its right edge only: the roots of the perfect subtrees that a size decomposes into
 * (the "compact range").  At most 64 hashes stand for a log of any length, and appending to them cannot change what
 * they already stand for. */
#ifndef REEVE_KEEPER_MERKLE_H
#define REEVE_KEEPER_MERKLE_H

#include <stdint.h>

#include "crypto/digest.h"

struct merkle_range {
	uint64_t size;                  /* leaves */
	unsigned count;                 /* roots: one for each bit set in size */
	uint8_t root[64][SHA256_BYTES]; /* largest subtree first */
};

void merkle_leaf_hash(const void *entry, size_t n, uint8_t out[SHA256_BYTES]); /* SHA-256(0x00 || entry) */
void merkle_node_hash(const uint8_t left[SHA256_BYTES], const uint8_t right[SHA256_BYTES], uint8_t out[SHA256_BYTES]);
void merkle_append(struct merkle_range *r, const uint8_t leaf_hash[SHA256_BYTES]);
void merkle_root(const struct merkle_range *r, uint8_t out[SHA256_BYTES]);

#endif
