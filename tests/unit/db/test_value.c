/* SPDX-License-Identifier: Apache-2.0
 * Values, what counts as text, and the registry of statements. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "db/db_internal.h"

DB_TENANT(value_test_tenant, "SELECT 1 FROM t WHERE tenant_id = ?1 AND x = ?10");
DB_GLOBAL_PG(value_test_global, "SELECT 1", "SELECT 2");

static void values_keep_their_type(void **state)
{
	struct id id = {{1, 2, 3}};
	assert_int_equal(db_v_null().type, DB_NULL);
	assert_int_equal(db_v_int(-5).i, -5);
	assert_int_equal(db_v_text(NULL).type, DB_NULL);
	assert_int_equal(db_v_id(NULL).type, DB_NULL);
	assert_int_equal(db_v_id(&id).n, 16);
	assert_int_equal(db_v_text("").type, DB_TEXT);
	assert_non_null(db_v_textn(NULL, 0).p);
	assert_non_null(db_v_blob(NULL, 0).p);
	assert_int_equal(db_v_textn("abc", 2).n, 2);
}

static void text_is_utf8(void **state)
{
	static const char *const good[] = {
		"",
		"plain",
		"\x7f",
		"\xc2\x80",
		"\xdf\xbf",
		"\xe0\xa0\x80",
		"\xed\x9f\xbf",
		"\xee\x80\x80",
		"\xef\xbf\xbf",
		"\xf0\x90\x80\x80",
		"\xf4\x8f\xbf\xbf",
		"a\xc4\x81z",
	};
	static const char *const bad[] = {
		"\x80",
		"\xc0\x80",
		"\xc1\xbf",
		"\xc2",
		"\xe0\x9f\xbf",
		"\xe0\xa0",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xff",
		"\xe1\x80\x41",
		"\xf1\x80\x80",
		"ok\xfe",
	};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(db_text_valid(good[i], strlen(good[i])));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(db_text_valid(bad[i], strlen(bad[i])));
	assert_false(db_text_valid("a\0b", 3));
}

static void statements_are_registered_before_main(void **state)
{
	bool found = false;
	int n = 0;
	for (struct db_stmt *s = db_stmt_first(); s != NULL; s = s->next, n++)
		found |= s == &value_test_tenant;
	assert_true(found);
	assert_int_equal(n, db_stmt_count());
	assert_int_not_equal(value_test_tenant.index, value_test_global.index);
	assert_string_equal(value_test_global.pg_sql, "SELECT 2");
}

static void register_in_a_child(struct db_stmt *s, bool aborts)
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		const struct rlimit none = {0};
		setrlimit(RLIMIT_CORE, &none);
		signal(SIGABRT, SIG_DFL);
		close(STDERR_FILENO);
		db_stmt_register(s);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WIFSIGNALED(status), aborts);
}

static void a_tenant_statement_mentions_its_tenant(void **state)
{
	struct db_stmt none = {.sql = "SELECT 1 FROM t WHERE x = ?2 AND y = ?10", .reach = DB_REACH_TENANT};
	struct db_stmt one_sided = {
		.sql = "DELETE FROM t WHERE tenant_id = ?1", .pg_sql = "DELETE FROM t", .reach = DB_REACH_TENANT};
	struct db_stmt good = {.sql = "DELETE FROM t WHERE x = ?11 AND tenant_id = ?1", .reach = DB_REACH_TENANT};
	register_in_a_child(&none, true);
	register_in_a_child(&one_sided, true);
	register_in_a_child(&good, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_keep_their_type),
		cmocka_unit_test(text_is_utf8),
		cmocka_unit_test(statements_are_registered_before_main),
		cmocka_unit_test(a_tenant_statement_mentions_its_tenant),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("value", tests, NULL, NULL);
}
