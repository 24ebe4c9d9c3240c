/* SPDX-License-Identifier: Apache-2.0
 *
 * Kind "app": a Debian package.  On a real system apt installs it; in a tree the package is the files that the payload
 * lists. Its data paths are the organisation's and go with it (data.c).
 */
#include <ctype.h>
#include <string.h>

#include "fs.h"
#include "provision.h"

enum { FILES_MAX = 2000, DATA_MAX = 64 };

/* As Debian policy spells them: nothing that apt could take for an option or a path. */
static bool good_package(const char *name)
{
	if (!islower((unsigned char)name[0]) && !isdigit((unsigned char)name[0]))
		return false;
	size_t n = strlen(name);
	return n >= 2 && n < 128 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789+.-") == n &&
	       name[n - 1] != '-'; /* apt's sign for "remove" */
}

static bool good_version(const char *v)
{
	if (!isalnum((unsigned char)v[0]) || strlen(v) > 128)
		return false;
	for (; *v != '\0'; v++)
		if (!isalnum((unsigned char)*v) && strchr("+.:~-", *v) == NULL)
			return false;
	return true;
}

static enum err plan_data(struct agent *a, const json_t *list, struct plan *ret)
{
	size_t n = json_array_size(list);
	if (list != NULL && !json_is_null(list) && !json_is_array(list))
		return scope_fail(a->scope, ERR_BAD_REQUEST, "the payload's dataPaths is not a list");
	if (n > DATA_MAX)
		return scope_fail(a->scope, ERR_BAD_REQUEST, "the payload has more than %d data paths", DATA_MAX);
	ret->data = arena_alloc(a->scope->arena, (n + 1) * sizeof *ret->data);
	for (size_t i = 0; i < n; i++) {
		const char *given = json_string_value(json_array_get(list, i)), *rel;
		bool home;
		TRY(path_allow_data(a->scope, given, a->state_rel, &rel, &home));
		ret->data[i] = arena_strdup(a->scope->arena, given);
	}
	return OK;
}

static enum err plan_files(struct agent *a, const json_t *list, struct plan *ret)
{
	ret->n_files = json_array_size(list);
	if (ret->n_files > FILES_MAX)
		return scope_fail(a->scope, ERR_BAD_REQUEST, "the payload has more than %d files", FILES_MAX);
	ret->files = arena_alloc(a->scope->arena, (ret->n_files + 1) * sizeof *ret->files);
	for (size_t i = 0; i < ret->n_files; i++) {
		const json_t *o = json_array_get(list, i);
		struct plan_file *f = &ret->files[i];
		TRY(payload_path(a, o, &f->path));
		TRY(payload_text(a, o, "content", true, &f->content));
		TRY(payload_mode(a, o, &f->mode));
		f->n = strlen(f->content);
		for (size_t k = 0; k < i; k++)
			if (strcmp(ret->files[k].path, f->path) == 0)
				return scope_fail(a->scope, ERR_BAD_REQUEST, "the payload has the file /%s twice",
						  f->path);
	}
	return OK;
}

static enum err plan(struct agent *a, const struct desired *d, struct plan *ret)
{
	const char *name, *version;
	TRY(payload_line(a, d->payload, "package", true, &name));
	TRY(payload_line(a, d->payload, "version", false, &version));
	if (!good_package(name))
		return scope_fail(a->scope, ERR_BAD_REQUEST, "%.64s is not the name of a Debian package", name);
	if (version != NULL && !good_version(version))
		return scope_fail(a->scope, ERR_BAD_REQUEST, "%.64s is not a Debian version", version);
	TRY(plan_data(a, json_object_get(d->payload, "dataPaths"), ret));
	ret->identifier = arena_printf(a->scope->arena, "package/%s", name);
	if (a->tree)
		return plan_files(a, json_object_get(d->payload, "files"), ret);
	ret->package = name;
	ret->package_version = version;
	return OK;
}

const struct kind kind_app = {.name = "app", .plan = plan};
