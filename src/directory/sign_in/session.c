/* SPDX-License-Identifier: Apache-2.0
 * Sessions: their beginning, and who a secret stands for at each request.  Their end is in session_end.c. */
#include "directory/sign_in/session.h"

#include <string.h>

#include "audit/audit.h"
#include "audit/audit_read.h"
#include "base/clock.h"
#include "codec/base64.h"
#include "crypto/digest.h"
#include "crypto/seal.h"
#include "directory/access/access.h"
#include "directory/tenant_settings.h"
#include "keeper/keeper.h"
#include "resource/tables.h"

#define COLUMNS "session_id, user_id, kind, method, provider_id, provider_session, application_id, ip, user_agent, created_at, auth_at, " \
		"last_used_at, expires_at, ends_at"
/* A database that went back (audit/log/restore.c) brings no session with it: who was signed out since would be in again. */
#define OF_THIS_DATABASE " AND created_at >= COALESCE((SELECT h.restarted_at FROM audit_heads h WHERE h.tenant_id = ?1), 0)"
DB_TENANT(session_insert, "INSERT INTO sessions (tenant_id, session_id, user_id, kind, secret_hash, method, provider_id, provider_session, "
			  "application_id, ip, user_agent, created_at, auth_at, last_used_at, expires_at, ends_at, family_hash) "
			  "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?12, ?14, ?15, ?16)");
DB_TENANT(session_by_secret,
	  "SELECT " COLUMNS " FROM sessions WHERE tenant_id = ?1 AND secret_hash = ?2 AND kind = ?3 AND expires_at > ?4" OF_THIS_DATABASE);
DB_TENANT(session_by_family,
	  "SELECT " COLUMNS " FROM sessions WHERE tenant_id = ?1 AND family_hash = ?2 AND kind = ?3 AND expires_at > ?4" OF_THIS_DATABASE);
DB_TENANT(session_by_id, "SELECT " COLUMNS " FROM sessions WHERE tenant_id = ?1 AND session_id = ?2 AND expires_at > ?3" OF_THIS_DATABASE);
DB_TENANT(sessions_of_user, "SELECT " COLUMNS " FROM sessions WHERE tenant_id = ?1 AND user_id = ?2 AND expires_at > ?3" OF_THIS_DATABASE
			    " ORDER BY created_at DESC, session_id DESC LIMIT ?4");
DB_TENANT(session_used, "UPDATE sessions SET last_used_at = ?3, expires_at = ?4 WHERE tenant_id = ?1 AND session_id = ?2");
DB_TENANT(session_secret_next, "UPDATE sessions SET secret_hash = ?3, last_used_at = ?4, expires_at = ?5 "
			       "WHERE tenant_id = ?1 AND session_id = ?2");

/* All secrets of a session begin alike, so that none of the old ones has to be kept to be known again; 17 bytes are new in each. */
enum { SECRET_BYTES_RANDOM = 32, FAMILY_BYTES = 15, FAMILY_TEXT = 20 /* its base64url */ };

static const char UNKNOWN[] = "the session has ended: sign in again";

/* ---- limits: settings of the tenant ---- */

static const struct {
	const char *kind, *idle, *absolute;
	int64_t idle_unit, absolute_unit;
} LIMITS[] = {
	{SESSION_BROWSER, "sessionIdleMinutes", "sessionHours", MINUTE_US, HOUR_US},
	{SESSION_COMMAND_LINE, "commandLineIdleDays", "commandLineDays", DAY_US, DAY_US},
};

