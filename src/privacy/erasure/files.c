/* SPDX-License-Identifier: Apache-2.0
 *
 * The files beside the database: the keeper's, the clock's, whatever a crash has left.  The map says that none of them holds anything of a person
 * (map/stores.def); this is where that is looked at before an erasure is certified.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "privacy/erasure/internal.h"

enum { DEPTH_MAX = 8, PATH_BYTES = 1024, HITS_MAX = 256 };

/* Paths below the data directory that are not read, and why. */
static const struct {
	const char *path, *why;
} SKIPPED[] = {
	{"*.sealed", "encrypted; removed before the rows"},
	{"backups/*", "encrypted; their keys go"},
	{"sinks/*", "the organisation's own files"},
	{"archives/*", "handed to the operator"},
	{"reeve.conf", "written by the operator"},
};

struct files {
	struct db *db;
	struct arena *a;
	struct db_needle *needles;
	size_t n;
	struct file_hit *hits;
	size_t hit_n;
};

static bool skipped(const char *path)
{
	for (size_t i = 0; i < sizeof SKIPPED / sizeof *SKIPPED; i++)
		if (fnmatch(SKIPPED[i].path, path, 0) == 0)
			return true;
	return false;
}

static enum err search_file(struct files *f, int fd, const char *path)
{
	TRY(db_scan_file(fd, f->needles, f->n));
	for (size_t i = 0; i < f->n && f->hit_n < HITS_MAX; i++)
		if (f->needles[i].hits > 0)
			f->hits[f->hit_n++] = (struct file_hit){.needle = i, .path = arena_strdup(f->a, path)};
	return OK;
}

static enum err search_dir(struct files *f, int fd, const char *path, int depth);

/* Nothing is followed that is not a file or a directory of ours; what went meanwhile is gone. */
static enum err search_entry(struct files *f, int dir, const char *name, const char *path, int depth)
{
	struct stat st;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? OK : ERR_IO;
	if ((!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) || db_file_is(f->db, &st))
		return OK;
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? OK : ERR_IO;
	if (S_ISDIR(st.st_mode))
		return search_dir(f, fd, path, depth + 1); /* closes it */
	enum err e = search_file(f, fd, path);
	close(fd);
	if (e != OK)
		log_event(LOG_ERROR, "erasure_file", "file=\"%s\" error=%s", path, err_name(e));
	return e;
}

static enum err search_dir(struct files *f, int fd, const char *path, int depth)
{
	DIR *d = depth > DEPTH_MAX ? NULL : fdopendir(fd);
	if (d == NULL) {
		close(fd);
		return ERR_IO;
	}
	enum err e = OK;
	for (struct dirent *entry; e == OK && (entry = readdir(d)) != NULL;) {
		char below[PATH_BYTES];
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		int len = snprintf(below, sizeof below, "%s%s%s", path, *path == '\0' ? "" : "/", entry->d_name);
		if (len < 0 || (size_t)len >= sizeof below)
			e = ERR_IO;
		else if (!skipped(below))
			e = search_entry(f, fd, entry->d_name, below, depth);
	}
	closedir(d);
	return e;
}

enum err erasure_files_search(const char *dir, struct db *db, struct arena *a, struct db_needle *needles, size_t n, struct file_hit **ret,
			      size_t *ret_n)
{
	struct files f = {.db = db, .a = a, .needles = needles, .n = n};
	*ret = NULL;
	*ret_n = 0;
	if (dir == NULL || n == 0)
		return OK;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return ERR_IO;
	f.hits = arena_alloc(a, HITS_MAX * sizeof *f.hits);
	TRY(search_dir(&f, fd, "", 0));
	*ret = f.hits;
	*ret_n = f.hit_n;
	return OK;
}
