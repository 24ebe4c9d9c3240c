/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests: the table of states, the way of each type, rules, races, the clock, what is kept and what goes.
 */
#include <pthread.h>

#include "fixture.h"
#include "privacy/request/regime.h"
#include "privacy/request/request.h"
#include "privacy/retention.h"
#include "resource/tables.h"

#define WHY .reason = "unfounded", .ground = "GDPR Art. 12(5)"

static struct id open_case(struct id tenant, const char *type, const char *user)
{
	struct id request;
	struct scope s = scope_of(tenant);
	ok_in(&s, request_open(&s, &(struct request_order){.type = type, .user = user, .contact = "outside@example.net", .statement = "canary of a statement"},
			       &request));
	return request;
}

static const char *id_text(struct id id) { return id_format(id, arena_alloc(F.d.arena, ID_TEXT)); }
static const char *column(struct id tenant, struct id request, const char *name)
{
	char *sql = arena_printf(F.d.arena, "SELECT CAST(%s AS text) FROM data_subject_requests WHERE tenant_id = ?1 AND request_id = ?2", name);
	return ask(tenant, sql, db_v_id(&request)).text;
}
static int64_t number(struct id request, const char *name)
{
	char *sql = arena_printf(F.d.arena, "SELECT %s FROM data_subject_requests WHERE tenant_id = ?1 AND request_id = ?2", name);
	return ask(F.tenant, sql, db_v_id(&request)).ret;
}
static int64_t events(const char *type)
{
	return ask(F.tenant, "SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND activity_type = ?2", db_v_text(type)).ret;
}

#define step_ok(call)                           \
	do {                                    \
		struct scope s = scope_of(F.tenant); \
		ok_in(&s, call);                \
	} while (0)
#define step_refused(call, e)                   \
	do {                                    \
		struct scope s = scope_of(F.tenant); \
		refused(call, e);               \
	} while (0)

static struct id decided_case(const char *type, const char *user, struct request_decision d)
{
	struct id request = open_case(F.tenant, type, user);
	step_ok(request_verify(&s, request, "document"));
	step_ok(request_discover(&s, request));
	step_ok(request_decide(&s, request, &d));
	return request;
}

/* ---- tables ---- */

static void the_tables_agree(void **state)
{
	static const char *const ends[] = {"delivered", "closed"};
	for (int from = 0; from < REQUEST_STATE_COUNT; from++) {
		bool ended = strcmp(request_state_name(from), ends[0]) == 0 || strcmp(request_state_name(from), ends[1]) == 0;
		assert_int_equal(request_runs(from), !ended); /* as the index data_subject_requests_open says it */
		assert_false(request_may_move(REQUEST_closed, from));
		if (from != REQUEST_decided)
			assert_false(request_may_move(from, REQUEST_delivered));
	}
	/* every spelling that a property takes is a row, and the other way round */
	const struct property *p = resource_property(&RES_DATA_SUBJECT_REQUEST, "regime", API_V1);
	char *names = arena_strdup(F.d.arena, p->values), *save = NULL;
	int n = 0;
	for (char *name = strtok_r(names, "|", &save); name != NULL; name = strtok_r(NULL, "|", &save), n++)
		assert_non_null(regime_find(name));
#define REGIME(name, acknowledge, due, extension, law) n--;
#include "privacy/request/regimes.def"
#undef REGIME
	assert_int_equal(n, 0);
}

/* ---- rules ---- */

static void an_opening_is_checked(void **state)
{
	struct id request, nobody = id_new(F.now);
	const struct request_order bad[] = {
		{.type = "wish"}, {.type = NULL}, {.type = "access", .regime = "roman"}, {.type = "access", .channel = "pigeon"},
		{.type = "access", .received_at = F.now + 1}, {.type = "access", .received_at = F.now - 401 * DAY_US},
		{.type = "access", .contact = "nobody"}, {.type = "access", .contact = "a@b.example\r\nBcc: c@d.example"},
		{.type = "access", .statement = "bell \a"},
	};
	int64_t before = ask(F.tenant, "SELECT count(*) FROM data_subject_requests WHERE tenant_id = ?1", db_v_null()).ret;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		step_refused(request_open(&s, &bad[i], &request), ERR_BAD_REQUEST);
	step_refused(request_open(&s, &(struct request_order){.type = "access", .user = id_text(nobody)}, &request), ERR_NOT_FOUND);
	step_refused(request_open(&s, &(struct request_order){.type = "access", .user = id_text(F.eve.user)}, &request), ERR_NOT_FOUND);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM data_subject_requests WHERE tenant_id = ?1", db_v_null()).ret, before);
	/* a letter that lay about has its clock from its receipt */
	step_ok(request_open(&s, &(struct request_order){.type = "access", .regime = "ccpa", .channel = "letter", .received_at = F.now - 40 * DAY_US}, &request));
	assert_true(number(request, "due_at") < F.now + 6 * DAY_US && number(request, "due_at") > F.now + 4 * DAY_US);
	assert_true(number(request, "acknowledge_by") < F.now);
}

