/* SPDX-License-Identifier: Apache-2.0
 * Secrets of applications: 32 random bytes, shown once, stored as their SHA-256 (a fast hash is right: they cannot be guessed). */
#include <string.h>

#include "base/clock.h"
#include "codec/base64.h"
#include "directory/application_internal.h"
#include "directory/application_key.h"
#include "directory/access/rule.h"
#include "resource/tables.h"

DB_TENANT(secret_insert, "INSERT INTO application_secrets (tenant_id, secret_id, application_id, secret_hash, hint, display_name, "
			 "created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
DB_TENANT(secret_drop, "DELETE FROM application_secrets WHERE tenant_id = ?1 AND secret_id = ?2 AND application_id = ?3");
DB_TENANT(secret_list, "SELECT secret_id, hint, display_name, created_at, expires_at FROM application_secrets "
		       "WHERE tenant_id = ?1 AND application_id = ?2 ORDER BY created_at, secret_id LIMIT ?3");
DB_TENANT(application_name, "SELECT display_name FROM applications WHERE tenant_id = ?1 AND application_id = ?2");

enum { SECRETS_MAX = 16 }; /* of one application: sign-in compares with each of them */

void secret_hash(const char *text, uint8_t out[SHA256_BYTES])
{
	sha256(text, strlen(text), out);
}

enum err secret_issue(struct db_tx *tx, struct application_secret *secret)
{
	struct scope *s = db_tx_scope(tx);
	uint8_t bytes[SECRET_BYTES], hash[SHA256_BYTES];
	random_bytes(bytes, sizeof bytes);
	char *text = base64url_encode(s->arena, bytes, sizeof bytes);
	check(strlen(text) == SECRET_TEXT - 1);
	memcpy(secret->text, text, SECRET_TEXT);
	wipe(text, SECRET_TEXT);
	wipe(bytes, sizeof bytes);
	secret_hash(secret->text, hash);
	secret->secret = scope_id(s);
	return db_exec(tx, &secret_insert,
		       DB_ARGS(db_v_id(&secret->secret), db_v_id(&secret->application), db_v_blob(hash, sizeof hash),
			       db_v_textn(secret->text, SECRET_HINT), db_v_text(secret->display_name),
			       db_v_int(secret->created_at), db_v_int(secret->expires_at)),
		       NULL);
}

static enum err record_secret(struct db_tx *tx, enum activity activity, const char *name, struct id application, struct id secret)
{
	struct scope *s = db_tx_scope(tx);
	char text[ID_TEXT];
	id_format(secret, text);
	bool added = activity == ACT_SECRET_ADD;
	struct audit_change *change = NULL;
	audit_change_add(s->arena, &change, "passwordCredentials", "application_secrets", "secret_id", added ? NULL : text,
			 added ? text : NULL);
	return audit_record(tx, &(struct audit_event){.activity = activity, .resource_type = RES_APPLICATION.entity,
						      .resource = application, .resource_name = name, .changes = change});
}

/* A secret is the application's roles in somebody's hand. */
static enum err load_application(struct db_tx *tx, struct id application, const char **ret_name, bool adds)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &application_name, DB_ARGS(db_v_id(&application)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "there is no such application");
	TRY(e);
	*ret_name = db_text_dup(r, 0, s->arena);
	return adds ? access_may_become(tx, ACTOR_APPLICATION, application) : OK;
}

/* ---- add ---- */

static enum err add_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct application_secret *secret = arg;
	const char *name;
	TRY(load_application(tx, secret->application, &name, true));
	struct secret_info *known;
	size_t n;
	TRY(application_secrets(tx, secret->application, &known, &n));
	if (n >= SECRETS_MAX)
		return scope_fail(s, ERR_CONFLICT, "the application has %d secrets; remove one first", (int)SECRETS_MAX);
	TRY(secret_issue(tx, secret));
	TRY(application_key_given(tx, secret->application, secret->expires_at));
	return record_secret(tx, ACT_SECRET_ADD, name, secret->application, secret->secret);
}

enum err application_add_secret(struct scope *s, struct id application, const char *display_name, int64_t expires_at,
				struct application_secret *ret)
{
	if (expires_at == 0)
		expires_at = s->now + SECRET_DEFAULT_US;
	if (expires_at <= s->now || expires_at > s->now + SECRET_LONGEST_US)
		return scope_fail(s, ERR_BAD_REQUEST, "endDateTime must be in the future and at most three years away");
	*ret = (struct application_secret){.application = application, .display_name = display_name, .created_at = s->now,
					   .expires_at = expires_at};
	return db_write(s, add_tx, ret);
}

/* ---- remove ---- */

struct removal {
	struct id application, secret;
};

static enum err remove_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct removal *a = arg;
	const char *name;
	int64_t gone;
	TRY(load_application(tx, a->application, &name, false));
	TRY(db_exec(tx, &secret_drop, DB_ARGS(db_v_id(&a->secret), db_v_id(&a->application)), &gone));
	if (gone == 0)
		return scope_fail(s, ERR_NOT_FOUND, "the application has no such secret");
	return record_secret(tx, ACT_SECRET_REMOVE, name, a->application, a->secret);
}

enum err application_remove_secret(struct scope *s, struct id application, struct id secret)
{
	return db_write(s, remove_tx, &(struct removal){application, secret});
}

/* ---- list ---- */

enum err application_secrets(struct db_tx *tx, struct id application, struct secret_info **ret, size_t *ret_n)
{
	struct arena *a = db_tx_scope(tx)->arena;
	*ret = arena_alloc(a, SECRETS_MAX * sizeof **ret);
	*ret_n = 0;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &secret_list, DB_ARGS(db_v_id(&application), db_v_int(SECRETS_MAX)), &r));
	while (*ret_n < SECRETS_MAX && db_next(r))
		(*ret)[(*ret_n)++] = (struct secret_info){.secret = db_id(r, 0), .hint = db_text_dup(r, 1, a),
							  .display_name = db_text_dup(r, 2, a), .created_at = db_int(r, 3),
							  .expires_at = db_int(r, 4)};
	return db_rows_err(r);
}
