/* SPDX-License-Identifier: Apache-2.0
 *
 * What a page, an entity and a count look like, what $select gives, and that no tenant sees another's rows.
 */
#include "fixture.h"

static struct question one(const struct resource *r, struct id key)
{
	return (struct question){.q = {.res = r}, .key = key, .kind = 2};
}

static const char *text_of(const char *key)
{
	return json_string_value(json_object_get(fx.page, key));
}

static void devices_have_intunes_form(void **state)
{
	as_tenant(tenant_a);
	add_user(1, "Ann@example.org", "Ann", false);
	add_device(1, 1, "say \"hi\"\xc3\xa9", NULL);
	list(&RES_MANAGED_DEVICE, "");
	static const char want[] =
		"{\"@odata.context\":\"https://reeve.example/v1.0/$metadata#deviceManagement/managedDevices\","
		"\"@odata.count\":1,\"value\":[{"
		"\"id\":\"01020000-0000-7000-8000-000000000001\",\"userId\":\"01010000-0000-7000-8000-000000000001\","
		"\"deviceName\":\"say \\\"hi\\\"\xc3\xa9\",\"managedDeviceOwnerType\":\"company\","
		"\"enrolledDateTime\":\"2027-01-15T07:59:59Z\","
		"\"lastSyncDateTime\":\"2027-01-15T07:59:59Z\",\"operatingSystem\":\"Linux\",\"complianceState\":\"compliant\","
		"\"jailBroken\":\"Unknown\",\"managementAgent\":\"mdm\",\"osVersion\":null,\"easActivated\":false,"
		"\"easDeviceId\":\"\","
		"\"easActivationDateTime\":\"0001-01-01T00:00:00Z\",";
	assert_int_equal(strncmp(fx.out.data, want, sizeof want - 1), 0);
	const json_t *d = json_array_get(json_object_get(fx.page, "value"), 0);
	assert_string_equal(json_string_value(json_object_get(d, "userPrincipalName")), "Ann@example.org");
	assert_string_equal(json_string_value(json_object_get(d, "complianceGracePeriodExpirationDateTime")),
			    "9999-12-31T23:59:59Z");
	assert_string_equal(json_string_value(json_object_get(d, "deviceCategoryDisplayName")), "Unknown");
	assert_true(json_is_false(json_object_get(d, "isEncrypted")));
	assert_int_equal(json_integer_value(json_object_get(d, "totalStorageSpaceInBytes")), 0);
	assert_true(json_is_null(json_object_get(d, "activationLockBypassCode")));
	assert_null(json_object_get(d, "deviceActionResults")); /* the hook's */
}

static void users_show_the_default_set(void **state)
{
	as_tenant(tenant_a);
	add_user(1, "ann@example.org", "Ann", false);
	list(&RES_USER, "");
	assert_null(json_object_get(fx.page, "@odata.count"));
	assert_string_equal(fx.out.data,
			    "{\"@odata.context\":\"https://reeve.example/v1.0/$metadata#users\",\"value\":[{\"businessPhones\":[],"
			    "\"displayName\":\"Ann\",\"givenName\":null,\"id\":\"01010000-0000-7000-8000-000000000001\",\"jobTitle\":null,"
			    "\"mail\":null,\"mobilePhone\":null,\"officeLocation\":null,\"preferredLanguage\":null,\"surname\":null,"
			    "\"userPrincipalName\":\"ann@example.org\"}]}");
	list(&RES_USER, "$select=userPrincipalName,ACCOUNTENABLED,accountEnabled&$count=true");
	assert_string_equal(fx.out.data,
			    "{\"@odata.context\":\"https://reeve.example/v1.0/$metadata#users(userPrincipalName,accountEnabled)\","
			    "\"@odata.count\":1,"
			    "\"value\":[{\"userPrincipalName\":\"ann@example.org\",\"accountEnabled\":true}]}");
	list(&RES_USER, "$select=*");
	assert_int_equal(json_object_size(json_array_get(json_object_get(fx.page, "value"), 0)), 11);
	refused(&RES_USER, "$select=id,nothing", ERR_BAD_REQUEST, "names 'nothing'");
	refused(&RES_USER, "$select=display", ERR_BAD_REQUEST, "names 'display'");
	refused(&RES_USER, "$select=passwordProfile", ERR_BAD_REQUEST, "names 'passwordProfile'");
	refused(&RES_USER, "$select=upn_key", ERR_BAD_REQUEST, "names 'upn_key'");
}

