/* SPDX-License-Identifier: Apache-2.0
 * Giving and taking roles. */
#include "directory/access/assignment.h"

#include "base/log.h"
#include "directory/access/role.h"
#include "directory/access/rule.h"
#include "resource/tables.h"

/* What kind of thing an id is; what is not there has no row. */
DB_TENANT(assignment_principal,
	  "SELECT 'user', display_name FROM users WHERE tenant_id = ?1 AND user_id = ?2 AND deleted_at IS NULL UNION ALL "
	  "SELECT 'group', display_name FROM groups WHERE tenant_id = ?1 AND group_id = ?2 UNION ALL "
	  "SELECT 'application', display_name FROM applications WHERE tenant_id = ?1 AND application_id = ?2");
DB_TENANT(assignment_insert, "INSERT INTO role_assignments (tenant_id, assignment_id, role_id, principal_type, principal_id, user_id, "
			     "scope_group_id, provider_id, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
DB_TENANT(assignment_select, "SELECT assignment_id, role_id, principal_id, user_id, scope_group_id, provider_id FROM role_assignments "
			     "WHERE tenant_id = ?1 AND assignment_id = ?2");
DB_TENANT(assignment_of_principal, "SELECT assignment_id, role_id, principal_id, user_id, scope_group_id, provider_id FROM role_assignments "
				   "WHERE tenant_id = ?1 AND principal_id = ?2 ORDER BY assignment_id");
DB_TENANT(assignment_for_group, "SELECT assignment_id, role_id, principal_id, user_id, scope_group_id, provider_id FROM role_assignments "
				"WHERE tenant_id = ?1 AND scope_group_id = ?2 ORDER BY assignment_id");
DB_TENANT(assignment_drop, "DELETE FROM role_assignments WHERE tenant_id = ?1 AND assignment_id = ?2");
DB_TENANT(assignment_member, "SELECT 1 FROM group_members WHERE tenant_id = ?1 AND group_id = ?2 AND user_id = ?3");

struct assignment {
	struct id assignment, role, principal, user, scope_group, provider; /* nil where the row has NULL */
	struct assignment *next;
};

/* ---- rows ---- */

static struct assignment *read_row(struct arena *a, const struct db_rows *r)
{
	struct assignment *v = arena_alloc(a, sizeof *v);
	*v = (struct assignment){.assignment = db_id(r, 0), .role = db_id(r, 1), .principal = db_id(r, 2), .user = db_id(r, 3),
				 .scope_group = db_id(r, 4), .provider = db_id(r, 5)};
	return v;
}

static enum err read_rows(struct db_tx *tx, struct db_stmt *stmt, struct id key, struct assignment **ret)
{
	auto_rows struct db_rows *r = NULL;
	*ret = NULL;
	TRY(db_query(tx, stmt, DB_ARGS(db_v_id(&key)), &r));
	for (; db_next(r); ret = &(*ret)->next)
		*ret = read_row(db_tx_scope(tx)->arena, r);
	return db_rows_err(r);
}

static struct db_value or_null(const struct id *id)
{
	return db_v_id(id_is_nil(*id) ? NULL : id);
}

static const char *scope_text(struct arena *a, struct id group)
{
	char text[ID_TEXT];
	return id_is_nil(group) ? "/" : arena_printf(a, "/groups/%s", id_format(group, text));
}

enum err assignment_scope(struct db_tx *tx, struct id assignment, const char **ret)
{
	struct assignment *v;
	TRY(read_rows(tx, &assignment_select, assignment, &v));
	*ret = scope_text(db_tx_scope(tx)->arena, v == NULL ? (struct id){0} : v->scope_group);
	return OK;
}

static enum err record(struct db_tx *tx, enum activity activity, const struct assignment *v)
{
	struct scope *s = db_tx_scope(tx);
	struct role role;
	char text[ID_TEXT];
	bool made = activity == ACT_ROLE_ASSIGN;
	const char *values[] = {NULL, id_format(v->principal, text), scope_text(s->arena, v->scope_group)};
	static const char *const names[] = {"roleDefinition", "principalId", "directoryScopeId"};
	static const char *const columns[] = {"role_id", "principal_id", "scope_group_id"};
	struct audit_change *changes = NULL, **tail = &changes;
	TRY(role_by_id(tx, v->role, &role));
	values[0] = role.display_name;
	for (size_t i = 0; i < 3; i++)
		tail = audit_change_add(s->arena, tail, names[i], "role_assignments", columns[i], made ? NULL : values[i], made ? values[i] : NULL);
	return audit_record(tx, &(struct audit_event){.activity = activity, .resource_type = RES_ROLE_ASSIGNMENT.entity,
						      .resource = v->assignment, .resource_name = role.display_name, .subject = v->user,
						      .changes = changes});
}

static enum err insert(struct db_tx *tx, struct assignment *v, const char *type)
{
	struct scope *s = db_tx_scope(tx);
	v->assignment = scope_id(s);
	TRY(db_exec(tx, &assignment_insert,
		    DB_ARGS(db_v_id(&v->assignment), db_v_id(&v->role), db_v_text(type), db_v_id(&v->principal), or_null(&v->user),
			    or_null(&v->scope_group), or_null(&v->provider), db_v_int(s->now)),
		    NULL));
	return record(tx, ACT_ROLE_ASSIGN, v);
}

static bool is_same(const struct assignment *a, struct id role, struct id scope_group, struct id provider)
{
	return id_equal(a->role, role) && id_equal(a->scope_group, scope_group) && id_equal(a->provider, provider);
}

/* ---- by hand ---- */

static enum err no_principal(struct scope *s)
{
	s->detail = NULL;
	return scope_fail(s, ERR_BAD_REQUEST, "'principalId' must be the id of a user, a group or an application of the tenant");
}

/* Sets *ret_type; v->user where it is a person. */
static enum err find_principal(struct db_tx *tx, struct assignment *v, const char **ret_type)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &assignment_principal, DB_ARGS(db_v_id(&v->principal)), &r);
	if (e == ERR_NOT_FOUND)
		return no_principal(s);
	TRY(e);
	*ret_type = db_text_dup(r, 0, s->arena);
	if (**ret_type == 'u')
		v->user = v->principal;
	return OK;
}

