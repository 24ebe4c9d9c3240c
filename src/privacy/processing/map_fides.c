/* SPDX-License-Identifier: Apache-2.0
 *
 * The data map as a dataset of fides (github.com/ethyca/fides; model: fideslang 3.1, Dataset).  Every text is a double-quoted YAML scalar, whose
 * escapes are those of JSON.
 *
 *   a path through a person   a reference from users.user_id
 *   a path through a device   a reference from managed_devices.device_id
 *   identity                  email at users.upn and users.mail: where a request enters
 *   primary_key               what an erasure by fides needs: the tenant and the rest of the key
 */
#include <string.h>

#include "privacy/disclosure/disclosure.h"
#include "privacy/processing/map_document.h"

#define DATASET "reeve"

static void key_text(struct buf *out, const char *indent, const char *key, const char *text)
{
	struct json_writer w;
	buf_printf(out, "%s%s: ", indent, key);
	jw_init(&w, out);
	jw_string(&w, text);
	buf_addc(out, '\n');
}

/* Whether the column is one of the comma-separated names. */
static bool is_listed(const char *names, const char *column)
{
	size_t n = strlen(column);
	for (const char *p = names; *p != '\0'; p += strspn(p, ", ")) {
		size_t len = strcspn(p, ", ");
		if (len == n && strncmp(p, column, n) == 0)
			return true;
		p += len;
	}
	return false;
}

/* Tables with a section say their key; the key of others is their first column of that kind. */
static bool is_primary_key(const struct map_table *t, const struct map_column *c)
{
	size_t n, paths;
	const struct map_column *all = map_table_columns(t, &n);
	const struct map_path *p = map_table_paths(t, &paths);
	if (strcmp(c->name, "tenant_id") == 0)
		return true;
	if (paths > 0 && *p->section != '\0')
		return is_listed(record_key_columns(t), c->name);
	for (size_t i = 0; i < n; i++)
		if (all[i].kind == MAP_KIND_KEY && strcmp(all[i].name, "tenant_id") != 0)
			return &all[i] == c;
	return false;
}

static const char *data_type(const struct map_column *c)
{
	switch (c->type) {
	case MAP_TYPE_INT:
	case MAP_TYPE_TIME: return "integer";
	case MAP_TYPE_BOOL: return "boolean";
	default: return "string";
	}
}

static const char *reference(const struct map_column *c)
{
	size_t n;
	const struct map_path *p = map_table_paths(map_table(c->table), &n);
	for (size_t i = 0; i < n; i++)
		if (strcmp(p[i].column, c->name) == 0)
			return p[i].through == MAP_THROUGH_DEVICE ? "managed_devices.device_id"
			       : strcmp(c->table, "users") == 0	  ? NULL
								  : "users.user_id";
	return NULL;
}

static bool is_identity(const struct map_column *c)
{
	return strcmp(c->table, "users") == 0 && (strcmp(c->name, "upn") == 0 || strcmp(c->name, "mail") == 0);
}

static void field(struct buf *out, const struct map_table *t, const struct map_column *c)
{
	const char *from = reference(c);
	key_text(out, "          - ", "name", c->name);
	key_text(out, "            ", "description", map_kind_name(c->kind));
	buf_printf(out, "            data_categories: [\"%s\"]\n            fides_meta:\n", c->category);
	key_text(out, "              ", "data_type", data_type(c));
	if (is_primary_key(t, c))
		buf_adds(out, "              primary_key: true\n");
	if (is_identity(c))
		key_text(out, "              ", "identity", "email");
	if (from != NULL)
		buf_printf(out, "              references:\n                - dataset: \"" DATASET "\"\n                  field: \"%s\"\n"
				"                  direction: \"from\"\n", from);
}

void map_document_fides(struct arena *a, struct buf *out)
{
	size_t n, columns, paths;
	char version[MAP_VERSION_TEXT];
	const struct map_table *t = map_tables(&n);
	buf_adds(out, "dataset:\n  - fides_key: \"" DATASET "\"\n    organization_fides_key: \"default_organization\"\n    name: \"Reeve\"\n");
	key_text(out, "    ", "description", arena_printf(a, "Data map of Reeve " REEVE_VERSION ", version %s", map_version(a, version)));
	buf_adds(out, "    collections:\n");
	for (size_t i = 0; i < n; i++) {
		const struct map_column *c = map_table_columns(&t[i], &columns);
		key_text(out, "      - ", "name", t[i].name);
		key_text(out, "        ", "description", t[i].purpose);
		if (map_table_paths(&t[i], &paths) == NULL)
			buf_adds(out, "        fides_meta:\n          skip_processing: true\n");
		buf_adds(out, "        fields:\n");
		for (size_t k = 0; k < columns; k++)
			field(out, &t[i], &c[k]);
	}
}
