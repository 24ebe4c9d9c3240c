/* SPDX-License-Identifier: Apache-2.0
 * Bindings of accounts: their rows, rules and events. */
#include "directory/sign_in/identity.h"

#include <string.h>

#include "directory/access/access.h"
#include "directory/access/assignment.h"
#include "directory/access/role.h"
#include "directory/access/rule.h"
#include "directory/sign_in/identity_internal.h"
#include "directory/sign_in/session.h"
#include "directory/user.h"
#include "resource/tables.h"

DB_TENANT(identity_of_subject, "SELECT user_id FROM user_identities WHERE tenant_id = ?1 AND provider_id = ?2 AND subject = ?3");
DB_TENANT(identity_of_user, "SELECT 1 FROM user_identities WHERE tenant_id = ?1 AND user_id = ?2 AND provider_id = ?3");
DB_TENANT(identity_may_match, "SELECT 1 FROM identity_providers p WHERE p.tenant_id = ?1 AND (p.match_external_id = 1 OR p.match_upn = 1) AND NOT EXISTS "
			      "(SELECT 1 FROM user_identities i WHERE i.tenant_id = ?1 AND i.user_id = ?2 AND i.provider_id = p.provider_id) LIMIT 1");
DB_TENANT(identity_insert, "INSERT INTO user_identities (tenant_id, identity_id, provider_id, subject, user_id, created_at) "
			   "VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
DB_TENANT(identity_by_id, "SELECT provider_id FROM user_identities WHERE tenant_id = ?1 AND identity_id = ?2 AND user_id = ?3");
DB_TENANT(identity_drop, "DELETE FROM user_identities WHERE tenant_id = ?1 AND identity_id = ?2");
DB_TENANT(identity_drop_subject, "DELETE FROM user_identities WHERE tenant_id = ?1 AND provider_id = ?2 AND subject = ?3");
DB_TENANT(identity_users, "SELECT user_id FROM user_identities WHERE tenant_id = ?1 AND provider_id = ?2");
DB_TENANT(identity_drop_provider, "DELETE FROM user_identities WHERE tenant_id = ?1 AND provider_id = ?2");
DB_TENANT(identity_by_external, "SELECT user_id FROM users WHERE tenant_id = ?1 AND external_id = ?2 AND deleted_at IS NULL LIMIT 2");
DB_TENANT(identity_by_upn, "SELECT user_id FROM users WHERE tenant_id = ?1 AND upn_key = ?2 AND deleted_at IS NULL");
/* One for the members of a group that is gone gives nothing. */
DB_TENANT(identity_mappings,
	  "SELECT p.claim_value, p.role_id, p.scope_group_id FROM identity_provider_roles p WHERE p.tenant_id = ?1 AND p.provider_id = ?2 AND "
	  "(p.scope_group_id IS NULL OR EXISTS (SELECT 1 FROM groups g WHERE g.tenant_id = ?1 AND g.group_id = p.scope_group_id))");
DB_TENANT(identity_role_holders, "SELECT DISTINCT user_id FROM role_assignments WHERE tenant_id = ?1 AND role_id = ?2 AND provider_id = ?3 "
				 "AND user_id IS NOT NULL");
DB_TENANT(identity_roles_held, "SELECT role_id, scope_group_id FROM role_assignments WHERE tenant_id = ?1 AND user_id = ?2 AND provider_id = ?3");

#define BY_EXTERNAL_ID "externalId"

enum { ROLES_HELD_MAX = 2 * PROVIDER_ROLES_MAX };

static enum err record_event(struct db_tx *tx, enum activity activity, const struct user *u, struct id provider, const char *how)
{
	struct scope *s = db_tx_scope(tx);
	char text[ID_TEXT];
	bool bound = activity == ACT_USER_IDENTITY_BIND;
	struct audit_change *changes = NULL, **tail = &changes;
	id_format(provider, text);
	tail = audit_change_add(s->arena, tail, "identityProviderId", NULL, NULL, bound ? NULL : text, bound ? text : NULL);
	tail = audit_change_add(s->arena, tail, "issuerAssignedId", "user_identities", "subject", bound ? NULL : "", bound ? "" : NULL);
	if (how != NULL)
		audit_change_add(s->arena, tail, "matchedBy", NULL, NULL, NULL, how);
	return audit_record(tx, &(struct audit_event){.activity = activity, .resource_type = RES_USER.entity, .resource = u->user,
						      .resource_name = u->display_name, .subject = u->user, .changes = changes});
}

/* ---- finding ---- */

static enum err find(struct db_tx *tx, struct db_stmt *stmt, const struct db_value *args, size_t n, struct id *ret)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, stmt, args, n, &r));
	*ret = db_id(r, 0);
	return OK;
}

