/* SPDX-License-Identifier: Apache-2.0
 * Sessions, local accounts, their locks, second factors and tickets, at any time of day. */
#include "fixture.h"

#include "crypto/totp.h"
#include "directory/sign_in/account.h"
#include "directory/sign_in/account_internal.h"
#include "directory/sign_in/session.h"

#define GOOD "blue horse eats seven lamps"

static const struct id NOBODY;

static struct scope at(struct id tenant, int64_t later)
{
	return tenant_scope(tenant, F.system.now + later);
}

/* ---- sessions ---- */

struct begun {
	struct session_new n;
	char secret[SESSION_SECRET_TEXT], cookie[SESSION_COOKIE_TEXT];
	struct id session;
};

static enum err begin_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct begun *b = arg;
	return session_begin(tx, &b->n, b->secret, &b->session);
}

static struct begun begin(struct scope *s, struct id user, const char *kind)
{
	struct begun b = {.n = {.user = user, .kind = kind, .method = "password", .ip = "192.0.2.1", .user_agent = "Test\x01\xff"}};
	ok(db_write(s, begin_tx, &b));
	session_cookie(s->tenant, b.secret, b.cookie);
	return b;
}

static enum err admit_at(int64_t later, const char *cookie, struct actor *ret)
{
	struct tenant_levels levels;
	struct scope s;
	scope_system(&s, F.arena, F.db, F.keeper);
	s.now = F.system.now + later;
	return session_admit(&s, cookie, ret, &levels);
}

static void a_session_is_its_user(void **state)
{
	struct id user = make_user(&F.a, "one@example.org");
	struct begun b = begin(&F.a, user, SESSION_BROWSER), other = begin(&F.a, user, SESSION_COMMAND_LINE);
	struct actor who = {0};
	ok(admit_at(0, b.cookie, &who));
	assert_int_equal(who.type, ACTOR_USER);
	assert_true(id_equal(who.id, user) && id_equal(who.session, b.session));
	assert_string_equal(who.upn, "one@example.org");
	refused(admit_at(0, other.cookie, &who), ERR_UNAUTHENTICATED); /* a refresh token is no cookie */
	char theirs[SESSION_COOKIE_TEXT];
	session_cookie(F.other, b.secret, theirs);
	refused(admit_at(0, theirs, &who), ERR_UNAUTHENTICATED);
	b.cookie[ID_TEXT + 3] ^= 1;
	refused(admit_at(0, b.cookie, &who), ERR_UNAUTHENTICATED);
	static const char *const malformed[] = {NULL, "", ".", "x", "01a205e2-90ca-794b-8000-91f778723610.", "01a205e2-90ca-794b-8000-91f778723610"};
	for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++)
		refused(admit_at(0, malformed[i], &who), ERR_UNAUTHENTICATED);
	assert_int_equal(ask(&F.a, "SELECT count(*) FROM sessions WHERE tenant_id = ?1 AND instr(CAST(secret_hash AS TEXT), ?2) > 0", db_v_text(b.secret), db_v_null()), 0);
	assert_int_equal(ask(&F.a, "SELECT count(*) FROM sessions WHERE tenant_id = ?1 AND user_agent = ?2", db_v_text("Test??"), db_v_null()), 2);
	assert_false(event_says(&F.a, "signIn User", b.secret));
}

static void limits_end_it(void **state)
{
	struct id user = make_user(&F.a, "limits@example.org");
	struct begun idle = begin(&F.a, user, SESSION_BROWSER), used = begin(&F.a, user, SESSION_BROWSER);
	struct actor who = {0};
	ok(admit_at(8 * HOUR_US - MINUTE_US, used.cookie, &who));
	refused(admit_at(8 * HOUR_US, idle.cookie, &who), ERR_UNAUTHENTICATED);
	ok(admit_at(15 * HOUR_US, used.cookie, &who));
	ok(admit_at(22 * HOUR_US, used.cookie, &who));
	ok(admit_at(24 * HOUR_US - SECOND_US, used.cookie, &who));
	refused(admit_at(24 * HOUR_US, used.cookie, &who), ERR_UNAUTHENTICATED);
}

static int64_t last_used(struct id session)
{
	return ask(&F.a, "SELECT last_used_at FROM sessions WHERE tenant_id = ?1 AND session_id = ?2", db_v_id(&session), db_v_null());
}

