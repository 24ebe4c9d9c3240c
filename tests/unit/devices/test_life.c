/* SPDX-License-Identifier: Apache-2.0
 * The life of a device: inventory, what is asked of it and what it answers, with exactly one event for every change and
 * none for telemetry. */
#include "fixture.h"

#include "devices/managed_device.h"
#include "duty/duty.h"

static struct inventory plain(void)
{
	return (struct inventory){.device_name = "ada-laptop",
				  .manufacturer = "LENOVO",
				  .model = "X1",
				  .serial_number = "PF-1",
				  .os_version = "12",
				  .processor_count = 8,
				  .physical_memory = -1,
				  .total_storage = 1000,
				  .free_storage = 500,
				  .encrypted = 1};
}

/* ---- inventory ---- */

static void telemetry_is_no_event_and_identity_is_one(void **state)
{
	struct machine m = new_machine(false, true);
	struct inventory i = plain();
	struct inventory_interface nics[] = {{.name = "wlan0", .mac = "02:00:00:00:00:02", .kind = "wifi"},
					     {.name = "eth1", .mac = "02:00:00:00:00:09", .kind = "ethernet"},
					     {.name = "eth0", .mac = "02:00:00:00:00:01", .kind = "ethernet"}};
	no_event(checkin(&m, &i, NULL, 0));
	i.free_storage = 400;
	i.os_version = "13";
	no_event(checkin(&m, &i, NULL, 0));
	assert_string_equal(device_text(m.id, "os_version"), "13");
	i.device_name = "ada-new";
	i.serial_number = NULL;
	one_event(ACT_DEVICE_REPORTED, checkin(&m, &i, NULL, 0));
	assert_string_equal(device_text(m.id, "device_name"), "ada-new");
	i.interfaces = nics;
	i.interface_n = 3;
	one_event(ACT_DEVICE_REPORTED, checkin(&m, &i, NULL, 0));
	assert_string_equal(device_text(m.id, "ethernet_mac"), "02:00:00:00:00:01");
	no_event(checkin(&m, &i, NULL, 0));
	no_event(checkin(&m, NULL, NULL, 0));
	assert_int_equal(device_count("network_interfaces", m.id), 3);
}

static void what_was_not_asked_for_is_refused(void **state)
{
	struct machine mine = new_machine(false, true), theirs = new_machine(true, true);
	struct checkin_answer a;
	struct inventory_package p[] = {{"bash", "5"}};
	struct inventory_disk d = {.name = "sda", .size_bytes = 1};
	const char *address = "10.0.0.1";
	struct inventory_interface n = {.name = "eth0", .addresses = &address, .address_n = 1, .has_addresses = true};
	struct inventory packages = plain(), disks = plain(), addresses = plain();
	packages.packages = p, packages.package_n = 1, packages.has_packages = true;
	disks.disks = &d, disks.disk_n = 1, disks.has_disks = true;
	addresses.interfaces = &n, addresses.interface_n = 1;
	refused(try_checkin(&theirs, &packages, NULL, 0, &a), ERR_BAD_REQUEST);
	refused(try_checkin(&theirs, &disks, NULL, 0, &a), ERR_BAD_REQUEST);
	refused(try_checkin(&theirs, &addresses, NULL, 0, &a), ERR_BAD_REQUEST);
	assert_int_equal(device_count("detected_apps", theirs.id), 0);
	settings("{\"collectPackages\":true,\"collectDisks\":true,\"collectAddresses\":true}");
	a = checkin(&theirs, &packages, NULL, 0);
	assert_true(a.collect.packages && a.collect.disks && a.collect.addresses);
	assert_false(checkin(&mine, &disks, NULL, 0).collect.packages);
	checkin(&mine, &addresses, NULL, 0);
	refused(try_checkin(&mine, &packages, NULL, 0, &a), ERR_BAD_REQUEST); /* never of a personal device */
	assert_int_equal(device_count("detected_apps", theirs.id), 1);
	assert_int_equal(device_count("detected_apps", mine.id), 0);
	settings("{\"collectPackages\":false,\"collectDisks\":false,\"collectAddresses\":false}");
	struct inventory less = plain();
	checkin(&theirs, &less, NULL, 0);
	assert_int_equal(device_count("detected_apps", theirs.id), 0); /* turned off: what was known goes */
}

