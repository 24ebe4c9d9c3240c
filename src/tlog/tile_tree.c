/* SPDX-License-Identifier: Apache-2.0
 *
 * Roots and proofs from tiles.  Whatever is asked comes down to the roots of perfect subtrees, each of which is the root of some hashes
 * side by side in one tile.  So all that are needed are listed first, then every tile is read once for all that it gives, and the
 * list is folded.
 */
#include <string.h>

#include "tlog/tile.h"

/* A proof is at most 63 perfect siblings, one of them replaced by the roots that a ragged right edge decomposes into. */
enum { NODES_MAX = 2 * 64 };

struct node {
	struct tile tile;
	unsigned at, n; /* hashes [at, at + n) of the tile */
	uint8_t hash[SHA256_BYTES];
};

struct plan {
	const struct tile_tree *tree;
	unsigned n, groups;
	unsigned end[NODES_MAX]; /* group g is the nodes [end[g-1], end[g]), folded into one hash */
	struct node node[NODES_MAX];
};

static uint64_t highest_bit(uint64_t v)
{
	return (uint64_t)1 << (63 - __builtin_clzll(v));
}

/* The subtree over the leaves [from, from + n), n a power of two that divides from. */
static void want_perfect(struct plan *p, uint64_t from, uint64_t n)
{
	unsigned height = (unsigned)__builtin_ctzll(n), level = height / 8;
	uint64_t place = from >> (8 * level); /* of its first hash in the level's row */
	check(p->n < NODES_MAX);
	struct node *node = &p->node[p->n++];
	node->tile = (struct tile){.level = level, .index = place / TILE_WIDTH};
	node->tile.width = tile_width(p->tree->size, level, node->tile.index);
	node->at = (unsigned)(place % TILE_WIDTH);
	node->n = 1u << (height % 8);
}

/* The tree over the leaves [from, to), as one hash of the answer.  from is a multiple of each power of two below to - from. */
static void want(struct plan *p, uint64_t from, uint64_t to)
{
	while (from < to) {
		uint64_t n = highest_bit(to - from);
		want_perfect(p, from, n);
		from += n;
	}
	p->end[p->groups++] = p->n;
}

static bool same_tile(const struct tile *a, const struct tile *b)
{
	return a->level == b->level && a->index == b->index;
}

static enum err resolve(struct plan *p)
{
	bool have[NODES_MAX] = {false};
	for (unsigned i = 0; i < p->n; i++) {
		const uint8_t(*hashes)[SHA256_BYTES];
		if (have[i])
			continue;
		TRY(p->tree->read(p->tree->arg, &p->node[i].tile, &hashes));
		for (unsigned k = i; k < p->n; k++) {
			struct node *node = &p->node[k];
			if (have[k] || !same_tile(&node->tile, &p->node[i].tile))
				continue;
			merkle_perfect_root(hashes + node->at, node->n, node->hash);
			have[k] = true;
		}
	}
	return OK;
}

/* One hash for a group: the roots from the right to the left, as merkle_root() does. */
static void fold(const struct plan *p, unsigned group, uint8_t out[SHA256_BYTES])
{
	unsigned from = group > 0 ? p->end[group - 1] : 0, i = p->end[group] - 1;
	memcpy(out, p->node[i].hash, SHA256_BYTES);
	while (i-- > from)
		merkle_node_hash(p->node[i].hash, out, out);
}

enum err tile_tree_root_at(const struct tile_tree *t, uint64_t size, uint8_t out[SHA256_BYTES])
{
	struct plan p = {.tree = t};
	if (size > t->size)
		return ERR_NOT_FOUND;
	if (size == 0) {
		sha256("", 0, out);
		return OK;
	}
	want(&p, 0, size);
	TRY(resolve(&p));
	fold(&p, 0, out);
	return OK;
}

enum err tile_tree_root(const struct tile_tree *t, uint8_t out[SHA256_BYTES])
{
	return tile_tree_root_at(t, t->size, out);
}

/* The groups were listed from the root down; a proof goes from the leaf up. */
static enum err answer(struct plan *p, struct merkle_proof *ret)
{
	TRY(resolve(p));
	ret->n = p->groups;
	for (unsigned g = 0; g < p->groups; g++)
		fold(p, p->groups - 1 - g, ret->hash[g]);
	return OK;
}

enum err tile_tree_inclusion(const struct tile_tree *t, uint64_t index, struct merkle_proof *ret)
{
	struct plan p = {.tree = t};
	uint64_t from = 0, to = t->size;
	if (index >= t->size)
		return ERR_NOT_FOUND;
	while (to - from > 1) {
		uint64_t middle = from + highest_bit(to - from - 1);
		if (index < middle) {
			want(&p, middle, to);
			to = middle;
		} else {
			want(&p, from, middle);
			from = middle;
		}
	}
	return answer(&p, ret);
}

enum err tile_tree_consistency(const struct tile_tree *t, uint64_t old_size, struct merkle_proof *ret)
{
	struct plan p = {.tree = t};
	uint64_t from = 0, to = t->size;
	if (old_size > t->size)
		return ERR_NOT_FOUND;
	ret->n = 0;
	if (old_size == 0 || old_size == t->size)
		return OK;
	while (to != old_size) { /* until [from, to) is the last perfect subtree of the old tree */
		uint64_t middle = from + highest_bit(to - from - 1);
		if (old_size <= middle) {
			want(&p, middle, to);
			to = middle;
		} else {
			want(&p, from, middle);
			from = middle;
		}
	}
	if (from > 0) /* else it is the old tree itself, whose root the verifier has */
		want(&p, from, to);
	return answer(&p, ret);
}