static void deleted_users_are_apart(void **state)
{
	as_tenant(tenant_a);
	add_user(1, "ann@example.org", "Ann", false);
	add_user(2, "gone@example.org", "Gone", true);
	assert_string_equal(column(list(&RES_USER, ""), "displayName"), "Ann");
	json_t *rows = list(&RES_DELETED_USER, "$select=id,deletedDateTime");
	assert_int_equal(json_array_size(rows), 1);
	assert_string_equal(column(rows, "@odata.type"), "#microsoft.graph.user");
	assert_string_equal(column(rows, "deletedDateTime"), "2027-01-15T08:00:00Z");
	struct question a = one(&RES_USER, test_id(1, 2));
	assert_int_equal(ask(&a, ""), ERR_NOT_FOUND);
	assert_string_equal(fx.s.detail, "there is no user with the id 01010000-0000-7000-8000-000000000002");
}

static void entity(void **state)
{
	as_tenant(tenant_a);
	add_device(1, 0, "one", NULL);
	struct question a = one(&RES_MANAGED_DEVICE, test_id(2, 1));
	ok(ask(&a, "$select=deviceName"));
	assert_string_equal(fx.out.data, "{\"@odata.context\":\"" BASE_URL "/$metadata#deviceManagement/managedDevices"
					 "(deviceName)/$entity\",\"deviceName\":\"one\"}");
	ok(ask(&a, ""));
	assert_string_equal(text_of("@odata.context"), BASE_URL "/$metadata#deviceManagement/managedDevices/$entity");
	a.q.extra_where = "t.device_name = ?2";
	a.q.args = (const struct db_value[]){db_v_text("other")};
	a.q.arg_count = 1;
	assert_int_equal(ask(&a, ""), ERR_NOT_FOUND);
	a.q.args = (const struct db_value[]){db_v_text("one")};
	ok(ask(&a, ""));
	a = one(&RES_MANAGED_DEVICE, test_id(2, 2));
	buf_adds(&fx.out, "kept");
	assert_int_equal(ask(&a, ""), ERR_NOT_FOUND);
	assert_int_equal(fx.out.len, 0);
}

static void hidden_devices_are_gone(void **state)
{
	struct id id = test_id(2, 1);
	as_tenant(tenant_a);
	add_device(1, 0, "one", NULL);
	add_device(2, 0, "two", NULL);
	run("UPDATE managed_devices SET hidden_at = 5, hidden_reason = 'deleted' WHERE tenant_id = ?1 AND device_id = ?2", DB_ARGS(db_v_id(&id)));
	assert_string_equal(column(list(&RES_MANAGED_DEVICE, ""), "deviceName"), "two");
	assert_int_equal(json_integer_value(json_object_get(fx.page, "@odata.count")), 1);
	struct question a = one(&RES_MANAGED_DEVICE, id);
	assert_int_equal(ask(&a, ""), ERR_NOT_FOUND);
}

static void counts(void **state)
{
	as_tenant(tenant_a);
	add_device(1, 0, "one", NULL);
	add_device(2, 0, "two", NULL);
	struct question a = {.q = {.res = &RES_MANAGED_DEVICE}, .kind = 1};
	ok(ask(&a, "$top=1"));
	assert_string_equal(fx.out.data, "2");
	ok(ask(&a, "$filter=deviceName%20eq%20'one'"));
	assert_string_equal(fx.out.data, "1");
	assert_int_equal(ask(&a, "$filter=nothing%20eq%20'one'"), ERR_BAD_REQUEST);
	assert_int_equal(ask(&a, "$search=x"), ERR_NOT_IMPLEMENTED);
}

/* ---- the hook ---- */

static int hooked;

static enum err more(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id key, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	hooked++;
	if (!resource_selected(q, "deviceActionResults"))
		return OK;
	/* a statement of its own while the page's cursor is open */
	TRY(db_query_text(tx, DB_REACH_TENANT,
			  "SELECT device_name FROM managed_devices WHERE tenant_id = ?1 AND device_id = ?2",
			  DB_ARGS(db_v_id(&key)), &r));
	jw_key(w, "deviceActionResults");
	jw_array(w);
	while (db_next(r))
		jw_string(w, db_text(r, 0));
	jw_end_array(w);
	return db_rows_err(r) != OK ? db_rows_err(r) : *(enum err *)arg;
}