static int64_t version_of(struct id device, const char *name)
{
	return answer(&F.admin,
		      "SELECT CAST(version AS INTEGER) FROM detected_apps WHERE tenant_id = ?1 AND device_id = ?2 AND "
		      "name = ?3",
		      db_v_id(&device), db_v_text(name))
		.ret;
}

static void packages_are_replaced_by_difference(void **state)
{
	enum { MANY = 4500 }; /* more than two closures */
	struct machine m = new_machine(true, true);
	struct inventory i = plain();
	struct inventory_package *p = arena_alloc(F.d.arena, MANY * sizeof *p);
	settings("{\"collectPackages\":true}");
	for (int k = 0; k < MANY; k++)
		p[k] = (struct inventory_package){arena_printf(F.d.arena, "package-%d", k), "1"};
	i.packages = p;
	i.package_n = MANY;
	i.has_packages = true;
	no_event(checkin(&m, &i, NULL, 0));
	assert_int_equal(device_count("detected_apps", m.id), MANY);
	for (int k = 0; k < MANY; k++)
		p[k] = (struct inventory_package){arena_printf(F.d.arena, "package-%d", k % 10),
						  k % 10 == 3 ? "2" : "1"};
	no_event(checkin(&m, &i, NULL, 0));
	assert_int_equal(device_count("detected_apps", m.id), 10);
	assert_int_equal(version_of(m.id, "package-3"), 2);
	struct record *r = record_of(&F.admin, &RES_MANAGED_DEVICE, RECORD_PATCH,
				     "{\"managedDeviceOwnerType\":\"personal\"}");
	one_event(ACT_DEVICE_UPDATE, ok(managed_device_patch(&F.admin, m.id, r)));
	assert_int_equal(device_count("detected_apps", m.id), 0);
	settings("{\"collectPackages\":false}");
}

/* ---- what is asked ---- */

static void a_retire_from_request_to_the_devices_word(void **state)
{
	struct machine m = new_machine(false, true);
	int64_t before = all_events(&F.admin);
	ok(device_retire(&F.admin, m.id));
	assert_int_equal(all_events(&F.admin), before + 2); /* the request and its duty */
	assert_int_equal(events(&F.admin, ACT_DUTY_CREATE) > 0, 1);
	assert_string_equal(device_text(m.id, "management_state"), "retirePending");
	assert_int_equal(duties(m.id), 1);
	assert_int_equal(answer(&F.admin, "SELECT due_at FROM duties WHERE tenant_id = ?1 AND subject_id = ?2",
				db_v_id(&m.id), db_v_null())
				 .ret,
			 F.now + 7 * DAY_US);
	assert_int_equal(answer(&F.admin, "SELECT copies_deadline_at FROM duties WHERE tenant_id = ?1 AND subject_id = ?2",
				db_v_id(&m.id), db_v_null())
				 .ret,
			 F.now + 30 * DAY_US);
	no_event(ok(device_retire(&F.admin, m.id))); /* once more changes nothing */
	assert_int_equal(duties(m.id), 1);
	wait_us(HOUR_US);
	struct checkin_answer a;
	one_event(ACT_ACTION_ISSUED, a = checkin(&m, NULL, NULL, 0));
	assert_int_equal(a.action_n, 1);
	assert_string_equal(a.actions[0].name, "retire");
	assert_string_equal(device_text(m.id, "management_state"), "retireIssued");
	no_event(a = checkin(&m, NULL, NULL, 0)); /* delivered again, issued once */
	assert_int_equal(a.action_n, 1);
	struct id action = a.actions[0].action;
	before = events(&F.admin, ACT_ACTION_RESULT);
	ok(try_report(&m, action, ACTION_done, NULL));
	assert_int_equal(events(&F.admin, ACT_ACTION_RESULT), before + 1);
	assert_string_equal(action_state_of(m.id, "retire"), "done");
	assert_string_equal(device_text(m.id, "management_state"), "deletePending");
	assert_true(answer(&F.admin, "SELECT due_at FROM duties WHERE tenant_id = ?1 AND subject_id = ?2",
			   db_v_id(&m.id), db_v_null())
			    .ret <= F.now);
	refused(try_checkin(&m, NULL, NULL, 0, &a), ERR_UNAUTHENTICATED); /* its certificate ended with it */
	no_event(ok(device_retire(&F.admin, m.id)));
	assert_int_equal(duties(m.id), 1);
}

