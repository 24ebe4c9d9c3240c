/* SPDX-License-Identifier: Apache-2.0
 * Appending is binary addition: a leaf is a carry that merges with each subtree of its own size. */
#include "tlog/merkle.h"

#include <string.h>

void merkle_leaf_hash(const void *entry, size_t n, uint8_t out[SHA256_BYTES])
{
	uint8_t bytes[64] = {0}; /* one piece is faster than two, and the log's own entries fit */
	if (n < sizeof bytes) {
		if (n > 0)
			memcpy(bytes + 1, entry, n);
		sha256(bytes, n + 1, out);
		return;
	}
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

/* ---- proofs ----
 *
 * Both walk from a leaf of the tree up to its root.  `at` is the place on the way and `last` that of the right edge, in the row that has been
 * reached; a node without a sibling goes up as it is, so rows in which `at` is the lone last node are passed over. */

struct walk {
	uint64_t at, last;
};

/* Whether the next hash of the proof stands to the left; then goes up past the rows that the node passes alone. */
static bool sibling_is_left(struct walk *w)
{
	if (!(w->at & 1) && w->at != w->last)
		return false;
	while (!(w->at & 1) && w->at != 0) {
		w->at >>= 1;
		w->last >>= 1;
	}
	return true;
}

static void go_up(struct walk *w)
{
	w->at >>= 1;
	w->last >>= 1;
}

bool merkle_check_inclusion(uint64_t index, uint64_t size, const uint8_t leaf_hash[SHA256_BYTES], const struct merkle_proof *p,
			    const uint8_t root[SHA256_BYTES])
{
	uint8_t hash[SHA256_BYTES];
	if (index >= size || p->n > MERKLE_PROOF_MAX)
		return false;
	struct walk w = {index, size - 1};
	memcpy(hash, leaf_hash, sizeof hash);
	for (unsigned i = 0; i < p->n; i++) {
		if (w.last == 0)
			return false;
		if (sibling_is_left(&w))
			merkle_node_hash(p->hash[i], hash, hash);
		else
			merkle_node_hash(hash, p->hash[i], hash);
		go_up(&w);
	}
	return w.last == 0 && memcmp(hash, root, sizeof hash) == 0;
}

/* old_size is at least 1 and less than new_size. */
static bool check_growth(uint64_t old_size, const uint8_t *old_root, uint64_t new_size, const uint8_t *new_root, const struct merkle_proof *p)
{
	uint8_t was[SHA256_BYTES], is[SHA256_BYTES];
	struct walk w = {old_size - 1, new_size - 1};
	unsigned i = 0;
	while (w.at & 1)
		go_up(&w);
	/* Where the old tree is one perfect subtree of the new, its root begins the way and the proof leaves it out. */
	bool perfect = (old_size & (old_size - 1)) == 0;
	if (!perfect && p->n == 0)
		return false;
	memcpy(was, perfect ? old_root : p->hash[i++], sizeof was);
	memcpy(is, was, sizeof is);
	for (; i < p->n; i++) {
		if (w.last == 0)
			return false;
		if (sibling_is_left(&w)) {
			merkle_node_hash(p->hash[i], was, was);
			merkle_node_hash(p->hash[i], is, is);
		} else {
			merkle_node_hash(is, p->hash[i], is);
		}
		go_up(&w);
	}
	return w.last == 0 && memcmp(was, old_root, sizeof was) == 0 && memcmp(is, new_root, sizeof is) == 0;
}

bool merkle_check_consistency(uint64_t old_size, const uint8_t old_root[SHA256_BYTES], uint64_t new_size,
			      const uint8_t new_root[SHA256_BYTES], const struct merkle_proof *p)
{
	uint8_t empty[SHA256_BYTES];
	if (old_size > new_size || p->n > MERKLE_PROOF_MAX)
		return false;
	sha256("", 0, empty);
	if (old_size == 0 && memcmp(old_root, empty, sizeof empty) != 0)
		return false;
	if (old_size == new_size)
		return p->n == 0 && memcmp(old_root, new_root, SHA256_BYTES) == 0;
	if (old_size == 0)
		return p->n == 0;
	return check_growth(old_size, old_root, new_size, new_root, p);
}