static enum err find_group(struct db_tx *tx, struct id group)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	if (id_is_nil(group))
		return OK;
	TRY(db_query(tx, &assignment_principal, DB_ARGS(db_v_id(&group)), &r));
	bool is_group = db_next(r) && db_text(r, 0)[0] == 'g';
	TRY(db_rows_err(r));
	return is_group ? OK : scope_fail(s, ERR_BAD_REQUEST, "'directoryScopeId' must be \"/\" or \"/groups/{id}\" with a group of the tenant");
}

/* A caller who reaches some people only gives roles to these. */
static enum err within_reach(struct db_tx *tx, struct id user)
{
	struct scope *s = db_tx_scope(tx);
	const struct scope_groups *only = s->actor.only;
	for (size_t i = 0; only != NULL && !id_is_nil(user) && i < only->n; i++) {
		auto_rows struct db_rows *r = NULL;
		TRY(db_query(tx, &assignment_member, DB_ARGS(db_v_id(&only->groups[i]), db_v_id(&user)), &r));
		if (db_next(r))
			return OK;
		TRY(db_rows_err(r));
	}
	return only == NULL ? OK : scope_fail(s, ERR_FORBIDDEN, "the caller's right to give roles is limited to the members of some groups");
}

static enum err create_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct assignment *v = arg, *has;
	const char *type;
	v->user = (struct id){0};
	TRY(find_principal(tx, v, &type));
	enum err reach = within_reach(tx, v->user);
	if (reach == ERR_FORBIDDEN && !id_is_nil(v->user))
		return no_principal(s); /* whoever is out of reach is not there */
	TRY(reach);
	TRY(find_group(tx, v->scope_group));
	TRY(access_may_give(tx, v->role, v->scope_group));
	TRY(read_rows(tx, &assignment_of_principal, v->principal, &has));
	for (; has != NULL; has = has->next)
		if (is_same(has, v->role, v->scope_group, v->provider))
			return scope_fail(s, ERR_EXISTS, "the principal has this role there already");
	return insert(tx, v, type);
}

enum err assignment_create(struct scope *s, struct id role, struct id principal, struct id scope_group, struct id *ret)
{
	struct assignment v = {.role = role, .principal = principal, .scope_group = scope_group};
	TRY(db_write(s, create_tx, &v));
	*ret = v.assignment;
	return OK;
}

