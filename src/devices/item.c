/* SPDX-License-Identifier: Apache-2.0
 *
 * Items: created, changed and deleted, with their own properties.  Assignments are in assignment.c.
 */
#include "devices/item.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "devices/item_kind.h"

DB_TENANT(configuration_stored,
	  "SELECT odata_type, payload, version, display_name FROM device_configurations WHERE tenant_id = ?1 "
	  "AND configuration_id = ?2");
DB_TENANT(configuration_set,
	  "UPDATE device_configurations SET payload = ?3, version = ?4, modified_at = ?5 WHERE tenant_id = ?1 "
	  "AND configuration_id = ?2");
DB_TENANT(configuration_delete, "DELETE FROM device_configurations WHERE tenant_id = ?1 AND configuration_id = ?2");
DB_TENANT(app_stored,
	  "SELECT odata_type, payload, version, display_name FROM mobile_apps WHERE tenant_id = ?1 AND app_id = ?2");
DB_TENANT(app_set,
	  "UPDATE mobile_apps SET payload = ?3, version = ?4, modified_at = ?5 WHERE tenant_id = ?1 AND app_id = ?2");
DB_TENANT(app_delete, "DELETE FROM mobile_apps WHERE tenant_id = ?1 AND app_id = ?2");

const struct item_kind item_configuration = {
	.type = ITEM_CONFIGURATION,
	.noun = "device configuration",
	.res = &RES_DEVICE_CONFIGURATION,
	.created = ACT_CONFIGURATION_CREATE,
	.updated = ACT_CONFIGURATION_UPDATE,
	.deleted = ACT_CONFIGURATION_DELETE,
	.assigned = ACT_CONFIGURATION_ASSIGN,
	.stored = &configuration_stored,
	.set = &configuration_set,
	.remove = &configuration_delete,
	.assignments = "assignments",
};
const struct item_kind item_app = {
	.type = ITEM_APP,
	.noun = "app",
	.res = &RES_MOBILE_APP,
	.created = ACT_APP_CREATE,
	.updated = ACT_APP_UPDATE,
	.deleted = ACT_APP_DELETE,
	.assigned = ACT_APP_ASSIGN,
	.stored = &app_stored,
	.set = &app_set,
	.remove = &app_delete,
	.assignments = "mobileAppAssignments",
	.with_intent = true,
};

const struct resource *item_resource(const struct item_kind *k) { return k->res; }

enum err item_load(struct db_tx *tx, const struct item_kind *k, struct id item, struct item *ret)
{
	struct scope *s = db_tx_scope(tx);
	char text[ID_TEXT];
	auto_rows struct db_rows *r = NULL;
	enum err err = db_query_one(tx, k->stored, DB_ARGS(db_v_id(&item)), &r);
	if (err == ERR_NOT_FOUND)
		return scope_fail(s, err, "no %s with id %s", k->noun, id_format(item, text));
	TRY(err);
	*ret = (struct item){.id = item,
			     .payload = db_text_dup(r, 1, s->arena),
			     .version = db_int(r, 2),
			     .name = db_text_dup(r, 3, s->arena)};
	if (!payload_type_parse(db_text(r, 0), k->type, &ret->type))
		return scope_fail(s, ERR_INTERNAL, "an item is of a type that this version does not know");
	return OK;
}

enum err item_record(struct db_tx *tx, const struct item_kind *k, enum activity activity, struct id item,
		     const char *name, const struct audit_change *changes)
{
	return audit_record(tx, &(struct audit_event){.activity = activity,
						      .resource_type = k->res->entity,
						      .resource = item,
						      .resource_name = name,
						      .changes = changes});
}

struct item_change {
	const struct item_kind *kind;
	struct id item;
	const json_t *body;
	enum api_version version;
	enum payload_type type;
	const struct record *record;
	const json_t *own;  /* properties of the type, checked and sealed */
	const char *payload;
};

/* The map decides whether an event may carry the payload (of apps it may); a large one is told by the names of its
 * properties alone. */
static void add_payload(struct scope *s, const struct item_kind *k, const char *old, const char *now,
			struct audit_change **tail)
{
	if ((old == NULL || strlen(old) <= 4 * KIB) && strlen(now) <= 4 * KIB)
		audit_change_add(s->arena, tail, "payload", k->res->table, "payload", old, now);
}

/* ---- create ---- */

static enum err create(struct scope *s, struct db_tx *tx, void *arg)
{
	struct item_change *q = arg;
	struct audit_change *changes = NULL, **tail = &changes;
	const struct extra_column extra[] = {{"payload", db_v_text(q->payload)}};
	TRY(record_insert(tx, q->record, q->item, extra, 1));
	record_changes_all(s->arena, q->record, true, &tail);
	add_payload(s, q->kind, NULL, q->payload, tail);
	return item_record(tx, q->kind, q->kind->created, q->item, record_text(s->arena, q->record, "displayName"),
			   changes);
}

static enum err type_of_body(struct scope *s, const struct item_kind *k, const json_t *body, enum payload_type *ret)
{
	const char *name = json_string_value(json_object_get(body, "@odata.type"));
	if (name == NULL)
		return scope_fail(s, ERR_BAD_REQUEST, "@odata.type is required");
	if (!payload_type_parse(name, k->type, ret))
		return scope_fail(s, ERR_BAD_REQUEST, "@odata.type is none that a %s can have", k->noun);
	return OK;
}