enum err identity_user(struct db_tx *tx, const struct provider *p, const json_t *claims, struct id *ret)
{
	struct user u;
	const char *subject = identity_subject(db_tx_scope(tx)->arena, p, claims);
	if (subject == NULL)
		return ERR_NOT_FOUND;
	TRY(find(tx, &identity_of_subject, DB_ARGS(db_v_id(&p->provider), db_v_text(subject)), ret));
	return user_load(tx, *ret, &u);
}

/* Directories do not all keep their ids unique (Entra sends the mailNickname unless told otherwise): of two nobody is meant. */
static enum err find_only(struct db_tx *tx, struct db_stmt *stmt, const struct db_value *args, size_t n, struct id *ret)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, stmt, args, n, &r));
	bool found = db_next(r);
	if (found)
		*ret = db_id(r, 0);
	found = found && !db_next(r);
	TRY(db_rows_err(r));
	return found ? OK : ERR_NOT_FOUND;
}

/* ---- the first sign-in ---- */

static enum err match(struct db_tx *tx, const struct provider *p, const json_t *claims, struct id *ret, const char **ret_how)
{
	struct arena *a = db_tx_scope(tx)->arena;
	const char *external = p->match_external_id ? identity_external_id(a, p, claims) : NULL;
	const char *upn = p->match_upn ? identity_upn(p, claims) : NULL;
	enum err e = ERR_NOT_FOUND;
	*ret_how = BY_EXTERNAL_ID;
	if (external != NULL)
		e = find_only(tx, &identity_by_external, DB_ARGS(db_v_text(external)), ret);
	if (e != ERR_NOT_FOUND || upn == NULL)
		return e;
	*ret_how = "userPrincipalName";
	return find(tx, &identity_by_upn, DB_ARGS(db_v_text(upn_key(a, upn))), ret);
}

/* Whoever sets up a provider would otherwise become somebody whose rights they could not give themselves. */
static enum err is_guarded(struct db_tx *tx, struct id user, bool *ret)
{
	struct access *access;
	struct arena *a = db_tx_scope(tx)->arena;
	*ret = false;
	TRY(access_load(tx, ACTOR_USER, user, &access));
	for (size_t i = 0; i < access->n; i++)
		for (const char *p = access->grants[i].permissions; *p != '\0'; p += strspn(p, " ")) {
			size_t n = strcspn(p, " ");
			*ret = *ret || permission_of_holders(arena_strndup(a, p, n));
			p += n;
		}
	return OK;
}

static enum err has_identity(struct db_tx *tx, struct id user, struct id provider, bool *ret)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &identity_of_user, DB_ARGS(db_v_id(&user), db_v_id(&provider)), &r));
	*ret = db_next(r);
	return db_rows_err(r);
}

enum err identity_may_rename(struct db_tx *tx, struct id user)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &identity_may_match, DB_ARGS(db_v_id(&user)), &r));
	bool open = db_next(r);
	TRY(db_rows_err(r));
	return open ? access_may_become(tx, ACTOR_USER, user) : OK;
}

static enum err insert(struct db_tx *tx, struct id provider, const char *subject, struct id user, struct id *ret)
{
	struct scope *s = db_tx_scope(tx);
	*ret = scope_id(s);
	return db_exec(tx, &identity_insert,
		       DB_ARGS(db_v_id(ret), db_v_id(&provider), db_v_text(subject), db_v_id(&user), db_v_int(s->now)), NULL);
}

/* They bind their account themselves: the event's actor is the person. */
static enum err bind_first(struct db_tx *tx, const struct provider *p, const char *subject, const struct user *u, const char *how)
{
	struct scope *s = db_tx_scope(tx);
	struct actor was = s->actor;
	struct id identity;
	TRY(insert(tx, p->provider, subject, u->user, &identity));
	s->actor = (struct actor){.type = ACTOR_USER, .id = u->user, .name = u->display_name, .upn = u->upn, .ip = was.ip, .permissions = ""};
	enum err e = record_event(tx, ACT_USER_IDENTITY_BIND, u, p->provider, how);
	s->actor = was;
	return e;
}

