/* SPDX-License-Identifier: Apache-2.0
 * Applications: creating, changing and deleting them, and who may give which role. */
#include "directory/application.h"

#include <string.h>

#include "directory/application_internal.h"
#include "directory/role.h"
#include "resource/tables.h"

DB_TENANT(application_drop, "DELETE FROM applications WHERE tenant_id = ?1 AND application_id = ?2");
DB_TENANT(application_secrets_drop, "DELETE FROM application_secrets WHERE tenant_id = ?1 AND application_id = ?2");
DB_TENANT(application_found_insert, "INSERT INTO applications (tenant_id, application_id, display_name, role_id, enabled, created_at) "
				    "VALUES (?1, ?2, ?3, ?4, 1, ?5)");
/* A tenant has tens of applications, not thousands: its own rows are read by the key's first column. */
DB_TENANT(application_others, "SELECT count(*) FROM applications WHERE tenant_id = ?1 AND role_id = ?2 AND enabled = 1 "
			      "AND application_id <> ?3");

struct write {
	struct id application;
	const struct record *r;
};

static enum err record_event(struct db_tx *tx, enum activity activity, struct id application, const char *name,
			     const struct audit_change *changes)
{
	return audit_record(tx, &(struct audit_event){.activity = activity, .resource_type = RES_APPLICATION.entity,
						      .resource = application, .resource_name = name, .changes = changes});
}

/* ---- rules ---- */

/* Nobody hands on what they do not have. */
static enum err may_give(struct db_tx *tx, struct id role)
{
	struct scope *s = db_tx_scope(tx);
	struct role r;
	TRY(role_by_id(tx, role, &r));
	if (s->actor.type == ACTOR_SYSTEM)
		return OK;
	const char *missing = permission_missing(s->arena, s->actor.permissions, r.permissions);
	if (missing != NULL)
		return scope_fail(s, ERR_FORBIDDEN, "the role has the permission %s, which the caller does not have", missing);
	return OK;
}

/* The application is about to lose its role or to be disabled or deleted. */
static enum err may_lose(struct db_tx *tx, struct id application, const struct record *old)
{
	struct scope *s = db_tx_scope(tx);
	struct role r;
	struct id role = record_id(old, "roleDefinitionId");
	TRY(role_by_id(tx, role, &r));
	bool guarded = strcmp(r.display_name, ROLE_ADMINISTRATOR) == 0 || strcmp(r.display_name, ROLE_OPERATOR) == 0;
	if (!guarded || record_int(old, "accountEnabled") == 0)
		return OK;
	auto_rows struct db_rows *rows = NULL;
	TRY(db_query_one(tx, &application_others, DB_ARGS(db_v_id(&role), db_v_id(&application)), &rows));
	if (db_int(rows, 0) == 0)
		return scope_fail(s, ERR_CONFLICT, "this is the last enabled application with the role %s", r.display_name);
	return OK;
}

/* ---- create ---- */

static enum err create_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct write *a = arg;
	TRY(may_give(tx, record_id(a->r, "roleDefinitionId")));
	a->application = scope_id(s);
	struct extra_column extra[] = {{"created_at", db_v_int(s->now)}, {"enabled", db_v_int(1)}};
	TRY(record_insert(tx, a->r, a->application, extra, record_has(a->r, "accountEnabled") ? 1 : 2));
	struct audit_change *changes = NULL, **tail = &changes;
	record_changes_all(s->arena, a->r, true, &tail);
	return record_event(tx, ACT_APPLICATION_CREATE, a->application, record_text(s->arena, a->r, "displayName"), changes);
}

enum err application_create(struct scope *s, const struct record *r, struct id *ret)
{
	check(r->res == &RES_APPLICATION);
	struct write a = {.r = r};
	TRY(db_write(s, create_tx, &a));
	*ret = a.application;
	return OK;
}

enum err application_found(struct db_tx *tx, const char *display_name, const char *role, int64_t life_us,
			   struct application_secret *ret)
{
	struct scope *s = db_tx_scope(tx);
	struct role r;
	TRY(role_by_name(tx, role, &r));
	*ret = (struct application_secret){.application = scope_id(s), .created_at = s->now, .expires_at = s->now + life_us};
	TRY(db_exec(tx, &application_found_insert,
		    DB_ARGS(db_v_id(&ret->application), db_v_text(display_name), db_v_id(&r.role), db_v_int(s->now)), NULL));
	TRY(secret_issue(tx, ret));
	struct audit_change *changes = NULL, **tail = &changes;
	tail = audit_change_add(s->arena, tail, "displayName", "applications", "display_name", NULL, display_name);
	audit_change_add(s->arena, tail, "role", NULL, NULL, NULL, r.display_name);
	return record_event(tx, ACT_APPLICATION_CREATE, ret->application, display_name, changes);
}

/* ---- patch ---- */

static enum err patch_rules(struct db_tx *tx, const struct write *a, const struct record *old)
{
	bool role = record_has(a->r, "roleDefinitionId") &&
		    !id_equal(record_id(a->r, "roleDefinitionId"), record_id(old, "roleDefinitionId"));
	bool disable = record_has(a->r, "accountEnabled") && record_int(a->r, "accountEnabled") == 0;
	bool enable = record_has(a->r, "accountEnabled") && !disable && record_int(old, "accountEnabled") == 0;
	if (role)
		TRY(may_give(tx, record_id(a->r, "roleDefinitionId")));
	else if (enable)
		TRY(may_give(tx, record_id(old, "roleDefinitionId")));
	return role || disable ? may_lose(tx, a->application, old) : OK;
}

static enum err patch_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct write *a = arg;
	struct record *old;
	TRY(record_load(tx, &RES_APPLICATION, a->application, false, &old));
	TRY(patch_rules(tx, a, old));
	struct audit_change *changes = NULL, **tail = &changes;
	bool changed;
	TRY(record_update(tx, old, a->r, a->application, NULL, 0, &tail, &changed));
	if (!changed)
		return OK;
	const struct record *named = record_has(a->r, "displayName") ? a->r : old;
	return record_event(tx, ACT_APPLICATION_UPDATE, a->application, record_text(s->arena, named, "displayName"), changes);
}

enum err application_patch(struct scope *s, struct id application, const struct record *r)
{
	check(r->res == &RES_APPLICATION);
	return db_write(s, patch_tx, &(struct write){.application = application, .r = r});
}

/* ---- delete ---- */

static enum err delete_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct write *a = arg;
	struct record *old;
	TRY(record_load(tx, &RES_APPLICATION, a->application, false, &old));
	TRY(may_lose(tx, a->application, old));
	TRY(db_exec(tx, &application_secrets_drop, DB_ARGS(db_v_id(&a->application)), NULL));
	TRY(db_exec(tx, &application_drop, DB_ARGS(db_v_id(&a->application)), NULL));
	return record_event(tx, ACT_APPLICATION_DELETE, a->application, record_text(s->arena, old, "displayName"), NULL);
}

enum err application_delete(struct scope *s, struct id application)
{
	return db_write(s, delete_tx, &(struct write){.application = application});
}
