/* SPDX-License-Identifier: Apache-2.0
 * Groups and memberships. */
#include "directory/group.h"

#include "directory/user.h"
#include "resource/tables.h"

DB_TENANT(group_name, "SELECT display_name FROM groups WHERE tenant_id = ?1 AND group_id = ?2");
DB_TENANT(group_drop, "DELETE FROM groups WHERE tenant_id = ?1 AND group_id = ?2");
DB_TENANT(group_members_list, "SELECT user_id FROM group_members WHERE tenant_id = ?1 AND group_id = ?2 ORDER BY user_id LIMIT ?3");
DB_TENANT(group_members_drop, "DELETE FROM group_members WHERE tenant_id = ?1 AND group_id = ?2");
DB_TENANT(group_assignments_list, "SELECT item_type, item_id FROM assignments WHERE tenant_id = ?1 AND group_id = ?2 "
				  "ORDER BY item_type, item_id");
DB_TENANT(group_assignments_drop, "DELETE FROM assignments WHERE tenant_id = ?1 AND group_id = ?2");
DB_TENANT(member_insert, "INSERT INTO group_members (tenant_id, group_id, user_id, added_at) VALUES (?1, ?2, ?3, ?4) "
			 "ON CONFLICT DO NOTHING");
DB_TENANT(member_drop, "DELETE FROM group_members WHERE tenant_id = ?1 AND group_id = ?2 AND user_id = ?3");

/* An event lists so many members by their ids; of a larger group it says how many there were besides. */
enum { MEMBERS_LISTED = 1000 };

struct write {
	struct id group, user;
	const struct record *r;
};

enum err group_load(struct db_tx *tx, struct id group, const char **ret_name)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &group_name, DB_ARGS(db_v_id(&group)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "there is no such group");
	TRY(e);
	if (ret_name != NULL)
		*ret_name = db_text_dup(r, 0, s->arena);
	return OK;
}

static enum err exists_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	return group_load(tx, *(const struct id *)arg, NULL);
}

enum err group_exists(struct scope *s, struct id group)
{
	return db_read(s, exists_tx, &group);
}

/* ---- create and patch ---- */

static enum err create_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct write *a = arg;
	a->group = scope_id(s);
	struct extra_column created = {"created_at", db_v_int(s->now)};
	TRY(record_insert(tx, a->r, a->group, &created, 1));
	struct audit_change *changes = NULL, **tail = &changes;
	record_changes_all(s->arena, a->r, true, &tail);
	return audit_record(tx, &(struct audit_event){.activity = ACT_GROUP_CREATE, .resource_type = RES_GROUP.entity,
						      .resource = a->group, .changes = changes,
						      .resource_name = record_text(s->arena, a->r, "displayName")});
}

enum err group_create(struct scope *s, const struct record *r, struct id *ret)
{
	check(r->res == &RES_GROUP);
	struct write a = {.r = r};
	TRY(db_write(s, create_tx, &a));
	*ret = a.group;
	return OK;
}

static enum err patch_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct write *a = arg;
	struct record *old;
	TRY(record_load(tx, &RES_GROUP, a->group, false, &old));
	struct audit_change *changes = NULL, **tail = &changes;
	bool changed;
	TRY(record_update(tx, old, a->r, a->group, NULL, 0, &tail, &changed));
	if (!changed)
		return OK;
	const struct record *named = record_has(a->r, "displayName") ? a->r : old;
	return audit_record(tx, &(struct audit_event){.activity = ACT_GROUP_UPDATE, .resource_type = RES_GROUP.entity,
						      .resource = a->group, .changes = changes,
						      .resource_name = record_text(s->arena, named, "displayName")});
}

enum err group_patch(struct scope *s, struct id group, const struct record *r)
{
	check(r->res == &RES_GROUP);
	return db_write(s, patch_tx, &(struct write){.group = group, .r = r});
}

/* ---- delete ---- */

