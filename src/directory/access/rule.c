/* SPDX-License-Identifier: Apache-2.0
 * Who may hand out what, and who must stay. */
#include "directory/access/rule.h"

#include <string.h>

#include "audit/audit.h"
#include "directory/access/access.h"
#include "directory/access/role.h"
#include "resource/tables.h"

DB_TENANT(rule_roles, "SELECT role_id, display_name, built_in, permissions FROM roles WHERE tenant_id = ?1");
DB_TENANT(rule_role_held, "SELECT 1 FROM role_assignments WHERE tenant_id = ?1 AND role_id = ?2 UNION ALL "
			  "SELECT 1 FROM applications WHERE tenant_id = ?1 AND role_id = ?2 LIMIT 1");
/* Bundles of people whose maker is gone: erased (NULL), deleted, or an application that is no more. */
DB_TENANT(rule_orphaned_bundles,
	  "SELECT 1 FROM data_policy_operations o WHERE o.tenant_id = ?1 AND o.expires_at > ?2 AND "
	  "NOT EXISTS (SELECT 1 FROM users u WHERE u.tenant_id = ?1 AND u.user_id = o.requested_by AND u.deleted_at IS NULL) AND "
	  "NOT EXISTS (SELECT 1 FROM applications a WHERE a.tenant_id = ?1 AND a.application_id = o.requested_by) LIMIT 1");
DB_TENANT(rule_group_roles, "SELECT role_id, scope_group_id FROM role_assignments WHERE tenant_id = ?1 AND principal_id = ?2");
/* A tenant has tens of applications, not thousands: its own rows are read by the key's first column. */
DB_TENANT(rule_administrators,
	  "SELECT 1 FROM applications a WHERE a.tenant_id = ?1 AND a.enabled = 1 AND (a.role_id = ?2 OR EXISTS "
	  "(SELECT 1 FROM role_assignments r WHERE r.tenant_id = ?1 AND r.principal_id = a.application_id AND r.role_id = ?2 AND r.scope_group_id IS NULL)) "
	  "UNION ALL "
	  "SELECT 1 FROM role_assignments r JOIN users u ON u.tenant_id = ?1 AND u.user_id = r.user_id "
	  "WHERE r.tenant_id = ?1 AND r.role_id = ?2 AND r.scope_group_id IS NULL AND u.deleted_at IS NULL AND u.account_enabled = 1 UNION ALL "
	  "SELECT 1 FROM role_assignments r JOIN group_members m ON m.tenant_id = ?1 AND m.group_id = r.principal_id "
	  "JOIN users u ON u.tenant_id = ?1 AND u.user_id = m.user_id "
	  "WHERE r.tenant_id = ?1 AND r.role_id = ?2 AND r.scope_group_id IS NULL AND u.deleted_at IS NULL AND u.account_enabled = 1 LIMIT 1");

/* ---- what the caller holds ---- */

/* p: one name.  scope_group nil: over the whole tenant. */
static bool holds(const struct actor *a, const char *p, struct id scope_group)
{
	if (a->access == NULL)
		return permission_granted(a->permissions, p);
	for (size_t i = 0; i < a->access->n; i++) {
		const struct access_grant *g = &a->access->grants[i];
		bool reaches = id_is_nil(g->scope_group) || id_equal(g->scope_group, scope_group);
		if (reaches && permission_granted(g->permissions, p))
			return true;
	}
	return false;
}

/* The first of a list that the caller does not hold; holders: only those that holders hand on are looked at. */
static const char *missing(struct scope *s, const char *wanted, struct id scope_group, bool holders)
{
	while (*wanted != '\0') {
		size_t n = strcspn(wanted, " ");
		const char *p = arena_strndup(s->arena, wanted, n);
		if (n > 0 && (!holders || permission_of_holders(p)) && !holds(&s->actor, p, scope_group))
			return p;
		wanted += n + (wanted[n] != '\0');
	}
	return NULL;
}

static bool is_exempt(const struct scope *s)
{
	return s->actor.type == ACTOR_SYSTEM;
}

/* ---- what only holders hand on ---- */

