/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks a whole log from its public files alone, wherever they come from: the checkpoint's signature, every bundle, every tile at
 * every level byte for byte, the root, and that it continues a head seen before.  Memory does not grow with the log.  Pure but for the
 * source's own reading.
 */
#ifndef REEVE_TLOG_LOGCHECK_H
#define REEVE_TLOG_LOGCHECK_H

#include "base/err.h"
#include "base/scope.h"
#include "tlog/note.h"
#include "tlog/tile.h"

/* Reads a file of the log by its path behind the prefix ("checkpoint", "tile/0/000") into buf (cleared before, bounded by what can be right).
 * ERR_NOT_FOUND where there is none; any other error ends the check and is passed on.  What it puts in the scope's arena goes when it returns. */
struct log_source {
	enum err (*read)(void *arg, struct scope *s, const char *path, struct buf *ret);
	void *arg;
	void (*progress)(void *arg, uint64_t done, uint64_t of); /* may be NULL */
	/* For each bundle once the tree above it was found good: 256 commitments (fewer in the last) from index on; may be NULL. */
	enum err (*entries)(void *arg, struct scope *s, uint64_t index, const uint8_t (*commitments)[SHA256_BYTES], unsigned n);
	/* An archive of a period holds the bundles [first_bundle, end_bundle) and the tiles of level 0 over them only; the tree over the others is
	 * then checked from level 1.  The last tile of each level, where it is not full, must always be there.  0 and UINT64_MAX: all. */
	uint64_t first_bundle, end_bundle;
};

struct log_head { /* seen before; size 0: nothing */
	uint64_t size;
	uint8_t root[SHA256_BYTES];
};

struct log_report {
	struct checkpoint head;
	char *note;            /* the checkpoint as it was read */
	uint64_t tiles, bundles;
	bool has_bad_index;
	uint64_t bad_index;    /* of the first entry that is not what was signed, … */
	uint64_t bad_end;      /* … or of the first of those of which one is not: [bad_index, bad_end) */
	const char *bad_path;  /* the file that is wrong or missing, in the arena; NULL: none */
};

/* keys: those of the log (type 0x01), of which the checkpoint's origin is the name.  *ret is filled as far as the check came, also where it
 * fails.  ERR_CONFLICT with a detail that names the place: what is there is not what was signed, or the log does not continue `before`
 * (NULL or size 0: nothing seen).  ERR_NOT_FOUND: the archive of a period does not hold what it takes to compare it with `before`. */
MUST_CHECK enum err log_check(struct scope *s, const struct log_source *src, const struct note_key *keys, size_t n,
			      const struct log_head *before, struct log_report *ret);

#endif
