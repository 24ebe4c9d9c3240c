/* SPDX-License-Identifier: Apache-2.0
 * The Merkle tree of RFC 6962.  A range is the tree by its right edge only: the roots of the perfect subtrees that a size
 * decomposes into (the "compact range").  At most 64 hashes stand for a log of any length, and appending to them cannot
 * change what they already stand for.  Pure. */
#ifndef REEVE_TLOG_MERKLE_H
#define REEVE_TLOG_MERKLE_H

#include <stdbool.h>
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
/* The root of n hashes side by side, n a power of two up to 256: one full (part of a) tile. */
void merkle_perfect_root(const uint8_t (*hashes)[SHA256_BYTES], unsigned n, uint8_t out[SHA256_BYTES]);

/* ---- proofs (RFC 6962 sections 2.1.1 and 2.1.2, RFC 9162 section 2.1) ---- */

enum { MERKLE_PROOF_MAX = 63 };

struct merkle_proof {
	unsigned n;
	uint8_t hash[MERKLE_PROOF_MAX][SHA256_BYTES];
};

/* Whether the leaf stands at index in the tree of that size and root. */
bool merkle_check_inclusion(uint64_t index, uint64_t size, const uint8_t leaf_hash[SHA256_BYTES], const struct merkle_proof *p,
			    const uint8_t root[SHA256_BYTES]);
/* Whether the tree of the new size continues that of the old one.  Equal sizes: equal roots and an empty proof; old size 0: an empty
 * proof and the root of the empty tree. */
bool merkle_check_consistency(uint64_t old_size, const uint8_t old_root[SHA256_BYTES], uint64_t new_size,
			      const uint8_t new_root[SHA256_BYTES], const struct merkle_proof *p);

#endif
