/* SPDX-License-Identifier: Apache-2.0
 * After a failed fsync nobody knows what is on disk, and a second fsync may say yes of data that was dropped: such a
 * file takes no more records until it was opened, and so read, again.  A full disk is different: the tail is cut off
 * and that is made durable. */
#include "keeper/vault/appendfile.h"

#include <errno.h>
#include <unistd.h>

#include "crypto/newfile.h"
#include "keeper/vault/vault.h"

enum err appendfile_open(struct appendfile *f, int dir, const char *name, char **detail)
{
	*f = (struct appendfile){.fd = -1};
	return vault_file_open(dir, name, true, &f->fd, &f->length, detail);
}

void appendfile_close(struct appendfile *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

enum err appendfile_cut(struct appendfile *f, uint64_t length)
{
	if (ftruncate(f->fd, (off_t)length) != 0 || fsync(f->fd) != 0) {
		f->broken = true;
		return err_from_errno(errno);
	}
	f->length = length;
	return OK;
}

enum err appendfile_append(struct appendfile *f, const void *p, size_t n)
{
	if (f->broken)
		return ERR_IO;
	enum err e = write_all(f->fd, p, n);
	if (e == OK && fdatasync(f->fd) != 0)
		e = err_from_errno(errno);
	if (e == OK) {
		f->length += n;
		return OK;
	}
	enum err undo = appendfile_cut(f, f->length);
	if (undo == OK && e == ERR_STORAGE_FULL)
		return e;
	f->broken = true;
	return ERR_IO;
}
