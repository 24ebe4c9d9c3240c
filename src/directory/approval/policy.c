/* SPDX-License-Identifier: Apache-2.0
 * Policies: their rows, rules and events. */
#include "directory/approval/policy.h"

#include <jansson.h>
#include <string.h>

#include "audit/audit.h"
#include "directory/group.h"
#include "resource/tables.h"

/* A tenant has one policy for a profile at most: its rows are read by the key's first column. */
DB_TENANT(policy_select_all,
	  "SELECT policy_id, policy_type, approver_group_ids, excluded_application_ids FROM operation_approval_policies WHERE tenant_id = ?1");
DB_TENANT(policy_seed, "INSERT INTO operation_approval_policies (tenant_id, policy_id, display_name, policy_type, approver_group_ids, "
		       "excluded_application_ids, modified_at) VALUES (?1, ?2, ?3, ?4, '[]', '[]', ?5)");
DB_TENANT(policy_set_modified, "UPDATE operation_approval_policies SET modified_at = ?3 WHERE tenant_id = ?1 AND policy_id = ?2");
DB_TENANT(policy_drop, "DELETE FROM operation_approval_policies WHERE tenant_id = ?1 AND policy_id = ?2");
DB_TENANT(policy_application, "SELECT 1 FROM applications WHERE tenant_id = ?1 AND application_id = ?2");
DB_TENANT(policy_other_member,
	  "SELECT 1 FROM group_members m JOIN users u ON u.tenant_id = m.tenant_id AND u.user_id = m.user_id "
	  "WHERE m.tenant_id = ?1 AND m.group_id = ?2 AND m.user_id <> ?3 AND u.deleted_at IS NULL AND u.account_enabled = 1 LIMIT 1");
/* As many rows as there are tenants. */
DB_GLOBAL(tenants_open_wipes,
	  "SELECT count(*) FROM tenants WHERE state = 'active' AND EXISTS (SELECT 1 FROM subscriptions s WHERE s.tenant_id = tenants.tenant_id) "
	  "AND NOT EXISTS (SELECT 1 FROM operation_approval_policies p WHERE p.tenant_id = tenants.tenant_id AND p.policy_type = 'deviceWipe')");

struct write {
	struct id policy;
	struct record *r;
};

/* ---- lists of ids ---- */

enum err approval_list_each(const char *list, enum err (*fn)(void *arg, struct id id), void *arg)
{
	size_t i;
	json_t *v, *array = json_loads(list, 0, NULL);
	enum err err = OK;
	json_array_foreach (array, i, v) {
		struct id id;
		if (err == OK && id_parse(json_string_value(v), &id))
			err = fn(arg, id);
	}
	json_decref(array);
	return err;
}

bool approval_list_has(const char *list, struct id id)
{
	char text[ID_TEXT];
	return strstr(list, id_format(id, text)) != NULL;
}

/* A list as it is stored: ids of equal spelling, each once. */
static enum err read_list(struct scope *s, struct record *r, const char *name, size_t most)
{
	const char *text = record_text(s->arena, r, name);
	json_t *in = text == NULL ? NULL : json_loads(text, 0, NULL), *out = json_array(), *v;
	size_t i;
	enum err err = OK;
	if (text != NULL && (!json_is_array(in) || json_array_size(in) > most))
		err = scope_fail(s, ERR_BAD_REQUEST, "'%s' is a list of at most %zu ids", name, most);
	json_array_foreach (in, i, v) {
		struct id id;
		char canonical[ID_TEXT];
		if (err == OK && (!json_is_string(v) || !id_parse(json_string_value(v), &id)))
			err = scope_fail(s, ERR_BAD_REQUEST, "'%s' is a list of ids", name);
		if (err == OK)
			json_array_append_new(out, json_string(id_format(id, canonical)));
	}
	char *dumped = json_dumps(out, JSON_COMPACT);
	check(dumped != NULL);
	if (err == OK)
		record_set_text(r, name, arena_strdup(s->arena, dumped));
	free(dumped);
	json_decref(in);
	json_decref(out);
	return err;
}

