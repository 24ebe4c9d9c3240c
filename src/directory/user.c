/* SPDX-License-Identifier: Apache-2.0
 * Accounts: finding, creating and changing them.  Deleting and restoring is in user_delete.c. */
#include "directory/user.h"

#include <string.h>

#include "base/limits.h"
#include "directory/access/rule.h"
#include "directory/restriction.h"
#include "directory/sign_in/identity.h"
#include "directory/sign_in/session.h"
#include "directory/user_internal.h"
#include "resource/tables.h"

DB_TENANT(user_by_upn, "SELECT user_id FROM users WHERE tenant_id = ?1 AND upn_key = ?2");
DB_TENANT(user_touch, "UPDATE users SET version = version + 1, modified_at = ?3 WHERE tenant_id = ?1 AND user_id = ?2");
DB_TENANT(user_visible, "SELECT user_id, upn, display_name, mail, account_enabled FROM users "
			"WHERE tenant_id = ?1 AND user_id = ?2 AND deleted_at IS NULL");

/* ---- finding ---- */

enum err user_load(struct db_tx *tx, struct id user, struct user *ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	TRY(resource_reachable(tx, &RES_USER, user));
	enum err e = db_query_one(tx, &user_visible, DB_ARGS(db_v_id(&user)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "there is no such user");
	TRY(e);
	*ret = (struct user){.user = db_id(r, 0), .upn = db_text_dup(r, 1, s->arena),
			     .display_name = db_text_dup(r, 2, s->arena), .mail = db_text_dup(r, 3, s->arena),
			     .account_enabled = db_bool(r, 4)};
	return OK;
}

struct resolve {
	const char *text;
	struct id *ret;
};

static enum err resolve_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct resolve *a = arg;
	struct id id;
	struct user u;
	if (id_parse(a->text, &id)) {
		TRY(user_load(tx, id, &u));
		*a->ret = id;
		return OK;
	}
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &user_by_upn, DB_ARGS(db_v_text(upn_key(s->arena, a->text))), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "there is no such user");
	TRY(e);
	*a->ret = db_id(r, 0);
	return resource_reachable(tx, &RES_USER, *a->ret);
}

enum err user_resolve(struct scope *s, const char *id_or_upn, struct id *ret)
{
	return db_read(s, resolve_tx, &(struct resolve){id_or_upn, ret});
}

enum err user_upn_free(struct db_tx *tx, const char *upn, struct id but)
{
	struct scope *s = db_tx_scope(tx);
	const char *problem = upn_problem(upn);
	if (problem != NULL)
		return scope_fail(s, ERR_BAD_REQUEST, "userPrincipalName: %s", problem);
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &user_by_upn, DB_ARGS(db_v_text(upn_key(s->arena, upn))), &r));
	if (db_next(r) && !id_equal(db_id(r, 0), but))
		return scope_fail(s, ERR_EXISTS, "another user has this userPrincipalName");
	return db_rows_err(r);
}

/* ---- rules that the property table does not know ---- */

static enum err phones_check(struct scope *s, const char *text)
{
	auto_json *list = json_loads(text, 0, NULL);
	if (!json_is_array(list) || json_array_size(list) > 10)
		return scope_fail(s, ERR_BAD_REQUEST, "businessPhones must be an array of at most ten strings");
	size_t i;
	json_t *v;
	json_array_foreach(list, i, v)
		if (!json_is_string(v) || json_string_length(v) == 0 || json_string_length(v) > 64)
			return scope_fail(s, ERR_BAD_REQUEST, "businessPhones: each must be a string of at most 64 bytes");
	return OK;
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static enum err record_check(struct scope *s, const struct record *r)
{
	if (record_has(r, "usageLocation")) {
		const char *v = record_text(s->arena, r, "usageLocation");
		if (strlen(v) != 2 || !is_upper(v[0]) || !is_upper(v[1]))
			return scope_fail(s, ERR_BAD_REQUEST, "usageLocation must be a country's two capital letters");
	}
	if (record_has(r, "businessPhones"))
		return phones_check(s, record_text(s->arena, r, "businessPhones"));
	return OK;
}

/* ---- create ---- */

struct write {
	struct id user;
	const struct record *r;
};

static enum err write_more(struct db_tx *tx, struct id user, const struct user_more *more, struct audit_change ***tail, bool *changed)
{
	return more == NULL ? OK : more->write(tx, user, tail, changed, more->arg);
}

enum err user_create_in(struct db_tx *tx, const struct record *r, const struct user_more *more, struct id *ret)
{
	struct scope *s = db_tx_scope(tx);
	static const struct id nobody;
	check(r->res == &RES_USER);
	TRY(record_check(s, r));
	const char *upn = record_text(s->arena, r, "userPrincipalName");
	TRY(user_upn_free(tx, upn, nobody));
	struct id user = scope_id(s);
	struct extra_column extra[3 + USER_ENABLED_COLUMNS] = {
		{"upn_key", db_v_text(upn_key(s->arena, upn))},
		{"created_at", db_v_int(s->now)},
		{"user_type", db_v_text("Member")},
	};
	size_t n = record_has(r, "userType") ? 2 : 3;
	struct audit_change *changes = NULL, **tail = &changes;
	bool more_changed = false;
	TRY(user_enabled_columns(tx, NULL, r, extra, &n, &tail));
	TRY(record_insert(tx, r, user, extra, n));
	record_changes_all(s->arena, r, true, &tail);
	TRY(write_more(tx, user, more, &tail, &more_changed));
	*ret = user;
	return audit_record(tx, &(struct audit_event){.activity = ACT_USER_CREATE, .resource_type = RES_USER.entity,
						      .resource = user, .subject = user, .changes = changes,
						      .resource_name = record_text(s->arena, r, "displayName")});
}

static enum err create_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct write *a = arg;
	return user_create_in(tx, a->r, NULL, &a->user);
}

