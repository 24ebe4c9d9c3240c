/* SPDX-License-Identifier: Apache-2.0
 *
 * What a bundle is made of, on its way: many texts written side by side in pieces into one file without a name (O_TMPFILE: a crash leaves
 * nothing), so that memory does not grow with what is held and a bundle needs one descriptor.
 */
#ifndef REEVE_PRIVACY_EXPORT_SPOOL_H
#define REEVE_PRIVACY_EXPORT_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct spool {
	int fd;
	int64_t end;
};

/* In the folder dir.  ERR_STORAGE_FULL, ERR_IO. */
MUST_CHECK enum err spool_open(struct spool *sp, const char *dir, struct arena *a);
void spool_close(struct spool *sp);
/* Empty again: every text of it must be dropped before. */
MUST_CHECK enum err spool_restart(struct spool *sp);

struct spool_piece {
	int64_t offset, bytes;
};

/* One text.  Append to buf and call spool_keep() now and then; where nothing more comes, spool_end(). */
struct spool_text {
	struct spool *spool;
	struct buf buf;
	struct spool_piece *pieces;
	size_t n, room;
	int64_t bytes; /* in pieces */
};

void spool_text_init(struct spool_text *t, struct spool *sp);
/* Moves what has come together to the file once it is worth it.  ERR_LIMIT where buf did not take something. */
MUST_CHECK enum err spool_keep(struct spool_text *t);
MUST_CHECK enum err spool_end(struct spool_text *t); /* all of it; the buffer's memory goes */
void spool_text_drop(struct spool_text *t);          /* also of one that is all zero */

/* Gives the text back in order, at most 64 KiB at a time. */
typedef enum err (*spool_fn)(void *arg, const void *p, size_t n);
MUST_CHECK enum err spool_each(const struct spool_text *t, spool_fn fn, void *arg);

#endif
