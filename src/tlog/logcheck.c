/* SPDX-License-Identifier: Apache-2.0
 *
 * From the top: the signed root says whether the tiles at the right edge are good, each hash in a tile whether the full tile below it is, and
 * tile 0 whether a bundle is.  So each hash is computed once, what is found wrong is always judged by something that was signed, and
 * only one tile of each level is in memory.  Where something is wrong, the files below it tell the place.
 */
#include "tlog/logcheck.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef uint8_t hash_row[TILE_WIDTH][SHA256_BYTES];

struct check {
	struct scope *s;
	const struct log_source *src;
	struct log_report *r;
	uint64_t size;
	struct buf buf;
	char path[TILE_PATH_MAX];    /* of what buf holds, or would */
	bool whole;                  /* what buf holds has the length of its path */
	unsigned width[TILE_LEVELS]; /* of the tile at the right edge, 0: the row ends with a full one */
	hash_row edge[TILE_LEVELS], row[TILE_LEVELS], leaf, commitment;
};

/* ---- what is wrong ---- */

static enum err wrong(struct check *c, const char *path, const char *why)
{
	c->r->bad_path = arena_strdup(c->s->arena, path);
	return scope_fail(c->s, ERR_CONFLICT, "%s: %s", path, why);
}

/* One of the entries [from, from + n). */
static enum err wrong_at(struct check *c, const char *path, uint64_t from, uint64_t n, const char *why)
{
	c->r->has_bad_index = true;
	c->r->bad_index = from;
	c->r->bad_end = from + n;
	c->r->bad_path = arena_strdup(c->s->arena, path);
	if (n == 1)
		return scope_fail(c->s, ERR_CONFLICT, "%s: %s (entry %" PRIu64 ")", path, why, from);
	return scope_fail(c->s, ERR_CONFLICT, "%s: %s (one of the entries %" PRIu64 " to %" PRIu64 ")", path, why, from, from + n - 1);
}

/* How many entries a hash of that level stands for. */
static uint64_t span(unsigned level)
{
	return (uint64_t)1 << (8 * level);
}

static uint64_t first_entry(const struct tile *t)
{
	return t->index * TILE_WIDTH * span(t->level);
}

/* ---- reading ---- */

static enum err read_path(struct check *c)
{
	struct arena_mark mark = arena_mark(c->s->arena);
	char *detail = c->s->detail;
	buf_clear(&c->buf);
	enum err e = c->src->read(c->src->arg, c->s, c->path, &c->buf);
	if (e == OK || e == ERR_NOT_FOUND) {
		c->s->detail = detail; /* what was not found may stand elsewhere */
		arena_rewind(c->s->arena, mark);
	}
	return e;
}

/* The file of a tile or bundle into buf.  A partial file may be gone once there is the full one, of which it is the beginning. */
static enum err read_file(struct check *c, const struct tile *t)
{
	struct tile full = *t;
	size_t each = t->entries ? 2 + ENTRY_BYTES : SHA256_BYTES, width = t->width;
	tile_path(t, c->path);
	enum err e = read_path(c);
	if (e == ERR_NOT_FOUND && t->width < TILE_WIDTH) {
		full.width = TILE_WIDTH;
		tile_path(&full, c->path);
		e = read_path(c);
		if (e == OK)
			width = TILE_WIDTH;
		else
			tile_path(t, c->path);
	}
	if (e == ERR_NOT_FOUND)
		return wrong_at(c, c->path, first_entry(t), t->width * span(t->level), "the file is missing");
	c->whole = e == OK && !c->buf.failed && c->buf.len == width * each;
	return e;
}

static enum err read_tile(struct check *c, const struct tile *t, uint8_t (*out)[SHA256_BYTES])
{
	TRY(read_file(c, t));
	if (!c->whole)
		return wrong_at(c, c->path, first_entry(t), t->width * span(t->level), "the file has the wrong length");
	memcpy(out, c->buf.data, t->width * SHA256_BYTES);
	c->r->tiles++;
	return OK;
}

static bool is_outside(const struct check *c, uint64_t bundle)
{
	return bundle < c->src->first_bundle || bundle >= c->src->end_bundle;
}

/* ---- bundles ---- */

