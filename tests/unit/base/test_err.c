/* SPDX-License-Identifier: Apache-2.0
 * The error table is complete and within what HTTP and a shell can carry; details: the first one wins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "aborts.h"
#include "base/err.h"
#include "base/scope.h"

static void every_row_is_complete(void **state)
{
	for (int e = 0; e < ERR_COUNT; e++) {
		assert_true(strlen(err_name(e)) > 0);
		assert_true(strlen(err_text(e)) > 0);
		for (int other = 0; other < e; other++)
			assert_string_not_equal(err_name(e), err_name(other));
		if (e == OK) {
			assert_int_equal(err_http_status(e), 200);
			assert_int_equal(err_exit_code(e), 0);
			continue;
		}
		assert_in_range(err_http_status(e), 400, 599);
		assert_in_range(err_exit_code(e), 64, 78);
		assert_true(strlen(err_graph_code(e)) > 0);
	}
}

static void known_rows(void **state)
{
	assert_int_equal(OK, 0); /* so that zeroed memory means no error */
	assert_string_equal(err_name(ERR_NOT_FOUND), "NOT_FOUND");
	assert_int_equal(err_http_status(ERR_NOT_FOUND), 404);
	assert_string_equal(err_graph_code(ERR_NOT_FOUND), "ResourceNotFound");
	assert_int_equal(err_exit_code(ERR_FORBIDDEN), 77);
	assert_true(err_retryable(ERR_BUSY));
	assert_false(err_retryable(ERR_BAD_REQUEST));
}

static void outside_the_table_is_internal(void **state)
{
	assert_string_equal(err_name(ERR_COUNT), "INTERNAL");
	assert_int_equal(err_http_status((enum err)-1), 500);
}

static enum err twice(enum err e, int *calls)
{
	TRY(e);
	(*calls)++;
	return OK;
}

static void try_returns_early(void **state)
{
	int calls = 0;
	assert_int_equal(twice(ERR_IO, &calls), ERR_IO);
	assert_int_equal(calls, 0);
	assert_int_equal(twice(OK, &calls), OK);
	assert_int_equal(calls, 1);
}

static void broken_check(void *arg)
{
	check(arg == NULL);
}

static void check_aborts(void **state)
{
	int something;
	assert_true(aborts(broken_check, &something));
	assert_false(aborts(broken_check, NULL));
}

static void fail_with_ok(void *s)
{
	enum err e = scope_fail((struct scope *)s, OK, "nothing is wrong");
	(void)e;
}

static void first_detail_wins(void **state)
{
	struct scope s;
	struct arena *a = arena_new(4096);
	scope_system(&s, a, NULL, NULL);
	assert_string_equal(scope_detail(&s, ERR_IO), err_text(ERR_IO));
	assert_int_equal(scope_fail(&s, ERR_NOT_FOUND, "no device %d", 7), ERR_NOT_FOUND);
	assert_int_equal(scope_fail(&s, ERR_INTERNAL, "later"), ERR_INTERNAL);
	assert_string_equal(scope_detail(&s, ERR_INTERNAL), "no device 7");
	assert_non_null(strstr(s.detail_file, "test_err.c"));
	assert_true(s.detail_line > 0);
	assert_true(aborts(fail_with_ok, &s));
	arena_free(a);
}

static void scopes_are_bound_or_not(void **state)
{
	struct scope s;
	struct arena *a = arena_new(4096);
	struct id tenant = id_new(0);
	scope_tenant(&s, a, NULL, NULL, tenant);
	assert_true(s.has_tenant);
	assert_true(id_equal(s.tenant, tenant));
	assert_int_equal(s.actor.type, ACTOR_SYSTEM);
	assert_false(id_is_nil(s.correlation));
	struct id at = scope_id(&s);
	assert_memory_equal(at.b, s.correlation.b, 6); /* the scope's one time */
	scope_system(&s, a, NULL, NULL);
	assert_false(s.has_tenant);
	assert_true(id_is_nil(s.tenant));
	assert_null(s.detail);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_complete),         cmocka_unit_test(known_rows),
		cmocka_unit_test(outside_the_table_is_internal), cmocka_unit_test(try_returns_early),
		cmocka_unit_test(check_aborts),                  cmocka_unit_test(first_detail_wins),
		cmocka_unit_test(scopes_are_bound_or_not),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