static enum err list_members(struct db_tx *tx, struct id group, struct audit_change ***tail, int64_t *ret_listed)
{
	struct arena *a = db_tx_scope(tx)->arena;
	*ret_listed = 0;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &group_members_list, DB_ARGS(db_v_id(&group), db_v_int(MEMBERS_LISTED)), &r));
	for (; db_next(r); (*ret_listed)++) {
		char text[ID_TEXT];
		*tail = audit_change_add(a, *tail, "members", "group_members", "user_id", id_format(db_id(r, 0), text), NULL);
	}
	return db_rows_err(r);
}

static enum err list_assignments(struct db_tx *tx, struct id group, struct audit_change ***tail)
{
	struct arena *a = db_tx_scope(tx)->arena;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &group_assignments_list, DB_ARGS(db_v_id(&group)), &r));
	while (db_next(r)) {
		char text[ID_TEXT];
		const char *item = arena_printf(a, "%s %s", db_text(r, 0), id_format(db_id(r, 1), text));
		*tail = audit_change_add(a, *tail, "assignments", "assignments", "item_id", item, NULL);
	}
	return db_rows_err(r);
}

static enum err delete_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct write *a = arg;
	const char *name;
	TRY(group_load(tx, a->group, &name));
	struct audit_change *changes = NULL, **tail = &changes;
	int64_t listed, members;
	TRY(list_assignments(tx, a->group, &tail));
	TRY(list_members(tx, a->group, &tail, &listed));
	TRY(db_exec(tx, &group_assignments_drop, DB_ARGS(db_v_id(&a->group)), NULL));
	TRY(db_exec(tx, &group_members_drop, DB_ARGS(db_v_id(&a->group)), &members));
	TRY(db_exec(tx, &group_drop, DB_ARGS(db_v_id(&a->group)), NULL));
	if (members > listed)
		audit_change_add(s->arena, tail, "membersNotListed", NULL, NULL,
				 arena_printf(s->arena, "%lld", (long long)(members - listed)), NULL);
	return audit_record(tx, &(struct audit_event){.activity = ACT_GROUP_DELETE, .resource_type = RES_GROUP.entity,
						      .resource = a->group, .resource_name = name, .changes = changes});
}

enum err group_delete(struct scope *s, struct id group)
{
	return db_write(s, delete_tx, &(struct write){.group = group});
}

/* ---- members ---- */

static enum err record_member(struct db_tx *tx, enum activity activity, const struct write *a, const char *group_name_now)
{
	struct scope *s = db_tx_scope(tx);
	char text[ID_TEXT];
	id_format(a->user, text);
	bool added = activity == ACT_GROUP_MEMBER_ADD;
	struct audit_change *change = NULL;
	audit_change_add(s->arena, &change, "members", "group_members", "user_id", added ? NULL : text, added ? text : NULL);
	return audit_record(tx, &(struct audit_event){.activity = activity, .resource_type = RES_GROUP.entity,
						      .resource = a->group, .resource_name = group_name_now, .subject = a->user,
						      .changes = change});
}

static enum err add_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct write *a = arg;
	const char *name;
	struct user u;
	int64_t added;
	TRY(group_load(tx, a->group, &name));
	TRY(user_load(tx, a->user, &u));
	TRY(db_exec(tx, &member_insert, DB_ARGS(db_v_id(&a->group), db_v_id(&a->user), db_v_int(s->now)), &added));
	if (added == 0)
		return scope_fail(s, ERR_BAD_REQUEST, "the user is a member of the group already");
	return record_member(tx, ACT_GROUP_MEMBER_ADD, a, name);
}

enum err group_add_member(struct scope *s, struct id group, struct id user)
{
	return db_write(s, add_tx, &(struct write){.group = group, .user = user});
}

static enum err remove_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct write *a = arg;
	const char *name;
	int64_t gone;
	TRY(group_load(tx, a->group, &name));
	TRY(db_exec(tx, &member_drop, DB_ARGS(db_v_id(&a->group), db_v_id(&a->user)), &gone));
	if (gone == 0)
		return scope_fail(s, ERR_NOT_FOUND, "the user is no member of the group");
	return record_member(tx, ACT_GROUP_MEMBER_REMOVE, a, name);
}

enum err group_remove_member(struct scope *s, struct id group, struct id user)
{
	return db_write(s, remove_tx, &(struct write){.group = group, .user = user});
}
