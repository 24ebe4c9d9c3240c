/* SPDX-License-Identifier: Apache-2.0
 *
 * $skiptoken of a preview: base64url of a JSON array, the section's name and the values of the key; bytes are hexadecimal.  It grants nothing: its
 * values are parameters, and the person comes from the case.
 */
#include <string.h>

#include "base/limits.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "privacy/disclosure/preview.h"

/* The type of the key's column i. */
static enum db_type key_type(const struct map_path *path, size_t i)
{
	const char *p = record_key_columns(map_table(path->table));
	for (; i > 0; i--)
		p = strchr(p, ',') + 2;
	char name[64] = "";
	memcpy(name, p, strcspn(p, ","));
	const struct map_column *c = map_column(path->table, name);
	check(c != NULL);
	switch (c->type) {
	case MAP_TYPE_ID:
	case MAP_TYPE_BLOB:
	case MAP_TYPE_SEALED: return DB_BLOB;
	case MAP_TYPE_TEXT:
	case MAP_TYPE_JSON: return DB_TEXT;
	case MAP_TYPE_TIME:
	case MAP_TYPE_INT:
	case MAP_TYPE_BOOL: break;
	}
	return DB_INT;
}

const char *preview_token_write(struct arena *a, const struct map_path *path, const struct db_value *key)
{
	struct json_writer w;
	auto_buf out;
	buf_init(&out, MIB);
	jw_init(&w, &out);
	jw_array(&w);
	jw_string(&w, path->section);
	for (size_t i = 0; i < held_key_count(path); i++)
		switch (key[i].type) {
		case DB_INT: jw_int(&w, key[i].i); break;
		case DB_TEXT: jw_stringn(&w, key[i].p, key[i].n); break;
		case DB_BLOB: jw_hex(&w, key[i].p, key[i].n); break;
		case DB_NULL: jw_null(&w); break;
		}
	jw_end_array(&w);
	return base64url_encode(a, out.data, out.len);
}

static bool read_value(struct arena *a, enum db_type type, const json_t *j, struct db_value *ret)
{
	size_t n = json_string_length(j);
	if (type == DB_INT) {
		*ret = db_v_int(json_integer_value(j));
		return json_is_integer(j);
	}
	if (!json_is_string(j))
		return false;
	char *text = arena_strndup(a, json_string_value(j), n);
	*ret = db_v_textn(text, n);
	if (type == DB_TEXT)
		return strlen(text) == n;
	*ret = db_v_blob(text, n / 2);
	return n % 2 == 0 && n <= 256 && strlen(text) == n && hex_decode(text, n / 2, text);
}

bool preview_token_read(struct arena *a, const struct map_path *path, const char *token, struct db_value *ret_key)
{
	void *bytes;
	size_t n, keys = held_key_count(path);
	if (strlen(token) > LIMIT_URL_BYTES || !base64url_decode(a, token, strlen(token), &bytes, &n))
		return false;
	auto_json *j = json_loadb(bytes, n, 0, NULL);
	const char *section = json_string_value(json_array_get(j, 0));
	bool good = json_array_size(j) == keys + 1 && section != NULL && strcmp(section, path->section) == 0;
	for (size_t i = 0; good && i < keys; i++)
		good = read_value(a, key_type(path, i), json_array_get(j, i + 1), &ret_key[i]);
	return good;
}
