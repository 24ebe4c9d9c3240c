/* SPDX-License-Identifier: Apache-2.0
 *
 * A zip file written in one pass (libarchive), entry by entry, and the SHA-256 of each entry is left to the caller.
 */
#ifndef REEVE_CODEC_ZIP_H
#define REEVE_CODEC_ZIP_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct zip_writer;

/* path is created with mode 0600; an existing file is replaced.  ERR_IO, ERR_STORAGE_FULL. */
MUST_CHECK enum err zip_open(const char *path, struct zip_writer **ret);
/* The same into a function, which keeps its own failure and is not called again after it: what is finished is the caller's to make durable.
 * level: of deflate, 1 (fast) to 9. */
typedef enum err (*zip_out_fn)(void *arg, const void *bytes, size_t n);
MUST_CHECK enum err zip_open_out(zip_out_fn out, void *arg, int level, struct zip_writer **ret);
/* name is a relative path of printable ASCII that stays inside the folder it is unpacked in, or it is ERR_BAD_REQUEST.
 * */
MUST_CHECK enum err zip_add(struct zip_writer *z, const char *name, const void *bytes, size_t n, int64_t mtime_us);
/* An entry whose size is not known before: begun, then put piece by piece; the next entry or zip_finish() ends it. */
MUST_CHECK enum err zip_begin(struct zip_writer *z, const char *name, int64_t mtime_us);
MUST_CHECK enum err zip_put(struct zip_writer *z, const void *bytes, size_t n);
MUST_CHECK enum err zip_finish(struct zip_writer *z); /* flushes, fsyncs, frees; on failure the file is removed */
void zip_abort(struct zip_writer *z);                 /* removes the file, frees; NULL is allowed */

/* Reads one entry whole (tests, `export verify`); the caller frees, and a NUL follows that *ret_n does not count.
 * ERR_NOT_FOUND (file or entry), ERR_LIMIT past max_bytes, ERR_BAD_REQUEST where two entries have the name (unzip would
 * show the other one), ERR_IO where the file cannot be read or is damaged. */
MUST_CHECK enum err zip_read(const char *path, const char *name, size_t max_bytes, char **ret, size_t *ret_n);

struct zip_limits {
	size_t entry_bytes;   /* of one entry, unpacked */
	uint64_t total_bytes; /* of all of them */
	uint64_t entries;
};
/* One entry whole; bytes are valid during the call.  What it returns other than OK ends the reading. */
typedef enum err (*zip_entry_fn)(void *arg, const char *name, const char *bytes, size_t n);
/* Every file in the order of the central directory.  ERR_LIMIT past a limit (checked while unpacking, not believed from the header);
 * ERR_BAD_REQUEST: a name that zip_add() would refuse, or an entry that is neither file nor folder; ERR_NOT_FOUND, ERR_IO as above. */
MUST_CHECK enum err zip_each(const char *path, const struct zip_limits *limits, zip_entry_fn fn, void *arg);

#endif
