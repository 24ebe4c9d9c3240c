/* SPDX-License-Identifier: Apache-2.0
 *
 * The log's tree as it is stored: audit_tiles holds 256 commitments (level 0) or 256 roots (above) to a row, the last of each level being
 * rewritten until it is full.  Leaf hashes and entry bundles are derived from the commitments.  32.13 bytes an event, for ever.
 */
#ifndef REEVE_AUDIT_LOG_TILES_H
#define REEVE_AUDIT_LOG_TILES_H

#include "db/db.h"
#include "tlog/tile.h"

/* The first t->width values of a row in the arena: commitments for a bundle, else hashes.  ERR_NOT_FOUND where the row is missing or
 * shorter, without a detail. */
MUST_CHECK enum err audit_tiles_read(struct db_tx *tx, const struct tile *t, const uint8_t (**ret)[SHA256_BYTES]);

/* The scope's tenant's tree at a size, for tile_tree_*(); valid in the transaction. */
struct tile_tree audit_tiles_tree(struct db_tx *tx, uint64_t size);

/* ---- of any tenant, in a transaction of the system's ---- */

struct audit_tiles {
	struct db_tx *tx;
	struct id tenant;
};

/* Appends commitments behind a log of size `at`.  ERR_CONFLICT where the tiles do not hold what a log of that size must. */
MUST_CHECK enum err audit_tiles_append(const struct audit_tiles *log, uint64_t at, const uint8_t (*commitments)[SHA256_BYTES], size_t n);
MUST_CHECK enum err audit_tiles_read_of(const struct audit_tiles *log, const struct tile *t, const uint8_t (**ret)[SHA256_BYTES]);
struct tile_tree audit_tiles_tree_of(const struct audit_tiles *log, uint64_t size); /* log must outlive it */
/* How many commitments there are. */
MUST_CHECK enum err audit_tiles_count(const struct audit_tiles *log, uint64_t *ret);
/* Whether every level above the commitments is as long as a log of that size needs. */
MUST_CHECK enum err audit_tiles_complete(const struct audit_tiles *log, uint64_t size, bool *ret);

/* Makes the levels above the commitments again, in transactions of its own and short ones: those rows that are missing or too short, or all
 * that are not what the level below says.  s: a system scope.  ERR_CONFLICT where commitments are missing. */
MUST_CHECK enum err audit_tiles_rebuild(struct scope *s, struct id tenant, uint64_t size, bool all);

#endif
