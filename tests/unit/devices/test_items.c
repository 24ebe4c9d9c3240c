/* SPDX-License-Identifier: Apache-2.0
 * Items: created, changed, assigned; delivered to the devices of a group's members, reported, and taken back. */
#include "fixture.h"

static struct item_report report_of(struct id item, int64_t version, enum item_state state)
{
	return (struct item_report){.item = item,
				    .version = version,
				    .state = state,
				    .identifier = state == ITEM_installed ? "etc/motd" : NULL};
}

static void patch_item(struct id item, const char *json)
{
	auto_json *body = NULL;
	ok(json_read(&F.admin, json, strlen(json), &body));
	ok(item_patch(&F.admin, &item_configuration, item, body, API_V1));
}

static void from_assignment_to_removal(void **state)
{
	struct machine m = new_machine(false, true);
	struct id item;
	one_event(ACT_CONFIGURATION_CREATE, item = new_file_item("/etc/motd"));
	assert_int_equal(checkin(&m, NULL, NULL, 0).item_n, 0);
	one_event(ACT_CONFIGURATION_ASSIGN, ok(try_assign(&item_configuration, item, &F.group)));
	struct checkin_answer a;
	no_event(a = checkin(&m, NULL, NULL, 0)); /* delivering is no change of what stands on the device */
	assert_int_equal(a.item_n, 1);
	assert_true(id_equal(a.items[0].item, item));
	assert_string_equal(a.person.upn, "Ada@example.org");
	assert_string_equal(item_state_of(m.id, item), "pending");

	struct item_report r = report_of(item, 1, ITEM_installed);
	one_event(ACT_ITEM_REPORTED, checkin(&m, NULL, &r, 1));
	assert_string_equal(item_state_of(m.id, item), "installed");
	no_event(checkin(&m, NULL, &r, 1));

	one_event(ACT_CONFIGURATION_UPDATE, patch_item(item, "{\"content\":\"new\"}"));
	no_event(patch_item(item, "{\"content\":\"new\"}"));
	assert_int_equal(checkin(&m, NULL, NULL, 0).items[0].version, 2);
	r.version = 2;
	one_event(ACT_ITEM_REPORTED, checkin(&m, NULL, &r, 1));

	one_event(ACT_GROUP_MEMBER_REMOVE, ok(group_remove_member(&F.admin, F.group, F.user)));
	no_event(a = checkin(&m, NULL, &r, 1));
	assert_int_equal(a.item_n, 0);
	assert_string_equal(item_state_of(m.id, item), "removing");
	no_event(checkin(&m, NULL, &r, 1)); /* it still stands there; nothing new */
	assert_string_equal(item_state_of(m.id, item), "removing");
	r = report_of(item, 2, ITEM_removed);
	one_event(ACT_ITEM_REPORTED, checkin(&m, NULL, &r, 1));
	assert_null(item_state_of(m.id, item));
	no_event(checkin(&m, NULL, &r, 1));

	ok(group_add_member(&F.admin, F.group, F.user));
	assert_int_equal(checkin(&m, NULL, NULL, 0).item_n, 1);
	one_event(ACT_CONFIGURATION_DELETE, ok(item_delete(&F.admin, &item_configuration, item)));
	assert_int_equal(checkin(&m, NULL, NULL, 0).item_n, 0);
	assert_null(item_state_of(m.id, item)); /* never reported: forgotten at once */
}

