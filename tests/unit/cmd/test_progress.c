/* SPDX-License-Identifier: Apache-2.0
 *
 * The bar's line: never longer than the terminal or the buffer, whatever the amounts; full only at the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cmd/progress.h"

static const char *line(int columns, bool bytes, int64_t done, int64_t of)
{
	static char out[256];
	struct progress p = {.label = "collecting", .bytes = bytes};
	size_t n = progress_line(out, sizeof out, columns, &p, done, of);
	assert_int_equal(n, strlen(out));
	return out;
}

static void lines(void **state)
{
	assert_string_equal(line(42, false, 50, 100), "collecting  [##########----------]   50 %");
	assert_string_equal(line(42, false, 0, 100), "collecting  [--------------------]    0 %");
	assert_string_equal(line(42, false, 100, 100), "collecting  [####################]  100 %");
	assert_string_equal(line(80, false, 7, 0), "collecting");
	assert_string_equal(line(80, true, 1536, 0), "collecting  2 KiB");
	assert_string_equal(line(20, true, 3 * 1024 * 1024, 6 * 1024 * 1024), "collecting  3.0 MiB");
	assert_non_null(strstr(line(80, true, 3 * 1024 * 1024, 6 * 1024 * 1024), "]  3.0 MiB of 6.0 MiB"));
}

static void never_longer(void **state)
{
	static const int64_t amounts[] = {INT64_MIN / 200, -1, 0, 1, 99, 100, 1 << 20, INT64_MAX / 200};
	enum { N = sizeof amounts / sizeof amounts[0] };
	char out[64];
	struct progress p = {.label = "a label that is longer than some terminals are wide"};
	for (int columns = 1; columns < 200; columns++)
		for (size_t i = 0; i < N * N * 2; i++) {
			p.bytes = i % 2;
			size_t room = 1 + (size_t)columns % sizeof out;
			memset(out, 'x', sizeof out);
			size_t n = progress_line(out, room, columns, &p, amounts[i / 2 % N], amounts[i / 2 / N]);
			assert_int_equal(n, strlen(out));
			assert_true(n < room && n < (size_t)columns);
		}
}

static void full_at_the_end_only(void **state)
{
	for (int64_t i = 0; i < 1000; i++)
		assert_true((strchr(line(80, false, i, 1000), '-') == NULL) == (i == 1000));
	assert_null(strchr(line(80, false, 1000, 1000), '-'));
	assert_null(strchr(line(80, false, 5000, 1000), '-')); /* more than was said */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(never_longer),
		cmocka_unit_test(full_at_the_end_only),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