enum err item_create(struct scope *s, const struct item_kind *k, const json_t *body, enum api_version v, struct id *ret)
{
	struct item_change q = {.kind = k, .body = body};
	struct record *r;
	auto_json *own = NULL;
	TRY(type_of_body(s, k, body, &q.type));
	TRY(record_parse(s, k->res, body, RECORD_CREATE, v, payload_names(s->arena, q.type), &r));
	TRY(payload_read(s, q.type, body, &own));
	TRY(payload_merge(s, q.type, NULL, own, &q.payload));
	record_set_text(r, "@odata.type", payload_odata_type(q.type));
	record_set_int(r, "version", 1);
	record_set_int(r, "createdDateTime", s->now);
	record_set_int(r, "lastModifiedDateTime", s->now);
	q.record = r;
	*ret = q.item = scope_id(s);
	return db_write(s, create, &q);
}

/* ---- patch ---- */

static enum err patch(struct scope *s, struct db_tx *tx, void *arg)
{
	struct item_change *q = arg;
	struct item item;
	struct record *old;
	const char *payload, *names;
	char was[24], is[24];
	struct audit_change *changes = NULL, **tail = &changes;
	bool changed;
	TRY(item_load(tx, q->kind, q->item, &item));
	if (item.type != q->type)
		return scope_fail(s, ERR_CONFLICT, "the item is of another type by now");
	TRY(record_load(tx, q->kind->res, q->item, false, &old));
	TRY(payload_merge(s, item.type, item.payload, q->own, &payload));
	TRY(record_update(tx, old, q->record, q->item, NULL, 0, &tail, &changed));
	TRY(payload_difference(s, item.payload, payload, &names));
	if (!changed && names == NULL)
		return OK;
	TRY(db_exec(tx, q->kind->set,
		    DB_ARGS(db_v_id(&q->item), db_v_text(payload), db_v_int(item.version + 1), db_v_int(s->now)),
		    NULL));
	snprintf(was, sizeof was, "%lld", (long long)item.version);
	snprintf(is, sizeof is, "%lld", (long long)item.version + 1);
	tail = audit_change_add(s->arena, tail, "version", NULL, NULL, was, is);
	if (names != NULL) {
		tail = audit_change_add(s->arena, tail, "changedProperties", NULL, NULL, NULL, names);
		add_payload(s, q->kind, item.payload, payload, tail);
	}
	return item_record(tx, q->kind, q->kind->updated, q->item, item.name, changes);
}

struct item_search {
	const struct item_kind *kind;
	struct id item;
	struct item *ret;
};

static enum err search(struct scope *s, struct db_tx *tx, void *arg)
{
	struct item_search *q = arg;
	return item_load(tx, q->kind, q->item, q->ret);
}

/* An item never changes its type, so that the body can be checked before the transaction. */
enum err item_patch(struct scope *s, const struct item_kind *k, struct id id, const json_t *body, enum api_version v)
{
	struct item_change q = {.kind = k, .item = id};
	struct item item;
	struct record *r;
	enum payload_type named;
	auto_json *own = NULL;
	TRY(db_read(s, search, &(struct item_search){k, id, &item}));
	q.type = item.type;
	if (json_object_get(body, "@odata.type") != NULL) {
		TRY(type_of_body(s, k, body, &named));
		if (named != item.type)
			return scope_fail(s, ERR_BAD_REQUEST,
					  "@odata.type is not the item's own and cannot be changed");
	}
	TRY(record_parse(s, k->res, body, RECORD_PATCH, v, payload_names(s->arena, item.type), &r));
	TRY(payload_read(s, item.type, body, &own));
	q.record = r;
	q.own = own;
	return db_write(s, patch, &q);
}

/* ---- delete ---- */

static enum err delete_item(struct scope *s, struct db_tx *tx, void *arg)
{
	struct item_change *q = arg;
	struct item item;
	const char *groups;
	struct audit_change *changes = NULL, **tail = &changes;
	TRY(item_load(tx, q->kind, q->item, &item));
	TRY(assignments_remove(tx, q->kind, q->item, &groups));
	TRY(db_exec(tx, q->kind->remove, DB_ARGS(db_v_id(&q->item)), NULL));
	tail = audit_change_add(s->arena, tail, "displayName", NULL, NULL, item.name, NULL);
	if (groups != NULL)
		audit_change_add(s->arena, tail, "groupIds", NULL, NULL, groups, NULL);
	return item_record(tx, q->kind, q->kind->deleted, q->item, item.name, changes);
}

enum err item_delete(struct scope *s, const struct item_kind *k, struct id item)
{
	return db_write(s, delete_item, &(struct item_change){.kind = k, .item = item});
}

/* ---- reading ---- */

enum err item_exists(struct scope *s, const struct item_kind *k, struct id item)
{
	struct item found;
	return db_read(s, search, &(struct item_search){k, item, &found});
}

/* What a type has of its own is no property of the base type: it is written where $select names none. */
enum err item_more(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id id, void *arg)
{
	const struct item_kind *k = arg;
	struct item item;
	if (q->odata.select != NULL)
		return OK;
	TRY(item_load(tx, k, id, &item));
	return payload_write(db_tx_scope(tx), item.type, item.payload, w);
}
