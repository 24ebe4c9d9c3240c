/* SPDX-License-Identifier: Apache-2.0
 * Erasure of a person: nothing of them is left but what must be, and nothing of anybody else is touched (I6, I8). */
#include "fixture.h"

#include "devices/request.h"
#include "privacy/subject.h"

static bool raw_scans(void) { return F.d.engine == DB_SQLITE; }

/* Columns that the audit log carries by the events of the deletion itself. */
static bool in_events(const struct canary *k)
{
	return (strcmp(k->column->table, "users") == 0 && strcmp(k->column->name, "display_name") == 0) ||
	       (strcmp(k->column->table, "managed_devices") == 0 && strcmp(k->column->name, "device_name") == 0 &&
		!k->company);
}

/* What a row that stays (a company device's, in a table that is not simply deleted) keeps. */
static bool stays(const struct canary *k)
{
	const struct map_table *t = map_table(k->column->table);
	if (t->erase == MAP_TABLE_OWED)
		return true; /* both devices have not confirmed a removal: the personal one owes its retire */
	bool no_device = map_column(t->name, "device_id") == NULL;
	return (k->company || no_device) && t->erase != MAP_TABLE_DELETE && k->column->erase == MAP_ERASE_KEEP;
}

/* And those stand in no page but the log's. */
static void assert_in_log_only(const struct canary *k)
{
	struct db_needle needle = {.p = k->text, .n = strlen(k->text)};
	struct db_hit *hits;
	size_t n;
	struct scope s = system_scope();
	ok_in(&s, db_scan_tables(F.d.db, F.d.arena, &needle, 1, &hits, &n));
	for (size_t i = 0; i < n; i++)
		assert_string_equal(hits[i].table, "audit_events");
}

static void assert_gone(const struct person *p)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct canary *k = &p->canary[i];
		if (in_events(k))
			assert_in_log_only(k);
		else if (!k->sealed && on_disk(k->text) != stays(k))
			fail_msg("%s: %s", k->text, stays(k) ? "should be there" : "is still on disk");
	}
}

static void assert_there(const struct person *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (!p->canary[i].sealed && !on_disk(p->canary[i].text))
			fail_msg("%s is gone", p->canary[i].text);
}

static void test_the_canaries_are_seen(void **state)
{
	/* the scans below mean something only if they find what is there */
	assert_true(F.ann.n > 40);
	if (raw_scans())
		assert_there(&F.ann);
}

static void test_one_person_goes_and_nobody_else(void **state)
{
	char *bob = dump_of(F.tenant, &F.bob), *eve = dump_of(F.other, NULL);
	erase_forever(&F.ann);
	run_erasure();
	assert_int_equal(duties_in(F.tenant, "scrubbed"), 2); /* the person's and the personal device's */
	assert_int_equal(
		ask(F.tenant, "SELECT count(*) FROM users WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&F.ann.user))
			.ret,
		0);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM managed_devices WHERE tenant_id = ?1 AND device_id = ?2",
			     db_v_id(&F.ann.personal))
				 .ret,
			 0);
	assert_int_equal(
		ask(F.tenant,
		    "SELECT count(*) FROM managed_devices WHERE tenant_id = ?1 AND device_id = ?2 AND user_id IS NULL",
		    db_v_id(&F.ann.company))
			.ret,
		1);
	assert_string_equal(dump_of(F.tenant, &F.bob), bob);
	assert_string_equal(dump_of(F.other, NULL), eve);
	if (raw_scans()) {
		assert_gone(&F.ann);
		assert_there(&F.bob);
		assert_there(&F.eve);
	}
}

static void test_the_subjects_id_is_in_the_log_only(void **state)
{
	if (!raw_scans())
		skip();
	erase_forever(&F.ann);
	run_erasure();
	struct db_needle needle = {.p = F.ann.user.b, .n = sizeof F.ann.user.b};
	struct db_hit *hits;
	size_t n;
	struct scope s = system_scope();
	ok_in(&s, db_scan_tables(F.d.db, F.d.arena, &needle, 1, &hits, &n));
	assert_int_equal(n, 1);
	assert_string_equal(hits[0].table, "audit_events");
}

/* ---- where a person stands in rows of others ---- */