static void the_hook_adds_members(void **state)
{
	enum err result = OK;
	struct question a = {.q = {.res = &RES_MANAGED_DEVICE, .more = more, .more_arg = &result}};
	as_tenant(tenant_a);
	add_device(1, 0, "one", NULL);
	add_device(2, 0, "two", NULL);
	hooked = 0;
	ok(ask(&a, "$select=deviceActionResults"));
	assert_string_equal(fx.out.data, "{\"@odata.context\":\"" BASE_URL "/$metadata#deviceManagement/managedDevices"
					 "(deviceActionResults)\",\"@odata.count\":2,\"value\":[{\"deviceActionResults\":[\"one\"]},"
					 "{\"deviceActionResults\":[\"two\"]}]}");
	ok(ask(&a, "$select=deviceName"));
	assert_int_equal(hooked, 4);
	assert_string_equal(strstr(fx.out.data, "[{"), "[{\"deviceName\":\"one\"},{\"deviceName\":\"two\"}]}");
	ok(ask(&a, ""));
	assert_non_null(strstr(fx.out.data, ",\"deviceActionResults\":[\"two\"]}]}"));
	result = ERR_IO;
	assert_int_equal(ask(&a, ""), ERR_IO);
	assert_int_equal(fx.out.len, 0);
	refused(&RES_MANAGED_DEVICE, "$select=hardwareInformation", ERR_BAD_REQUEST, "names 'hardwareInformation'");
	a.q.version = API_BETA;
	ok(ask(&a, "$select=hardwareInformation,id"));
}

/* ---- nested objects, types ---- */

static void nested_objects(void **state)
{
	struct id item = test_id(3, 1), group = test_id(4, 1), self = test_id(5, 1);
	as_tenant(tenant_a);
	run("INSERT INTO assignments (tenant_id, item_type, item_id, group_id, assignment_id, intent, created_at) VALUES "
	    "(?1, 'mobileApp', ?2, ?3, "
	    "?4, 'required', 0)", DB_ARGS(db_v_id(&item), db_v_id(&group), db_v_id(&self)));
	static const char target[] = "\"target\":{\"@odata.type\":\"#microsoft.graph.groupAssignmentTarget\","
				     "\"groupId\":\"01040000-0000-7000-8000-000000000001\"}";
	list(&RES_ASSIGNMENT, "");
	assert_string_equal(strstr(fx.out.data, "[{"), arena_printf(fx.s.arena,
		"[{\"id\":\"01050000-0000-7000-8000-000000000001\",\"intent\":\"required\",\"source\":\"direct\",%s}]}", target));
	list(&RES_ASSIGNMENT, "$select=target");
	assert_string_equal(fx.out.data, arena_printf(fx.s.arena,
		"{\"@odata.context\":\"%s/$metadata#assignments(target)\",\"value\":[{%s}]}", BASE_URL, target));
	list(&RES_ASSIGNMENT, "$filter=target/groupId%20eq%20'01040000-0000-7000-8000-000000000001'");
	assert_int_equal(json_array_size(json_object_get(fx.page, "value")), 1);
	list(&RES_ASSIGNMENT, "$filter=target/groupId%20ne%20'01040000-0000-7000-8000-000000000001'");
	assert_int_equal(json_array_size(json_object_get(fx.page, "value")), 0);
}

static void derived_types_and_payloads(void **state)
{
	struct id id = test_id(3, 1);
	as_tenant(tenant_a);
	run("INSERT INTO device_configurations (tenant_id, configuration_id, odata_type, display_name, payload, version, "
	    "created_at, modified_at) "
	    "VALUES (?1, ?2, '#microsoft.graph.linuxFile', 'A file', '{\"secret\":1}', 3, 0, 0)", DB_ARGS(db_v_id(&id)));
	list(&RES_DEVICE_CONFIGURATION, "$select=version");
	assert_string_equal(strstr(fx.out.data, "[{"), "[{\"@odata.type\":\"#microsoft.graph.linuxFile\",\"version\":3}]}");
	list(&RES_DEVICE_CONFIGURATION, "");
	assert_null(strstr(fx.out.data, "secret"));
	refused(&RES_DEVICE_CONFIGURATION, "$select=payload", ERR_BAD_REQUEST, "names 'payload'");
}

static void binaries_and_exact_text(void **state)
{
	struct id id = test_id(3, 1);
	as_tenant(tenant_a);
	run("INSERT INTO certificates (tenant_id, certificate_id, duty_id, kind, issued_at, body, signature) VALUES (?1, ?2, "
	    "?2, 'copies', 0, ?3, ?4)",
	    DB_ARGS(db_v_id(&id), db_v_text("{\"a\":1}"), db_v_blob("\x00\xff\x10", 3)));
	list(&RES_CERTIFICATE, "$select=body,signature");
	assert_string_equal(strstr(fx.out.data, "[{"), "[{\"body\":\"{\\\"a\\\":1}\",\"signature\":\"AP8Q\"}]}");
}

