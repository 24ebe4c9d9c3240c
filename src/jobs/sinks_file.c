/* SPDX-License-Identifier: Apache-2.0
 *
 * A sink that appends lines to <sink_dir>/<tenant>/<target>.ndjson.  The file is opened for each page, so that logrotate may move it, and
 * fsynced before the cursor moves.  A line without its end is of a delivery that was cut off and never confirmed: it is cut off the file and
 * comes again, whole.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "crypto/newfile.h"
#include "jobs/sinks_internal.h"

enum { TAIL_BYTES = 64 * 1024 };

DB_GLOBAL(sink_tenant_known, "SELECT 1 FROM tenants WHERE tenant_id = ?1");

/* ---- opening ---- */

/* Where the last whole line ends. */
static enum err whole_lines(int fd, off_t size, off_t *ret)
{
	char *block = malloc(TAIL_BYTES);
	check(block != NULL);
	enum err e = OK;
	off_t end = size;
	for (*ret = 0; end > 0 && *ret == 0 && e == OK;) {
		size_t n = end < TAIL_BYTES ? (size_t)end : TAIL_BYTES;
		end -= (off_t)n;
		ssize_t got = pread(fd, block, n, end);
		const char *newline = got == (ssize_t)n ? memrchr(block, '\n', n) : NULL;
		if (got != (ssize_t)n)
			e = got < 0 ? err_from_errno(errno) : ERR_IO;
		else if (newline != NULL)
			*ret = end + (newline - block) + 1;
	}
	free(block);
	return e;
}

static enum err repair(int fd)
{
	struct stat st;
	off_t whole;
	if (fstat(fd, &st) != 0)
		return err_from_errno(errno);
	if (!S_ISREG(st.st_mode))
		return ERR_IO;
	TRY(whole_lines(fd, st.st_size, &whole));
	if (whole == st.st_size)
		return OK;
	return ftruncate(fd, whole) == 0 ? OK : err_from_errno(errno);
}

enum err sink_file_open(int dir, const char *name, int *ret_fd)
{
	int fd = openat(dir, name, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	if (fd < 0)
		return err_from_errno(errno);
	enum err e = repair(fd);
	if (e != OK) {
		close(fd);
		return e;
	}
	*ret_fd = fd;
	return OK;
}

/* ---- delivering ---- */

/* A directory below another one, made where it is missing, and on disk. */
static enum err enter(int at, const char *name, int *ret)
{
	bool made = mkdirat(at, name, 0700) == 0;
	if (!made && errno != EEXIST)
		return err_from_errno(errno);
	if (made && at != AT_FDCWD && fsync(at) != 0)
		return err_from_errno(errno);
	*ret = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret < 0 ? err_from_errno(errno) : OK;
}

static enum err open_directory(const struct delivery *d, int *ret)
{
	char id[ID_TEXT];
	int all;
	TRY(enter(AT_FDCWD, d->srv->sink_dir, &all));
	enum err e = enter(all, id_format(d->s->tenant, id), ret);
	close(all);
	return e;
}

static enum err append(int dir, const char *name, const struct buf *text)
{
	int fd;
	struct stat st;
	TRY(sink_file_open(dir, name, &fd));
	bool made = fstat(fd, &st) == 0 && st.st_size == 0;
	enum err e = write_all(fd, text->data, text->len);
	if (e == OK && (fsync(fd) != 0 || (made && fsync(dir) != 0)))
		e = err_from_errno(errno);
	close(fd);
	return e;
}

enum err sink_to_file(struct delivery *d)
{
	int dir;
	auto_buf text;
	buf_init(&text, LIMIT_RESPONSE_BYTES);
	for (size_t i = 0; i < d->page->count; i++) {
		TRY(sink_render(d, &d->page->events[i], &text));
		buf_addc(&text, '\n');
	}
	if (text.failed)
		return scope_fail(d->s, ERR_LIMIT, "the events are too large");
	enum err e = open_directory(d, &dir);
	if (e == OK) {
		e = append(dir, arena_printf(d->s->arena, "%s.ndjson", d->sink->target), &text);
		close(dir);
	}
	return e == OK ? OK : scope_fail(d->s, e, "the file cannot be written: %s", e == ERR_STORAGE_FULL ? "no space is left" : err_name(e));
}

/* ---- tenants that are gone ---- */

struct known {
	struct id tenant;
	bool is;
};

static enum err read_known(struct scope *s, struct db_tx *tx, void *arg)
{
	struct known *k = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &sink_tenant_known, DB_ARGS(db_v_id(&k->tenant)), &r));
	k->is = db_next(r);
	return db_rows_err(r);
}

/* Its files, then the directory.  Only what a sink may have written: anything else stays, and the directory with it. */
static bool remove_directory(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			unlinkat(fd, e->d_name, 0);
	closedir(d);
	return unlinkat(parent, name, AT_REMOVEDIR) == 0;
}

void sink_files_sweep(struct scope *s, const char *sink_dir)
{
	DIR *d = opendir(sink_dir);
	struct known k;
	for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
		if (!id_parse(e->d_name, &k.tenant) || id_is_nil(k.tenant))
			continue;
		k.is = true;
		if (db_read(s, read_known, &k) != OK || k.is)
			continue;
		bool done = remove_directory(dirfd(d), e->d_name);
		log_event(done ? LOG_INFO : LOG_ERROR, done ? "sink_files_removed" : "sink_files_left", "tenant=%s", e->d_name);
	}
	if (d != NULL)
		closedir(d);
}
