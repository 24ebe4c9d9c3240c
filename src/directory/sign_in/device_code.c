/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/sign_in/device_code.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "audit/audit.h"
#include "codec/base64.h"
#include "crypto/digest.h"
#include "crypto/seal.h"
#include "keeper/keeper.h"
#include "resource/tables.h"

DB_TENANT(device_code_count, "SELECT count(*) FROM device_codes WHERE tenant_id = ?1 AND expires_at > ?2");
DB_TENANT(device_code_insert, "INSERT INTO device_codes (tenant_id, code_id, device_hash, user_hash, application_id, scope, ip, user_agent, state, "
			      "poll_seconds, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'pending', ?9, ?10, ?11)");
#define COLUMNS "code_id, application_id, scope, ip, user_agent, created_at, expires_at, state, session_id, secret, polled_at, poll_seconds"
DB_TENANT(device_code_by_user, "SELECT " COLUMNS " FROM device_codes WHERE tenant_id = ?1 AND user_hash = ?2 AND state = 'pending' AND expires_at > ?3");
DB_TENANT(device_code_by_id, "SELECT " COLUMNS " FROM device_codes WHERE tenant_id = ?1 AND code_id = ?2 AND state = 'pending' AND expires_at > ?3");
DB_TENANT(device_code_by_device, "SELECT " COLUMNS " FROM device_codes WHERE tenant_id = ?1 AND device_hash = ?2 AND expires_at > ?3");
DB_TENANT(device_code_decided, "UPDATE device_codes SET state = ?3, session_id = ?4, secret = ?5 WHERE tenant_id = ?1 AND code_id = ?2");
DB_TENANT(device_code_polled, "UPDATE device_codes SET polled_at = ?3, poll_seconds = ?4 WHERE tenant_id = ?1 AND code_id = ?2");
DB_TENANT(device_code_drop, "DELETE FROM device_codes WHERE tenant_id = ?1 AND code_id = ?2");

enum { AGENT_MAX = 200, POLL_SLACK_US = 500000 };
#define METHOD "deviceCode"

/* ---- programs ---- */

static const struct {
	const char *name, *id, *display_name;
} CLIENTS[] = {
#define PUBLIC_CLIENT(name, id, display_name) {name, id, display_name},
#include "directory/sign_in/public_client.def"
#undef PUBLIC_CLIENT
};

bool public_client_find(const char *client_id, struct public_client *ret)
{
	for (size_t i = 0; client_id != NULL && i < sizeof CLIENTS / sizeof *CLIENTS; i++) {
		if (strcmp(client_id, CLIENTS[i].name) != 0 && strcasecmp(client_id, CLIENTS[i].id) != 0)
			continue;
		*ret = (struct public_client){.name = CLIENTS[i].name, .display_name = CLIENTS[i].display_name};
		check(id_parse(CLIENTS[i].id, &ret->id));
		return true;
	}
	return false;
}

/* ---- texts ---- */

static const char LETTERS[] = "BCDFGHJKLMNPQRSTVWXZ"; /* without vowels and look-alikes: no words, no doubts (RFC 8628, section 6.1) */
enum { LETTERS_N = sizeof LETTERS - 1, GROUP = 4, USER_LETTERS = 2 * GROUP };

static void draw_user_code(char ret[DEVICE_USER_TEXT])
{
	for (size_t i = 0; i < DEVICE_USER_TEXT - 1; i++) {
		uint8_t byte = 255;
		while (byte >= 256 / LETTERS_N * LETTERS_N) /* every letter as likely as any other */
			random_bytes(&byte, 1);
		ret[i] = i == GROUP ? '-' : LETTERS[byte % LETTERS_N];
	}
	ret[DEVICE_USER_TEXT - 1] = '\0';
}

/* False: it cannot be one. */
static bool user_hash(const struct scope *s, const char *typed, uint8_t ret[SHA256_BYTES])
{
	char code[USER_LETTERS];
	size_t n = 0;
	for (const char *p = typed; *p != '\0'; p++) {
		if (*p == '-' || *p == ' ')
			continue;
		if (n == USER_LETTERS || !isalpha((unsigned char)*p))
			return false;
		code[n++] = (char)toupper((unsigned char)*p);
	}
	keeper_reference(s->keeper, "device-user-code", code, n, ret);
	return n == USER_LETTERS;
}

static void device_hash(const char *text, uint8_t ret[SHA256_BYTES])
{
	sha256(text, strlen(text), ret);
}

