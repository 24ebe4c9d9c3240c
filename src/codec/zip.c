/* SPDX-License-Identifier: Apache-2.0
 *
 * Zip files on libarchive.  Bundles hold personal data, so the file is private from its first byte, entries unpack as
 * private (0600), and a bundle that could not be finished does not stay behind.
 */
#include "codec/zip.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

struct zip_writer {
	struct archive *archive;
	char *path;     /* NULL: out is written to */
	int fd;
	zip_out_fn out;
	void *out_arg;
	enum err out_err;
	bool open;      /* an entry without a size */
	int error; /* errno of the first write that failed, or ECANCELED; nothing is written after it */
};

static enum err from_errno(int e)
{
	return e == ENOSPC || e == EDQUOT || e == EFBIG ? ERR_STORAGE_FULL : ERR_IO;
}

/* Failures are kept for us and hidden from libarchive, which leaks its compressor when a write fails in the middle of
 * an entry. */
static la_ssize_t write_out(struct archive *a, void *data, const void *bytes, size_t n)
{
	struct zip_writer *z = data;
	if (z->out != NULL) {
		if (z->out_err == OK && z->error == 0)
			z->out_err = z->out(z->out_arg, bytes, n);
		return (la_ssize_t)n;
	}
	for (size_t done = 0; done < n && z->error == 0;) {
		ssize_t r = write(z->fd, (const char *)bytes + done, n - done);
		if (r > 0)
			done += (size_t)r;
		else if (r == 0 || errno != EINTR)
			z->error = r == 0 ? EIO : errno;
	}
	return (la_ssize_t)n;
}

/* What a call to libarchive came to: its own failure, or that of a write below it. */
static enum err outcome(const struct zip_writer *z, la_ssize_t r)
{
	if (z->error != 0)
		return from_errno(z->error);
	if (z->out_err != OK)
		return z->out_err;
	return r < 0 ? ERR_IO : OK;
}

static void release(struct zip_writer *z)
{
	archive_write_free(z->archive);
	if (z->fd >= 0)
		close(z->fd);
	free(z->path);
	free(z);
}

void zip_abort(struct zip_writer *z)
{
	if (z == NULL)
		return;
	z->error = ECANCELED;
	if (z->path != NULL)
		unlink(z->path);
	release(z);
}

/* level: NULL for the library's own. */
static enum err start_archive(struct zip_writer *z, const char *level)
{
	z->archive = archive_write_new();
	check(z->archive != NULL);
	if (archive_write_set_format_zip(z->archive) != ARCHIVE_OK ||
	    archive_write_set_options(z->archive, "zip:compression=deflate") != ARCHIVE_OK)
		return ERR_INTERNAL; /* a libarchive without zlib */
	if (level != NULL && archive_write_set_format_option(z->archive, "zip", "compression-level", level) != ARCHIVE_OK)
		return ERR_INTERNAL;
	archive_write_set_bytes_in_last_block(z->archive, 1); /* no padding behind the directory */
	return outcome(z, archive_write_open(z->archive, z, NULL, write_out, NULL));
}

enum err zip_open_out(zip_out_fn out, void *arg, int level, struct zip_writer **ret)
{
	char text[] = "1";
	struct zip_writer *z = calloc(1, sizeof *z);
	check(z != NULL && level >= 1 && level <= 9);
	z->fd = -1;
	z->out = out;
	z->out_arg = arg;
	text[0] = (char)('0' + level);
	enum err e = start_archive(z, text);
	if (e != OK) {
		zip_abort(z);
		return e;
	}
	*ret = z;
	return OK;
}

enum err zip_open(const char *path, struct zip_writer **ret)
{
	struct zip_writer *z = calloc(1, sizeof *z);
	check(z != NULL);
	z->path = strdup(path);
	check(z->path != NULL);
	/* A new file, not a truncated one: the old one may have another mode, or be a link to somewhere else. */
	if (unlink(path) != 0 && errno != ENOENT)
		z->fd = -1;
	else
		z->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (z->fd < 0) {
		enum err e = from_errno(errno);
		release(z);
		return e;
	}
	enum err e = start_archive(z, NULL);
	if (e != OK) {
		zip_abort(z);
		return e;
	}
	*ret = z;
	return OK;
}

/* Printable ASCII, relative, and no "", "." or ".." between slashes. */
static bool safe_name(const char *name)
{
	for (const char *c = name; *c != '\0'; c++)
		if (*c < 0x20 || *c > 0x7e || *c == '\\' || *c == ':')
			return false;
	for (const char *part = name;; part++) {
		size_t n = strcspn(part, "/");
		if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && memcmp(part, "..", 2) == 0))
			return false;
		part += n;
		if (*part == '\0')
			return true;
	}
}

static enum err put_bytes(struct zip_writer *z, const char *p, size_t n)
{
	while (n > 0) {
		la_ssize_t done = archive_write_data(z->archive, p, n);
		TRY(outcome(z, done == 0 ? -1 : done));
		p += done;
		n -= (size_t)done;
	}
	return OK;
}

static enum err end_entry(struct zip_writer *z)
{
	z->open = false;
	return outcome(z, archive_write_finish_entry(z->archive));
}

