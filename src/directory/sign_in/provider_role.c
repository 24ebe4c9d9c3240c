/* SPDX-License-Identifier: Apache-2.0
 * Which claims of a provider give which roles. */
#include "directory/access/role.h"
#include "directory/access/rule.h"
#include "directory/group.h"
#include "directory/sign_in/identity_internal.h"
#include "directory/sign_in/provider.h"
#include "resource/tables.h"

DB_TENANT(provider_role_count, "SELECT count(*) FROM identity_provider_roles WHERE tenant_id = ?1 AND provider_id = ?2");
DB_TENANT(provider_role_same, "SELECT 1 FROM identity_provider_roles WHERE tenant_id = ?1 AND provider_id = ?2 AND claim_value = ?3 AND role_id = ?4 "
			      "AND coalesce(scope_group_id, role_id) = ?5");
DB_TENANT(provider_role_drop, "DELETE FROM identity_provider_roles WHERE tenant_id = ?1 AND mapping_id = ?2");

struct write {
	struct id provider, mapping;
	const struct record *r;
};

static enum err record_event(struct db_tx *tx, enum activity activity, const struct write *a, const struct record *r)
{
	struct scope *s = db_tx_scope(tx);
	struct audit_change *changes = NULL, **tail = &changes;
	record_changes_all(s->arena, r, activity == ACT_IDENTITY_PROVIDER_ROLE_CREATE, &tail);
	return audit_record(tx, &(struct audit_event){.activity = activity, .resource_type = RES_IDENTITY_PROVIDER_ROLE.entity,
						      .resource = a->mapping, .resource_name = record_text(s->arena, r, "claimValue"),
						      .changes = changes});
}

static enum err check_room(struct db_tx *tx, const struct write *a, struct id role, struct id group)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *count = NULL, *same = NULL;
	TRY(db_query_one(tx, &provider_role_count, DB_ARGS(db_v_id(&a->provider)), &count));
	if (db_int(count, 0) >= PROVIDER_ROLES_MAX)
		return scope_fail(s, ERR_CONFLICT, "a provider has at most %d role mappings", PROVIDER_ROLES_MAX);
	TRY(db_query(tx, &provider_role_same,
		     DB_ARGS(db_v_id(&a->provider), db_v_text(record_text(s->arena, a->r, "claimValue")), db_v_id(&role),
			     db_v_id(id_is_nil(group) ? &role : &group)),
		     &same));
	if (db_next(same))
		return scope_fail(s, ERR_EXISTS, "this value gives the role already");
	return db_rows_err(same);
}

static enum err create_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct write *a = arg;
	struct provider p;
	struct record *r = arena_memdup(s->arena, a->r, sizeof *r);
	struct id role = record_id(r, "roleDefinitionId"), group = record_id(r, "scopeGroupId");
	a->mapping = scope_id(s);
	TRY(provider_load(tx, a->provider, &p));
	if (!id_is_nil(group) && group_load(tx, group, NULL) != OK)
		return ERR_BAD_REQUEST; /* with its detail */
	TRY(access_may_give(tx, role, group));
	TRY(check_room(tx, a, role, group));
	record_set_id(r, s->arena, "identityProviderId", a->provider);
	struct extra_column created = {"created_at", db_v_int(s->now)};
	TRY(record_insert(tx, r, a->mapping, &created, 1));
	return record_event(tx, ACT_IDENTITY_PROVIDER_ROLE_CREATE, a, r);
}

enum err provider_role_create(struct scope *s, struct id provider, const struct record *r, struct id *ret)
{
	check(r->res == &RES_IDENTITY_PROVIDER_ROLE);
	struct write a = {.provider = provider, .r = r};
	TRY(db_write(s, create_tx, &a));
	*ret = a.mapping;
	return OK;
}

static enum err delete_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct write *a = arg;
	struct record *old;
	TRY(record_load(tx, &RES_IDENTITY_PROVIDER_ROLE, a->mapping, false, &old));
	if (!id_equal(record_id(old, "identityProviderId"), a->provider))
		return scope_fail(s, ERR_NOT_FOUND, "the provider has no such role mapping");
	TRY(access_may_take(tx, record_id(old, "roleDefinitionId")));
	TRY(db_exec(tx, &provider_role_drop, DB_ARGS(db_v_id(&a->mapping)), NULL));
	TRY(identity_drop_role(tx, a->provider, record_id(old, "roleDefinitionId")));
	return record_event(tx, ACT_IDENTITY_PROVIDER_ROLE_DELETE, a, old);
}

enum err provider_role_delete(struct scope *s, struct id provider, struct id mapping)
{
	return db_write(s, delete_tx, &(struct write){.provider = provider, .mapping = mapping});
}
