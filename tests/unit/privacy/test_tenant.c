/* SPDX-License-Identifier: Apache-2.0
 * A closed tenant goes on its day, whole or without its directory, and the other one does not notice. */
#include "fixture.h"

#include "audit/audit_log.h"
#include "directory/tenant.h"

static const struct id installation;

static void close_first(void)
{
	struct scope operator_ = scope_of(installation);
	ok_in(&operator_, tenant_close(&operator_, F.tenant));
}

static int64_t rows_of_first(void)
{
	size_t n;
	int64_t sum = 0;
	const struct map_table *t = map_tables(&n);
	for (size_t i = 0; i < n; i++)
		if (map_column(t[i].name, "tenant_id") != NULL)
			sum += ask_all(
				arena_printf(F.d.arena, "SELECT count(*) FROM %s WHERE tenant_id = ?1", t[i].name),
				db_v_id(&F.tenant));
	return sum;
}

static void test_nothing_before_its_day(void **state)
{
	close_first();
	int64_t before = rows_of_first();
	F.now += 119 * DAY_US;
	run_erasure();
	assert_true(rows_of_first() >= before);
	assert_int_equal(duties_in(F.tenant, "scheduled"), 1);
}

static void test_it_goes_whole(void **state)
{
	char *eve = dump_of(F.other, NULL);
	close_first();
	F.now += 121 * DAY_US;
	run_erasure();
	assert_int_equal(rows_of_first(), 0);
	assert_string_equal(dump_of(F.other, NULL), eve);
	assert_int_equal(ask(installation, "SELECT count(*) FROM certificates WHERE tenant_id = ?1", db_v_null()).ret,
			 1);
	assert_int_equal(ask(installation,
			     "SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND activity_type = ?2",
			     db_v_text("certify ErasureDuty"))
				 .ret,
			 1);
	if (F.d.engine != DB_SQLITE)
		return;
	for (size_t i = 0; i < F.ann.n; i++)
		assert_false(on_disk(F.ann.canary[i].text)); /* its log went too */
	for (size_t i = 0; i < F.eve.n; i++)
		assert_true(on_disk(F.eve.canary[i].text));
}

static void test_every_step_may_be_the_last(void **state)
{
	bool more = true;
	int steps = 0;
	close_first();
	F.now += 121 * DAY_US;
	while (more && steps < 300) {
		struct scope s = system_scope();
		ok_in(&s, erasure_run_steps(&s, F.dir, HOST, 1, &more));
		fixture_reopen(&F.d, db_migrations);
		steps++;
	}
	assert_true(steps > 8 && steps < 300);
	assert_int_equal(rows_of_first(), 0);
	assert_int_equal(ask(installation, "SELECT count(*) FROM certificates WHERE tenant_id = ?1", db_v_null()).ret,
			 1);
}

static void test_a_duty_under_way_goes_with_it(void **state)
{
	bool more;
	char *files = arena_printf(F.d.arena, "ls %s/keeper | grep -q needles", F.dir);
	close_first();
	F.now += 100 * DAY_US;
	erase_forever(&F.ann);
	for (int i = 0; i < 3; i++) {
		struct scope s = system_scope();
		ok_in(&s, erasure_run_steps(&s, F.dir, HOST, 1, &more));
	}
	assert_int_equal(system(files), 0); /* in the middle */
	F.now += 21 * DAY_US;
	run_erasure();
	assert_int_equal(rows_of_first(), 0);
	assert_int_not_equal(system(files), 0); /* no sealed identifier is left behind */
}

static void test_its_directory_stays_for_another_product(void **state)
{
	struct scope operator_ = scope_of(installation);
	char *eve = dump_of(F.other, NULL);
	ok_in(&operator_, subscription_set(&operator_, F.tenant, "mail", "Enabled"));
	close_first();
	F.now += 121 * DAY_US;
	run_erasure();
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM users WHERE tenant_id = ?1", db_v_null()).ret, 2);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM managed_devices WHERE tenant_id = ?1", db_v_null()).ret,
			 0);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM enrollment_tokens WHERE tenant_id = ?1", db_v_null()).ret,
			 0);
	assert_string_equal(ask(F.tenant, "SELECT state FROM tenants WHERE tenant_id = ?1", db_v_null()).text,
			    "active");
	assert_string_equal(ask(F.tenant, "SELECT status FROM subscriptions WHERE tenant_id = ?1 AND product = ?2",
				db_v_text(PRODUCT_DEVICE_MANAGEMENT))
				    .text,
			    "Deleted");
	assert_true(ask(F.tenant, "SELECT count(*) FROM audit_events WHERE tenant_id = ?1", db_v_null()).ret > 0);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM certificates WHERE tenant_id = ?1", db_v_null()).ret, 1);
	assert_string_equal(dump_of(F.other, NULL), eve);
}

static void test_the_same_person_elsewhere_stays(void **state)
{
	/* eve has ann's very UPN, in her own tenant */
	const char *upn = canary_of(&F.ann, "users", "upn", false);
	run_sql(F.other,
		arena_printf(F.d.arena,
			     "UPDATE users SET upn = '%s', upn_key = '%s' WHERE tenant_id = ?1 AND user_id = ?2", upn,
			     upn),
		db_v_id(&F.eve.user));
	char *eve = dump_of(F.other, NULL);
	erase_forever(&F.ann);
	run_erasure();
	assert_int_equal(duties_in(F.tenant, "scrubbed"), 2);
	assert_string_equal(dump_of(F.other, NULL), eve);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, fixture_up, fixture_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_nothing_before_its_day),
		T(test_it_goes_whole),
		T(test_every_step_may_be_the_last),
		T(test_a_duty_under_way_goes_with_it),
		T(test_its_directory_stays_for_another_product),
		T(test_the_same_person_elsewhere_stays),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
