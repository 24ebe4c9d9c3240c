/* SPDX-License-Identifier: Apache-2.0
 * A keeper for a new machine, from the second place of the old one.  signing.key comes last, so that a keeper that was cut short does not open. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "crypto/newfile.h"
#include "keeper/vault/vault.h"

static const char last[] = "signing.key", keys[] = "backup-keys";

static enum err copy_bytes(int from, struct newfile *to)
{
	char *block = malloc(64 * KIB);
	enum err e = block != NULL ? OK : ERR_STORAGE_FULL;
	ssize_t n = 1;
	while (e == OK && n > 0) {
		n = read(from, block, 64 * KIB);
		e = n < 0 ? ERR_IO : n > 0 ? newfile_write(to, block, (size_t)n) : OK;
	}
	if (block != NULL)
		wipe(block, 64 * KIB);
	free(block);
	return e;
}

static enum err copy_file(int from, int to, const char *name, char **detail)
{
	int fd;
	uint64_t size;
	struct newfile f;
	TRY(vault_file_open(from, name, false, &fd, &size, detail));
	enum err e = newfile_begin(&f, to, name);
	if (e == OK) {
		e = copy_bytes(fd, &f);
		if (e == OK)
			e = newfile_commit(&f);
		else
			newfile_abandon(&f);
	}
	close(fd);
	return e == OK ? OK : vault_fail(detail, e, "the keeper's file %s cannot be copied: %s", name, err_text(e));
}

/* Every file of a directory but what names a place, or a process. */
static bool is_left_out(const char *name)
{
	static const char *const not_for_us[] = {"lock", "copy", "heads", last, "lost+found"};
	for (size_t i = 0; i < sizeof not_for_us / sizeof not_for_us[0]; i++)
		if (strcmp(name, not_for_us[i]) == 0)
			return true;
	return *name == '.';
}

static enum err copy_all(int from, int to, char **detail)
{
	struct stat st;
	enum err e = OK;
	DIR *d = fdopendir(openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (d == NULL)
		return vault_fail(detail, err_from_errno(errno), "the second place of the keeper cannot be read: %s", strerror(errno));
	for (const struct dirent *f; e == OK && (f = readdir(d)) != NULL;)
		if (!is_left_out(f->d_name) && fstatat(from, f->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
			e = copy_file(from, to, f->d_name, detail);
	closedir(d);
	return e;
}

static enum err copy_keys(int from, int to, char **detail)
{
	int f = openat(from, keys, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f < 0 && errno == ENOENT)
		return OK;
	int t = mkdirat(to, keys, 0700) == 0 || errno == EEXIST ? openat(to, keys, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	enum err e = f >= 0 && t >= 0 ? copy_all(f, t, detail)
				      : vault_fail(detail, err_from_errno(errno), "the keys of the days cannot be copied: %s", strerror(errno));
	if (f >= 0)
		close(f);
	if (t >= 0)
		close(t);
	return e;
}

static enum err take(int from, int to, char **detail)
{
	if (faccessat(from, last, F_OK, 0) != 0)
		return vault_fail(detail, ERR_NOT_FOUND, "the second place holds no keeper (or one that was never finished): there is no %s", last);
	if (faccessat(to, last, F_OK, 0) == 0)
		return vault_fail(detail, ERR_EXISTS, "there is a keeper in this data directory already: leave --keeper out to use that one");
	TRY(copy_all(from, to, detail));
	TRY(copy_keys(from, to, detail));
	TRY(newfile_put(to, "heads", "", 0));
	return copy_file(from, to, last, detail);
}

enum err keeper_take(const char *place, const char *dir, char **detail)
{
	if (detail != NULL)
		*detail = NULL;
	int from = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (from < 0)
		return vault_fail(detail, err_from_errno(errno), "%s: %s", place, strerror(errno));
	int to = mkdir(dir, 0700) == 0 || errno == EEXIST ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	enum err e = to >= 0 ? take(from, to, detail) : vault_fail(detail, err_from_errno(errno), "%s: %s", dir, strerror(errno));
	close(from);
	if (to >= 0)
		close(to);
	return e;
}