/* Whether any role of the tenant that somebody has allows it.  Who is disabled has it still. */
static enum err is_held(struct db_tx *tx, const char *permission, bool *ret)
{
	struct scope *s = db_tx_scope(tx);
	*ret = false;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &rule_roles, DB_NOARGS, &r));
	while (!*ret && db_next(r)) {
		const char *list = db_bool(r, 2) ? role_built_in(s->arena, db_text(r, 1)) : db_text(r, 3);
		struct id role = db_id(r, 0);
		auto_rows struct db_rows *held = NULL;
		if (!permission_granted(list, permission))
			continue;
		TRY(db_query(tx, &rule_role_held, DB_ARGS(db_v_id(&role)), &held));
		*ret = db_next(held);
		TRY(db_rows_err(held));
	}
	return db_rows_err(r);
}

/* A role whose first holder an administrator names: all else in it they have, and what they do not have nobody has. */
static enum err may_give_first(struct db_tx *tx, const struct role *role, bool *ret)
{
	static const struct id tenant;
	struct scope *s = db_tx_scope(tx);
	const char *p = role->permissions;
	*ret = missing(s, role_built_in(s->arena, ROLE_ADMINISTRATOR), tenant, false) == NULL;
	while (*ret && *p != '\0') {
		size_t n = strcspn(p, " ");
		const char *name = arena_strndup(s->arena, p, n);
		bool held = false;
		if (!holds(&s->actor, name, tenant) && permission_of_holders(name))
			TRY(is_held(tx, name, &held));
		*ret = !held && (holds(&s->actor, name, tenant) || permission_of_holders(name));
		p += n + (p[n] != '\0');
	}
	return OK;
}

static enum err is_left(struct db_tx *tx, bool *ret)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &rule_orphaned_bundles, DB_ARGS(db_v_int(db_tx_scope(tx)->now)), &r));
	*ret = db_next(r);
	return db_rows_err(r);
}

/* The last holder may have left bundles: what they made does not become an administrator's by the holder's end. */
static enum err nothing_is_left(struct db_tx *tx)
{
	struct scope *s = db_tx_scope(tx);
	bool left;
	TRY(is_left(tx, &left));
	if (left)
		return scope_fail(s, ERR_FORBIDDEN, "bundles are left of somebody who is gone: until they have expired (exportDays) nobody becomes the first "
						    "who may read those of others");
	return OK;
}

enum err access_first_is_open(struct db_tx *tx, const char *permission, bool *ret)
{
	bool held = true, left = true;
	if (permission_of_holders(permission))
		TRY(is_held(tx, permission, &held));
	if (!held)
		TRY(is_left(tx, &left));
	*ret = !held && !left;
	return OK;
}

static enum err record_first(struct db_tx *tx, const struct role *role, const char *permission)
{
	struct audit_change *change = NULL;
	audit_change_add(db_tx_scope(tx)->arena, &change, "permission", NULL, NULL, NULL, permission);
	return audit_record(tx, &(struct audit_event){.activity = ACT_ROLE_FIRST_GIVEN, .resource_type = RES_ROLE.entity, .resource = role->role,
						      .resource_name = role->display_name, .changes = change});
}

/* ---- rules ---- */

enum err access_may_give(struct db_tx *tx, struct id role, struct id scope_group)
{
	struct scope *s = db_tx_scope(tx);
	struct role r;
	bool first = false;
	TRY(role_by_id(tx, role, &r));
	const char *lacks = is_exempt(s) ? NULL : missing(s, r.permissions, scope_group, false);
	if (lacks == NULL)
		return OK;
	const char *apart = missing(s, r.permissions, scope_group, true);
	if (apart != NULL)
		TRY(may_give_first(tx, &r, &first));
	if (first)
		TRY(nothing_is_left(tx));
	if (first)
		return record_first(tx, &r, apart);
	if (apart != NULL)
		return scope_fail(s, ERR_FORBIDDEN, "the role has the permission %s, which only those who hold it give to others", apart);
	return scope_fail(s, ERR_FORBIDDEN, "the role has the permission %s, which the caller does not have%s", lacks,
			  id_is_nil(scope_group) ? " over the whole tenant" : " for this group");
}

