/* SPDX-License-Identifier: Apache-2.0
 * Actions beyond the straight way: parameters, calling back, later, never, come back, limits and bursts. */
#include "fixture.h"

#include "codec/base64.h"
#include "devices/action_clock.h"
#include "devices/action_preview.h"
#include "devices/limit.h"
#include "devices/platform_action.h"
#include "devices/removal.h"
#include "devices/returned.h"
#include "duty/duty.h"

static json_t *body_of(const char *json)
{
	json_t *v = json_loads(json, 0, NULL);
	assert_non_null(v);
	return v;
}

static enum err try_wipe(struct id device, const char *json)
{
	auto_json *body = body_of(json);
	F.admin.detail = NULL;
	return device_wipe(&F.admin, device, body);
}

static const char *action_text(struct id device, const char *name, const char *column)
{
	return answer(&F.admin,
		      arena_printf(F.d.arena, "SELECT %s FROM device_actions WHERE tenant_id = ?1 AND device_id = ?2 AND action_name = ?3 "
					      "ORDER BY requested_at DESC, action_id DESC", column),
		      db_v_id(&device), db_v_text(name))
		.text;
}

static const char *duty_state_of(struct id device)
{
	return answer(&F.admin, "SELECT state FROM duties WHERE tenant_id = ?1 AND subject_id = ?2 ORDER BY requested_at DESC, duty_id DESC",
		      db_v_id(&device), db_v_null())
		.text;
}

/* ---- parameters ---- */

static void defaults_by_rote_are_no_parameters(void **state)
{
	static const char *const nothing[] = {
		"{}",
		"{\"keepEnrollmentData\":null,\"keepUserData\":false,\"macOsUnlockCode\":\"\",\"persistEsimDataPlan\":true}",
		"{\"macOsUnlockCode\":null,\"obliterationBehavior\":\"default\",\"useProtectedWipe\":false,\"persistEsimDataPlan\":null}",
	};
	static const struct {
		const char *json;
		enum err err;
	} no[] = {
		{"{\"keepEnrollmentData\":true}", ERR_NOT_SUPPORTED},  {"{\"keepUserData\":true}", ERR_NOT_SUPPORTED},
		{"{\"macOsUnlockCode\":\"123456\"}", ERR_NOT_SUPPORTED}, {"{\"persistEsimDataPlan\":false}", ERR_NOT_SUPPORTED},
		{"{\"useProtectedWipe\":true}", ERR_NOT_SUPPORTED},    {"{\"obliterationBehavior\":\"always\"}", ERR_NOT_SUPPORTED},
		{"{\"macOsUnlockCode\":\"12345\"}", ERR_BAD_REQUEST},   {"{\"macOsUnlockCode\":\"12345a\"}", ERR_BAD_REQUEST},
		{"{\"macOsUnlockCode\":123456}", ERR_BAD_REQUEST},     {"{\"keepUserData\":\"no\"}", ERR_BAD_REQUEST},
		{"{\"obliterationBehavior\":\"never\"}", ERR_BAD_REQUEST}, {"{\"keepEnrollmentData\":0}", ERR_BAD_REQUEST},
	};
	struct machine m = new_machine(true, true);
	for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
		no_event(refused(try_wipe(m.id, no[i].json), no[i].err));
	assert_int_equal(device_count("device_actions", m.id) + duties(m.id), 0);
	assert_string_equal(device_text(m.id, "management_state"), "managed");
	for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++) {
		struct machine n = new_machine(true, true);
		ok(try_wipe(n.id, nothing[i]));
		assert_null(action_text(n.id, "wipe", "parameters"));
	}
}

/* The way of platforms to come: what one knows is told to the device, a code is sealed at once. */
static void a_code_is_sealed_and_never_readable(void **state)
{
	static const struct action_parameter rows[] = {
		{"macos", "macOsUnlockCode", PARAMETER_PIN, false, "", true, ""},
		{"macos", "obliterationBehavior", PARAMETER_CHOICE, true, "default", true, ""},
		{"macos", "keepUserData", PARAMETER_BOOL, false, "false", false, "not on a Mac"},
	};
	auto_json *body = body_of("{\"macOsUnlockCode\":\"493817\",\"obliterationBehavior\":\"always\",\"keepUserData\":false}");
	const char *text;
	ok(action_parameters_check(&F.admin, body));
	ok(action_parameters_encode(&F.admin, rows, 3, "macos", body, &text));
	assert_null(strstr(text, "493817"));
	auto_json *told = body_of(text);
	assert_string_equal(json_string_value(json_object_get(told, "obliterationBehavior")), "always");
	const char *sealed = json_string_value(json_object_get(json_object_get(told, "macOsUnlockCode"), "sealed"));
	void *blob;
	size_t n;
	assert_true(base64_decode(F.d.arena, sealed, strlen(sealed), &blob, &n));
	assert_memory_equal(keeper_unseal(F.keeper, F.d.arena, blob, n, &n), "493817", 6);
	json_object_set_new(body, "keepUserData", json_true());
	refused(action_parameters_encode(&F.admin, rows, 3, "macos", body, &text), ERR_NOT_SUPPORTED);
	F.admin.detail = NULL;
}

