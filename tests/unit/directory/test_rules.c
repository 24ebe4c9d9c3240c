/* SPDX-License-Identifier: Apache-2.0
 * Rules without a database: what a permission grants, what a userPrincipalName looks like, the ranges of settings. */
#include "fixture.h"

static void permission_names(void **state)
{
	assert_true(permission_granted("", ""));
	assert_true(permission_granted(NULL, ""));
	assert_false(permission_granted(NULL, "User.Read.All"));
	assert_false(permission_granted("", "User.Read.All"));
	assert_true(permission_granted("User.Read.All", "User.Read.All"));
	assert_true(permission_granted("Group.Read.All User.Read.All", "User.Read.All"));
	assert_false(permission_granted("User.Read", "User.Read.All"));
	assert_false(permission_granted("User.Read.All", "User.Read"));
	assert_false(permission_granted("XUser.Read.All", "User.Read.All"));
}

static void write_includes_read_and_nothing_else(void **state)
{
	assert_true(permission_granted("User.ReadWrite.All", "User.Read.All"));
	assert_false(permission_granted("User.Read.All", "User.ReadWrite.All"));
	assert_false(permission_granted("User.ReadWrite.All", "Group.Read.All"));
	assert_false(permission_granted("Group.ReadWrite.All", "GroupMember.Read.All"));
	assert_false(permission_granted("User.ReadWrite.All", "User.Export.All"));
	assert_false(permission_granted("DeviceManagementManagedDevices.ReadWrite.All",
					"DeviceManagementManagedDevices.PrivilegedOperations.All"));
	assert_false(permission_granted("DeviceManagementManagedDevices.PrivilegedOperations.All",
					"DeviceManagementManagedDevices.Read.All"));
}

static void one_of_several_suffices(void **state)
{
	assert_true(permission_granted("AuditLog.Read.All", "DeviceManagementApps.Read.All|AuditLog.Read.All"));
	assert_true(permission_granted("DeviceManagementApps.ReadWrite.All", "DeviceManagementApps.Read.All|AuditLog.Read.All"));
	assert_false(permission_granted("User.Read.All", "DeviceManagementApps.Read.All|AuditLog.Read.All"));
}

/* A typing error in a route or role would lock everybody out of it, or hand out a name that nothing asks for. */
static void every_name_in_use_is_known(void **state)
{
	static const char *const required[] = {
#define ROUTE(listener, method, path, access, permission, activity, body, handler) permission,
#include "api/routes.def"
#undef ROUTE
#define ROLE_ALL ""
#define ROLE(reach, name, permissions) permissions,
#include "directory/access/roles.def"
#undef ROLE
	};
	for (size_t i = 0; i < sizeof required / sizeof required[0]; i++) {
		char text[1024], *save = NULL;
		snprintf(text, sizeof text, "%s", required[i]);
		for (char *p = strtok_r(text, "| ", &save); p != NULL; p = strtok_r(NULL, "| ", &save))
			if (!permission_known(p))
				fail_msg("unknown permission '%s'", p);
	}
}

static void upn_rules(void **state)
{
	static const char *const good[] = {"ada@example.com", "ADA.Lovelace@Example.COM", "o'brien@x", "a+b_c-d!#^~@sub.example-1.org",
					   "1@2"};
	static const char *const bad[] = {"",  "ada", "@example.com", "ada@", "a@b@c", "a b@c", "a@b c", "a\n@b", ".a@b", "a.@b", "a..b@c",
					  "a@.b", "a@b.", "a@b..c", "a@-b", "a@b-", "\xc3\xa4@b", "a/b@c", "a\"b@c", "a@b_c", "a%40b@c"};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		if (upn_problem(good[i]) != NULL)
			fail_msg("%s: %s", good[i], upn_problem(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (upn_problem(bad[i]) == NULL)
			fail_msg("'%s' passed", bad[i]);
	char local[128];
	memset(local, 'a', sizeof local);
	strcpy(local + 64, "@b");
	assert_null(upn_problem(local));
	local[64] = 'a';
	strcpy(local + 65, "@b");
	assert_non_null(upn_problem(local));
}

static void setting_ranges(void **state)
{
	struct arena *a = arena_new(MIB);
	size_t n;
	const struct setting_info *t = setting_table(&n);
	assert_true(n >= 8);
	for (size_t i = 0; i < n; i++) {
		struct scope s = {.arena = a};
		int64_t v = -1;
		assert_true(t[i].lowest <= t[i].preset && t[i].preset <= t[i].highest);
		auto_json *low = json_integer(t[i].lowest), *high = json_integer(t[i].highest), *under = json_integer(t[i].lowest - 1),
			  *over = json_integer(t[i].highest + 1), *text = json_string("1"), *yes = json_true();
		enum err number = t[i].is_bool ? ERR_BAD_REQUEST : OK, truth = t[i].is_bool ? OK : ERR_BAD_REQUEST;
		refused(setting_parse(&s, t[i].name, low, &v), number);
		refused(setting_parse(&s, t[i].name, high, &v), number);
		refused(setting_parse(&s, t[i].name, under, &v), ERR_BAD_REQUEST);
		refused(setting_parse(&s, t[i].name, over, &v), ERR_BAD_REQUEST);
		refused(setting_parse(&s, t[i].name, text, &v), ERR_BAD_REQUEST);
		refused(setting_parse(&s, t[i].name, yes, &v), truth);
	}
	struct scope s = {.arena = a};
	int64_t v;
	auto_json *one = json_integer(1);
	refused(setting_parse(&s, "noSuchSetting", one, &v), ERR_BAD_REQUEST);
	assert_int_equal(setting_info("auditRetentionDays")->lowest, 365);
	arena_free(a);
}

/* Nothing optional is collected before the tenant turns it on. */
static void collecting_is_off(void **state)
{
	size_t n;
	const struct setting_info *t = setting_table(&n);
	for (size_t i = 0; i < n; i++)
		if (strncmp(t[i].name, "collect", 7) == 0)
			assert_int_equal(t[i].preset, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(permission_names), cmocka_unit_test(write_includes_read_and_nothing_else),
		cmocka_unit_test(one_of_several_suffices),
		cmocka_unit_test(every_name_in_use_is_known), cmocka_unit_test(upn_rules), cmocka_unit_test(setting_ranges),
		cmocka_unit_test(collecting_is_off),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