enum err access_may_take(struct db_tx *tx, struct id role)
{
	static const struct id tenant;
	struct scope *s = db_tx_scope(tx);
	struct role r;
	TRY(role_by_id(tx, role, &r));
	const char *lacks = is_exempt(s) ? NULL : missing(s, r.permissions, tenant, true);
	if (lacks != NULL)
		return scope_fail(s, ERR_FORBIDDEN, "the role has the permission %s: only those who hold it take it from others", lacks);
	return OK;
}

enum err access_may_list(struct db_tx *tx, const char *permissions)
{
	static const struct id tenant;
	struct scope *s = db_tx_scope(tx);
	const char *lacks = is_exempt(s) ? NULL : missing(s, permissions, tenant, false);
	if (lacks != NULL)
		return scope_fail(s, ERR_FORBIDDEN, "the caller does not have the permission %s over the whole tenant", lacks);
	return OK;
}

enum err access_may_become(struct db_tx *tx, enum actor_type type, struct id principal)
{
	struct scope *s = db_tx_scope(tx);
	struct access *a;
	if (is_exempt(s) || id_equal(s->actor.id, principal))
		return OK;
	TRY(access_load(tx, type, principal, &a));
	for (size_t i = 0; i < a->n; i++) {
		const char *lacks = missing(s, a->grants[i].permissions, a->grants[i].scope_group, false);
		if (lacks != NULL)
			return scope_fail(s, ERR_FORBIDDEN, "the %s has the permission %s, which the caller does not have",
					  type == ACTOR_USER ? "person" : "application", lacks);
	}
	return OK;
}

enum err access_may_end(struct db_tx *tx, struct id application)
{
	struct access *a;
	TRY(access_load(tx, ACTOR_APPLICATION, application, &a));
	for (size_t i = 0; i < a->n; i++)
		TRY(access_may_take(tx, a->grants[i].role));
	return OK;
}

/* Their own reach is what a scoped caller must not widen; whom others reach is what the directory says. */
static enum err widens_own(struct scope *s, struct id group)
{
	static const struct id tenant;
	for (size_t i = 0; s->actor.access != NULL && i < s->actor.access->n; i++) {
		const struct access_grant *g = &s->actor.access->grants[i];
		if (id_equal(g->scope_group, group) && missing(s, g->permissions, tenant, false) != NULL)
			return scope_fail(s, ERR_FORBIDDEN, "the caller's role %s reaches the members of this group: others say who they are",
					  g->role_name);
	}
	return OK;
}

enum err access_may_join(struct db_tx *tx, struct id group)
{
	struct scope *s = db_tx_scope(tx);
	if (is_exempt(s))
		return OK;
	TRY(widens_own(s, group));
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &rule_group_roles, DB_ARGS(db_v_id(&group)), &r));
	while (db_next(r)) {
		struct role role;
		struct id scope_group = db_id(r, 1);
		TRY(role_by_id(tx, db_id(r, 0), &role));
		const char *lacks = missing(s, role.permissions, scope_group, false);
		if (lacks != NULL)
			return scope_fail(s, ERR_FORBIDDEN, "the group holds the role %s with the permission %s, which the caller does not have",
					  role.display_name, lacks);
	}
	return db_rows_err(r);
}

/* ---- the last administrator ---- */

enum err access_keep_administrator(struct db_tx *tx)
{
	struct scope *s = db_tx_scope(tx);
	struct role r;
	TRY(role_by_name(tx, id_is_nil(s->tenant) ? ROLE_OPERATOR : ROLE_ADMINISTRATOR, &r));
	auto_rows struct db_rows *rows = NULL;
	TRY(db_query(tx, &rule_administrators, DB_ARGS(db_v_id(&r.role)), &rows));
	bool any = db_next(rows);
	TRY(db_rows_err(rows));
	return any ? OK : scope_fail(s, ERR_CONFLICT, "nobody would be left with the role %s over the whole tenant who can sign in", r.display_name);
}
