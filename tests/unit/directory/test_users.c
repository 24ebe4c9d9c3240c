/* SPDX-License-Identifier: Apache-2.0
 * The life of a user on a real database: create, change, delete, restore, delete for good; each change with exactly one event. */
#include "fixture.h"

static void create_and_find(void **state)
{
	struct id made = make_user(&F.a, "Ada@Example.com"), found;
	ok(user_resolve(&F.a, "ada@EXAMPLE.com", &found));
	assert_true(id_equal(made, found));
	char text[ID_TEXT];
	ok(user_resolve(&F.a, id_format(made, text), &found));
	assert_int_equal(events(&F.a, "create User"), 1);
	assert_true(event_says(&F.a, "create User", "Ada@Example.com"));
	assert_false(event_says(&F.a, "create User", "secret-word"));
	refused(user_resolve(&F.a, "nobody@example.com", &found), ERR_NOT_FOUND);
}

static void a_name_is_given_once(void **state)
{
	struct id id;
	make_user(&F.a, "once@x.org");
	int64_t before = all_events(&F.a), rows = shown(&F.a, &RES_USER);
	refused(user_create(&F.a, user_record(&F.a, "ONCE@x.org", true), &id), ERR_EXISTS);
	fresh(&F.a);
	refused(user_create(&F.a, user_record(&F.a, "not a name", true), &id), ERR_BAD_REQUEST);
	fresh(&F.a);
	assert_int_equal(all_events(&F.a), before);
	assert_int_equal(shown(&F.a, &RES_USER), rows);
	make_user(&F.b, "once@x.org"); /* another tenant's names are its own */
}

static void patch_changes_only_differences(void **state)
{
	struct id id = make_user(&F.a, "patch@x.org"), found;
	make_user(&F.a, "taken@x.org");
	struct record *same = record_of(&F.a, &RES_USER, RECORD_PATCH, "{\"displayName\":\"Ada\"}");
	struct record *name = record_of(&F.a, &RES_USER, RECORD_PATCH, "{\"userPrincipalName\":\"Patched@x.org\",\"city\":\"Turin\"}");
	struct record *taken = record_of(&F.a, &RES_USER, RECORD_PATCH, "{\"userPrincipalName\":\"TAKEN@x.org\"}");
	ok(user_patch(&F.a, id, same));
	assert_int_equal(events(&F.a, "patch User"), 0);
	ok(user_patch(&F.a, id, name));
	assert_int_equal(events(&F.a, "patch User"), 1);
	assert_true(event_says(&F.a, "patch User", "Patched@x.org"));
	assert_false(event_says(&F.a, "patch User", "Turin")); /* the data map: only that it changed */
	ok(user_resolve(&F.a, "patched@x.org", &found));
	refused(user_resolve(&F.a, "patch@x.org", &found), ERR_NOT_FOUND);
	fresh(&F.a);
	refused(user_patch(&F.a, id, taken), ERR_EXISTS);
	fresh(&F.a);
	ok(user_patch(&F.a, id, record_of(&F.a, &RES_USER, RECORD_PATCH, "{\"userPrincipalName\":\"PATCHED@x.org\"}")));
	ok(user_resolve(&F.a, "patched@x.org", &found));
}

static void properties_of_their_own_rules(void **state)
{
	struct id id = make_user(&F.a, "rules@x.org");
	static const char *const bad[] = {"{\"usageLocation\":\"it\"}", "{\"businessPhones\":{}}", "{\"businessPhones\":[1]}",
					  "{\"businessPhones\":[\"\"]}"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		refused(user_patch(&F.a, id, record_of(&F.a, &RES_USER, RECORD_PATCH, bad[i])), ERR_BAD_REQUEST);
		fresh(&F.a);
	}
	ok(user_patch(&F.a, id, record_of(&F.a, &RES_USER, RECORD_PATCH, "{\"usageLocation\":\"IT\",\"businessPhones\":[\"+39 1\"]}")));
}

static void delete_hides_and_promises(void **state)
{
	struct id id = make_user(&F.a, "gone@x.org"), found;
	int64_t deleted = shown(&F.a, &RES_DELETED_USER);
	ok(user_delete(&F.a, id));
	refused(user_resolve(&F.a, "gone@x.org", &found), ERR_NOT_FOUND);
	fresh(&F.a);
	refused(user_delete(&F.a, id), ERR_NOT_FOUND);
	fresh(&F.a);
	assert_int_equal(shown(&F.a, &RES_DELETED_USER), deleted + 1);
	assert_int_equal(events(&F.a, "delete User"), 1);
	assert_int_equal(duties(&F.a, id, "scheduled"), 1);
	assert_int_equal(ask(&F.a, "SELECT due_at FROM duties WHERE tenant_id = ?1 AND subject_id = ?2", db_v_id(&id), db_v_null()),
			 F.a.now + 30 * DAY_US);
	assert_int_equal(ask(&F.a, "SELECT copies_deadline_at FROM duties WHERE tenant_id = ?1 AND subject_id = ?2", db_v_id(&id), db_v_null()),
			 F.a.now + 60 * DAY_US);
	make_user(&F.a, "gone@x.org"); /* the name is free */
}