/* ---- calling back ---- */

static void what_is_called_back_takes_its_duty_with_it(void **state)
{
	struct machine m = new_machine(false, true);
	ok(device_retire(&F.admin, m.id));
	refused(device_cancel(&F.admin, m.id, "wipe"), ERR_CONFLICT);
	F.admin.detail = NULL;
	int64_t before = all_events(&F.admin);
	ok(device_cancel(&F.admin, m.id, "retire"));
	assert_int_equal(all_events(&F.admin), before + 2); /* the action and its duty */
	assert_string_equal(device_text(m.id, "management_state"), "retireCanceled");
	assert_string_equal(action_text(m.id, "retire", "outcome"), "canceled");
	assert_string_equal(duty_state_of(m.id), "cancelled");
	assert_int_equal(checkin(&m, NULL, NULL, 0).action_n, 0);
	no_event(refused(device_cancel(&F.admin, m.id, NULL), ERR_CONFLICT));
	F.admin.detail = NULL;
	refused(device_cancel(&F.other_admin, m.id, NULL), ERR_NOT_FOUND);
	F.other_admin.detail = NULL;
	wait_us(SECOND_US);
	ok(device_retire(&F.admin, m.id)); /* and may be asked for again, with a promise of its own */
	assert_string_equal(duty_state_of(m.id), "received");
}

static void a_device_that_had_begun_ends_all_the_same(void **state)
{
	struct machine m = new_machine(true, true);
	ok(device_wipe(&F.admin, m.id, NULL));
	struct id action = checkin(&m, NULL, NULL, 0).actions[0].action;
	ok(device_cancel(&F.admin, m.id, NULL));
	wait_us(SECOND_US);
	assert_string_equal(device_text(m.id, "management_state"), "wipeCanceled");
	no_event(ok(try_report(&m, action, ACTION_failed, "no power"))); /* nobody waits for it */
	assert_string_equal(action_state_of(m.id, "wipe"), "canceled");
	ok(try_report(&m, action, ACTION_done, NULL));
	assert_string_equal(action_state_of(m.id, "wipe"), "done");
	assert_string_equal(duty_state_of(m.id), "received");
	assert_int_equal(duties(m.id), 2);
}

static enum err retire_for_erasure(struct scope *s, struct db_tx *tx, void *arg)
{
	return device_retire_in_tx(tx, *(struct id *)arg, DUTY_BY_PERMANENT_DELETE, NULL);
}

static enum err to_suppressed(struct scope *s, struct db_tx *tx, void *arg)
{
	struct duty d;
	TRY(duty_of_subject(tx, *(struct id *)arg, &d));
	return duty_move(tx, d.duty, DUTY_received, DUTY_suppressed, NULL);
}

static void what_others_rely_on_is_not_called_back(void **state)
{
	struct machine mine = new_machine(false, true), erased = new_machine(false, true), late = new_machine(false, true);
	struct scope s = scope_of_machine(&mine);
	struct id action;
	ok_in(&s, device_leave(&s, mine.id, mine.fingerprint, &action));
	refused(device_cancel(&F.admin, mine.id, NULL), ERR_CONFLICT);
	F.admin.detail = NULL;
	ok(device_retire(&F.admin, erased.id)); /* asked for by a person, and then needed by an erasure */
	ok(db_write(&F.admin, retire_for_erasure, &erased.id));
	refused(device_cancel(&F.admin, erased.id, NULL), ERR_CONFLICT);
	F.admin.detail = NULL;
	struct machine desk = new_machine(true, true); /* a wipe in its place is relied on, too */
	ok(db_write(&F.admin, retire_for_erasure, &desk.id));
	ok(device_wipe(&F.admin, desk.id, NULL));
	refused(device_cancel(&F.admin, desk.id, NULL), ERR_CONFLICT);
	F.admin.detail = NULL;
	ok(device_retire(&F.admin, late.id));
	ok(db_write(&F.admin, to_suppressed, &late.id));
	no_event(refused(device_cancel(&F.admin, late.id, NULL), ERR_CONFLICT));
	F.admin.detail = NULL;
	assert_string_equal(action_state_of(late.id, "retire"), "pending"); /* nothing changed */
}