static void failures_are_told_and_told_once(void **state)
{
	struct machine m = new_machine(true, true);
	struct id item = new_file_item("/etc/acme.conf");
	ok(try_assign(&item_configuration, item, &F.group));
	checkin(&m, NULL, NULL, 0);
	struct item_report r = report_of(item, 1, ITEM_failed);
	r.error = "read-only file system";
	int64_t failed = failures(&F.admin, ACT_ITEM_REPORTED);
	one_event(ACT_ITEM_REPORTED, checkin(&m, NULL, &r, 1));
	assert_int_equal(failures(&F.admin, ACT_ITEM_REPORTED), failed + 1);
	r.error = "read-only file system (again)";
	no_event(checkin(&m, NULL, &r, 1));
	r = report_of(item, 1, ITEM_installed);
	one_event(ACT_ITEM_REPORTED, checkin(&m, NULL, &r, 1));
	assert_int_equal(failures(&F.admin, ACT_ITEM_REPORTED), failed + 1);
	ok(item_delete(&F.admin, &item_configuration, item));
	checkin(&m, NULL, NULL, 0);
	assert_string_equal(item_state_of(m.id, item), "removing");
}

static void what_was_never_delivered_is_not_noted(void **state)
{
	struct machine m = new_machine(false, true);
	struct item_report r = report_of(id_new(F.now), 1, ITEM_installed);
	no_event(checkin(&m, NULL, &r, 1));
	assert_int_equal(device_count("provisioned_items", m.id), 0);
}

static void some_devices_get_nothing(void **state)
{
	struct id item = new_file_item("/etc/x");
	ok(try_assign(&item_configuration, item, &F.group));
	struct machine counted = new_machine(true, false), leaving = new_machine(false, true);
	assert_int_equal(checkin(&counted, NULL, NULL, 0).item_n, 0); /* inventory only */
	assert_int_equal(checkin(&leaving, NULL, NULL, 0).item_n, 1);
	struct item_report r = report_of(item, 1, ITEM_installed);
	checkin(&leaving, NULL, &r, 1);
	ok(device_retire(&F.admin, leaving.id));
	struct checkin_answer a = checkin(&leaving, NULL, NULL, 0);
	assert_int_equal(a.item_n, 0);
	assert_int_equal(a.action_n, 1);
	assert_string_equal(item_state_of(leaving.id, item), "removing");
	ok(try_report(&leaving, a.actions[0].action, ACTION_failed, "busy"));
	assert_int_equal(checkin(&leaving, NULL, NULL, 0).item_n, 1); /* it stays managed after all */
	ok(item_delete(&F.admin, &item_configuration, item));
}

static void a_deleted_users_device_is_still_served(void **state)
{
	struct id eve = make_user(&F.admin, "eve@example.org", "Eve"), item = new_file_item("/etc/y");
	struct enrollment_token t;
	struct machine m = {0};
	ok(group_add_member(&F.admin, F.group, eve));
	ok(try_assign(&item_configuration, item, &F.group));
	ok(enrollment_token_create(&F.admin, eve, false, 1, &t));
	ok(try_enrol(t.text, NULL, 0, true, &m));
	ok(user_delete(&F.admin, eve));
	struct checkin_answer a = checkin(&m, NULL, NULL, 0);
	assert_string_equal(a.person.upn, "eve@example.org");
	ok(device_retire(&F.admin, m.id));
	assert_int_equal(checkin(&m, NULL, NULL, 0).action_n, 1);
	ok(item_delete(&F.admin, &item_configuration, item));
}

