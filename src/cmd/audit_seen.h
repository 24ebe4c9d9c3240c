/* SPDX-License-Identifier: Apache-2.0
 *
 * Heads of logs that were seen and found good, so that the next look finds a log that went back, forked or changed its key.  A text file, one
 * line a log: origin, size, root (base64), key (vkey), when.  Written whole and atomically, after success only.
 */
#ifndef REEVE_CMD_AUDIT_SEEN_H
#define REEVE_CMD_AUDIT_SEEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/scope.h"
#include "crypto/digest.h"

enum { SEEN_BYTES_MAX = 4 * 1024 * 1024 };

struct seen_head {
	const char *origin, *vkey;
	uint64_t size;
	uint8_t root[SHA256_BYTES];
	int64_t at;
};

struct seen {
	const char *file;
	struct seen_head *head;
	size_t n;
};

/* $XDG_STATE_HOME/reeve/heads or ~/.local/state/reeve/heads; NULL without a home. */
char *seen_default_file(struct arena *a);
/* Everything in the arena.  No file: nothing was seen.  ERR_CONFIG with a detail that names file and line; ERR_IO. */
MUST_CHECK enum err seen_load(struct scope *s, const char *file, struct seen *ret);
MUST_CHECK enum err seen_parse(struct scope *s, const char *file, const char *text, struct seen *ret);
/* NULL: none of that origin. */
const struct seen_head *seen_find(const struct seen *seen, const char *origin);
/* The same log under another generation ("<host>/log/<tenant>" and "<host>/log/<tenant>.2"), the last in the file; NULL: none. */
const struct seen_head *seen_sibling(const struct seen *seen, const char *origin);
/* The same log under a higher generation. */
const struct seen_head *seen_later(const struct seen *seen, const char *origin);
/* Adds or replaces one line of the file as it is now; a missing directory of the file is made (0700).  Errors as newfile_put(). */
MUST_CHECK enum err seen_store(struct scope *s, const char *file, const struct seen_head *head);

#endif