static enum err limits(struct db_tx *tx, const char *kind, int64_t *ret_idle, int64_t *ret_absolute)
{
	size_t i = strcmp(kind, LIMITS[0].kind) == 0 ? 0 : 1;
	int64_t idle, absolute;
	check(strcmp(kind, LIMITS[i].kind) == 0);
	TRY(tenant_setting_int(tx, LIMITS[i].idle, &idle));
	TRY(tenant_setting_int(tx, LIMITS[i].absolute, &absolute));
	*ret_idle = idle * LIMITS[i].idle_unit;
	*ret_absolute = absolute * LIMITS[i].absolute_unit;
	return OK;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- secrets ---- */

/* family: the secret before, of which the new one takes the beginning; NULL: the first. */
static void make_secret(struct arena *a, const char *family, char ret[SESSION_SECRET_TEXT], uint8_t ret_hash[SHA256_BYTES])
{
	uint8_t bytes[SECRET_BYTES_RANDOM];
	random_bytes(bytes, sizeof bytes);
	char *text = base64url_encode(a, bytes, sizeof bytes);
	check(strlen(text) == SESSION_SECRET_TEXT - 1 && FAMILY_BYTES * 4 == FAMILY_TEXT * 3);
	if (family != NULL)
		memcpy(text, family, FAMILY_TEXT);
	memcpy(ret, text, SESSION_SECRET_TEXT);
	sha256(ret, SESSION_SECRET_TEXT - 1, ret_hash);
	wipe(text, SESSION_SECRET_TEXT);
	wipe(bytes, sizeof bytes);
}

void session_cookie(struct id tenant, const char *secret, char ret[SESSION_COOKIE_TEXT])
{
	check(strlen(secret) == SESSION_SECRET_TEXT - 1);
	id_format(tenant, ret);
	ret[ID_TEXT - 1] = '.';
	memcpy(ret + ID_TEXT, secret, SESSION_SECRET_TEXT);
}

static bool parse_cookie(const char *cookie, struct id *ret_tenant, uint8_t ret_hash[SHA256_BYTES])
{
	char tenant[ID_TEXT];
	if (cookie == NULL || strlen(cookie) != SESSION_COOKIE_TEXT - 1 || cookie[ID_TEXT - 1] != '.')
		return false;
	memcpy(tenant, cookie, ID_TEXT - 1);
	tenant[ID_TEXT - 1] = '\0';
	sha256(cookie + ID_TEXT, SESSION_SECRET_TEXT - 1, ret_hash);
	return id_parse(tenant, ret_tenant);
}

/* ---- reading ---- */

static struct session read_row(const struct db_rows *r, struct arena *a)
{
	return (struct session){.session = db_id(r, 0), .user = db_id(r, 1), .kind = db_text_dup(r, 2, a), .method = db_text_dup(r, 3, a),
				.provider = db_id(r, 4), .provider_session = db_text_dup(r, 5, a), .application = db_id(r, 6),
				.ip = db_text_dup(r, 7, a), .user_agent = db_text_dup(r, 8, a), .created_at = db_int(r, 9),
				.auth_at = db_int(r, 10), .last_used_at = db_int(r, 11), .expires_at = db_int(r, 12), .ends_at = db_int(r, 13)};
}

static enum err one(struct db_tx *tx, struct db_stmt *stmt, const struct db_value *args, size_t n, struct session *ret)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, stmt, args, n, &r));
	*ret = read_row(r, db_tx_scope(tx)->arena);
	return OK;
}

static enum err by_secret(struct db_tx *tx, struct db_stmt *stmt, const uint8_t *hash, const char *kind, struct session *ret)
{
	return one(tx, stmt, DB_ARGS(db_v_blob(hash, SHA256_BYTES), db_v_text(kind), db_v_int(db_tx_scope(tx)->now)), ret);
}

enum err session_get(struct db_tx *tx, struct id session, struct session *ret)
{
	struct scope *s = db_tx_scope(tx);
	enum err e = one(tx, &session_by_id, DB_ARGS(db_v_id(&session), db_v_int(s->now)), ret);
	return e == ERR_NOT_FOUND ? scope_fail(s, e, "there is no such session") : e;
}

enum err session_list(struct db_tx *tx, struct id user, struct session **ret, size_t *ret_n)
{
	struct scope *s = db_tx_scope(tx);
	*ret = arena_alloc(s->arena, SESSIONS_MAX * sizeof **ret);
	*ret_n = 0;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &sessions_of_user, DB_ARGS(db_v_id(&user), db_v_int(s->now), db_v_int(SESSIONS_MAX)), &r));
	while (*ret_n < SESSIONS_MAX && db_next(r))
		(*ret)[(*ret_n)++] = read_row(r, s->arena);
	return db_rows_err(r);
}

/* ---- beginning ---- */

