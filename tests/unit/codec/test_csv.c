/* SPDX-License-Identifier: Apache-2.0
 * CSV: quoting (RFC 4180) and cells that must not become formulas. */
#include "fixture.h"

#include "codec/csv.h"

static void fields_are_quoted_and_neutralised(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"", ""},
		{"plain", "plain"},
		{"two words", "two words"},
		{"a,b", "\"a,b\""},
		{"a\"b", "\"a\"\"b\""},
		{"\"", "\"\"\"\""},
		{"\"\"x\"", "\"\"\"\"\"x\"\"\""},
		{"line\nline", "\"line\nline\""},
		{"line\rline", "\"line\rline\""},
		{" lead", "\" lead\""},
		{"trail ", "\"trail \""},
		{"caf\xc3\xa9", "caf\xc3\xa9"},
		{"=1+1", "'=1+1"},
		{"+1", "'+1"},
		{"-1", "'-1"},
		{"@SUM(A1)", "'@SUM(A1)"},
		{"\tx", "'\tx"},
		{"\rx", "\"'\rx\""},
		{"=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"},
		{"=HYPERLINK(\"x\",\"y\")", "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\""},
		{"=", "'="},
		{"a=1", "a=1"}, /* only in front */
		{"2026-11-22", "2026-11-22"},
		{"'=1", "''=1"}, {"''=1", "'''=1"}, {"'", "'"}, {"'a", "'a"},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		auto_buf b;
		struct csv_writer w;
		buf_init(&b, 1000);
		buf_adds(&b, "");
		csv_init(&w, &b);
		csv_field(&w, rows[i].in, strlen(rows[i].in));
		assert_string_equal(b.data, rows[i].out);
	}
}

static void rows_and_commas(void **state)
{
	auto_buf b;
	struct csv_writer w;
	buf_init(&b, 1000);
	csv_init(&w, &b);
	csv_field(&w, "a", 1);
	csv_field(&w, NULL, 0);
	csv_field(&w, "bcd", 2); /* only the bytes given */
	csv_end_row(&w);
	csv_field(&w, NULL, 0);
	csv_field(&w, "=x", 2);
	csv_end_row(&w);
	assert_string_equal(b.data, "a,,bc\r\n,'=x\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_quoted_and_neutralised),
		cmocka_unit_test(rows_and_commas),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, scope_setup, scope_teardown);
}
