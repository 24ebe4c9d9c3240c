/* SPDX-License-Identifier: Apache-2.0
 *
 * A signed archive of a log: a zip whose files have the paths of the served log (checkpoint, key, tile/…, tile/entries/…, events/…), so
 * that it can be unpacked and checked by whoever can check a mirror, with a manifest and its Ed25519 signature.
 * docs/formats/audit-archive.md.
 */
#ifndef REEVE_AUDIT_OUT_ARCHIVE_H
#define REEVE_AUDIT_OUT_ARCHIVE_H

#include <stdint.h>

#include "base/err.h"
#include "base/scope.h"
#include "crypto/digest.h"

struct audit_archive {
	int64_t from, until;     /* of activityDateTime, [from, until); 0 and INT64_MAX: everything */
	uint64_t first, end;     /* out: the indexes whose bundles are inside */
	uint64_t events;         /* out: with content */
	uint64_t size;           /* out: of the checkpoint */
	char *checkpoint;        /* out: the note, in the arena */
};

/* Writes the scope's tenant's archive to `path` (0600; replaced), in flat memory, page by page.  The checkpoint covers every event in it.
 * ERR_NOT_FOUND: no checkpoint was signed yet; ERR_UNAVAILABLE: the newest does not cover what was committed when it began, though it was
 * waited for (3 s).  On failure no file stays. */
MUST_CHECK enum err audit_archive_write(struct scope *s, const char *host, const char *path, struct audit_archive *io);

#endif
