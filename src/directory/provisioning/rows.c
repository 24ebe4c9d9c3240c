/* SPDX-License-Identifier: Apache-2.0
 * What every resource's document has, and a group's. */
#include "directory/provisioning/rows.h"

#include "base/clock.h"

enum { C_NAME = SCIM_COLUMN_VERSION + 1, C_EXTERNAL, C_CREATED, C_MODIFIED };

/* Where created_at and modified_at stand in a user's row (user_rows.c). */
enum { C_USER_CREATED = SCIM_COLUMN_VERSION + 5, C_USER_MODIFIED };

const char *scim_select(struct scope *s, enum scim_resource r)
{
	if (r == SCIM_USER)
		return scim_user_select(s);
	return "SELECT t.group_id, t.version, t.display_name, t.external_id, t.created_at, t.modified_at FROM groups t WHERE t.tenant_id = ?1";
}

unsigned scim_needs_all(enum scim_resource r)
{
	return r == SCIM_USER ? SCIM_NEED_CONTACTS | SCIM_NEED_GROUPS : 0;
}

static void set_schemas(enum scim_resource r, json_t *doc)
{
	json_t *list = json_object_get(doc, "schemas");
	json_array_append_new(list, json_string(scim_schema_urn(scim_core_of(r))));
	for (size_t i = 0; i < SCIM_SCHEMAS; i++)
		if (scim_is_extension((enum scim_schema)i) && json_object_get(doc, scim_schema_urn((enum scim_schema)i)) != NULL)
			json_array_append_new(list, json_string(scim_schema_urn((enum scim_schema)i)));
}

static void set_meta(struct scope *s, enum scim_resource r, const struct db_rows *rows, const char *base, const char *id, json_t *doc)
{
	int created = r == SCIM_USER ? C_USER_CREATED : C_CREATED, modified = r == SCIM_USER ? C_USER_MODIFIED : C_MODIFIED;
	char text[TIME_TEXT];
	json_t *meta = json_object();
	json_object_set_new(meta, "resourceType", json_string(scim_resource_name(r)));
	json_object_set_new(meta, "created", json_string(time_format(db_int(rows, created), text)));
	json_object_set_new(meta, "lastModified", json_string(time_format(db_int(rows, db_is_null(rows, modified) ? created : modified), text)));
	json_object_set_new(meta, "location", json_string(arena_printf(s->arena, "%s%s/%s", base, scim_endpoint(r), id)));
	json_object_set_new(meta, "version", json_string(arena_printf(s->arena, "W/\"%lld\"", (long long)db_int(rows, SCIM_COLUMN_VERSION))));
	json_object_set_new(doc, "meta", meta);
}

static enum err group_row(const struct db_rows *rows, json_t *doc)
{
	json_object_set_new(doc, "displayName", json_string(db_text(rows, C_NAME)));
	if (!db_is_null(rows, C_EXTERNAL))
		json_object_set_new(doc, "externalId", json_string(db_text(rows, C_EXTERNAL)));
	return OK;
}

enum err scim_row(struct db_tx *tx, enum scim_resource r, const struct db_rows *rows, const char *base, unsigned needs, json_t **ret)
{
	struct scope *s = db_tx_scope(tx);
	char id[ID_TEXT];
	json_t *doc = json_object();
	id_format(db_id(rows, SCIM_COLUMN_ID), id);
	json_object_set_new(doc, "schemas", json_array());
	json_object_set_new(doc, "id", json_string(id));
	enum err err = r == SCIM_USER ? scim_user_row(tx, rows, base, needs, &doc) : group_row(rows, doc);
	if (err != OK) {
		json_decref(doc);
		return err;
	}
	set_schemas(r, doc);
	set_meta(s, r, rows, base, id, doc);
	*ret = doc;
	return OK;
}
