/* SPDX-License-Identifier: Apache-2.0
 *
 * Provisioned items.  The row of an item on a device lives from its first delivery to the device's word that it is
 * gone:
 *
 *   pending --> installed | failed --> removing --> (removed: the row goes)
 */
#include "devices/items.h"

#include <stdio.h>
#include <string.h>

DB_TENANT(desired_configurations,
	  "SELECT c.configuration_id, c.version, c.odata_type, c.display_name, c.payload "
	  "FROM device_configurations c WHERE c.tenant_id = ?1 AND c.configuration_id IN (SELECT a.item_id "
	  "FROM group_members m JOIN assignments a ON a.tenant_id = m.tenant_id AND a.group_id = m.group_id "
	  "WHERE m.tenant_id = ?1 AND m.user_id = ?2 AND a.item_type = 'deviceConfiguration') "
	  "ORDER BY c.configuration_id");
DB_TENANT(desired_apps,
	  "SELECT p.app_id, p.version, p.odata_type, p.display_name, p.payload FROM mobile_apps p "
	  "WHERE p.tenant_id = ?1 AND p.app_id IN (SELECT a.item_id FROM group_members m "
	  "JOIN assignments a ON a.tenant_id = m.tenant_id AND a.group_id = m.group_id WHERE m.tenant_id = ?1 "
	  "AND m.user_id = ?2 AND a.item_type = 'mobileApp') ORDER BY p.app_id");
DB_TENANT(provisioned_of_device,
	  "SELECT item_id, state FROM provisioned_items WHERE tenant_id = ?1 AND device_id = ?2 ORDER BY item_id");
DB_TENANT(provisioned_one,
	  "SELECT version, state, identifier, error FROM provisioned_items WHERE tenant_id = ?1 "
	  "AND device_id = ?2 AND item_id = ?3");
DB_TENANT(provisioned_insert,
	  "INSERT INTO provisioned_items (tenant_id, device_id, item_id, item_type, version, state, updated_at) "
	  "VALUES (?1, ?2, ?3, ?4, ?5, 'pending', ?6)");
DB_TENANT(provisioned_set_state,
	  "UPDATE provisioned_items SET state = ?4, updated_at = ?5 WHERE tenant_id = ?1 AND device_id = ?2 "
	  "AND item_id = ?3");
DB_TENANT(provisioned_reported,
	  "UPDATE provisioned_items SET version = ?4, state = ?5, identifier = ?6, error = ?7, updated_at = ?8 "
	  "WHERE tenant_id = ?1 AND device_id = ?2 AND item_id = ?3");
DB_TENANT(provisioned_delete, "DELETE FROM provisioned_items WHERE tenant_id = ?1 AND device_id = ?2 AND item_id = ?3");

static const char *const STATES[] = {
	[ITEM_installed] = "installed", [ITEM_failed] = "failed", [ITEM_removed] = "removed"};

/* ---- the device's word ---- */

struct provisioned {
	int64_t version;
	const char *state, *identifier, *error;
};

static bool same_text(const char *a, const char *b) { return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0; }

static enum err record_report(struct db_tx *tx, const struct device *d, const struct provisioned *old,
			      const struct item_report *r, const char *state)
{
	struct scope *s = db_tx_scope(tx);
	char id[ID_TEXT], was[24], is[24];
	struct audit_change *changes = NULL, **tail = &changes;
	snprintf(was, sizeof was, "%lld", (long long)old->version);
	snprintf(is, sizeof is, "%lld", (long long)r->version);
	tail = audit_change_add(s->arena, tail, "itemId", "provisioned_items", "item_id", NULL, id_format(r->item, id));
	tail = audit_change_add(s->arena, tail, "state", "provisioned_items", "state", old->state, state);
	if (r->state != ITEM_removed && old->version != r->version)
		tail = audit_change_add(s->arena, tail, "version", "provisioned_items", "version", was, is);
	if (r->state != ITEM_removed && !same_text(old->identifier, r->identifier))
		audit_change_add(s->arena, tail, "identifier", "provisioned_items", "identifier", old->identifier,
				 r->identifier);
	const char *failure = r->state != ITEM_failed ? NULL : r->error != NULL ? r->error : "failed";
	return device_record(tx, d, ACT_ITEM_REPORTED, changes, failure);
}

