/* SPDX-License-Identifier: Apache-2.0
 * The growing buffer: its maximum, and that a failed buffer keeps what it had and takes nothing more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static void appends_and_terminates(void **state)
{
	auto_buf b;
	buf_init(&b, 1000);
	assert_null(b.data);
	buf_adds(&b, "ab");
	buf_addc(&b, 'c');
	buf_add(&b, "d\0e", 3);
	buf_printf(&b, "%03d", 7);
	assert_false(b.failed);
	assert_int_equal(b.len, 9);
	assert_memory_equal(b.data, "abcd\0e007", 10);
}

static void grows_to_its_maximum_exactly(void **state)
{
	auto_buf b;
	buf_init(&b, 1000);
	for (int i = 0; i < 1000; i++)
		buf_addc(&b, (char)('a' + i % 26));
	assert_false(b.failed);
	assert_int_equal(b.len, 1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(b.data[i], 'a' + i % 26);
	buf_add(&b, "", 0);
	assert_false(b.failed);
	buf_addc(&b, '!');
	assert_true(b.failed);
	assert_int_equal(b.len, 1000);
}

static void failed_is_sticky(void **state)
{
	auto_buf b;
	buf_init(&b, 4);
	buf_adds(&b, "ab");
	buf_adds(&b, "cde");
	assert_true(b.failed);
	buf_adds(&b, "c"); /* would fit: a gap in the middle is worse than a short end */
	assert_string_equal(b.data, "ab");
	buf_clear(&b);
	assert_false(b.failed);
	assert_int_equal(b.len, 0);
	buf_adds(&b, "wxyz");
	assert_false(b.failed);
	assert_string_equal(b.data, "wxyz");
}

static void printf_past_the_maximum_fails_whole(void **state)
{
	auto_buf b;
	buf_init(&b, 4);
	buf_printf(&b, "%s", "12345");
	assert_true(b.failed);
	assert_int_equal(b.len, 0);
	buf_clear(&b);
	buf_printf(&b, "%s", "1234");
	assert_false(b.failed);
	assert_string_equal(b.data, "1234");
}

static void sizes_do_not_wrap(void **state)
{
	auto_buf b;
	buf_init(&b, 8);
	buf_adds(&b, "1234");
	buf_add(&b, "x", SIZE_MAX - 2);
	assert_true(b.failed);
	assert_int_equal(b.len, 4);
}

static void steal_leaves_it_empty(void **state)
{
	auto_buf b;
	buf_init(&b, 10);
	size_t n = 99;
	assert_null(buf_steal(&b, &n));
	assert_int_equal(n, 0);
	buf_adds(&b, "abc");
	char *p = buf_steal(&b, &n);
	assert_string_equal(p, "abc");
	assert_int_equal(n, 3);
	free(p);
	assert_null(b.data);
	assert_int_equal(b.len, 0);
	buf_adds(&b, "0123456789"); /* the maximum is still known */
	assert_false(b.failed);
	buf_addc(&b, 'x');
	assert_true(b.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends_and_terminates),
		cmocka_unit_test(grows_to_its_maximum_exactly),
		cmocka_unit_test(failed_is_sticky),
		cmocka_unit_test(printf_past_the_maximum_fails_whole),
		cmocka_unit_test(sizes_do_not_wrap),
		cmocka_unit_test(steal_leaves_it_empty),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
