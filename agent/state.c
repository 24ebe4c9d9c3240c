/* SPDX-License-Identifier: Apache-2.0
 *
 * The state directory: making, locking, reading, writing and removing it (see state.h).
 */
#include "state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "crypto/x509.h"
#include "fs.h"

enum { LOCK_WAIT_SECONDS = 60 };

static enum err fail_io(struct agent *a, const char *what, const char *name)
{
	enum err e = errno == ENOSPC || errno == EDQUOT ? ERR_STORAGE_FULL : ERR_IO;
	return scope_fail(a->scope, e, "cannot %s %s/%s: %s", what, a->state_path, name, strerror(errno));
}

/* Below the root no link is followed; an explicit --state outside it is the caller's own choice. */
static int open_dir(struct agent *a)
{
	if (a->state_rel != NULL)
		return fs_open(a->root_fd, a->state_rel, O_RDONLY | O_DIRECTORY);
	return open(a->state_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static enum err lock(struct agent *a)
{
	for (int tries = 0; flock(a->state_fd, LOCK_EX | LOCK_NB) != 0; tries++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail_io(a, "lock", "");
		if (tries == LOCK_WAIT_SECONDS * 10)
			return scope_fail(a->scope, ERR_BUSY, "another reeve-agent is at work in %s", a->state_path);
		nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
	}
	return OK;
}

static bool have(struct agent *a, const char *name)
{
	return faccessat(a->state_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

enum err state_peek(struct agent *a)
{
	a->state_fd = open_dir(a);
	/* action.json alone: a retire that was cut off after it removed the rest */
	if (a->state_fd >= 0 && (have(a, "device.json") || have(a, "action.json")))
		return OK;
	enum err e = a->state_fd >= 0 || errno == ENOENT ? ERR_STATE : ERR_IO;
	int why = errno;
	state_close(a);
	if (e == ERR_STATE)
		return scope_fail(a->scope, e, "this device is not enrolled (no %s/device.json)", a->state_path);
	return scope_fail(a->scope, e, "cannot open %s: %s", a->state_path, strerror(why));
}

enum err state_open(struct agent *a)
{
	TRY(state_peek(a));
	TRY(lock(a));
	if (have(a, "device.json") || have(a, "action.json"))
		return OK;
	return scope_fail(a->scope, ERR_STATE, "this device was returned while the agent waited");
}

static enum err make_below_root(struct agent *a, const char ***ret_made)
{
	size_t n = 0;
	const char **made = arena_alloc(a->scope->arena, 64 * sizeof *made);
	for (const char *p = a->state_rel;; p++) {
		if (*p != '/' && *p != '\0')
			continue;
		struct stat st;
		const char *dir = arena_strndup(a->scope->arena, a->state_rel, (size_t)(p - a->state_rel));
		if (fs_stat(a->root_fd, dir, &st) != 0 && errno == ENOENT && n < 63)
			made[n++] = dir;
		if (*p == '\0')
			break;
	}
	for (size_t i = 0; i < n; i++)
		if (fs_mkdirs(a->root_fd, made[i], strcmp(made[i], a->state_rel) == 0 ? 0700 : 0755) != 0)
			return fail_io(a, "create", "");
	*ret_made = made;
	return OK;
}

enum err state_create(struct agent *a, const char ***ret_made)
{
	*ret_made = arena_alloc(a->scope->arena, sizeof **ret_made);
	if (a->state_rel != NULL)
		TRY(make_below_root(a, ret_made));
	else if (mkdir(a->state_path, 0700) != 0 && errno != EEXIST)
		return fail_io(a, "create", "");
	a->state_fd = open_dir(a);
	if (a->state_fd < 0)
		return fail_io(a, "open", "");
	TRY(lock(a));
	if (have(a, "device.json"))
		return scope_fail(a->scope, ERR_EXISTS,
				  "this device is enrolled already; `reeve-agent leave` ends that");
	if (fchmod(a->state_fd, 0700) != 0 || (mkdirat(a->state_fd, "items", 0700) != 0 && errno != EEXIST))
		return fail_io(a, "create", "items");
	return OK;
}

void state_close(struct agent *a)
{
	fd_release(&a->state_fd);
}

enum err state_empty(struct agent *a, const char *keep)
{
	int copy = openat(a->state_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
	if (dir == NULL) {
		fd_release(&copy);
		return fail_io(a, "read", "");
	}
	int failed = 0, removed;
	do { /* a directory that changes while it is read may hide entries from one pass */
		removed = 0;
		rewinddir(dir);
		for (struct dirent *e; failed == 0 && (e = readdir(dir)) != NULL;) {
			const char *name = e->d_name;
			if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
			    (keep != NULL && strcmp(name, keep) == 0))
				continue;
			failed = fs_remove_tree(a->state_fd, name);
			removed++;
		}
	} while (failed == 0 && removed > 0);
	int why = errno;
	closedir(dir);
	errno = why;
	if (failed != 0 || fsync(a->state_fd) != 0)
		return fail_io(a, "empty", "");
	return OK;
}

enum err state_write(struct agent *a, const char *name, const void *bytes, size_t n)
{
	struct fs_meta meta = {.mode = 0600, .uid = -1, .gid = -1, .xattrs_from = -1};
	if (fs_write(a->state_fd, name, bytes, n, &meta, ".tmp") != 0)
		return fail_io(a, "write", name);
	return OK;
}

enum err state_write_json(struct agent *a, const char *name, const struct buf *body)
{
	if (body->failed)
		return scope_fail(a->scope, ERR_LIMIT, "%s would be too large", name);
	return state_write(a, name, body->data, body->len);
}

char *state_text(struct agent *a, const char *name)
{
	auto_fd fd = fs_open(a->state_fd, name, O_RDONLY);
	auto_buf text;
	buf_init(&text, 16u << 20);
	if (fd < 0 || fs_read_fd(fd, &text) != 0)
		return NULL;
	return arena_strndup(a->scope->arena, text.len > 0 ? text.data : "", text.len);
}

enum err state_read_json(struct agent *a, const char *name, json_t **ret)
{
	char *text = state_text(a, name);
	if (text == NULL)
		return ERR_NOT_FOUND;
	enum err e = json_read(a->scope, text, strlen(text), ret);
	if (e != OK) {
		agent_forgive(a);
		return scope_fail(a->scope, ERR_BAD_REQUEST, "%s/%s is damaged", a->state_path, name);
	}
	return OK;
}

enum err state_unlink(struct agent *a, const char *name)
{
	return fs_unlink(a->state_fd, name) == 0 ? OK : fail_io(a, "remove", name);
}

char *state_file(struct agent *a, const char *name)
{
	return arena_printf(a->scope->arena, "%s/%s", a->state_path, name);
}

/* A renewal writes next-key, asks the server, writes next-cert (from here on it counts), and renames both.  So: with a
 * next-cert the renames are finished; without one the old pair is still whole. */
enum err state_credentials(struct agent *a)
{
	char *cert = state_text(a, "next-cert.pem"), *key = state_text(a, "next-key.pem");
	if (cert != NULL && key != NULL && x509_key_matches(cert, key)) {
		if (renameat(a->state_fd, "next-key.pem", a->state_fd, "key.pem") != 0)
			return fail_io(a, "rename", "next-key.pem");
		key = state_text(a, "key.pem");
	} else if (cert != NULL) {
		key = state_text(a, "key.pem");
	}
	if (cert != NULL && key != NULL && x509_key_matches(cert, key)) {
		if (renameat(a->state_fd, "next-cert.pem", a->state_fd, "cert.pem") != 0 || fsync(a->state_fd) != 0)
			return fail_io(a, "rename", "next-cert.pem");
	}
	TRY(state_unlink(a, "next-cert.pem"));
	return state_unlink(a, "next-key.pem");
}
