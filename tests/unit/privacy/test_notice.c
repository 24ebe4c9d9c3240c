/* SPDX-License-Identifier: Apache-2.0
 * Notices: into the outbox with the change, out of it at least once, and failed loudly. */
#include "fixture.h"

#include <jansson.h>

#include "notice/message.h"
#include "notice/notice.h"
#include "notice/outbox.h"
#include "notice/recipient.h"
#include "resource/tables.h"

#define SECRET "the webhook's secret"

/* Receivers: what they were given, and what they answer. */
static struct {
	enum err answer;
	int posts, mails;
	char to[256], body[64 * 1024];
} receiver;

static enum err taken(struct scope *s, const char *to, const char *body, size_t n)
{
	snprintf(receiver.to, sizeof receiver.to, "%s", to);
	assert_true(n < sizeof receiver.body);
	memcpy(receiver.body, body, n);
	receiver.body[n] = '\0';
	return receiver.answer == OK ? OK : scope_fail(s, receiver.answer, "the receiver answered 500");
}

static enum err post(const struct notice_carrier *c, struct scope *s, const struct notice_webhook *to, const char *body, size_t n)
{
	receiver.posts++;
	assert_int_equal(to->secret_n, 20);
	assert_memory_equal(to->secret, SECRET, 20);
	return taken(s, to->url, body, n);
}

static enum err mail(const struct notice_carrier *c, struct scope *s, const char *to, const char *message, size_t n)
{
	receiver.mails++;
	return taken(s, to, message, n);
}

static const struct notice_carrier carrier = {.source = "https://reeve.example", .from = "privacy@acme.example", .post = post, .mail = mail};

static struct id recipient(struct id tenant, const char *kind, const char *target, bool erasures, bool alarms)
{
	struct scope s = scope_of(tenant);
	struct id id;
	struct record *r = record_new(F.d.arena, &RES_RECIPIENT);
	record_set_text(r, "displayName", target);
	record_set_text(r, "kind", kind);
	record_set_text(r, "target", target);
	record_set_int(r, "receivesErasures", erasures);
	record_set_int(r, "receivesAlarms", alarms);
	record_set_int(r, "enabled", 1);
	ok_in(&s, recipient_create(&s, &(struct recipient_request){.r = r, .secret = strcmp(kind, "webhook") == 0 ? SECRET : NULL}, &id));
	return id;
}

struct telling {
	struct id duty;
	bool alarm, person;
};

static enum err tell_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct telling *t = arg;
	if (t->alarm)
		return notice_alarm(tx, "testAlarm", t->duty, "Something \"needs\" somebody.");
	return t->person ? notice_person(tx, F.ann.user, "Your device", "It is the organisation's now.\n") : notice_erasure(tx, t->duty, F.ann.user, s->now);
}

static void tell(struct telling t)
{
	struct scope s = scope_of(F.tenant);
	ok_in(&s, db_write(&s, tell_tx, &t));
}

static struct id duty_new(void)
{
	struct id duty = id_new(F.now);
	run_sql(F.tenant, "INSERT INTO duties (tenant_id, duty_id, trigger_name, subject_type, subject_id, state, requested_at, due_at, deadline_at, "
			  "copies_deadline_at, updated_at) VALUES (?1, ?2, 'permanentDelete', 'user', ?2, 'suppressed', 1, 1, 1, 1, 1)", db_v_id(&duty));
	return duty;
}

static bool send_at(int64_t now)
{
	struct scope s = system_scope();
	bool more;
	s.now = now;
	ok_in(&s, notice_send_next(&s, &carrier, &more));
	return more;
}

static int64_t in_state(const char *state, const char *kind)
{
	return ask(F.tenant, arena_printf(F.d.arena, "SELECT count(*) FROM notices WHERE tenant_id = ?1 AND kind = '%s' AND state = ?2 AND about_id IS NOT NULL "
						     "AND created_at > 1", kind), db_v_text(state)).ret;
}

static int64_t events_of(const char *type)
{
	return ask(F.tenant, "SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND activity_type = ?2", db_v_text(type)).ret;
}

static int empty_outbox(void **state)
{
	int e = fixture_up(state);
	run_sql(F.tenant, "DELETE FROM notices WHERE tenant_id = ?1", db_v_null());
	memset(&receiver, 0, sizeof receiver);
	return e;
}

static void test_nobody_is_told(void **state)
{
	struct id duty = duty_new();
	tell((struct telling){.duty = duty});
	tell((struct telling){.duty = duty, .alarm = true});
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM notices WHERE tenant_id = ?1", db_v_null()).ret, 0);
	assert_int_equal(events_of("notify ErasureDuty"), 0);
	assert_false(send_at(F.now));
}

