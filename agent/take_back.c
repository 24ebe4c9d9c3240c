/* SPDX-License-Identifier: Apache-2.0
 *
 * Taking back one item: a file that the item made goes, a file that it replaced comes back byte for byte (mode, owner,
 * time and attributes too), a package that it installed is purged, an app's data goes, and so do the directories that
 * it made, where nobody has put anything else in them.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "exec.h"
#include "fs.h"
#include "provision.h"
#include "state.h"

/* What is at the file's place now.  `hex` is "" where it is no regular file. */
static bool look(struct agent *a, const char *path, struct stat *st, char hex[65])
{
	hex[0] = '\0';
	if (fs_stat(a->root_fd, path, st) != 0)
		return false;
	auto_fd fd = S_ISREG(st->st_mode) ? fs_open(a->root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY) : -1;
	if (fd >= 0 && fs_hash_fd(fd, hex) != 0)
		hex[0] = '\0';
	return true;
}

static enum err restore(struct agent *a, struct journal *j, struct journal_file *f)
{
	auto_buf bytes;
	buf_init(&bytes, FS_FILE_MAX);
	auto_fd from = fs_open(a->state_fd, journal_backup(a, j->id, f->backup), O_RDONLY);
	if (from < 0 || fs_read_fd(from, &bytes) != 0)
		return scope_fail(a->scope, ERR_IO, "cannot read what /%s was before: %s", f->path, strerror(errno));
	struct fs_meta meta = {.mode = f->mode,
			       .uid = f->uid,
			       .gid = f->gid,
			       .mtime = {.tv_sec = f->mtime_s, .tv_nsec = f->mtime_ns},
			       .set_mtime = true,
			       .xattrs_from = from};
	const char *slash = strrchr(f->path, '/');
	const char *dir = arena_strndup(a->scope->arena, f->path, slash != NULL ? (size_t)(slash - f->path) : 0);
	if ((dir[0] != '\0' && fs_mkdirs(a->root_fd, dir, 0755) != 0) ||
	    fs_write(a->root_fd, f->path, bytes.data, bytes.len, &meta, item_temp(a, j->id)) != 0)
		return scope_fail(a->scope, ERR_IO, "cannot restore /%s: %s", f->path, strerror(errno));
	return OK;
}

static bool is_original(const struct journal_file *f, const struct stat *st, const char *hex)
{
	return f->existed && strcmp(hex, f->original) == 0 && (st->st_mode & 07777) == f->mode &&
	       st->st_uid == f->uid && st->st_gid == f->gid && st->st_mtim.tv_sec == f->mtime_s &&
	       st->st_mtim.tv_nsec == f->mtime_ns;
}

/* A temporary file that a crash left has the name of this item and is nobody else's. */
static enum err remove_temp(struct agent *a, const struct journal *j, const char *path)
{
	const char *leaf = path_leaf(path);
	const char *temp = arena_printf(a->scope->arena, "%.*s%s", (int)(leaf - path), path, item_temp(a, j->id));
	if (fs_unlink(a->root_fd, temp) != 0 && errno != ENOTDIR && errno != ELOOP && errno != EXDEV)
		return scope_fail(a->scope, ERR_IO, "cannot remove /%s: %s", temp, strerror(errno));
	return OK;
}

enum err file_take_back(struct agent *a, struct journal *j, struct journal_file *f)
{
	struct stat st;
	char hex[65];
	TRY(remove_temp(a, j, f->path));
	bool there = look(a, f->path, &st, hex);
	if (there && is_original(f, &st, hex))
		return OK;
	if (!there && errno == ENOTDIR && !f->existed) /* a file where a directory was: ours is gone with it */
		return OK;
	if (!there && errno != ENOENT)
		return scope_fail(a->scope, ERR_CONFLICT, "cannot reach /%s: %s", f->path, strerror(errno));
	if (there && S_ISDIR(st.st_mode)) { /* not ours, whatever it is */
		journal_remark(a, j, "/%s has become a directory and was left", f->path);
		return OK;
	}
	if (there && strcmp(hex, f->written) != 0 && strcmp(hex, f->original) != 0)
		journal_remark(a, j, "/%s was changed on the device; %s all the same", f->path,
			       f->existed ? "restored" : "removed");
	if (f->existed)
		return restore(a, j, f);
	if (there && fs_unlink(a->root_fd, f->path) != 0)
		return scope_fail(a->scope, ERR_IO, "cannot remove /%s: %s", f->path, strerror(errno));
	return OK;
}

static enum err remove_dirs(struct agent *a, const struct journal *j)
{
	size_t n = 0;
	while (j->dirs[n] != NULL)
		n++;
	while (n-- > 0) /* the innermost first */
		if (fs_rmdir(a->root_fd, j->dirs[n]) != 0)
			return scope_fail(a->scope, ERR_IO, "cannot remove the directory /%s: %s", j->dirs[n],
					  strerror(errno));
	return OK;
}

static enum err undo(struct agent *a, struct journal *j)
{
	if (j->package != NULL && !j->package_was_there && !a->tree)
		TRY(package_purge(a, j->package));
	enum err first = OK; /* one file that cannot be reached must not keep the others */
	for (size_t i = j->n_files; i-- > 0;) {
		enum err e = file_take_back(a, j, &j->files[i]);
		first = first == OK ? e : first;
	}
	enum err e = data_take_back(a, j);
	first = first == OK ? e : first;
	TRY(first);
	TRY(remove_dirs(a, j));
	const struct kind *kind = kind_find(j->kind);
	return !a->tree && kind != NULL && kind->changed != NULL ? kind->changed(a, true) : OK;
}

enum err item_take_back(struct agent *a, struct journal *j, struct outcome *out)
{
	j->error = NULL;
	j->state = ITEM_REMOVING;
	TRY(journal_save(a, j));
	enum err e = undo(a, j);
	if (e != OK) { /* stays "removing": tried again at the next check-in */
		j->error = arena_strdup(a->scope->arena, scope_detail(a->scope, e));
		agent_forgive(a);
		out->failed++;
		return journal_save(a, j);
	}
	j->state = ITEM_REMOVED;
	out->taken_back++;
	return journal_save(a, j);
}
