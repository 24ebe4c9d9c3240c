/* SPDX-License-Identifier: Apache-2.0
 * Letters, their words and their way out; one-time codes. */
#include "fixture.h"

#include "privacy/request/letter.h"
#include "privacy/request/request.h"
#include "privacy/request/code.h"

/* A mail server: what it was given, and what it answers. */
static struct {
	enum err answer;
	int calls;
	char to[256], message[16 * 1024];
	size_t n;
} server;

static enum err take(const struct mailer *m, struct scope *s, const char *to, const char *message, size_t n)
{
	server.calls++;
	snprintf(server.to, sizeof server.to, "%s", to);
	assert_true(n < sizeof server.message);
	memcpy(server.message, message, n);
	server.message[n] = '\0';
	server.n = n;
	return server.answer == OK ? OK : scope_fail(s, server.answer, "the mail server answered 451");
}

static const struct mailer mailer = {.base_url = "https://reeve.example", .from = "privacy@acme.example", .send = take};

static struct id open_with(const char *channel, const char *contact)
{
	struct scope s = scope_of(F.tenant);
	struct id request;
	ok_in(&s, request_open(&s, &(struct request_order){.type = "access", .channel = channel, .contact = contact}, &request));
	return request;
}

static bool send_at(int64_t now)
{
	struct scope s = system_scope();
	bool more;
	s.now = now;
	ok_in(&s, letter_send_next(&s, &mailer, &more));
	return more;
}

static void send_all(int64_t now)
{
	while (send_at(now))
		;
}

static int64_t letters_in(const char *state)
{
	return ask(F.tenant, "SELECT count(*) FROM letters WHERE tenant_id = ?1 AND state = ?2", db_v_text(state)).ret;
}

static int64_t events_of(const char *type)
{
	return ask(F.tenant, "SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND activity_type = ?2", db_v_text(type)).ret;
}

/* ---- words ---- */

static void every_letter_of_ours_is_a_template(void **state)
{
	static const char *const texts[] = {
#define LETTER(name, extra, subject, body) subject, body,
#include "privacy/request/letters.def"
	};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_null(letter_template_problem(F.d.arena, texts[i]));
	static const char *const bad[] = {"{", "{}", "{name}", "a {reason", "{ reason}", "{{reason}}", "{Reason}"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_non_null(letter_template_problem(F.d.arena, bad[i]));
}

static void a_value_is_never_a_placeholder(void **state)
{
	const struct letter_value v[] = {{"reason", "{code}"}, {"code", "123"}, {"ground", NULL}};
	auto_buf b;
	buf_init(&b, KIB);
	letter_expand("{reason}|{code}|{ground}|{outcome}|}", v, 3, &b);
	assert_string_equal(b.data, "{code}|123|||}");
}

/* ---- the way out ---- */

static void pauses_grow_for_three_days(void **state)
{
	int64_t sum = 0;
	for (int i = 1; i < LETTER_ATTEMPTS; i++) {
		assert_true(i == 1 || letter_pause_us(i) >= letter_pause_us(i - 1));
		sum += letter_pause_us(i);
	}
	assert_in_range(sum, 66 * HOUR_US, 78 * HOUR_US);
	assert_int_equal(letter_pause_us(LETTER_ATTEMPTS), -1);
}

static void what_went_leaves_its_digest(void **state)
{
	uint8_t digest[SHA256_BYTES];
	server.answer = OK;
	open_with("email", "anna@outside.example");
	send_all(F.now);
	assert_string_equal(server.to, "anna@outside.example");
	assert_non_null(strstr(server.message, "We received your request"));
	sha256(server.message, server.n, digest);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM letters WHERE tenant_id = ?1 AND message_sha256 = ?2 AND message IS NULL AND state = 'sent'",
			     db_v_blob(digest, sizeof digest)).ret, 1);
	assert_false(on_disk("anna@outside.example"));
	int calls = server.calls;
	send_all(F.now + DAY_US);
	assert_int_equal(server.calls, calls);
}

static void a_letter_is_given_up_after_three_days(void **state)
{
	int64_t lost = events_of("fail Letter"), failed = letters_in("failed"), at = F.now;
	int calls = server.calls;
	server.answer = ERR_NO_SERVER;
	open_with("email", "bob@outside.example");
	for (int hours = 0; hours < 100; hours++, at += HOUR_US)
		send_all(at);
	assert_int_equal(letters_in("waiting"), 0);
	assert_int_equal(letters_in("failed"), failed + 1);
	assert_in_range(server.calls - calls, 15, LETTER_ATTEMPTS);
	assert_int_equal(events_of("fail Letter"), lost + 1);
	server.answer = OK;
	send_all(at);
	assert_int_equal(letters_in("failed"), failed + 1);
}

static void a_stop_is_no_attempt(void **state)
{
	server.answer = ERR_BUSY;
	open_with("email", "stop@outside.example");
	send_at(F.now);
	assert_int_equal(ask(F.tenant, "SELECT attempts FROM letters WHERE tenant_id = ?1 AND state = ?2", db_v_text("waiting")).ret, 0);
	server.answer = OK;
	send_all(F.now);
	assert_int_equal(letters_in("waiting"), 0);
}

static void what_is_no_address_gets_no_letter(void **state)
{
	struct scope s = scope_of(F.tenant);
	struct id request;
	refused(request_open(&s, &(struct request_order){.type = "access", .contact = "anna@outside.example\r\nRCPT TO:<x@y>"}, &request), ERR_BAD_REQUEST);
	int64_t before = letters_in("waiting");
	open_with("letter", NULL);
	assert_int_equal(letters_in("waiting"), before);
}