static void apps_are_items_with_an_intent(void **state)
{
	struct machine m = new_machine(false, true);
	struct id app;
	char group[ID_TEXT];
	auto_json *optional = NULL;
	one_event(ACT_APP_CREATE, ok(try_item(&F.admin, &item_app,
					      "{\"@odata.type\":\"#microsoft.graph.linuxDebianApp\",\"displayName\":"
					      "\"Acme\",\"publisher\":\"Acme\","
					      "\"package\":\"acme\",\"dataPaths\":[\"/var/lib/acme\"]}",
					      &app)));
	one_event(ACT_APP_ASSIGN, ok(try_assign(&item_app, app, &F.group)));
	no_event(ok(try_assign(&item_app, app, &F.group)));
	struct checkin_answer a = checkin(&m, NULL, NULL, 0);
	assert_int_equal(a.item_n, 1);
	assert_int_equal(a.items[0].type, PAYLOAD_app);
	const char *json = arena_printf(
		F.d.arena,
		"{\"mobileAppAssignments\":[{\"intent\":\"available\",\"target\":{\"@odata.type\":"
		"\"#microsoft.graph.groupAssignmentTarget\",\"groupId\":\"%s\"}}]}",
		id_format(F.group, group));
	ok(json_read(&F.admin, json, strlen(json), &optional));
	refused(item_assign(&F.admin, &item_app, app, optional), ERR_BAD_REQUEST);
	F.admin.detail = NULL;
	one_event(ACT_APP_ASSIGN, ok(try_assign(&item_app, app, NULL)));
	assert_int_equal(checkin(&m, NULL, NULL, 0).item_n, 0);
	one_event(ACT_APP_DELETE, ok(item_delete(&F.admin, &item_app, app)));
}

static void refused_items_change_nothing(void **state)
{
	static const char *const bad[] = {
		"{\"displayName\":\"x\",\"path\":\"/etc/x\",\"content\":\"\"}",
		"{\"@odata.type\":\"#microsoft.graph.linuxDebianApp\",\"displayName\":\"x\",\"package\":\"acme\"}",
		"{\"@odata.type\":\"#microsoft.graph.linuxSettingsFileConfiguration\",\"path\":\"/etc/"
		"x\",\"content\":\"\"}",
		"{\"@odata.type\":\"#microsoft.graph.linuxSettingsFileConfiguration\",\"displayName\":\"x\",\"path\":"
		"\"/etc/x\",\"content\":\"\",\"ssid\":\"y\"}",
		"{\"@odata.type\":\"#microsoft.graph.linuxSettingsFileConfiguration\",\"displayName\":\"x\",\"path\":"
		"\"/etc/x\",\"content\":\"\",\"version\":9}",
		"{\"@odata.type\":\"#microsoft.graph.linuxSettingsFileConfiguration\",\"displayName\":\"x\",\"path\":"
		"\"/root/x\",\"content\":\"\"}",
		"{\"@odata.type\":\"#microsoft.graph.linuxSettingsFileConfiguration\",\"displayName\":\"x\",\"path\":"
		"\"/etc/x\",\"content\":\"\",\"payload\":{}}",
	};
	struct id item;
	int64_t before = all_events(&F.admin);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		if (try_item(&F.admin, &item_configuration, bad[i], &item) != ERR_BAD_REQUEST)
			fail_msg("%s", bad[i]);
		F.admin.detail = NULL;
	}
	assert_int_equal(all_events(&F.admin), before);
}

static void assignments_are_to_groups_of_the_tenant(void **state)
{
	struct id item = new_file_item("/etc/z"), theirs = make_group(&F.other_admin, "Theirs");
	refused(try_assign(&item_configuration, item, &theirs), ERR_BAD_REQUEST);
	F.admin.detail = NULL;
	refused(item_exists(&F.other_admin, &item_configuration, item), ERR_NOT_FOUND);
	refused(item_delete(&F.other_admin, &item_configuration, item), ERR_NOT_FOUND);
	refused(item_exists(&F.admin, &item_app, item), ERR_NOT_FOUND);
	F.admin.detail = NULL;
	ok(item_delete(&F.admin, &item_configuration, item));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_assignment_to_removal),
		cmocka_unit_test(failures_are_told_and_told_once),
		cmocka_unit_test(what_was_never_delivered_is_not_noted),
		cmocka_unit_test(some_devices_get_nothing),
		cmocka_unit_test(a_deleted_users_device_is_still_served),
		cmocka_unit_test(apps_are_items_with_an_intent),
		cmocka_unit_test(refused_items_change_nothing),
		cmocka_unit_test(assignments_are_to_groups_of_the_tenant),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, fixture_up, fixture_down);
}
