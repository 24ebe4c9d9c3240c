/* SPDX-License-Identifier: Apache-2.0
 * Paths as Graph's clients write them, against the real table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/router.h"

static struct arena *A;

static struct route_match find(const char *method, const char *path)
{
	size_t n;
	struct route_match m;
	const struct route *table = route_table(&n);
	route_find(A, table, n, ON_API, method, path, &m);
	return m;
}

static void paths_that_mean_the_same(void **state)
{
	static const struct {
		const char *path, *route, *value;
	} cases[] = {
		{"/v1.0/users/anna@x.org", "/{v}/users/{user}", "anna@x.org"},
		{"/v1.0/users('anna@x.org')", "/{v}/users/{user}", "anna@x.org"},
		{"/beta/Users/anna%40x.org/", "/{v}/users/{user}", "anna@x.org"},
		{"/v1.0/users('o''neil@x.org')", "/{v}/users/{user}", "o'neil@x.org"},
		{"/v1.0/directory/deletedItems/microsoft.graph.user", "/{v}/directory/deletedItems/graph.user", NULL},
		{"/v1.0/directory/deleteditems/graph.user", "/{v}/directory/deletedItems/graph.user", NULL},
		{"/v1.0/directory/deletedItems/abc", "/{v}/directory/deletedItems/{id}", "abc"},
		{"/v1.0/deviceManagement/auditEvents/getAuditCategories()", "/{v}/deviceManagement/auditEvents/getAuditCategories", NULL},
		{"/v1.0/deviceManagement/auditEvents/microsoft.graph.getAuditCategories", "/{v}/deviceManagement/auditEvents/getAuditCategories", NULL},
		{"/v1.0/deviceManagement/auditEvents/getAuditActivityTypes(category='Device')",
		 "/{v}/deviceManagement/auditEvents/getAuditActivityTypes({category})", "Device"},
		{"/v1.0/deviceManagement/auditEvents/$count", "/{v}/deviceManagement/auditEvents", NULL},
		{"/healthz", "/healthz", NULL},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct route_match m = find("GET", cases[i].path);
		if (m.route == NULL)
			fail_msg("no route: %s", cases[i].path);
		assert_string_equal(m.route->path, cases[i].route);
		if (cases[i].value != NULL)
			assert_string_equal(m.param[0].value, cases[i].value);
	}
}

static void paths_that_are_nothing(void **state)
{
	static const char *const cases[] = {"/", "", "/v2.0/users", "/users", "/v1.0/users/a/b/c/d/e/f/g/h/i/j/k/l/m", "/v1.0/usersx",
					    "/v1.0/$count", "/v1.0/users/$nothing", "/v1.0/directory/deletedItems/graph.group/x", "//v1.0//nothing"};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_null(find("GET", cases[i]).route);
	assert_true(find("GET", "/v1.0/users/%zz").malformed);
	assert_true(find("GET", "/v1.0/users/%00").malformed);
	assert_true(find("GET", "users").malformed);
}

static void methods(void **state)
{
	struct route_match m = find("PUT", "/v1.0/users/x");
	assert_null(m.route);
	assert_true(m.other_method);
	assert_non_null(strstr(m.allow, "PATCH"));
	assert_non_null(find("HEAD", "/v1.0/users").route);
	m = find("POST", "/v1.0/users/$count");
	assert_true(m.route == NULL && m.other_method);
	assert_string_equal(m.allow, "GET");
	assert_true(find("GET", "/beta/users/x/managedDevices/$COUNT").count);
	assert_false(find("GET", "/v1.0/users").count);
	assert_null(find("GET", "/healthz/$count").route);
	assert_int_equal(find("GET", "/beta/users").version, API_BETA);
	assert_int_equal(find("GET", "/v1.0/users").version, API_V1);
}

static void the_rest_of_a_path(void **state)
{
	static const char *const none[] = {"/log/k1/tile", "/log/k1/tile/", "/log/k1/tile/0%2f000", "/log/k1/tile/$x", "/log/k1/tile/f(x=1)",
					   "/log/k1", "/log/k1/tile/1/2/3/4/5/6/7/8/9/10"};
	struct route_match m = find("GET", "/log/k1/tile/0/x001/067.p/12");
	assert_non_null(m.route);
	assert_string_equal(m.route->path, "/log/{log}/tile/{path...}");
	assert_int_equal(m.param_count, 2);
	assert_string_equal(m.param[1].name, "path");
	assert_string_equal(m.param[1].value, "0/x001/067.p/12");
	assert_string_equal(find("GET", "/log/k1/tile/entries/x001/x234/x567/x891/x234/x567/067.p/1").param[1].value,
			    "entries/x001/x234/x567/x891/x234/x567/067.p/1"); /* the longest that there can be */
	assert_true(find("DELETE", "/log/k1/tile/0/000").other_method);
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		assert_null(find("GET", none[i]).route);
}

/* Each row can be reached by its own path, and no two rows are the same. */
static void every_row_is_reached(void **state)
{
	size_t n;
	const struct route *table = route_table(&n);
	for (size_t i = 0; i < n; i++) {
		char path[256] = "", *at = path;
		for (const char *p = table[i].path; *p != '\0'; p++) {
			if (strncmp(p, "{v}", 3) == 0) {
				at = stpcpy(at, "v1.0");
				p += 2;
			} else if (*p == '{') {
				at = stpcpy(at, p[-1] == '(' ? "x='k1'" : "k1");
				p = strchr(p, '}');
			} else {
				*at++ = *p;
				*at = '\0';
			}
		}
		struct route_match m;
		route_find(A, table, n, table[i].listener == ON_DEVICE ? ON_DEVICE : ON_API, table[i].method, path, &m);
		if (m.route != &table[i])
			fail_msg("%s %s does not reach its row", table[i].method, path);
		assert_true(table[i].access == ACCESS_BEARER || table[i].access == ACCESS_LOG || table[i].access == ACCESS_SCIM || *table[i].permission == '\0');
	}
}

static int up(void **state)
{
	A = arena_new(1 << 20);
	return 0;
}

static int down(void **state)
{
	arena_free(A);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(paths_that_mean_the_same), cmocka_unit_test(paths_that_are_nothing),
					   cmocka_unit_test(methods), cmocka_unit_test(the_rest_of_a_path),
					   cmocka_unit_test(every_row_is_reached)};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, up, down);
}
