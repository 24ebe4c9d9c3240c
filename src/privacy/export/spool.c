/* SPDX-License-Identifier: Apache-2.0 */
#include "privacy/export/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "crypto/newfile.h"

enum {
	TEXT_BYTES = 32 * 1024 * 1024, /* of what stands in memory of one text: a row is far smaller */
	WORTH_BYTES = 64 * 1024,
};

/* Some file systems know no O_TMPFILE. */
static int open_named(const char *dir, struct arena *a)
{
	char *path = arena_printf(a, "%s/section.XXXXXX", dir);
	int fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

enum err spool_open(struct spool *sp, const char *dir, struct arena *a)
{
	sp->end = 0;
	sp->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (sp->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
		sp->fd = open_named(dir, a);
	return sp->fd < 0 ? err_from_errno(errno) : OK;
}

void spool_close(struct spool *sp)
{
	if (sp->fd >= 0)
		close(sp->fd);
	sp->fd = -1;
}

enum err spool_restart(struct spool *sp)
{
	sp->end = 0;
	return ftruncate(sp->fd, 0) == 0 && lseek(sp->fd, 0, SEEK_SET) == 0 ? OK : err_from_errno(errno);
}

void spool_text_init(struct spool_text *t, struct spool *sp)
{
	*t = (struct spool_text){.spool = sp};
	buf_init(&t->buf, TEXT_BYTES);
}

/* A piece that follows the text's last one directly lengthens it. */
static void add_piece(struct spool_text *t, int64_t offset, int64_t bytes)
{
	struct spool_piece *last = t->n > 0 ? &t->pieces[t->n - 1] : NULL;
	if (last != NULL && last->offset + last->bytes == offset) {
		last->bytes += bytes;
		return;
	}
	if (t->n == t->room) {
		t->room = t->room == 0 ? 4 : 2 * t->room;
		t->pieces = realloc(t->pieces, t->room * sizeof *t->pieces);
		check(t->pieces != NULL);
	}
	t->pieces[t->n++] = (struct spool_piece){offset, bytes};
}

static enum err flush(struct spool_text *t)
{
	int64_t bytes = (int64_t)t->buf.len;
	if (t->buf.failed)
		return ERR_LIMIT;
	if (bytes == 0)
		return OK;
	TRY(write_all(t->spool->fd, t->buf.data, t->buf.len));
	add_piece(t, t->spool->end, bytes);
	t->spool->end += bytes;
	t->bytes += bytes;
	buf_clear(&t->buf);
	return OK;
}

enum err spool_keep(struct spool_text *t)
{
	return t->buf.len < WORTH_BYTES && !t->buf.failed ? OK : flush(t);
}

enum err spool_end(struct spool_text *t)
{
	enum err e = flush(t);
	buf_release(&t->buf);
	return e;
}

void spool_text_drop(struct spool_text *t)
{
	buf_release(&t->buf);
	free(t->pieces);
	*t = (struct spool_text){0};
}

static enum err give(const struct spool_text *t, struct spool_piece piece, spool_fn fn, void *arg)
{
	char part[WORTH_BYTES];
	while (piece.bytes > 0) {
		size_t want = piece.bytes < (int64_t)sizeof part ? (size_t)piece.bytes : sizeof part;
		ssize_t n = pread(t->spool->fd, part, want, (off_t)piece.offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? err_from_errno(errno) : ERR_IO;
		TRY(fn(arg, part, (size_t)n));
		piece.offset += n;
		piece.bytes -= n;
	}
	return OK;
}

enum err spool_each(const struct spool_text *t, spool_fn fn, void *arg)
{
	for (size_t i = 0; i < t->n; i++)
		TRY(give(t, t->pieces[i], fn, arg));
	return OK;
}