static void a_person_is_in_the_acceptances_id(void **state)
{
	struct id terms = test_id(6, 1), user = test_id(1, 1);
	as_tenant(tenant_a);
	add_user(1, "ann@example.org", "Ann", false);
	run("INSERT INTO terms_acceptances (tenant_id, terms_id, user_id, version, accepted_at) VALUES (?1, ?2, ?3, 2, 0)",
	    DB_ARGS(db_v_id(&terms), db_v_id(&user)));
	list(&RES_TERMS_ACCEPTANCE, "");
	assert_string_equal(strstr(fx.out.data, "[{"),
			    "[{\"id\":\"01060000-0000-7000-8000-000000000001_01010000-0000-7000-8000-000000000001_2\","
			    "\"userDisplayName\":\"Ann\",\"acceptedVersion\":2,\"acceptedDateTime\":\"1970-01-01T00:00:00Z\","
			    "\"userPrincipalName\":\"ann@example.org\"}]}");
}

/* ---- tenants ---- */

static void tenants_never_mix(void **state)
{
	static const char *const queries[] = {"", "$orderby=userPrincipalName", "$filter=deviceName%20eq%20'shared'",
		"$filter=userPrincipalName%20eq%20'same@example.org'", "$filter=deviceName%20eq%20'x'%20or%20deviceName%20ne%20'y'",
		"$filter=not%20(deviceName%20eq%20'y')", "$filter=model%20eq%20null", "$orderby=model%20desc&$skip=0",
		"$filter=userDisplayName%20eq%20'Same'"};
	for (int t = 0; t < 2; t++) { /* the same ids, names and people in both */
		as_tenant(t ? tenant_b : tenant_a);
		add_user(1, "same@example.org", "Same", false);
		add_device(1, 1, "shared", NULL);
	}
	as_tenant(tenant_b);
	struct id id = test_id(2, 1);
	run("UPDATE managed_devices SET managed_device_name = 'of B' WHERE tenant_id = ?1 AND device_id = ?2",
	    DB_ARGS(db_v_id(&id)));
	for (size_t i = 0; i < 2 * sizeof queries / sizeof queries[0]; i++) {
		as_tenant(i % 2 ? tenant_b : tenant_a);
		assert_string_equal(column(list(&RES_MANAGED_DEVICE, queries[i / 2]), "managedDeviceName"),
				    i % 2 ? "of B" : "shared");
		assert_int_equal(json_integer_value(json_object_get(fx.page, "@odata.count")), 1);
	}
	as_tenant(tenant_a);
	add_device(2, 0, "only a", NULL);
	as_tenant(tenant_b);
	struct question a = one(&RES_MANAGED_DEVICE, test_id(2, 2));
	assert_int_equal(ask(&a, ""), ERR_NOT_FOUND);
}

static void the_installation_sees_all_tenants(void **state)
{
	as_system();
	assert_string_equal(column(list(&RES_TENANT, "$orderby=displayName&$top=1"), "displayName"), "A");
	char next[1024];
	snprintf(next, sizeof next, "%s", next_query());
	assert_string_equal(column(list(&RES_TENANT, next), "displayName"), "B");
	assert_string_equal(column(list(&RES_TENANT, "$filter=displayName%20eq%20'B'"), "displayName"), "B");
	struct question a = one(&RES_TENANT, tenant_b);
	ok(ask(&a, "$select=displayName"));
	assert_string_equal(text_of("displayName"), "B");
	as_tenant(tenant_a); /* and a tenant itself */
	assert_string_equal(column(list(&RES_TENANT, ""), "displayName"), "A");
	a = one(&RES_TENANT, tenant_b);
	assert_int_equal(ask(&a, ""), ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(devices_have_intunes_form), TEST(users_show_the_default_set), TEST(deleted_users_are_apart), TEST(entity),
		TEST(hidden_devices_are_gone), TEST(counts), TEST(the_hook_adds_members), TEST(nested_objects),
		TEST(derived_types_and_payloads), TEST(binaries_and_exact_text), TEST(a_person_is_in_the_acceptances_id),
		TEST(tenants_never_mix), TEST(the_installation_sees_all_tenants)};
	return RUN(tests);
}
