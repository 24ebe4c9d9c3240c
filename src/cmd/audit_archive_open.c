/* SPDX-License-Identifier: Apache-2.0
 *
 * An archive as a source: its manifest first (signature, period, sums), then its files, unpacked into a private directory (0700) under TMPDIR
 * where each of them is checked against the manifest.  Only paths that a log has are unpacked.  docs/formats/audit-archive.md.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "cmd/audit_source.h"
#include "codec/json.h"
#include "codec/zip.h"
#include "crypto/newfile.h"

enum {
	MANIFEST_BYTES_MAX = 256 * MIB,
	PACKED_BEST = 128, /* events shrink to a tenth; what shrinks to less than a hundredth is made to fill a disk */
	FILES_MAX = 64 * 1024 * 1024,
};

struct unpacking {
	struct scope *s;
	const char *file;
	int dir;
	const json_t *sums;   /* name -> sha256 in hex */
	size_t found;         /* of those */
	char folder[TILE_PATH_MAX]; /* made last */
};

/* ---- the manifest ---- */

static const char *text_of(const json_t *j, const char *name)
{
	const char *v = json_string_value(json_object_get(j, name));
	return v != NULL ? v : "";
}

static bool read_period(const json_t *j, struct audit_source *ret)
{
	const json_t *first = json_object_get(j, "firstIndex"), *end = json_object_get(j, "endIndex");
	const char *from = json_string_value(json_object_get(j, "fromDateTime")), *until = json_string_value(json_object_get(j, "untilDateTime"));
	if (!json_is_integer(first) || !json_is_integer(end) || json_integer_value(first) < 0 || json_integer_value(end) < json_integer_value(first))
		return false;
	ret->first = (uint64_t)json_integer_value(first);
	ret->end = (uint64_t)json_integer_value(end);
	ret->log.first_bundle = ret->first / TILE_WIDTH;
	ret->log.end_bundle = (ret->end + TILE_WIDTH - 1) / TILE_WIDTH;
	return time_parse(text_of(j, "createdDateTime"), &ret->created) && (from == NULL || time_parse(from, &ret->from)) &&
	       (until == NULL || time_parse(until, &ret->until));
}

static enum err read_entry(struct scope *s, const char *file, const char *name, size_t max, char **ret, size_t *ret_n)
{
	enum err e = zip_read(file, name, max, ret, ret_n);
	if (e == ERR_NOT_FOUND && access(file, F_OK) == 0)
		return scope_fail(s, ERR_BAD_REQUEST, "%s is no archive of an audit log: it has no %s", file, name);
	if (e == OK)
		return OK;
	return scope_fail(s, e == ERR_IO ? ERR_BAD_REQUEST : e, "%s: %s", file,
			  e == ERR_NOT_FOUND ? "no such file" : e == ERR_LIMIT ? "its manifest is larger than it can be" : "it is no zip file, or damaged");
}

static enum err check_signature(struct scope *s, const char *file, const char *manifest, size_t n, const char *vkey)
{
	char *signature;
	size_t signature_n;
	struct note_key key;
	TRY(note_key_parse(s, vkey, &key));
	TRY(read_entry(s, file, "manifest.sig", 1024, &signature, &signature_n));
	bool good = signature_n == ED25519_SIGNATURE_BYTES && ed25519_verify(key.public_key, manifest, n, (const uint8_t *)signature);
	free(signature);
	return good ? OK : scope_fail(s, ERR_CONFLICT, "%s: manifest.json is not what was signed (manifest.sig) with the key %s", file, vkey);
}

static enum err read_manifest(struct audit_source *ret, struct scope *s, const char *file, const char *vkey, json_t **ret_manifest)
{
	char *text;
	size_t n;
	TRY(read_entry(s, file, "manifest.json", MANIFEST_BYTES_MAX, &text, &n));
	json_t *j = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	enum err e = OK;
	if (strcmp(text_of(j, "format"), "reeve/audit-archive/v1") != 0 || !read_period(j, ret))
		e = scope_fail(s, ERR_BAD_REQUEST, "%s: its manifest.json is not one of an audit log's archive", file);
	if (e == OK)
		e = check_signature(s, file, text, n, vkey != NULL ? vkey : text_of(j, "verifierKey"));
	free(text);
	if (e != OK) {
		json_decref(j);
		return e;
	}
	ret->origin = arena_strdup(s->arena, text_of(j, "origin"));
	ret->vkey = arena_strdup(s->arena, text_of(j, "verifierKey"));
	*ret_manifest = j;
	return OK;
}

