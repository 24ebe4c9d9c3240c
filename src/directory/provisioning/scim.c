/* SPDX-License-Identifier: Apache-2.0
 * One resource: read, written out. */
#include "directory/provisioning/scim_internal.h"

#include <string.h>

DB_TENANT(scim_members, "SELECT m.user_id, u.display_name FROM group_members m JOIN users u ON u.tenant_id = m.tenant_id AND u.user_id = m.user_id "
			"WHERE m.tenant_id = ?1 AND m.group_id = ?2 AND u.deleted_at IS NULL ORDER BY m.user_id");

static enum err not_found(struct scope *s, enum scim_resource r)
{
	return scope_fail(s, ERR_NOT_FOUND, r == SCIM_USER ? "there is no such user" : "there is no such group");
}

enum err scim_load(struct db_tx *tx, enum scim_resource r, struct id id, const char *base, json_t **ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *rows = NULL;
	const char *sql = arena_printf(s->arena, "%s AND t.%s = ?2", scim_select(s, r), r == SCIM_USER ? "user_id" : "group_id");
	TRY(db_query_text(tx, DB_REACH_TENANT, sql, DB_ARGS(db_v_id(&id)), &rows));
	if (db_next(rows))
		return scim_row(tx, r, rows, base, scim_needs_all(r), ret);
	TRY(db_rows_err(rows));
	return not_found(s, r);
}

/* ---- writing ---- */

static void write_member(struct json_writer *w, struct scope *s, const char *base, const json_t *shape, const struct db_rows *r)
{
	char text[ID_TEXT];
	id_format(db_id(r, 0), text);
	jw_object(w);
	if (json_object_get(shape, "value") != NULL)
		jw_kstring(w, "value", text);
	if (json_object_get(shape, "$ref") != NULL)
		jw_kstring(w, "$ref", arena_printf(s->arena, "%s%s/%s", base, scim_endpoint(SCIM_USER), text));
	if (json_object_get(shape, "display") != NULL)
		jw_kstring(w, "display", db_text(r, 1));
	if (json_object_get(shape, "type") != NULL)
		jw_kstring(w, "type", "User");
	jw_end_object(w);
}

/* Straight from the cursor: a group may have more members than a document should. */
static enum err write_members(struct db_tx *tx, struct id group, const char *base, const json_t *shape, struct json_writer *w)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &scim_members, DB_ARGS(db_v_id(&group)), &r));
	jw_key(w, "members");
	jw_array(w);
	while (db_next(r)) {
		struct arena_mark mark = arena_mark(s->arena);
		write_member(w, s, base, shape, r);
		arena_rewind(s->arena, mark);
	}
	jw_end_array(w);
	return db_rows_err(r);
}

enum err scim_write(struct db_tx *tx, enum scim_resource r, struct id id, const char *base, const struct scim_projection *p, json_t *doc,
		    struct json_writer *w)
{
	const char *key;
	json_t *v;
	if (r == SCIM_GROUP) /* stands for the members, so that the projection says what of them is wanted */
		json_object_set_new(doc, "members", json_pack("[{s:s,s:s,s:s,s:s}]", "value", "", "$ref", "", "display", "", "type", ""));
	scim_project(r, p, doc);
	jw_object(w);
	json_object_foreach(doc, key, v) {
		if (r == SCIM_GROUP && strcmp(key, "members") == 0)
			continue;
		jw_key(w, key);
		jw_json(w, v);
	}
	const json_t *shape = r == SCIM_GROUP ? json_array_get(json_object_get(doc, "members"), 0) : NULL;
	if (shape != NULL)
		TRY(write_members(tx, id, base, shape, w));
	jw_end_object(w);
	return OK;
}

/* ---- get ---- */

struct getting {
	const struct scim_request *q;
	struct buf *out;
	struct scim_answer *ret;
};

static const char *meta_of(struct scope *s, const json_t *doc, const char *key)
{
	return arena_strdup(s->arena, json_string_value(json_object_get(json_object_get(doc, "meta"), key)));
}

/* Whether a list of entity tags names this one (weak comparison, RFC 9110, section 8.8.3.2). */
static bool names_tag(const char *list, const char *etag)
{
	const char *bare = etag + strlen("W/");
	if (strcmp(list, "*") == 0)
		return true;
	for (const char *at = list; (at = strstr(at, bare)) != NULL; at++)
		if (at == list || strchr(", \t/", at[-1]) != NULL)
			return true;
	return false;
}

static enum err get_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct getting *g = arg;
	struct json_writer w;
	json_t *loaded;
	buf_clear(g->out);
	TRY(scim_load(tx, g->q->resource, g->ret->object, g->q->base, &loaded));
	auto_json *doc = loaded;
	g->ret->etag = meta_of(s, doc, "version");
	g->ret->location = meta_of(s, doc, "location");
	g->ret->not_modified = g->q->if_match != NULL && names_tag(g->q->if_match, g->ret->etag);
	if (g->ret->not_modified)
		return OK;
	jw_init(&w, g->out);
	TRY(scim_write(tx, g->q->resource, g->ret->object, g->q->base, &g->q->projection, doc, &w));
	return g->out->failed ? scope_fail(s, ERR_LIMIT, "the answer is too large: leave members out with excludedAttributes") : OK;
}

enum err scim_get(struct scope *s, const struct scim_request *q, struct buf *out, struct scim_answer *ret)
{
	*ret = (struct scim_answer){0};
	if (!id_parse(q->id, &ret->object))
		return not_found(s, q->resource);
	return db_read(s, get_tx, &(struct getting){q, out, ret});
}