/* ---- rules ---- */

static enum err one_group(void *arg, struct id group)
{
	struct db_tx *tx = arg;
	enum err e = group_load(tx, group, NULL);
	return e == ERR_NOT_FOUND ? ERR_BAD_REQUEST : e;
}

static enum err one_application(void *arg, struct id application)
{
	struct db_tx *tx = arg;
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &policy_application, DB_ARGS(db_v_id(&application)), &r);
	return e == ERR_NOT_FOUND ? scope_fail(db_tx_scope(tx), ERR_BAD_REQUEST, "'excludedApplicationIds' names an application that is not there") : e;
}

struct others {
	struct db_tx *tx;
	bool any;
};

static enum err other_member(void *arg, struct id group)
{
	struct others *o = arg;
	auto_rows struct db_rows *r = NULL;
	struct id me = db_tx_scope(o->tx)->actor.id;
	TRY(db_query(o->tx, &policy_other_member, DB_ARGS(db_v_id(&group), db_v_id(&me)), &r));
	o->any = db_next(r) || o->any;
	return db_rows_err(r);
}

/* Who sets up approvals that nobody can give has locked the tenant out. */
static enum err check_lists(struct db_tx *tx, const struct record *r)
{
	struct scope *s = db_tx_scope(tx);
	struct others o = {.tx = tx};
	const char *groups = record_text(s->arena, r, "approverGroupIds"), *excluded = record_text(s->arena, r, "excludedApplicationIds");
	if (excluded != NULL)
		TRY(approval_list_each(excluded, one_application, tx));
	if (groups == NULL || strcmp(groups, "[]") == 0)
		return OK;
	TRY(approval_list_each(groups, one_group, tx));
	TRY(approval_list_each(groups, other_member, &o));
	return o.any ? OK : scope_fail(s, ERR_BAD_REQUEST, "nobody but you could approve: the groups have no other member who can sign in");
}

static enum err record_event(struct db_tx *tx, enum activity activity, struct id policy, const struct record *named, const struct audit_change *changes)
{
	return audit_record(tx, &(struct audit_event){.activity = activity, .resource_type = RES_APPROVAL_POLICY.entity, .resource = policy,
						      .resource_name = record_text(db_tx_scope(tx)->arena, named, "displayName"), .changes = changes});
}

/* ---- writing ---- */

static enum err create_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct write *a = arg;
	struct extra_column modified = {"modified_at", db_v_int(s->now)};
	struct audit_change *changes = NULL, **tail = &changes;
	a->policy = scope_id(s);
	TRY(check_lists(tx, a->r));
	TRY(record_insert(tx, a->r, a->policy, &modified, 1));
	record_changes_all(s->arena, a->r, true, &tail);
	return record_event(tx, ACT_APPROVAL_POLICY_CREATE, a->policy, a->r, changes);
}

enum err approval_policy_create(struct scope *s, struct record *r, struct id *ret)
{
	check(r->res == &RES_APPROVAL_POLICY);
	struct write a = {.r = r};
	TRY(read_list(s, r, "approverGroupIds", APPROVAL_GROUPS_MAX));
	TRY(read_list(s, r, "excludedApplicationIds", APPROVAL_EXCLUDED_MAX));
	enum err e = db_write(s, create_tx, &a);
	if (e == ERR_EXISTS) {
		s->detail = NULL;
		return scope_fail(s, e, "there is a policy of this type already: change that one");
	}
	*ret = a.policy;
	return e;
}

static enum err patch_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct write *a = arg;
	struct record *old;
	struct audit_change *changes = NULL, **tail = &changes;
	bool changed;
	TRY(record_load(tx, &RES_APPROVAL_POLICY, a->policy, false, &old));
	TRY(check_lists(tx, a->r));
	TRY(record_update(tx, old, a->r, a->policy, NULL, 0, &tail, &changed));
	if (!changed)
		return OK;
	TRY(db_exec(tx, &policy_set_modified, DB_ARGS(db_v_id(&a->policy), db_v_int(s->now)), NULL));
	return record_event(tx, ACT_APPROVAL_POLICY_UPDATE, a->policy, record_has(a->r, "displayName") ? a->r : old, changes);
}

