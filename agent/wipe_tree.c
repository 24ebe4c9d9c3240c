/* SPDX-License-Identifier: Apache-2.0
 *
 * Wiping a tree: back to the factory manifest that lies beside it.  For the tree DIR there is
 * DIR.factory/factory.manifest with one line per entry, "type mode sha256 path" (type d, f or l; sha256 of a file's
 * bytes or a link's target, "-" for a directory), and DIR.factory/content/ with what the manifest names.
 *
 * Promise: the whole factory content is checked against the manifest before anything is removed.  Cut off anywhere, it
 * is done again from the beginning.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "action.h"
#include "crypto/digest.h"
#include "fs.h"

struct entry {
	char type;
	unsigned mode;
	const char *sum, *path;
};

struct factory {
	struct agent *a;
	int content_fd;
	struct entry *entries; /* sorted by path, so that a directory comes before what is in it */
	size_t n;
};

static int by_path(const void *x, const void *y)
{
	return strcmp(((const struct entry *)x)->path, ((const struct entry *)y)->path);
}

static const struct entry *find(const struct factory *f, const char *path)
{
	struct entry key = {.path = path};
	return bsearch(&key, f->entries, f->n, sizeof key, by_path);
}

static bool parse_line(struct scope *s, char *line, struct entry *e)
{
	char *rest, *type = strtok_r(line, " ", &rest), *mode = strtok_r(NULL, " ", &rest),
		    *sum = strtok_r(NULL, " ", &rest);
	const char *rel;
	if (type == NULL || strlen(type) != 1 || strchr("dfl", *type) == NULL || mode == NULL || sum == NULL ||
	    *rest == '\0')
		return false;
	if (path_check(s, arena_printf(s->arena, "/%s", rest), &rel) != OK)
		return false;
	*e = (struct entry){.type = *type, .mode = (unsigned)strtoul(mode, NULL, 8) & 07777, .sum = sum, .path = rel};
	return strlen(sum) == (*type == 'd' ? 1 : 64);
}

static enum err load(struct factory *f, int dir)
{
	struct scope *s = f->a->scope;
	auto_buf text;
	buf_init(&text, 64u << 20);
	auto_fd fd = fs_open(dir, "factory.manifest", O_RDONLY);
	if (fd < 0 || fs_read_fd(fd, &text) != 0 || text.len == 0)
		return scope_fail(s, ERR_CONFIG, "cannot read the factory manifest: %s", strerror(errno));
	char *copy = arena_strndup(s->arena, text.data, text.len), *line;
	size_t lines = 1;
	for (const char *p = copy; *p != '\0'; p++)
		lines += *p == '\n';
	f->entries = arena_alloc(s->arena, lines * sizeof *f->entries);
	while ((line = strsep(&copy, "\n")) != NULL)
		if (*line != '\0' && !parse_line(s, line, &f->entries[f->n++])) {
			s->detail = NULL;
			return scope_fail(s, ERR_CONFIG, "the factory manifest is damaged (entry %zu)", f->n);
		}
	qsort(f->entries, f->n, sizeof *f->entries, by_path);
	return OK;
}

static bool link_is(int root_fd, const struct entry *e, char target[AGENT_PATH])
{
	char hex[65];
	uint8_t sum[SHA256_BYTES];
	auto_fd dir = fs_open_parent(root_fd, e->path, O_RDONLY);
	ssize_t n = dir >= 0 ? readlinkat(dir, path_leaf(e->path), target, AGENT_PATH - 1) : -1;
	if (n < 0)
		return false;
	target[n] = '\0';
	sha256(target, (size_t)n, sum);
	hex_encode(sum, sizeof sum, hex);
	return strcmp(hex, e->sum) == 0;
}

static bool file_is(int root_fd, const struct entry *e, struct stat *st)
{
	char hex[65];
	auto_fd fd = fs_open(root_fd, e->path, O_RDONLY | O_NONBLOCK);
	return fd >= 0 && fstat(fd, st) == 0 && S_ISREG(st->st_mode) && fs_hash_fd(fd, hex) == 0 &&
	       strcmp(hex, e->sum) == 0;
}

/* The manifest names directories before their content and nothing that content/ does not have. */
static enum err verify(const struct factory *f)
{
	char target[AGENT_PATH];
	struct stat st;
	for (size_t i = 0; i < f->n; i++) {
		const struct entry *e = &f->entries[i];
		bool good = e->type == 'd' || (e->type == 'f' && file_is(f->content_fd, e, &st)) ||
			    (e->type == 'l' && link_is(f->content_fd, e, target));
		if (!good)
			return scope_fail(f->a->scope, ERR_CONFIG,
					  "the factory content of /%s is not what the manifest says", e->path);
	}
	return OK;
}

static enum err prune(struct factory *f, int dir_fd, const char *rel);