/* What browsers and strangers send as a header, as printable ASCII. */
static const char *agent_text(struct arena *a, const char *agent)
{
	if (agent == NULL)
		return NULL;
	char *text = arena_strndup(a, agent, strnlen(agent, SESSION_AGENT_BYTES));
	for (char *p = text; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	return text;
}

static enum err make_room(struct db_tx *tx, struct id user)
{
	struct session *list;
	size_t n;
	TRY(session_list(tx, user, &list, &n));
	return n < SESSIONS_MAX ? OK : session_end(tx, list[n - 1].session, "tooMany");
}

/* As the person, who is the event's actor, whoever the scope's was. */
static enum err record_begin(struct db_tx *tx, const struct session_new *n, const struct actor *person, struct id session)
{
	struct scope *s = db_tx_scope(tx);
	struct actor was = s->actor;
	char text[ID_TEXT];
	struct audit_change *changes = NULL, **tail = &changes;
	tail = audit_change_add(s->arena, tail, "session", NULL, NULL, NULL, id_format(session, text));
	tail = audit_change_add(s->arena, tail, "kind", NULL, NULL, NULL, n->kind);
	audit_change_add(s->arena, tail, "method", NULL, NULL, NULL, n->method);
	s->actor = *person;
	s->actor.ip = n->ip;
	enum err e = audit_record(tx, &(struct audit_event){.activity = ACT_SIGN_IN, .resource_type = RES_USER.entity, .resource = person->id,
							    .resource_name = person->name, .subject = person->id, .changes = changes});
	s->actor = was;
	return e;
}

static enum err insert(struct db_tx *tx, const struct session_new *n, struct id session, const uint8_t *hash, const char *secret)
{
	struct scope *s = db_tx_scope(tx);
	uint8_t family[SHA256_BYTES];
	int64_t idle, absolute;
	bool renewed = strcmp(n->kind, SESSION_COMMAND_LINE) == 0;
	sha256(secret, FAMILY_TEXT, family);
	TRY(limits(tx, n->kind, &idle, &absolute));
	return db_exec(tx, &session_insert,
		       DB_ARGS(db_v_id(&session), db_v_id(&n->user), db_v_text(n->kind), db_v_blob(hash, SHA256_BYTES), db_v_text(n->method),
			       db_v_id(id_is_nil(n->provider) ? NULL : &n->provider), db_v_text(n->provider_session),
			       db_v_id(id_is_nil(n->application) ? NULL : &n->application), db_v_text(n->ip),
			       db_v_text(agent_text(s->arena, n->user_agent)), db_v_int(s->now), db_v_int(n->auth_at != 0 ? n->auth_at : s->now),
			       db_v_int(s->now + earlier(idle, absolute)), db_v_int(s->now + absolute),
			       renewed ? db_v_blob(family, sizeof family) : db_v_null()),
		       NULL);
}

static enum err check_open(struct db_tx *tx)
{
	struct tenant_levels levels;
	TRY(tenant_levels_in(tx, &levels));
	return levels.whole != TENANT_NONE ? OK : scope_fail(db_tx_scope(tx), ERR_UNAUTHENTICATED, "the tenant is closed");
}

enum err session_begin(struct db_tx *tx, const struct session_new *n, char ret_secret[SESSION_SECRET_TEXT], struct id *ret)
{
	struct scope *s = db_tx_scope(tx);
	struct actor person = {.type = ACTOR_USER};
	uint8_t hash[SHA256_BYTES];
	TRY(access_of_user(tx, n->user, &person));
	TRY(check_open(tx));
	TRY(make_room(tx, n->user));
	*ret = scope_id(s);
	make_secret(s->arena, NULL, ret_secret, hash);
	TRY(insert(tx, n, *ret, hash, ret_secret));
	person.type = ACTOR_USER;
	person.application = n->application;
	return record_begin(tx, n, &person, *ret);
}

void session_refused(struct scope *s, struct id user, const char *why)
{
	if (!id_is_nil(user) && audit_first_in_minute(s, ACT_SIGN_IN, user))
		audit_refused(s, &(struct audit_event){.activity = ACT_SIGN_IN, .resource_type = RES_USER.entity, .resource = user, .subject = user,
						       .failure = why});
}

/* ---- using ---- */

struct admission {
	const uint8_t *hash; /* NULL: by id */
	struct id id;
	struct session session;
	struct actor *actor;
	struct tenant_levels *levels;
};

static enum err admit_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct admission *a = arg;
	enum err e = a->hash != NULL ? by_secret(tx, &session_by_secret, a->hash, SESSION_BROWSER, &a->session)
				     : one(tx, &session_by_id, DB_ARGS(db_v_id(&a->id), db_v_int(s->now)), &a->session);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, ERR_UNAUTHENTICATED, "%s", UNKNOWN);
	TRY(e);
	TRY(tenant_levels_in(tx, a->levels));
	TRY(access_of_user(tx, a->session.user, a->actor));
	a->actor->type = ACTOR_USER;
	a->actor->session = a->session.session;
	a->actor->application = a->session.application;
	return OK;
}

static enum err used_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct session *n = arg;
	int64_t idle, absolute;
	TRY(limits(tx, n->kind, &idle, &absolute));
	return db_exec(tx, &session_used, DB_ARGS(db_v_id(&n->session), db_v_int(s->now), db_v_int(earlier(s->now + idle, n->ends_at))), NULL);
}