static void a_failed_retire_shows_and_keeps_its_duty(void **state)
{
	struct machine m = new_machine(false, true);
	ok(device_retire(&F.admin, m.id));
	struct checkin_answer a = checkin(&m, NULL, NULL, 0);
	struct id action = a.actions[0].action;
	int64_t failed = failures(&F.admin, ACT_ACTION_RESULT);
	one_event(ACT_ACTION_RESULT, ok(try_report(&m, action, ACTION_failed, "disk full")));
	assert_int_equal(failures(&F.admin, ACT_ACTION_RESULT), failed + 1);
	assert_string_equal(device_text(m.id, "management_state"), "retireFailed");
	no_event(ok(try_report(&m, action, ACTION_failed, "disk full"))); /* said before */
	no_event(refused(try_report(&m, action, ACTION_done, NULL), ERR_CONFLICT));
	assert_int_equal(duties(m.id), 1);
	assert_true(answer(&F.admin, "SELECT due_at FROM duties WHERE tenant_id = ?1 AND subject_id = ?2",
			   db_v_id(&m.id), db_v_null())
			    .ret > F.now);
	one_event(ACT_DEVICE_RETIRE, ok(device_retire(&F.admin, m.id))); /* may be asked again; the duty is the same */
	assert_int_equal(duties(m.id), 1);
}

static void nobody_reports_for_another(void **state)
{
	struct machine m = new_machine(false, true), n = new_machine(false, true);
	ok(device_retire(&F.admin, m.id));
	struct checkin_answer a = checkin(&m, NULL, NULL, 0);
	refused(try_report(&n, a.actions[0].action, ACTION_done, NULL), ERR_NOT_FOUND);
	refused(try_report(&n, id_new(F.now), ACTION_done, NULL), ERR_NOT_FOUND);
	refused(device_retire(&F.other_admin, m.id), ERR_NOT_FOUND);
	assert_string_equal(action_state_of(m.id, "retire"), "issued");
}

static void what_is_never_wiped(void **state)
{
	struct machine mine = new_machine(false, true), counted = new_machine(true, false),
		       company = new_machine(true, true);
	no_event(refused(device_wipe(&F.admin, mine.id, NULL), ERR_NOT_SUPPORTED));
	assert_non_null(strstr(F.admin.detail, "retire it"));
	F.admin.detail = NULL;
	refused(device_wipe(&F.admin, counted.id, NULL), ERR_NOT_SUPPORTED);
	F.admin.detail = NULL;
	assert_int_equal(device_count("device_actions", mine.id) + device_count("device_actions", counted.id), 0);
	assert_string_equal(device_text(company.id, "management_state"), "managed");
	ok(device_wipe(&F.admin, company.id, NULL));
	assert_string_equal(device_text(company.id, "management_state"), "wipePending");
	assert_int_equal(duties(company.id), 1);
}