/* Of the bundle in buf, the first of n entries that is not the one that was hashed; n where only something follows them. */
static unsigned first_wrong_entry(const struct check *c, unsigned n, const uint8_t (*hashes)[SHA256_BYTES])
{
	const size_t each = 2 + ENTRY_BYTES;
	unsigned i = 0;
	for (; i < n && (i + 1) * each <= c->buf.len; i++) {
		uint8_t commitment[1][SHA256_BYTES], hash[1][SHA256_BYTES];
		if (!bundle_read(c->buf.data + i * each, each, 1, commitment))
			break;
		entry_hashes((const void *)commitment, 1, hash);
		if (memcmp(hash[0], hashes[i], SHA256_BYTES) != 0)
			break;
	}
	return i;
}

static enum err check_bundle(struct check *c, uint64_t index, unsigned n, const uint8_t (*hashes)[SHA256_BYTES])
{
	struct tile t = {.entries = true, .index = index, .width = n};
	if (n == 0 || is_outside(c, index))
		return OK;
	TRY(read_file(c, &t));
	bool good = c->whole && bundle_read(c->buf.data, (size_t)n * (2 + ENTRY_BYTES), n, c->commitment);
	if (good) {
		entry_hashes((const void *)c->commitment, n, c->leaf);
		good = memcmp(c->leaf, hashes, (size_t)n * SHA256_BYTES) == 0;
	}
	if (!good) {
		unsigned at = first_wrong_entry(c, n, hashes);
		return at < n ? wrong_at(c, c->path, index * TILE_WIDTH + at, 1, "the entry is not the one that was signed")
			      : wrong_at(c, c->path, index * TILE_WIDTH, n, "the file has the wrong length");
	}
	c->r->bundles++;
	if (c->src->entries != NULL)
		TRY(c->src->entries(c->src->arg, c->s, index * TILE_WIDTH, (const void *)c->commitment, n));
	if (c->src->progress != NULL)
		c->src->progress(c->src->arg, index * TILE_WIDTH + n, c->size);
	return OK;
}

/* ---- the place of what is wrong ---- */

/* The hash at place `at` of a tile, made from the file below.  False where that cannot be read. */
static bool make_hash(struct check *c, const struct tile *t, unsigned at, uint8_t out[SHA256_BYTES])
{
	struct log_report before = *c->r;
	char *detail = c->s->detail;
	struct tile child = {.level = t->level - 1, .index = t->index * TILE_WIDTH + at, .width = TILE_WIDTH};
	bool good = !(t->level == 1 && is_outside(c, child.index)) && read_tile(c, &child, c->row[child.level]) == OK;
	*c->r = before;
	c->s->detail = detail;
	if (good)
		merkle_perfect_root((const void *)c->row[child.level], TILE_WIDTH, out);
	return good;
}

/* The first place at which a tile differs from what is below it, t->width where it does not; made: what it would be then. */
static unsigned first_difference(struct check *c, const struct tile *t, const uint8_t (*hashes)[SHA256_BYTES], uint8_t made[SHA256_BYTES])
{
	struct tile bundle = {.entries = true, .index = t->index, .width = t->width};
	if (t->level == 0) {
		struct log_report before = *c->r;
		char *detail = c->s->detail;
		bool good = !is_outside(c, t->index) && read_file(c, &bundle) == OK && c->whole &&
			    bundle_read(c->buf.data, (size_t)t->width * (2 + ENTRY_BYTES), t->width, c->commitment);
		*c->r = before;
		c->s->detail = detail;
		if (!good)
			return t->width;
		entry_hashes((const void *)c->commitment, t->width, c->leaf);
	}
	for (unsigned i = 0; i < t->width; i++) {
		if (t->level == 0)
			memcpy(made, c->leaf[i], SHA256_BYTES);
		else if (!make_hash(c, t, i, made))
			continue;
		if (memcmp(made, hashes[i], SHA256_BYTES) != 0)
			return i;
	}
	return t->width;
}

