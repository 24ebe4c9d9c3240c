/* SPDX-License-Identifier: Apache-2.0
 * The order in which migrations run, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "db/db_internal.h"

struct engine {
	int64_t version;
	char log[4096];
	const char *fails_on;
};

static enum err exec(void *ctx, const char *sql, char **detail)
{
	struct engine *e = ctx;
	if (e->fails_on != NULL && strstr(sql, e->fails_on) != NULL)
		return db_detail(detail, ERR_INTERNAL, "near %s", e->fails_on);
	const char *word = strstr(sql, "schema_migrations (\n")           ? "table"
			   : strstr(sql, "INSERT INTO schema_migrations") ? "row"
									  : sql;
	strncat(e->log, word, strcspn(word, "\n"));
	strcat(e->log, ";");
	return OK;
}

static enum err version(void *ctx, int64_t *ret, char **detail)
{
	*ret = ((struct engine *)ctx)->version;
	return OK;
}

static const struct db_migration list[] = {{1, "one", "A"}, {2, "two", "B"}, {3, "three", "C"}, {0}};

static enum err run(struct engine *e, char **detail)
{
	struct db_migrator m = {
		.engine = DB_SQLITE, .ctx = e, .exec = exec, .version = version, .bootstrap = "first", .after = "last"};
	return db_migrate(&m, list, detail);
}

static void what_is_missing_runs_in_order(void **state)
{
	struct engine e = {.version = 1};
	assert_int_equal(run(&e, NULL), OK);
	assert_string_equal(
		e.log, "BEGIN IMMEDIATE;first;table;B;row;last;COMMIT;BEGIN IMMEDIATE;first;table;C;row;last;COMMIT;");
	struct engine fresh = {.version = -1}, current = {.version = 3};
	assert_int_equal(run(&fresh, NULL), OK);
	assert_non_null(strstr(fresh.log, "table;A;row"));
	assert_int_equal(run(&current, NULL), OK);
	assert_string_equal(current.log, "");
}

static void a_newer_schema_is_refused(void **state)
{
	char *why = NULL;
	struct engine e = {.version = 4};
	assert_int_equal(run(&e, &why), ERR_SCHEMA);
	assert_string_equal(e.log, "");
	assert_non_null(strstr(why, "schema 4"));
	free(why);
}

static void a_failure_rolls_back_and_stops(void **state)
{
	char *why = NULL;
	struct engine e = {.version = 1, .fails_on = "B\n"};
	assert_int_equal(run(&e, &why), ERR_INTERNAL);
	assert_string_equal(e.log, "BEGIN IMMEDIATE;first;table;ROLLBACK;");
	assert_string_equal(why, "migration 0002-two: near B");
	free(why);
}

static void the_binary_carries_its_migrations(void **state)
{
	assert_int_equal(db_migrations[0].version, 1);
	assert_true(db_migrations_last(db_migrations) >= 1);
	assert_non_null(strstr(db_migrations[0].sql, "CREATE TABLE"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_missing_runs_in_order),
		cmocka_unit_test(a_newer_schema_is_refused),
		cmocka_unit_test(a_failure_rolls_back_and_stops),
		cmocka_unit_test(the_binary_carries_its_migrations),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("migrate", tests, NULL, NULL);
}
