/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose each page of the file is (sqlite_walk.h).  First the inner pages of each tree are read, which name all others of it; then the file from its
 * beginning, where each leaf leads to the overflow pages of its cells.  So nearly every page is read once, nearly all in order.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "db/sqlite_page.h"
#include "db/sqlite_walk.h"

enum { LEVELS_MAX = 20, OWNERS_MAX = 1024, HEADER_FREE = 32, HEADER_RESERVED = 20 };
/* What is known of a page; the lower bits are its owner. */
enum { TREE = 0x8000, LEAF = 0x4000, REST = 0x2000, FREE = 0x1000, TRUNK = 0x0800, OWNER = OWNERS_MAX - 1 };

struct walk {
	struct sq_conn *c;
	int fd;
	size_t size, pages, carry;
	sq_see_fn fn;
	void *arg;
	uint16_t *page;
	char owner[OWNERS_MAX][sizeof((struct db_hit *)0)->table]; /* 0: none */
	size_t owners;
	unsigned char *level[LEVELS_MAX];
	unsigned char *leaf, *rest, *live, *before;
};

static enum err odd(uint32_t page, const char *why)
{
	log_event(LOG_ERROR, "db.page", "page=%u detail=\"%s\"", page, why);
	return ERR_IO;
}

static enum err page_read(const struct walk *w, uint32_t number, unsigned char *page)
{
	for (size_t got = 0; got < w->size;) {
		ssize_t r = pread(w->fd, page + got, w->size - got, (off_t)((uint64_t)(number - 1) * w->size + got));
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return odd(number, "it cannot be read");
		got += (size_t)r;
	}
	return OK;
}

/* Each page has one owner: a loop ends here. */
static enum err claim(struct walk *w, uint32_t number, unsigned as)
{
	if (number == 0 || number > w->pages)
		return odd(number, "outside the file");
	if (w->page[number] != 0)
		return odd(number, "of two owners");
	w->page[number] = (uint16_t)as;
	return OK;
}

/* ---- trees ---- */

static enum err tree_level(struct walk *w, int depth)
{
	if (depth >= LEVELS_MAX)
		return ERR_IO;
	if (w->level[depth] == NULL)
		w->level[depth] = malloc(w->size);
	return w->level[depth] == NULL ? ERR_UNAVAILABLE : OK;
}

static enum err child_of(const struct sq_page *g, unsigned i, uint32_t number, uint32_t *ret)
{
	struct sq_cell c = {.child = g->right};
	if (i < g->cells && !sq_page_cell(g, i, &c))
		return odd(number, "a cell that does not fit");
	*ret = c.child;
	return OK;
}

/* How many levels of inner pages there are: as far as the first child leads. */
static enum err tree_height(struct walk *w, uint32_t root, int *ret)
{
	struct sq_page g;
	TRY(tree_level(w, 0));
	for (*ret = 0;; ++*ret) {
		if (*ret == LEVELS_MAX || root == 0 || root > w->pages)
			return odd(root, "no tree");
		TRY(page_read(w, root, w->level[0]));
		if (!sq_page_open(&g, w->level[0], w->size, root))
			return odd(root, "no page of a tree");
		if (!g.interior)
			return OK;
		TRY(child_of(&g, 0, root, &root));
	}
}

static enum err tree_pages(struct walk *w, uint32_t number, unsigned owner, int depth, int height)
{
	struct sq_page g;
	uint32_t child;
	TRY(claim(w, number, owner | TREE | (depth == height ? LEAF : 0)));
	if (depth == height)
		return OK;
	TRY(tree_level(w, depth));
	TRY(page_read(w, number, w->level[depth]));
	if (!sq_page_open(&g, w->level[depth], w->size, number) || !g.interior)
		return odd(number, "not the inner page that it should be");
	for (unsigned i = 0; i <= g.cells; i++) {
		TRY(child_of(&g, i, number, &child));
		TRY(tree_pages(w, child, owner, depth + 1, height));
	}
	return OK;
}

static enum err owner_of(struct walk *w, const char *table, unsigned *ret)
{
	size_t i = 1;
	while (i < w->owners && strcmp(w->owner[i], table) != 0)
		i++;
	if (i == w->owners) {
		if (w->owners == OWNERS_MAX || strlen(table) >= sizeof w->owner[0])
			return ERR_LIMIT;
		memcpy(w->owner[w->owners++], table, strlen(table) + 1);
	}
	*ret = (unsigned)i;
	return OK;
}

static enum err tree(struct walk *w, const char *table, uint32_t root)
{
	int height;
	unsigned owner;
	TRY(owner_of(w, table, &owner));
	TRY(tree_height(w, root, &height));
	return tree_pages(w, root, owner, 0, height);
}

static enum err trees(struct walk *w)
{
	sqlite3_stmt *st = NULL;
	TRY(tree(w, "sqlite_schema", 1));
	if (sqlite3_prepare_v2(w->c->h, "SELECT tbl_name, rootpage FROM sqlite_schema WHERE rootpage > 0", -1, &st, NULL) != SQLITE_OK)
		return sq_error(w->c);
	int rc = SQLITE_DONE;
	enum err e = OK;
	while (e == OK && (rc = sqlite3_step(st)) == SQLITE_ROW)
		e = tree(w, (const char *)sqlite3_column_text(st, 0), (uint32_t)sqlite3_column_int64(st, 1));
	if (e == OK && rc != SQLITE_DONE)
		e = sq_error(w->c);
	sqlite3_finalize(st);
	return e;
}

/* ---- free pages ---- */

