/* SPDX-License-Identifier: Apache-2.0
 * Applications: creating, changing and deleting them, and who may give which role. */
#include "directory/application.h"

#include <string.h>

#include "directory/application_internal.h"
#include "directory/application_key.h"
#include "directory/provisioning/client.h"
#include "directory/access/assignment.h"
#include "directory/access/role.h"
#include "directory/access/rule.h"
#include "resource/tables.h"

DB_TENANT(application_drop, "DELETE FROM applications WHERE tenant_id = ?1 AND application_id = ?2");
DB_TENANT(application_secrets_drop, "DELETE FROM application_secrets WHERE tenant_id = ?1 AND application_id = ?2");
DB_TENANT(application_found_insert, "INSERT INTO applications (tenant_id, application_id, display_name, role_id, enabled, created_at) "
				    "VALUES (?1, ?2, ?3, ?4, 1, ?5)");
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

static enum err may_give(struct db_tx *tx, struct id role)
{
	static const struct id tenant;
	return access_may_give(tx, role, tenant);
}

/* Whose tokens of another issuer stand for the application. */
static bool names_external(const struct record *r) { return record_has(r, "externalIssuer") || record_has(r, "externalClientId"); }

/* ---- create ---- */

/* A provisioning client has the role that is meant for it, where nobody names another. */
static enum err with_role(struct db_tx *tx, const struct record **r)
{
	struct scope *s = db_tx_scope(tx);
	struct role role;
	if (record_has(*r, "roleDefinitionId") || record_int(*r, "isProvisioningClient") == 0)
		return OK;
	struct record *more = arena_memdup(s->arena, *r, sizeof **r);
	TRY(role_by_name(tx, ROLE_PROVISIONING, &role));
	record_set_id(more, s->arena, "roleDefinitionId", role.role);
	*r = more;
	return OK;
}

static enum err create_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct write *a = arg;
	TRY(with_role(tx, &a->r));
	if (record_has(a->r, "roleDefinitionId"))
		TRY(may_give(tx, record_id(a->r, "roleDefinitionId")));
	a->application = scope_id(s);
	struct extra_column extra[] = {{"created_at", db_v_int(s->now)}, {"enabled", db_v_int(1)}};
	TRY(record_insert(tx, a->r, a->application, extra, record_has(a->r, "accountEnabled") ? 1 : 2));
	if (names_external(a->r))
		TRY(application_key_given(tx, a->application, 0));
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
	struct id before = record_id(old, "roleDefinitionId"), now = record_id(a->r, "roleDefinitionId");
	bool role = record_has(a->r, "roleDefinitionId") && !id_equal(now, before);
	bool enable = record_has(a->r, "accountEnabled") && record_int(a->r, "accountEnabled") != 0 && record_int(old, "accountEnabled") == 0;
	if (role)
		TRY(may_give(tx, now));
	return enable || names_external(a->r) ? access_may_become(tx, ACTOR_APPLICATION, a->application) : OK;
}

/* Another role, or none, took the place of one. */
static enum err role_was_taken(struct db_tx *tx, struct id application, const struct record *old)
{
	struct record *now;
	struct id before = record_id(old, "roleDefinitionId");
	TRY(record_load(tx, &RES_APPLICATION, application, false, &now));
	return id_is_nil(before) || id_equal(before, record_id(now, "roleDefinitionId")) ? OK : access_may_take(tx, before);
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
	if (names_external(a->r))
		TRY(application_key_given(tx, a->application, 0));
	TRY(role_was_taken(tx, a->application, old));
	TRY(access_keep_administrator(tx));
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
	TRY(access_may_end(tx, a->application));
	TRY(db_exec(tx, &application_secrets_drop, DB_ARGS(db_v_id(&a->application)), NULL));
	TRY(application_certificates_drop(tx, a->application));
	TRY(application_keys_drop(tx, a->application));
	TRY(provisioning_tokens_drop(tx, a->application));
	TRY(db_exec(tx, &application_drop, DB_ARGS(db_v_id(&a->application)), NULL));
	TRY(assignment_drop_principal(tx, a->application, NULL));
	TRY(access_keep_administrator(tx));
	return record_event(tx, ACT_APPLICATION_DELETE, a->application, record_text(s->arena, old, "displayName"), NULL);
}

enum err application_delete(struct scope *s, struct id application)
{
	return db_write(s, delete_tx, &(struct write){.application = application});
}