/* An item that is to go stays `removing` whatever else the device says of it, until it says removed. */
static enum err note(struct db_tx *tx, const struct device *d, const struct provisioned *old,
		     const struct item_report *r)
{
	struct scope *s = db_tx_scope(tx);
	bool going = strcmp(old->state, "removing") == 0;
	const char *state = going ? old->state : STATES[r->state];
	bool changed = strcmp(old->state, state) != 0 ||
		       (!going && (old->version != r->version || !same_text(old->identifier, r->identifier)));
	if (!changed && same_text(old->error, r->error))
		return OK;
	TRY(db_exec(tx, &provisioned_reported,
		    DB_ARGS(db_v_id(&d->id), db_v_id(&r->item), db_v_int(going ? old->version : r->version),
			    db_v_text(state), db_v_text(r->identifier != NULL ? r->identifier : old->identifier),
			    db_v_text(r->error), db_v_int(s->now)),
		    NULL));
	return changed ? record_report(tx, d, old, r, state) : OK;
}

static enum err report_one(struct db_tx *tx, const struct device *d, const struct item_report *r)
{
	struct arena *a = db_tx_scope(tx)->arena;
	auto_rows struct db_rows *rows = NULL;
	enum err err = db_query_one(tx, &provisioned_one, DB_ARGS(db_v_id(&d->id), db_v_id(&r->item)), &rows);
	if (err == ERR_NOT_FOUND)
		return OK;
	TRY(err);
	struct provisioned old = {.version = db_int(rows, 0),
				  .state = db_text_dup(rows, 1, a),
				  .identifier = db_text_dup(rows, 2, a),
				  .error = db_text_dup(rows, 3, a)};
	if (r->state != ITEM_removed)
		return note(tx, d, &old, r);
	TRY(db_exec(tx, &provisioned_delete, DB_ARGS(db_v_id(&d->id), db_v_id(&r->item)), NULL));
	return record_report(tx, d, &old, r, STATES[ITEM_removed]);
}

enum err items_report(struct db_tx *tx, const struct device *d, const struct item_report *reports, size_t n)
{
	for (size_t i = 0; i < n; i++)
		TRY(report_one(tx, d, &reports[i]));
	return OK;
}

/* ---- what should stand on it ---- */

static enum err collect_desired(struct db_tx *tx, struct db_stmt *stmt, const char *item_type, struct id user,
				struct desired_item **list, size_t *n, size_t *room)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, stmt, DB_ARGS(db_v_id(&user)), &r));
	while (db_next(r)) {
		enum payload_type type;
		if (!payload_type_parse(db_text(r, 2), item_type, &type))
			return scope_fail(s, ERR_INTERNAL, "an item is of a type that this version does not know");
		if (*n == *room) {
			*room = *room == 0 ? 16 : 2 * *room;
			struct desired_item *more = arena_alloc(s->arena, *room * sizeof *more);
			if (*n > 0)
				memcpy(more, *list, *n * sizeof *more);
			*list = more;
		}
		(*list)[(*n)++] = (struct desired_item){.item = db_id(r, 0),
							.version = db_int(r, 1),
							.type = type,
							.name = db_text_dup(r, 3, s->arena),
							.payload = db_text_dup(r, 4, s->arena)};
	}
	return db_rows_err(r);
}

enum err items_desired(struct db_tx *tx, struct id user, struct desired_item **ret, size_t *ret_n)
{
	size_t room = 0;
	*ret = NULL;
	*ret_n = 0;
	TRY(collect_desired(tx, &desired_configurations, ITEM_CONFIGURATION, user, ret, ret_n, &room));
	return collect_desired(tx, &desired_apps, ITEM_APP, user, ret, ret_n, &room);
}