static void use_is_written_once_a_minute(void **state)
{
	struct begun b = begin(&F.a, make_user(&F.a, "minute@example.org"), SESSION_BROWSER);
	struct actor who = {0};
	ok(admit_at(MINUTE_US - 1, b.cookie, &who));
	assert_int_equal(last_used(b.session), F.a.now);
	ok(admit_at(MINUTE_US, b.cookie, &who));
	assert_int_equal(last_used(b.session), F.a.now + MINUTE_US);
}

static void who_is_disabled_or_deleted_has_none(void **state)
{
	struct id gone = make_user(&F.a, "gone@example.org"), off = make_user(&F.a, "off@example.org");
	struct begun a = begin(&F.a, gone, SESSION_BROWSER), b = begin(&F.a, off, SESSION_BROWSER);
	struct actor who = {0};
	int64_t revoked = events(&F.a, "revokeSession User");
	ok(user_delete(&F.a, gone));
	ok(user_patch(&F.a, off, record_of(&F.a, &RES_USER, RECORD_PATCH, "{\"accountEnabled\":false}")));
	refused(admit_at(0, a.cookie, &who), ERR_UNAUTHENTICATED);
	refused(admit_at(0, b.cookie, &who), ERR_UNAUTHENTICATED);
	assert_int_equal(events(&F.a, "revokeSession User"), revoked + 2);
	struct begun again = {.n = a.n};
	refused(db_write(&F.a, begin_tx, &again), ERR_UNAUTHENTICATED);
	fresh(&F.a);
	ok(user_patch(&F.a, off, record_of(&F.a, &RES_USER, RECORD_PATCH, "{\"accountEnabled\":true}")));
	refused(admit_at(0, b.cookie, &who), ERR_UNAUTHENTICATED); /* it does not come back */
}

static enum err restarted_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	int64_t n;
	TRY(db_exec_text(tx, DB_REACH_TENANT, "INSERT INTO audit_heads (tenant_id, size, signed_size, place, restarted_at) VALUES (?1, 0, 0, 'here', ?2) "
					      "ON CONFLICT (tenant_id) DO UPDATE SET restarted_at = excluded.restarted_at",
			 arg, 1, &n));
	assert_int_equal(n, 1);
	return OK;
}

/* What a restored database brings back. */
static void a_database_that_went_back_has_none(void **state)
{
	struct id user = make_user(&F.a, "restored@example.org");
	struct begun old = begin(&F.a, user, SESSION_BROWSER);
	struct actor who = {0};
	struct db_value at = db_v_int(F.a.now + 1), never = db_v_null();
	ok(admit_at(0, old.cookie, &who));
	ok(db_write(&F.a, restarted_tx, &at));
	refused(admit_at(0, old.cookie, &who), ERR_UNAUTHENTICATED);
	F.a.now += 1;
	struct begun new = begin(&F.a, user, SESSION_BROWSER);
	ok(admit_at(0, new.cookie, &who));
	ok(db_write(&F.a, restarted_tx, &never));
	F.a.now -= 1;
}

struct renewal {
	const char *secret;
	char next[SESSION_SECRET_TEXT];
	struct session session;
	bool stolen;
};

static enum err renew_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct renewal *r = arg;
	return session_renew(tx, r->secret, r->next, &r->session, &r->stolen);
}

static void a_secret_that_comes_back_is_stolen(void **state)
{
	for (int shown = 0; shown < 3; shown++) { /* the oldest, too: a thief is in a hurry to be two ahead */
		struct begun b = begin(&F.a, make_user(&F.a, arena_printf(F.a.arena, "refresh%d@example.org", shown)), SESSION_COMMAND_LINE);
		struct renewal r[4] = {{.secret = b.secret}};
		bool known;
		for (int i = 0; i < 3; i++) {
			ok(db_write(&F.a, renew_tx, &r[i]));
			assert_false(r[i].stolen);
			assert_string_not_equal(r[i].secret, r[i].next);
			r[i + 1].secret = r[i].next;
		}
		struct renewal thief = {.secret = r[shown].secret};
		ok(session_known(&F.a, thief.secret, &known));
		assert_true(known);
		ok(db_write(&F.a, renew_tx, &thief));
		assert_true(thief.stolen);
		refused(db_write(&F.a, renew_tx, &r[3]), ERR_UNAUTHENTICATED);
		fresh(&F.a);
		ok(session_known(&F.a, thief.secret, &known));
		assert_false(known);
	}
	assert_true(event_says(&F.a, "revokeSession User", "stolen"));
}

