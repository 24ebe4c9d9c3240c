/* SPDX-License-Identifier: Apache-2.0
 * A closed tenant goes on its day, whole or without its directory, and the other one does not notice. */
#include "fixture.h"

#include "audit/log/log.h"
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

static char *archive_path(void)
{
	char *text = NULL;
	FILE *f = popen(arena_printf(F.d.arena, "ls %s/archives/*.zip 2>/dev/null", F.dir), "re");
	char line[256] = "";
	if (f != NULL && fgets(line, sizeof line, f) != NULL)
		text = arena_strndup(F.d.arena, line, strcspn(line, "\n"));
	pclose(f);
	return text;
}

static int64_t of_installation(const char *sql) { return ask(installation, sql, db_v_null()).ret; }

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
		assert_true(F.eve.canary[i].sealed || on_disk(F.eve.canary[i].text));
}

/* The operator has the log as a file before it goes, and the installation's log says so. */
static void test_its_log_is_archived(void **state)
{
	size_t n, events_n;
	uint8_t sha[SHA256_BYTES];
	char hex[2 * SHA256_BYTES + 1], day[TIME_TEXT], id[ID_TEXT], *events;
	close_first();
	F.now += 121 * DAY_US;
	run_erasure();
	assert_int_equal(rows_of_first(), 0);
	char *path = archive_path();
	assert_non_null(path);
	assert_string_equal(path, arena_printf(F.d.arena, "%s/archives/%s-%.10s.zip", F.dir, id_format(F.tenant, id), time_format(F.now, day)));
	char *bytes = slurp(path, &n);
	sha256(bytes, n, sha);
	free(bytes);
	hex_encode(sha, sizeof sha, hex);
	ok_in(NULL, zip_read(path, "events/000", 10 * MIB, &events, &events_n));
	assert_non_null(strstr(events, "close Tenant"));
	free(events);
	assert_int_equal(of_installation("SELECT count(*) FROM audit_exports WHERE tenant_id = ?1 AND format = 'archive' AND status = 'completed'"), 1);
	assert_int_equal(of_installation("SELECT size_bytes FROM audit_exports WHERE tenant_id = ?1"), (int64_t)n);
	/* 180 days after the closing */
	assert_int_equal(of_installation("SELECT expires_at FROM audit_exports WHERE tenant_id = ?1"), F.now + 59 * DAY_US);
	assert_int_equal(ask(installation, "SELECT count(*) FROM audit_exports WHERE tenant_id = ?1 AND of_tenant = ?2", db_v_id(&F.tenant)).ret, 1);
	char *event = ask(installation, F.d.engine == DB_SQLITE ? "SELECT CAST(bytes AS TEXT) FROM audit_events WHERE tenant_id = ?1 AND activity_type = ?2"
							 : "SELECT convert_from(bytes, 'UTF8') FROM audit_events WHERE tenant_id = ?1 AND activity_type = ?2",
			  db_v_text("archive AuditLog")).text;
	assert_non_null(strstr(event, hex));
	assert_non_null(strstr(event, arena_printf(F.d.arena, HOST "/log/%s\\n", id))); /* the last checkpoint */
}

