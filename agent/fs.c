/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening and reading below a root without following a link out of it (see fs.h).
 */
#include "fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "crypto/digest.h"

void fd_release(int *fd)
{
	if (*fd < 0)
		return;
	int keep = errno;
	close(*fd);
	*fd = -1;
	errno = keep;
}

static int open2(int dir_fd, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC), .resolve = resolve};
	return (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof how);
}

/* Old kernels do not know openat2; some sandboxes answer EPERM.  The slow way is as safe. */
static bool no_open2(void)
{
	return errno == ENOSYS || errno == EPERM;
}

/* With O_DIRECTORY the kernel says of a link only that it is no directory; callers tell the two apart. */
static int open_part(int dir_fd, const char *name, int flags)
{
	struct stat st;
	int fd = openat(dir_fd, name, flags | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOTDIR)
		errno = fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode) ? ELOOP : ENOTDIR;
	return fd;
}

int fs_open_walk(int root_fd, const char *rel, int flags)
{
	char part[256];
	auto_fd dir = -1;
	int at = root_fd;
	while (true) {
		size_t n = strcspn(rel, "/");
		if (n == 0 || n >= sizeof part) {
			errno = EINVAL;
			return -1;
		}
		memcpy(part, rel, n);
		part[n] = '\0';
		if (strcmp(part, "..") == 0 || strcmp(part, ".") == 0) {
			errno = EINVAL;
			return -1;
		}
		bool last = rel[n] == '\0';
		int fd = open_part(at, part, last ? flags : O_PATH | O_DIRECTORY);
		if (last || fd < 0)
			return fd;
		fd_release(&dir);
		at = dir = fd;
		rel += n + 1;
	}
}

int fs_open(int root_fd, const char *rel, int flags)
{
	if (rel[0] == '\0')
		return openat(root_fd, ".", flags | O_CLOEXEC);
	int fd = open2(root_fd, rel, flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	if (fd >= 0 || !no_open2())
		return fd;
	return fs_open_walk(root_fd, rel, flags);
}

int fs_open_parent(int root_fd, const char *rel, int flags)
{
	char dir[AGENT_PATH];
	const char *slash = strrchr(rel, '/');
	size_t n = slash != NULL ? (size_t)(slash - rel) : 0;
	if (n >= sizeof dir) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(dir, rel, n);
	dir[n] = '\0';
	return fs_open(root_fd, dir, flags | O_DIRECTORY);
}

int fs_open_subdir(int dir_fd, const char *name)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
	int fd = open2(dir_fd, name, flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
	if (fd >= 0 || !no_open2())
		return fd;
	struct stat up, st;
	fd = openat(dir_fd, name, flags | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fstat(dir_fd, &up) != 0 || fstat(fd, &st) != 0 || up.st_dev != st.st_dev) {
		close(fd);
		errno = EXDEV;
		return -1;
	}
	return fd;
}

int fs_stat(int root_fd, const char *rel, struct stat *st)
{
	auto_fd dir = fs_open_parent(root_fd, rel, O_PATH);
	if (dir < 0)
		return -1;
	return fstatat(dir, path_leaf(rel), st, AT_SYMLINK_NOFOLLOW);
}

int fs_read_fd(int fd, struct buf *out)
{
	char chunk[16384];
	ssize_t n;
	while ((n = read(fd, chunk, sizeof chunk)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		buf_add(out, chunk, (size_t)n);
		if (out->failed) {
			errno = EFBIG;
			return -1;
		}
	}
	return 0;
}

int fs_hash_fd(int fd, char hex[65])
{
	char chunk[16384];
	uint8_t sum[SHA256_BYTES];
	struct sha256_stream *h = sha256_new();
	ssize_t n;
	while ((n = read(fd, chunk, sizeof chunk)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		sha256_update(h, chunk, (size_t)n);
	}
	int keep = errno;
	sha256_final(h, sum);
	hex_encode(sum, sizeof sum, hex);
	errno = keep;
	return n < 0 ? -1 : 0;
}

/* The kernel's own directories (/sys, /proc) are made of links, so that a collector follows them; in a tree only inside
 * it. */
static int open_collect(struct agent *a, const char *rel, int flags)
{
	if (!(flags & O_PATH))
		flags |= O_RDONLY | O_NONBLOCK | O_NOCTTY;
	if (!a->tree)
		return openat(a->root_fd, rel, flags | O_CLOEXEC);
	int fd = open2(a->root_fd, rel, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	if (fd >= 0 || !no_open2())
		return fd;
	return fs_open_walk(a->root_fd, rel, flags);
}

char *fs_text(struct agent *a, const char *rel, size_t max)
{
	struct stat st;
	auto_fd fd = open_collect(a, rel, 0);
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return NULL;
	auto_buf text;
	buf_init(&text, max);
	if (fs_read_fd(fd, &text) != 0 || text.len == 0)
		return NULL;
	return arena_strndup(a->scope->arena, text.data, text.len);
}

char *fs_line(struct agent *a, const char *rel)
{
	char *text = fs_text(a, rel, 4096);
	if (text == NULL)
		return NULL;
	text += strspn(text, " \t\r\n");
	text[strcspn(text, "\r\n")] = '\0';
	size_t n = strlen(text);
	while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'))
		text[--n] = '\0';
	return n > 0 ? text : NULL;
}

bool fs_present(struct agent *a, const char *rel)
{
	auto_fd fd = open_collect(a, rel, O_PATH);
	return fd >= 0;
}

static int by_text(const void *x, const void *y)
{
	return strcmp(*(char *const *)x, *(char *const *)y);
}

char **fs_names(struct agent *a, const char *rel)
{
	size_t n = 0, cap = 64;
	char **names = arena_alloc(a->scope->arena, (cap + 1) * sizeof *names);
	int fd = open_collect(a, rel, O_DIRECTORY);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (dir == NULL) {
		fd_release(&fd);
		return names;
	}
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (n == cap) {
			char **more = arena_alloc(a->scope->arena, (2 * cap + 1) * sizeof *names);
			memcpy(more, names, n * sizeof *names);
			names = more;
			cap *= 2;
		}
		names[n++] = arena_strdup(a->scope->arena, e->d_name);
	}
	closedir(dir);
	qsort(names, n, sizeof *names, by_text);
	return names;
}
