/* SPDX-License-Identifier: Apache-2.0
 * Accounts: finding, creating and changing them.  Deleting and restoring is in user_delete.c. */
#include "directory/user.h"

#include <string.h>

#include "base/limits.h"
#include "directory/restriction.h"
#include "directory/user_internal.h"
#include "resource/tables.h"

DB_TENANT(user_by_upn, "SELECT user_id FROM users WHERE tenant_id = ?1 AND upn_key = ?2");
DB_TENANT(user_visible, "SELECT user_id, upn, display_name, mail, account_enabled FROM users "
			"WHERE tenant_id = ?1 AND user_id = ?2 AND deleted_at IS NULL");

/* ---- finding ---- */

enum err user_load(struct db_tx *tx, struct id user, struct user *ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
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
	return OK;
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

static enum err create_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct write *a = arg;
	static const struct id nobody;
	const char *upn = record_text(s->arena, a->r, "userPrincipalName");
	TRY(user_upn_free(tx, upn, nobody));
	a->user = scope_id(s);
	struct extra_column extra[] = {
		{"upn_key", db_v_text(upn_key(s->arena, upn))},
		{"created_at", db_v_int(s->now)},
		{"user_type", db_v_text("Member")},
	};
	size_t n = sizeof extra / sizeof extra[0] - (record_has(a->r, "userType") ? 1 : 0);
	TRY(record_insert(tx, a->r, a->user, extra, n));
	struct audit_change *changes = NULL, **tail = &changes;
	record_changes_all(s->arena, a->r, true, &tail);
	return audit_record(tx, &(struct audit_event){.activity = ACT_USER_CREATE, .resource_type = RES_USER.entity,
						      .resource = a->user, .subject = a->user, .changes = changes,
						      .resource_name = record_text(s->arena, a->r, "displayName")});
}

enum err user_create(struct scope *s, const struct record *r, struct id *ret)
{
	check(r->res == &RES_USER);
	TRY(record_check(s, r));
	struct write a = {.r = r};
	TRY(db_write(s, create_tx, &a));
	*ret = a.user;
	return OK;
}

/* ---- patch ---- */

static enum err patch_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct write *a = arg;
	struct record *old;
	TRY(record_load(tx, &RES_USER, a->user, false, &old));
	TRY(restriction_refuses(tx, a->user));
	struct extra_column key[1];
	size_t n = 0;
	if (record_has(a->r, "userPrincipalName")) {
		const char *upn = record_text(s->arena, a->r, "userPrincipalName");
		TRY(user_upn_free(tx, upn, a->user));
		if (strcmp(upn, record_text(s->arena, old, "userPrincipalName")) != 0)
			key[n++] = (struct extra_column){"upn_key", db_v_text(upn_key(s->arena, upn))};
	}
	struct audit_change *changes = NULL, **tail = &changes;
	bool changed;
	TRY(record_update(tx, old, a->r, a->user, key, n, &tail, &changed));
	if (!changed)
		return OK;
	const struct record *named = record_has(a->r, "displayName") ? a->r : old;
	return audit_record(tx, &(struct audit_event){.activity = ACT_USER_UPDATE, .resource_type = RES_USER.entity,
						      .resource = a->user, .subject = a->user, .changes = changes,
						      .resource_name = record_text(s->arena, named, "displayName")});
}

enum err user_patch(struct scope *s, struct id user, const struct record *r)
{
	check(r->res == &RES_USER);
	TRY(record_check(s, r));
	return db_write(s, patch_tx, &(struct write){.user = user, .r = r});
}
