/* SPDX-License-Identifier: Apache-2.0
 * Provisioning clients' tokens: adding, removing, listing, and what one stands for at each request. */
#include "directory/provisioning/client.h"

#include <stdio.h>
#include <string.h>

#include "audit/audit.h"
#include "audit/audit_read.h"
#include "base/clock.h"
#include "base/log.h"
#include "codec/base64.h"
#include "crypto/digest.h"
#include "directory/access/access.h"
#include "directory/access/role.h"
#include "directory/access/rule.h"
#include "keeper/keeper.h"
#include "resource/tables.h"

DB_TENANT(provisioning_client, "SELECT display_name, provisioning, enabled FROM applications WHERE tenant_id = ?1 AND application_id = ?2");
DB_TENANT(provisioning_token_insert,
	  "INSERT INTO provisioning_tokens (tenant_id, token_id, application_id, token_hash, hint, display_name, created_at, expires_at) "
	  "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
DB_TENANT(provisioning_token_delete,
	  "DELETE FROM provisioning_tokens WHERE tenant_id = ?1 AND token_id = ?2 AND application_id = ?3");
DB_TENANT(provisioning_tokens_delete, "DELETE FROM provisioning_tokens WHERE tenant_id = ?1 AND application_id = ?2");
DB_TENANT(provisioning_tokens_of,
	  "SELECT token_id, display_name, hint, created_at, expires_at, last_used_at FROM provisioning_tokens "
	  "WHERE tenant_id = ?1 AND application_id = ?2 ORDER BY created_at, token_id LIMIT ?3");
/* The token is all that the other directory sends: it says the tenant.  256 random bits are not found by timing the index. */
DB_GLOBAL(provisioning_token_tenant, "SELECT tenant_id FROM provisioning_tokens WHERE token_hash = ?1");
DB_TENANT(provisioning_token_find,
	  "SELECT token_id, application_id, expires_at, last_used_at FROM provisioning_tokens WHERE tenant_id = ?1 AND token_hash = ?2");
DB_TENANT(provisioning_token_used, "UPDATE provisioning_tokens SET last_used_at = ?3 WHERE tenant_id = ?1 AND token_id = ?2");
DB_TENANT(provisioning_client_heard,
	  "UPDATE applications SET last_contact_at = ?3, silent_at = NULL WHERE tenant_id = ?1 AND application_id = ?2");

enum { TOKENS_MAX = 8, RANDOM_BYTES = 32, HINT_BYTES = sizeof PROVISIONING_TOKEN_PREFIX - 1 + 4 };
#define USE_EVERY_US MINUTE_US

struct client {
	struct id application;
	const char *name, *permissions; /* of all its roles */
	bool provisioning, enabled;
};

static enum err load_client(struct db_tx *tx, struct id application, struct client *ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &provisioning_client, DB_ARGS(db_v_id(&application)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "there is no such application");
	TRY(e);
	struct access *access;
	TRY(access_load(tx, ACTOR_APPLICATION, application, &access));
	*ret = (struct client){.application = application, .name = db_text_dup(r, 0, s->arena), .permissions = access_permissions(access, s->arena),
			       .provisioning = db_bool(r, 1), .enabled = db_bool(r, 2)};
	return OK;
}

static bool is_provisioning(const struct client *c)
{
	return c->provisioning && permission_granted(c->permissions, PROVISIONING_PERMISSION);
}

static enum err record_token(struct db_tx *tx, enum activity activity, const struct client *c, struct id token, const char *expires)
{
	struct scope *s = db_tx_scope(tx);
	char text[ID_TEXT];
	bool added = activity == ACT_PROVISIONING_TOKEN_ADD;
	struct audit_change *changes = NULL, **tail = &changes;
	id_format(token, text);
	tail = audit_change_add(s->arena, tail, "provisioningTokens", "provisioning_tokens", "token_id", added ? NULL : text, added ? text : NULL);
	if (added)
		audit_change_add(s->arena, tail, "endDateTime", "provisioning_tokens", "expires_at", NULL, expires);
	return audit_record(tx, &(struct audit_event){.activity = activity, .resource_type = RES_APPLICATION.entity, .resource = c->application,
						      .resource_name = c->name, .changes = changes});
}

/* ---- add ---- */

struct addition {
	struct provisioning_token *token;
	char *text;
};

static void draw(struct scope *s, char *text, uint8_t hash[SHA256_BYTES])
{
	uint8_t bytes[RANDOM_BYTES];
	random_bytes(bytes, sizeof bytes);
	char *encoded = base64url_encode(s->arena, bytes, sizeof bytes);
	size_t n = strlen(encoded);
	check(strlen(PROVISIONING_TOKEN_PREFIX) + n == PROVISIONING_TOKEN_TEXT - 1);
	snprintf(text, PROVISIONING_TOKEN_TEXT, PROVISIONING_TOKEN_PREFIX "%s", encoded);
	wipe(encoded, n);
	wipe(bytes, sizeof bytes);
	sha256(text, strlen(text), hash);
}

/* A token is its client's role in somebody's hand: who adds one must have every permission of that role. */
static enum err may_add(struct db_tx *tx, const struct client *c)
{
	struct scope *s = db_tx_scope(tx);
	struct provisioning_token *known;
	size_t n;
	if (!is_provisioning(c))
		return scope_fail(s, ERR_CONFLICT, "the application is no provisioning client: it needs isProvisioningClient and a role with "
						   "the permission " PROVISIONING_PERMISSION);
	TRY(access_may_become(tx, ACTOR_APPLICATION, c->application));
	TRY(provisioning_tokens(tx, c->application, &known, &n));
	if (n >= TOKENS_MAX)
		return scope_fail(s, ERR_CONFLICT, "the application has %d provisioning tokens; remove one first", (int)TOKENS_MAX);
	return OK;
}

static enum err add_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct addition *a = arg;
	struct provisioning_token *t = a->token;
	struct client c;
	uint8_t hash[SHA256_BYTES];
	char expires[TIME_TEXT];
	TRY(load_client(tx, t->application, &c));
	TRY(may_add(tx, &c));
	draw(s, a->text, hash);
	t->token = scope_id(s);
	t->hint = arena_strndup(s->arena, a->text, HINT_BYTES);
	TRY(db_exec(tx, &provisioning_token_insert,
		    DB_ARGS(db_v_id(&t->token), db_v_id(&t->application), db_v_blob(hash, sizeof hash), db_v_text(t->hint), db_v_text(t->display_name),
			    db_v_int(t->created_at), db_v_int(t->expires_at)),
		    NULL));
	return record_token(tx, ACT_PROVISIONING_TOKEN_ADD, &c, t->token, time_format(t->expires_at, expires));
}

