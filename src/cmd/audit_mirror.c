/* SPDX-License-Identifier: Apache-2.0
 *
 * reeve audit mirror DIR: a copy of a log that anybody can keep, serve as it is (C2SP tlog-tiles), and check.
 *
 * The copy is made by checking: log_check() reads every file that the new checkpoint needs, and a file that is not in DIR yet is fetched and
 * put there as it is read.  So nothing is fetched twice, a kill loses nothing, and the checkpoint, which is written last, is never ahead of
 * what was verified.  What was verified under the checkpoint that DIR holds is not read again (`verify DIR` does that).  After a failure
 * everything that is beyond the held checkpoint goes.
 *
 * With --events the events come too, and what the log has forgotten (its retention says so in events of its own) is deleted here as well.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/audit.h"
#include "cmd/audit_run.h"
#include "cmd/cmd.h"
#include "crypto/newfile.h"

static const char HELP[] =
	"usage: reeve audit mirror DIR [--events] [--from https://HOST/log/NAME] [options]\n\n"
	"Copies a log's public files into DIR, verified, incrementally: run it by a timer, serve DIR by any web server, check it with\n"
	"'reeve audit verify DIR'.  A log that went back, forked or changed its key is not taken; DIR stays as it was.\n\n"
	"  --events            its events too, as long as the log keeps them; needs a token that may read them\n"
	"  --from URL          a published log, as a stranger\n"
	"  --key KEY           the log's key, or a file with it, from a place that you trust\n"
	"  --policy FILE       a tlog-policy: its quorum of witnesses must have cosigned\n"
	"  --state FILE        what is remembered (default: ~/.local/state/reeve/heads)\n"
	"  --accept-new-origin start over where the log goes on under a new origin; the former copy is kept in DIR.<date>\n"
	"  --operator          sign in as the installation's operator: the installation's own log\n" CLIENT_OPTIONS_HELP;

struct mirror {
	struct audit_run *r;
	const char *path;
	int dir;
	enum err (*upstream)(void *arg, struct scope *s, const char *path, struct buf *ret);
	uint64_t held;        /* size of the checkpoint that DIR has */
	uint64_t held_events; /* up to where DIR has the events */
	bool events;
	uint64_t fetched, forgotten;
};

/* ---- files ---- */