/* Printable ASCII, bounded: it is shown to whoever decides. */
static const char *plain(struct arena *a, const char *text)
{
	if (text == NULL)
		return NULL;
	char *copy = arena_strndup(a, text, strnlen(text, AGENT_MAX));
	for (char *p = copy; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	return copy;
}

/* ---- begin ---- */

struct beginning {
	struct device_code *code;
	uint8_t device[SHA256_BYTES], user[SHA256_BYTES];
};

static enum err begin_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct beginning *b = arg;
	struct device_code *c = b->code;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &device_code_count, DB_ARGS(db_v_int(s->now)), &r));
	if (db_int(r, 0) >= DEVICE_CODES_MAX)
		return scope_fail(s, ERR_TOO_MANY, "too many programs wait to be let in");
	c->code = scope_id(s);
	return db_exec(tx, &device_code_insert,
		       DB_ARGS(db_v_id(&c->code), db_v_blob(b->device, sizeof b->device), db_v_blob(b->user, sizeof b->user), db_v_id(&c->application),
			       db_v_text(c->scope), db_v_text(c->ip), db_v_text(plain(s->arena, c->user_agent)), db_v_int(DEVICE_POLL_SECONDS),
			       db_v_int(c->created_at), db_v_int(c->expires_at)),
		       NULL);
}

enum err device_code_begin(struct scope *s, struct device_code *c, char ret_device[DEVICE_CODE_TEXT], char ret_user[DEVICE_USER_TEXT])
{
	uint8_t bytes[32];
	struct beginning b = {.code = c};
	random_bytes(bytes, sizeof bytes);
	const char *device = base64url_encode(s->arena, bytes, sizeof bytes);
	check(strlen(device) == DEVICE_CODE_TEXT - 1);
	memcpy(ret_device, device, DEVICE_CODE_TEXT);
	draw_user_code(ret_user);
	device_hash(ret_device, b.device);
	check(user_hash(s, ret_user, b.user));
	c->created_at = s->now;
	c->expires_at = s->now + DEVICE_CODE_LIFE_US;
	return db_write(s, begin_tx, &b);
}

/* ---- decide ---- */

struct row {
	struct device_code code;
	const char *state;
	struct id session;
	char *secret; /* NULL: none, or sealed by another keeper */
	int64_t polled_at, poll_seconds;
};

static void read_row(struct scope *s, const struct db_rows *r, struct row *ret)
{
	size_t n = 0, len = 0;
	const void *sealed = db_blob(r, 9, &n);
	const char *secret = sealed != NULL ? keeper_unseal(s->keeper, s->arena, sealed, n, &len) : NULL;
	*ret = (struct row){.code = {.code = db_id(r, 0), .application = db_id(r, 1), .scope = db_text_dup(r, 2, s->arena),
				     .ip = db_text_dup(r, 3, s->arena), .user_agent = db_text_dup(r, 4, s->arena), .created_at = db_int(r, 5),
				     .expires_at = db_int(r, 6)},
			    .state = db_text_dup(r, 7, s->arena), .session = db_id(r, 8),
			    .secret = secret != NULL ? arena_strndup(s->arena, secret, len) : NULL, .polled_at = db_int(r, 10),
			    .poll_seconds = db_int(r, 11)};
}

static enum err one(struct db_tx *tx, struct db_stmt *stmt, struct db_value key, struct row *ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, stmt, DB_ARGS(key, db_v_int(s->now)), &r));
	read_row(s, r, ret);
	return OK;
}

struct search {
	uint8_t hash[SHA256_BYTES];
	struct row row;
};

static enum err find_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct search *f = arg;
	enum err e = one(tx, &device_code_by_user, db_v_blob(f->hash, sizeof f->hash), &f->row);
	return e == ERR_NOT_FOUND ? scope_fail(s, e, "no program waits with this code") : e;
}

enum err device_code_find(struct scope *s, const char *user_code, struct device_code *ret)
{
	struct search f;
	if (!user_hash(s, user_code, f.hash))
		return scope_fail(s, ERR_NOT_FOUND, "no program waits with this code");
	TRY(db_read(s, find_tx, &f));
	*ret = f.row.code;
	return OK;
}

struct decision {
	struct id code;
	bool allow;
};

/* The program's own session, as long as that of who let it in would be good: ended with it where their provider ends that. */
static enum err begin_session(struct db_tx *tx, const struct device_code *c, struct id *ret_session, char ret_secret[SESSION_SECRET_TEXT])
{
	struct scope *s = db_tx_scope(tx);
	struct session own;
	TRY(session_get(tx, s->actor.session, &own));
	struct session_new n = {.user = s->actor.id, .provider = own.provider, .kind = SESSION_COMMAND_LINE, .method = METHOD,
				.provider_session = own.provider_session, .ip = c->ip, .user_agent = c->user_agent, .application = c->application,
				.auth_at = own.auth_at};
	return session_begin(tx, &n, ret_secret, ret_session);
}

