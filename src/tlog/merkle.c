/* SPDX-License-Identifier: Apache-2.0
 * Appending is binary addition: a leaf is a carry that merges with each subtree of its own size. */
#include "tlog/merkle.h"

#include <string.h>

void merkle_leaf_hash(const void *entry, size_t n, uint8_t out[SHA256_BYTES])
{
	sha256_parts((struct digest_part[]){{"\0", 1}, {entry, n}}, 2, out);
}

void merkle_node_hash(const uint8_t left[SHA256_BYTES], const uint8_t right[SHA256_BYTES], uint8_t out[SHA256_BYTES])
{
	uint8_t bytes[1 + 2 * SHA256_BYTES] = {1};
	memcpy(bytes + 1, left, SHA256_BYTES);
	memcpy(bytes + 1 + SHA256_BYTES, right, SHA256_BYTES);
	sha256(bytes, sizeof bytes, out);
}

void merkle_append(struct merkle_range *r, const uint8_t leaf_hash[SHA256_BYTES])
{
	uint8_t carry[SHA256_BYTES];
	memcpy(carry, leaf_hash, sizeof carry);
	for (uint64_t bits = r->size; bits & 1; bits >>= 1) {
		r->count--;
		merkle_node_hash(r->root[r->count], carry, carry);
	}
	memcpy(r->root[r->count++], carry, sizeof carry);
	r->size++;
}

void merkle_root(const struct merkle_range *r, uint8_t out[SHA256_BYTES])
{
	if (r->count == 0) {
		sha256("", 0, out);
		return;
	}
	memcpy(out, r->root[r->count - 1], SHA256_BYTES);
	for (unsigned i = r->count - 1; i-- > 0;)
		merkle_node_hash(r->root[i], out, out);
}

void merkle_perfect_root(const uint8_t (*hashes)[SHA256_BYTES], unsigned n, uint8_t out[SHA256_BYTES])
{
	uint8_t level[128][SHA256_BYTES];
	if (n == 1) {
		memcpy(out, hashes[0], SHA256_BYTES);
		return;
	}
	for (unsigned i = 0; i < n / 2; i++)
		merkle_node_hash(hashes[2 * i], hashes[2 * i + 1], level[i]);
	for (n /= 2; n > 1; n /= 2)
		for (unsigned i = 0; i < n / 2; i++)
			merkle_node_hash(level[2 * i], level[2 * i + 1], level[i]);
	memcpy(out, level[0], SHA256_BYTES);
}