static enum err delete_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct assignment *v;
	TRY(read_rows(tx, &assignment_select, *(const struct id *)arg, &v));
	if (v == NULL)
		return scope_fail(s, ERR_NOT_FOUND, "there is no such role assignment");
	if (!id_is_nil(v->provider))
		return scope_fail(s, ERR_CONFLICT, "this assignment follows an identity provider's claims: it ends there, or with the provider's role mapping");
	TRY(within_reach(tx, v->user));
	TRY(access_may_take(tx, v->role));
	TRY(db_exec(tx, &assignment_drop, DB_ARGS(db_v_id(&v->assignment)), NULL));
	TRY(access_keep_administrator(tx));
	return record(tx, ACT_ROLE_UNASSIGN, v);
}

enum err assignment_delete(struct scope *s, struct id assignment)
{
	return db_write(s, delete_tx, &assignment);
}

/* ---- by claims ---- */

static bool is_wanted(const struct assignment *a, const struct assignment_wanted *wanted, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (id_equal(wanted[i].role, a->role) && id_equal(wanted[i].scope_group, a->scope_group))
			return true;
	return false;
}

/* The claim is gone.  The last administrator keeps the role: a mistake there must not lock everybody out. */
static enum err end_followed(struct db_tx *tx, const struct assignment *v)
{
	struct scope *s = db_tx_scope(tx);
	TRY(db_exec(tx, &assignment_drop, DB_ARGS(db_v_id(&v->assignment)), NULL));
	enum err e = access_keep_administrator(tx);
	if (e != ERR_CONFLICT) {
		TRY(e);
		return record(tx, ACT_ROLE_UNASSIGN, v);
	}
	s->detail = NULL;
	log_event(LOG_WARN, "last_administrator_kept", "reason=\"the identity provider's claims would have taken the role\"");
	return db_exec(tx, &assignment_insert,
		       DB_ARGS(db_v_id(&v->assignment), db_v_id(&v->role), db_v_text("user"), db_v_id(&v->principal), db_v_id(&v->user),
			       or_null(&v->scope_group), or_null(&v->provider), db_v_int(s->now)),
		       NULL);
}

static bool has_same(const struct assignment *has, const struct assignment_wanted *w, struct id provider)
{
	for (; has != NULL; has = has->next)
		if (is_same(has, w->role, w->scope_group, provider))
			return true;
	return false;
}

enum err assignment_follow(struct db_tx *tx, struct id user, struct id provider, const struct assignment_wanted *wanted, size_t n)
{
	struct assignment *has;
	check(!id_is_nil(provider));
	TRY(read_rows(tx, &assignment_of_principal, user, &has));
	for (size_t i = 0; i < n; i++) {
		struct assignment v = {.role = wanted[i].role, .principal = user, .user = user, .scope_group = wanted[i].scope_group,
				       .provider = provider};
		if (!has_same(has, &wanted[i], provider))
			TRY(insert(tx, &v, "user"));
	}
	for (const struct assignment *v = has; v != NULL; v = v->next)
		if (id_equal(v->provider, provider) && !is_wanted(v, wanted, n))
			TRY(end_followed(tx, v));
	return OK;
}

/* ---- with what goes ---- */

static enum err drop_all(struct db_tx *tx, struct db_stmt *which, struct id key, struct audit_change ***tail)
{
	struct scope *s = db_tx_scope(tx);
	struct assignment *v;
	TRY(read_rows(tx, which, key, &v));
	for (; v != NULL; v = v->next) {
		struct role role;
		char text[ID_TEXT];
		TRY(access_may_take(tx, v->role));
		TRY(role_by_id(tx, v->role, &role));
		TRY(db_exec(tx, &assignment_drop, DB_ARGS(db_v_id(&v->assignment)), NULL));
		if (tail != NULL)
			*tail = audit_change_add(s->arena, *tail, "roleAssignments", "role_assignments", "role_id",
						 arena_printf(s->arena, "%s %s", role.display_name, id_format(v->assignment, text)), NULL);
	}
	return OK;
}

enum err assignment_drop_principal(struct db_tx *tx, struct id principal, struct audit_change ***tail)
{
	TRY(drop_all(tx, &assignment_of_principal, principal, tail));
	return drop_all(tx, &assignment_for_group, principal, tail);
}