static void test_without_room_it_waits_until_the_last_day(void **state)
{
	close_first();
	assert_int_equal(system(arena_printf(F.d.arena, "touch %s/archives", F.dir)), 0); /* a file where the folder belongs */
	F.now += 121 * DAY_US;
	run_erasure();
	int64_t left = ask(F.tenant, "SELECT count(*) FROM audit_events WHERE tenant_id = ?1", db_v_null()).ret;
	assert_true(left > 0);
	F.now += 30 * DAY_US;
	run_erasure();
	assert_true(ask(F.tenant, "SELECT count(*) FROM audit_events WHERE tenant_id = ?1", db_v_null()).ret >= left); /* alarms of the duty */
	assert_int_equal(of_installation("SELECT count(*) FROM audit_exports WHERE tenant_id = ?1"), 0);
	F.now += 28 * DAY_US + 12 * HOUR_US; /* day 179.5 */
	run_erasure();
	assert_int_equal(rows_of_first(), 0);
	assert_int_equal(of_installation("SELECT count(*) FROM audit_exports WHERE tenant_id = ?1 AND status = 'failed'"), 1);
	assert_int_equal(ask(installation, "SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND activity_type = ?2 AND result = 'Failure'",
			     db_v_text("archive AuditLog")).ret, 1);
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
		sequence_logs();
		steps++;
	}
	run_erasure();
	assert_true(steps > 8 && steps < 300);
	assert_int_equal(rows_of_first(), 0);
	assert_int_equal(ask(installation, "SELECT count(*) FROM certificates WHERE tenant_id = ?1", db_v_null()).ret,
			 1);
	assert_int_equal(of_installation("SELECT count(*) FROM audit_exports WHERE tenant_id = ?1"), 1);
	assert_int_equal(system(arena_printf(F.d.arena, "test $(ls %s/archives | wc -l) = 1", F.dir)), 0);
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
	ok_in(&operator_, subscription_set(&operator_, F.tenant, &(struct subscription_order){.product = "mail", .status = "Enabled"}));
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

static int64_t retires(void)
{
	return ask(F.tenant, "SELECT count(*) FROM device_actions WHERE tenant_id = ?1 AND action_name = 'retire'", db_v_null()).ret;
}

static void retire_devices(int64_t now)
{
	bool more;
	F.now = now;
	struct scope s = system_scope();
	ok_in(&s, erasure_retire_devices(&s, &more));
}

/* A grace before the purge, once; the certificate counts who never confirmed. */
static void test_devices_are_told_first(void **state)
{
	int64_t closed = F.now, before = retires();
	int64_t devices = ask(F.tenant, "SELECT count(*) FROM managed_devices d WHERE d.tenant_id = ?1 AND EXISTS (SELECT 1 FROM device_certificates c "
				       "WHERE c.tenant_id = ?1 AND c.device_id = d.device_id AND c.revoked_at IS NULL AND c.expires_at > ?2)",
			      db_v_int(closed + 113 * DAY_US)).ret;
	close_first();
	retire_devices(closed + 112 * DAY_US);
	assert_int_equal(retires(), before);
	retire_devices(closed + 113 * DAY_US + SECOND_US);
	assert_true(retires() >= before && retires() <= before + devices);
	int64_t asked = retires();
	retire_devices(F.now + MINUTE_US);
	assert_int_equal(retires(), asked);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM tenants WHERE tenant_id = ?1 AND devices_retire_at IS NULL", db_v_null()).ret, 1);
	F.now = closed + 121 * DAY_US;
	run_erasure();
	assert_int_equal(rows_of_first(), 0);
}

/* Device management goes, comes back, and goes again. */
static void test_twice(void **state)
{
	struct scope operator_ = scope_of(installation);
	ok_in(&operator_, subscription_set(&operator_, F.tenant, &(struct subscription_order){.product = "mail", .status = "Enabled"}));
	for (int i = 1; i <= 2; i++) {
		close_first();
		F.now += 121 * DAY_US;
		run_erasure();
		assert_string_equal(ask(F.tenant, "SELECT state FROM tenants WHERE tenant_id = ?1", db_v_null()).text, "active");
		assert_int_equal(ask(F.tenant, "SELECT count(*) FROM users WHERE tenant_id = ?1", db_v_null()).ret, 2);
		assert_int_equal(ask(F.tenant, "SELECT count(*) FROM duties WHERE tenant_id = ?1 AND trigger_name = 'tenantClose' AND state IN ('scrubbed', "
					       "'copies_gone')", db_v_null()).ret, i);
		operator_ = scope_of(installation);
		ok_in(&operator_, subscription_set(&operator_, F.tenant,
						   &(struct subscription_order){.product = PRODUCT_DEVICE_MANAGEMENT, .status = "Enabled"}));
	}
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
		T(test_its_log_is_archived),
		T(test_without_room_it_waits_until_the_last_day),
		T(test_every_step_may_be_the_last),
		T(test_a_duty_under_way_goes_with_it),
		T(test_its_directory_stays_for_another_product),
		T(test_devices_are_told_first),
		T(test_twice),
		T(test_the_same_person_elsewhere_stays),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
