/* SPDX-License-Identifier: Apache-2.0
 * The second place: a directory with what a new machine needs when this one is lost.  It is attached when it was found to be ours and both
 * sides say the same; after any failure it counts as away, and is found and compared again before it is written.
 *
 * The file `copy` of this keeper names the place that is in use.  An empty directory at that path is not filled again: it is more likely a file
 * system that is not mounted than a place that lost everything. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "crypto/newfile.h"
#include "keeper/vault/vault.h"

#define MARKER "copy"
#define STATIC_MAX (128 * KIB)

/* signing.key last: a place without it was never finished. */
static const char *const statics[] = {"ca.key", "ca.pem", "token.key", "suppression.key", "export.key", "signing.key"};
enum { STATICS = sizeof statics / sizeof statics[0], AUTHORITY = 2 };

struct copy {
	char *path;
	int dir, keys; /* -1: away */
	struct ledger *ledger;
};

static void detach(struct copy *c)
{
	ledger_close(c->ledger);
	if (c->keys >= 0)
		close(c->keys);
	if (c->dir >= 0)
		close(c->dir);
	c->ledger = NULL;
	c->dir = c->keys = -1;
}

/* ---- whose it is ---- */

static bool same_file(int a, int b, const char *name)
{
	char *x = NULL, *y = NULL;
	size_t xn = 0, yn = 0;
	bool same = vault_file_read(a, name, STATIC_MAX, &x, &xn, NULL) == OK && vault_file_read(b, name, STATIC_MAX, &y, &yn, NULL) == OK &&
		    xn == yn && bytes_equal(x, y, xn);
	if (x != NULL)
		wipe(x, xn);
	if (y != NULL)
		wipe(y, yn);
	free(x);
	free(y);
	return same;
}

static bool is_empty(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	bool empty = d != NULL;
	for (const struct dirent *e; empty && (e = readdir(d)) != NULL;)
		empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || strcmp(e->d_name, "lost+found") == 0;
	if (d != NULL)
		closedir(d);
	return empty;
}

/* The path that is in use, malloc'd; NULL: none yet. */
static enum err read_marker(struct vault *k, char **ret, char **detail)
{
	size_t n;
	*ret = NULL;
	if (faccessat(k->dir, MARKER, F_OK, 0) != 0)
		return OK;
	TRY(vault_file_read(k->dir, MARKER, 8 * KIB, ret, &n, detail));
	(*ret)[strcspn(*ret, "\n")] = '\0';
	return OK;
}

static enum err write_marker(struct vault *k)
{
	char *text;
	int n = asprintf(&text, "%s\n", k->copy->path);
	check(n > 0);
	enum err e = newfile_put(k->dir, MARKER, text, (size_t)n);
	free(text);
	return e;
}

static enum err open_places(struct vault *k, char **detail)
{
	struct copy *c = k->copy;
	struct stat ours, theirs;
	c->dir = open(c->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->dir < 0 || fstat(c->dir, &theirs) != 0 || fstat(k->dir, &ours) != 0)
		return vault_fail(detail, ERR_UNAVAILABLE, "the second place of the keeper, %s, is away (%s): nothing is erased until it is back",
				   c->path, strerror(errno));
	if ((theirs.st_mode & 077) != 0)
		return vault_fail(detail, ERR_CONFIG, "others than its owner may use the second place of the keeper, %s: set it to 0700", c->path);
	if (ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino)
		return vault_fail(detail, ERR_CONFIG, "the second place of the keeper is its first: %s", c->path);
	return OK;
}

static enum err copy_static(struct vault *k, const char *name)
{
	char *text;
	size_t n;
	if (same_file(k->dir, k->copy->dir, name))
		return OK;
	TRY(vault_file_read(k->dir, name, STATIC_MAX, &text, &n, NULL));
	enum err e = newfile_put(k->copy->dir, name, text, n);
	wipe(text, n);
	free(text);
	return e;
}

/* An empty place becomes ours; one with another keeper's key is refused. */
static enum err claim(struct vault *k, char **detail)
{
	struct copy *c = k->copy;
	char *marker;
	TRY(read_marker(k, &marker, detail));
	bool known = marker != NULL;
	bool here = known && strcmp(marker, c->path) == 0;
	free(marker);
	if (faccessat(c->dir, "signing.key", F_OK, 0) == 0)
		return same_file(k->dir, c->dir, "signing.key")
			       ? OK
			       : vault_fail(detail, ERR_CONFIG, "the second place of the keeper, %s, belongs to another keeper", c->path);
	if (here)
		return vault_fail(detail, ERR_UNAVAILABLE,
				   "the second place of the keeper, %s, is not what it was (is it mounted?): nothing is erased until it is back", c->path);
	if (known)
		return vault_fail(detail, ERR_CONFIG,
				   "keeper_copy names another place than before, and nothing was moved there: move it, or destroy the old one and remove "
				   "the keeper's file " MARKER);
	if (!is_empty(c->dir) && faccessat(c->dir, "ca.key", F_OK, 0) != 0)
		return vault_fail(detail, ERR_CONFIG, "the second place of the keeper, %s, is not empty", c->path);
	return faccessat(c->dir, LEDGER_FILE, F_OK, 0) == 0 || newfile_put(c->dir, LEDGER_FILE, "", 0) == OK
		       ? OK
		       : vault_fail(detail, ERR_UNAVAILABLE, "the second place of the keeper, %s, cannot be written", c->path);
}

