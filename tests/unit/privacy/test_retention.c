/* SPDX-License-Identifier: Apache-2.0
 * What runs out goes at its time, with its event where it is a change, and nothing else goes. */
#include "fixture.h"

#include "privacy/retention.h"

static void expire(void)
{
	for (bool more = true; more;) {
		struct scope s = system_scope();
		ok_in(&s, retention_expire(&s, &more));
	}
}

static int64_t rows_of(const char *table, const struct person *p)
{
	return ask(p->tenant, arena_printf(F.d.arena, "SELECT count(*) FROM %s WHERE tenant_id = ?1 AND user_id = ?2", table), db_v_id(&p->user)).ret;
}

static int64_t expiries_told(const struct person *p)
{
	return ask(p->tenant, "SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND activity_type = 'expire DataSubjectRequest' AND subject_id = ?2",
		   db_v_id(&p->user)).ret;
}

static void test_a_case_goes_with_what_was_decided_for_it(void **state)
{
	run_sql(F.tenant, "UPDATE disclosure_decisions SET request_id = (SELECT r.request_id FROM data_subject_requests r WHERE r.tenant_id = ?1 AND "
			  "r.user_id = ?2) WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&F.ann.user));
	run_sql(F.tenant, "UPDATE data_subject_requests SET expires_at = 1 WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&F.ann.user));
	char *bob = dump_of(F.tenant, &F.bob), *eve = dump_of(F.other, NULL);
	expire();
	expire();
	assert_int_equal(rows_of("data_subject_requests", &F.ann), 0);
	assert_int_equal(rows_of("disclosure_decisions", &F.ann), 0);
	assert_int_equal(rows_of("letters", &F.ann), 1); /* has a time of its own */
	assert_int_equal(expiries_told(&F.ann), 1);
	assert_string_equal(dump_of(F.tenant, &F.bob), bob);
	assert_string_equal(dump_of(F.other, NULL), eve);
}

static void test_each_class_has_its_time(void **state)
{
	run_sql(F.tenant, "UPDATE data_subject_requests SET expires_at = NULL WHERE tenant_id = ?1", db_v_null()); /* open */
	F.now += 21 * DAY_US; /* the fixture's rows expire on day 20 */
	expire();
	assert_int_equal(rows_of("letters", &F.ann), 0);
	assert_int_equal(rows_of("enrollment_tokens", &F.ann), 1);
	assert_int_equal(rows_of("data_subject_requests", &F.ann), 1);
	assert_int_equal(rows_of("data_subject_requests", &F.eve), 0);
	assert_int_equal(expiries_told(&F.eve), 1);
	assert_int_equal(rows_of("disclosure_decisions", &F.ann), 1);
	F.now += 30 * DAY_US;
	expire();
	assert_int_equal(rows_of("enrollment_tokens", &F.ann), 0);
	assert_int_equal(rows_of("data_subject_requests", &F.ann), 1);
	assert_int_equal(rows_of("data_policy_operations", &F.ann), 1); /* its file goes first (export.h) */
}

static void test_restriction_holds_it(void **state)
{
	run_sql(F.tenant, "UPDATE users SET restricted_at = 1 WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&F.ann.user));
	char *ann = dump_of(F.tenant, &F.ann);
	F.now += 60 * DAY_US;
	expire();
	assert_string_equal(dump_of(F.tenant, &F.ann), ann);
	assert_int_equal(rows_of("letters", &F.bob), 0);
	assert_int_equal(rows_of("data_subject_requests", &F.bob), 0);
	run_sql(F.tenant, "UPDATE users SET restricted_at = NULL WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&F.ann.user));
	expire();
	assert_int_equal(rows_of("letters", &F.ann), 0);
	assert_int_equal(expiries_told(&F.ann), 1);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, fixture_up, fixture_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_case_goes_with_what_was_decided_for_it),
		T(test_each_class_has_its_time),
		T(test_restriction_holds_it),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