/* ---- later, never, too late ---- */

static void later_is_asked_again_and_no_failure(void **state)
{
	struct machine m = new_machine(false, true);
	ok(device_retire(&F.admin, m.id));
	struct id action = checkin(&m, NULL, NULL, 0).actions[0].action;
	one_event(ACT_ACTION_RESULT, ok(try_report(&m, action, ACTION_notNow, "busy")));
	assert_string_equal(device_text(m.id, "management_state"), "retireIssued" /* still */);
	no_event(ok(try_report(&m, action, ACTION_notNow, "busy")));
	struct checkin_answer a;
	no_event(a = checkin(&m, NULL, NULL, 0));
	assert_int_equal(a.action_n, 1);
	assert_true(id_equal(a.actions[0].action, action));
	no_event(ok(device_retire(&F.admin, m.id))); /* it is open */
	ok(try_report(&m, action, ACTION_done, NULL));
	assert_string_equal(action_state_of(m.id, "retire"), "done");
}

static void tick(void)
{
	struct scope s;
	scope_system(&s, F.d.arena, F.d.db, F.keeper);
	s.now = F.now;
	ok_in(&s, action_clock_run(&s));
}

static void silence_shows_and_expiry_leaves_the_duty(void **state)
{
	struct machine silent = new_machine(false, true), seen = new_machine(false, true);
	ok(device_retire(&F.admin, silent.id));
	ok(device_retire(&F.admin, seen.id));
	checkin(&seen, NULL, NULL, 0);
	wait_us(2 * DAY_US);
	int64_t before = events(&F.admin, ACT_ACTION_SILENT);
	tick();
	assert_null(action_text(silent.id, "retire", "outcome"));
	wait_us(DAY_US + SECOND_US);
	tick();
	assert_string_equal(action_text(silent.id, "retire", "outcome"), "neverSeen");
	assert_null(action_text(seen.id, "retire", "outcome"));
	int64_t once = events(&F.admin, ACT_ACTION_SILENT);
	assert_true(once > before);
	tick();
	assert_int_equal(events(&F.admin, ACT_ACTION_SILENT), once);
	settings("{\"actionExpiryDays\":4}");
	wait_us(DAY_US);
	tick();
	settings("{\"actionExpiryDays\":0}");
	assert_string_equal(action_text(silent.id, "retire", "outcome"), "expired");
	assert_string_equal(action_state_of(silent.id, "retire"), "canceled");
	assert_string_equal(device_text(seen.id, "management_state"), "retireCanceled");
	assert_string_equal(duty_state_of(silent.id), "received"); /* deletion never waits for a device */
}

/* ---- come back ---- */

static bool come_back(const struct machine *m)
{
	struct checkin_answer a;
	struct scope s = scope_of_machine(m);
	refused(try_checkin(m, NULL, NULL, 0, &a), ERR_UNAUTHENTICATED);
	return device_returned(&s, m->fingerprint);
}

static void a_wiped_device_that_checks_in_was_not_wiped(void **state)
{
	struct machine m = new_machine(true, true);
	ok(device_wipe(&F.admin, m.id, NULL));
	struct id action = checkin(&m, NULL, NULL, 0).actions[0].action;
	ok(try_report(&m, action, ACTION_done, NULL));
	one_event(ACT_DEVICE_RETURNED, assert_true(come_back(&m)));
	assert_string_equal(action_state_of(m.id, "wipe"), "failed");
	assert_string_equal(action_text(m.id, "wipe", "outcome"), "returned");
	assert_string_equal(device_text(m.id, "management_state"), "wipeFailed");
	wait_us(2 * MINUTE_US);
	no_event(assert_false(come_back(&m))); /* said once */
	no_event(refused(device_wipe(&F.admin, m.id, NULL), ERR_CONFLICT)); /* it has no credential to be told with */
	F.admin.detail = NULL;
}

static void a_certificate_that_was_renewed_is_no_return(void **state)
{
	struct machine m = new_machine(true, true), old = m;
	struct scope s = scope_of_machine(&m);
	struct issued_certificate c;
	ok_in(&s, device_renew(&s, m.id, m.fingerprint, new_csr(), &c));
	memcpy(m.fingerprint, c.fingerprint, sizeof m.fingerprint);
	checkin(&m, NULL, NULL, 0);
	no_event(assert_false(come_back(&old)));
	assert_string_equal(device_text(m.id, "management_state"), "managed");
}

