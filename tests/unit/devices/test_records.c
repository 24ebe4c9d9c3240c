/* SPDX-License-Identifier: Apache-2.0
 * What becomes of a device's record: silent devices are hidden and come back, a wiped machine stays as an asset, an ownership changes only
 * with somebody else's word. */
#include "fixture.h"

#include "devices/asset.h"
#include "devices/cleanup.h"
#include "devices/managed_device.h"
#include "devices/ownership.h"
#include "directory/restriction.h"

static int64_t hidden(struct id device)
{
	return answer(&F.admin, "SELECT count(*) FROM managed_devices WHERE tenant_id = ?1 AND device_id = ?2 AND hidden_at IS NOT NULL",
		      db_v_id(&device), db_v_null())
		.ret;
}

static struct record *patch_of(const struct resource *r, const char *json) { return record_of(&F.admin, r, RECORD_PATCH, json); }

/* ---- cleanup ---- */

static void clean_up(void)
{
	struct scope s;
	scope_system(&s, F.d.arena, F.d.db, F.keeper);
	s.now = F.now;
	ok_in(&s, cleanup_run(&s));
}

static struct id new_rule(const char *type, int days)
{
	struct id rule;
	ok(cleanup_rule_create(&F.admin,
			       record_of(&F.admin, &RES_DEVICE_CLEANUP_RULE, RECORD_CREATE,
					 arena_printf(F.d.arena, "{\"displayName\":\"R\",\"deviceCleanupRulePlatformType\":\"%s\","
								 "\"deviceInactivityBeforeRetirementInDays\":%d}", type, days)),
			       &rule));
	return rule;
}

static void a_silent_device_is_hidden_and_nothing_more(void **state)
{
	struct machine silent = new_machine(false, true), deleted = new_machine(true, true);
	ok(device_delete(&F.admin, deleted.id));
	struct id rule = new_rule("linux", 30);
	wait_us(20 * DAY_US);
	struct machine fresh = new_machine(false, true);
	wait_us(10 * DAY_US - HOUR_US);
	no_event(clean_up());
	wait_us(2 * HOUR_US);
	one_event(ACT_DEVICE_HIDE, clean_up());
	no_event(clean_up());
	assert_int_equal(hidden(silent.id), 1);
	assert_int_equal(hidden(fresh.id), 0);
	assert_int_equal(duties(silent.id), 0);
	assert_int_equal(device_count("device_actions", silent.id), 0);
	assert_string_equal(device_text(silent.id, "management_state"), "managed");
	assert_string_equal(device_text(deleted.id, "hidden_reason"), "deleted");
	refused(device_retire(&F.admin, silent.id), ERR_NOT_FOUND);
	one_event(ACT_DEVICE_REAPPEAR, checkin(&silent, NULL, NULL, 0));
	assert_int_equal(hidden(silent.id), 0);
	no_event(clean_up());
	/* a deleted one comes for its retire, and stays deleted */
	checkin(&deleted, NULL, NULL, 0);
	assert_int_equal(hidden(deleted.id), 1);
	ok(cleanup_rule_delete(&F.admin, rule));
}

static void a_platforms_rule_goes_before_the_one_for_all(void **state)
{
	struct machine m = new_machine(true, true);
	struct id all = new_rule("all", 40), own;
	wait_us(41 * DAY_US);
	own = new_rule("linux", 100);
	clean_up();
	assert_int_equal(hidden(m.id), 0);
	ok(cleanup_rule_delete(&F.admin, own));
	clean_up();
	assert_int_equal(hidden(m.id), 1);
	/* a rule that hides it no more shows it again; so does none */
	ok(cleanup_rule_patch(&F.admin, all, patch_of(&RES_DEVICE_CLEANUP_RULE, "{\"deviceInactivityBeforeRetirementInDays\":50}")));
	clean_up();
	assert_int_equal(hidden(m.id), 0);
	ok(cleanup_rule_patch(&F.admin, all, patch_of(&RES_DEVICE_CLEANUP_RULE, "{\"deviceInactivityBeforeRetirementInDays\":30}")));
	clean_up();
	assert_int_equal(hidden(m.id), 1);
	ok(cleanup_set_days(&F.admin, 0));
	clean_up();
	assert_int_equal(hidden(m.id), 0);
	refused(cleanup_rule_delete(&F.admin, all), ERR_NOT_FOUND); /* the singleton was that rule */
}