/* Bound to somebody who is deleted: only the directory's own id hands it on, to whom it was given since (hired again). */
static enum err release(struct db_tx *tx, const struct provider *p, const char *subject, const char *how)
{
	int64_t dropped;
	TRY(db_exec(tx, &identity_drop_subject, DB_ARGS(db_v_id(&p->provider), db_v_text(subject)), &dropped));
	return dropped > 0 && strcmp(how, BY_EXTERNAL_ID) != 0 ? ERR_NOT_FOUND : OK;
}

enum err identity_sign_in(struct db_tx *tx, const struct provider *p, const json_t *claims, struct id *ret)
{
	const char *subject = identity_subject(db_tx_scope(tx)->arena, p, claims), *how;
	bool bound, guarded;
	struct user u;
	enum err e = identity_user(tx, p, claims, ret);
	if (e != ERR_NOT_FOUND || subject == NULL)
		return e;
	TRY(match(tx, p, claims, ret, &how));
	TRY(user_load(tx, *ret, &u));
	TRY(has_identity(tx, *ret, p->provider, &bound));
	TRY(is_guarded(tx, *ret, &guarded));
	if (bound || guarded || !u.account_enabled)
		return ERR_NOT_FOUND;
	TRY(release(tx, p, subject, how));
	return bind_first(tx, p, subject, &u, how);
}

/* ---- roles ---- */

static bool is_among(const char *const *values, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(values[i], text) == 0)
			return true;
	return false;
}

static bool is_wanted(const struct assignment_wanted *list, size_t n, struct id role, struct id group)
{
	for (size_t i = 0; i < n; i++)
		if (id_equal(list[i].role, role) && id_equal(list[i].scope_group, group))
			return true;
	return false;
}

enum err identity_roles(struct db_tx *tx, const struct provider *p, const json_t *claims, struct id user)
{
	struct arena *a = db_tx_scope(tx)->arena;
	const char **values;
	size_t n = identity_values(a, claims, p->role_claim, &values), got = 0;
	struct assignment_wanted *wanted = arena_alloc(a, PROVIDER_ROLES_MAX * sizeof *wanted);
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &identity_mappings, DB_ARGS(db_v_id(&p->provider)), &r));
	while (got < PROVIDER_ROLES_MAX && db_next(r)) {
		struct id role = db_id(r, 1), group = db_id(r, 2);
		if (is_among(values, n, db_text(r, 0)) && !is_wanted(wanted, got, role, group))
			wanted[got++] = (struct assignment_wanted){role, group};
	}
	TRY(db_rows_err(r));
	return assignment_follow(tx, user, p->provider, wanted, got);
}

/* ---- by an administrator ---- */

struct write {
	struct id user, provider, identity;
	const char *subject;
};

static enum err check_subject(struct scope *s, const struct provider *p, const char *subject)
{
	json_t *claims = json_object();
	auto_json *owned = claims;
	const char *slash = strchr(subject, '/');
	if (p->tenants == NULL) {
		json_object_set_new(claims, "sub", json_string(subject));
	} else if (slash != NULL) {
		json_object_set_new(claims, "tid", json_stringn(subject, (size_t)(slash - subject)));
		json_object_set_new(claims, "oid", json_string(slash + 1));
	}
	const char *same = identity_subject(s->arena, p, owned);
	if (same == NULL || strcmp(same, subject) != 0)
		return scope_fail(s, ERR_BAD_REQUEST, p->tenants == NULL ? "the id is the provider's 'sub': 1 to 255 printable ASCII characters"
									 : "the id is '<tid>/<oid>' of an allowed tenant, in lower case");
	return OK;
}

static enum err bind_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct write *a = arg;
	struct provider p;
	struct user u;
	bool bound;
	TRY(provider_load(tx, a->provider, &p));
	TRY(user_load(tx, a->user, &u));
	TRY(check_subject(s, &p, a->subject));
	TRY(access_may_become(tx, ACTOR_USER, a->user));
	TRY(has_identity(tx, a->user, a->provider, &bound));
	if (bound)
		return scope_fail(s, ERR_EXISTS, "the user is bound to an account of this provider already");
	enum err e = insert(tx, a->provider, a->subject, a->user, &a->identity);
	if (e == ERR_EXISTS)
		return scope_fail(s, e, "somebody is bound to this account of the provider");
	TRY(e);
	return record_event(tx, ACT_USER_IDENTITY_BIND, &u, a->provider, "administrator");
}

