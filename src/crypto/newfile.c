/* SPDX-License-Identifier: Apache-2.0
 * The steps that make a new file durable, in the order that POSIX asks for: contents, name, directory. */
#include "crypto/newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum err err_from_errno(int e)
{
	switch (e) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG: /* RLIMIT_FSIZE, or the file system's own limit */
		return ERR_STORAGE_FULL;
	case ENOENT:
		return ERR_NOT_FOUND;
	default:
		return ERR_IO;
	}
}

enum err write_all(int fd, const void *p, size_t n)
{
	const char *at = p;
	while (n > 0) {
		ssize_t done = write(fd, at, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_from_errno(errno);
		at += done;
		n -= (size_t)done;
	}
	return OK;
}

static void end(struct newfile *f)
{
	if (f->fd >= 0)
		close(f->fd);
	if (f->dir >= 0)
		close(f->dir);
	free(f->name);
	free(f->temp);
	*f = (struct newfile){.dir = -1, .fd = -1};
}

/* The directory of a path, opened. */
static int open_directory(int at, const char *path, const char *slash)
{
	if (slash == NULL)
		return openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *dir = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	check(dir != NULL);
	int fd = openat(at, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int saved = errno;
	free(dir);
	errno = saved;
	return fd;
}

enum err newfile_begin(struct newfile *f, int at, const char *path)
{
	const char *slash = strrchr(path, '/');
	*f = (struct newfile){.dir = open_directory(at, path, slash), .fd = -1};
	if (f->dir < 0)
		return err_from_errno(errno);
	f->name = strdup(slash != NULL ? slash + 1 : path);
	check(f->name != NULL && asprintf(&f->temp, "%s.new", f->name) > 0);
	/* O_EXCL after the unlink: the file that we write to is ours, never a link that someone left there. */
	if (unlinkat(f->dir, f->temp, 0) == 0 || errno == ENOENT)
		f->fd = openat(f->dir, f->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (f->fd >= 0)
		return OK;
	enum err e = err_from_errno(errno);
	end(f);
	return e;
}

enum err newfile_write(struct newfile *f, const void *p, size_t n)
{
	return write_all(f->fd, p, n);
}

void newfile_abandon(struct newfile *f)
{
	if (f->temp != NULL)
		unlinkat(f->dir, f->temp, 0);
	end(f);
}

enum err newfile_commit(struct newfile *f)
{
	if (fsync(f->fd) != 0 || renameat(f->dir, f->temp, f->dir, f->name) != 0) {
		enum err e = err_from_errno(errno);
		newfile_abandon(f);
		return e;
	}
	enum err e = fsync(f->dir) == 0 ? OK : err_from_errno(errno);
	end(f);
	return e;
}

enum err newfile_put(int at, const char *path, const void *p, size_t n)
{
	struct newfile f;
	TRY(newfile_begin(&f, at, path));
	enum err e = newfile_write(&f, p, n);
	if (e == OK)
		return newfile_commit(&f);
	newfile_abandon(&f);
	return e;
}