static enum err suppress_certificate(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct machine *m = arg;
	uint8_t reference[32];
	keeper_reference(s->keeper, "object", m->fingerprint, 32, reference);
	TRY(db_exec_text(tx, DB_REACH_TENANT, "INSERT INTO suppressions (tenant_id, reference, created_at, expires_at) VALUES (?1, ?2, ?3, ?4)",
			 (struct db_value[]){db_v_blob(reference, 32), db_v_int(s->now), db_v_int(s->now + DAY_US)}, 3, NULL));
	struct db_value device = db_v_id(&m->id);
	TRY(db_exec_text(tx, DB_REACH_TENANT, "DELETE FROM device_certificates WHERE tenant_id = ?1 AND device_id = ?2", &device, 1, NULL));
	TRY(db_exec_text(tx, DB_REACH_TENANT, "DELETE FROM device_actions WHERE tenant_id = ?1 AND device_id = ?2", &device, 1, NULL));
	return db_exec_text(tx, DB_REACH_TENANT, "DELETE FROM managed_devices WHERE tenant_id = ?1 AND device_id = ?2", &device, 1, NULL);
}

static void one_whose_rows_are_gone_is_known_by_its_certificate(void **state)
{
	struct machine m = new_machine(true, true);
	ok(device_wipe(&F.admin, m.id, NULL));
	ok(try_report(&m, checkin(&m, NULL, NULL, 0).actions[0].action, ACTION_done, NULL));
	ok(db_write(&F.admin, suppress_certificate, &m));
	one_event(ACT_DEVICE_RETURNED, assert_true(come_back(&m)));
	wait_us(2 * MINUTE_US);
	no_event(assert_false(come_back(&m)));
	struct machine stranger = {.id = id_new(F.now), .fingerprint = {7}};
	no_event(assert_false(come_back(&stranger)));
}

/* ---- delete, limits, bursts ---- */

static void a_delete_is_on_record_beside_what_it_queued(void **state)
{
	struct machine m = new_machine(true, true);
	ok(device_delete(&F.admin, m.id));
	assert_string_equal(action_state_of(m.id, "delete"), "done");
	assert_string_equal(action_text(m.id, "retire", "asked_as"), "delete");
	assert_string_equal(action_state_of(m.id, "retire"), "pending");
}

static void a_day_has_its_limits_over_every_way_in(void **state)
{
	wait_us(DAY_US); /* what other tests asked for was yesterday */
	struct machine m[4];
	for (size_t i = 0; i < 4; i++)
		m[i] = new_machine(true, true);
	settings("{\"retiresPerDay\":2,\"wipesPerDay\":1,\"deletesPerDay\":1}");
	ok(device_retire(&F.admin, m[0].id));
	no_event(ok(device_retire(&F.admin, m[0].id))); /* changes nothing, so it counts for nothing */
	ok(device_delete(&F.admin, m[1].id));           /* a delete, although it queues a retire */
	no_event(refused(device_delete(&F.admin, m[2].id), ERR_DAILY_LIMIT));
	F.admin.detail = NULL;
	ok(device_retire(&F.admin, m[2].id));
	no_event(refused(device_retire(&F.admin, m[3].id), ERR_DAILY_LIMIT));
	F.admin.detail = NULL;
	assert_string_equal(device_text(m[3].id, "management_state"), "managed");
	ok(device_wipe(&F.admin, m[3].id, NULL));
	refused(device_wipe(&F.admin, m[0].id, NULL), ERR_DAILY_LIMIT);
	F.admin.detail = NULL;
	struct machine own = new_machine(false, true);
	struct scope s = scope_of_machine(&own);
	struct id action;
	ok_in(&s, device_leave(&s, own.id, own.fingerprint, &action)); /* nobody's limit keeps a person */
	ok(db_write(&F.admin, retire_for_erasure, &(struct id){0}) == ERR_NOT_FOUND ? OK : ERR_INTERNAL);
	F.admin.detail = NULL;
	wait_us(DAY_US);
	ok(device_delete(&F.admin, m[2].id));
	assert_int_equal(action_limit_retry_after(10 * DAY_US + 1), 86400);
	assert_int_equal(action_limit_retry_after(11 * DAY_US - SECOND_US), 1);
	settings("{\"retiresPerDay\":1000,\"wipesPerDay\":500,\"deletesPerDay\":1000}");
}

