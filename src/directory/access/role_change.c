/* SPDX-License-Identifier: Apache-2.0
 * Roles of a tenant's own making. */
#include "directory/access/role_change.h"

#include <string.h>

#include "audit/audit.h"
#include "base/limits.h"
#include "directory/access/role.h"
#include "directory/access/rule.h"
#include "resource/tables.h"

DB_TENANT(role_set_permissions, "UPDATE roles SET permissions = ?3 WHERE tenant_id = ?1 AND role_id = ?2");
DB_TENANT(role_drop, "DELETE FROM roles WHERE tenant_id = ?1 AND role_id = ?2");
/* A tenant has tens of applications, of grants to its operator and of mappings: its own rows are read by the key's first column. */
DB_TENANT(role_used, "SELECT 1 FROM role_assignments WHERE tenant_id = ?1 AND role_id = ?2 UNION ALL "
		     "SELECT 1 FROM applications WHERE tenant_id = ?1 AND role_id = ?2 UNION ALL "
		     "SELECT 1 FROM operator_access WHERE tenant_id = ?1 AND role_id = ?2 UNION ALL "
		     "SELECT 1 FROM identity_provider_roles WHERE tenant_id = ?1 AND role_id = ?2 LIMIT 1");

enum { ROLES_MAX = 256 };
DB_TENANT(role_count, "SELECT count(*) FROM roles WHERE tenant_id = ?1");

struct write {
	struct id role;
	const struct record *r;
	const char *permissions;
};

/* ---- rules ---- */

static enum err permissions_check(struct scope *s, const char *list)
{
	bool any = false;
	for (size_t n; *list != '\0'; list += n + (list[n] != '\0')) {
		n = strcspn(list, " ");
		const char *name = arena_strndup(s->arena, list, n);
		if (!permission_of_tenant(name))
			return scope_fail(s, ERR_BAD_REQUEST, "there is no permission '%.128s'", name);
		any = true;
	}
	return any ? OK : scope_fail(s, ERR_BAD_REQUEST, "a role has at least one permission in rolePermissions/allowedResourceActions");
}

static enum err load_custom(struct db_tx *tx, struct id role, struct record **ret_old, struct role *ret)
{
	TRY(record_load(tx, &RES_ROLE, role, false, ret_old));
	TRY(role_by_id(tx, role, ret));
	if (ret->built_in)
		return scope_fail(db_tx_scope(tx), ERR_FORBIDDEN, "a built-in role is as it is: create one of your own");
	return OK;
}

static enum err name_check(struct scope *s, const struct record *r)
{
	const char *name = record_text(s->arena, r, "displayName");
	if (name != NULL && role_is_built_in_name(name))
		return scope_fail(s, ERR_EXISTS, "a built-in role has this name");
	return OK;
}

static enum err record_role(struct db_tx *tx, enum activity activity, struct id role, const char *name, const struct audit_change *changes)
{
	return audit_record(tx, &(struct audit_event){.activity = activity, .resource_type = RES_ROLE.entity, .resource = role,
						      .resource_name = name, .changes = changes});
}

/* ---- create ---- */

static enum err create_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct write *a = arg;
	auto_rows struct db_rows *n = NULL;
	TRY(access_may_list(tx, a->permissions));
	TRY(db_query_one(tx, &role_count, DB_NOARGS, &n));
	if (db_int(n, 0) >= ROLES_MAX)
		return scope_fail(s, ERR_CONFLICT, "a tenant has at most %d roles", (int)ROLES_MAX);
	a->role = scope_id(s);
	struct extra_column extra[] = {{"created_at", db_v_int(s->now)}, {"built_in", db_v_int(0)}, {"permissions", db_v_text(a->permissions)}};
	TRY(record_insert(tx, a->r, a->role, extra, 3));
	struct audit_change *changes = NULL, **tail = &changes;
	record_changes_all(s->arena, a->r, true, &tail);
	audit_change_add(s->arena, tail, "allowedResourceActions", "roles", "permissions", NULL, a->permissions);
	return record_role(tx, ACT_ROLE_CREATE, a->role, record_text(s->arena, a->r, "displayName"), changes);
}

enum err role_create(struct scope *s, const struct record *r, const char *permissions, struct id *ret)
{
	check(r->res == &RES_ROLE);
	TRY(permissions_check(s, permissions));
	TRY(name_check(s, r));
	struct write a = {.r = r, .permissions = permissions};
	TRY(db_write(s, create_tx, &a));
	*ret = a.role;
	return OK;
}

/* ---- patch ---- */

static enum err patch_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct write *a = arg;
	struct record *old;
	struct role was;
	struct audit_change *changes = NULL, **tail = &changes;
	bool changed, other = false;
	TRY(load_custom(tx, a->role, &old, &was));
	TRY(record_update(tx, old, a->r, a->role, NULL, 0, &tail, &changed));
	if (a->permissions != NULL && strcmp(a->permissions, was.permissions) != 0) {
		TRY(access_may_list(tx, a->permissions));
		TRY(access_may_take(tx, a->role));
		TRY(db_exec(tx, &role_set_permissions, DB_ARGS(db_v_id(&a->role), db_v_text(a->permissions)), NULL));
		audit_change_add(s->arena, tail, "allowedResourceActions", "roles", "permissions", was.permissions, a->permissions);
		other = true;
	}
	if (!changed && !other)
		return OK;
	const struct record *named = record_has(a->r, "displayName") ? a->r : old;
	return record_role(tx, ACT_ROLE_UPDATE, a->role, record_text(s->arena, named, "displayName"), changes);
}

enum err role_patch(struct scope *s, struct id role, const struct record *r, const char *permissions)
{
	check(r->res == &RES_ROLE);
	if (permissions != NULL)
		TRY(permissions_check(s, permissions));
	TRY(name_check(s, r));
	return db_write(s, patch_tx, &(struct write){.role = role, .r = r, .permissions = permissions});
}

/* ---- delete ---- */

static enum err delete_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct record *old;
	struct role was;
	auto_rows struct db_rows *used = NULL;
	struct id role = *(const struct id *)arg;
	TRY(load_custom(tx, role, &old, &was));
	TRY(db_query(tx, &role_used, DB_ARGS(db_v_id(&role)), &used));
	if (db_next(used))
		return scope_fail(s, ERR_CONFLICT, "somebody holds the role, or an identity provider gives it: take it from them first");
	TRY(db_rows_err(used));
	TRY(db_exec(tx, &role_drop, DB_ARGS(db_v_id(&role)), NULL));
	struct audit_change *change = NULL;
	audit_change_add(s->arena, &change, "allowedResourceActions", "roles", "permissions", was.permissions, NULL);
	return record_role(tx, ACT_ROLE_DELETE, role, was.display_name, change);
}

enum err role_delete(struct scope *s, struct id role)
{
	return db_write(s, delete_tx, &role);
}