static bool of_others(const struct map_path *p) { return p->role != MAP_ROLE_OWNER && map_table(p->table)->link != MAP_LINK_AUDIT; }

/* Bob's rows say that ann did it (or nobody); of tables that are nobody's, ann gets a row of her own. */
static void did_it(const char *who)
{
	size_t n;
	const struct map_path *p = map_paths(&n);
	for (size_t i = 0; i < n; i++) {
		const struct map_table *t = map_table(p[i].table);
		if (!of_others(&p[i]) || t->link == MAP_LINK_NONE)
			continue;
		const char *of_bob = t->link == MAP_LINK_USER ? "user_id = ?2"
				     : "device_id IN (SELECT d.device_id FROM managed_devices d WHERE d.tenant_id = ?1 AND d.user_id = ?2)";
		run_sql(F.tenant, arena_printf(F.d.arena, "UPDATE %s SET %s = %s WHERE tenant_id = ?1 AND %s", t->name, p[i].column, who, of_bob),
			db_v_id(&F.bob.user));
	}
}

static void assert_changed(json_t *tables, const char *table, int64_t found, int64_t changed)
{
	json_t *row = json_object_get(tables, table);
	if (json_integer_value(json_object_get(row, "found")) != found || json_integer_value(json_object_get(row, "changed")) != changed)
		fail_msg("%s: %s", table, json_dumps(row, 0));
}

static void test_who_acted_on_others_is_taken_out_there(void **state)
{
	size_t n;
	const struct map_table *t = map_tables(&n);
	did_it("NULL");
	char *bob = dump_of(F.tenant, &F.bob), *eve = dump_of(F.other, NULL);
	did_it(arena_printf(F.d.arena, "(SELECT u.user_id FROM users u WHERE u.tenant_id = ?1 AND u.upn = '%s')",
			    canary_of(&F.ann, "users", "upn", false)));
	assert_string_not_equal(dump_of(F.tenant, &F.bob), bob);
	for (size_t i = 0; i < n; i++)
		if (t[i].link == MAP_LINK_NONE && subject_names(&t[i]))
			plant_row(&F.ann, &t[i], false);
	erase_forever(&F.ann);
	run_erasure();
	assert_int_equal(duties_in(F.tenant, "scrubbed"), 2); /* her id would be found by the scan */
	assert_string_equal(dump_of(F.tenant, &F.bob), bob);
	assert_string_equal(dump_of(F.other, NULL), eve);
	struct question q = ask(F.tenant, "SELECT body FROM certificates c WHERE tenant_id = ?1 AND EXISTS (SELECT 1 FROM duties d WHERE "
				"d.tenant_id = ?1 AND d.certificate_id = c.certificate_id AND d.subject_type = ?2)", db_v_text("user"));
	json_t *body = json_loads(q.text, 0, NULL), *tables = json_object(), *row;
	size_t i;
	json_array_foreach(json_object_get(body, "tables"), i, row)
		json_object_set(tables, json_string_value(json_object_get(row, "table")), row);
	assert_changed(tables, "report_jobs", 1, 1);
	assert_changed(tables, "audit_exports", 1, 1);
	assert_changed(tables, "disclosure_decisions", 2, 1); /* hers went */
	assert_changed(tables, "data_subject_requests", 2, 2); /* one row of bob's names her twice: identity and decision */
	assert_changed(tables, "device_actions", 5, 3);	       /* of her devices one went, with its retire; bob's two */
	assert_string_equal(json_string_value(json_object_get(json_object_get(tables, "report_jobs"), "ground")), "recordOfOthers");
	json_decref(tables);
	json_decref(body);
}

/* What reads a person's rows never reads the tenant's. */
static void test_each_step_has_an_index(void **state)
{
	struct erase_step *steps;
	size_t n;
	struct scope s = scope_of(F.tenant);
	if (!raw_scans())
		skip(); /* PostgreSQL reads a few rows faster without */
	ok_in(&s, subject_erase_steps(&s, SUBJECT_USER, 0, &steps, &n));
	assert_true(n > 15);
	for (size_t i = 0; i < n; i++) {
		const char *plan = plan_of(F.tenant, steps[i].count, db_v_id(&F.ann.user));
		if (strstr(plan, "SCAN") != NULL)
			fail_msg("%s\n%s", steps[i].count, plan);
	}
}

