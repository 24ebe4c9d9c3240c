/* SPDX-License-Identifier: Apache-2.0
 * A file that appears whole and on disk, or not at all: written as "<path>.new" (0600), fsynced, renamed over <path>,
 * and the directory fsynced.  A leftover "<path>.new" of a crash is overwritten by the next attempt.  One writer for
 * each path.  Errors: ERR_STORAGE_FULL, ERR_NOT_FOUND (no such directory), ERR_IO. */
#ifndef REEVE_CRYPTO_NEWFILE_H
#define REEVE_CRYPTO_NEWFILE_H

#include <stddef.h>

#include "base/err.h"

struct newfile {
	int dir, fd;
	char *name, *temp; /* within dir */
};

/* `at`: a directory's descriptor that a relative path starts from, or AT_FDCWD. */
MUST_CHECK enum err newfile_begin(struct newfile *f, int at, const char *path);
MUST_CHECK enum err newfile_write(struct newfile *f, const void *p, size_t n);
MUST_CHECK enum err newfile_commit(struct newfile *f);                              /* ends f, also where it fails */
void newfile_abandon(struct newfile *f);                                            /* ends f; nothing stays */
MUST_CHECK enum err newfile_put(int at, const char *path, const void *p, size_t n); /* all of it in one call */

MUST_CHECK enum err err_from_errno(int e);
MUST_CHECK enum err write_all(int fd, const void *p, size_t n);

#endif
