/* SPDX-License-Identifier: Apache-2.0
 * The directory of backups is the list of them: it cannot go back with the database.  Files of PostgreSQL (base backups, the write-ahead log)
 * stand in it or directly below. */
#include "backup/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

enum { LIST_MAX = 10000, DEPTH = 2 };

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);
	return n > m && strcmp(name + n - m, end) == 0;
}

/* fn: with a directory's descriptor, the name in it and the path from the top.  False stops. */
typedef bool (*file_fn)(void *arg, int dir, const char *name, const char *path);

static bool walk(struct scope *s, int dir, const char *prefix, int depth, const char *end, file_fn fn, void *arg)
{
	DIR *list = fdopendir(dir);
	if (list == NULL) {
		close(dir);
		return true;
	}
	bool more = true;
	for (const struct dirent *e; more && (e = readdir(list)) != NULL;) {
		struct stat st;
		if (e->d_name[0] == '.' || fstatat(dirfd(list), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		const char *path = arena_printf(s->arena, "%s%s", prefix, e->d_name);
		if (S_ISDIR(st.st_mode) && depth + 1 < DEPTH) {
			int below = openat(dirfd(list), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
			if (below >= 0)
				more = walk(s, below, arena_printf(s->arena, "%s/", path), depth + 1, end, fn, arg);
		} else if (S_ISREG(st.st_mode) && ends_with(e->d_name, end)) {
			more = fn(arg, dirfd(list), e->d_name, path);
		}
	}
	closedir(list);
	return more;
}

static enum err each_file(struct scope *s, const struct backups *b, const char *end, file_fn fn, void *arg)
{
	int dir = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return scope_fail(s, ERR_UNAVAILABLE, "backup_dir cannot be read: %s", strerror(errno));
	walk(s, dir, "", 0, end, fn, arg);
	return OK;
}

/* False: no sealed file of this installation. */
static bool read_header(struct scope *s, int dir, const char *name, struct backup_header *ret, uint64_t *ret_size)
{
	uint8_t ours[ED25519_KEY_BYTES];
	struct scope quiet = *s;
	struct stat st;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	bool good = fstat(fd, &st) == 0 && backup_read_header(&quiet, fd, ret) == OK;
	close(fd);
	*ret_size = good ? (uint64_t)st.st_size : 0;
	keeper_public_key(s->keeper, ours);
	return good && memcmp(ours, ret->installation, sizeof ours) == 0;
}

struct dead {
	struct scope *s;
	const struct keeper_day_key *key;
	size_t keys, removed;
};

static const struct keeper_day_key *key_of(const struct keeper_day_key *key, size_t n, int64_t day)
{
	for (size_t i = 0; i < n; i++)
		if (key[i].day == day)
			return &key[i];
	return NULL;
}

static bool remove_dead(void *arg, int dir, const char *name, const char *path)
{
	struct dead *d = arg;
	struct backup_header h;
	uint64_t size;
	if (read_header(d->s, dir, name, &h, &size) && key_of(d->key, d->keys, h.day) == NULL &&
	    (h.day + 1 + (int64_t)h.days) * DAY_US <= d->s->now && unlinkat(dir, name, 0) == 0)
		d->removed++;
	return true;
}

enum err backup_remove_dead(struct scope *s, const struct backups *b, size_t *ret_removed)
{
	struct keeper_day_key *key;
	struct dead d = {.s = s};
	keeper_day_keys(s->keeper, s->arena, &key, &d.keys);
	d.key = key;
	enum err e = each_file(s, b, BACKUP_SUFFIX, remove_dead, &d);
	*ret_removed = d.removed;
	return e;
}

static bool remove_one(void *arg, int dir, const char *name, const char *path)
{
	if (strncmp(path, "backup-", 7) == 0)
		unlinkat(dir, name, 0);
	return true;
}

void backup_remove_unfinished(const struct backups *b)
{
	struct scope s;
	scope_system(&s, arena_new(1024 * 1024), NULL, NULL);
	if (each_file(&s, b, BACKUP_SUFFIX ".new", remove_one, NULL) != OK)
		s.detail = NULL; /* whoever writes there next says why not */
	arena_free(s.arena);
}

struct listing {
	struct scope *s;
	const struct keeper_day_key *key;
	size_t keys, n;
	struct backup_file *file;
};

static bool list_one(void *arg, int dir, const char *name, const char *path)
{
	struct listing *l = arg;
	struct backup_file *f = &l->file[l->n];
	if (!read_header(l->s, dir, name, &f->header, &f->size))
		return true;
	const struct keeper_day_key *key = key_of(l->key, l->keys, f->header.day);
	f->name = path;
	f->gone_at = key != NULL && key->here ? key->gone_at : 0;
	return ++l->n < LIST_MAX;
}

static int newest_first(const void *a, const void *b)
{
	const struct backup_file *x = a, *y = b;
	if (x->header.created != y->header.created)
		return x->header.created > y->header.created ? -1 : 1;
	return strcmp(x->name, y->name);
}

enum err backup_list(struct scope *s, const struct backups *b, struct backup_file **ret, size_t *ret_n)
{
	struct keeper_day_key *key;
	struct listing l = {.s = s, .file = arena_alloc(s->arena, LIST_MAX * sizeof *l.file)};
	*ret = l.file;
	*ret_n = 0;
	if (*b->dir == '\0')
		return OK;
	keeper_day_keys(s->keeper, s->arena, &key, &l.keys);
	l.key = key;
	TRY(each_file(s, b, BACKUP_SUFFIX, list_one, &l));
	qsort(l.file, l.n, sizeof *l.file, newest_first);
	*ret_n = l.n;
	return OK;
}