static void test_scan_names_the_table(void **state)
{
	if (!raw_scans())
		skip();
	const char *text = canary_of(&F.bob, "detected_apps", "name", true);
	struct db_needle needle = {.p = text, .n = strlen(text)};
	struct db_hit *hits;
	size_t n;
	struct scope s = system_scope();
	ok_in(&s, db_scan_tables(F.d.db, F.d.arena, &needle, 1, &hits, &n));
	assert_int_equal(n, 1);
	assert_string_equal(hits[0].table, "detected_apps");
	assert_int_equal(hits[0].hits, 3); /* the row, its key's index and the index by name */
}

/* ---- stopped anywhere ---- */

static void test_every_step_may_be_the_last(void **state)
{
	bool more = true;
	int steps = 0;
	erase_forever(&F.ann);
	while (more && steps < 200) {
		struct scope s = system_scope();
		ok_in(&s, erasure_run_steps(&s, F.dir, HOST, 1, &more));
		fixture_reopen(&F.d, db_migrations); /* as after a kill: only what is on disk is left */
		steps++;
	}
	assert_true(steps > 10 && steps < 200);
	assert_int_equal(duties_in(F.tenant, "scrubbed"), 2);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM certificates WHERE tenant_id = ?1", db_v_null()).ret, 2);
	assert_int_equal(keeper_ledger_size(F.keeper), 2);
	if (raw_scans())
		assert_gone(&F.ann);
}

static void test_counts_are_those_of_the_plan(void **state)
{
	erase_forever(&F.ann);
	run_erasure();
	struct question q = ask(F.tenant, "SELECT result FROM duties WHERE tenant_id = ?1 AND subject_type = ?2",
				db_v_text("user"));
	json_t *result = json_loads(q.text, 0, NULL),
	       *users = json_object_get(json_object_get(result, "tables"), "users");
	json_t *devices = json_object_get(json_object_get(result, "tables"), "managed_devices");
	assert_int_equal(json_integer_value(json_object_get(users, "found")), 1);
	assert_int_equal(json_integer_value(json_object_get(users, "deleted")), 1);
	assert_int_equal(json_integer_value(json_object_get(devices, "found")), 2);
	assert_int_equal(json_integer_value(json_object_get(devices, "deleted")), 1);
	assert_int_equal(json_integer_value(json_object_get(devices, "changed")), 1);
	json_decref(result);
}

static void test_preview_changes_nothing(void **state)
{
	auto_buf out;
	struct json_writer w;
	struct scope s = scope_of(F.tenant);
	char *before = dump_of(F.tenant, NULL);
	buf_init(&out, MIB);
	jw_init(&w, &out);
	jw_object(&w);
	ok_in(&s, erasure_preview(&s, SUBJECT_USER, F.ann.user, &w));
	jw_end_object(&w);
	assert_non_null(strstr(out.data, "\"table\":\"users\""));
	assert_non_null(strstr(out.data, "\"ground\":\"companyDevice\""));
	assert_string_equal(dump_of(F.tenant, NULL), before);
	refused(erasure_preview(&s, SUBJECT_USER, F.eve.user, &w), ERR_NOT_FOUND); /* of another tenant */
}

/* The device reports when its own row has just gone; it has no duty of its own that would look again. */
static void test_a_late_report_goes_too(void **state)
{
	bool more = true, late = false;
	const char *device = "SELECT count(*) FROM managed_devices WHERE tenant_id = ?1 AND device_id = ?2";
	const char *apps = "SELECT count(*) FROM detected_apps WHERE tenant_id = ?1 AND device_id = ?2";
	run_sql(F.tenant, "UPDATE device_certificates SET expires_at = 1 WHERE tenant_id = ?1 AND device_id = ?2",
		db_v_id(&F.ann.personal));
	erase_forever(&F.ann);
	for (int i = 0; more && i < 200; i++) {
		struct scope s = system_scope();
		ok_in(&s, erasure_run_steps(&s, F.dir, HOST, 1, &more));
		if (late || ask(F.tenant, device, db_v_id(&F.ann.personal)).ret > 0)
			continue;
		late = true;
		run_sql(F.tenant,
			"INSERT INTO detected_apps (tenant_id, device_id, name, version) VALUES (?1, ?2, 'late', '1')",
			db_v_id(&F.ann.personal));
	}
	assert_true(late);
	assert_int_equal(ask(F.tenant, apps, db_v_id(&F.ann.personal)).ret, 0);
	assert_int_equal(duties_in(F.tenant, "scrubbed"), 1);
}