static void make_folders(const struct mirror *m, const char *path)
{
	char folder[TILE_PATH_MAX];
	snprintf(folder, sizeof folder, "%s", path);
	for (char *slash = strchr(folder, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdirat(m->dir, folder, strncmp(folder, EVENTS_FOLDER, strlen(EVENTS_FOLDER)) == 0 ? 0700 : 0755);
		*slash = '/';
	}
}

/* Whole or not at all; on disk with the others at sync_all(). */
static enum err put(struct mirror *m, const char *path, const void *p, size_t n)
{
	char temp[TILE_PATH_MAX + 8];
	snprintf(temp, sizeof temp, "%s.new", path);
	bool private = strncmp(path, EVENTS_FOLDER, strlen(EVENTS_FOLDER)) == 0;
	int fd = openat(m->dir, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, private ? 0600 : 0644);
	if (fd < 0 && errno == ENOENT) {
		make_folders(m, path);
		fd = openat(m->dir, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, private ? 0600 : 0644);
	}
	enum err e = fd >= 0 ? write_all(fd, p, n) : err_from_errno(errno);
	if (fd >= 0)
		close(fd);
	if (e == OK && renameat(m->dir, temp, m->dir, path) != 0)
		e = err_from_errno(errno);
	return e == OK ? OK : scope_fail(&m->r->s, e, "%s/%s cannot be written", m->path, path);
}

static enum err sync_all(struct mirror *m)
{
	return syncfs(m->dir) == 0 ? OK : scope_fail(&m->r->s, ERR_IO, "%s: %s", m->path, strerror(errno));
}

static enum err read_here(struct mirror *m, const char *path, struct buf *out)
{
	char part[16 * 1024];
	ssize_t n = 0;
	buf_clear(out);
	int fd = openat(m->dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : scope_fail(&m->r->s, ERR_IO, "%s/%s: %s", m->path, path, strerror(errno));
	while ((n = read(fd, part, sizeof part)) > 0)
		buf_add(out, part, (size_t)n);
	close(fd);
	return n == 0 && !out->failed ? OK : scope_fail(&m->r->s, ERR_IO, "%s/%s cannot be read", m->path, path);
}

/* ---- reading through ---- */

/* The events of a bundle that was not whole when they were fetched are fetched again. */
static bool may_be_old(const struct mirror *m, const char *path)
{
	struct tile t;
	char tile[TILE_PATH_MAX];
	if (strncmp(path, EVENTS_FOLDER "/", strlen(EVENTS_FOLDER) + 1) != 0)
		return !tile_parse(path, &t);
	snprintf(tile, sizeof tile, "tile/0/%s", path + strlen(EVENTS_FOLDER) + 1);
	return !tile_parse(tile, &t) || (t.index + 1) * TILE_WIDTH > m->held_events;
}

static enum err read_through(void *arg, struct scope *s, const char *path, struct buf *ret)
{
	struct audit_source *src = arg;
	struct mirror *m = ((struct audit_run *)src->user)->user;
	bool event = strncmp(path, EVENTS_FOLDER, strlen(EVENTS_FOLDER)) == 0;
	enum err e = may_be_old(m, path) ? ERR_NOT_FOUND : read_here(m, path, ret);
	if (e != ERR_NOT_FOUND)
		return e;
	e = m->upstream(arg, s, path, ret);
	if (e == ERR_NOT_FOUND && event) { /* all forgotten: an empty file says that it was asked for */
		buf_clear(ret);
		e = OK;
	}
	if (e != OK || strcmp(path, "checkpoint") == 0 || strcmp(path, "witnessed") == 0 || strcmp(path, "key") == 0)
		return e;
	m->fetched++;
	return put(m, path, ret->len > 0 ? ret->data : "", ret->len);
}

/* ---- what does not belong to a size ---- */

typedef enum err (*file_fn)(struct mirror *m, const char *path, uint64_t bytes);

static enum err walk(struct mirror *m, const char *folder, file_fn fn)
{
	int fd = openat(m->dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	enum err e = OK;
	if (d == NULL)
		return OK;
	while (e == OK && (entry = readdir(d)) != NULL) {
		struct stat st;
		char path[TILE_PATH_MAX + 8];
		if (entry->d_name[0] == '.' || snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= (int)sizeof path)
			continue;
		if (fstatat(m->dir, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		e = S_ISDIR(st.st_mode) ? walk(m, path, fn) : fn(m, path, (uint64_t)st.st_size);
	}
	closedir(d);
	return e;
}

/* Beyond m->held, unfinished, or a part of what is there whole.  Parts that a former checkpoint named stay until then. */
static enum err sweep_one(struct mirror *m, const char *path, uint64_t bytes)
{
	struct tile t;
	if (tile_parse(path, &t)) {
		unsigned width = tile_width(m->held, t.level, t.index);
		if (t.width > width || (t.width < width && width == TILE_WIDTH))
			unlinkat(m->dir, path, 0);
		return OK;
	}
	size_t n = strlen(path);
	if (n > 4 && strcmp(path + n - 4, ".new") == 0)
		unlinkat(m->dir, path, 0);
	return OK;
}

static enum err sweep_folders(struct mirror *m)
{
	return walk(m, "tile", sweep_one);
}

/* ---- forgetting ---- */

/* What no recorded removal covers of the lines in r->lines. */
static enum err keep_lines(struct mirror *m, const char *path, struct buf *kept)
{
	struct audit_run *r = m->r;
	struct audit_line l;
	for (const char *p = r->lines.data, *end = p + r->lines.len, *eol; p < end; p = eol + 1) {
		eol = memchr(p, '\n', (size_t)(end - p));
		if (eol == NULL || !audit_line_read(r->s.arena, p, (size_t)(eol - p), &l))
			return scope_fail(&r->s, ERR_CONFLICT, "%s/%s is damaged: remove it and mirror again with --events", m->path, path);
		if (audit_verify_removed(&r->content, l.index))
			m->forgotten++;
		else
			buf_add(kept, p, (size_t)(eol + 1 - p));
	}
	return OK;
}

static enum err forget_in(struct mirror *m, const char *path, uint64_t bytes)
{
	uint64_t before = m->forgotten;
	size_t n = strlen(path);
	auto_buf kept;
	buf_init(&kept, EVENTS_BYTES_MAX);
	if (n > 4 && strcmp(path + n - 4, ".new") == 0)
		unlinkat(m->dir, path, 0);
	else if (bytes > 0) {
		TRY(read_here(m, path, &m->r->lines));
		TRY(keep_lines(m, path, &kept));
	}
	return m->forgotten > before ? put(m, path, kept.len > 0 ? kept.data : "", kept.len) : OK;
}

static enum err forget(struct mirror *m)
{
	const struct audit_verify *c = &m->r->content;
	if (!m->r->events_read || (c->removals.n == 0 && c->kept_from == 0))
		return OK;
	return walk(m, EVENTS_FOLDER, forget_in);
}

/* ---- one run ---- */

static enum err read_held_events(struct mirror *m)
{
	auto_buf text;
	buf_init(&text, 64);
	enum err e = read_here(m, ".events", &text);
	if (e == OK && text.len > 0) {
		m->held_events = strtoull(text.data, NULL, 10);
		m->events = true; /* what was mirrored must be forgotten in time */
	}
	return e == ERR_NOT_FOUND ? OK : e;
}

/* What DIR holds: a checkpoint by the same key, or nothing yet. */
static enum err read_held(struct mirror *m)
{
	struct audit_run *r = m->r;
	struct checkpoint c;
	struct note_seen seen;
	char *text;
	auto_buf note;
	buf_init(&note, NOTE_BYTES_MAX);
	TRY(read_held_events(m));
	enum err e = read_here(m, "checkpoint", &note);
	if (e != OK)
		return e == ERR_NOT_FOUND ? OK : e;
	e = note_open(&r->s, note.data, note.len, &r->key, 1, &text, &seen);
	if (e != OK || !seen.signed_)
		return scope_fail(&r->s, ERR_CONFLICT, "%s/checkpoint is not signed with the key %s", m->path, r->vkey);
	TRY(checkpoint_parse(&r->s, text, &c));
	struct seen_head held = {.origin = c.origin, .vkey = r->vkey, .size = c.size, .at = r->s.now};
	memcpy(held.root, c.root, sizeof held.root);
	struct stat st;
	if (fstatat(m->dir, "checkpoint", &st, 0) == 0)
		held.at = (int64_t)st.st_mtim.tv_sec * SECOND_US;
	m->held = c.size;
	r->held = arena_memdup(r->s.arena, &held, sizeof held);
	return OK;
}

static enum err write_head(struct mirror *m)
{
	struct audit_run *r = m->r;
	char size[24];
	auto_buf note;
	buf_init(&note, NOTE_BYTES_MAX);
	char *key = arena_printf(r->s.arena, "%s\n", r->vkey);
	TRY(put(m, "key", key, strlen(key)));
	if (m->events) {
		snprintf(size, sizeof size, "%" PRIu64 "\n", r->report.head.size);
		TRY(put(m, ".events", size, strlen(size)));
	}
	TRY(sync_all(m)); /* what it stands on first */
	TRY(put(m, "checkpoint", r->report.note, strlen(r->report.note)));
	if (r->witnessed != NULL)
		TRY(put(m, "witnessed", r->witnessed, strlen(r->witnessed)));
	return sync_all(m);
}

static enum err mirror_checked(struct mirror *m)
{
	struct audit_run *r = m->r;
	TRY(read_held(m));
	r->no_events = !m->events;
	r->copying = true;
	r->src.log.first_bundle = (m->events && m->held_events < m->held ? m->held_events : m->held) / TILE_WIDTH;
	enum err e = run_check(r);
	if (e == OK && m->events && !r->events_read)
		e = scope_fail(&r->s, ERR_FORBIDDEN, "this token may not read the log's events");
	if (e == OK)
		e = forget(m);
	if (e == OK)
		e = write_head(m);
	if (e == OK)
		m->held = r->report.head.size;
	if (e == OK || e == ERR_CONFLICT) {
		char *said = r->s.detail;
		enum err swept = sweep_folders(m);
		if (e == OK)
			e = swept;
		r->s.detail = said;
	}
	return e;
}

static int show(const struct mirror *m, uint64_t had)
{
	const struct audit_run *r = m->r;
	uint64_t size = r->report.head.size;
	if (r->json) {
		json_t *j = json_pack("{s:s,s:I,s:I,s:I,s:I}", "log", r->key.name, "size", (json_int_t)size, "added", (json_int_t)(size - had), "files",
				      (json_int_t)m->fetched, "forgotten", (json_int_t)m->forgotten);
		json_dumpf(j, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(j);
	} else {
		printf("%s: %" PRIu64 " entries (%" PRIu64 " new, %" PRIu64 " files fetched), verified",
		       run_plain(r->s.arena, r->key.name), size, size - had, m->fetched);
		if (m->forgotten > 0)
			printf("; %" PRIu64 " events forgotten, as the log has", m->forgotten);
		printf("\n");
	}
	return 0;
}

/* A new origin is another log: the former copy is set aside as it is. */
static enum err set_aside(struct mirror *m)
{
	struct audit_run *r = m->r;
	char when[TIME_TEXT];
	struct note_key key;
	auto_buf text;
	buf_init(&text, KEY_BYTES_MAX);
	enum err e = read_here(m, "key", &text);
	if (e == ERR_NOT_FOUND)
		return OK;
	TRY(e);
	TRY(note_key_parse(&r->s, arena_strndup(r->s.arena, text.data, strcspn(text.data, "\n")), &key));
	if (strcmp(key.name, r->src.origin) == 0)
		return OK;
	if (!r->accept_new_origin)
		return scope_fail(&r->s, ERR_CONFLICT, "%s holds the log %s, and the server now has %s. If you know of it (a backup was restored), "
				  "--accept-new-origin starts over and keeps the former copy beside it", m->path, key.name, r->src.origin);
	char *aside = arena_printf(r->s.arena, "%s.%.10s", m->path, time_format(r->s.now, when));
	if (rename(m->path, aside) != 0 || mkdir(m->path, 0755) != 0)
		return scope_fail(&r->s, ERR_IO, "%s cannot be renamed to %s: %s", m->path, aside, strerror(errno));
	close(m->dir);
	m->dir = open(m->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return m->dir >= 0 ? OK : scope_fail(&r->s, ERR_IO, "%s: %s", m->path, strerror(errno));
}

static enum err open_directory(struct mirror *m)
{
	struct audit_run *r = m->r;
	if (mkdir(m->path, 0755) != 0 && errno != EEXIST)
		return scope_fail(&r->s, ERR_IO, "%s: %s", m->path, strerror(errno));
	m->dir = open(m->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (m->dir < 0)
		return scope_fail(&r->s, ERR_IO, "%s: %s", m->path, strerror(errno));
	TRY(set_aside(m));
	if (flock(m->dir, LOCK_EX | LOCK_NB) != 0)
		return scope_fail(&r->s, ERR_BUSY, "%s is being written by another process", m->path);
	return OK;
}

static int mirror(struct mirror *m)
{
	struct audit_run *r = m->r;
	size_t n = strlen(m->path);
	if (n > 1 && m->path[n - 1] == '/')
		m->path = arena_strndup(r->s.arena, m->path, n - 1);
	m->upstream = r->src.log.read;
	r->user = m;
	r->src.log.read = read_through;
	r->own_file = arena_printf(r->s.arena, "%s/.seen", m->path);
	source_catch_signals();
	enum err e = open_directory(m);
	if (e == OK)
		e = run_choose_key(r);
	if (e == OK)
		e = mirror_checked(m);
	if (e == OK)
		e = run_remember(r);
	if (m->dir >= 0)
		close(m->dir);
	return e == OK ? show(m, r->held != NULL ? r->held->size : 0) : run_fail(r, e);
}

static int mirror_from(struct mirror *m, const char *from, bool as_operator, int *argc, char **argv)
{
	struct client c;
	struct audit_run *r = m->r;
	enum err e = OK;
	int code = from != NULL ? client_open_public(&c, r->command, from, argc, argv) : client_open(&c, r->command, as_operator, argc, argv);
	if (code != 0)
		return code;
	r->json = c.json;
	if (*argc > 1)
		code = cmd_fail(r->command, ERR_USAGE, "unknown argument '%s'", argv[1]);
	else if (from == NULL)
		code = source_open_server(&r->src, &r->s, &c);
	else if ((e = source_open_url(&r->src, &r->s, &c, from)) != OK)
		code = run_fail(r, e);
	if (code == 0)
		code = mirror(m);
	client_close(&c);
	return code;
}

int audit_cmd_mirror(int argc, char **argv)
{
	struct audit_run r;
	if (cmd_wants_help(argc, argv, HELP))
		return 0;
	run_init(&r, "audit mirror");
	struct mirror m = {.r = &r, .dir = -1, .events = option_take_flag(&argc, argv, "--events")};
	bool as_operator = option_take_flag(&argc, argv, "--operator");
	const char *from = option_take(&argc, argv, "--from");
	enum err e = run_options(&r, &argc, argv);
	m.path = e == OK ? run_positional(&argc, argv) : NULL;
	int code = e != OK	  ? run_fail(&r, e)
		   : m.path == NULL ? cmd_fail(r.command, ERR_USAGE, "usage: reeve audit mirror DIR [--events] [options]")
				    : mirror_from(&m, from, as_operator, &argc, argv);
	run_release(&r);
	return code;
}