enum err provisioning_token_add(struct scope *s, struct id application, const char *display_name, int64_t expires_at,
				struct provisioning_token *ret, char ret_text[PROVISIONING_TOKEN_TEXT])
{
	if (expires_at == 0)
		expires_at = s->now + PROVISIONING_TOKEN_DEFAULT_US;
	if (expires_at <= s->now || expires_at > s->now + PROVISIONING_TOKEN_LONGEST_US)
		return scope_fail(s, ERR_BAD_REQUEST, "endDateTime must be in the future and at most three years away");
	*ret = (struct provisioning_token){.application = application, .display_name = display_name, .created_at = s->now, .expires_at = expires_at};
	return db_write(s, add_tx, &(struct addition){ret, ret_text});
}

/* ---- remove, list ---- */

static enum err remove_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct provisioning_token *t = arg;
	struct client c;
	int64_t gone;
	TRY(load_client(tx, t->application, &c));
	TRY(db_exec(tx, &provisioning_token_delete, DB_ARGS(db_v_id(&t->token), db_v_id(&t->application)), &gone));
	if (gone == 0)
		return scope_fail(s, ERR_NOT_FOUND, "the application has no such provisioning token");
	return record_token(tx, ACT_PROVISIONING_TOKEN_REMOVE, &c, t->token, NULL);
}

enum err provisioning_token_remove(struct scope *s, struct id application, struct id token)
{
	return db_write(s, remove_tx, &(struct provisioning_token){.application = application, .token = token});
}

enum err provisioning_tokens(struct db_tx *tx, struct id application, struct provisioning_token **ret, size_t *ret_n)
{
	struct arena *a = db_tx_scope(tx)->arena;
	*ret = arena_alloc(a, TOKENS_MAX * sizeof **ret);
	*ret_n = 0;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &provisioning_tokens_of, DB_ARGS(db_v_id(&application), db_v_int(TOKENS_MAX)), &r));
	while (*ret_n < TOKENS_MAX && db_next(r))
		(*ret)[(*ret_n)++] = (struct provisioning_token){.token = db_id(r, 0), .application = application, .display_name = db_text_dup(r, 1, a),
								 .hint = db_text_dup(r, 2, a), .created_at = db_int(r, 3),
								 .expires_at = db_int(r, 4), .last_used_at = db_int(r, 5)};
	return db_rows_err(r);
}