static void test_nothing_of_many_rows_is_left_in_the_file(void **state)
{
	if (!raw_scans())
		skip();
	for (int i = 0; i < 1000; i++)
		run_sql(F.tenant,
			arena_printf(F.d.arena,
				     "INSERT INTO detected_apps (tenant_id, device_id, name, version) VALUES (?1, ?2, "
				     "'app %d %0900d', '1')",
				     i, i),
			db_v_id(&F.ann.personal));
	fixture_reopen(&F.d, db_migrations);
	assert_true(on_disk("app 999 0000"));
	erase_forever(&F.ann);
	run_erasure(); /* 1000 rows are five batches */
	for (int i = 0; i < 1000; i += 111)
		assert_false(on_disk(arena_printf(F.d.arena, "app %d 0000", i)));
}

/* ---- the database loses a step that the keeper has ---- */

static void copy_file(const char *from, const char *to)
{
	assert_int_equal(system(arena_printf(F.d.arena, "cp '%s' '%s'", from, to)), 0);
}

static bool one_step(void)
{
	bool more;
	struct scope s = system_scope();
	ok_in(&s, erasure_run_steps(&s, F.dir, HOST, 1, &more));
	fixture_reopen(&F.d, db_migrations); /* empties the WAL into the file */
	return more;
}

/* Each step is done twice, the database set back between: as after a kill between the keeper's write and the commit. */
static void test_a_step_may_be_lost_by_the_database(void **state)
{
	bool more = true;
	if (!raw_scans())
		skip();
	char *copy = arena_printf(F.d.arena, "%s.copy", F.dir); /* beside it: in it the scan would find it */
	erase_forever(&F.ann);
	for (int i = 0; more && i < 200; i++) {
		fixture_reopen(&F.d, db_migrations);
		copy_file(F.d.file, copy);
		one_step();
		db_close(F.d.db);
		F.d.db = NULL;
		copy_file(copy, F.d.file);
		fixture_reopen(&F.d, db_migrations);
		more = one_step();
	}
	assert_int_equal(duties_in(F.tenant, "scrubbed"), 2);
	assert_int_equal(duties_in(F.tenant, "failed"), 0);
	assert_int_equal(keeper_ledger_size(F.keeper), 2); /* one entry a duty, however often it was tried */
	assert_int_not_equal(system(arena_printf(F.d.arena, "ls %s/keeper | grep -q needles", F.dir)), 0);
	unlink(copy);
	assert_gone(&F.ann);
}

/* ---- what the scan thinks ---- */

static void test_a_shared_name_is_no_residue(void **state)
{
	/* bob gets ann's display name: it is not hers alone */
	run_sql(F.tenant,
		arena_printf(F.d.arena, "UPDATE users SET display_name = '%s' WHERE tenant_id = ?1 AND user_id = ?2",
			     canary_of(&F.ann, "users", "display_name", false)),
		db_v_id(&F.bob.user));
	erase_forever(&F.ann);
	run_erasure();
	assert_int_equal(duties_in(F.tenant, "failed"), 0);
	assert_int_equal(duties_in(F.tenant, "scrubbed"), 2);
}

