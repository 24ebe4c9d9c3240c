/* SPDX-License-Identifier: Apache-2.0
 * Groups and memberships. */
#include "directory/group.h"

#include "directory/access/assignment.h"
#include "directory/access/rule.h"
#include "directory/user.h"
#include "resource/tables.h"

DB_TENANT(group_name, "SELECT display_name FROM groups WHERE tenant_id = ?1 AND group_id = ?2");
DB_TENANT(group_touch, "UPDATE groups SET version = version + 1, modified_at = ?3 WHERE tenant_id = ?1 AND group_id = ?2");
DB_TENANT(group_drop, "DELETE FROM groups WHERE tenant_id = ?1 AND group_id = ?2");
DB_TENANT(group_members_list, "SELECT user_id FROM group_members WHERE tenant_id = ?1 AND group_id = ?2 ORDER BY user_id LIMIT ?3");
DB_TENANT(group_members_drop, "DELETE FROM group_members WHERE tenant_id = ?1 AND group_id = ?2");
DB_TENANT(group_assignments_list, "SELECT item_type, item_id FROM assignments WHERE tenant_id = ?1 AND group_id = ?2 "
				  "ORDER BY item_type, item_id");
DB_TENANT(group_assignments_drop, "DELETE FROM assignments WHERE tenant_id = ?1 AND group_id = ?2");
DB_TENANT(member_insert, "INSERT INTO group_members (tenant_id, group_id, user_id, added_at) VALUES (?1, ?2, ?3, ?4) "
			 "ON CONFLICT DO NOTHING");
DB_TENANT(member_drop, "DELETE FROM group_members WHERE tenant_id = ?1 AND group_id = ?2 AND user_id = ?3");
DB_TENANT(group_in_roles, "SELECT 1 FROM role_assignments WHERE tenant_id = ?1 AND (scope_group_id = ?2 OR principal_id = ?2) LIMIT 1");

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

/* ---- changes ---- */

static void list_change(struct db_tx *tx, struct group_change *c, struct id user, bool added)
{
	char text[ID_TEXT];
	id_format(user, text);
	c->member = user;
	if (c->added + c->removed > MEMBERS_LISTED)
		c->unlisted++;
	else
		c->tail = audit_change_add(db_tx_scope(tx)->arena, c->tail, "members", "group_members", "user_id", added ? NULL : text, added ? text : NULL);
}

static void begin(struct group_change *c, struct id group, const char *name)
{
	*c = (struct group_change){.group = group, .name = name};
	c->tail = &c->changes;
}

enum err group_create_in(struct db_tx *tx, const struct record *r, struct group_change *c)
{
	struct scope *s = db_tx_scope(tx);
	check(r->res == &RES_GROUP);
	struct id group = scope_id(s);
	struct extra_column created = {"created_at", db_v_int(s->now)};
	TRY(record_insert(tx, r, group, &created, 1));
	begin(c, group, record_text(s->arena, r, "displayName"));
	c->row = true;
	record_changes_all(s->arena, r, true, &c->tail);
	return OK;
}

enum err group_change_begin(struct db_tx *tx, struct id group, struct group_change *c)
{
	const char *name;
	TRY(group_load(tx, group, &name));
	begin(c, group, name);
	return OK;
}

enum err group_change_row(struct db_tx *tx, struct group_change *c, const struct record *r)
{
	struct record *old;
	bool changed;
	check(r->res == &RES_GROUP);
	TRY(record_load(tx, &RES_GROUP, c->group, false, &old));
	TRY(record_update(tx, old, r, c->group, NULL, 0, &c->tail, &changed));
	c->row |= changed;
	c->name = record_text(db_tx_scope(tx)->arena, record_has(r, "displayName") ? r : old, "displayName");
	return OK;
}

enum err group_change_add(struct db_tx *tx, struct group_change *c, struct id user)
{
	struct user u;
	int64_t added;
	TRY(user_load(tx, user, &u));
	TRY(db_exec(tx, &member_insert, DB_ARGS(db_v_id(&c->group), db_v_id(&user), db_v_int(db_tx_scope(tx)->now)), &added));
	if (added == 0)
		return OK;
	c->added++;
	list_change(tx, c, user, true);
	return OK;
}

enum err group_change_remove(struct db_tx *tx, struct group_change *c, struct id user)
{
	int64_t gone;
	TRY(resource_reachable(tx, &RES_USER, user));
	TRY(db_exec(tx, &member_drop, DB_ARGS(db_v_id(&c->group), db_v_id(&user)), &gone));
	if (gone == 0)
		return OK;
	c->removed++;
	list_change(tx, c, user, false);
	return OK;
}

