/* SPDX-License-Identifier: Apache-2.0
 * Events, the log over them, tampering, and retention, on a real database and a real keeper. */
#include "audit/audit_read.h"
#include "audit/audit_retention.h"
#include "fixture.h"

static void the_log_has_every_event_once(void **state)
{
	uint64_t found, leaves;
	char *note;
	for (int i = 0; i < 700; i++) /* more than a page of the sequencer */
		record(&F.a, &(struct audit_event){.activity = ACT_GROUP_CREATE, .resource_type = "Group", .resource = id_new(F.a.now)});
	sequence();
	assert_int_equal(ask(&F.a, "SELECT count(*) FROM audit_pending WHERE tenant_id = ?1", db_v_null(), db_v_null()), 0);
	ok(audit_verify_all(&F.a, HOST, &found, &leaves));
	assert_int_equal(found, all_events(&F.a));
	assert_int_equal(leaves, found);
	ok(audit_checkpoint(&F.a, &note));
	char text[ID_TEXT], want[160];
	snprintf(want, sizeof want, HOST "/log/%s\n%llu\n", id_format(F.a.tenant, text), (unsigned long long)leaves);
	assert_memory_equal(note, want, strlen(want));
	sequence(); /* nothing new: the same head */
	char *again;
	ok(audit_checkpoint(&F.a, &again));
	assert_string_equal(note, again);
}

static void values_follow_the_data_map(void **state)
{
	struct audit_change *c = NULL, **tail = &c;
	tail = audit_change_add(F.arena, tail, "displayName", "users", "display_name", "Old Name", "New Name");
	tail = audit_change_add(F.arena, tail, "mobilePhone", "users", "mobile_phone", "+1 555 0001", "+1 555 0002");
	tail = audit_change_add(F.arena, tail, "secret", "application_secrets", "secret_hash", NULL, "hash-of-it");
	audit_change_add(F.arena, tail, "unknown", "users", "no_such_column", "was-this", "is-that");
	record(&F.a, &(struct audit_event){.activity = ACT_USER_UPDATE, .resource_type = "User", .resource = id_new(F.a.now), .changes = c});
	assert_true(event_says(&F.a, "patch User", "New Name"));
	assert_true(event_says(&F.a, "patch User", "[changed]"));
	assert_false(event_says(&F.a, "patch User", "555 0002"));
	assert_false(event_says(&F.a, "patch User", "hash-of-it"));
	assert_false(event_says(&F.a, "patch User", "is-that"));
}

static void nobody_changes_an_event(void **state)
{
	refused(exec(&F.a, "UPDATE audit_events SET result = 'Failure' WHERE tenant_id = ?1"), ERR_CONFLICT);
	refused(exec(&F.a, "DELETE FROM audit_events WHERE tenant_id = ?1"), ERR_CONFLICT);
	refused(exec(&F.a, "INSERT OR REPLACE INTO audit_events SELECT * FROM audit_events WHERE tenant_id = ?1 LIMIT 1"), ERR_CONFLICT);
	fresh(&F.a);
}

static void verify_names_what_was_changed(void **state)
{
	uint64_t found, leaves;
	sequence();
	ok(audit_verify_all(&F.b, HOST, &found, &leaves));
	ok(exec(&F.b, "UPDATE audit_tiles SET content = CAST(substr(content, 1, 32) || substr(content, 1, 32) || substr(content, 65) AS BLOB) "
		      "WHERE tenant_id = ?1 AND level = 0 AND tile = 0"));
	refused(audit_verify_all(&F.b, HOST, &found, &leaves), ERR_CONFLICT);
	assert_non_null(strstr(F.b.detail, "index 1"));
	ok(exec(&F.b, "UPDATE audit_tiles SET content = substr(content, 1, 32) WHERE tenant_id = ?1 AND level = 0 AND tile = 0"));
	refused(audit_verify_all(&F.b, HOST, &found, &leaves), ERR_CONFLICT);
	assert_non_null(strstr(F.b.detail, "gap at index 0"));
	ok(exec(&F.b, "UPDATE audit_heads SET size = 1 WHERE tenant_id = ?1"));
	refused(audit_verify_all(&F.b, HOST, &found, &leaves), ERR_CONFLICT);
	assert_non_null(strstr(F.b.detail, "was signed"));
	fresh(&F.b);
}