static void many_at_once_raise_one_alarm(void **state)
{
	struct machine m[6];
	wait_us(2 * DAY_US);
	settings("{\"actionBurstCount\":3,\"actionBurstPercent\":2}");
	for (size_t i = 0; i < 6; i++)
		m[i] = new_machine(true, true);
	F.admin.actor = (struct actor){.type = ACTOR_APPLICATION, .id = id_new(F.now), .name = "bulk"};
	struct actor one = F.admin.actor;
	int64_t before = events(&F.admin, ACT_ACTION_BURST);
	for (size_t i = 0; i < 3; i++)
		ok(device_retire(&F.admin, m[i].id));
	assert_int_equal(events(&F.admin, ACT_ACTION_BURST), before);
	ok(device_delete(&F.admin, m[3].id));
	assert_int_equal(events(&F.admin, ACT_ACTION_BURST), before + 1);
	ok(device_delete(&F.admin, m[4].id));
	assert_int_equal(events(&F.admin, ACT_ACTION_BURST), before + 1); /* once an hour */
	uint64_t bursts;
	struct scope s;
	scope_system(&s, F.d.arena, F.d.db, F.keeper);
	s.now = F.now;
	ok_in(&s, action_limit_bursts(&s, &bursts));
	assert_int_equal(bursts, 1);
	wait_us(HOUR_US + SECOND_US);
	F.admin.actor = one;
	settings("{\"actionBurstPercent\":100}"); /* more than all devices: never */
	for (size_t i = 0; i < 5; i++)
		ok(device_retire(&F.admin, new_machine(true, true).id));
	assert_int_equal(events(&F.admin, ACT_ACTION_BURST), before + 1);
	settings("{\"actionBurstCount\":10,\"actionBurstPercent\":2}");
}

/* ---- preview ---- */

static json_t *preview(struct id device, const char *action)
{
	auto_buf out;
	struct json_writer w;
	buf_init(&out, 1 << 16);
	jw_init(&w, &out);
	jw_object(&w);
	ok(action_preview_write(&F.admin, device, action, &w));
	jw_end_object(&w);
	return body_of(out.data);
}

static bool names(const json_t *list, const char *what)
{
	size_t i;
	json_t *v;
	json_array_foreach ((json_t *)list, i, v)
		if (strcmp(json_string_value(json_object_get(v, "what")), what) == 0)
			return true;
	return false;
}

static void a_preview_names_what_is_left(void **state)
{
	struct machine mine = new_machine(false, true), company = new_machine(true, true);
	auto_json *wipe = preview(company.id, "wipe");
	assert_true(json_is_true(json_object_get(wipe, "supported")));
	assert_true(names(json_object_get(wipe, "residues"), "biosPassword"));
	assert_false(names(json_object_get(wipe, "residues"), "personalFiles"));
	assert_true(names(json_object_get(wipe, "effects"), "personalFiles"));
	assert_int_equal(json_array_size(json_object_get(wipe, "parameters")), 6);
	auto_json *no = preview(mine.id, "wipe");
	assert_true(json_is_false(json_object_get(no, "supported")));
	assert_non_null(strstr(json_string_value(json_object_get(no, "reason")), "retire"));
	auto_json *delete = preview(mine.id, "delete");
	assert_string_equal(json_string_value(json_object_get(delete, "deviceIsTold")), "retire");
	assert_int_equal(device_count("device_actions", mine.id) + device_count("device_actions", company.id), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_by_rote_are_no_parameters),
		cmocka_unit_test(a_code_is_sealed_and_never_readable),
		cmocka_unit_test(what_is_called_back_takes_its_duty_with_it),
		cmocka_unit_test(a_device_that_had_begun_ends_all_the_same),
		cmocka_unit_test(what_others_rely_on_is_not_called_back),
		cmocka_unit_test(later_is_asked_again_and_no_failure),
		cmocka_unit_test(silence_shows_and_expiry_leaves_the_duty),
		cmocka_unit_test(a_wiped_device_that_checks_in_was_not_wiped),
		cmocka_unit_test(a_certificate_that_was_renewed_is_no_return),
		cmocka_unit_test(one_whose_rows_are_gone_is_known_by_its_certificate),
		cmocka_unit_test(a_delete_is_on_record_beside_what_it_queued),
		cmocka_unit_test(a_day_has_its_limits_over_every_way_in),
		cmocka_unit_test(many_at_once_raise_one_alarm),
		cmocka_unit_test(a_preview_names_what_is_left),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, fixture_up, fixture_down);
}