static void rules_are_one_a_platform_from_30_to_270_days(void **state)
{
	struct id other;
	struct record *r = record_of(&F.admin, &RES_DEVICE_CLEANUP_RULE, RECORD_CREATE,
				     "{\"displayName\":\"R\",\"deviceCleanupRulePlatformType\":\"windows\",\"deviceInactivityBeforeRetirementInDays\":29}");
	refused(cleanup_rule_create(&F.admin, r, &other), ERR_BAD_REQUEST);
	refused(cleanup_set_days(&F.admin, 271), ERR_BAD_REQUEST);
	struct id rule = new_rule("windows", 270), ios = new_rule("ios", 30);
	record_set_int(r, "deviceInactivityBeforeRetirementInDays", 30);
	refused(cleanup_rule_create(&F.admin, r, &other), ERR_EXISTS);
	refused(cleanup_rule_patch(&F.admin, ios, patch_of(&RES_DEVICE_CLEANUP_RULE, "{\"deviceCleanupRulePlatformType\":\"windows\"}")), ERR_EXISTS);
	no_event(ok(cleanup_rule_patch(&F.admin, ios, patch_of(&RES_DEVICE_CLEANUP_RULE, "{\"deviceCleanupRulePlatformType\":\"ios\"}"))));
	refused(cleanup_rule_delete(&F.other_admin, rule), ERR_NOT_FOUND);
	ok(cleanup_rule_delete(&F.admin, rule));
	ok(cleanup_rule_delete(&F.admin, ios));
	int64_t days = 7;
	ok(cleanup_days(&F.admin, &days));
	assert_int_equal(days, 0);
	one_event(ACT_CLEANUP_RULE_CREATE, ok(cleanup_set_days(&F.admin, 90)));
	no_event(ok(cleanup_set_days(&F.admin, 90)));
	ok(cleanup_days(&F.admin, &days));
	assert_int_equal(days, 90);
	one_event(ACT_CLEANUP_RULE_DELETE, ok(cleanup_set_days(&F.admin, 0)));
}

static void the_property_has_the_tables_platform_types(void **state)
{
	static const char types[] =
#define CLEANUP_TYPE(type, platform) "|" type
#include "devices/cleanup_platforms.def"
#undef CLEANUP_TYPE
		;
	assert_string_equal(resource_property(&RES_DEVICE_CLEANUP_RULE, "deviceCleanupRulePlatformType", API_BETA)->values, types + 1);
}

static void a_restricted_persons_device_is_not_silent(void **state)
{
	struct machine m = new_machine(false, true);
	struct id rule = new_rule("linux", 30);
	ok(restriction_order(&F.admin, F.user, true));
	wait_us(60 * DAY_US);
	clean_up();
	assert_int_equal(hidden(m.id), 0);
	ok(restriction_order(&F.admin, F.user, false));
	clean_up();
	assert_int_equal(hidden(m.id), 1);
	ok(cleanup_rule_delete(&F.admin, rule));
	clean_up();
}

/* ---- assets ---- */

static enum err record_tx(struct scope *s, struct db_tx *tx, void *arg) { return asset_record(tx, *(struct id *)arg); }

static int64_t assets(void)
{
	return answer(&F.admin, "SELECT count(*) FROM device_assets WHERE tenant_id = ?1", db_v_null(), db_v_null()).ret;
}

static struct machine wiped(const char *note)
{
	struct machine m = new_machine(true, true);
	if (note != NULL)
		ok(managed_device_patch(&F.admin, m.id, patch_of(&RES_MANAGED_DEVICE, arena_printf(F.d.arena, "{\"assetNote\":\"%s\"}", note))));
	ok(device_wipe(&F.admin, m.id, NULL));
	struct checkin_answer a = checkin(&m, NULL, NULL, 0);
	ok(try_report(&m, a.actions[0].action, ACTION_done, NULL));
	return m;
}

static void a_wiped_machine_is_an_asset_until_it_enrols_again(void **state)
{
	struct machine m = wiped("Shelf 7"), personal = new_machine(false, true), retired = new_machine(true, true);
	ok(device_retire(&F.admin, personal.id));
	ok(device_retire(&F.admin, retired.id));
	no_event(ok(db_write(&F.admin, record_tx, &personal.id)));
	no_event(ok(db_write(&F.admin, record_tx, &retired.id)));
	one_event(ACT_ASSET_CREATE, ok(db_write(&F.admin, record_tx, &m.id)));
	assert_int_equal(answer(&F.admin, "SELECT count(*) FROM device_assets WHERE tenant_id = ?1 AND serial_number = 'PF-1' AND model = 'X1' AND "
					  "manufacturer = 'LENOVO' AND asset_note = 'Shelf 7' AND wiped_at IS NOT NULL",
				db_v_null(), db_v_null()).ret, 1);
	new_machine(false, true); /* sold to its user: the asset is the organisation's and stays */
	assert_int_equal(assets(), 1);
	struct machine again = new_machine(true, true);
	assert_int_equal(assets(), 0);
	assert_string_equal(device_text(again.id, "asset_note"), "Shelf 7");
	assert_false(id_equal(again.id, m.id));
	assert_null(device_text(again.id, "notes"));
}

