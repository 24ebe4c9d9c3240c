/* SPDX-License-Identifier: Apache-2.0
 *
 * Every page of a database file that stands still, once: whose it is, and which of its bytes are alive.
 */
#ifndef REEVE_DB_SQLITE_WALK_H
#define REEVE_DB_SQLITE_WALK_H

#include "db/sqlite_internal.h"

struct sq_seen {
	uint32_t number;
	const unsigned char *bytes; /* the page */
	const unsigned char *live;  /* 1 for each of its bytes that means something (sqlite_page.h) */
	const char *table;	    /* of an index: its table's; "" of no table */
	bool foreign;		    /* neither of a table nor on the list of free pages: only to be looked at */
	size_t begin;		    /* of an overflow page: where its share of the value begins; else 0 */
	const unsigned char *before; /* what the value held just before that: `carry` bytes or fewer */
	size_t before_n;
};

typedef enum err (*sq_see_fn)(void *arg, const struct sq_seen *seen);

/* The whole file behind fd, as `c` has it in its read transaction: pages of tables and indexes in their order in the file, each value that goes
 * on elsewhere followed there, then the free pages.  Memory: two bytes a page.  ERR_IO also where the file contradicts itself: a page of
 * two owners, or one that does not add up. */
MUST_CHECK enum err sq_walk(struct sq_conn *c, int fd, uint64_t bytes, size_t page_bytes, size_t carry, sq_see_fn fn, void *arg);

#endif