static void nothing_is_refused_without_a_reason_and_a_ground(void **state)
{
	struct id r = open_case(F.tenant, "access", id_text(F.ann.user));
	const struct request_decision bad[] = {
		{.decision = "refused"}, {.decision = "refused", .reason = "unfounded"}, {.decision = "refused", .ground = "Art. 12"},
		{.decision = "refused", .reason = "because", .ground = "Art. 12"}, {.decision = "refused", .reason = "security_secret", .ground = "Art. 12"},
		{.decision = "withheld"}, {.decision = "redacted", .reason = "third_party"}, {.decision = "maybe", WHY}, {.decision = NULL},
		{.decision = "grant", WHY}, {.decision = "refused", .reason = "unfounded", .ground = ""},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		step_refused(request_decide(&s, r, &bad[i]), ERR_BAD_REQUEST);
	assert_string_equal(column(F.tenant, r, "state"), "received");
	step_refused(request_decide(&s, r, &(struct request_decision){.decision = "grant"}), ERR_CONFLICT); /* not verified, not discovered */
	step_refused(request_discover(&s, r), ERR_CONFLICT);
	step_refused(request_verify(&s, r, "handwriting"), ERR_BAD_REQUEST);
	step_refused(request_close(&s, r, NULL), ERR_CONFLICT);
	step_ok(request_decide(&s, r, &(struct request_decision){.decision = "refused", WHY}));
	assert_string_equal(column(F.tenant, r, "state"), "closed");
	assert_string_equal(column(F.tenant, r, "reason_code"), "unfounded");
	assert_null(column(F.tenant, r, "contact"));
	step_refused(request_decide(&s, r, &(struct request_decision){.decision = "refused", WHY}), ERR_CONFLICT);
	step_refused(request_extend(&s, r, "late"), ERR_CONFLICT);
	step_refused(request_patch(&s, r, &(struct request_patch){.statement = "x"}), ERR_CONFLICT);
}

static void an_extension_has_a_reason_a_time_and_one_turn(void **state)
{
	struct id r = open_case(F.tenant, "access", NULL), late, lgpd;
	int64_t due = number(r, "due_at");
	step_refused(request_extend(&s, r, NULL), ERR_BAD_REQUEST);
	step_refused(request_extend(&s, r, ""), ERR_BAD_REQUEST);
	step_ok(request_extend(&s, r, "Many devices."));
	assert_int_equal(number(r, "first_due_at"), due);
	assert_in_range((number(r, "due_at") - due) / DAY_US, 58, 62);
	step_refused(request_extend(&s, r, "Again."), ERR_CONFLICT);
	step_ok(request_open(&s, &(struct request_order){.type = "access", .received_at = F.now - 32 * DAY_US}, &late));
	step_refused(request_extend(&s, late, "Too late."), ERR_CONFLICT);
	step_ok(request_open(&s, &(struct request_order){.type = "access", .regime = "lgpd"}, &lgpd));
	step_refused(request_extend(&s, lgpd, "No such thing."), ERR_CONFLICT);
}

/* ---- whom ---- */

static void another_subject_is_another_identity(void **state)
{
	struct id r = open_case(F.tenant, "access", NULL);
	step_ok(request_verify(&s, r, "document"));
	step_ok(request_discover(&s, r));
	assert_string_equal(column(F.tenant, r, "found"), "{}");
	step_refused(request_set_subject(&s, r, id_text(F.eve.user)), ERR_NOT_FOUND); /* of the other tenant */
	step_ok(request_set_subject(&s, r, id_text(F.bob.user)));
	assert_string_equal(column(F.tenant, r, "state"), "verified"); /* who asked was checked; now it is known whom that is */
	step_ok(request_discover(&s, r));
	const char *found = column(F.tenant, r, "found");
	assert_non_null(strstr(found, "\"account\":1"));
	step_ok(request_set_subject(&s, r, id_text(F.ann.user)));
	assert_string_equal(column(F.tenant, r, "state"), "received");
	assert_null(column(F.tenant, r, "identity_method"));
	assert_null(column(F.tenant, r, "found"));
	int64_t before = events("setSubject DataSubjectRequest");
	step_ok(request_set_subject(&s, r, id_text(F.ann.user))); /* the same: nothing happens */
	assert_int_equal(events("setSubject DataSubjectRequest"), before);
}

static void a_case_never_crosses_tenants(void **state)
{
	struct id r = open_case(F.tenant, "access", id_text(F.ann.user));
	struct scope s = scope_of(F.other);
	char *before = dump_of(F.tenant, NULL);
	refused(request_verify(&s, r, "document"), ERR_NOT_FOUND);
	refused(request_discover(&s, r), ERR_NOT_FOUND);
	refused(request_set_subject(&s, r, id_text(F.eve.user)), ERR_NOT_FOUND);
	refused(request_decide(&s, r, &(struct request_decision){.decision = "refused", WHY}), ERR_NOT_FOUND);
	refused(request_extend(&s, r, "x"), ERR_NOT_FOUND);
	refused(request_deliver(&s, r), ERR_NOT_FOUND);
	refused(request_close(&s, r, NULL), ERR_NOT_FOUND);
	refused(request_patch(&s, r, &(struct request_patch){.statement = "x"}), ERR_NOT_FOUND);
	assert_string_equal(dump_of(F.tenant, NULL), before);
}

/* ---- ways ---- */

/* Who writes the directory does not send an answer elsewhere. */
static void where_an_answer_goes_is_settled_with_it(void **state)
{
	run_sql(F.tenant, "UPDATE users SET mail = 'bob@example.org' WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&F.bob.user));
	struct id r = open_case(F.tenant, "access", id_text(F.bob.user));
	run_sql(F.tenant, "UPDATE data_subject_requests SET contact = NULL WHERE tenant_id = ?1 AND request_id = ?2", db_v_id(&r));
	step_ok(request_verify(&s, r, "document"));
	step_ok(request_discover(&s, r));
	assert_int_equal(number(r, "contact IS NULL"), 1);
	step_ok(request_decide(&s, r, &(struct request_decision){.decision = "grant"}));
	assert_int_equal(number(r, "contact IS NOT NULL"), 1);
}

static void each_type_is_carried_out(void **state)
{
	struct request_decision grant = {.decision = "grant"}, hand = {.decision = "grant", .outcome = "Corrected in the directory."};
	struct id r = decided_case("access", id_text(F.ann.user), grant);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM data_policy_operations WHERE tenant_id = ?1 AND request_id = ?2 AND variant = 'redacted'",
			     db_v_id(&r)).ret, 1);
	step_refused(request_close(&s, r, NULL), ERR_CONFLICT);
	step_refused(request_deliver(&s, r), ERR_CONFLICT);
	step_refused(request_decide(&s, r, &grant), ERR_CONFLICT);
	run_sql(F.tenant, "UPDATE data_policy_operations SET status = 'failed' WHERE tenant_id = ?1 AND request_id = ?2", db_v_id(&r));
	step_ok(request_decide(&s, r, &grant)); /* another export */
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM data_policy_operations WHERE tenant_id = ?1 AND request_id = ?2", db_v_id(&r)).ret, 2);
	r = decided_case("portability", id_text(F.bob.user), grant);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM data_policy_operations WHERE tenant_id = ?1 AND request_id = ?2 AND variant = 'portability'",
			     db_v_id(&r)).ret, 1);
	r = open_case(F.tenant, "rectification", id_text(F.ann.user));
	step_ok(request_verify(&s, r, "callBack"));
	step_ok(request_discover(&s, r));
	step_refused(request_decide(&s, r, &grant), ERR_BAD_REQUEST); /* what was done, and where? */
	step_ok(request_decide(&s, r, &hand));
	assert_string_equal(column(F.tenant, r, "state"), "decided");
	step_ok(request_close(&s, r, "Corrected on the device."));
	assert_string_equal(column(F.tenant, r, "outcome"), "Corrected on the device.");
	r = decided_case("restriction", id_text(F.bob.user), grant);
	assert_string_equal(column(F.tenant, r, "state"), "delivered");
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM users WHERE tenant_id = ?1 AND user_id = ?2 AND restricted_at IS NOT NULL",
			     db_v_id(&F.bob.user)).ret, 1);
	r = decided_case("restriction", id_text(F.bob.user), grant); /* it is so already: carried out all the same */
	assert_string_equal(column(F.tenant, r, "state"), "delivered");
	r = decided_case("objection", NULL, hand);
	step_ok(request_close(&s, r, NULL));
}

