/* SPDX-License-Identifier: Apache-2.0
 *
 * Which groups get an item.  `assign` replaces the set; only what differs is written, so that an assignment that stays
 * keeps its id.
 */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "devices/item_kind.h"
#include "directory/group.h"

#define GROUP_TARGET "microsoft.graph.groupAssignmentTarget"

DB_TENANT(assignments_of_item,
	  "SELECT group_id FROM assignments WHERE tenant_id = ?1 AND item_type = ?2 AND item_id = ?3 "
	  "ORDER BY group_id");
DB_TENANT(assignment_insert,
	  "INSERT INTO assignments (tenant_id, item_type, item_id, group_id, assignment_id, intent, created_at) "
	  "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
DB_TENANT(assignment_delete,
	  "DELETE FROM assignments WHERE tenant_id = ?1 AND item_type = ?2 AND item_id = ?3 AND group_id = ?4");
DB_TENANT(assignments_delete_all, "DELETE FROM assignments WHERE tenant_id = ?1 AND item_type = ?2 AND item_id = ?3");

struct group_set {
	struct id *ids; /* in order, each once */
	size_t n;
};

static int by_id(const void *a, const void *b) { return memcmp(a, b, sizeof(struct id)); }

static bool has(const struct group_set *set, struct id id)
{
	return set->n > 0 && bsearch(&id, set->ids, set->n, sizeof id, by_id) != NULL;
}

static const char *set_text(struct arena *a, const struct group_set *set)
{
	char *out = set->n == 0 ? NULL : arena_alloc(a, set->n * (ID_TEXT + 1));
	char *at = out;
	for (size_t i = 0; i < set->n; i++) {
		if (i > 0)
			*at++ = ',', *at++ = ' ';
		id_format(set->ids[i], at);
		at += ID_TEXT - 1;
	}
	return out;
}

static enum err load_set(struct db_tx *tx, const struct item_kind *k, struct id item, struct group_set *ret)
{
	struct arena *a = db_tx_scope(tx)->arena;
	size_t room = 16;
	auto_rows struct db_rows *r = NULL;
	*ret = (struct group_set){.ids = arena_alloc(a, room * sizeof *ret->ids)};
	TRY(db_query(tx, &assignments_of_item, DB_ARGS(db_v_text(k->type), db_v_id(&item)), &r));
	while (db_next(r)) {
		if (ret->n == room) {
			struct id *more = arena_alloc(a, 2 * room * sizeof *more);
			memcpy(more, ret->ids, ret->n * sizeof *more);
			ret->ids = more;
			room *= 2;
		}
		ret->ids[ret->n++] = db_id(r, 0);
	}
	return db_rows_err(r);
}

/* ---- the request's body ---- */

static enum err read_target(struct scope *s, const json_t *target, struct id *ret)
{
	const char *type = json_string_value(json_object_get(target, "@odata.type"));
	const char *group = json_string_value(json_object_get(target, "groupId"));
	if (type == NULL || strcmp(type[0] == '#' ? type + 1 : type, GROUP_TARGET) != 0)
		return scope_fail(s, ERR_BAD_REQUEST, "an assignment's target is a #" GROUP_TARGET);
	if (group == NULL || !id_parse(group, ret))
		return scope_fail(s, ERR_BAD_REQUEST, "an assignment's target has a groupId");
	return OK;
}

static enum err read_entry(struct scope *s, const struct item_kind *k, const json_t *entry, struct id *ret)
{
	const json_t *intent = json_object_get(entry, "intent");
	if (!json_is_object(entry))
		return scope_fail(s, ERR_BAD_REQUEST, "an assignment is an object with a target");
	if (k->with_intent && (!json_is_string(intent) || strcasecmp(json_string_value(intent), "required") != 0))
		return scope_fail(s, ERR_BAD_REQUEST,
				  "the intent of an app's assignment is required: others are not supported on Linux");
	return read_target(s, json_object_get(entry, "target"), ret);
}

static enum err read_body(struct scope *s, const struct item_kind *k, const json_t *body, struct group_set *ret)
{
	const json_t *list = json_object_get(body, k->assignments);
	size_t i, unique = 0;
	json_t *entry;
	if (!json_is_array(list) || json_object_size(body) != 1)
		return scope_fail(s, ERR_BAD_REQUEST, "the body has the list %s and nothing else", k->assignments);
	if (json_array_size(list) > LIMIT_PAGE_MAX)
		return scope_fail(s, ERR_BAD_REQUEST, "%s has more than %u entries", k->assignments, LIMIT_PAGE_MAX);
	*ret = (struct group_set){.ids = arena_alloc(s->arena, (json_array_size(list) + 1) * sizeof *ret->ids)};
	json_array_foreach (list, i, entry)
		TRY(read_entry(s, k, entry, &ret->ids[ret->n++]));
	if (ret->n > 0)
		qsort(ret->ids, ret->n, sizeof *ret->ids, by_id);
	for (i = 0; i < ret->n; i++)
		if (unique == 0 || !id_equal(ret->ids[i], ret->ids[unique - 1]))
			ret->ids[unique++] = ret->ids[i];
	ret->n = unique;
	return OK;
}

/* ---- replacing the set ---- */

struct assigning {
	const struct item_kind *kind;
	struct id item;
	struct group_set wanted;
};

static enum err insert_one(struct db_tx *tx, const struct assigning *q, const struct id *group)
{
	struct scope *s = db_tx_scope(tx);
	struct id id = scope_id(s);
	enum err err = group_load(tx, *group, NULL);
	if (err == ERR_NOT_FOUND)
		return scope_fail(s, ERR_BAD_REQUEST, "an assignment's group does not exist");
	TRY(err);
	return db_exec(tx, &assignment_insert,
		       DB_ARGS(db_v_text(q->kind->type), db_v_id(&q->item), db_v_id(group), db_v_id(&id),
			       db_v_text(q->kind->with_intent ? "required" : "apply"), db_v_int(s->now)),
		       NULL);
}

static enum err replace(struct scope *s, struct db_tx *tx, void *arg)
{
	struct assigning *q = arg;
	struct item item;
	struct group_set old;
	struct audit_change *changes = NULL;
	bool changed = false;
	TRY(item_load(tx, q->kind, q->item, &item));
	TRY(load_set(tx, q->kind, q->item, &old));
	for (size_t i = 0; i < old.n; i++) {
		if (has(&q->wanted, old.ids[i]))
			continue;
		TRY(db_exec(tx, &assignment_delete,
			    DB_ARGS(db_v_text(q->kind->type), db_v_id(&q->item), db_v_id(&old.ids[i])), NULL));
		changed = true;
	}
	for (size_t i = 0; i < q->wanted.n; i++) {
		if (has(&old, q->wanted.ids[i]))
			continue;
		TRY(insert_one(tx, q, &q->wanted.ids[i]));
		changed = true;
	}
	if (!changed)
		return OK;
	audit_change_add(s->arena, &changes, "groupIds", NULL, NULL, set_text(s->arena, &old),
			 set_text(s->arena, &q->wanted));
	return item_record(tx, q->kind, q->kind->assigned, q->item, item.name, changes);
}

enum err item_assign(struct scope *s, const struct item_kind *k, struct id item, const json_t *body)
{
	struct assigning q = {.kind = k, .item = item};
	TRY(read_body(s, k, body, &q.wanted));
	return db_write(s, replace, &q);
}

enum err assignments_remove(struct db_tx *tx, const struct item_kind *k, struct id item, const char **ret_groups)
{
	struct group_set old;
	TRY(load_set(tx, k, item, &old));
	*ret_groups = set_text(db_tx_scope(tx)->arena, &old);
	return db_exec(tx, &assignments_delete_all, DB_ARGS(db_v_text(k->type), db_v_id(&item)), NULL);
}
