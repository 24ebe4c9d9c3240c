/* SPDX-License-Identifier: Apache-2.0 */
#include "privacy/export/check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/limits.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "codec/zip.h"
#include "crypto/digest.h"

#define MANIFEST "manifest.json"
#define SIGNATURE "manifest.sig"

enum {
	MANIFEST_BYTES_MAX = 64 * 1024 * 1024,
	SIGNATURE_BYTES_MAX = 4 * 1024,
	FILES_MAX = 1000 * 1000,
	PACKED_BEST = 1100, /* deflate makes nothing smaller than a 1032nd: what claims more is made to fill a memory */
};
#define ENTRY_BYTES_MAX ((size_t)1024 * MIB)

char *export_key_id(struct arena *a, const uint8_t key[ED25519_KEY_BYTES])
{
	uint8_t hash[SHA256_BYTES];
	char *out = arena_alloc(a, 17);
	sha256(key, ED25519_KEY_BYTES, hash);
	hex_encode(hash, 8, out);
	return out;
}

struct checking {
	struct scope *s;
	json_t *left; /* name -> entry of the manifest, of those that were not met yet */
	struct export_summary *sum;
};

static const char *text_of(const json_t *o, const char *name)
{
	const char *v = json_string_value(json_object_get(o, name));
	return v != NULL ? v : "";
}

/* ---- manifest and signature ---- */

static enum err read_entry(struct scope *s, const char *path, const char *name, size_t max, char **ret, size_t *ret_n)
{
	struct stat st;
	enum err e = zip_read(path, name, max, ret, ret_n);
	switch (e) {
	case OK: return OK;
	case ERR_NOT_FOUND:
		return stat(path, &st) == 0 ? scope_fail(s, ERR_BAD_REQUEST, "this is no export bundle: it has no %s", name)
					    : scope_fail(s, e, "no such file");
	case ERR_LIMIT: return scope_fail(s, ERR_BAD_REQUEST, "%s is larger than it can be", name);
	case ERR_BAD_REQUEST: return scope_fail(s, e, "%s stands in the file twice", name);
	default: return scope_fail(s, ERR_BAD_REQUEST, "this is no zip file, or it is damaged");
	}
}

static enum err decoded(struct scope *s, const json_t *o, const char *name, size_t want, const uint8_t **ret)
{
	const char *text = text_of(o, name);
	void *p;
	size_t n;
	if (!base64_decode(s->arena, text, strlen(text), &p, &n) || n != want)
		return scope_fail(s, ERR_BAD_REQUEST, SIGNATURE ": '%s' is no base64 of %zu bytes", name, want);
	*ret = p;
	return OK;
}

static enum err check_signature(struct scope *s, const char *sig, size_t sig_n, const char *manifest, size_t n, const uint8_t *key,
				struct export_summary *ret)
{
	const uint8_t *own, *signature;
	auto_json *j = NULL;
	auto_buf text;
	buf_init(&text, n + sizeof EXPORT_SIGNED_PREFIX);
	if (json_read(s, sig, sig_n, &j) != OK || strcmp(text_of(j, "format"), EXPORT_FORMAT) != 0)
		return scope_fail(s, ERR_BAD_REQUEST, SIGNATURE " is no signature of the format " EXPORT_FORMAT);
	TRY(decoded(s, j, "publicKey", ED25519_KEY_BYTES, &own));
	TRY(decoded(s, j, "signature", ED25519_SIGNATURE_BYTES, &signature));
	if (key != NULL && memcmp(own, key, ED25519_KEY_BYTES) != 0)
		return scope_fail(s, ERR_CONFLICT, "the bundle was signed by the key %s, not by the given one, %s", export_key_id(s->arena, own),
				  export_key_id(s->arena, key));
	if (strcmp(text_of(j, "keyId"), export_key_id(s->arena, own)) != 0)
		return scope_fail(s, ERR_CONFLICT, SIGNATURE ": the key's id is not that of the key");
	buf_adds(&text, EXPORT_SIGNED_PREFIX);
	buf_add(&text, manifest, n);
	if (!ed25519_verify(own, text.data, text.len, signature))
		return scope_fail(s, ERR_CONFLICT, MANIFEST " is not what was signed in " SIGNATURE);
	ret->key_id = export_key_id(s->arena, own);
	ret->public_key = base64_encode(s->arena, own, ED25519_KEY_BYTES);
	return OK;
}