static enum err delays_tx(struct scope *s, struct db_tx *tx, void *arg) { return request_delays_erasure(tx, F.ann.user, arg); }

static void an_erasure_ends_the_person_and_then_the_case(void **state)
{
	bool delays = false, more = false;
	step_ok(db_read(&s, delays_tx, &delays));
	assert_true(delays); /* by the access cases above */
	run_sql(F.tenant, "DELETE FROM data_subject_requests WHERE tenant_id = ?1", db_v_null());
	step_ok(db_read(&s, delays_tx, &delays));
	assert_false(delays);
	char *others = dump_of(F.other, NULL);
	struct id r = decided_case("erasure", id_text(F.ann.user), (struct request_decision){.decision = "grant"});
	assert_string_equal(column(F.tenant, r, "state"), "decided");
	step_refused(request_close(&s, r, NULL), ERR_CONFLICT);
	struct scope system = system_scope();
	ok_in(&system, request_finish_due(&system, &more));
	assert_string_equal(column(F.tenant, r, "state"), "decided"); /* nothing is deleted yet */
	run_erasure();
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM users WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&F.ann.user)).ret, 0);
	ok_in(&system, request_finish_due(&system, &more));
	assert_string_equal(column(F.tenant, r, "state"), "delivered");
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM data_subject_requests WHERE tenant_id = ?1 AND request_id = ?2 AND user_id IS NULL",
			     db_v_id(&r)).ret, 1);
	step_ok(request_close(&s, r, NULL));
	assert_string_equal(dump_of(F.other, NULL), others);
}

