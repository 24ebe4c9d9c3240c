/* SPDX-License-Identifier: Apache-2.0
 *
 * Applying one item.  The order is the promise: look (nothing changes), keep what will be replaced, write the journal,
 * change the device, write the journal again.  Cut off anywhere, the next check-in begins again with the journal's
 * record, in which what the device had before the organisation came is never overwritten by what the organisation put
 * there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

#include "collect.h"
#include "crypto/digest.h"
#include "exec.h"
#include "fs.h"
#include "provision.h"
#include "state.h"

void journal_remark(struct agent *a, struct journal *j, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	const char *text = arena_vprintf(a->scope->arena, fmt, ap);
	va_end(ap);
	j->error = j->error == NULL ? text : arena_printf(a->scope->arena, "%s; %s", j->error, text);
}

const char *item_temp(struct agent *a, const char *id)
{
	return arena_printf(a->scope->arena, ".reeve-%s.tmp", id);
}

static void content_hash(const struct plan_file *f, char hex[65])
{
	uint8_t sum[SHA256_BYTES];
	sha256(f->content, f->n, sum);
	hex_encode(sum, sizeof sum, hex);
}

/* Whether the file is there as the plan has it. */
static bool as_planned(struct agent *a, const struct plan_file *f)
{
	char have[65], want[65];
	struct stat st;
	auto_fd fd = fs_open(a->root_fd, f->path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (st.st_mode & 07777) != f->mode ||
	    fs_hash_fd(fd, have) != 0)
		return false;
	content_hash(f, want);
	return strcmp(have, want) == 0;
}

static struct journal_file *find_file(struct journal *j, const char *path)
{
	for (size_t i = 0; i < j->n_files; i++)
		if (strcmp(j->files[i].path, path) == 0)
			return &j->files[i];
	return NULL;
}

static bool package_as_planned(struct agent *a, const struct plan *p)
{
	char *version;
	if (p->package == NULL)
		return true;
	return package_installed(a, p->package, &version) &&
	       (p->package_version == NULL || strcmp(version, p->package_version) == 0);
}

static bool same_texts(const char **x, const char **y)
{
	static const char *const none[] = {NULL};
	const char *const *p = x != NULL ? (const char *const *)x : none, *const *q = y != NULL ? (const char *const *)y
												: none;
	for (; *p != NULL && *q != NULL; p++, q++)
		if (strcmp(*p, *q) != 0)
			return false;
	return *p == NULL && *q == NULL;
}

/* Nothing to do: this version is recorded as installed, and a look at the device agrees. */
static bool up_to_date(struct agent *a, struct journal *j, const struct desired *d, const struct plan *p)
{
	if (j->state != ITEM_INSTALLED || j->version != d->version || !same_texts(j->data, p->data))
		return false;
	for (size_t i = 0; i < p->n_files; i++)
		if (find_file(j, p->files[i].path) == NULL || !as_planned(a, &p->files[i]))
			return false;
	return package_as_planned(a, p);
}

/* Two items with one path would each take the other's file for the device's own. */
static enum err no_conflict(struct agent *a, const struct desired *d, const struct plan *p)
{
	struct journal **all;
	TRY(journal_all(a, &all));
	for (; *all != NULL; all++)
		for (size_t i = 0; strcmp((*all)->id, d->id) != 0 && (*all)->state != ITEM_REMOVED && i < p->n_files;
		     i++)
			if (find_file(*all, p->files[i].path) != NULL)
				return scope_fail(a->scope, ERR_CONFLICT, "/%s is provisioned by another item (%s)",
						  p->files[i].path, (*all)->id);
	return OK;
}

/* Notes the directories on the way to `path` that are not there. */
static enum err note_dirs(struct agent *a, struct journal *j, const char *path)
{
	for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		struct stat st;
		const char *dir = arena_strndup(a->scope->arena, path, (size_t)(slash - path));
		if (fs_stat(a->root_fd, dir, &st) == 0) {
			if (!S_ISDIR(st.st_mode))
				return scope_fail(a->scope, ERR_CONFLICT,
						  "/%s is not a directory (links are not followed)", dir);
			continue;
		}
		if (errno != ENOENT)
			return scope_fail(a->scope, ERR_IO, "cannot look at /%s: %s", dir, strerror(errno));
		size_t n = 0;
		while (j->dirs != NULL && j->dirs[n] != NULL && strcmp(j->dirs[n], dir) != 0)
			n++;
		if (j->dirs != NULL && j->dirs[n] != NULL)
			continue;
		const char **more = arena_alloc(a->scope->arena, (n + 2) * sizeof *more);
		if (n > 0)
			memcpy(more, j->dirs, n * sizeof *more);
		more[n] = dir;
		j->dirs = more;
	}
	return OK;
}

/* Looks at what a planned file would meet, and keeps it.  What the journal knows already stays as it is. */
static enum err note_file(struct agent *a, struct journal *j, const struct plan_file *f)
{
	TRY(note_dirs(a, j, f->path));
	struct journal_file *known = find_file(j, f->path);
	if (known != NULL) {
		known->dropped = false;
		return OK;
	}
	struct journal_file *more = arena_alloc(a->scope->arena, (j->n_files + 1) * sizeof *more),
			    *new = &more[j->n_files];
	unsigned number = 0;
	for (size_t i = 0; i < j->n_files; i++) {
		more[i] = j->files[i];
		if (more[i].existed && more[i].backup >= number)
			number = more[i].backup + 1;
	}
	*new = (struct journal_file){.path = f->path};
	struct stat st;
	bool there = fs_stat(a->root_fd, f->path, &st) == 0;
	if (there && !S_ISREG(st.st_mode))
		return scope_fail(a->scope, ERR_CONFLICT, "/%s is not a regular file (links are not followed)",
				  f->path);
	if (there)
		TRY(journal_keep(a, j->id, new, number));
	else if (errno != ENOENT)
		return scope_fail(a->scope, ERR_IO, "cannot look at /%s: %s", f->path, strerror(errno));
	j->files = more;
	j->n_files++;
	return OK;
}

