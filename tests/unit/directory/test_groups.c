/* SPDX-License-Identifier: Apache-2.0
 * Groups on a real database: members, and what goes with a deleted group. */
#include "fixture.h"

static void members_come_and_go(void **state)
{
	struct id group = make_group(&F.a, "G1"), user = make_user(&F.a, "m1@x.org"), stranger = make_user(&F.b, "m1@x.org");
	int64_t added = events(&F.a, "addMember Group"), removed = events(&F.a, "removeMember Group");
	ok(group_add_member(&F.a, group, user));
	refused(group_add_member(&F.a, group, user), ERR_BAD_REQUEST);
	fresh(&F.a);
	refused(group_add_member(&F.a, group, stranger), ERR_NOT_FOUND);
	fresh(&F.a);
	refused(group_add_member(&F.a, user, user), ERR_NOT_FOUND);
	fresh(&F.a);
	refused(group_add_member(&F.b, group, stranger), ERR_NOT_FOUND);
	fresh(&F.b);
	assert_int_equal(events(&F.a, "addMember Group"), added + 1);
	char text[ID_TEXT];
	assert_true(event_says(&F.a, "addMember Group", id_format(user, text)));
	refused(group_remove_member(&F.b, group, user), ERR_NOT_FOUND);
	fresh(&F.b);
	ok(group_remove_member(&F.a, group, user));
	refused(group_remove_member(&F.a, group, user), ERR_NOT_FOUND);
	fresh(&F.a);
	assert_int_equal(events(&F.a, "removeMember Group"), removed + 1);
	assert_int_equal(ask(&F.a, "SELECT count(*) FROM group_members WHERE tenant_id = ?1", db_v_null(), db_v_null()), 0);
}

static void patch(void **state)
{
	struct id group = make_group(&F.a, "Before");
	ok(group_patch(&F.a, group, record_of(&F.a, &RES_GROUP, RECORD_PATCH, "{\"displayName\":\"After\"}")));
	ok(group_patch(&F.a, group, record_of(&F.a, &RES_GROUP, RECORD_PATCH, "{\"displayName\":\"After\"}")));
	assert_int_equal(events(&F.a, "patch Group"), 1);
	assert_true(event_says(&F.a, "patch Group", "Before"));
	refused(group_patch(&F.b, group, record_of(&F.b, &RES_GROUP, RECORD_PATCH, "{\"displayName\":\"Eve\"}")), ERR_NOT_FOUND);
	fresh(&F.b);
}

struct assign {
	struct id item, group, assignment;
};

static enum err assign_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct assign *a = arg;
	return db_exec_text(tx, DB_REACH_TENANT,
			    "INSERT INTO assignments (tenant_id, item_type, item_id, group_id, assignment_id, intent, created_at) "
			    "VALUES (?1, 'mobileApp', ?2, ?3, ?4, 'required', 1)",
			    DB_ARGS(db_v_id(&a->item), db_v_id(&a->group), db_v_id(&a->assignment)), NULL);
}

static void a_deleted_group_takes_its_rows(void **state)
{
	struct id group = make_group(&F.a, "G2"), kept = make_group(&F.a, "G3");
	struct id one = make_user(&F.a, "g1@x.org"), two = make_user(&F.a, "g2@x.org");
	struct assign mine = {scope_id(&F.a), group, scope_id(&F.a)}, theirs = {mine.item, kept, scope_id(&F.a)};
	ok(db_write(&F.a, assign_tx, &mine));
	ok(db_write(&F.a, assign_tx, &theirs));
	ok(group_add_member(&F.a, group, one));
	ok(group_add_member(&F.a, group, two));
	ok(group_add_member(&F.a, kept, one));
	int64_t before = all_events(&F.a);
	refused(group_delete(&F.b, group), ERR_NOT_FOUND);
	fresh(&F.b);
	ok(group_delete(&F.a, group));
	assert_int_equal(all_events(&F.a), before + 1);
	char text[ID_TEXT];
	assert_true(event_says(&F.a, "delete Group", id_format(one, text)));
	assert_true(event_says(&F.a, "delete Group", id_format(two, text)));
	assert_true(event_says(&F.a, "delete Group", id_format(mine.item, text)));
	assert_int_equal(ask(&F.a, "SELECT count(*) FROM group_members WHERE tenant_id = ?1", db_v_null(), db_v_null()), 1);
	assert_int_equal(ask(&F.a, "SELECT count(*) FROM assignments WHERE tenant_id = ?1", db_v_null(), db_v_null()), 1);
	refused(group_exists(&F.a, group), ERR_NOT_FOUND);
	fresh(&F.a);
	ok(group_exists(&F.a, kept));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_come_and_go), cmocka_unit_test(patch), cmocka_unit_test(a_deleted_group_takes_its_rows),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, fixture_up, fixture_down);
}
