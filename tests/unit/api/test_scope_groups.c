/* SPDX-License-Identifier: Apache-2.0
 * scope_groups.def against the routes: everything that a scoped role could open is decided, and the page says the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/scope_groups.h"

static const char *const PARAMS[] = {
#define SCOPE_PARAM(name, resource) name,
#define SCOPE_NOBODYS(name) name,
#include "api/scope_groups.def"
};

/* Roles with scope groups are a tenant's: nothing of the installation is opened by one. */
static bool is_scoped(const struct route *r)
{
	return (r->access == ACCESS_BEARER || r->access == ACCESS_LOG) && r->permission != NULL && *r->permission != '\0' &&
	       strncmp(r->permission, "Installation.", strlen("Installation.")) != 0;
}

static bool is_known(const char *name, size_t n)
{
	for (size_t i = 0; i < sizeof PARAMS / sizeof PARAMS[0]; i++)
		if (strlen(PARAMS[i]) == n && memcmp(PARAMS[i], name, n) == 0)
			return true;
	return false;
}

static void every_parameter_is_in_the_table(void **state)
{
	size_t n;
	const struct route *r = route_table(&n);
	for (size_t i = 0; i < n; i++)
		for (const char *p = strchr(r[i].path, '{'); p != NULL && is_scoped(&r[i]); p = strchr(p + 1, '{')) {
			size_t len = strcspn(p + 1, "}");
			if (strncmp(p, "{v}", 3) != 0 && !is_known(p + 1, len))
				fail_msg("%s: where the person of {%.*s} stands is not in scope_groups.def", r[i].path, (int)len, p + 1);
		}
}

/* What is read needs a decision; a change that nobody decided about needs the whole tenant. */
static void every_read_is_decided(void **state)
{
	size_t n, scoped = 0;
	const struct route *r = route_table(&n);
	for (size_t i = 0; i < n; i++) {
		enum scope_rule rule = scope_rule_of(&r[i]);
		bool reads = strcmp(r[i].method, "GET") == 0;
		if (!is_scoped(&r[i]))
			continue;
		scoped++;
		if (reads && rule == SCOPE_UNDECIDED)
			fail_msg("GET %s: what a role with scope groups sees of it is not in scope_groups.def", r[i].path);
		if (rule == SCOPE_CHECKED ? reads : !reads && (rule == SCOPE_LIMITED || rule == SCOPE_OPEN))
			fail_msg("%s %s: LIMITED and OPEN are for what is read, CHECKED for changes", r[i].method, r[i].path);
	}
	assert_true(scoped > 120);
}

static void every_row_has_its_route(void **state)
{
	size_t n, rows;
	const struct route *r = route_table(&n);
	const struct scope_route *row = scope_routes(&rows);
	for (size_t k = 0; k < rows; k++) {
		size_t i = 0;
		while (i < n && (strcmp(r[i].method, row[k].method) != 0 ||
				 strcmp(strncmp(r[i].path, "/{v}", 4) == 0 ? r[i].path + 4 : r[i].path, row[k].path) != 0))
			i++;
		if (i == n)
			fail_msg("scope_groups.def: there is no route %s %s", row[k].method, row[k].path);
		for (size_t j = 0; j < k; j++)
			if (strcmp(row[j].method, row[k].method) == 0 && strcmp(row[j].path, row[k].path) == 0)
				fail_msg("%s %s stands twice", row[k].method, row[k].path);
	}
}

static const char *word_of(enum scope_rule rule)
{
	static const char *const words[] = {[SCOPE_LIMITED] = "limited", [SCOPE_OPEN] = "open", [SCOPE_CHECKED] = "checked", [SCOPE_WHOLE] = "whole tenant"};
	return words[rule];
}

static void the_page_has_the_same_rows(void **state)
{
	char *page = NULL;
	size_t len = 0, rows;
	FILE *f = fopen(SCOPE_PAGE, "re");
	assert_non_null(f);
	ssize_t got = getdelim(&page, &len, EOF, f);
	fclose(f);
	assert_true(got > 0);
	const struct scope_route *row = scope_routes(&rows);
	for (size_t k = 0; k < rows; k++) {
		char want[512];
		snprintf(want, sizeof want, "| %s `%s` | %s | %s |\n", row[k].method, row[k].path, word_of(row[k].rule), row[k].why);
		if (strstr(page, want) == NULL)
			fail_msg("docs/operating/scope-groups.md lacks the row:\n%s", want);
	}
	size_t lines = 0;
	for (const char *p = strstr(page, "\n| GET `/users`"); p != NULL && p[1] == '|'; p = strchr(p + 1, '\n'))
		lines++;
	assert_int_equal(lines, rows);
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_parameter_is_in_the_table), cmocka_unit_test(every_read_is_decided),
					   cmocka_unit_test(every_row_has_its_route), cmocka_unit_test(the_page_has_the_same_rows)};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