static enum err set_state_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	return db_exec_text(tx, DB_REACH_TENANT, "UPDATE tenants SET state = ?2, closed_at = 1 WHERE tenant_id = ?1", DB_ARGS(db_v_text(arg)), NULL);
}

static void a_closed_tenant_renews_nothing(void **state)
{
	struct begun b = begin(&F.a, make_user(&F.a, "closed@example.org"), SESSION_COMMAND_LINE);
	struct renewal one = {.secret = b.secret};
	char closing[] = "closing", active[] = "active";
	ok(db_write(&F.a, set_state_tx, closing));
	refused(db_write(&F.a, renew_tx, &one), ERR_UNAUTHENTICATED);
	fresh(&F.a);
	ok(db_write(&F.a, set_state_tx, active));
	ok(db_write(&F.a, renew_tx, &one));
}

static void forms_know_their_session(void **state)
{
	struct id user = make_user(&F.a, "csrf@example.org");
	struct begun a = begin(&F.a, user, SESSION_BROWSER), b = begin(&F.a, user, SESSION_BROWSER);
	char token[SESSION_CSRF_TEXT];
	session_csrf(&F.a, a.session, token);
	assert_true(session_csrf_holds(&F.a, a.session, token));
	assert_false(session_csrf_holds(&F.a, b.session, token));
	assert_false(session_csrf_holds(&F.a, a.session, ""));
	assert_false(session_csrf_holds(&F.a, a.session, NULL));
}