static enum err record_decision(struct db_tx *tx, const struct row *r, bool allow)
{
	struct scope *s = db_tx_scope(tx);
	char text[ID_TEXT];
	struct audit_change *change = NULL;
	audit_change_add(s->arena, &change, "application", "device_codes", "application_id", NULL, id_format(r->code.application, text));
	return audit_record(tx, &(struct audit_event){.activity = allow ? ACT_DEVICE_CODE_ALLOW : ACT_DEVICE_CODE_DENY, .resource_type = RES_USER.entity,
						      .resource = s->actor.id, .subject = s->actor.id, .changes = change});
}

static enum err decide_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct decision *d = arg;
	struct row r;
	struct id session;
	char secret[SESSION_SECRET_TEXT];
	struct db_value sealed = db_v_null(), named = db_v_null();
	enum err e = one(tx, &device_code_by_id, db_v_id(&d->code), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "this program does not wait any more");
	TRY(e);
	if (d->allow) {
		size_t n;
		TRY(begin_session(tx, &r.code, &session, secret));
		const void *p = keeper_seal(s->keeper, s->arena, secret, strlen(secret), &n);
		wipe(secret, sizeof secret);
		sealed = db_v_blob(p, n);
		named = db_v_id(&session);
	}
	TRY(db_exec(tx, &device_code_decided, DB_ARGS(db_v_id(&d->code), db_v_text(d->allow ? "allowed" : "denied"), named, sealed), NULL));
	return record_decision(tx, &r, d->allow);
}

enum err device_code_decide(struct scope *s, struct id code, bool allow)
{
	check(s->actor.type == ACTOR_USER && !id_is_nil(s->actor.session));
	return db_write(s, decide_tx, &(struct decision){code, allow});
}

/* ---- poll ---- */

struct poll {
	struct id application;
	uint8_t hash[SHA256_BYTES];
	enum device_poll answer;
	bool known;
	struct session *session;
	char *secret;
};

static enum err wait_more(struct db_tx *tx, const struct row *r, struct poll *p)
{
	struct scope *s = db_tx_scope(tx);
	bool early = r->polled_at != 0 && s->now - r->polled_at < r->poll_seconds * SECOND_US - POLL_SLACK_US;
	p->answer = early ? DEVICE_SLOW_DOWN : DEVICE_PENDING;
	return db_exec(tx, &device_code_polled,
		       DB_ARGS(db_v_id(&r->code.code), db_v_int(s->now), db_v_int(r->poll_seconds + (early ? DEVICE_SLOWER_SECONDS : 0))), NULL);
}

static enum err hand_out(struct db_tx *tx, const struct row *r, struct poll *p)
{
	p->answer = DEVICE_EXPIRED;
	if (r->secret != NULL && strlen(r->secret) == SESSION_SECRET_TEXT - 1) {
		enum err e = session_get(tx, r->session, p->session);
		if (e != OK && e != ERR_NOT_FOUND) /* it was ended meanwhile */
			return e;
		p->answer = e == OK ? DEVICE_ALLOWED : DEVICE_EXPIRED;
		memcpy(p->secret, r->secret, SESSION_SECRET_TEXT);
	}
	return db_exec(tx, &device_code_drop, DB_ARGS(db_v_id(&r->code.code)), NULL);
}

/* Whether there is such a code: strangers who guess are not let near the writer. */
static enum err known_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct poll *p = arg;
	struct row r;
	(void)s;
	enum err e = one(tx, &device_code_by_device, db_v_blob(p->hash, sizeof p->hash), &r);
	p->known = e == OK;
	return e == ERR_NOT_FOUND ? OK : e;
}

static enum err poll_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct poll *p = arg;
	struct row r;
	(void)s;
	p->answer = DEVICE_EXPIRED;
	enum err e = one(tx, &device_code_by_device, db_v_blob(p->hash, sizeof p->hash), &r);
	if (e == ERR_NOT_FOUND || (e == OK && !id_equal(r.code.application, p->application)))
		return OK;
	TRY(e);
	if (strcmp(r.state, "pending") == 0)
		return wait_more(tx, &r, p);
	if (strcmp(r.state, "allowed") == 0)
		return hand_out(tx, &r, p);
	p->answer = DEVICE_DENIED;
	return db_exec(tx, &device_code_drop, DB_ARGS(db_v_id(&r.code.code)), NULL);
}

enum err device_code_poll(struct scope *s, struct id application, const char *device_code, enum device_poll *ret, struct session *ret_session,
			  char ret_secret[SESSION_SECRET_TEXT])
{
	struct poll p = {.application = application, .answer = DEVICE_EXPIRED, .session = ret_session, .secret = ret_secret};
	device_hash(device_code, p.hash);
	enum err e = db_read(s, known_tx, &p);
	if (e == OK && p.known)
		e = db_write(s, poll_tx, &p);
	if (e == OK)
		s->detail = NULL; /* of a session that is gone */
	*ret = p.answer;
	return e;
}
