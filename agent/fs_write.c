/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing and removing below a root (see fs.h).  A file is never seen half written; a removal never follows a link and
 * never leaves the file system that it began on.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fs.h"

enum { DEPTH_MAX = 200 }; /* each level holds a descriptor open while it is emptied */

static int write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t put = write(fd, p, n);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		p += put;
		n -= (size_t)put;
	}
	return 0;
}

/* Access lists and security labels.  A file system that has none of them is no failure. */
static void copy_xattrs(int from, int to)
{
	char names[8192], value[8192];
	ssize_t all = from >= 0 ? flistxattr(from, names, sizeof names) : 0;
	for (const char *at = names; all > 0 && at < names + all; at += strlen(at) + 1) {
		ssize_t n = fgetxattr(from, at, value, sizeof value);
		if (n >= 0 && fsetxattr(to, at, value, (size_t)n, 0) != 0)
			continue;
	}
}

static int fill(int fd, const void *bytes, size_t n, const struct fs_meta *meta)
{
	if (write_all(fd, bytes, n) != 0)
		return -1;
	if (meta->uid >= 0 && fchown(fd, (uid_t)meta->uid, (gid_t)meta->gid) != 0)
		return -1;
	if (fchmod(fd, meta->mode) != 0) /* after the owner: chown drops the set-id bits */
		return -1;
	copy_xattrs(meta->xattrs_from, fd);
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, meta->mtime};
	if (meta->set_mtime && futimens(fd, times) != 0)
		return -1;
	return fsync(fd);
}

int fs_write(int root_fd, const char *rel, const void *bytes, size_t n, const struct fs_meta *meta, const char *temp)
{
	auto_fd dir = fs_open_parent(root_fd, rel, O_RDONLY);
	if (dir < 0)
		return -1;
	if (unlinkat(dir, temp, 0) != 0 && errno != ENOENT) /* left by a crash */
		return -1;
	auto_fd fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	if (fill(fd, bytes, n, meta) != 0 || renameat(dir, temp, dir, path_leaf(rel)) != 0) {
		int keep = errno;
		unlinkat(dir, temp, 0);
		errno = keep;
		return -1;
	}
	return fsync(dir);
}

int fs_mkdirs(int root_fd, const char *rel, mode_t mode)
{
	char path[AGENT_PATH];
	size_t n = strlen(rel);
	if (n >= sizeof path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	for (size_t i = 1; i <= n; i++) {
		if (rel[i] != '/' && rel[i] != '\0')
			continue;
		memcpy(path, rel, i);
		path[i] = '\0';
		auto_fd dir = fs_open(root_fd, path, O_PATH | O_DIRECTORY);
		if (dir >= 0)
			continue;
		if (errno != ENOENT)
			return -1;
		auto_fd up = fs_open_parent(root_fd, path, O_RDONLY);
		if (up < 0 || (mkdirat(up, path_leaf(path), mode) != 0 && errno != EEXIST))
			return -1;
		if (fchmodat(up, path_leaf(path), mode, 0) != 0 || fsync(up) != 0) /* whatever the umask is */
			return -1;
	}
	return 0;
}

int fs_unlink(int root_fd, const char *rel)
{
	auto_fd dir = fs_open_parent(root_fd, rel, O_RDONLY);
	if (dir < 0)
		return errno == ENOENT ? 0 : -1;
	if (unlinkat(dir, path_leaf(rel), 0) != 0)
		return errno == ENOENT ? 0 : -1;
	return fsync(dir);
}

int fs_rmdir(int root_fd, const char *rel)
{
	auto_fd dir = fs_open_parent(root_fd, rel, O_RDONLY);
	if (dir < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : -1;
	if (unlinkat(dir, path_leaf(rel), AT_REMOVEDIR) == 0)
		return fsync(dir);
	return errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR || errno == EBUSY ? 0 : -1;
}

static int remove_children(int dir_fd, int depth);

static int remove_entry(int dir_fd, const char *name, int depth)
{
	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	auto_fd sub = fs_open_subdir(dir_fd, name);
	if (sub < 0)
		return -1;
	if (remove_children(sub, depth + 1) != 0)
		return -1;
	return unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -1;
}

/* Until a whole pass finds nothing: a directory that changes while it is read may hide entries from one pass. */
static int remove_children(int dir_fd, int depth)
{
	if (depth > DEPTH_MAX) {
		errno = ELOOP;
		return -1;
	}
	int copy = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
	DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
	if (dir == NULL) {
		fd_release(&copy);
		return -1;
	}
	int result = 0, removed;
	do {
		removed = 0;
		rewinddir(dir);
		for (struct dirent *e; result == 0 && (e = readdir(dir)) != NULL;) {
			if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
				continue;
			result = remove_entry(dir_fd, e->d_name, depth);
			removed++;
		}
	} while (result == 0 && removed > 0);
	int keep = errno;
	closedir(dir);
	errno = keep;
	return result;
}

int fs_remove_children(int dir_fd)
{
	return remove_children(dir_fd, 0);
}

int fs_remove_tree(int root_fd, const char *rel)
{
	/* O_PATH: on the way into a home directory nothing is opened for reading */
	auto_fd dir = fs_open_parent(root_fd, rel, O_PATH);
	if (dir < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	return remove_entry(dir, path_leaf(rel), 0);
}