/* ---- handing over ---- */

struct handing {
	struct id request, operation;
};

static enum err hand_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	static const uint8_t sum[32] = {7};
	const struct handing *h = arg;
	TRY(request_answer_ready_tx(tx, h->request, h->operation));
	return request_delivered_tx(tx, h->request, h->operation, sum);
}

static void only_the_whole_answer_is_a_delivery(void **state)
{
	struct id r = decided_case("access", id_text(F.bob.user), (struct request_decision){.decision = "grant"});
	const struct export_order others[] = {{.variant = "full"}, {.variant = "portability"}, {.form = "page", .sections = "[\"account\"]"}, {.form = "bundle"}};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		struct handing h = {.request = r};
		struct export_order o = others[i];
		o.user = F.bob.user;
		o.request = r;
		assert_string_equal(column(F.tenant, r, "state"), "decided");
		step_ok(export_request(&s, &o, &h.operation));
		step_ok(db_write(&s, hand_tx, &h));
	}
	assert_string_equal(column(F.tenant, r, "state"), "delivered"); /* by the last one */
}

/* ---- two officers ---- */

struct officer {
	struct id request;
	pthread_barrier_t *start;
	enum err e;
};

static void *officer_main(void *arg)
{
	struct officer *o = arg;
	struct scope s;
	struct arena *a = arena_new(64 * 1024 * 1024);
	scope_tenant(&s, a, F.d.db, F.keeper, F.tenant);
	pthread_barrier_wait(o->start);
	o->e = request_decide(&s, o->request, &(struct request_decision){.decision = "refused", WHY});
	arena_free(a);
	return NULL;
}

static void of_two_officers_one_decides(void **state)
{
	for (int i = 0; i < 10; i++) {
		pthread_t t[2];
		pthread_barrier_t start;
		struct officer o[2];
		struct id r = open_case(F.tenant, "access", NULL);
		int64_t before = events("close DataSubjectRequest");
		pthread_barrier_init(&start, NULL, 2);
		for (int k = 0; k < 2; k++) {
			o[k] = (struct officer){.request = r, .start = &start};
			assert_int_equal(pthread_create(&t[k], NULL, officer_main, &o[k]), 0);
		}
		for (int k = 0; k < 2; k++)
			pthread_join(t[k], NULL);
		assert_true((o[0].e == OK && o[1].e == ERR_CONFLICT) || (o[1].e == OK && o[0].e == ERR_CONFLICT));
		assert_int_equal(events("close DataSubjectRequest"), before + 1);
		pthread_barrier_destroy(&start);
	}
}

/* ---- the clock ---- */

static int alarms_at(int64_t now)
{
	bool more = false;
	struct scope system = system_scope();
	int64_t before = events("alarm DataSubjectRequest");
	system.now = now;
	ok_in(&system, request_alarms(&system, &more));
	assert_false(more);
	return (int)(events("alarm DataSubjectRequest") - before);
}