/* One member and nothing else is told as such, with the person whom it is about. */
static enum activity activity_of(const struct group_change *c, bool created)
{
	if (created)
		return ACT_GROUP_CREATE;
	if (c->row || c->added + c->removed != 1)
		return ACT_GROUP_UPDATE;
	return c->added == 1 ? ACT_GROUP_MEMBER_ADD : ACT_GROUP_MEMBER_REMOVE;
}

/* Who is limited to scope groups changes none that limits or carries a role: it would move people out of or into somebody's reach, or give them
 * rights. */
static enum err check_roles(struct db_tx *tx, struct id group)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	if (s->actor.only == NULL)
		return OK;
	TRY(db_query(tx, &group_in_roles, DB_ARGS(db_v_id(&group)), &r));
	if (db_next(r))
		return scope_fail(s, ERR_FORBIDDEN, "roles are held by this group, or for its members: changing them needs the permission "
						    "GroupMember.ReadWrite.All for the whole tenant");
	return db_rows_err(r);
}

enum err group_change_end(struct db_tx *tx, struct group_change *c, bool created)
{
	struct scope *s = db_tx_scope(tx);
	enum activity activity = activity_of(c, created);
	bool member = activity == ACT_GROUP_MEMBER_ADD || activity == ACT_GROUP_MEMBER_REMOVE;
	if (!c->row && c->added + c->removed == 0)
		return OK;
	TRY(check_roles(tx, c->group));
	if (c->added > 0)
		TRY(access_may_join(tx, c->group));
	if (c->removed > 0)
		TRY(access_keep_administrator(tx));
	if (c->unlisted > 0)
		audit_change_add(s->arena, c->tail, "membersNotListed", NULL, NULL, NULL, arena_printf(s->arena, "%zu", c->unlisted));
	if (!created)
		TRY(db_exec(tx, &group_touch, DB_ARGS(db_v_id(&c->group), db_v_int(s->now)), NULL));
	return audit_record(tx, &(struct audit_event){.activity = activity, .resource_type = RES_GROUP.entity, .resource = c->group,
						      .subject = member ? c->member : (struct id){{0}}, .changes = c->changes,
						      .resource_name = c->name});
}

/* ---- create and patch ---- */

static enum err create_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct write *a = arg;
	struct group_change c;
	TRY(group_create_in(tx, a->r, &c));
	a->group = c.group;
	return group_change_end(tx, &c, true);
}

enum err group_create(struct scope *s, const struct record *r, struct id *ret)
{
	struct write a = {.r = r};
	TRY(db_write(s, create_tx, &a));
	*ret = a.group;
	return OK;
}

static enum err patch_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct write *a = arg;
	struct group_change c;
	TRY(group_change_begin(tx, a->group, &c));
	TRY(group_change_row(tx, &c, a->r));
	return group_change_end(tx, &c, false);
}

enum err group_patch(struct scope *s, struct id group, const struct record *r)
{
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
	TRY(assignment_drop_principal(tx, a->group, &tail));
	TRY(access_keep_administrator(tx));
	if (members > listed)
		audit_change_add(s->arena, tail, "membersNotListed", NULL, NULL,
				 arena_printf(s->arena, "%lld", (long long)(members - listed)), NULL);
	return audit_record(tx, &(struct audit_event){.activity = ACT_GROUP_DELETE, .resource_type = RES_GROUP.entity,
						      .resource = a->group, .resource_name = name, .changes = changes});
}

enum err group_delete_in(struct db_tx *tx, struct id group)
{
	return delete_tx(db_tx_scope(tx), tx, &(struct write){.group = group});
}

enum err group_delete(struct scope *s, struct id group)
{
	return db_write(s, delete_tx, &(struct write){.group = group});
}

/* ---- members ---- */

static enum err add_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct write *a = arg;
	struct group_change c;
	TRY(group_change_begin(tx, a->group, &c));
	TRY(group_change_add(tx, &c, a->user));
	if (c.added == 0)
		return scope_fail(s, ERR_BAD_REQUEST, "the user is a member of the group already");
	return group_change_end(tx, &c, false);
}

enum err group_add_member(struct scope *s, struct id group, struct id user)
{
	return db_write(s, add_tx, &(struct write){.group = group, .user = user});
}

static enum err remove_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct write *a = arg;
	struct group_change c;
	TRY(group_change_begin(tx, a->group, &c));
	TRY(group_change_remove(tx, &c, a->user));
	if (c.removed == 0)
		return scope_fail(s, ERR_NOT_FOUND, "the user is no member of the group");
	return group_change_end(tx, &c, false);
}

enum err group_remove_member(struct scope *s, struct id group, struct id user)
{
	return db_write(s, remove_tx, &(struct write){.group = group, .user = user});
}
