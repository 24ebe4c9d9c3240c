/* SPDX-License-Identifier: Apache-2.0
 *
 * $filter: what it means, what it refuses, and that no literal ever becomes SQL.
 */
#include "fixture.h"

static void add_some(void)
{
	as_tenant(tenant_a);
	add_user(1, "Ann@Example.org", "Ann", false);
	add_user(2, "gone@example.org", "Gone", true);
	add_device(1, 1, "alpha", "T14");
	add_device(2, 2, "Beta", NULL);
	add_device(3, 0, "100% _sure!", "t14s");
	add_device(4, 0, "O'Brien", "X1");
}

/* Names of the devices that a condition finds, in the order of their ids. */
static const char *found(const char *filter)
{
	const char *text = arena_printf(fx.s.arena, "$filter=%s", url_encode(fx.s.arena, filter));
	return column(list(&RES_MANAGED_DEVICE, text), "deviceName");
}

static void finds(const char *filter, const char *names)
{
	const char *got = found(filter);
	if (strcmp(got, names) != 0)
		fail_msg("%s: found \"%s\", not \"%s\"", filter, got, names);
}

static void wrong(const char *filter, const char *text)
{
	refused(&RES_MANAGED_DEVICE, arena_printf(fx.s.arena, "$filter=%s", url_encode(fx.s.arena, filter)),
		ERR_BAD_REQUEST, text);
}

static void comparisons(void **state)
{
	add_some();
	finds("deviceName eq 'alpha'", "alpha");
	finds("deviceName eq 'Alpha'", "");
	finds("DEVICENAME eq 'alpha'", "alpha");
	finds("deviceName gt 'a'", "alpha");
	finds("deviceName le '100% _sure!'", "100% _sure!");
	finds("id eq '01020000-0000-7000-8000-000000000002'", "Beta");
	finds("id eq 01020000-0000-7000-8000-000000000002", "Beta");
	finds("lastSyncDateTime ge 2027-01-15T07:59:58Z", "alpha,Beta");
	finds("lastSyncDateTime lt 2027-01-15T07:59:57Z", "O'Brien");
	finds("isEncrypted eq false", "alpha,Beta,100% _sure!,O'Brien"); /* NULL is written as false and found so */
	finds("isEncrypted eq true", "");
	finds("totalStorageSpaceInBytes eq 0 and totalStorageSpaceInBytes lt 1", "alpha,Beta,100% _sure!,O'Brien");
	finds("complianceState eq 'COMPLIANT'", "alpha,Beta,100% _sure!,O'Brien");
	finds("complianceState ne 'compliant'", "");
	finds("managementAgent eq 'mdm' and deviceName in ('alpha', 'Beta', 'none')", "alpha,Beta");
	finds("operatingSystem eq 'linux'", "alpha,Beta,100% _sure!,O'Brien");
}

static void null_is_a_value(void **state)
{
	add_some();
	finds("model eq null", "Beta");
	finds("model ne null", "alpha,100% _sure!,O'Brien");
	finds("model ne 'T14'", "Beta,100% _sure!,O'Brien");
	finds("not (model eq 'T14')", "Beta,100% _sure!,O'Brien");
	finds("not (model gt 'A')", "Beta");
	finds("not (not (model eq 'T14'))", "alpha");
	finds("not startswith(model, 't')", "Beta,O'Brien");
	finds("model in (null, 'X1')", "Beta,O'Brien");
	finds("not (model in ('T14', 'X1'))", "Beta,100% _sure!");
	finds("not (model eq 'T14' or model eq 'X1') and not (deviceName eq 'Beta')", "100% _sure!");
}

static void precedence(void **state)
{
	add_some();
	finds("deviceName eq 'alpha' or deviceName eq 'Beta' and model eq 'X1'", "alpha");
	finds("(deviceName eq 'alpha' or deviceName eq 'Beta') and model eq null", "Beta");
	finds("deviceName eq 'alpha' and model eq 'T14' or deviceName eq 'Beta' and model eq null or model eq 'X1'",
	      "alpha,Beta,O'Brien");
	/* a list of members stays one condition */
	finds("model in (null, 'X1') and deviceName eq 'Beta'", "Beta");
	finds("userPrincipalName in ('ann@example.org', 'x') and deviceName eq 'Beta'", "");
}