static void one_removal_at_a_time(void **state)
{
	struct machine m = new_machine(true, true);
	one_event(ACT_DEVICE_SYNC, ok(device_sync(&F.admin, m.id)));
	no_event(ok(device_sync(&F.admin, m.id)));
	int64_t before = all_events(&F.admin);
	ok(device_retire(&F.admin, m.id));
	assert_int_equal(all_events(&F.admin), before + 3); /* the sync cancelled, the request, the duty */
	assert_string_equal(action_state_of(m.id, "syncDevice"), "canceled");
	before = all_events(&F.admin);
	ok(device_wipe(&F.admin, m.id, NULL));
	assert_int_equal(events(&F.admin, ACT_ACTION_CANCELED) > 0, 1);
	assert_string_equal(action_state_of(m.id, "retire"), "canceled");
	assert_string_equal(device_text(m.id, "management_state"), "wipePending");
	assert_int_equal(duties(m.id), 1);
	no_event(ok(device_retire(&F.admin, m.id)));
	no_event(ok(device_sync(&F.admin, m.id)));
	struct checkin_answer a = checkin(&m, NULL, NULL, 0);
	assert_int_equal(a.action_n, 1);
	assert_string_equal(a.actions[0].name, "wipe");
	ok(try_report(&m, a.actions[0].action, ACTION_notSupported, "not enabled"));
	assert_string_equal(device_text(m.id, "management_state"), "wipeFailed");
}

static void a_sync_is_fulfilled_by_the_check_in(void **state)
{
	struct machine m = new_machine(false, true);
	one_event(ACT_DEVICE_SYNC, ok(device_sync(&F.admin, m.id)));
	struct checkin_answer a;
	one_event(ACT_ACTION_RESULT, a = checkin(&m, NULL, NULL, 0));
	assert_int_equal(a.action_n, 0);
	assert_string_equal(action_state_of(m.id, "syncDevice"), "done");
	assert_string_equal(device_text(m.id, "management_state"), "managed");
	for (int i = 0; i < 3; i++) {
		wait_us(MINUTE_US);
		ok(device_sync(&F.admin, m.id));
		checkin(&m, NULL, NULL, 0);
	}
	assert_int_equal(device_count("device_actions", m.id), 1); /* finished ones do not pile up */
}

static void a_deleted_device_is_hidden_and_still_retired(void **state)
{
	struct machine m = new_machine(true, true);
	int64_t before = all_events(&F.admin);
	ok(device_delete(&F.admin, m.id));
	assert_int_equal(all_events(&F.admin), before + 2); /* deleted, duty */
	refused(managed_device_visible(&F.admin, m.id, NULL), ERR_NOT_FOUND);
	F.admin.detail = NULL;
	refused(device_delete(&F.admin, m.id), ERR_NOT_FOUND);
	F.admin.detail = NULL;
	struct checkin_answer a = checkin(&m, NULL, NULL, 0);
	assert_int_equal(a.action_n, 1);
	assert_string_equal(a.actions[0].name, "retire");
	assert_string_equal(device_text(m.id, "management_state"), "deletePending");
	assert_string_equal(answer(&F.admin, "SELECT trigger_name FROM duties WHERE tenant_id = ?1 AND subject_id = ?2",
				   db_v_id(&m.id), db_v_null())
				    .text,
			    "deviceDelete");
	ok(try_report(&m, a.actions[0].action, ACTION_done, NULL));
}

static void a_person_leaves_with_their_own_device_only(void **state)
{
	struct machine mine = new_machine(false, true), company = new_machine(true, true);
	struct id action, again;
	struct scope s = scope_of_machine(&company);
	no_event(refused(device_leave(&s, company.id, company.fingerprint, &action), ERR_FORBIDDEN));
	assert_non_null(strstr(s.detail, "return"));
	s = scope_of_machine(&mine);
	int64_t before = all_events(&F.admin), left = events(&F.admin, ACT_DEVICE_LEAVE);
	ok_in(&s, device_leave(&s, mine.id, mine.fingerprint, &action));
	assert_int_equal(all_events(&F.admin), before + 2); /* left, duty */
	assert_int_equal(events(&F.admin, ACT_DEVICE_LEAVE), left + 1);
	assert_int_equal(s.actor.type, ACTOR_DEVICE);
	assert_int_equal(answer(&F.admin,
				"SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND activity_type = ?2 AND "
				"actor_id = ?3",
				db_v_text(activity_info(ACT_DEVICE_LEAVE)->type), db_v_id(&F.user))
				 .ret,
			 1);
	assert_string_equal(action_state_of(mine.id, "retire"), "issued");
	assert_string_equal(answer(&F.admin, "SELECT trigger_name FROM duties WHERE tenant_id = ?1 AND subject_id = ?2",
				   db_v_id(&mine.id), db_v_null())
				    .text,
			    "selfRemoval");
	no_event(ok_in(&s, device_leave(&s, mine.id, mine.fingerprint, &again)));
	assert_true(id_equal(action, again));
	ok(try_report(&mine, action, ACTION_done, NULL));
	refused(try_report(&mine, action, ACTION_done, NULL), ERR_UNAUTHENTICATED);
}

