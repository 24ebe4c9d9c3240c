/* SPDX-License-Identifier: Apache-2.0
 * Reading a log's files from a server or a directory; audit_archive_open.c makes a directory of an archive. */
#include "cmd/audit_source.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cmd/cmd.h"

enum { TRIES = 5 };

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
	interrupted = 1;
}

void source_catch_signals(void)
{
	struct sigaction a = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND}; /* the second one ends us */
	sigaction(SIGINT, &a, NULL);
	sigaction(SIGTERM, &a, NULL);
}

/* ---- paths ---- */

void events_path(uint64_t bundle, char out[TILE_PATH_MAX])
{
	char tile[TILE_PATH_MAX];
	tile_path(&(struct tile){.index = bundle, .width = TILE_WIDTH}, tile);
	snprintf(out, TILE_PATH_MAX, "events/%s", tile + strlen("tile/0/"));
}

bool source_path_valid(const char *path)
{
	struct tile t;
	char tile[TILE_PATH_MAX];
	static const char *const plain[] = {"checkpoint", "key", "witnessed"};
	for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
		if (strcmp(path, plain[i]) == 0)
			return true;
	if (strncmp(path, "events/", 7) != 0)
		return tile_parse(path, &t);
	return snprintf(tile, sizeof tile, "tile/0/%s", path + 7) < (int)sizeof tile && tile_parse(tile, &t) && t.width == TILE_WIDTH;
}

/* ---- reading ---- */