static void restore_brings_back(void **state)
{
	struct id id, found;
	ok(user_create(&F.a, user_record(&F.a, "back@x.org", false), &id));
	refused(user_restore(&F.a, id, NULL), ERR_NOT_FOUND); /* not deleted */
	fresh(&F.a);
	ok(user_delete(&F.a, id));
	make_user(&F.a, "back@x.org");
	refused(user_restore(&F.a, id, NULL), ERR_EXISTS);
	fresh(&F.a);
	refused(user_restore(&F.a, id, "no name"), ERR_BAD_REQUEST);
	fresh(&F.a);
	assert_int_equal(events(&F.a, "restore User"), 0);
	assert_int_equal(duties(&F.a, id, "scheduled"), 1);
	ok(user_restore(&F.a, id, "back2@x.org"));
	ok(user_resolve(&F.a, "BACK2@x.org", &found));
	assert_true(id_equal(id, found));
	assert_int_equal(events(&F.a, "restore User"), 1);
	assert_int_equal(duties(&F.a, id, "cancelled"), 1);
	assert_int_equal(duties(&F.a, id, "scheduled"), 0);
	/* an account that was disabled before its deletion is disabled after its restore */
	assert_int_equal(ask(&F.a, "SELECT account_enabled FROM users WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&id), db_v_null()), 0);
	ok(user_delete(&F.a, id)); /* and may go again, with a promise of its own */
	assert_int_equal(duties(&F.a, id, "scheduled"), 1);
}

static void forever_is_invisible_at_once(void **state)
{
	struct id id = make_user(&F.a, "forever@x.org");
	refused(user_delete_forever(&F.a, id), ERR_NOT_FOUND); /* first to the deleted items */
	fresh(&F.a);
	ok(user_delete(&F.a, id));
	int64_t deleted = shown(&F.a, &RES_DELETED_USER);
	struct scope later = tenant_scope(F.made.tenant, F.a.now + 2 * DAY_US);
	ok(user_delete_forever(&later, id));
	assert_int_equal(shown(&F.a, &RES_DELETED_USER), deleted - 1);
	assert_int_equal(events(&F.a, "hardDelete User"), 1);
	assert_int_equal(duties(&F.a, id, "received"), 1);
	assert_int_equal(duties(&F.a, id, "scheduled"), 0);
	assert_int_equal(ask(&F.a, "SELECT due_at FROM duties WHERE tenant_id = ?1 AND subject_id = ?2", db_v_id(&id), db_v_null()), later.now);
	assert_int_equal(ask(&F.a, "SELECT copies_deadline_at FROM duties WHERE tenant_id = ?1 AND subject_id = ?2", db_v_id(&id), db_v_null()),
			 later.now + 30 * DAY_US);
	refused(user_restore(&later, id, NULL), ERR_NOT_FOUND);
	refused(user_delete_forever(&later, id), ERR_NOT_FOUND);
}

static void day_thirty(void **state)
{
	struct id a = make_user(&F.a, "day30@x.org"), b = make_user(&F.b, "day30@x.org");
	struct scope then = F.system;
	size_t n;
	then.now = F.system.now + 100 * DAY_US; /* what other tests left */
	ok(user_expire_deleted(&then, 1000, &n));
	struct scope sa = tenant_scope(F.made.tenant, then.now), sb = tenant_scope(F.other, then.now);
	ok(user_delete(&sa, a));
	ok(user_delete(&sb, b));
	then.now += 29 * DAY_US;
	ok(user_expire_deleted(&then, 1000, &n));
	assert_int_equal(n, 0);
	then.now += 2 * DAY_US;
	sa.now = then.now;
	refused(user_restore(&sa, a, NULL), ERR_NOT_FOUND); /* also before the job came by */
	fresh(&sa);
	ok(user_expire_deleted(&then, 1, &n));
	assert_int_equal(n, 1);
	ok(user_expire_deleted(&then, 1000, &n));
	assert_int_equal(n, 1);
	assert_int_equal(duties(&F.a, a, "received"), 1);
	assert_int_equal(duties(&F.b, b, "received"), 1);
	ok(user_expire_deleted(&then, 1000, &n));
	assert_int_equal(n, 0);
}

static void another_tenants_user_is_not_there(void **state)
{
	struct id id = make_user(&F.a, "mine@x.org"), found;
	struct record *patch = record_of(&F.b, &RES_USER, RECORD_PATCH, "{\"displayName\":\"Eve\"}");
	char text[ID_TEXT];
	int64_t before = all_events(&F.a);
	refused(user_resolve(&F.b, id_format(id, text), &found), ERR_NOT_FOUND);
	fresh(&F.b);
	refused(user_resolve(&F.b, "mine@x.org", &found), ERR_NOT_FOUND);
	fresh(&F.b);
	refused(user_patch(&F.b, id, patch), ERR_NOT_FOUND);
	fresh(&F.b);
	refused(user_delete(&F.b, id), ERR_NOT_FOUND);
	fresh(&F.b);
	ok(user_delete(&F.a, id));
	refused(user_restore(&F.b, id, NULL), ERR_NOT_FOUND);
	fresh(&F.b);
	refused(user_delete_forever(&F.b, id), ERR_NOT_FOUND);
	fresh(&F.b);
	assert_int_equal(duties(&F.a, id, "scheduled"), 1);
	assert_int_equal(all_events(&F.a), before + 2); /* the user's deletion and its duty */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create_and_find), cmocka_unit_test(a_name_is_given_once), cmocka_unit_test(patch_changes_only_differences),
		cmocka_unit_test(properties_of_their_own_rules), cmocka_unit_test(delete_hides_and_promises),
		cmocka_unit_test(restore_brings_back), cmocka_unit_test(forever_is_invisible_at_once), cmocka_unit_test(day_thirty),
		cmocka_unit_test(another_tenants_user_is_not_there),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, fixture_up, fixture_down);
}