enum err identity_bind(struct scope *s, struct id user, struct id provider, const char *subject, struct id *ret)
{
	struct write a = {.user = user, .provider = provider, .subject = subject};
	TRY(db_write(s, bind_tx, &a));
	*ret = a.identity;
	return OK;
}

/* The sessions and the roles that came with it. */
static enum err forget(struct db_tx *tx, struct id provider, struct id user, const char *why)
{
	TRY(session_end_provider(tx, provider, NULL, user, why));
	return assignment_follow(tx, user, provider, NULL, 0);
}

static enum err unbind_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct write *a = arg;
	struct user u;
	struct id provider;
	TRY(user_load(tx, a->user, &u));
	enum err e = find(tx, &identity_by_id, DB_ARGS(db_v_id(&a->identity), db_v_id(&a->user)), &provider);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "the user has no such identity");
	TRY(e);
	TRY(access_may_become(tx, ACTOR_USER, a->user));
	TRY(forget(tx, provider, a->user, "identityUnbound"));
	TRY(db_exec(tx, &identity_drop, DB_ARGS(db_v_id(&a->identity)), NULL));
	return record_event(tx, ACT_USER_IDENTITY_UNBIND, &u, provider, NULL);
}

enum err identity_unbind(struct scope *s, struct id user, struct id identity)
{
	return db_write(s, unbind_tx, &(struct write){.user = user, .identity = identity});
}

/* ---- with a provider ---- */

struct users {
	struct id user;
	struct users *next;
};

static enum err list_users(struct db_tx *tx, struct db_stmt *stmt, const struct db_value *args, size_t n, struct users **ret)
{
	struct arena *a = db_tx_scope(tx)->arena;
	auto_rows struct db_rows *r = NULL;
	*ret = NULL;
	TRY(db_query(tx, stmt, args, n, &r));
	while (db_next(r)) {
		struct users *u = arena_try(a, sizeof *u);
		if (u == NULL)
			return scope_fail(db_tx_scope(tx), ERR_LIMIT, "too many people are bound to this provider");
		*u = (struct users){.user = db_id(r, 0), .next = *ret};
		*ret = u;
	}
	return db_rows_err(r);
}

enum err identity_end_all(struct db_tx *tx, struct id provider, bool forget_too, int64_t *ret_n)
{
	struct users *list;
	int64_t n = 0;
	TRY(list_users(tx, &identity_users, DB_ARGS(db_v_id(&provider)), &list));
	for (const struct users *u = list; u != NULL; u = u->next, n++)
		TRY(forget_too ? forget(tx, provider, u->user, "identityProviderDeleted")
			       : session_end_provider(tx, provider, NULL, u->user, "identityProviderChanged"));
	if (ret_n != NULL)
		*ret_n = n;
	return forget_too ? db_exec(tx, &identity_drop_provider, DB_ARGS(db_v_id(&provider)), NULL) : OK;
}

/* Those of the others that they hold through the provider stay. */
static enum err drop_role_of(struct db_tx *tx, struct id provider, struct id role, struct id user)
{
	struct assignment_wanted *keep = arena_alloc(db_tx_scope(tx)->arena, ROLES_HELD_MAX * sizeof *keep);
	size_t n = 0;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &identity_roles_held, DB_ARGS(db_v_id(&user), db_v_id(&provider)), &r));
	while (n < ROLES_HELD_MAX && db_next(r)) {
		keep[n] = (struct assignment_wanted){db_id(r, 0), db_id(r, 1)};
		n += !id_equal(keep[n].role, role);
	}
	TRY(db_rows_err(r));
	return assignment_follow(tx, user, provider, keep, n);
}

enum err identity_drop_role(struct db_tx *tx, struct id provider, struct id role)
{
	struct users *list;
	TRY(list_users(tx, &identity_role_holders, DB_ARGS(db_v_id(&role), db_v_id(&provider)), &list));
	for (const struct users *u = list; u != NULL; u = u->next)
		TRY(drop_role_of(tx, provider, role, u->user));
	return OK;
}