static enum err prune_entry(struct factory *f, int dir_fd, const char *rel, const char *name)
{
	struct stat st;
	const char *path = rel[0] == '\0' ? arena_strdup(f->a->scope->arena, name)
					  : arena_printf(f->a->scope->arena, "%s/%s", rel, name);
	const char *own = f->a->state_rel;
	if (own != NULL && strcmp(path, own) == 0)
		return OK; /* needed until the report is sent */
	bool towards_own = own != NULL && path_is_below(own, path);
	const struct entry *e = find(f, path);
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return scope_fail(f->a->scope, ERR_IO, "cannot look at /%s: %s", path, strerror(errno));
	char type = S_ISDIR(st.st_mode) ? 'd' : S_ISREG(st.st_mode) ? 'f' : S_ISLNK(st.st_mode) ? 'l' : '?';
	if (type == 'd' && (towards_own || (e != NULL && e->type == 'd'))) {
		auto_fd sub = fs_open_subdir(dir_fd, name);
		if (sub < 0)
			return scope_fail(f->a->scope, ERR_IO, "cannot open /%s: %s", path, strerror(errno));
		return prune(f, sub, path);
	}
	if (e != NULL && e->type == type)
		return OK;
	if (fs_remove_tree(dir_fd, name) != 0)
		return scope_fail(f->a->scope, ERR_IO, "cannot remove /%s: %s", path, strerror(errno));
	return OK;
}

static enum err prune(struct factory *f, int dir_fd, const char *rel)
{
	int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
	if (dir == NULL) {
		fd_release(&copy);
		return scope_fail(f->a->scope, ERR_IO, "cannot read /%s: %s", rel, strerror(errno));
	}
	enum err e = OK;
	for (struct dirent *d; e == OK && (d = readdir(dir)) != NULL;)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			e = prune_entry(f, dir_fd, rel, d->d_name);
	closedir(dir);
	return e;
}

static int put_file(const struct factory *f, const struct entry *e)
{
	struct stat st;
	if (file_is(f->a->root_fd, e, &st) && (st.st_mode & 07777) == e->mode)
		return 0;
	auto_buf bytes;
	buf_init(&bytes, FS_FILE_MAX);
	auto_fd from = fs_open(f->content_fd, e->path, O_RDONLY);
	if (from < 0 || fs_read_fd(from, &bytes) != 0)
		return -1;
	struct fs_meta meta = {.mode = e->mode, .uid = -1, .gid = -1, .xattrs_from = from};
	return fs_write(f->a->root_fd, e->path, bytes.data, bytes.len, &meta, ".reeve-wipe.tmp");
}

static int put_link(const struct factory *f, const struct entry *e)
{
	char target[AGENT_PATH], have[AGENT_PATH];
	if (link_is(f->a->root_fd, e, have))
		return 0;
	if (!link_is(f->content_fd, e, target) || fs_unlink(f->a->root_fd, e->path) != 0)
		return -1;
	auto_fd dir = fs_open_parent(f->a->root_fd, e->path, O_RDONLY);
	return dir >= 0 && symlinkat(target, dir, path_leaf(e->path)) == 0 ? fsync(dir) : -1;
}

static int put_dir(const struct factory *f, const struct entry *e)
{
	if (fs_mkdirs(f->a->root_fd, e->path, e->mode) != 0)
		return -1;
	auto_fd dir = fs_open(f->a->root_fd, e->path, O_RDONLY | O_DIRECTORY);
	return dir >= 0 ? fchmod(dir, e->mode) : -1;
}

static enum err put_back(const struct factory *f)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct entry *e = &f->entries[i];
		if ((e->type == 'd' ? put_dir(f, e) : e->type == 'l' ? put_link(f, e) : put_file(f, e)) != 0)
			return scope_fail(f->a->scope, ERR_IO, "cannot bring back /%s: %s", e->path, strerror(errno));
	}
	return OK;
}

/* The directories that hold the agent's state and are not the factory's go after it. */
static void note_dirs(const struct factory *f, struct action *act)
{
	const char *own = f->a->state_rel;
	size_t n = 0;
	act->dirs = arena_alloc(f->a->scope->arena, 64 * sizeof *act->dirs);
	for (const char *p = own; p != NULL && n < 63; p = *p == '\0' ? NULL : p + 1) {
		if (*p != '/' && *p != '\0')
			continue;
		const char *dir = arena_strndup(f->a->scope->arena, own, (size_t)(p - own));
		if (find(f, dir) == NULL)
			act->dirs[n++] = dir;
	}
}

static enum err wipe_with(struct factory *f, struct action *act)
{
	auto_fd dir =
		open(arena_printf(f->a->scope->arena, "%s.factory", f->a->root), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return ERR_NOT_FOUND;
	f->content_fd = openat(dir, "content", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (f->content_fd < 0)
		return ERR_NOT_FOUND;
	TRY(load(f, dir));
	TRY(verify(f));
	note_dirs(f, act);
	TRY(action_save(f->a, act));
	auto_fd root = openat(f->a->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	TRY(prune(f, root, ""));
	return put_back(f);
}

enum err wipe_tree(struct agent *a, struct action *act)
{
	struct factory f = {.a = a, .content_fd = -1};
	enum err e = wipe_with(&f, act);
	fd_release(&f.content_fd);
	act->state = e == OK ? "done" : e == ERR_NOT_FOUND ? "notSupported" : "failed";
	if (e == ERR_NOT_FOUND)
		act->error = "this tree has no factory manifest";
	else if (e != OK)
		act->error = arena_strdup(a->scope->arena, scope_detail(a->scope, e));
	agent_forgive(a);
	return OK;
}
