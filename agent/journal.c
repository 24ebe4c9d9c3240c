/* SPDX-License-Identifier: Apache-2.0
 *
 * The journal's records and backups on disk (see journal.h); journal_json.c says how a record is spelled.
 */
#include "journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/digest.h"
#include "fs.h"
#include "state.h"

static char *record_name(struct agent *a, const char *id)
{
	return arena_printf(a->scope->arena, "items/%s.json", id);
}

char *journal_backup(struct agent *a, const char *id, unsigned number)
{
	return arena_printf(a->scope->arena, "items/%s.%u.backup", id, number);
}

enum err journal_load(struct agent *a, const char *id, struct journal *ret)
{
	auto_json *o = NULL;
	TRY(state_read_json(a, record_name(a, id), &o));
	return journal_read(a->scope, o, ret);
}

enum err journal_save(struct agent *a, const struct journal *j)
{
	auto_buf out;
	struct json_writer w;
	buf_init(&out, 8u << 20);
	jw_init(&w, &out);
	journal_write(j, &w);
	return state_write_json(a, record_name(a, j->id), &out);
}

enum err journal_forget(struct agent *a, const struct journal *j)
{
	TRY(state_unlink(a, record_name(a, j->id)));
	for (size_t i = 0; i < j->n_files; i++)
		if (j->files[i].existed)
			TRY(state_unlink(a, journal_backup(a, j->id, j->files[i].backup)));
	return OK;
}

static int by_id(const void *x, const void *y)
{
	return strcmp((*(struct journal *const *)x)->id, (*(struct journal *const *)y)->id);
}

static bool is_record(const char *name, char id[ID_TEXT])
{
	struct id parsed;
	if (strlen(name) != 36 + 5 || strcmp(name + 36, ".json") != 0)
		return false;
	memcpy(id, name, 36);
	id[36] = '\0';
	return id_parse(id, &parsed);
}

enum err journal_all(struct agent *a, struct journal ***ret)
{
	size_t n = 0, cap = 16;
	struct journal **all = arena_alloc(a->scope->arena, (cap + 1) * sizeof *all);
	int fd = fs_open(a->state_fd, "items", O_RDONLY | O_DIRECTORY);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	enum err e = OK;
	for (struct dirent *d; dir != NULL && e == OK && (d = readdir(dir)) != NULL;) {
		char id[ID_TEXT];
		if (!is_record(d->d_name, id))
			continue;
		if (n == cap) {
			struct journal **more = arena_alloc(a->scope->arena, (2 * cap + 1) * sizeof *all);
			memcpy(more, all, n * sizeof *all);
			all = more;
			cap *= 2;
		}
		all[n] = arena_alloc(a->scope->arena, sizeof **all);
		e = journal_load(a, id, all[n++]);
	}
	if (dir != NULL)
		closedir(dir);
	else
		fd_release(&fd);
	if (n > 1 && e == OK)
		qsort(all, n, sizeof *all, by_id);
	*ret = all;
	return e;
}

enum err journal_keep(struct agent *a, const char *id, struct journal_file *f, unsigned number)
{
	struct stat st;
	auto_fd from = fs_open(a->root_fd, f->path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (from < 0)
		return scope_fail(a->scope, ERR_IO, "cannot read /%s, which would be replaced: %s", f->path,
				  strerror(errno));
	if (fstat(from, &st) != 0 || !S_ISREG(st.st_mode))
		return scope_fail(a->scope, ERR_CONFLICT, "/%s is not a regular file", f->path);
	auto_buf bytes;
	buf_init(&bytes, FS_FILE_MAX);
	if (fs_read_fd(from, &bytes) != 0)
		return scope_fail(a->scope, ERR_IO, "cannot keep /%s, which would be replaced: %s", f->path,
				  strerror(errno));
	struct fs_meta meta = {.mode = 0600, .uid = -1, .gid = -1, .xattrs_from = from};
	const char *name = journal_backup(a, id, number);
	if (fs_write(a->state_fd, name, bytes.data, bytes.len, &meta, ".tmp") != 0)
		return scope_fail(a->scope, ERR_IO, "cannot write %s: %s", state_file(a, name), strerror(errno));
	uint8_t sum[SHA256_BYTES];
	sha256(bytes.data, bytes.len, sum);
	hex_encode(sum, sizeof sum, f->original);
	f->existed = true;
	f->backup = number;
	f->mode = st.st_mode & 07777;
	f->uid = st.st_uid;
	f->gid = st.st_gid;
	f->mtime_s = st.st_mtim.tv_sec;
	f->mtime_ns = st.st_mtim.tv_nsec;
	return OK;
}