/* Everything that the change will do goes into the record; the device is only looked at. */
static enum err prepare(struct agent *a, struct journal *j, const struct desired *d, const struct plan *p)
{
	TRY(no_conflict(a, d, p));
	for (size_t i = 0; i < j->n_files; i++)
		j->files[i].dropped = true;
	for (size_t i = 0; i < p->n_files; i++)
		TRY(note_file(a, j, &p->files[i]));
	TRY(data_note_kept(a, j, (const char *const *)p->data));
	if (p->package != NULL && (j->package == NULL || strcmp(j->package, p->package) != 0)) {
		char *version;
		if (j->package != NULL)
			return scope_fail(a->scope, ERR_BAD_REQUEST, "an app cannot become another package (%s)",
					  j->package);
		j->package = p->package;
		j->package_was_there = package_installed(a, p->package, &version);
	}
	j->package_version = p->package_version;
	return OK;
}

static enum err write_file(struct agent *a, struct journal *j, const struct plan_file *f)
{
	struct journal_file *known = find_file(j, f->path);
	const char *slash = strrchr(f->path, '/');
	const char *dir = arena_strndup(a->scope->arena, f->path, slash != NULL ? (size_t)(slash - f->path) : 0);
	struct fs_meta meta = {.mode = f->mode, .uid = -1, .gid = -1, .xattrs_from = -1};
	if (known->existed) {
		meta.uid = known->uid;
		meta.gid = known->gid;
	}
	if (!as_planned(a, f) && ((dir[0] != '\0' && fs_mkdirs(a->root_fd, dir, 0755) != 0) ||
				  fs_write(a->root_fd, f->path, f->content, f->n, &meta, item_temp(a, j->id)) != 0))
		return scope_fail(a->scope, ERR_IO, "cannot write /%s: %s", f->path, strerror(errno));
	return OK;
}

static enum err change(struct agent *a, struct journal *j, const struct kind *kind, const struct plan *p)
{
	for (size_t i = 0; i < p->n_files; i++)
		TRY(write_file(a, j, &p->files[i]));
	size_t kept = 0;
	for (size_t i = 0; i < j->n_files; i++) {
		if (j->files[i].dropped)
			TRY(file_take_back(a, j, &j->files[i]));
		else
			j->files[kept++] = j->files[i];
	}
	j->n_files = kept;
	if (!package_as_planned(a, p))
		TRY(package_install(a, p->package, p->package_version));
	return !a->tree && kind->changed != NULL ? kind->changed(a, false) : OK;
}

/* Records a failure; what the record says of the device stays true. */
static enum err note_failure(struct agent *a, struct journal *j, enum err e, struct outcome *out)
{
	j->state = ITEM_FAILED;
	j->error = arena_strdup(a->scope->arena, scope_detail(a->scope, e));
	agent_forgive(a);
	out->failed++;
	return journal_save(a, j);
}

static enum err apply_plan(struct agent *a, struct journal *j, const struct desired *d, const struct kind *kind,
			   struct plan *p)
{
	TRY(prepare(a, j, d, p));
	for (size_t i = 0; i < p->n_files; i++)
		content_hash(&p->files[i], find_file(j, p->files[i].path)->written);
	j->identifier = p->identifier;
	j->data = p->data;
	j->state = ITEM_APPLYING;
	TRY(journal_save(a, j));
	return change(a, j, kind, p);
}

enum err item_apply(struct agent *a, const struct desired *d, struct outcome *out)
{
	struct journal j;
	struct plan p = {0};
	enum err e = journal_load(a, d->id, &j);
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	if (e == OK && (j.state == ITEM_REMOVING || (j.state != ITEM_REMOVED && strcmp(j.kind, d->kind) != 0)))
		TRY(item_take_back(a, &j, out)); /* it came back, or changed its nature: start clean */
	if (e == OK && j.state == ITEM_REMOVING) /* not clean: tried again at the next check-in */
		return OK;
	if (e == ERR_NOT_FOUND || j.state == ITEM_REMOVED)
		j = (struct journal){.id = d->id, .kind = d->kind};
	const struct kind *kind = kind_find(d->kind);
	if (kind == NULL)
		e = scope_fail(a->scope, ERR_NOT_IMPLEMENTED, "this agent does not know the kind %.32s", d->kind);
	else
		e = kind->plan(a, d, &p);
	if (e == OK && up_to_date(a, &j, d, &p)) {
		out->unchanged++;
		return OK;
	}
	j.version = d->version;
	j.name = d->name;
	j.error = NULL;
	if (e == OK)
		e = apply_plan(a, &j, d, kind, &p);
	if (e != OK)
		return note_failure(a, &j, e, out);
	j.state = ITEM_INSTALLED;
	j.error = NULL;
	out->applied++;
	return journal_save(a, &j);
}