/* ---- codes ---- */

/* Sends one and reads it from the letter. */
static void new_code(struct id request, int64_t now, char ret[REQUEST_CODE_DIGITS + 1])
{
	static const char before[] = "Your code is ";
	struct scope s = scope_of(F.tenant);
	s.now = now;
	ok_in(&s, request_code_send(&s, request));
	send_all(now);
	const char *at = strstr(server.message, before);
	assert_non_null(at);
	memcpy(ret, at + strlen(before), REQUEST_CODE_DIGITS);
	ret[REQUEST_CODE_DIGITS] = '\0';
	assert_int_equal(strspn(ret, "0123456789"), REQUEST_CODE_DIGITS);
}

static bool enters(struct id request, const char *code, int64_t now)
{
	struct scope s = scope_of(F.tenant);
	bool right;
	s.now = now;
	ok_in(&s, request_code_check(&s, request, code, &right));
	return right;
}

static const char *another(const char *code)
{
	return strcmp(code, "00000000") == 0 ? "11111111" : "00000000";
}

static void a_code_is_used_once_and_not_stored(void **state)
{
	struct id request = open_with("portal", "code@outside.example"), other = open_with("portal", "other@outside.example");
	char code[REQUEST_CODE_DIGITS + 1], unused[REQUEST_CODE_DIGITS + 1];
	uint8_t digest[SHA256_BYTES];
	new_code(other, F.now, unused);
	new_code(request, F.now, code);
	sha256(code, REQUEST_CODE_DIGITS, digest);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM request_codes WHERE tenant_id = ?1 AND code_hash = ?2", db_v_blob(digest, sizeof digest)).ret, 0);
	assert_false(enters(other, code, F.now) && strcmp(code, unused) != 0);
	assert_false(enters(request, "", F.now));
	assert_false(enters(request, another(code), F.now));
	assert_true(enters(request, code, F.now));
	assert_false(enters(request, code, F.now));
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM data_subject_requests WHERE tenant_id = ?1 AND request_id = ?2 AND contact_verified_at IS NOT NULL "
				       "AND state = 'received'", db_v_id(&request)).ret, 1);
	send_all(F.now);
	assert_non_null(strstr(server.message, "We received your request")); /* its receipt, now */
}

static void a_code_dies_by_attempts_and_by_time(void **state)
{
	struct id request = open_with("portal", "dies@outside.example");
	char code[REQUEST_CODE_DIGITS + 1], next[REQUEST_CODE_DIGITS + 1];
	new_code(request, F.now, code);
	for (int i = 0; i < REQUEST_CODE_ATTEMPTS; i++)
		assert_false(enters(request, another(code), F.now));
	assert_false(enters(request, code, F.now));
	new_code(request, F.now, code);
	assert_false(enters(request, code, F.now + REQUEST_CODE_US));
	assert_true(enters(request, code, F.now + REQUEST_CODE_US - 1));
	new_code(request, F.now, code);
	new_code(request, F.now, next); /* a newer one ends it */
	assert_true(strcmp(code, next) == 0 || !enters(request, code, F.now));
	new_code(request, F.now, next);
	int calls = server.calls;
	struct scope s = scope_of(F.tenant);
	ok_in(&s, request_code_send(&s, request)); /* the sixth in an hour */
	send_all(F.now);
	assert_int_equal(server.calls, calls);
	assert_true(enters(request, next, F.now));
	new_code(request, F.now + HOUR_US, next);
}

/* An address that the organisation knew before proves who asks; a stranger's proves the address. */
static void a_code_proves_the_identity_where_the_address_was_known(void **state)
{
	struct id request = open_with("email", "known@outside.example");
	char code[REQUEST_CODE_DIGITS + 1];
	new_code(request, F.now, code);
	assert_true(enters(request, code, F.now));
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM data_subject_requests WHERE tenant_id = ?1 AND request_id = ?2 AND state = 'verified' AND "
				       "identity_method = 'contactCode'", db_v_id(&request)).ret, 1);
}

static void a_pass_is_of_one_case_and_half_an_hour(void **state)
{
	struct id request = open_with("portal", "pass@outside.example"), other = open_with("portal", "pass@outside.example");
	struct scope s = scope_of(F.tenant);
	char *pass = request_pass(&s, request);
	assert_true(request_pass_holds(&s, request, pass));
	assert_false(request_pass_holds(&s, other, pass));
	assert_false(request_pass_holds(&s, request, ""));
	assert_false(request_pass_holds(&s, request, arena_printf(s.arena, "9%s", pass)));
	s.now += 31 * MINUTE_US;
	assert_false(request_pass_holds(&s, request, pass));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_letter_of_ours_is_a_template),
		cmocka_unit_test(a_value_is_never_a_placeholder),
		cmocka_unit_test(pauses_grow_for_three_days),
		cmocka_unit_test(what_went_leaves_its_digest),
		cmocka_unit_test(a_letter_is_given_up_after_three_days),
		cmocka_unit_test(a_stop_is_no_attempt),
		cmocka_unit_test(what_is_no_address_gets_no_letter),
		cmocka_unit_test(a_code_is_used_once_and_not_stored),
		cmocka_unit_test(a_code_dies_by_attempts_and_by_time),
		cmocka_unit_test(a_code_proves_the_identity_where_the_address_was_known),
		cmocka_unit_test(a_pass_is_of_one_case_and_half_an_hour),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("letters", tests, fixture_up, fixture_down);
}
