/* SPDX-License-Identifier: Apache-2.0
 * Codes of programs without a browser, at any time of their quarter of an hour. */
#include "fixture.h"

#include "directory/sign_in/device_code.h"
#include "directory/sign_in/session.h"

struct begun {
	struct device_code code;
	char device[DEVICE_CODE_TEXT], user[DEVICE_USER_TEXT];
};

static struct id client(void)
{
	struct public_client c;
	assert_true(public_client_find("reeve", &c));
	return c.id;
}

static struct begun begin(void)
{
	struct begun b = {.code = {.application = client(), .scope = "", .ip = "192.0.2.7", .user_agent = "x\ny"}};
	ok(device_code_begin(&F.a, &b.code, b.device, b.user));
	return b;
}

static enum device_poll poll_as(struct id tenant, int64_t later, struct id application, const char *device, struct session *ret,
				char secret[SESSION_SECRET_TEXT])
{
	struct scope s = tenant_scope(tenant, F.system.now + later);
	enum device_poll answer;
	ok(device_code_poll(&s, application, device, &answer, ret, secret));
	return answer;
}

static enum device_poll poll(int64_t later, const char *device)
{
	struct session session;
	char secret[SESSION_SECRET_TEXT];
	return poll_as(F.made.tenant, later, client(), device, &session, secret);
}

struct sign_in {
	struct id user, session;
	char secret[SESSION_SECRET_TEXT];
};

static enum err sign_in_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct sign_in *a = arg;
	const struct session_new n = {.user = a->user, .kind = SESSION_BROWSER, .method = "password", .ip = "192.0.2.1"};
	return session_begin(tx, &n, a->secret, &a->session);
}

/* A scope of a person who is signed in. */
static struct scope person(const char *upn, int64_t later)
{
	struct sign_in a = {.user = make_user(&F.a, upn)};
	struct tenant_levels levels;
	ok(db_write(&F.a, sign_in_tx, &a));
	struct scope s = tenant_scope(F.made.tenant, F.system.now + later);
	ok(session_admit_id(&s, a.session, &s.actor, &levels));
	return s;
}

static void polls_have_to_wait(void **state)
{
	struct begun b = begin();
	int64_t at = SECOND_US;
	assert_int_equal(poll(at, b.device), DEVICE_PENDING);
	assert_int_equal(poll(at += DEVICE_POLL_SECONDS * SECOND_US, b.device), DEVICE_PENDING);
	assert_int_equal(poll(at += SECOND_US, b.device), DEVICE_SLOW_DOWN);
	assert_int_equal(poll(at += DEVICE_POLL_SECONDS * SECOND_US, b.device), DEVICE_SLOW_DOWN); /* five seconds longer, for good */
	assert_int_equal(poll(at += (DEVICE_POLL_SECONDS + 2 * DEVICE_SLOWER_SECONDS) * SECOND_US, b.device), DEVICE_PENDING);
	assert_int_equal(poll(DEVICE_CODE_LIFE_US - 1, b.device), DEVICE_PENDING);
	assert_int_equal(poll(DEVICE_CODE_LIFE_US, b.device), DEVICE_EXPIRED);
}

static void codes_are_of_one_program_and_tenant(void **state)
{
	struct begun b = begin();
	struct session session;
	char secret[SESSION_SECRET_TEXT];
	struct device_code found;
	assert_int_equal(poll_as(F.made.tenant, 0, F.made.tenant, b.device, &session, secret), DEVICE_EXPIRED);
	assert_int_equal(poll_as(F.other, 0, client(), b.device, &session, secret), DEVICE_EXPIRED);
	refused(device_code_find(&F.b, b.user, &found), ERR_NOT_FOUND);
	ok(device_code_find(&F.a, b.user, &found));
	assert_string_equal(found.ip, "192.0.2.7");
	assert_string_equal(found.user_agent, "x?y");
	static const char *const bad[] = {"", "BCDF", "BCDF-GHJKL", "12345678", "BCDFGHJ\xc3", "????????"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		fresh(&F.a);
		refused(device_code_find(&F.a, bad[i], &found), ERR_NOT_FOUND);
	}
	struct scope late = tenant_scope(F.made.tenant, F.system.now + DEVICE_CODE_LIFE_US);
	refused(device_code_find(&late, b.user, &found), ERR_NOT_FOUND);
	assert_int_equal(ask(&F.a, "SELECT count(*) FROM device_codes WHERE tenant_id = ?1 AND (instr(CAST(user_hash AS TEXT), ?2) > 0 OR "
			           "instr(CAST(device_hash AS TEXT), ?3) > 0)", db_v_text(b.user), db_v_text(b.device)), 0);
}

static void an_allowed_one_is_a_session_once(void **state)
{
	struct begun b = begin();
	struct scope ann = person("ann.codes@example.org", MINUTE_US), bob = person("bob.codes@example.org", MINUTE_US);
	struct session session;
	char secret[SESSION_SECRET_TEXT];
	ok(device_code_decide(&ann, b.code.code, true));
	refused(device_code_decide(&bob, b.code.code, false), ERR_NOT_FOUND); /* decided is decided */
	assert_int_equal(poll_as(F.made.tenant, 2 * MINUTE_US, client(), b.device, &session, secret), DEVICE_ALLOWED);
	assert_true(id_equal(session.user, ann.actor.id) && id_equal(session.application, client()));
	assert_string_equal(session.kind, SESSION_COMMAND_LINE);
	assert_int_equal(strlen(secret), SESSION_SECRET_TEXT - 1);
	assert_int_equal(poll(3 * MINUTE_US, b.device), DEVICE_EXPIRED);
	bool known;
	ok(session_known(&F.a, secret, &known));
	assert_true(known);
	ok(session_known(&F.b, secret, &known));
	assert_false(known);
	assert_int_equal(events(&F.a, "allow DeviceCode"), 1);
	assert_int_equal(events(&F.a, "deny DeviceCode"), 0);
}

static enum err end_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	return session_end_all(tx, *(struct id *)arg, "test");
}

static void a_denied_or_ended_one_is_nothing(void **state)
{
	struct begun denied = begin(), ended = begin();
	struct scope eve = person("eve.codes@example.org", MINUTE_US);
	ok(device_code_decide(&eve, denied.code.code, false));
	assert_int_equal(poll(2 * MINUTE_US, denied.device), DEVICE_DENIED);
	assert_int_equal(poll(3 * MINUTE_US, denied.device), DEVICE_EXPIRED);
	ok(device_code_decide(&eve, ended.code.code, true));
	ok(db_write(&F.a, end_tx, &eve.actor.id)); /* before the program had fetched it */
	assert_int_equal(poll(2 * MINUTE_US, ended.device), DEVICE_EXPIRED);
	assert_int_equal(events(&F.a, "deny DeviceCode"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(polls_have_to_wait),
		cmocka_unit_test(codes_are_of_one_program_and_tenant),
		cmocka_unit_test(an_allowed_one_is_a_session_once),
		cmocka_unit_test(a_denied_or_ended_one_is_nothing),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, fixture_up, fixture_down);
}
