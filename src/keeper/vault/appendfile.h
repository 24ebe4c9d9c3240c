/* SPDX-License-Identifier: Apache-2.0
 * A file that only grows, by whole records: an append is on disk when it returns OK, and has left no trace when it does
 * not.  One user at a time (its owner holds a lock). */
#ifndef REEVE_KEEPER_APPENDFILE_H
#define REEVE_KEEPER_APPENDFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct appendfile {
	int fd;
	uint64_t length; /* of the records that are on disk */
	bool broken;     /* a write's outcome is unknown: refuses until it is opened again */
};

/* The file must exist.  ERR_CONFIG where others than its owner may read it. */
MUST_CHECK enum err appendfile_open(struct appendfile *f, int dir, const char *name, char **detail);
void appendfile_close(struct appendfile *f);
/* ERR_STORAGE_FULL: nothing changed, a later append may succeed.  ERR_IO: nothing more is written. */
MUST_CHECK enum err appendfile_append(struct appendfile *f, const void *p, size_t n);
/* Cuts a torn tail off, durably. */
MUST_CHECK enum err appendfile_cut(struct appendfile *f, uint64_t length);

#endif
