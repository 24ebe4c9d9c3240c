/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of a b-tree page, alive and dead (sqlite_page.h).
 */
#include <string.h>

#include "db/sqlite_page.h"

enum { INDEX_INTERIOR = 2, TABLE_INTERIOR = 5, INDEX_LEAF = 10, TABLE_LEAF = 13, CELL_MIN = 4, FRAGMENTS_MAX = 60 };

static size_t u16(const unsigned char *p)
{
	return (size_t)p[0] << 8 | p[1];
}

uint32_t sq_u32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

bool sq_page_open(struct sq_page *ret, const unsigned char *page, size_t size, uint32_t number)
{
	size_t head = number == 1 ? SQ_FILE_HEADER : 0;
	unsigned type = page[head];
	if (type != INDEX_INTERIOR && type != TABLE_INTERIOR && type != INDEX_LEAF && type != TABLE_LEAF)
		return false;
	bool interior = type == INDEX_INTERIOR || type == TABLE_INTERIOR;
	*ret = (struct sq_page){.p = page,
				.size = size,
				.head = head,
				.pointers = head + (interior ? 12 : 8),
				.content = u16(page + head + 5),
				.cells = (unsigned)u16(page + head + 3),
				.interior = interior,
				.table = type == TABLE_INTERIOR || type == TABLE_LEAF,
				.right = interior ? sq_u32(page + head + 8) : 0};
	if (ret->content == 0)
		ret->content = SQ_PAGE_MAX; /* 65536 does not fit its two bytes */
	return ret->pointers + 2 * (size_t)ret->cells <= ret->content && ret->content <= size;
}

/* ---- cells ---- */

/* A variable-length integer; 0 where it runs out of the page. */
static size_t varint(const struct sq_page *g, size_t at, uint64_t *ret)
{
	*ret = 0;
	for (size_t i = 0; i < 9 && at + i < g->size; i++) {
		unsigned char b = g->p[at + i];
		if (i == 8) {
			*ret = *ret << 8 | b;
			return 9;
		}
		*ret = *ret << 7 | (b & 0x7f);
		if (b < 0x80)
			return i + 1;
	}
	return 0;
}

/* How much of a payload stands on the page itself (fileformat2, section 1.6). */
static size_t local_bytes(const struct sq_page *g, uint64_t payload)
{
	size_t u = g->size, most = g->table ? u - 35 : (u - 12) * 64 / 255 - 23, least = (u - 12) * 32 / 255 - 23;
	if (payload <= most)
		return (size_t)payload;
	size_t k = least + (size_t)((payload - least) % (u - 4));
	return k <= most ? k : least;
}

static bool payload(const struct sq_page *g, size_t at, uint64_t bytes, struct sq_cell *ret)
{
	if (bytes > INT32_MAX)
		return false;
	size_t local = local_bytes(g, bytes), end = at + local;
	ret->rest = bytes - local;
	if (ret->rest > 0) {
		if (end + 4 > g->size)
			return false;
		ret->overflow = sq_u32(g->p + end);
		end += 4;
	}
	ret->n = end - ret->at;
	return true;
}

bool sq_page_cell(const struct sq_page *g, unsigned i, struct sq_cell *ret)
{
	uint64_t bytes = 0, rowid;
	size_t used, at = u16(g->p + g->pointers + 2 * (size_t)i);
	*ret = (struct sq_cell){.at = at};
	if (at < g->content || at + CELL_MIN > g->size)
		return false;
	if (g->interior) {
		ret->child = sq_u32(g->p + at);
		at += 4;
	}
	if ((used = varint(g, at, &bytes)) == 0)
		return false;
	at += used;
	if (g->table && g->interior) { /* a rowid and nothing else */
		ret->n = at - ret->at;
		return true;
	}
	if (g->table) {
		if ((used = varint(g, at, &rowid)) == 0)
			return false;
		at += used;
	}
	if (!payload(g, at, bytes, ret))
		return false;
	if (ret->n < CELL_MIN)
		ret->n = CELL_MIN;
	return ret->at + ret->n <= g->size;
}

/* ---- what is alive ---- */

static bool claim(unsigned char *live, size_t at, size_t n, unsigned char as)
{
	for (size_t i = at; i < at + n; i++)
		if (live[i] != 0)
			return false;
	memset(live + at, as, n);
	return true;
}

/* Free blocks stand in ascending order, none touching the next; of each its first four bytes mean something. */
static bool blocks(const struct sq_page *g, unsigned char *live)
{
	enum { FREE = 2 };
	for (size_t at = u16(g->p + g->head + 1), last = g->content; at != 0;) {
		if (at < last || at + 4 > g->size)
			return false;
		size_t next = u16(g->p + at), n = u16(g->p + at + 2);
		if (n < 4 || at + n > g->size || !claim(live, at, n, FREE))
			return false;
		last = at + n;
		at = next;
	}
	return true;
}

/* What is neither cell nor free block among the cells is a fragment, and the header counts those. */
static bool fragments(const struct sq_page *g, const unsigned char *live)
{
	size_t n = 0;
	for (size_t i = g->content; i < g->size; i++)
		n += live[i] == 0;
	return n == g->p[g->head + 7] && n <= FRAGMENTS_MAX;
}

static void settle(const struct sq_page *g, unsigned char *live)
{
	for (size_t at = u16(g->p + g->head + 1); at != 0; at = u16(g->p + at)) {
		memset(live + at, 0, u16(g->p + at + 2));
		memset(live + at, 1, 4);
	}
}

bool sq_page_live(const struct sq_page *g, unsigned char *live)
{
	struct sq_cell c;
	memset(live, 0, g->size);
	memset(live, 1, g->pointers + 2 * (size_t)g->cells);
	for (unsigned i = 0; i < g->cells; i++)
		if (!sq_page_cell(g, i, &c) || !claim(live, c.at, c.n, 1))
			return false;
	if (!blocks(g, live) || !fragments(g, live))
		return false;
	settle(g, live);
	return true;
}

bool sq_page_blank(unsigned char *page, size_t size, uint32_t number, unsigned char *live)
{
	struct sq_page g;
	bool changed = false;
	if (!sq_page_open(&g, page, size, number) || !sq_page_live(&g, live))
		return false;
	for (size_t i = 0; i < size; i++)
		if (live[i] == 0 && page[i] != 0) {
			page[i] = 0;
			changed = true;
		}
	return changed;
}