static void text_functions(void **state)
{
	add_some();
	finds("startswith(deviceName, 'AL')", "alpha");
	finds("startsWith(model, 't14')", "alpha,100% _sure!");
	finds("endswith(deviceName, 'TA')", "Beta");
	finds("contains(deviceName, '%')", "100% _sure!");
	finds("contains(deviceName, '_s')", "100% _sure!");
	finds("contains(deviceName, '!')", "100% _sure!");
	finds("startswith(deviceName, '_')", "");
	finds("contains(deviceName, '''')", "O'Brien");
	finds("contains(deviceName, '')", "alpha,Beta,100% _sure!,O'Brien");
}

static void people(void **state)
{
	add_some();
	finds("userPrincipalName eq 'ANN@example.ORG'", "alpha");
	finds("userPrincipalName eq 'GONE@example.org'", "Beta"); /* deleted, the device is still theirs */
	finds("userPrincipalName in ('ann@example.org', 'gone@example.org')", "alpha,Beta");
	finds("userPrincipalName ne 'ann@example.org'", "Beta,100% _sure!,O'Brien");
	finds("userPrincipalName eq null", "100% _sure!,O'Brien");
	finds("startswith(userPrincipalName, 'ann')", "alpha");
	finds("userDisplayName eq 'Ann'", "alpha");
	finds("userId eq '01010000-0000-7000-8000-000000000001'", "alpha");
	finds("userId eq null", "100% _sure!,O'Brien");
	assert_string_equal(
		column(list(&RES_USER, "$filter=userPrincipalName%20eq%20'ANN@example.ORG'"), "displayName"), "Ann");
	assert_string_equal(column(list(&RES_USER, "$filter=userPrincipalName%20gt%20'a'"), "displayName"), "Ann");
	assert_string_equal(
		column(list(&RES_DELETED_USER, "$filter=userPrincipalName%20eq%20'GONE@example.org'"), "displayName"),
		"Gone");
}

static void wrong_types(void **state)
{
	wrong("deviceName eq 5", "'deviceName' in $filter is compared with a string");
	wrong("deviceName eq true", "a string");
	wrong("id eq 'x'", "a UUID");
	wrong("id eq 5", "a UUID");
	wrong("lastSyncDateTime eq 'yesterday'", "a date");
	wrong("lastSyncDateTime eq 5", "a date");
	wrong("isEncrypted eq 'true'", "true or false");
	wrong("isEncrypted gt false", "has no order");
	wrong("totalStorageSpaceInBytes eq '5'", "a number");
	wrong("complianceState eq 'happy'", "one of unknown|compliant");
	wrong("complianceState gt 'compliant'", "has no order");
	wrong("id gt '01020000-0000-7000-8000-000000000002'", "has no order");
	wrong("startswith(lastSyncDateTime, '2')", "is for text");
	wrong("startswith(complianceState, 'c')", "is for text");
	wrong("startswith(deviceName, 5)", "");
	wrong("deviceName gt null", "eq and ne only");
	wrong("deviceName in ('a', 5)", "a string");
}

static void unknown_properties(void **state)
{
	wrong("nothing eq 'x'", "names 'nothing'");
	wrong("tenant_id eq 'x'", "names 'tenant_id'");
	wrong("device_name eq 'x'", "names 'device_name'");
	wrong("notes eq 'x'", "'notes' cannot be used in $filter");
	wrong("imei eq ''", "'imei' cannot be used in $filter");
	wrong("ownerType eq 'company'", "names 'ownerType'"); /* beta's */
	refused(&RES_USER, "$filter=passwordProfile%20eq%20'x'", ERR_BAD_REQUEST, "names 'passwordProfile'");
	refused(&RES_MANAGED_DEVICE, "$search=x", ERR_NOT_IMPLEMENTED, "$search");
	refused(&RES_MANAGED_DEVICE, "$expand=detectedApps", ERR_EXPAND, "detectedApps");
}

