/* SPDX-License-Identifier: Apache-2.0
 * One SQL text in the words of two engines: parameters of statements, types and sections of migrations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "db/db_internal.h"

static void numbered(const char *sql, const char *wanted)
{
	char *text = db_postgres_text(sql);
	assert_non_null(text);
	assert_string_equal(text, wanted);
	free(text);
}

static void parameters_are_numbered(void **state)
{
	numbered("SELECT ?1, ?22 + ?3", "SELECT $1, $22 + $3");
	numbered("a ? b ?| c", "a ? b ?| c"); /* operators */
}

static void what_is_no_code_stays(void **state)
{
	numbered("'?1' ?1 'it''s ?2' ?2", "'?1' $1 'it''s ?2' $2");
	numbered("\"?1\" ?1", "\"?1\" $1");
	numbered("?1 -- ?2\n?3", "$1 -- ?2\n$3");
	numbered("?1 /* ?2 */ ?3", "$1 /* ?2 */ $3");
	numbered("?1 - ?2 / ?3", "$1 - $2 / $3");
	numbered("?1 'open ?2", "$1 'open ?2");
}

static void becomes(const char *sql, const char *sqlite, const char *postgres)
{
	char *a = db_migration_text(sql, DB_SQLITE), *b = db_migration_text(sql, DB_POSTGRES);
	assert_string_equal(a, sqlite);
	assert_string_equal(b, postgres);
	free(a);
	free(b);
}

static void types_are_spelled_per_engine(void **state)
{
	becomes("a ID, b TIME, c BLOB, d INT, e BOOL", "a BLOB, b INTEGER, c BLOB, d INTEGER, e INTEGER\n",
		"a bytea, b bigint, c bytea, d bigint, e bigint\n");
	becomes("a TEXT, b JSON", "a TEXT, b TEXT\n", "a text COLLATE \"C\", b text COLLATE \"C\"\n");
	becomes(") STRICT;", ") STRICT;\n", ") ;\n");
}

static void only_whole_words_of_code_are_translated(void **state)
{
	static const char same[] =
		"IDS MY_ID ID2 id Text 'ID TEXT it''s TIME' \"ID\" /* ID */ x -- TIME STRICT\n$$ ID $$\n";
	becomes(same, "IDS MY_ID ID2 id Text 'ID TEXT it''s TIME' \"ID\" /* ID */ x -- TIME STRICT\n$$ ID $$\n\n",
		"IDS MY_ID ID2 id Text 'ID TEXT it''s TIME' \"ID\" /* ID */ x -- TIME STRICT\n$$ ID $$\n\n");
}

static void sections_are_for_one_engine(void **state)
{
	becomes("a;\n-- @sqlite\nb INT;\n-- @end\n-- @postgres\nf(TEXT) STRICT;\n-- @end\nc ID;",
		"a;\n-- @sqlite\nb INTEGER;\n-- @end\n-- @end\nc BLOB;\n",
		"a;\n-- @end\n-- @postgres\nf(text) STRICT;\n-- @end\nc bytea;\n");
}

static void a_marker_in_a_literal_is_text(void **state)
{
	becomes("'\n-- @sqlite\n' INT", "'\n-- @sqlite\n' INTEGER\n", "'\n-- @sqlite\n' bigint\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_are_numbered),
		cmocka_unit_test(what_is_no_code_stays),
		cmocka_unit_test(types_are_spelled_per_engine),
		cmocka_unit_test(only_whole_words_of_code_are_translated),
		cmocka_unit_test(sections_are_for_one_engine),
		cmocka_unit_test(a_marker_in_a_literal_is_text),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("sqltext", tests, NULL, NULL);
}