static enum err no_manifest(struct scope *s, const char *what)
{
	s->detail = NULL;
	return scope_fail(s, ERR_BAD_REQUEST, MANIFEST ": %s", what);
}

static enum err summarise(struct scope *s, const json_t *m, struct export_summary *ret)
{
	struct id operation;
	const json_t *issuer = json_object_get(m, "issuer"), *subject = json_object_get(m, "subject");
	if (strcmp(text_of(m, "format"), EXPORT_FORMAT) != 0)
		return no_manifest(s, "this version knows bundles of the format " EXPORT_FORMAT " only");
	if (!id_parse(text_of(m, "operationId"), &operation))
		return no_manifest(s, "'operationId' is no id");
	if (strcmp(text_of(issuer, "publicKey"), ret->public_key) != 0)
		return scope_fail(s, ERR_CONFLICT, MANIFEST " names another issuer's key than the one that signed it");
	id_format(operation, ret->operation);
	ret->organisation = arena_strdup(s->arena, text_of(issuer, "organisation"));
	ret->host = arena_strdup(s->arena, text_of(issuer, "host"));
	ret->subject = arena_strdup(s->arena, text_of(subject, "userPrincipalName"));
	ret->cut_off = arena_strdup(s->arena, text_of(m, "cutOffDateTime"));
	ret->variant = arena_strdup(s->arena, text_of(m, "variant"));
	ret->sections = json_array_size(json_object_get(m, "sections"));
	ret->omitted = (int64_t)json_array_size(json_object_get(m, "omitted"));
	return OK;
}

/* The files that must be there; *ret_bytes: in sum. */
static enum err list_files(struct checking *c, const json_t *manifest, uint64_t *ret_bytes, size_t *ret_largest)
{
	size_t i;
	json_t *f;
	const json_t *files = json_object_get(manifest, "files");
	if (!json_is_array(files) || json_array_size(files) == 0 || json_array_size(files) > FILES_MAX)
		return no_manifest(c->s, "'files' is no list of files");
	json_array_foreach(files, i, f)
	{
		const json_t *bytes = json_object_get(f, "bytes"), *rows = json_object_get(f, "rows");
		const char *name = text_of(f, "name");
		if (*name == '\0' || !json_is_integer(bytes) || json_integer_value(bytes) < 0 || (rows != NULL && !json_is_integer(rows)) ||
		    strlen(text_of(f, "sha256")) != (size_t)2 * SHA256_BYTES || strcmp(name, MANIFEST) == 0 || strcmp(name, SIGNATURE) == 0)
			return no_manifest(c->s, "an entry of 'files' is none");
		if (json_object_get(c->left, name) != NULL)
			return no_manifest(c->s, "'files' names a file twice");
		if ((uint64_t)json_integer_value(bytes) > ENTRY_BYTES_MAX)
			return no_manifest(c->s, "a file is larger than this version reads");
		json_object_set(c->left, name, f);
		*ret_bytes += (uint64_t)json_integer_value(bytes);
		if ((size_t)json_integer_value(bytes) > *ret_largest)
			*ret_largest = (size_t)json_integer_value(bytes);
	}
	c->sum->files = json_array_size(files);
	return OK;
}

/* ---- files ---- */

static bool ends_with(const char *name, const char *tail)
{
	size_t n = strlen(name), t = strlen(tail);
	return n >= t && strcmp(name + n - t, tail) == 0;
}

/* Rows behind the header; -1: the last quote is not closed. */
static int64_t csv_rows(const char *p, size_t n)
{
	int64_t rows = 0;
	bool quoted = false;
	for (size_t i = 0; i < n; i++) {
		quoted = quoted != (p[i] == '"');
		rows += p[i] == '\n' && !quoted;
	}
	return quoted || (n > 0 && p[n - 1] != '\n') ? -1 : rows - 1;
}

static int64_t rows_of(const char *name, const char *p, size_t n)
{
	if (ends_with(name, ".csv"))
		return csv_rows(p, n);
	auto_json *j = json_loadb(p, n, 0, NULL);
	return json_is_array(j) ? (int64_t)json_array_size(j) : -1;
}