static enum err exec_all_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	return db_exec_text(tx, DB_REACH_GLOBAL, arg, DB_NOARGS, NULL);
}

static void exec_all(const char *sql)
{
	ok(db_write(&F.system, exec_all_tx, (void *)(uintptr_t)sql));
}

/* The rows that lists show, changed by whoever owns the file; the bytes and the tree are whole. */
static void a_row_that_the_log_does_not_hold_is_found(void **state)
{
	static const char *const changes[][2] = {
		{"UPDATE audit_events SET result = 'Failure' WHERE tenant_id = ?1", "with another result"},
		{"UPDATE audit_events SET at = at + 1 WHERE tenant_id = ?1", "with another at"},
		{"UPDATE audit_events SET resource_id = zeroblob(16) WHERE tenant_id = ?1 AND resource_id IS NOT NULL", "with another resource_id"},
		{"UPDATE audit_events SET actor_ip = '192.0.2.1' WHERE tenant_id = ?1", "with another actor_ip"},
		{"INSERT INTO audit_events SELECT tenant_id, randomblob(16), at, expires_at, category, activity_type, operation, result, component, "
		 "actor_type, actor_id, actor_upn, actor_name, actor_ip, subject_id, resource_type, resource_id, resource_name, correlation_id, salt, "
		 "bytes FROM audit_events WHERE tenant_id = ?1 LIMIT 1", "stands in no log"},
	};
	sequence();
	ok(audit_check_rows(&F.a));
	exec_all("DROP TRIGGER audit_events_no_update");
	exec_all("DROP TRIGGER audit_events_no_delete");
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		exec_all("CREATE TABLE kept AS SELECT * FROM audit_events");
		ok(exec(&F.a, changes[i][0]));
		refused(audit_check_rows(&F.a), ERR_CONFLICT);
		assert_non_null(strstr(F.a.detail, changes[i][1]));
		exec_all("DELETE FROM audit_events");
		exec_all("INSERT INTO audit_events SELECT * FROM kept");
		exec_all("DROP TABLE kept");
		ok(audit_check_rows(&F.a));
	}
}

static void expired_events_go_and_the_log_stays(void **state)
{
	uint64_t removed, found, leaves;
	int64_t before = all_events(&F.a);
	sequence();
	struct scope day364 = F.a, day366 = F.a;
	day364.now += 364 * DAY_US;
	day366.now += 366 * DAY_US;
	ok(audit_expire(&day364, &removed));
	assert_int_equal(removed, 0);
	/* The database's own clock has not reached the expiry: it refuses, whatever the server believes. */
	refused(audit_expire(&day366, &removed), ERR_CONFLICT);
	assert_int_equal(all_events(&F.a), before);
	ok(audit_verify_all(&F.a, HOST, &found, &leaves));
	assert_int_equal(found, leaves);
}

static void reading_is_one_event_a_day(void **state)
{
	struct scope reader = F.a;
	reader.actor = (struct actor){.type = ACTOR_APPLICATION, .id = id_new(F.a.now), .name = "SIEM"};
	for (int i = 0; i < 5; i++)
		ok(audit_record_read(&reader));
	assert_int_equal(events(&F.a, "read AuditLog"), 1);
	reader.now += DAY_US;
	ok(audit_record_read(&reader));
	assert_int_equal(events(&F.a, "read AuditLog"), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_log_has_every_event_once), cmocka_unit_test(values_follow_the_data_map),
		cmocka_unit_test(nobody_changes_an_event),	cmocka_unit_test(expired_events_go_and_the_log_stays),
		cmocka_unit_test(reading_is_one_event_a_day),	cmocka_unit_test(verify_names_what_was_changed),
		cmocka_unit_test(a_row_that_the_log_does_not_hold_is_found),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, up, down);
}