static void machines_that_look_the_same_take_up_nothing(void **state)
{
	struct machine a = wiped(NULL), b = wiped("Shelf 8");
	ok(db_write(&F.admin, record_tx, &a.id));
	ok(db_write(&F.admin, record_tx, &b.id));
	struct machine again = new_machine(true, true);
	assert_null(device_text(again.id, "asset_note"));
	assert_int_equal(assets(), 2);
}

/* ---- ownership ---- */

static struct id change_of(struct id device)
{
	struct question q = {.args = {db_v_id(&device)}, .n = 1};
	char *hex = answer(&F.admin,
			   F.d.engine == DB_SQLITE ? "SELECT hex(change_id) FROM ownership_changes WHERE tenant_id = ?1 AND device_id = ?2 ORDER BY change_id DESC"
						   : "SELECT encode(change_id, 'hex') FROM ownership_changes WHERE tenant_id = ?1 AND device_id = ?2 "
						     "ORDER BY change_id DESC",
			   q.args[0], db_v_null()).text;
	struct id id;
	assert_non_null(hex);
	for (size_t i = 0; i < sizeof id.b; i++) {
		unsigned byte;
		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		id.b[i] = (uint8_t)byte;
	}
	return id;
}

static struct scope admin_called(uint8_t n)
{
	struct scope s = scope_of(F.tenant);
	s.actor = (struct actor){.type = ACTOR_APPLICATION, .id.b = {n}, .name = "Administrator"};
	return s;
}

static const char *change_state(struct id change)
{
	return answer(&F.admin, "SELECT state FROM ownership_changes WHERE tenant_id = ?1 AND change_id = ?2", db_v_id(&change), db_v_null()).text;
}

static void take_over(struct scope *s, struct id device)
{
	ok_in(s, managed_device_patch(s, device, patch_of(&RES_MANAGED_DEVICE, "{\"managedDeviceOwnerType\":\"company\",\"managedDeviceName\":\"seen\"}")));
}

static void a_personal_device_becomes_the_companys_with_a_second_persons_word(void **state)
{
	struct machine m = new_machine(false, true);
	struct scope one = admin_called(1), two = admin_called(2);
	take_over(&one, m.id);
	assert_string_equal(device_text(m.id, "owner_type"), "personal");
	assert_string_equal(device_text(m.id, "managed_device_name"), "seen");
	struct id change = change_of(m.id);
	no_event(ok_in(&one, managed_device_patch(&one, m.id, patch_of(&RES_MANAGED_DEVICE, "{\"managedDeviceOwnerType\":\"company\"}"))));
	refused(ownership_approve(&one, change, OWNERSHIP_SECOND_PERSON, NULL), ERR_FORBIDDEN);
	refused(ownership_approve(&one, change, OWNERSHIP_CONSENT, "he said so"), ERR_FORBIDDEN);
	refused(ownership_approve(&two, change, OWNERSHIP_CONSENT, NULL), ERR_BAD_REQUEST);
	refused(ownership_approve(&two, change, OWNERSHIP_SECOND_PERSON, "x"), ERR_BAD_REQUEST);
	refused(ownership_approve(&F.other_admin, change, OWNERSHIP_SECOND_PERSON, NULL), ERR_NOT_FOUND);
	assert_string_equal(device_text(m.id, "owner_type"), "personal");
	ok_in(&two, ownership_approve(&two, change, OWNERSHIP_SECOND_PERSON, NULL));
	assert_string_equal(device_text(m.id, "owner_type"), "company");
	assert_string_equal(change_state(change), "done");
	refused(ownership_approve(&two, change, OWNERSHIP_SECOND_PERSON, NULL), ERR_CONFLICT);
	refused(ownership_refuse(&two, change), ERR_CONFLICT);
}