static void nobody_has_too_many(void **state)
{
	struct id user = make_user(&F.a, "many@example.org");
	struct actor who = {0};
	struct begun first = begin(&F.a, user, SESSION_BROWSER);
	for (int i = 1; i < SESSIONS_MAX; i++)
		begin(&F.a, user, SESSION_BROWSER);
	ok(admit_at(0, first.cookie, &who));
	begin(&F.a, user, SESSION_BROWSER);
	refused(admit_at(0, first.cookie, &who), ERR_UNAUTHENTICATED);
	assert_int_equal(ask(&F.a, "SELECT count(*) FROM sessions WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&user), db_v_null()), SESSIONS_MAX);
}

/* ---- passwords ---- */

static void what_a_password_may_be(void **state)
{
	static const char *const bad[] = {"", "short", "elevenchars", "            ", "aaaaaaaaaaaaaaaa", "abababababababab", "abcdefghijklmnop", "123456789012345",
					  "password1234", "Password2026!", "P@ssword12345", "qwertyuiop123", "administrator1", "welcome-admin-2026", "Summer2026Summer",
					  "anna.meier12", "xx anna.meier@example.org yy", "line\nbreak in it", " leading blank here", "\xff\xfe\xff\xfe\xff\xfe\xff\xfe\xff\xfe\xff\xfe"};
	static const char *const good[] = {GOOD, "Zürich im Regen um acht", "tr0ub4dor&3-tr1bune", "пароль из семи слов", "summer horse battery"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (password_problem(bad[i], "Anna.Meier@example.org") == NULL)
			fail_msg("'%s' was taken", bad[i]);
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		if (password_problem(good[i], "anna.meier@example.org") != NULL)
			fail_msg("'%s': %s", good[i], password_problem(good[i], NULL));
}

static struct id make_account(const char *upn)
{
	struct id user = make_user(&F.a, upn);
	ok(account_set_password(&F.a, user, GOOD, false));
	return user;
}

static bool fits(int64_t later, const char *upn, const char *password, const char *ip)
{
	struct scope s = at(F.made.tenant, later);
	struct account_proof proof;
	bool right;
	s.actor = (struct actor){.type = ACTOR_ANONYMOUS, .ip = ip};
	ok(account_password(&s, upn, password, &proof, &right));
	return right;
}

/* Of the account as it is now. */
static struct account_proof proof_of(struct id user, int what)
{
	return (struct account_proof){
		user, what, ask(&F.a, "SELECT password_at FROM local_accounts WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&user), db_v_null()),
		ask(&F.a, "SELECT coalesce(totp_at, 0) FROM local_accounts WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&user), db_v_null())};
}

static int64_t locked_until(struct id user)
{
	return ask(&F.a, "SELECT coalesce(locked_until, 0) FROM local_accounts WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&user), db_v_null());
}

static void locks_grow_and_end(void **state)
{
	struct id user = make_account("lock@example.org");
	int64_t now = 0;
	assert_true(fits(now, "LOCK@example.org", GOOD, "192.0.2.9"));
	assert_false(fits(now, "stranger@example.org", GOOD, "192.0.2.9"));
	for (int i = 1; i < ACCOUNT_FREE_FAILURES; i++)
		assert_false(fits(now, "lock@example.org", "not the password", "192.0.2.9"));
	assert_int_equal(locked_until(user), 0);
	for (int64_t lock = ACCOUNT_LOCK_FIRST_US, i = 0; i < 6; i++, lock = lock * 2 < ACCOUNT_LOCK_LONGEST_US ? lock * 2 : ACCOUNT_LOCK_LONGEST_US) {
		assert_false(fits(now, "lock@example.org", "not the password", "192.0.2.9"));
		assert_int_equal(locked_until(user), F.a.now + now + lock);
		assert_false(fits(now + lock - 1, "lock@example.org", GOOD, "192.0.2.9"));
		now += lock;
	}
	assert_true(fits(now, "lock@example.org", GOOD, "192.0.2.9"));
	assert_false(fits(now + 400 * DAY_US, "lock@example.org", "not the password", "192.0.2.9")); /* a clock that stood ahead … */
	for (int i = 1; i < ACCOUNT_FREE_FAILURES; i++)
		assert_false(fits(now + 400 * DAY_US, "lock@example.org", "not the password", "192.0.2.9"));
	assert_true(locked_until(user) > F.a.now + 400 * DAY_US);
	assert_true(fits(now, "lock@example.org", GOOD, "192.0.2.9")); /* … locks nobody out when it is right again */
	ok(account_unlock(&F.a, user));
	assert_true(event_says(&F.a, "lock LocalAccount", "lockedUntilDateTime"));
	assert_true(event_says(&F.a, "signIn User", "wrong password"));
	assert_false(event_says(&F.a, "signIn User", "not the password"));
}

static void others_lock_nobody_out(void **state)
{
	struct id user = make_account("known@example.org");
	begin(&F.a, user, SESSION_BROWSER); /* from 192.0.2.1 */
	for (int i = 0; i < ACCOUNT_FREE_FAILURES; i++)
		assert_false(fits(0, "known@example.org", "not the password", "198.51.100.1"));
	assert_false(fits(0, "known@example.org", GOOD, "198.51.100.1"));
	assert_true(fits(0, "known@example.org", GOOD, "192.0.2.1"));
	ok(account_unlock(&F.a, user));
	assert_true(fits(0, "known@example.org", GOOD, "198.51.100.1"));
}

static void a_new_password_ends_sessions(void **state)
{
	struct id user = make_account("change@example.org");
	struct begun mine = begin(&F.a, user, SESSION_BROWSER), other = begin(&F.a, user, SESSION_BROWSER);
	struct actor who = {0};
	const char *problem;
	struct account_proof proof = proof_of(user, PROVED_PASSWORD);
	ok(account_change_password(&F.a, &proof, "password1234", mine.session, &problem));
	assert_non_null(problem);
	ok(account_change_password(&F.a, &proof, GOOD, mine.session, &problem));
	assert_non_null(problem); /* the same one */
	ok(admit_at(0, other.cookie, &who));
	ok(account_change_password(&F.a, &proof, "a wholly other sentence", mine.session, &problem));
	assert_null(problem);
	ok(admit_at(0, mine.cookie, &who));
	refused(admit_at(0, other.cookie, &who), ERR_UNAUTHENTICATED);
	ok(account_set_password(&F.a, user, GOOD, true));
	refused(admit_at(0, mine.cookie, &who), ERR_UNAUTHENTICATED);
	refused(account_set_password(&F.a, user, "short", true), ERR_BAD_REQUEST);
	fresh(&F.a);
}

/* ---- the second factor ---- */

static const char *code_of(struct id user, int64_t later)
{
	static char code[TOTP_TEXT];
	struct scope s = at(F.made.tenant, later);
	const char *secret, *uri;
	uint8_t key[TOTP_SECRET_BYTES] = {0};
	ok(account_totp_offer(&F.a, user, &secret, &uri));
	for (size_t i = 0; i < strlen(secret); i++) /* base32 */
		for (int bit = 0; bit < 5; bit++) {
			unsigned v = (unsigned)(secret[i] >= 'A' ? secret[i] - 'A' : secret[i] - '2' + 26);
			if (v >> (4 - bit) & 1)
				key[(i * 5 + (size_t)bit) / 8] |= (uint8_t)(0x80 >> (i * 5 + (size_t)bit) % 8);
		}
	totp_code(key, sizeof key, s.now / SECOND_US / TOTP_SECONDS, TOTP_DIGITS, code);
	return code;
}

static bool takes(struct id user, int64_t later, const char *code)
{
	struct scope s = at(F.made.tenant, later);
	struct account_proof proof = proof_of(user, PROVED_PASSWORD);
	bool right;
	ok(account_code(&s, &proof, code, &right));
	assert_int_equal(proof.what, right ? PROVED_CODE : PROVED_PASSWORD);
	return right;
}

static enum account_need need(struct id user, int what)
{
	struct account_proof proof = proof_of(user, what);
	enum account_need n;
	ok(account_need(&F.a, &proof, &n));
	return n;
}

/* The key is offered until it is set; codes after that are made of the same one. */
static void a_code_is_good_once(void **state)
{
	struct id user = make_account("totp@example.org");
	struct account_proof proof = proof_of(user, PROVED_PASSWORD);
	char now[TOTP_TEXT], next[TOTP_TEXT], later[TOTP_TEXT];
	bool right;
	strcpy(now, code_of(user, 0));
	strcpy(next, code_of(user, TOTP_SECONDS * SECOND_US));
	strcpy(later, code_of(user, 10 * MINUTE_US));
	assert_int_equal(need(user, PROVED_PASSWORD), NEED_NOTHING);
	ok(account_totp_confirm(&F.a, &proof, "000000", NOBODY, &right));
	if (strcmp(now, "000000") != 0)
		assert_false(right);
	ok(account_totp_confirm(&F.a, &proof, now, NOBODY, &right));
	assert_true(right);
	assert_int_equal(need(user, PROVED_PASSWORD), NEED_CODE);
	assert_int_equal(need(user, PROVED_CODE), NEED_NOTHING);
	assert_false(takes(user, 0, now)); /* used when it was set up */
	assert_true(takes(user, 0, next)); /* clocks differ */
	assert_false(takes(user, TOTP_SECONDS * SECOND_US, next));
	assert_true(takes(user, 10 * MINUTE_US, later));
	assert_false(takes(user, 10 * MINUTE_US, later));
	assert_false(takes(user, 10 * MINUTE_US, ""));
	assert_false(takes(user, 10 * MINUTE_US, "1234567"));
	const char *before, *after, *uri;
	struct scope s = at(F.made.tenant, 20 * MINUTE_US);
	ok(account_totp_offer(&s, user, &before, &uri));
	ok(account_totp_reset(&s, user));
	ok(account_totp_offer(&s, user, &after, &uri));
	assert_string_not_equal(before, after);
	assert_int_equal(need(user, PROVED_PASSWORD), NEED_NOTHING);
}

/* ---- tickets ---- */

static bool opens(int64_t later, struct id tenant, const char *ticket, struct id *ret)
{
	struct scope s = at(tenant, later);
	struct account_proof proof;
	bool holds;
	ok(account_ticket_open(&s, ticket, &proof, &holds));
	if (holds)
		*ret = proof.user;
	return holds;
}

static void a_ticket_is_what_was_proved(void **state)
{
	struct id user = make_account("ticket@example.org"), who = NOBODY;
	char ticket[TICKET_TEXT], forged[TICKET_TEXT];
	struct account_proof proof = proof_of(user, PROVED_PASSWORD);
	account_ticket(&F.a, &proof, ticket);
	assert_true(opens(0, F.made.tenant, ticket, &who) && id_equal(who, user));
	assert_true(opens(TICKET_LIFE_US, F.made.tenant, ticket, &who));
	assert_false(opens(TICKET_LIFE_US + SECOND_US, F.made.tenant, ticket, &who));
	assert_false(opens(0, F.other, ticket, &who));
	strcpy(forged, ticket);
	forged[ID_TEXT] = PROVED_CODE;
	assert_false(opens(0, F.made.tenant, forged, &who));
	forged[strlen(forged) - 1] ^= 1;
	assert_false(opens(0, F.made.tenant, forged, &who));
	assert_false(opens(0, F.made.tenant, "", &who));
	assert_false(opens(0, F.made.tenant, "x.p1.y", &who));
	struct scope s = at(F.made.tenant, SECOND_US);
	ok(account_set_password(&s, user, "a wholly other sentence", false));
	assert_false(opens(SECOND_US, F.made.tenant, ticket, &who));
}

static void no_step_is_left_out(void **state)
{
	struct id user = make_user(&F.a, "steps@example.org"), session;
	char secret[SESSION_SECRET_TEXT];
	struct session_new n = {.kind = SESSION_BROWSER};
	ok(account_set_password(&F.a, user, GOOD, true));
	assert_int_equal(need(user, PROVED_PASSWORD), NEED_PASSWORD);
	struct account_proof proof = proof_of(user, PROVED_PASSWORD);
	refused(account_enter(&F.a, &proof, &n, secret, &session), ERR_UNAUTHENTICATED);
	fresh(&F.a);
	const char *problem;
	ok(account_change_password(&F.a, &proof, "a wholly other sentence", NOBODY, &problem));
	assert_null(problem);
	ok(account_enter(&F.a, &proof, &n, secret, &session));
}

static void nothing_goes_on(struct account_proof proof)
{
	char secret[SESSION_SECRET_TEXT], ticket[TICKET_TEXT];
	struct session_new n = {.kind = SESSION_BROWSER};
	struct id session;
	enum account_need missing;
	const char *problem;
	bool right;
	struct scope s = at(F.made.tenant, MINUTE_US);
	refused(account_need(&s, &proof, &missing), ERR_UNAUTHENTICATED);
	refused(account_enter(&s, &proof, &n, secret, &session), ERR_UNAUTHENTICATED);
	refused(account_code(&s, &proof, "000000", &right), ERR_UNAUTHENTICATED);
	refused(account_totp_confirm(&s, &proof, "000000", NOBODY, &right), ERR_UNAUTHENTICATED);
	refused(account_change_password(&s, &proof, "one more wholly other sentence", NOBODY, &problem), ERR_UNAUTHENTICATED);
	account_ticket(&s, &proof, ticket);
	assert_false(opens(MINUTE_US, F.made.tenant, ticket, &session));
	fresh(&s);
}

/* Whoever has the old password signs in over and over: one of them is always under way when it is reset. */
static void a_proof_is_overtaken(void **state)
{
	struct id user = make_account("overtaken@example.org");
	struct account_proof old = proof_of(user, PROVED_PASSWORD);
	struct scope s = at(F.made.tenant, SECOND_US);
	ok(account_set_password(&s, user, "a wholly other sentence", true));
	nothing_goes_on(old);
	old = proof_of(user, PROVED_PASSWORD);
	s = at(F.made.tenant, 2 * SECOND_US);
	ok(account_totp_reset(&s, user));
	nothing_goes_on(old);
	old = proof_of(user, PROVED_PASSWORD);
	ok(user_patch(&F.a, user, record_of(&F.a, &RES_USER, RECORD_PATCH, "{\"accountEnabled\":false}")));
	nothing_goes_on(old); /* whoever is disabled chooses no password for later */
	ok(user_patch(&F.a, user, record_of(&F.a, &RES_USER, RECORD_PATCH, "{\"accountEnabled\":true}")));
	ok(account_delete(&F.a, user));
	nothing_goes_on(old);
	fresh(&F.a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_is_its_user),
		cmocka_unit_test(limits_end_it),
		cmocka_unit_test(use_is_written_once_a_minute),
		cmocka_unit_test(who_is_disabled_or_deleted_has_none),
		cmocka_unit_test(a_database_that_went_back_has_none),
		cmocka_unit_test(a_secret_that_comes_back_is_stolen),
		cmocka_unit_test(a_closed_tenant_renews_nothing),
		cmocka_unit_test(forms_know_their_session),
		cmocka_unit_test(nobody_has_too_many),
		cmocka_unit_test(what_a_password_may_be),
		cmocka_unit_test(locks_grow_and_end),
		cmocka_unit_test(others_lock_nobody_out),
		cmocka_unit_test(a_new_password_ends_sessions),
		cmocka_unit_test(a_code_is_good_once),
		cmocka_unit_test(a_ticket_is_what_was_proved),
		cmocka_unit_test(no_step_is_left_out),
		cmocka_unit_test(a_proof_is_overtaken),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, fixture_up, fixture_down);
}