enum err provisioning_tokens_drop(struct db_tx *tx, struct id application)
{
	return db_exec(tx, &provisioning_tokens_delete, DB_ARGS(db_v_id(&application)), NULL);
}

/* ---- who a token is ---- */

struct admission {
	uint8_t hash[SHA256_BYTES];
	struct id tenant, token;
	struct client client;
	struct tenant_levels levels;
	int64_t last_used_at;
	bool known;
	const char *why; /* NULL: come in */
};

static enum err tenant_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	(void)s;
	struct admission *a = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &provisioning_token_tenant, DB_ARGS(db_v_blob(a->hash, sizeof a->hash)), &r));
	a->tenant = db_id(r, 0);
	return OK;
}

static enum err admit_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct admission *a = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &provisioning_token_find, DB_ARGS(db_v_blob(a->hash, sizeof a->hash)), &r));
	a->token = db_id(r, 0);
	a->last_used_at = db_int(r, 3);
	bool expired = db_int(r, 2) <= s->now;
	TRY(load_client(tx, db_id(r, 1), &a->client));
	a->known = true;
	a->why = expired ? "expired provisioning token" : !a->client.enabled ? "application disabled" :
		 !is_provisioning(&a->client) ? "no provisioning client any more" : NULL;
	return tenant_levels_in(tx, &a->levels);
}

static enum err used_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct admission *a = arg;
	TRY(db_exec(tx, &provisioning_token_used, DB_ARGS(db_v_id(&a->token), db_v_int(s->now)), NULL));
	return db_exec(tx, &provisioning_client_heard, DB_ARGS(db_v_id(&a->client.application), db_v_int(s->now)), NULL);
}

/* Telemetry: where it cannot be written the request goes on. */
static void note_use(const struct scope *s, const struct admission *a)
{
	struct scope t = *s;
	if (s->now - a->last_used_at < USE_EVERY_US)
		return;
	enum err e = db_write_low(&t, used_tx, (void *)a);
	if (e != OK)
		log_event(LOG_WARN, "provisioning_contact", "error=%s", err_name(e));
}

static enum err refuse(struct scope *s, const struct admission *a)
{
	if (a->known && audit_first_in_minute(s, ACT_APPLICATION_SIGN_IN, a->client.application))
		audit_refused(s, &(struct audit_event){.activity = ACT_APPLICATION_SIGN_IN, .resource_type = RES_APPLICATION.entity,
						       .resource = a->client.application, .resource_name = a->client.name, .failure = a->why});
	return scope_fail(s, ERR_UNAUTHENTICATED, "unknown, expired or removed provisioning token, or its client may not provision");
}

bool provisioning_token_looks(const char *text)
{
	return strncmp(text, PROVISIONING_TOKEN_PREFIX, strlen(PROVISIONING_TOKEN_PREFIX)) == 0;
}

enum err provisioning_admit(struct scope *s, const char *token, struct actor *ret, struct tenant_levels *ret_levels)
{
	struct admission a = {.known = false};
	struct scope system = *s;
	if (!provisioning_token_looks(token) || strlen(token) != PROVISIONING_TOKEN_TEXT - 1)
		return refuse(s, &a);
	sha256(token, strlen(token), a.hash);
	system.has_tenant = false;
	enum err e = db_read(&system, tenant_tx, &a);
	if (e == OK) {
		s->tenant = a.tenant;
		s->has_tenant = true;
		e = db_read(s, admit_tx, &a);
	}
	if (e == ERR_NOT_FOUND || (e == OK && a.why != NULL))
		return refuse(s, &a);
	TRY(e);
	*ret = (struct actor){.type = ACTOR_APPLICATION, .id = a.client.application, .name = a.client.name, .ip = s->actor.ip,
			      .permissions = PROVISIONING_PERMISSION};
	*ret_levels = a.levels;
	note_use(s, &a);
	return OK;
}

enum err provisioning_acts(struct db_tx *tx, bool *ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	*ret = false;
	if (s->actor.type != ACTOR_APPLICATION)
		return OK;
	enum err e = db_query_one(tx, &provisioning_client, DB_ARGS(db_v_id(&s->actor.id)), &r);
	*ret = e == OK && db_bool(r, 1);
	return e == ERR_NOT_FOUND ? OK : e;
}