static void the_user_agrees_or_refuses_on_the_device(void **state)
{
	struct machine m = new_machine(false, true);
	struct scope one = admin_called(1), device = scope_of_machine(&m);
	const char *text = "";
	ok_in(&device, ownership_asked(&device, m.id, &text));
	assert_null(text);
	refused(ownership_answer(&device, m.id, m.fingerprint, true), ERR_CONFLICT);
	take_over(&one, m.id);
	ok_in(&device, ownership_asked(&device, m.id, &text));
	assert_non_null(strstr(text, "ada-laptop"));
	ok_in(&device, ownership_answer(&device, m.id, m.fingerprint, false));
	assert_string_equal(change_state(change_of(m.id)), "refused");
	assert_string_equal(device_text(m.id, "owner_type"), "personal");
	take_over(&one, m.id);
	ok_in(&device, ownership_answer(&device, m.id, m.fingerprint, true));
	assert_string_equal(device_text(m.id, "owner_type"), "company");
	assert_int_equal(device.actor.type, ACTOR_DEVICE);
	assert_int_equal(answer(&F.admin, "SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND activity_type = 'approve OwnershipChange' AND "
					  "actor_id = ?2", db_v_id(&F.user), db_v_null()).ret, 1);
}

static void a_request_lapses_after_three_days(void **state)
{
	struct machine m = new_machine(false, true);
	struct scope one = admin_called(1), two, system;
	bool more;
	take_over(&one, m.id);
	struct id change = change_of(m.id);
	wait_us(3 * DAY_US);
	two = admin_called(2);
	refused(ownership_approve(&two, change, OWNERSHIP_SECOND_PERSON, NULL), ERR_CONFLICT);
	/* asked again before the job has seen it: another request */
	one = admin_called(1);
	take_over(&one, m.id);
	assert_string_equal(change_state(change), "expired");
	change = change_of(m.id);
	assert_string_equal(change_state(change), "pending");
	wait_us(4 * DAY_US);
	scope_system(&system, F.d.arena, F.d.db, F.keeper);
	system.now = F.now;
	one_event(ACT_OWNERSHIP_EXPIRE, ok_in(&system, ownership_run_due(&system, &more)));
	assert_string_equal(change_state(change), "expired");
	assert_string_equal(device_text(m.id, "owner_type"), "personal");
}

static void a_company_device_that_becomes_personal_loses_what_only_they_have(void **state)
{
	enum { MANY = 2500 }; /* more than one closure */
	struct machine m = new_machine(true, true);
	struct inventory i = {.device_name = "ada-laptop", .processor_count = -1, .physical_memory = -1, .total_storage = -1, .free_storage = -1,
			      .encrypted = -1};
	struct inventory_package *p = arena_alloc(F.d.arena, MANY * sizeof *p);
	for (int k = 0; k < MANY; k++)
		p[k] = (struct inventory_package){arena_printf(F.d.arena, "package-%d", k), "1"};
	settings("{\"collectPackages\":true}");
	i.packages = p, i.package_n = MANY, i.has_packages = true;
	checkin(&m, &i, NULL, 0);
	ok(managed_device_patch(&F.admin, m.id, patch_of(&RES_MANAGED_DEVICE, "{\"assetNote\":\"Shelf 9\"}")));
	struct record *personal = patch_of(&RES_MANAGED_DEVICE, "{\"managedDeviceOwnerType\":\"personal\"}");
	/* not while a wipe waits: the device would be wiped as somebody's own */
	struct machine going = new_machine(true, true);
	ok(device_wipe(&F.admin, going.id, NULL));
	refused(managed_device_patch(&F.admin, going.id, personal), ERR_CONFLICT);
	one_event(ACT_DEVICE_UPDATE, ok(managed_device_patch(&F.admin, m.id, personal)));
	assert_string_equal(device_text(m.id, "owner_type"), "personal");
	assert_null(device_text(m.id, "asset_note"));
	assert_int_equal(device_count("detected_apps", m.id), 0);
	assert_string_equal(change_state(change_of(m.id)), "done");
	refused(managed_device_patch(&F.admin, m.id, patch_of(&RES_MANAGED_DEVICE, "{\"assetNote\":\"x\"}")), ERR_BAD_REQUEST);
	settings("{\"collectPackages\":false}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_silent_device_is_hidden_and_nothing_more),
		cmocka_unit_test(a_platforms_rule_goes_before_the_one_for_all),
		cmocka_unit_test(rules_are_one_a_platform_from_30_to_270_days),
		cmocka_unit_test(the_property_has_the_tables_platform_types),
		cmocka_unit_test(a_restricted_persons_device_is_not_silent),
		cmocka_unit_test(a_wiped_machine_is_an_asset_until_it_enrols_again),
		cmocka_unit_test(machines_that_look_the_same_take_up_nothing),
		cmocka_unit_test(a_personal_device_becomes_the_companys_with_a_second_persons_word),
		cmocka_unit_test(the_user_agrees_or_refuses_on_the_device),
		cmocka_unit_test(a_request_lapses_after_three_days),
		cmocka_unit_test(a_company_device_that_becomes_personal_loses_what_only_they_have),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, fixture_up, fixture_down);
}
