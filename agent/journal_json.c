/* SPDX-License-Identifier: Apache-2.0
 *
 * How a record of the journal is spelled in JSON.  Pure: reads and writes text, touches no file.  A record that does
 * not make sense is refused whole: half a record must never decide what is removed.
 */
#include <string.h>

#include "fs.h"
#include "journal.h"

static const char *const state_names[] = {"applying", "installed", "failed", "removing", "removed"};

const char *item_state_text(enum item_state s)
{
	switch (s) {
	case ITEM_INSTALLED:
		return "installed";
	case ITEM_REMOVED:
		return "removed";
	default: /* under way: not there as it should be */
		return "failed";
	}
}

static void write_texts(struct json_writer *w, const char *key, const char *const *list)
{
	jw_key(w, key);
	jw_array(w);
	for (; list != NULL && *list != NULL; list++)
		jw_string(w, *list);
	jw_end_array(w);
}

static void write_file(struct json_writer *w, const struct journal_file *f)
{
	jw_object(w);
	jw_kstring(w, "path", f->path);
	jw_kstring(w, "written", f->written);
	jw_kbool(w, "dropped", f->dropped);
	jw_kbool(w, "existed", f->existed);
	if (f->existed) {
		jw_kint(w, "backup", f->backup);
		jw_kstring(w, "original", f->original);
		jw_kint(w, "mode", f->mode);
		jw_kint(w, "uid", f->uid);
		jw_kint(w, "gid", f->gid);
		jw_kint(w, "mtimeSeconds", f->mtime_s);
		jw_kint(w, "mtimeNanoseconds", f->mtime_ns);
	}
	jw_end_object(w);
}

void journal_write(const struct journal *j, struct json_writer *w)
{
	jw_object(w);
	jw_kstring(w, "id", j->id);
	jw_kint(w, "version", j->version);
	jw_kstring(w, "kind", j->kind);
	jw_kstring(w, "name", j->name);
	jw_kstring(w, "state", state_names[j->state]);
	jw_kstring(w, "identifier", j->identifier);
	jw_kstring(w, "error", j->error);
	write_texts(w, "directories", j->dirs);
	jw_key(w, "files");
	jw_array(w);
	for (size_t i = 0; i < j->n_files; i++)
		write_file(w, &j->files[i]);
	jw_end_array(w);
	write_texts(w, "data", j->data);
	write_texts(w, "dataKept", j->data_kept);
	jw_kstring(w, "package", j->package);
	jw_kstring(w, "packageVersion", j->package_version);
	jw_kbool(w, "packageWasThere", j->package_was_there);
	jw_end_object(w);
}

static bool read_texts(struct scope *s, const json_t *o, const char *key, const char ***ret)
{
	const json_t *list = json_object_get(o, key);
	size_t n = json_array_size(list);
	*ret = arena_alloc(s->arena, (n + 1) * sizeof **ret);
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(list, i));
		if (text == NULL)
			return false;
		(*ret)[i] = arena_strdup(s->arena, text);
	}
	return json_is_array(list);
}

static bool read_sum(const json_t *o, const char *key, char out[65])
{
	uint8_t sum[32];
	const char *text = json_string_value(json_object_get(o, key));
	if (text == NULL || (text[0] != '\0' && (strlen(text) != 64 || !hex_decode(text, 32, sum))))
		return false;
	memcpy(out, text, strlen(text) + 1);
	return true;
}

static int64_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static bool read_file(struct scope *s, const json_t *o, struct journal_file *f)
{
	const char *path = json_string_value(json_object_get(o, "path")), *same;
	if (path == NULL || path_check(s, arena_printf(s->arena, "/%s", path), &same) != OK ||
	    !read_sum(o, "written", f->written))
		return false;
	f->path = same;
	f->existed = json_is_true(json_object_get(o, "existed"));
	f->dropped = json_is_true(json_object_get(o, "dropped"));
	if (!f->existed)
		return true;
	if (!read_sum(o, "original", f->original) || f->original[0] == '\0' ||
	    !json_is_integer(json_object_get(o, "backup")))
		return false;
	f->backup = (unsigned)number(o, "backup");
	f->mode = (unsigned)number(o, "mode") & 07777;
	f->uid = number(o, "uid");
	f->gid = number(o, "gid");
	f->mtime_s = number(o, "mtimeSeconds");
	f->mtime_ns = number(o, "mtimeNanoseconds");
	return true;
}

static const char *text_of(struct scope *s, const json_t *o, const char *key)
{
	return arena_strdup(s->arena, json_string_value(json_object_get(o, key)));
}

static bool read_state(const json_t *o, enum item_state *ret)
{
	const char *text = json_string_value(json_object_get(o, "state"));
	for (int i = 0; text != NULL && i <= ITEM_REMOVED; i++)
		if (strcmp(text, state_names[i]) == 0) {
			*ret = (enum item_state)i;
			return true;
		}
	return false;
}

static bool read_all(struct scope *s, const json_t *o, struct journal *j)
{
	struct id id;
	const json_t *files = json_object_get(o, "files");
	if (j->id == NULL || !id_parse(j->id, &id) || j->kind == NULL || !read_state(o, &j->state) ||
	    !json_is_array(files))
		return false;
	if (!read_texts(s, o, "directories", &j->dirs) || !read_texts(s, o, "data", &j->data) ||
	    !read_texts(s, o, "dataKept", &j->data_kept))
		return false;
	j->n_files = json_array_size(files);
	j->files = arena_alloc(s->arena, (j->n_files + 1) * sizeof *j->files);
	for (size_t i = 0; i < j->n_files; i++)
		if (!read_file(s, json_array_get(files, i), &j->files[i]))
			return false;
	return true;
}

enum err journal_read(struct scope *s, const json_t *o, struct journal *ret)
{
	*ret = (struct journal){.id = text_of(s, o, "id"),
				.kind = text_of(s, o, "kind"),
				.name = text_of(s, o, "name"),
				.identifier = text_of(s, o, "identifier"),
				.error = text_of(s, o, "error"),
				.version = number(o, "version"),
				.package = text_of(s, o, "package"),
				.package_version = text_of(s, o, "packageVersion"),
				.package_was_there = json_is_true(json_object_get(o, "packageWasThere"))};
	if (read_all(s, o, ret))
		return OK;
	s->detail = NULL;
	return scope_fail(s, ERR_BAD_REQUEST, "a record of what was provisioned is damaged (%s)",
			  ret->id != NULL ? ret->id : "no id");
}