static json_t *sums_of(const json_t *manifest)
{
	size_t i;
	json_t *one, *sums = json_object();
	json_array_foreach(json_object_get(manifest, "files"), i, one)
		json_object_set(sums, text_of(one, "name"), json_object_get(one, "sha256"));
	return sums;
}

/* ---- unpacking ---- */

static enum err check_sum(struct unpacking *u, const char *name, const char *bytes, size_t n)
{
	uint8_t sum[SHA256_BYTES];
	char hex[2 * SHA256_BYTES + 1];
	const char *listed = json_string_value(json_object_get(u->sums, name));
	if (listed == NULL) /* the tree's files prove themselves; what is not in the tree must be listed */
		return strncmp(name, "tile/", 5) == 0
			       ? OK
			       : scope_fail(u->s, ERR_CONFLICT, "%s: %s was added: the manifest does not name it", u->file, name);
	sha256(bytes, n, sum);
	hex_encode(sum, sizeof sum, hex);
	u->found++;
	return strcmp(hex, listed) == 0 ? OK : scope_fail(u->s, ERR_CONFLICT, "%s: %s was changed: it has not the manifest's sum", u->file, name);
}

static void make_folders(struct unpacking *u, const char *name)
{
	const char *last = strrchr(name, '/');
	size_t n = last != NULL ? (size_t)(last - name) : 0;
	if (n >= sizeof u->folder || (strncmp(u->folder, name, n) == 0 && u->folder[n] == '\0'))
		return;
	memcpy(u->folder, name, n);
	u->folder[n] = '\0';
	for (char *slash = strchr(u->folder, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdirat(u->dir, u->folder, 0700);
		*slash = '/';
	}
	mkdirat(u->dir, u->folder, 0700);
}

static enum err unpack(void *arg, const char *name, const char *bytes, size_t n)
{
	struct unpacking *u = arg;
	if (strcmp(name, "manifest.json") == 0 || strcmp(name, "manifest.sig") == 0)
		return OK;
	if (!source_path_valid(name))
		return scope_fail(u->s, ERR_BAD_REQUEST, "%s: an audit log has no file '%s'", u->file, name);
	TRY(check_sum(u, name, bytes, n));
	make_folders(u, name);
	int fd = openat(u->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EEXIST ? scope_fail(u->s, ERR_BAD_REQUEST, "%s: it has two files '%s'", u->file, name) : err_from_errno(errno);
	enum err e = write_all(fd, bytes, n);
	close(fd);
	return e;
}

static enum err unpack_all(struct audit_source *src, struct scope *s, const char *file, const json_t *manifest)
{
	struct stat st;
	json_t *sums = sums_of(manifest);
	struct unpacking u = {.s = s, .file = file, .dir = src->dir, .sums = sums};
	if (stat(file, &st) != 0)
		st.st_size = 0;
	struct zip_limits limits = {EVENTS_BYTES_MAX, (uint64_t)st.st_size * PACKED_BEST + MIB, FILES_MAX};
	enum err e = zip_each(file, &limits, unpack, &u);
	size_t listed = json_object_size(sums);
	json_decref(sums);
	if (e == OK && u.found != listed)
		e = scope_fail(s, ERR_CONFLICT, "%s: %zu of the files that its manifest names are missing", file, listed - u.found);
	if (e != OK && s->detail == NULL)
		e = scope_fail(s, e == ERR_IO ? ERR_BAD_REQUEST : e, "%s: %s", file,
			       e == ERR_LIMIT ? "it unpacks to more than an archive can hold" : e == ERR_IO ? "it is damaged" : "it cannot be unpacked");
	return e;
}

enum err source_open_archive(struct audit_source *ret, struct scope *s, const char *file, const char *vkey)
{
	const char *set = getenv("TMPDIR"), *tmp = set != NULL && *set == '/' ? set : "/tmp";
	json_t *manifest = NULL;
	source_init(ret, SOURCE_ARCHIVE, file);
	ret->has_events = true;
	TRY(read_manifest(ret, s, file, vkey, &manifest));
	char *path = arena_printf(s->arena, "%s/reeve-audit-XXXXXX", tmp);
	enum err e = mkdtemp(path) != NULL ? OK : scope_fail(s, ERR_IO, "no folder can be made in %s: %s", tmp, strerror(errno));
	if (e == OK) {
		ret->temporary = path;
		ret->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		e = unpack_all(ret, s, file, manifest);
	}
	json_decref(manifest);
	return e;
}