/* ---- keeping both together ---- */

struct standing {
	struct id item;
	enum { PENDING, STANDS, REMOVING } state;
	bool wanted;
};

static enum err load_standing(struct db_tx *tx, struct id device, struct standing **ret, size_t *ret_n)
{
	struct arena *a = db_tx_scope(tx)->arena;
	size_t room = 0;
	auto_rows struct db_rows *r = NULL;
	*ret = NULL;
	*ret_n = 0;
	TRY(db_query(tx, &provisioned_of_device, DB_ARGS(db_v_id(&device)), &r));
	while (db_next(r)) {
		if (*ret_n == room) {
			room = room == 0 ? 16 : 2 * room;
			struct standing *more = arena_alloc(a, room * sizeof *more);
			if (*ret_n > 0)
				memcpy(more, *ret, *ret_n * sizeof *more);
			*ret = more;
		}
		const char *state = db_text(r, 1);
		(*ret)[(*ret_n)++] = (struct standing){.item = db_id(r, 0),
						       .state = strcmp(state, "pending") == 0    ? PENDING
								: strcmp(state, "removing") == 0 ? REMOVING
												 : STANDS};
	}
	return db_rows_err(r);
}

static struct standing *find(struct standing *list, size_t n, struct id item)
{
	for (size_t i = 0; i < n; i++)
		if (id_equal(list[i].item, item))
			return &list[i];
	return NULL;
}

static enum err deliver(struct db_tx *tx, struct id device, const struct desired_item *d, struct standing *row)
{
	struct scope *s = db_tx_scope(tx);
	if (row == NULL)
		return db_exec(tx, &provisioned_insert,
			       DB_ARGS(db_v_id(&device), db_v_id(&d->item), db_v_text(payload_item_type(d->type)),
				       db_v_int(d->version), db_v_int(s->now)),
			       NULL);
	row->wanted = true;
	if (row->state != REMOVING)
		return OK;
	return db_exec(tx, &provisioned_set_state,
		       DB_ARGS(db_v_id(&device), db_v_id(&row->item), db_v_text("pending"), db_v_int(s->now)), NULL);
}

/* An item that the device never spoke of is simply forgotten: what it may have of it, it takes back by itself, since it
 * is not in the desired state. */
static enum err take_back(struct db_tx *tx, struct id device, const struct standing *row)
{
	struct scope *s = db_tx_scope(tx);
	if (row->wanted || row->state == REMOVING)
		return OK;
	if (row->state == PENDING)
		return db_exec(tx, &provisioned_delete, DB_ARGS(db_v_id(&device), db_v_id(&row->item)), NULL);
	return db_exec(tx, &provisioned_set_state,
		       DB_ARGS(db_v_id(&device), db_v_id(&row->item), db_v_text("removing"), db_v_int(s->now)), NULL);
}

enum err items_keep_known(struct db_tx *tx, struct id device, struct desired_item *items, size_t *n)
{
	struct standing *rows;
	size_t row_n, kept = 0;
	TRY(load_standing(tx, device, &rows, &row_n));
	for (size_t i = 0; i < *n; i++)
		if (find(rows, row_n, items[i].item) != NULL)
			items[kept++] = items[i];
	*n = kept;
	return OK;
}

enum err items_reconcile(struct db_tx *tx, struct id device, const struct desired_item *desired, size_t n)
{
	struct standing *rows;
	size_t row_n;
	TRY(load_standing(tx, device, &rows, &row_n));
	for (size_t i = 0; i < n; i++)
		TRY(deliver(tx, device, &desired[i], find(rows, row_n, desired[i].item)));
	for (size_t i = 0; i < row_n; i++)
		TRY(take_back(tx, device, &rows[i]));
	return OK;
}