/* A disk that is full ends no session before its time. */
static void note_use(const struct scope *s, struct session *n)
{
	struct scope own = *s;
	if (s->now - n->last_used_at >= MINUTE_US && db_write(&own, used_tx, n) != OK)
		return;
}

static enum err admit(struct scope *s, struct admission *a)
{
	TRY(db_read(s, admit_tx, a));
	note_use(s, &a->session);
	return OK;
}

enum err session_admit(struct scope *s, const char *cookie, struct actor *ret, struct tenant_levels *ret_levels)
{
	uint8_t hash[SHA256_BYTES];
	struct id tenant;
	if (!parse_cookie(cookie, &tenant, hash))
		return scope_fail(s, ERR_UNAUTHENTICATED, "%s", UNKNOWN);
	s->tenant = tenant;
	s->has_tenant = true;
	return admit(s, &(struct admission){.hash = hash, .actor = ret, .levels = ret_levels});
}

enum err session_admit_id(struct scope *s, struct id session, struct actor *ret, struct tenant_levels *ret_levels)
{
	check(s->has_tenant);
	return admit(s, &(struct admission){.id = session, .actor = ret, .levels = ret_levels});
}

/* Of which session a secret was. */
static enum err by_family(struct db_tx *tx, const char *secret, struct session *ret)
{
	uint8_t family[SHA256_BYTES];
	if (strlen(secret) != SESSION_SECRET_TEXT - 1)
		return ERR_NOT_FOUND;
	sha256(secret, FAMILY_TEXT, family);
	return by_secret(tx, &session_by_family, family, SESSION_COMMAND_LINE, ret);
}

enum err session_renew(struct db_tx *tx, const char *secret, char ret_secret[SESSION_SECRET_TEXT], struct session *ret, bool *ret_stolen)
{
	struct scope *s = db_tx_scope(tx);
	uint8_t hash[SHA256_BYTES], next[SHA256_BYTES];
	struct actor person;
	int64_t idle, absolute;
	*ret_stolen = false;
	sha256(secret, strlen(secret), hash);
	enum err e = by_secret(tx, &session_by_secret, hash, SESSION_COMMAND_LINE, ret);
	if (e == ERR_NOT_FOUND && by_family(tx, secret, ret) == OK) {
		*ret_stolen = true;
		return session_end(tx, ret->session, "stolen");
	}
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, ERR_UNAUTHENTICATED, "%s", UNKNOWN);
	TRY(e);
	TRY(access_of_user(tx, ret->user, &person));
	TRY(check_open(tx));
	TRY(limits(tx, ret->kind, &idle, &absolute));
	make_secret(s->arena, secret, ret_secret, next);
	ret->last_used_at = s->now;
	ret->expires_at = earlier(s->now + idle, ret->ends_at);
	return db_exec(tx, &session_secret_next, DB_ARGS(db_v_id(&ret->session), db_v_blob(next, sizeof next), db_v_int(s->now),
							 db_v_int(ret->expires_at)), NULL);
}

struct acquaintance {
	const char *secret;
	uint8_t hash[SHA256_BYTES];
	bool known;
};

static enum err known_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct acquaintance *a = arg;
	struct session found;
	(void)s;
	enum err e = by_secret(tx, &session_by_secret, a->hash, SESSION_COMMAND_LINE, &found);
	if (e == ERR_NOT_FOUND)
		e = by_family(tx, a->secret, &found);
	a->known = e == OK;
	return e == ERR_NOT_FOUND ? OK : e;
}

enum err session_known(struct scope *s, const char *secret, bool *ret)
{
	struct acquaintance a = {.secret = secret};
	sha256(secret, strlen(secret), a.hash);
	TRY(db_read(s, known_tx, &a));
	*ret = a.known;
	return OK;
}

/* ---- forms ---- */

void session_csrf(struct scope *s, struct id session, char ret[SESSION_CSRF_TEXT])
{
	uint8_t mac[SHA256_BYTES];
	keeper_reference(s->keeper, "session-csrf", &session, sizeof session, mac);
	char *text = base64url_encode(s->arena, mac, sizeof mac);
	check(strlen(text) == SESSION_CSRF_TEXT - 1);
	memcpy(ret, text, SESSION_CSRF_TEXT);
}

bool session_csrf_holds(struct scope *s, struct id session, const char *token)
{
	char want[SESSION_CSRF_TEXT];
	session_csrf(s, session, want);
	return token != NULL && strlen(token) == SESSION_CSRF_TEXT - 1 && bytes_equal(token, want, SESSION_CSRF_TEXT - 1);
}