enum err approval_policy_patch(struct scope *s, struct id policy, struct record *r)
{
	check(r->res == &RES_APPROVAL_POLICY);
	if (record_has(r, "approverGroupIds"))
		TRY(read_list(s, r, "approverGroupIds", APPROVAL_GROUPS_MAX));
	if (record_has(r, "excludedApplicationIds"))
		TRY(read_list(s, r, "excludedApplicationIds", APPROVAL_EXCLUDED_MAX));
	return db_write(s, patch_tx, &(struct write){.policy = policy, .r = r});
}

static enum err delete_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct write *a = arg;
	struct record *old;
	struct audit_change *changes = NULL, **tail = &changes;
	TRY(record_load(tx, &RES_APPROVAL_POLICY, a->policy, false, &old));
	TRY(db_exec(tx, &policy_drop, DB_ARGS(db_v_id(&a->policy)), NULL));
	record_changes_all(s->arena, old, false, &tail);
	return record_event(tx, ACT_APPROVAL_POLICY_DELETE, a->policy, old, changes);
}

enum err approval_policy_delete(struct scope *s, struct id policy)
{
	return db_write(s, delete_tx, &(struct write){.policy = policy});
}

enum err approval_policy_seed(struct db_tx *tx)
{
	struct scope *s = db_tx_scope(tx);
	struct id id = scope_id(s);
	return db_exec(tx, &policy_seed,
		       DB_ARGS(db_v_id(&id), db_v_text("Closing the tenant"), db_v_text(approval_profile_name(APPROVAL_tenantClosing)), db_v_int(s->now)),
		       NULL);
}

/* ---- reading ---- */

enum err approval_policies_load(struct db_tx *tx, struct approval_policy ret[APPROVAL_PROFILES], size_t *ret_n)
{
	struct arena *a = db_tx_scope(tx)->arena;
	auto_rows struct db_rows *r = NULL;
	*ret_n = 0;
	TRY(db_query(tx, &policy_select_all, DB_NOARGS, &r));
	while (*ret_n < APPROVAL_PROFILES && db_next(r)) {
		const char *type = db_text(r, 1);
		enum approval_profile p = approval_profile_of(type, strlen(type));
		if (p < APPROVAL_PROFILES) /* a row of a profile that this version does not have is left alone */
			ret[(*ret_n)++] = (struct approval_policy){db_id(r, 0), p, db_text_dup(r, 2, a), db_text_dup(r, 3, a)};
	}
	return db_rows_err(r);
}

void approval_policy_write_set(struct json_writer *w, enum approval_profile p)
{
	jw_object(w);
	jw_kstring(w, "policyType", approval_profile_name(p));
	jw_kstring(w, "policyPlatform", "notApplicable");
	jw_end_object(w);
}

enum err approval_policy_more(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id policy, void *arg)
{
	struct approval_policy list[APPROVAL_PROFILES];
	size_t n;
	if (!resource_selected(q, "policySet"))
		return OK;
	TRY(approval_policies_load(tx, list, &n));
	for (size_t i = 0; i < n; i++)
		if (id_equal(list[i].policy, policy)) {
			jw_key(w, "policySet");
			approval_policy_write_set(w, list[i].profile);
		}
	return OK;
}

static enum err on_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct approval_policy list[APPROVAL_PROFILES];
	unsigned *ret = arg;
	size_t n;
	*ret = 0;
	TRY(approval_policies_load(tx, list, &n));
	for (size_t i = 0; i < n; i++)
		*ret |= 1u << list[i].profile;
	return OK;
}

enum err approval_policies_on(struct scope *s, unsigned *ret)
{
	return db_read(s, on_tx, ret);
}

static enum err count_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &tenants_open_wipes, DB_NOARGS, &r));
	*(uint64_t *)arg = (uint64_t)db_int(r, 0);
	return OK;
}

enum err approval_count_open_wipes(struct scope *s, uint64_t *ret)
{
	return db_read(s, count_tx, ret);
}