/* A full tile whose root is not the hash above it. */
static enum err tile_is_wrong(struct check *c, const struct tile *t)
{
	static const char why[] = "the tile is not the one that was signed";
	uint8_t made[SHA256_BYTES];
	unsigned at = first_difference(c, t, (const void *)c->row[t->level], made);
	char path[TILE_PATH_MAX];
	tile_path(t, path);
	if (at == t->width)
		return wrong_at(c, path, first_entry(t), t->width * span(t->level), why);
	return wrong_at(c, path, first_entry(t) + at * span(t->level), span(t->level), why);
}

/* ---- the tree ---- */

static struct tile edge_tile(const struct check *c, unsigned level)
{
	return (struct tile){.level = level, .index = (c->size >> (8 * level)) / TILE_WIDTH, .width = c->width[level]};
}

static enum err read_edge(struct check *c)
{
	for (unsigned level = TILE_LEVELS; level-- > 0;) {
		c->width[level] = (c->size >> (8 * level)) % TILE_WIDTH;
		struct tile t = edge_tile(c, level);
		if (t.width > 0)
			TRY(read_tile(c, &t, c->edge[level]));
	}
	return OK;
}

/* The bits of a size are the perfect subtrees of its tree, largest first; eight of them are in one tile. */
static bool edge_has_root(const struct check *c)
{
	struct merkle_range r = {.size = c->size};
	uint8_t root[SHA256_BYTES];
	for (unsigned level = TILE_LEVELS; level-- > 0;)
		for (unsigned at = 0, bit = TILE_WIDTH / 2; bit > 0; bit /= 2)
			if (c->width[level] & bit) {
				merkle_perfect_root((const void *)(c->edge[level] + at), bit, r.root[r.count++]);
				at += bit;
			}
	merkle_root(&r, root);
	return memcmp(root, c->r->head.root, sizeof root) == 0;
}

/* Nothing signed tells which of the tiles at the edge is wrong: the one that, made anew from what is below it, gives the root; or else the
 * first that differs from it. */
static enum err edge_is_wrong(struct check *c)
{
	static const char why[] = "the tile is not the one that was signed";
	uint8_t made[SHA256_BYTES], was[SHA256_BYTES];
	struct tile blame = {.width = 0};
	unsigned blame_at = 0;
	for (unsigned level = 0; level < TILE_LEVELS; level++) {
		struct tile t = edge_tile(c, level);
		unsigned at = first_difference(c, &t, (const void *)c->edge[level], made);
		if (at == t.width)
			continue;
		memcpy(was, c->edge[level][at], sizeof was);
		memcpy(c->edge[level][at], made, sizeof made);
		bool cured = edge_has_root(c);
		memcpy(c->edge[level][at], was, sizeof was);
		if (blame.width == 0 || cured) {
			blame = t;
			blame_at = at;
		}
		if (cured)
			break;
	}
	if (blame.width == 0)
		return wrong(c, "checkpoint", "the tiles' root is not the one that was signed");
	char path[TILE_PATH_MAX];
	tile_path(&blame, path);
	return wrong_at(c, path, first_entry(&blame) + blame_at * span(blame.level), span(blame.level), why);
}

static enum err check_tile(struct check *c, unsigned level, uint64_t index, const uint8_t want[SHA256_BYTES]);

static enum err check_below(struct check *c, const struct tile *t, const uint8_t (*hashes)[SHA256_BYTES])
{
	if (t->level == 0)
		return check_bundle(c, t->index, t->width, hashes);
	for (unsigned i = 0; i < t->width; i++) {
		uint64_t child = t->index * TILE_WIDTH + i;
		if (t->level > 1 || !is_outside(c, child))
			TRY(check_tile(c, t->level - 1, child, hashes[i]));
	}
	return OK;
}

/* A full tile.  At most TILE_LEVELS of these calls are in one another. */
static enum err check_tile(struct check *c, unsigned level, uint64_t index, const uint8_t want[SHA256_BYTES])
{
	struct tile t = {.level = level, .index = index, .width = TILE_WIDTH};
	uint8_t root[SHA256_BYTES];
	TRY(read_tile(c, &t, c->row[level]));
	merkle_perfect_root((const void *)c->row[level], TILE_WIDTH, root);
	if (memcmp(root, want, sizeof root) != 0)
		return tile_is_wrong(c, &t);
	return check_below(c, &t, (const void *)c->row[level]);
}

