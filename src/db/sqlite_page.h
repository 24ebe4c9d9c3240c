/* SPDX-License-Identifier: Apache-2.0
 *
 * One page of a database file, as https://www.sqlite.org/fileformat2.html describes it: which of its bytes are alive.
 *
 * Pure.  Nothing in a page is believed: a page whose header, pointers, cells, free blocks and fragments do not add up to the byte is refused,
 * and whoever asked leaves it alone.  Pages without reserved bytes (this engine makes no others).
 */
#ifndef REEVE_DB_SQLITE_PAGE_H
#define REEVE_DB_SQLITE_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SQ_FILE_HEADER = 100, SQ_PAGE_MIN = 512, SQ_PAGE_MAX = 65536, SQ_NEXT = 4 /* what an overflow page begins with */ };

struct sq_page {
	const unsigned char *p;
	size_t size;
	size_t pointers, content; /* where the cell pointers and the cells begin */
	size_t head;
	unsigned cells;
	bool interior, table;
	uint32_t right; /* interior: the last child */
};

struct sq_cell {
	size_t at, n;	   /* on this page */
	uint32_t child;	   /* interior */
	uint32_t overflow; /* first page of the rest; 0: none */
	uint64_t rest;	   /* bytes there */
};

uint32_t sq_u32(const unsigned char *p); /* big-endian, as everything in the file */

/* The header of a b-tree page.  number: 1 has the file's header before it.  False: it is none. */
bool sq_page_open(struct sq_page *ret, const unsigned char *page, size_t size, uint32_t number);
/* The cell of the i-th pointer.  False: it does not fit the page. */
bool sq_page_cell(const struct sq_page *g, unsigned i, struct sq_cell *ret);
/* live[0 … size): 1 for each byte that means something, 0 for the gap, the bodies of free blocks, and fragments.  False: the page does not
 * add up. */
bool sq_page_live(const struct sq_page *g, unsigned char *live);

/* Zeroes what is dead on a b-tree page, in `page` itself.  `live` is room for `size` bytes.  False: nothing to do, or not a page to touch. */
bool sq_page_blank(unsigned char *page, size_t size, uint32_t number, unsigned char *live);

#endif