static void test_each_recipient_is_told_once(void **state)
{
	struct id duty = duty_new();
	char text[ID_TEXT];
	recipient(F.tenant, "webhook", "https://one.example/hook", true, false);
	recipient(F.tenant, "mail", "two@example.org", true, true);
	recipient(F.other, "mail", "stranger@example.org", true, true);
	for (int i = 0; i < 2; i++)
		tell((struct telling){.duty = duty});
	assert_int_equal(in_state("waiting", "erasure"), 2);
	assert_int_equal(events_of("notify ErasureDuty"), 1);
	assert_true(send_at(F.now) && send_at(F.now) && !send_at(F.now));
	assert_int_equal(receiver.posts, 1);
	assert_int_equal(receiver.mails, 1);
	assert_non_null(strstr(receiver.body, id_format(F.ann.user, text)));
	assert_int_equal(in_state("delivered", "erasure"), 2);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM notices WHERE tenant_id = ?1 AND message IS NOT NULL", db_v_null()).ret, 0);
	assert_int_equal(events_of("deliver Notice"), 2);
}

static void test_a_receiver_that_stops_costs_nothing(void **state)
{
	struct id duty = duty_new();
	recipient(F.tenant, "webhook", "https://one.example/hook", true, false);
	tell((struct telling){.duty = duty});
	receiver.answer = ERR_BUSY;
	assert_true(send_at(F.now));
	assert_int_equal(ask(F.tenant, "SELECT attempts FROM notices WHERE tenant_id = ?1 AND about_id = ?2", db_v_id(&duty)).ret, 0);
	receiver.answer = OK;
	send_at(F.now);
	auto_json *j = json_loads(receiver.body, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(j, "type")), "org.reeve.erasure.v1");
	assert_string_equal(json_string_value(json_object_get(j, "specversion")), "1.0");
	assert_non_null(json_object_get(json_object_get(j, "data"), "userPrincipalName"));
}

static void test_it_fails_loudly_in_the_end(void **state)
{
	struct id duty = duty_new();
	int64_t now = F.now;
	recipient(F.tenant, "webhook", "https://one.example/hook", true, false);
	recipient(F.tenant, "mail", "alarms@example.org", false, true);
	tell((struct telling){.duty = duty});
	receiver.answer = ERR_NO_SERVER;
	for (int i = 1; i < NOTICE_ATTEMPTS; i++) {
		assert_true(send_at(now));
		assert_int_equal(receiver.posts, i);
		assert_false(send_at(now)); /* not before its time */
		int64_t pause = notice_pause_us(i);
		assert_true(pause >= 5 * SECOND_US && pause <= 6 * HOUR_US);
		now += pause;
	}
	assert_true(now - F.now > 4 * DAY_US && now - F.now < 6 * DAY_US);
	assert_int_equal(notice_pause_us(NOTICE_ATTEMPTS), -1);
	assert_true(send_at(now));
	assert_int_equal(in_state("failed", "erasure"), 1);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM notices WHERE tenant_id = ?1 AND about_id = ?2 AND message IS NULL", db_v_id(&duty)).ret, 1);
	assert_int_equal(events_of("fail Notice"), 1);
	assert_int_equal(in_state("waiting", "alarm"), 1); /* an alarm of its own failure is raised for nobody */
	for (int i = 0; i < NOTICE_ATTEMPTS + 5; i++, now += 6 * HOUR_US)
		send_at(now);
	assert_int_equal(in_state("failed", "alarm"), 1);
	assert_int_equal(in_state("waiting", "alarm"), 0);
}

static void test_a_person_is_written_to_at_their_own_address(void **state)
{
	run_sql(F.tenant, "UPDATE users SET mail = 'ann@home.example' WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&F.ann.user));
	tell((struct telling){.person = true});
	assert_true(send_at(F.now));
	assert_string_equal(receiver.to, "ann@home.example");
	assert_non_null(strstr(receiver.body, "Subject: Your device\r\n"));
	run_sql(F.tenant, "UPDATE users SET mail = NULL, upn = 'no address' WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&F.ann.user));
	tell((struct telling){.person = true});
	assert_false(send_at(F.now));
}

/* Whatever stands in a text ends no line of a header and no string of JSON. */
static void test_words_stay_words(void **state)
{
	struct notice_head h = {.tenant = F.tenant, .notice = id_new(F.now), .kind = "person", .source = "https://reeve.example", .at = F.now};
	auto_json *m = json_pack("{s:s, s:s, s:s}", "subject", "One\r\nBcc: all@example.org", "text", "\n.\nfrom here \"\\", "organisation", "A\r\nB");
	auto_buf out, event;
	buf_init(&out, 1 << 20);
	buf_init(&event, 1 << 20);
	notice_mail(&h, m, "a@example.org", "b@example.org", &out);
	assert_false(out.failed);
	assert_null(strstr(out.data, "\nBcc:"));
	h.kind = "alarm";
	notice_event(&h, m, &event);
	auto_json *back = json_loadb(event.data, event.len, 0, NULL);
	assert_true(json_equal(json_object_get(back, "data"), m));
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, empty_outbox, fixture_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_nobody_is_told),
		T(test_each_recipient_is_told_once),
		T(test_a_receiver_that_stops_costs_nothing),
		T(test_it_fails_loudly_in_the_end),
		T(test_a_person_is_written_to_at_their_own_address),
		T(test_words_stay_words),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