static enum err check_tree(struct check *c)
{
	TRY(read_edge(c));
	if (!edge_has_root(c))
		return edge_is_wrong(c);
	for (unsigned level = TILE_LEVELS; level-- > 0;) {
		struct tile t = edge_tile(c, level);
		TRY(check_below(c, &t, (const void *)c->edge[level]));
	}
	return OK;
}

/* ---- the heads ---- */

static enum err check_checkpoint(struct check *c, const struct note_key *keys, size_t n)
{
	struct log_report *r = c->r;
	struct scope inner = *c->s;
	struct note_seen *seen = arena_alloc(c->s->arena, (n + 1) * sizeof *seen);
	char *text;
	snprintf(c->path, sizeof c->path, "checkpoint");
	enum err e = read_path(c);
	if (e == ERR_NOT_FOUND || (e == OK && c->buf.len == 0))
		return wrong(c, "checkpoint", "the file is missing or empty");
	if (e != OK)
		return e;
	r->note = arena_strndup(c->s->arena, c->buf.data, c->buf.len);
	inner.detail = NULL;
	if (c->buf.failed)
		return wrong(c, "checkpoint", "the file is too large");
	if (note_open(&inner, c->buf.data, c->buf.len, keys, n, &text, seen) != OK || checkpoint_parse(&inner, text, &r->head) != OK)
		return wrong(c, "checkpoint", inner.detail);
	for (size_t i = 0; i < n; i++)
		if (seen[i].signed_ && keys[i].type == NOTE_ED25519 && strcmp(keys[i].name, r->head.origin) == 0)
			return OK;
	return wrong(c, "checkpoint", "it is not signed by the log's key");
}

static enum err check_not_shorter(struct check *c, const struct log_head *before)
{
	if (before == NULL || before->size <= c->size)
		return OK;
	c->r->has_bad_index = true;
	c->r->bad_index = c->size;
	c->r->bad_end = before->size;
	c->r->bad_path = "checkpoint";
	return scope_fail(c->s, ERR_CONFLICT, "checkpoint: the log has %" PRIu64 " entries, and had %" PRIu64 " before", c->size, before->size);
}

static enum err read_for_proof(void *arg, const struct tile *t, const uint8_t (**ret)[SHA256_BYTES])
{
	struct check *c = arg;
	if (t->level == 0 && t->width == TILE_WIDTH && is_outside(c, t->index))
		return scope_fail(c->s, ERR_NOT_FOUND, "the archive does not hold the tile that shows whether it continues the head seen before");
	TRY(read_tile(c, t, c->row[0]));
	*ret = (const void *)c->row[0];
	return OK;
}

/* By a proof, which the tiles cannot fake, so that it matters not whether they are still those that were checked. */
static enum err check_continues(struct check *c, const struct log_head *before)
{
	struct tile_tree tree = {.size = c->size, .read = read_for_proof, .arg = c};
	struct merkle_proof proof;
	uint64_t tiles = c->r->tiles;
	if (before == NULL || before->size == 0)
		return OK;
	TRY(tile_tree_consistency(&tree, before->size, &proof));
	c->r->tiles = tiles;
	if (merkle_check_consistency(before->size, before->root, c->size, c->r->head.root, &proof))
		return OK;
	c->r->bad_path = "checkpoint";
	return scope_fail(c->s, ERR_CONFLICT, "checkpoint: the log does not continue the head of %" PRIu64 " entries seen before", before->size);
}

enum err log_check(struct scope *s, const struct log_source *src, const struct note_key *keys, size_t n, const struct log_head *before,
		   struct log_report *ret)
{
	struct check *c = arena_alloc(s->arena, sizeof *c);
	memset(ret, 0, sizeof *ret);
	c->s = s;
	c->src = src;
	c->r = ret;
	buf_init(&c->buf, NOTE_BYTES_MAX);
	enum err e = check_checkpoint(c, keys, n);
	c->size = ret->head.size;
	if (e == OK)
		e = check_not_shorter(c, before);
	if (e == OK)
		e = check_tree(c);
	if (e == OK)
		e = check_continues(c, before);
	buf_release(&c->buf);
	return e;
}