/* A list of trunks, each with the numbers of pages that hold nothing. */
static enum err free_pages(struct walk *w)
{
	TRY(page_read(w, 1, w->leaf));
	if (w->leaf[HEADER_RESERVED] != 0)
		return odd(1, "reserved bytes");
	for (uint32_t trunk = sq_u32(w->leaf + HEADER_FREE); trunk != 0; trunk = sq_u32(w->leaf)) {
		TRY(claim(w, trunk, FREE | TRUNK));
		TRY(page_read(w, trunk, w->leaf));
		uint32_t n = sq_u32(w->leaf + 4);
		if (n > w->size / 4 - 2)
			return odd(trunk, "a trunk that is too long");
		for (uint32_t i = 0; i < n; i++)
			TRY(claim(w, sq_u32(w->leaf + 8 + 4 * (size_t)i), FREE));
	}
	return OK;
}

static enum err see_others(struct walk *w)
{
	for (size_t i = 1; i <= w->pages; i++) {
		uint32_t number = (uint32_t)i;
		if ((w->page[i] & (TREE | REST)) != 0)
			continue;
		TRY(page_read(w, number, w->leaf));
		memset(w->live, 0, w->size);
		if ((w->page[i] & TRUNK) != 0)
			memset(w->live, 1, 8 + 4 * (size_t)sq_u32(w->leaf + 4));
		TRY(w->fn(w->arg, &(struct sq_seen){.number = number,
						    .bytes = w->leaf,
						    .live = w->live,
						    .table = w->owner[0],
						    .foreign = (w->page[i] & FREE) == 0}));
	}
	return OK;
}

/* ---- values that go on ---- */

/* The last bytes before the next piece: of the piece before, and of what was kept where that is short. */
static size_t carry_on(struct walk *w, size_t kept, const unsigned char *piece, size_t n)
{
	if (n >= w->carry) {
		memcpy(w->before, piece + n - w->carry, w->carry);
		return w->carry;
	}
	size_t keep = kept + n > w->carry ? w->carry - n : kept;
	memmove(w->before, w->before + kept - keep, keep);
	memcpy(w->before + keep, piece, n);
	return keep + n;
}

static enum err see_rest(struct walk *w, const struct sq_cell *cell, unsigned owner)
{
	uint64_t left = cell->rest;
	size_t kept = carry_on(w, 0, w->leaf + cell->at, cell->n - SQ_NEXT);
	for (uint32_t number = cell->overflow; left > 0; number = sq_u32(w->rest)) {
		TRY(claim(w, number, owner | REST));
		TRY(page_read(w, number, w->rest));
		size_t here = left < w->size - SQ_NEXT ? (size_t)left : w->size - SQ_NEXT;
		memset(w->live, 1, SQ_NEXT + here);
		memset(w->live + SQ_NEXT + here, 0, w->size - SQ_NEXT - here);
		TRY(w->fn(w->arg, &(struct sq_seen){.number = number,
						    .bytes = w->rest,
						    .live = w->live,
						    .table = w->owner[owner],
						    .begin = SQ_NEXT,
						    .before = w->before,
						    .before_n = kept}));
		kept = carry_on(w, kept, w->rest + SQ_NEXT, here);
		left -= here;
	}
	return OK;
}

static enum err see_tree_page(struct walk *w, uint32_t number)
{
	struct sq_page g;
	struct sq_cell cell;
	unsigned owner = w->page[number] & OWNER;
	TRY(page_read(w, number, w->leaf));
	if (!sq_page_open(&g, w->leaf, w->size, number) || g.interior == ((w->page[number] & LEAF) != 0) || !sq_page_live(&g, w->live))
		return odd(number, "it does not add up");
	TRY(w->fn(w->arg, &(struct sq_seen){.number = number, .bytes = w->leaf, .live = w->live, .table = w->owner[owner]}));
	for (unsigned i = 0; i < g.cells; i++)
		if (sq_page_cell(&g, i, &cell) && cell.rest > 0)
			TRY(see_rest(w, &cell, owner));
	return OK;
}

/* ---- all of it ---- */

static enum err walk_all(struct walk *w)
{
	TRY(free_pages(w));
	TRY(trees(w));
	for (size_t i = 1; i <= w->pages; i++)
		if ((w->page[i] & TREE) != 0)
			TRY(see_tree_page(w, (uint32_t)i));
	return see_others(w);
}

static bool room(struct walk *w)
{
	w->page = calloc(w->pages + 1, sizeof *w->page);
	w->leaf = malloc(w->size);
	w->rest = malloc(w->size);
	w->live = malloc(w->size);
	w->before = malloc(w->carry + 1);
	return w->page != NULL && w->leaf != NULL && w->rest != NULL && w->live != NULL && w->before != NULL;
}

static void walk_free(struct walk *w)
{
	for (int i = 0; i < LEVELS_MAX; i++)
		free(w->level[i]);
	free(w->page);
	free(w->leaf);
	free(w->rest);
	free(w->live);
	free(w->before);
	free(w);
}

enum err sq_walk(struct sq_conn *c, int fd, uint64_t bytes, size_t page_bytes, size_t carry, sq_see_fn fn, void *arg)
{
	if (page_bytes < SQ_PAGE_MIN || page_bytes > SQ_PAGE_MAX)
		return ERR_IO;
	struct walk *w = calloc(1, sizeof *w);
	if (w == NULL)
		return ERR_UNAVAILABLE;
	w->c = c;
	w->fd = fd;
	w->size = page_bytes;
	w->pages = (size_t)(bytes / page_bytes);
	w->carry = carry;
	w->fn = fn;
	w->arg = arg;
	w->owners = 1;
	enum err e = room(w) ? walk_all(w) : ERR_UNAVAILABLE;
	walk_free(w);
	return e;
}