static void bounds(void **state)
{
	char text[4096] = "", *at = text;
	add_some();
	for (int i = 0; i < 49; i++)
		at = stpcpy(at, "deviceName eq 'x' or ");
	strcpy(at, "deviceName eq 'alpha'");
	finds(text, "alpha");
	for (int deep = 5; deep <= 40; deep += 35) {
		at = text;
		for (int i = 0; i < deep; i++)
			at = stpcpy(at, i % 2 ? "(deviceName eq 'x' or " : "(deviceName eq 'alpha' and ");
		at = stpcpy(at, "model eq 'T14'");
		for (int i = 0; i < deep; i++)
			*at++ = ')';
		*at = '\0';
		if (deep == 5)
			finds(text, "alpha");
		else
			wrong(text, "nests");
	}
}

/* As deep as is allowed, the engine's own parser still takes it. */
static void deepest(void **state)
{
	char text[4096] = "", *at = text;
	add_some();
	for (int i = 0; i < 15; i++)
		at = stpcpy(at, i % 2 ? "(userPrincipalName in ('a', 'b') or " : "(deviceName eq 'alpha' and ");
	at = stpcpy(at, "userPrincipalName in ('ann@example.org', null)");
	for (int i = 0; i < 15; i++)
		*at++ = ')';
	*at = '\0';
	finds(text, "alpha");
	at = text;
	for (int i = 0; i < 16; i++)
		at = stpcpy(at, "not (");
	at = stpcpy(at, "contains(deviceName, 'alph')");
	for (int i = 0; i < 16; i++)
		*at++ = ')';
	*at = '\0';
	finds(text, "alpha");
}

static void literals_stay_literals(void **state)
{
	static const char *const hostile[] = {"' OR 1=1 --",
					      "'; DROP TABLE managed_devices; --",
					      "x' UNION SELECT upn FROM users --",
					      "\\' OR '1'='1",
					      "?1",
					      "$1",
					      "\" OR \"1\"=\"1",
					      "%",
					      "_",
					      "!",
					      "\\",
					      "/* */",
					      "');--",
					      "${x}",
					      ":a",
					      "@a",
					      "\xc3\xa9\xe2\x80\x99",
					      "0x41",
					      "NULL",
					      "1; --"};
	static const char *const where[] = {"deviceName eq '%s'",
					    "deviceName ne 'zz' and deviceName eq '%s'",
					    "userPrincipalName eq '%s'",
					    "userPrincipalName in ('%s', 'q')",
					    "startswith(model, '%s') and endswith(model, '%s')",
					    "contains(emailAddress, '%s')",
					    "deviceName in ('%s')",
					    "emailAddress eq '%s'",
					    "operatingSystem eq '%s'",
					    "not (deviceName ne '%s')"};
	add_some();
	for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
		char quoted[128], *to = quoted;
		for (const char *c = hostile[i]; *c != '\0'; c++) {
			*to++ = *c;
			if (*c == '\'')
				*to++ = '\'';
		}
		*to = '\0';
		for (size_t k = 0; k < sizeof where / sizeof where[0]; k++)
			finds(arena_printf(fx.s.arena, where[k], quoted, quoted), "");
		wrong(arena_printf(fx.s.arena, "id eq '%s'", quoted), "a UUID");
		wrong(arena_printf(fx.s.arena, "complianceState eq '%s'", quoted), "one of");
	}
	finds("deviceName ne null", "alpha,Beta,100% _sure!,O'Brien"); /* all still there */
}

/* A hostile value that is stored is found as itself. */
static void hostile_values_are_found(void **state)
{
	as_tenant(tenant_a);
	add_device(9, 0, "' OR 1=1 --", "%");
	add_device(10, 0, "plain", "x");
	finds("deviceName eq ''' OR 1=1 --'", "' OR 1=1 --");
	finds("model eq '%'", "' OR 1=1 --");
	finds("startswith(model, '%')", "' OR 1=1 --");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(comparisons), TEST(null_is_a_value), TEST(precedence), TEST(text_functions), TEST(people), TEST(wrong_types),
		TEST(unknown_properties), TEST(bounds), TEST(deepest), TEST(literals_stay_literals), TEST(hostile_values_are_found)};
	return RUN(tests);
}