static void alarms_are_raised_once_each(void **state)
{
	uint64_t open, overdue;
	run_sql(F.tenant, "DELETE FROM data_subject_requests WHERE tenant_id = ?1", db_v_null());
	run_sql(F.other, "DELETE FROM data_subject_requests WHERE tenant_id = ?1", db_v_null());
	struct id r = open_case(F.tenant, "access", NULL);
	int64_t due = number(r, "due_at"), whole = due - F.now;
	assert_int_equal(alarms_at(F.now + whole / 2 - HOUR_US), 0);
	assert_int_equal(alarms_at(F.now + whole / 2 + HOUR_US), 1);
	assert_int_equal(alarms_at(F.now + whole / 2 + HOUR_US), 0);
	assert_int_equal(number(r, "alarm"), 50);
	assert_int_equal(alarms_at(F.now + whole / 10 * 8 + HOUR_US), 1);
	step_ok(request_extend(&s, r, "Many devices."));
	int64_t longer = number(r, "due_at") - F.now;
	assert_int_equal(alarms_at(due + HOUR_US), 0); /* the first due date is over, the new one is not near */
	assert_int_equal(alarms_at(F.now + longer - 1), 1); /* only the highest of those that were missed */
	assert_int_equal(number(r, "alarm"), 80);
	assert_int_equal(alarms_at(F.now + longer), 1);
	assert_int_equal(number(r, "alarm"), 100);
	assert_int_equal(alarms_at(F.now + 2 * longer), 0);
	struct scope system = system_scope();
	ok_in(&system, request_counts(&system, &open, &overdue));
	assert_int_equal(open, 1);
	assert_int_equal(overdue, 0);
	system.now = F.now + longer + SECOND_US;
	ok_in(&system, request_counts(&system, &open, &overdue));
	assert_int_equal(overdue, 1);
	step_ok(request_decide(&s, r, &(struct request_decision){.decision = "refused", WHY}));
	assert_int_equal(alarms_at(F.now + 2 * longer), 0);
	system = system_scope();
	ok_in(&system, request_counts(&system, &open, &overdue));
	assert_int_equal(open, 0);
}

static void what_is_closed_goes_after_24_months(void **state)
{
	bool more = false;
	struct id r = decided_case("restriction", id_text(F.bob.user), (struct request_decision){.decision = "grant"});
	struct scope system = system_scope();
	run_sql(F.tenant, "UPDATE users SET restricted_at = NULL WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&F.bob.user));
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM data_subject_requests WHERE tenant_id = ?1 AND request_id = ?2 AND contact IS NOT NULL",
			     db_v_id(&r)).ret, 1);
	assert_false(on_disk("canary of a statement") || on_disk("outside@example.net"));
	system.now = F.now + 31 * DAY_US;
	ok_in(&system, request_finish_due(&system, &more)); /* nobody closed it */
	assert_string_equal(column(F.tenant, r, "state"), "closed");
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM data_subject_requests WHERE tenant_id = ?1 AND request_id = ?2 AND contact IS NULL AND "
				       "statement IS NULL", db_v_id(&r)).ret, 1);
	assert_int_equal(number(r, "expires_at"), time_add_months(system.now, 24));
	system = system_scope(); /* the row is moved, not the clock: PostgreSQL has no partition for events in two years */
	run_sql(F.tenant, "UPDATE data_subject_requests SET expires_at = ?2 WHERE tenant_id = ?1", db_v_int(F.now + HOUR_US));
	ok_in(&system, retention_expire(&system, &more));
	assert_string_equal(column(F.tenant, r, "state"), "closed");
	run_sql(F.tenant, "UPDATE data_subject_requests SET expires_at = ?2 WHERE tenant_id = ?1", db_v_int(F.now - HOUR_US));
	ok_in(&system, retention_expire(&system, &more));
	assert_null(column(F.tenant, r, "state"));
	assert_true(events("expire DataSubjectRequest") > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_tables_agree),
		cmocka_unit_test(an_opening_is_checked),
		cmocka_unit_test(nothing_is_refused_without_a_reason_and_a_ground),
		cmocka_unit_test(an_extension_has_a_reason_a_time_and_one_turn),
		cmocka_unit_test(another_subject_is_another_identity),
		cmocka_unit_test(a_case_never_crosses_tenants),
		cmocka_unit_test(each_type_is_carried_out),
		cmocka_unit_test(an_erasure_ends_the_person_and_then_the_case),
		cmocka_unit_test(only_the_whole_answer_is_a_delivery),
		cmocka_unit_test(where_an_answer_goes_is_settled_with_it),
		cmocka_unit_test(of_two_officers_one_decides),
		cmocka_unit_test(alarms_are_raised_once_each),
		cmocka_unit_test(what_is_closed_goes_after_24_months),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("requests", tests, fixture_up, fixture_down);
}