static void test_a_name_in_somebodys_text_fails_loudly(void **state)
{
	if (!raw_scans())
		skip();
	const char *upn = canary_of(&F.ann, "users", "upn", false);
	struct id group = id_new(F.now);
	run_sql(F.tenant,
		arena_printf(F.d.arena,
			     "INSERT INTO groups (tenant_id, group_id, display_name, description, created_at) "
			     "VALUES (?1, ?2, 'Help', 'ask %s', 1)",
			     upn),
		db_v_id(&group));
	erase_forever(&F.ann);
	run_erasure();
	struct question q = ask(F.tenant, "SELECT error FROM duties WHERE tenant_id = ?1 AND state = ?2",
				db_v_text("failed"));
	assert_non_null(q.text);
	assert_non_null(strstr(q.text, "users.upn"));
	assert_non_null(strstr(q.text, "groups"));
	assert_null(strstr(q.text, upn)); /* never the value itself */
	run_sql(F.tenant, "UPDATE groups SET description = NULL WHERE tenant_id = ?1 AND group_id = ?2",
		db_v_id(&group));
	struct scope s = scope_of(F.tenant);
	struct id duty;
	struct question id = ask(F.tenant, "SELECT lower(hex(duty_id)) FROM duties WHERE tenant_id = ?1 AND state = ?2",
				 db_v_text("failed"));
	assert_true(hex_decode(id.text, sizeof duty.b, duty.b));
	ok_in(&s, erasure_retry(&s, duty));
	run_erasure();
	assert_int_equal(duties_in(F.tenant, "failed"), 0);
	assert_int_equal(duties_in(F.tenant, "scrubbed"), 2);
	refused(erasure_retry(&s, duty), ERR_CONFLICT);
}

static void test_another_tenants_text_is_its_own(void **state)
{
	struct id group = id_new(F.now);
	run_sql(F.other,
		arena_printf(F.d.arena,
			     "INSERT INTO groups (tenant_id, group_id, display_name, description, created_at) "
			     "VALUES (?1, ?2, 'Help', 'ask %s', 1)",
			     canary_of(&F.ann, "users", "upn", false)),
		db_v_id(&group));
	erase_forever(&F.ann);
	run_erasure();
	assert_int_equal(duties_in(F.tenant, "failed"), 0);
	assert_int_equal(duties_in(F.tenant, "scrubbed"), 2);
}

/* ---- devices and days ---- */

/* Which machine of the organisation it was: the certificate says so. */
static bool in_certificate(const struct map_column *c)
{
	static const char *const names[] = {"manufacturer", "model", "serial_number", "asset_note"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(c->table, "managed_devices") == 0 && strcmp(c->name, names[i]) == 0)
			return true;
	return false;
}

static void test_a_device_goes_after_its_grace(void **state)
{
	struct scope s = scope_of(F.tenant);
	ok_in(&s, device_retire(&s, F.ann.company));
	F.now += 6 * DAY_US;
	run_erasure();
	assert_int_equal(duties_in(F.tenant, "received"), 1);
	F.now += 2 * DAY_US;
	run_erasure();
	assert_int_equal(duties_in(F.tenant, "scrubbed"), 1);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM managed_devices WHERE tenant_id = ?1 AND device_id = ?2",
			     db_v_id(&F.ann.company))
				 .ret,
			 0);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM managed_devices WHERE tenant_id = ?1 AND device_id = ?2",
			     db_v_id(&F.ann.personal))
				 .ret,
			 1);
	assert_int_equal(
		ask(F.tenant, "SELECT count(*) FROM users WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&F.ann.user))
			.ret,
		1);
	const char *body = ask(F.tenant, "SELECT body FROM certificates WHERE tenant_id = ?1", db_v_null()).text;
	assert_non_null(strstr(body, "\"deviceNotConfirmed\"")); /* it never came back */
	assert_non_null(strstr(body, "\"biosPassword\""));
	for (size_t i = 0; i < F.ann.n && raw_scans(); i++) {
		const struct canary *k = &F.ann.canary[i];
		bool of_device = map_column(k->column->table, "device_id") != NULL && k->company;
		bool logged = strcmp(k->column->name, "device_name") == 0; /* by the events of the retire */
		logged |= in_certificate(k->column);
		if (of_device && !logged && on_disk(k->text) != (map_table(k->column->table)->erase == MAP_TABLE_OWED))
			fail_msg("%s", k->text);
		if (!of_device && !k->sealed && !on_disk(k->text))
			fail_msg("%s is gone", k->text);
	}
}