static void little_of_a_device_may_be_written(void **state)
{
	static const char *const no[] = {"{\"deviceName\":\"x\"}", "{\"serialNumber\":\"x\"}",
					 "{\"managementState\":\"managed\"}", "{\"hidden\":1}"};
	struct machine m = new_machine(false, true);
	for (size_t i = 0; i < 4; i++) {
		auto_json *body = NULL;
		struct record *r;
		ok(json_read(&F.admin, no[i], strlen(no[i]), &body));
		refused(record_parse(&F.admin, &RES_MANAGED_DEVICE, body, RECORD_PATCH, API_V1, NULL, &r),
			ERR_BAD_REQUEST);
		F.admin.detail = NULL;
	}
	struct record *r = record_of(&F.admin, &RES_MANAGED_DEVICE, RECORD_PATCH,
				     "{\"managedDeviceName\":\"Ada's\",\"notes\":\"a\\nb\"}");
	one_event(ACT_DEVICE_UPDATE, ok(managed_device_patch(&F.admin, m.id, r)));
	no_event(ok(managed_device_patch(&F.admin, m.id, r)));
	r = record_of(&F.admin, &RES_MANAGED_DEVICE, RECORD_PATCH, "{\"managedDeviceOwnerType\":\"unknown\"}");
	refused(managed_device_patch(&F.admin, m.id, r), ERR_BAD_REQUEST);
	F.admin.detail = NULL;
}

static enum err write_results(struct scope *s, struct db_tx *tx, void *arg)
{
	struct {
		struct id device;
		struct buf out;
	} *q = arg;
	struct json_writer w;
	buf_clear(&q->out);
	jw_init(&w, &q->out);
	return action_write_results(tx, q->device, false, &w);
}

static void results_show_the_newest_of_each_action(void **state)
{
	struct machine m = new_machine(true, true);
	struct {
		struct id device;
		struct buf out;
	} q = {.device = m.id};
	buf_init(&q.out, 4096);
	ok(db_read(&F.admin, write_results, &q));
	assert_string_equal(q.out.data, "[]");
	ok(device_sync(&F.admin, m.id));
	checkin(&m, NULL, NULL, 0);
	wait_us(SECOND_US);
	ok(device_retire(&F.admin, m.id));
	struct checkin_answer a = checkin(&m, NULL, NULL, 0);
	ok(try_report(&m, a.actions[0].action, ACTION_failed, NULL));
	wait_us(SECOND_US);
	ok(device_retire(&F.admin, m.id));
	ok(db_read(&F.admin, write_results, &q));
	json_t *list = json_loads(q.out.data, 0, NULL);
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "actionName")), "retire");
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "actionState")), "pending");
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 1), "actionState")), "done");
	json_decref(list);
	buf_release(&q.out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(telemetry_is_no_event_and_identity_is_one),
		cmocka_unit_test(what_was_not_asked_for_is_refused),
		cmocka_unit_test(packages_are_replaced_by_difference),
		cmocka_unit_test(a_retire_from_request_to_the_devices_word),
		cmocka_unit_test(a_failed_retire_shows_and_keeps_its_duty),
		cmocka_unit_test(nobody_reports_for_another),
		cmocka_unit_test(what_is_never_wiped),
		cmocka_unit_test(one_removal_at_a_time),
		cmocka_unit_test(a_sync_is_fulfilled_by_the_check_in),
		cmocka_unit_test(a_deleted_device_is_hidden_and_still_retired),
		cmocka_unit_test(a_person_leaves_with_their_own_device_only),
		cmocka_unit_test(little_of_a_device_may_be_written),
		cmocka_unit_test(results_show_the_newest_of_each_action),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, fixture_up, fixture_down);
}