static enum err check_entry(void *arg, const char *name, const char *bytes, size_t n)
{
	struct checking *c = arg;
	struct scope *s = c->s;
	uint8_t hash[SHA256_BYTES];
	char hex[2 * SHA256_BYTES + 1];
	const json_t *f = json_object_get(c->left, name), *rows = json_object_get(f, "rows");
	if (strcmp(name, MANIFEST) == 0 || strcmp(name, SIGNATURE) == 0)
		return OK;
	if (f == NULL)
		return scope_fail(s, ERR_CONFLICT, "%s is not in the manifest, or stands in the file twice", name);
	if ((uint64_t)json_integer_value(json_object_get(f, "bytes")) != n)
		return scope_fail(s, ERR_CONFLICT, "%s has %zu bytes, not those of the manifest", name, n);
	sha256(bytes, n, hash);
	hex_encode(hash, sizeof hash, hex);
	if (strcmp(hex, text_of(f, "sha256")) != 0)
		return scope_fail(s, ERR_CONFLICT, "%s is not what the manifest says: its SHA-256 differs", name);
	if (rows != NULL && rows_of(name, bytes, n) != json_integer_value(rows))
		return scope_fail(s, ERR_CONFLICT, "%s does not have the rows that the manifest says", name);
	if (rows != NULL && ends_with(name, ".json"))
		c->sum->rows += json_integer_value(rows);
	json_object_del(c->left, name);
	return OK;
}

static enum err check_zip(struct checking *c, const char *path, uint64_t bytes, size_t largest, size_t manifest_n)
{
	struct scope *s = c->s;
	struct stat st;
	if (stat(path, &st) != 0 || bytes / PACKED_BEST > (uint64_t)st.st_size)
		return scope_fail(s, ERR_BAD_REQUEST, "the manifest names more bytes than the file can hold");
	struct zip_limits limits = {
		.entry_bytes = (largest > manifest_n ? largest : manifest_n) + SIGNATURE_BYTES_MAX,
		.total_bytes = bytes + manifest_n + SIGNATURE_BYTES_MAX,
		.entries = 2 * (uint64_t)c->sum->files + 100, /* folders count */
	};
	enum err e = zip_each(path, &limits, check_entry, c);
	if (e == OK || s->detail != NULL)
		return e;
	if (e == ERR_LIMIT)
		return scope_fail(s, ERR_CONFLICT, "the file holds more than its manifest says");
	return scope_fail(s, ERR_BAD_REQUEST, e == ERR_BAD_REQUEST ? "an entry of the zip has a name that would leave its folder, or is no file"
							      : "the zip file is damaged");
}

static enum err check_all(struct scope *s, const char *path, const char *manifest, size_t n, struct export_summary *ret)
{
	auto_json *m = json_loadb(manifest, n, JSON_REJECT_DUPLICATES, NULL), *left = json_object();
	struct checking c = {.s = s, .left = left, .sum = ret};
	uint64_t bytes = 0;
	size_t largest = 0;
	if (!json_is_object(m))
		return no_manifest(s, "it is no JSON object");
	TRY(summarise(s, m, ret));
	TRY(list_files(&c, m, &bytes, &largest));
	TRY(check_zip(&c, path, bytes, largest, n));
	void *missing = json_object_iter(left);
	return missing == NULL ? OK : scope_fail(s, ERR_CONFLICT, "%s is in the manifest and not in the file", json_object_iter_key(missing));
}

enum err export_check_file(struct scope *s, const char *path, const uint8_t *key, struct export_summary *ret)
{
	char *manifest, *sig;
	size_t n, sig_n;
	*ret = (struct export_summary){0};
	TRY(read_entry(s, path, MANIFEST, MANIFEST_BYTES_MAX, &manifest, &n));
	enum err e = read_entry(s, path, SIGNATURE, SIGNATURE_BYTES_MAX, &sig, &sig_n);
	if (e == OK) {
		e = check_signature(s, sig, sig_n, manifest, n, key, ret);
		free(sig);
	}
	if (e == OK)
		e = check_all(s, path, manifest, n, ret);
	free(manifest);
	return e;
}
