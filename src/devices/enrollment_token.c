/* SPDX-License-Identifier: Apache-2.0
 *
 * Enrolment tokens: issued once, shown once, used once.
 */
#include "devices/enrollment_token.h"

#include <string.h>

#include "audit/audit.h"
#include "codec/base64.h"
#include "devices/device.h"
#include "directory/user.h"

enum { TOKEN_BYTES = 32 };

DB_TENANT(token_insert,
	  "INSERT INTO enrollment_tokens (tenant_id, token_id, token_hash, user_id, owner_type, created_at, "
	  "expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
DB_TENANT(token_by_hash,
	  "SELECT token_id, user_id, owner_type, created_at, expires_at, used_at FROM enrollment_tokens "
	  "WHERE tenant_id = ?1 AND token_hash = ?2");
DB_TENANT(token_owner, "SELECT user_id, owner_type FROM enrollment_tokens WHERE tenant_id = ?1 AND token_id = ?2");
DB_TENANT(token_mark_used,
	  "UPDATE enrollment_tokens SET used_at = ?3 WHERE tenant_id = ?1 AND token_id = ?2 AND used_at IS NULL");
DB_TENANT(token_delete, "DELETE FROM enrollment_tokens WHERE tenant_id = ?1 AND token_id = ?2");
/* The token is all that a new device has: it says the tenant. */
DB_GLOBAL(token_tenant,
	  "SELECT tenant_id FROM enrollment_tokens WHERE token_hash = ?1 AND used_at IS NULL AND expires_at > ?2");

static enum err refuse(struct scope *s)
{
	return scope_fail(s, ERR_UNAUTHENTICATED, "this enrolment token is not known, has been used or has expired");
}

bool enrollment_token_hash(struct scope *s, const char *text, uint8_t out[SHA256_BYTES])
{
	void *bytes;
	size_t n;
	if (strlen(text) != ENROLLMENT_TOKEN_TEXT - 1 || !base64url_decode(s->arena, text, strlen(text), &bytes, &n) ||
	    n != TOKEN_BYTES)
		return false;
	sha256(text, strlen(text), out);
	return true;
}

/* ---- issuing ---- */

struct issue {
	struct enrollment_token *token;
	const uint8_t *hash;
};

static enum err record_token(struct db_tx *tx, struct id token, struct id user, const char *owner, const char *expires)
{
	struct scope *s = db_tx_scope(tx);
	char text[ID_TEXT];
	struct audit_change *changes = NULL, **tail = &changes;
	bool created = expires != NULL;
	id_format(user, text);
	tail = audit_change_add(s->arena, tail, "userId", "enrollment_tokens", "user_id", created ? NULL : text,
				created ? text : NULL);
	tail = audit_change_add(s->arena, tail, "managedDeviceOwnerType", "enrollment_tokens", "owner_type",
				created ? NULL : owner, created ? owner : NULL);
	if (created)
		audit_change_add(s->arena, tail, "expirationDateTime", "enrollment_tokens", "expires_at", NULL,
				 expires);
	return audit_record(tx, &(struct audit_event){.activity = created ? ACT_ENROLLMENT_TOKEN : ACT_ENROLLMENT_TOKEN_DELETE,
						      .resource_type = "EnrollmentToken",
						      .resource = token,
						      .subject = user,
						      .changes = changes});
}

static enum err issue(struct scope *s, struct db_tx *tx, void *arg)
{
	struct issue *q = arg;
	struct enrollment_token *t = q->token;
	struct user user;
	char expires[TIME_TEXT];
	const char *owner = t->company ? OWNER_COMPANY : OWNER_PERSONAL;
	TRY(user_load(tx, t->user, &user));
	if (!user.account_enabled)
		return scope_fail(s, ERR_BAD_REQUEST, "the user's account is disabled");
	TRY(db_exec(tx, &token_insert,
		    DB_ARGS(db_v_id(&t->token), db_v_blob(q->hash, SHA256_BYTES), db_v_id(&t->user), db_v_text(owner),
			    db_v_int(t->created_at), db_v_int(t->expires_at)),
		    NULL));
	return record_token(tx, t->token, t->user, owner, time_format(t->expires_at, expires));
}

enum err enrollment_token_create(struct scope *s, struct id user, bool company, int64_t hours,
				 struct enrollment_token *ret)
{
	uint8_t secret[TOKEN_BYTES], hash[SHA256_BYTES];
	if (hours == 0)
		hours = ENROLLMENT_HOURS;
	if (hours < 1 || hours > ENROLLMENT_HOURS_MAX)
		return scope_fail(s, ERR_BAD_REQUEST, "expiresInHours is 1 to %d", ENROLLMENT_HOURS_MAX);
	*ret = (struct enrollment_token){.token = scope_id(s), .user = user, .company = company, .created_at = s->now,
					 .expires_at = s->now + hours * HOUR_US};
	random_bytes(secret, sizeof secret);
	const char *text = base64url_encode(s->arena, secret, sizeof secret);
	check(strlen(text) == ENROLLMENT_TOKEN_TEXT - 1);
	memcpy(ret->text, text, ENROLLMENT_TOKEN_TEXT);
	check(enrollment_token_hash(s, text, hash));
	wipe(secret, sizeof secret);
	return db_write(s, issue, &(struct issue){ret, hash});
}

static enum err delete_token(struct scope *s, struct db_tx *tx, void *arg)
{
	struct id token = *(struct id *)arg;
	auto_rows struct db_rows *r = NULL;
	enum err err = db_query_one(tx, &token_owner, DB_ARGS(db_v_id(&token)), &r);
	if (err == ERR_NOT_FOUND)
		return scope_fail(s, err, "no enrolment token has this id");
	TRY(err);
	struct id user = db_id(r, 0);
	const char *owner = db_text_dup(r, 1, s->arena);
	TRY(db_exec(tx, &token_delete, DB_ARGS(db_v_id(&token)), NULL));
	return record_token(tx, token, user, owner, NULL);
}

enum err enrollment_token_delete(struct scope *s, struct id token) { return db_write(s, delete_token, &token); }

/* ---- use ---- */

struct tenant_search {
	const uint8_t *hash;
	struct id *ret;
};

static enum err find_tenant(struct scope *s, struct db_tx *tx, void *arg)
{
	struct tenant_search *q = arg;
	auto_rows struct db_rows *r = NULL;
	enum err err = db_query_one(tx, &token_tenant, DB_ARGS(db_v_blob(q->hash, SHA256_BYTES), db_v_int(s->now)), &r);
	if (err == ERR_NOT_FOUND)
		return refuse(s);
	TRY(err);
	*q->ret = db_id(r, 0);
	return OK;
}

enum err enrollment_token_tenant(struct scope *s, const char *text, struct id *ret_tenant)
{
	uint8_t hash[SHA256_BYTES];
	if (!enrollment_token_hash(s, text, hash))
		return refuse(s);
	return db_read(s, find_tenant, &(struct tenant_search){hash, ret_tenant});
}

enum err enrollment_token_load(struct db_tx *tx, const char *text, struct enrollment_token *ret)
{
	struct scope *s = db_tx_scope(tx);
	uint8_t hash[SHA256_BYTES];
	auto_rows struct db_rows *r = NULL;
	if (!enrollment_token_hash(s, text, hash))
		return refuse(s);
	enum err err = db_query_one(tx, &token_by_hash, DB_ARGS(db_v_blob(hash, sizeof hash)), &r);
	if (err == ERR_NOT_FOUND)
		return refuse(s);
	TRY(err);
	*ret = (struct enrollment_token){.token = db_id(r, 0),
					 .user = db_id(r, 1),
					 .company = strcmp(db_text(r, 2), OWNER_COMPANY) == 0,
					 .created_at = db_int(r, 3),
					 .expires_at = db_int(r, 4),
					 .used_at = db_int(r, 5)};
	return ret->used_at != 0 || ret->expires_at <= s->now ? refuse(s) : OK;
}

enum err enrollment_token_use(struct db_tx *tx, const struct enrollment_token *t)
{
	struct scope *s = db_tx_scope(tx);
	int64_t n;
	TRY(db_exec(tx, &token_mark_used, DB_ARGS(db_v_id(&t->token), db_v_int(s->now)), &n));
	return n == 1 ? OK : refuse(s);
}