static enum err write_statics(struct vault *k, char **detail)
{
	enum err e = OK;
	for (int i = 0; e == OK && i < STATICS; i++)
		e = copy_static(k, statics[i]);
	return e == OK ? OK : vault_fail(detail, ERR_UNAVAILABLE, "the second place of the keeper, %s, cannot be written", k->copy->path);
}

static enum err even_parts(struct vault *k, char **detail)
{
	struct copy *c = k->copy;
	uint64_t cut;
	if (mkdirat(c->dir, DAYKEYS_DIR, 0700) != 0 && errno != EEXIST)
		return vault_fail(detail, ERR_UNAVAILABLE, "the second place of the keeper, %s, cannot be written", c->path);
	c->keys = openat(c->dir, DAYKEYS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->keys < 0)
		return vault_fail(detail, ERR_UNAVAILABLE, "the second place of the keeper, %s, cannot be read", c->path);
	TRY(ledger_open(c->dir, &c->ledger, &cut, detail));
	TRY(ledger_even(k->ledger, c->ledger, detail));
	return daykeys_even(k, c->keys, detail);
}

static enum err attach(struct vault *k, char **detail)
{
	enum err e = open_places(k, detail);
	if (e == OK)
		e = claim(k, detail);
	if (e == OK)
		e = write_statics(k, detail);
	if (e == OK)
		e = even_parts(k, detail);
	if (e == OK && write_marker(k) != OK)
		e = vault_fail(detail, ERR_IO, "the keeper's file " MARKER " cannot be written");
	if (e != OK)
		detach(k->copy);
	return e;
}

/* A second place that is not set any more still holds keys: whoever takes it away must say that they are destroyed. */
static enum err check_none(struct vault *k, char **detail)
{
	char *marker;
	TRY(read_marker(k, &marker, detail));
	enum err e = OK;
	if (marker != NULL)
		e = vault_fail(detail, ERR_CONFIG,
				"keeper_copy is not set any more, and %s still holds keys: destroy them, then remove the keeper's file " MARKER, marker);
	free(marker);
	return e;
}

enum err copy_open(struct vault *k, const char *path, char **detail)
{
	char *why = NULL;
	if (path == NULL || *path == '\0')
		return check_none(k, detail);
	k->copy = calloc(1, sizeof *k->copy);
	check(k->copy != NULL);
	k->copy->dir = k->copy->keys = -1;
	k->copy->path = strdup(path);
	check(k->copy->path != NULL);
	enum err e = attach(k, &why);
	if (e == ERR_UNAVAILABLE)
		e = OK; /* vault_copy_state() says it */
	else if (e != OK)
		vault_fail(detail, e, "%s", why != NULL ? why : err_text(e));
	free(why);
	return e;
}

void copy_close(struct copy *c)
{
	if (c == NULL)
		return;
	detach(c);
	free(c->path);
	free(c);
}

/* Whether the path still leads to what is attached, and to a ledger with a name: one that was removed could be written for ever. */
static bool still_there(const struct copy *c)
{
	struct stat name, open_dir, ledger;
	return stat(c->path, &name) == 0 && fstat(c->dir, &open_dir) == 0 && name.st_ino == open_dir.st_ino && name.st_dev == open_dir.st_dev &&
	       fstatat(c->dir, LEDGER_FILE, &ledger, AT_SYMLINK_NOFOLLOW) == 0 && (uint64_t)ledger.st_size == ledger_length(c->ledger) &&
	       faccessat(c->dir, "signing.key", F_OK, 0) == 0;
}

enum err copy_ready(struct vault *k, char **detail)
{
	if (k->copy == NULL)
		return OK;
	if (k->copy->dir >= 0 && still_there(k->copy))
		return OK;
	detach(k->copy);
	return attach(k, detail);
}

void copy_lost(struct vault *k)
{
	if (k->copy != NULL)
		detach(k->copy);
}

struct ledger *copy_ledger(const struct vault *k)
{
	return k->copy != NULL ? k->copy->ledger : NULL;
}

int copy_directory(const struct vault *k)
{
	return k->copy != NULL ? k->copy->keys : -1;
}

enum err copy_authority(struct vault *k)
{
	for (int i = 0; k->copy != NULL && i < AUTHORITY; i++)
		TRY(copy_static(k, statics[i]));
	return OK;
}

enum err vault_copy_state(struct vault *k, struct scope *s)
{
	char *detail = NULL;
	check(pthread_mutex_lock(&k->both) == 0);
	enum err e = copy_ready(k, &detail);
	pthread_mutex_unlock(&k->both);
	if (e != OK)
		e = scope_fail(s, e, "%s", detail != NULL ? detail : err_text(e));
	free(detail);
	return e;
}