enum err user_create(struct scope *s, const struct record *r, struct id *ret)
{
	struct write a = {.r = r};
	TRY(db_write(s, create_tx, &a));
	*ret = a.user;
	return OK;
}

/* ---- patch ---- */

static enum err may_rename(struct db_tx *tx, struct id user, const struct audit_change *changes)
{
	for (const struct audit_change *c = changes; c != NULL; c = c->next)
		if (strcmp(c->name, "userPrincipalName") == 0 || strcmp(c->name, "externalId") == 0)
			return identity_may_rename(tx, user);
	return OK;
}

enum err user_patch_in(struct db_tx *tx, struct id user, const struct record *r, const struct user_more *more)
{
	struct scope *s = db_tx_scope(tx);
	struct record *old;
	check(r->res == &RES_USER);
	TRY(record_check(s, r));
	TRY(record_load(tx, &RES_USER, user, false, &old));
	struct audit_change *changes = NULL, **tail = &changes;
	struct extra_column extra[1 + USER_ENABLED_COLUMNS];
	size_t n = 0;
	bool changed, more_changed = false;
	if (record_has(r, "userPrincipalName")) {
		const char *upn = record_text(s->arena, r, "userPrincipalName");
		TRY(user_upn_free(tx, upn, user));
		if (strcmp(upn, record_text(s->arena, old, "userPrincipalName")) != 0)
			extra[n++] = (struct extra_column){"upn_key", db_v_text(upn_key(s->arena, upn))};
	}
	TRY(user_enabled_columns(tx, old, r, extra, &n, &tail));
	TRY(record_update(tx, old, r, user, extra, n, &tail, &changed));
	TRY(user_told_disabled(tx, user, old, r, &tail, &changed));
	TRY(write_more(tx, user, more, &tail, &more_changed));
	if (!changed && !more_changed)
		return OK;
	TRY(may_rename(tx, user, changes));
	if (!user_only_disabled(changes))
		TRY(restriction_refuses(tx, user));
	if (record_has(r, "accountEnabled") && record_int(r, "accountEnabled") == 0) {
		TRY(access_keep_administrator(tx));
		TRY(session_end_all(tx, user, "userDisabled"));
	}
	TRY(db_exec(tx, &user_touch, DB_ARGS(db_v_id(&user), db_v_int(s->now)), NULL));
	const struct record *named = record_has(r, "displayName") ? r : old;
	return audit_record(tx, &(struct audit_event){.activity = ACT_USER_UPDATE, .resource_type = RES_USER.entity,
						      .resource = user, .subject = user, .changes = changes,
						      .resource_name = record_text(s->arena, named, "displayName")});
}

/* What Graph says of a name is what it is from now on: SCIM's other spelling of it goes. */
static enum err as_told(struct db_tx *tx, const struct write *a, const struct record **ret)
{
	struct user u;
	struct record *r = arena_memdup(db_tx_scope(tx)->arena, a->r, sizeof *r);
	*ret = r;
	if (record_has(r, "displayName"))
		record_set_null(r, "displayNameDerived");
	if (!record_has(r, "userPrincipalName"))
		return OK;
	TRY(user_load(tx, a->user, &u));
	if (strcmp(u.upn, record_text(db_tx_scope(tx)->arena, r, "userPrincipalName")) != 0)
		record_set_null(r, "userName");
	return OK;
}

static enum err patch_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct write *a = arg;
	const struct record *r;
	check(a->r->res == &RES_USER);
	TRY(as_told(tx, a, &r));
	return user_patch_in(tx, a->user, r, NULL);
}

enum err user_patch(struct scope *s, struct id user, const struct record *r)
{
	return db_write(s, patch_tx, &(struct write){.user = user, .r = r});
}