static void test_a_device_that_owes_keeps_its_certificate_only(void **state)
{
	erase_forever(&F.ann);
	run_erasure();
	const char *owing =
		"SELECT count(*) FROM device_certificates WHERE tenant_id = ?1 AND device_id = ?2 AND owed_name = "
		"'retire' AND revoked_at IS NULL";
	assert_int_equal(ask(F.tenant, owing, db_v_id(&F.ann.personal)).ret, 1);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM device_actions WHERE tenant_id = ?1 AND device_id = ?2",
			     db_v_id(&F.ann.personal))
				 .ret,
			 0);
	uint8_t reference[SHA256_BYTES];
	keeper_reference(F.keeper, "object", F.ann.user.b, sizeof F.ann.user.b, reference);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM suppressions WHERE tenant_id = ?1 AND reference = ?2",
			     db_v_blob(reference, sizeof reference))
				 .ret,
			 1);
}

static void test_a_device_with_a_duty_of_its_own_keeps_it(void **state)
{
	/* asked to retire a day ago, and its certificate has run out: it cannot answer, and its own week is not over */
	struct scope s = scope_of(F.tenant);
	ok_in(&s, device_retire(&s, F.ann.personal));
	run_sql(F.tenant, "UPDATE device_certificates SET expires_at = 1 WHERE tenant_id = ?1 AND device_id = ?2",
		db_v_id(&F.ann.personal));
	F.now += DAY_US;
	erase_forever(&F.ann);
	run_erasure();
	assert_int_equal(duties_in(F.tenant, "failed"), 0);
	assert_int_equal(duties_in(F.tenant, "received"), 1);
	assert_int_equal(duties_in(F.tenant, "scrubbed"), 1);
	F.now += 7 * DAY_US;
	run_erasure();
	assert_int_equal(duties_in(F.tenant, "scrubbed"), 2);
}

static void test_soft_delete_waits_thirty_days(void **state)
{
	struct scope s = scope_of(F.tenant);
	ok_in(&s, user_delete(&s, F.ann.user));
	F.now += 29 * DAY_US;
	run_erasure();
	assert_int_equal(duties_in(F.tenant, "scheduled"), 1);
	F.now += 2 * DAY_US;
	run_erasure();
	assert_int_equal(duties_in(F.tenant, "scheduled"), 0);
	assert_int_equal(
		ask(F.tenant, "SELECT count(*) FROM users WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&F.ann.user))
			.ret,
		0);
	assert_int_equal(
		ask(F.tenant, "SELECT count(*) FROM users WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&F.bob.user))
			.ret,
		1);
}

static void test_exports_go_with_the_person(void **state)
{
	struct scope s = scope_of(F.tenant), system = system_scope();
	struct id operation;
	bool more;
	char text[ID_TEXT];
	ok_in(&s, export_request(&s, &(struct export_order){.user = F.ann.user}, &operation));
	ok_in(&system, export_run_pending(&system, &(struct export_job){.data_dir = F.dir, .host = HOST}, &more));
	const char *file = arena_printf(F.d.arena, "%s/exports/%s.person.sealed", F.dir, id_format(operation, text));
	assert_int_equal(access(file, F_OK), 0);
	erase_forever(&F.ann);
	run_erasure();
	assert_int_not_equal(access(file, F_OK), 0);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, fixture_up, fixture_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_the_canaries_are_seen),
		T(test_one_person_goes_and_nobody_else),
		T(test_the_subjects_id_is_in_the_log_only),
		T(test_who_acted_on_others_is_taken_out_there),
		T(test_each_step_has_an_index),
		T(test_scan_names_the_table),
		T(test_every_step_may_be_the_last),
		T(test_counts_are_those_of_the_plan),
		T(test_preview_changes_nothing),
		T(test_a_shared_name_is_no_residue),
		T(test_a_name_in_somebodys_text_fails_loudly),
		T(test_a_device_that_owes_keeps_its_certificate_only),
		T(test_soft_delete_waits_thirty_days),
		T(test_a_late_report_goes_too),
		T(test_nothing_of_many_rows_is_left_in_the_file),
		T(test_a_device_with_a_duty_of_its_own_keeps_it),
		T(test_exports_go_with_the_person),
		T(test_a_step_may_be_lost_by_the_database),
		T(test_another_tenants_text_is_its_own),
		T(test_a_device_goes_after_its_grace),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