/* size -1: not known. */
static enum err begin(struct zip_writer *z, const char *name, int64_t size, int64_t mtime_us)
{
	if (!safe_name(name))
		return ERR_BAD_REQUEST;
	if (z->open)
		TRY(end_entry(z));
	struct archive_entry *entry = archive_entry_new();
	check(entry != NULL);
	archive_entry_set_pathname(entry, name);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0600);
	if (size >= 0)
		archive_entry_set_size(entry, (la_int64_t)size);
	archive_entry_set_mtime(entry, mtime_us / SECOND_US, 0);
	enum err e = outcome(z, archive_write_header(z->archive, entry));
	archive_entry_free(entry);
	return e;
}

enum err zip_add(struct zip_writer *z, const char *name, const void *bytes, size_t n, int64_t mtime_us)
{
	TRY(begin(z, name, (int64_t)n, mtime_us));
	TRY(put_bytes(z, bytes, n));
	return end_entry(z);
}

enum err zip_begin(struct zip_writer *z, const char *name, int64_t mtime_us)
{
	TRY(begin(z, name, -1, mtime_us));
	z->open = true;
	return OK;
}

enum err zip_put(struct zip_writer *z, const void *bytes, size_t n) { return put_bytes(z, bytes, n); }

/* A new name is on disk only when its folder is. */
static int sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash == NULL ? strdup(".") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
	check(folder != NULL);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(folder);
	if (fd < 0)
		return -1;
	int r = fsync(fd), e = errno;
	close(fd);
	errno = e;
	return r;
}

enum err zip_finish(struct zip_writer *z)
{
	enum err e = z->open ? end_entry(z) : OK;
	if (e == OK)
		e = outcome(z, archive_write_close(z->archive));
	if (e == OK && z->path != NULL && (fsync(z->fd) != 0 || sync_folder(z->path) != 0))
		e = from_errno(errno);
	if (e == OK)
		release(z);
	else
		zip_abort(z);
	return e;
}

static enum err read_entry(struct archive *a, struct buf *out)
{
	char part[8192];
	la_ssize_t n;
	while ((n = archive_read_data(a, part, sizeof part)) > 0) {
		buf_add(out, part, (size_t)n);
		if (out->failed)
			return ERR_LIMIT;
	}
	return n == 0 ? OK : ERR_IO; /* a wrong CRC is a failure too */
}

/* Walks all entries, so that a second one of the same name is seen. */
static enum err find_entry(struct archive *a, const char *name, struct buf *out)
{
	struct archive_entry *entry;
	bool found = false;
	int r;
	while ((r = archive_read_next_header(a, &entry)) == ARCHIVE_OK) {
		const char *at = archive_entry_pathname(entry);
		if (at == NULL || strcmp(at, name) != 0)
			continue;
		if (found)
			return ERR_BAD_REQUEST;
		found = true;
		TRY(read_entry(a, out));
	}
	if (r != ARCHIVE_EOF)
		return ERR_IO;
	return found ? OK : ERR_NOT_FOUND;
}

enum err zip_read(const char *path, const char *name, size_t max_bytes, char **ret, size_t *ret_n)
{
	auto_buf out;
	buf_init(&out, max_bytes);
	struct archive *a = archive_read_new();
	check(a != NULL);
	archive_read_support_format_zip_seekable(a); /* by the central directory, as unzip does */
	enum err e;
	if (archive_read_open_filename(a, path, 64 * 1024) != ARCHIVE_OK)
		e = archive_errno(a) == ENOENT ? ERR_NOT_FOUND : ERR_IO;
	else
		e = find_entry(a, name, &out);
	archive_read_free(a);
	if (e != OK)
		return e;
	buf_adds(&out, ""); /* an empty entry has no bytes yet */
	*ret_n = out.len;
	*ret = buf_steal(&out, NULL);
	check(*ret != NULL);
	return OK;
}

static enum err give_entry(struct archive *a, const char *name, uint64_t *left, struct buf *bytes, zip_entry_fn fn, void *arg)
{
	buf_clear(bytes);
	TRY(read_entry(a, bytes));
	if (bytes->len > *left)
		return ERR_LIMIT;
	*left -= bytes->len;
	return fn(arg, name, bytes->len > 0 ? bytes->data : "", bytes->len);
}

static enum err give_all(struct archive *a, const struct zip_limits *limits, zip_entry_fn fn, void *arg)
{
	struct archive_entry *entry;
	uint64_t left = limits->total_bytes;
	auto_buf bytes;
	int r;
	buf_init(&bytes, limits->entry_bytes);
	for (uint64_t n = 0; (r = archive_read_next_header(a, &entry)) == ARCHIVE_OK; n++) {
		const char *name = archive_entry_pathname(entry);
		if (n == limits->entries)
			return ERR_LIMIT;
		if (archive_entry_filetype(entry) == AE_IFDIR)
			continue;
		if (name == NULL || !safe_name(name) || archive_entry_filetype(entry) != AE_IFREG)
			return ERR_BAD_REQUEST;
		TRY(give_entry(a, name, &left, &bytes, fn, arg));
	}
	return r == ARCHIVE_EOF ? OK : ERR_IO;
}

enum err zip_each(const char *path, const struct zip_limits *limits, zip_entry_fn fn, void *arg)
{
	struct archive *a = archive_read_new();
	check(a != NULL);
	archive_read_support_format_zip_seekable(a);
	enum err e;
	if (archive_read_open_filename(a, path, 64 * 1024) != ARCHIVE_OK)
		e = archive_errno(a) == ENOENT ? ERR_NOT_FOUND : ERR_IO;
	else
		e = give_all(a, limits, fn, arg);
	archive_read_free(a);
	return e;
}