static enum err read_file(int fd, struct scope *s, const char *path, struct buf *out)
{
	char part[32 * 1024];
	ssize_t n;
	while ((n = read(fd, part, sizeof part)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			buf_add(out, part, (size_t)n);
	if (n < 0)
		return scope_fail(s, ERR_IO, "%s: %s", path, strerror(errno));
	return out->failed ? scope_fail(s, ERR_LIMIT, "%s is larger than it can be", path) : OK;
}

static enum err read_from_directory(struct audit_source *src, struct scope *s, const char *path, struct buf *out)
{
	int fd = openat(src->dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return ERR_NOT_FOUND;
	if (fd < 0)
		return scope_fail(s, ERR_IO, "%s/%s: %s", src->name, path, strerror(errno));
	enum err e = read_file(fd, s, path, out);
	close(fd);
	return e;
}

static enum err of_status(struct audit_source *src, struct scope *s, const char *path, long status)
{
	if (status == 200)
		return OK;
	if (status == 404 || status == 410)
		return ERR_NOT_FOUND;
	if (status == 401 || status == 403)
		return scope_fail(s, ERR_FORBIDDEN, "%s: this token may not read %s (%ld)", src->name, path, status);
	if (status == 500) /* it has lost it, or what it has is damaged; busy servers say 503 */
		return scope_fail(s, ERR_CONFLICT, "%s: the server cannot give this file, which the log must have (500)", path);
	return scope_fail(s, status >= 500 || status == 429 ? ERR_UNAVAILABLE : ERR_BAD_REQUEST, "%s: the server answered %ld to %s", src->name,
			  status, path);
}

/* A server that is busy is asked again. */
static enum err read_from_server(struct audit_source *src, struct scope *s, const char *path, struct buf *out)
{
	const char *detail;
	long status = 0;
	char where[TILE_PATH_MAX + 512];
	if (snprintf(where, sizeof where, "%s/%s", src->prefix, path) >= (int)sizeof where)
		return scope_fail(s, ERR_BAD_REQUEST, "the log's address is too long");
	for (int i = 0; i < TRIES; i++) {
		enum err e = client_fetch(src->client, where, out, &status, &detail);
		if (e != OK)
			return scope_fail(s, e, "%s", detail);
		if ((status != 429 && status != 503) || interrupted)
			break;
		nanosleep(&(struct timespec){.tv_nsec = 300000000L << i % 2}, NULL);
	}
	return of_status(src, s, path, status);
}

enum err source_read(struct audit_source *src, struct scope *s, const char *path, struct buf *out)
{
	if (interrupted)
		return scope_fail(s, ERR_UNAVAILABLE, "interrupted");
	buf_clear(out);
	return src->kind == SOURCE_LIVE ? read_from_server(src, s, path, out) : read_from_directory(src, s, path, out);
}

static enum err read_for_log(void *arg, struct scope *s, const char *path, struct buf *out)
{
	return source_read(arg, s, path, out);
}

/* ---- opening ---- */

void source_init(struct audit_source *ret, enum source_kind kind, const char *name)
{
	*ret = (struct audit_source){.kind = kind, .name = name, .dir = -1, .until = INT64_MAX, .end = UINT64_MAX};
	ret->log = (struct log_source){.read = read_for_log, .arg = ret, .end_bundle = UINT64_MAX};
}

/* The key's line behind the prefix, and the origin that it names. */
static enum err read_key(struct audit_source *src, struct scope *s)
{
	struct note_key key;
	auto_buf text;
	buf_init(&text, KEY_BYTES_MAX);
	enum err e = source_read(src, s, "key", &text);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, ERR_NOT_FOUND, "%s: there is no log (no file 'key')", src->name);
	TRY(e);
	char *line = arena_strndup(s->arena, text.len > 0 ? text.data : "", text.len);
	line[strcspn(line, "\n")] = '\0';
	if (note_key_parse(s, line, &key) != OK) {
		char *why = s->detail;
		s->detail = NULL;
		return scope_fail(s, ERR_BAD_REQUEST, "%s/key: %s", src->name, why);
	}
	src->vkey = line;
	src->origin = key.name;
	return OK;
}

enum err source_open_directory(struct audit_source *ret, struct scope *s, const char *path)
{
	source_init(ret, SOURCE_DIRECTORY, path);
	ret->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ret->dir < 0)
		return scope_fail(s, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path, strerror(errno));
	ret->has_events = faccessat(ret->dir, EVENTS_FOLDER, F_OK, 0) == 0;
	return read_key(ret, s);
}

enum err source_open_url(struct audit_source *ret, struct scope *s, struct client *c, const char *url)
{
	source_init(ret, SOURCE_LIVE, url);
	ret->client = c;
	ret->prefix = "";
	return read_key(ret, s);
}

/* The log's path as this client reaches it: a proxy may stand between the public URL and ours. */
static const char *path_of(const struct client *c, const char *url)
{
	size_t n = c->url != NULL ? strlen(c->url) : 0;
	if (n > 0 && strncmp(url, c->url, n) == 0 && url[n] == '/')
		return url + n;
	const char *host = strstr(url, "://"), *slash = host != NULL ? strchr(host + 3, '/') : url;
	return slash != NULL ? slash : "";
}

int source_open_server(struct audit_source *ret, struct scope *s, struct client *c)
{
	struct client_answer a;
	source_init(ret, SOURCE_LIVE, c->url != NULL ? c->url : c->data);
	int code = client_call(c, "GET", "/v1.0/deviceManagement/auditLog", NULL, &a);
	const char *origin = json_string_value(json_object_get(a.json, "origin")), *url = json_string_value(json_object_get(a.json, "url"));
	const char *vkey = json_string_value(json_object_get(a.json, "verifierKey"));
	if (code == 0 && (origin == NULL || url == NULL || vkey == NULL))
		code = cmd_fail(c->command, ERR_BAD_REQUEST, "the server did not say where its log is");
	if (code == 0) {
		char *prefix = arena_strdup(s->arena, path_of(c, url));
		size_t n = strlen(prefix);
		if (n > 0 && prefix[n - 1] == '/')
			prefix[n - 1] = '\0';
		ret->client = c;
		ret->prefix = prefix;
		ret->origin = arena_strdup(s->arena, origin);
		ret->vkey = arena_strdup(s->arena, vkey);
		}
	json_decref(a.json);
	return code;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

void source_close(struct audit_source *src)
{
	if (src->dir >= 0)
		close(src->dir);
	src->dir = -1;
	if (src->temporary != NULL)
		nftw(src->temporary, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	src->temporary = NULL;
}
