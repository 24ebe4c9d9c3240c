/* SPDX-License-Identifier: Apache-2.0
 *
 * The log's tree as it is stored: audit_tiles holds 256 commitments (level 0) or 256 roots (above) to a row, the last of each level being
 * rewritten until it is full.  Leaf hashes and entry bundles are derived from the commitments.  32.13 bytes an event, for ever.
 */
#ifndef REEVE_AUDIT_AUDIT_TILES_H
#define REEVE_AUDIT_AUDIT_TILES_H

#include "db/db.h"
#include "tlog/tile.h"

/* Appends commitments behind a log of size `at`, in the caller's write transaction.  ERR_CONFLICT where the tiles do not hold what a log of
 * that size must. */
MUST_CHECK enum err audit_tiles_append(struct db_tx *tx, uint64_t at, const uint8_t (*commitments)[SHA256_BYTES], size_t n);

/* The first t->width values of a row in the arena: commitments for a bundle, else hashes.  ERR_NOT_FOUND where the row is missing or
 * shorter, without a detail. */
MUST_CHECK enum err audit_tiles_read(struct db_tx *tx, const struct tile *t, const uint8_t (**ret)[SHA256_BYTES]);

/* The scope's tenant's tree at a size, for tile_tree_*(); valid in the transaction. */
struct tile_tree audit_tiles_tree(struct db_tx *tx, uint64_t size);

#endif
