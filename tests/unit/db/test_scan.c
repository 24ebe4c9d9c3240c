/* SPDX-License-Identifier: Apache-2.0
 * The byte scan: every place in a file, whole windows and their borders, compared with a plain search. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "db/db_internal.h"

enum { WINDOW = 1 << 18 }; /* scan.c reads this much at once */

static int file_of(const void *p, size_t n)
{
	int fd = memfd_create("scan", MFD_CLOEXEC);
	assert_true(fd >= 0 && write(fd, p, n) == (ssize_t)n);
	return fd;
}

static uint64_t plain_count(const char *p, size_t n, const char *needle, size_t len)
{
	uint64_t hits = 0;
	for (size_t i = 0; i + len <= n; i++)
		hits += memcmp(p + i, needle, len) == 0;
	return hits;
}

static void agrees(const char *p, size_t n, struct db_needle *needles, size_t count)
{
	int fd = file_of(p, n);
	struct db_scanner *s = db_scanner_new(needles, count);
	assert_non_null(s);
	assert_int_equal(db_scanner_file(s, fd), OK);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(needles[i].hits, plain_count(p, n, needles[i].p, needles[i].n));
	db_scanner_free(s);
	close(fd);
}

static void a_hit_across_windows_is_found_once(void **state)
{
	size_t n = 3 * WINDOW;
	char *p = calloc(1, n);
	for (int at = -12; at <= 4; at++) {
		memset(p, 0, n);
		memcpy(p + WINDOW + at, "needle", 6);
		memcpy(p + 2 * WINDOW + at, "a longer one", 12);
		struct db_needle needles[] = {{"needle", 6, 0}, {"a longer one", 12, 0}, {"one", 3, 0}};
		agrees(p, n, needles, 3);
		assert_int_equal(needles[0].hits, 1);
		assert_int_equal(needles[1].hits, 1);
	}
	free(p);
}

static void needles_that_overlap_all_count(void **state)
{
	static const char text[] = "aaaaabababab\0aab";
	struct db_needle needles[] = {{"a", 1, 0},    {"aa", 2, 0},   {"aab", 3, 0},
				      {"abab", 4, 0}, {"b\0a", 3, 0}, {"abababab\0aab", 12, 0}};
	agrees(text, sizeof text - 1, needles, 6);
	assert_int_equal(needles[4].hits, 1);
}

static void many_needles_on_random_bytes(void **state)
{
	enum { N = 600000, NEEDLES = 300 };
	static char text[N];
	static struct db_needle needles[NEEDLES];
	uint32_t x = 1;
	for (int i = 0; i < N; i++) {
		x = x * 1103515245 + 12345;
		text[i] = (char)(x >> 16 & 7); /* few values, many hits */
	}
	for (int i = 0; i < NEEDLES; i++)
		needles[i] = (struct db_needle){text + i * 1999, 4 + (size_t)i % 9, 0};
	agrees(text, N, needles, NEEDLES);
}

static void nothing_is_found_in_nothing(void **state)
{
	struct db_needle needle = {"long needle", 11, 0};
	agrees("", 0, &needle, 1);
	agrees("long needl", 10, &needle, 1);
	struct db_scanner *s = db_scanner_new(NULL, 0);
	int fd = file_of("x", 1);
	assert_int_equal(db_scanner_file(s, fd), OK);
	close(fd);
	db_scanner_free(s);
}

static void an_unreadable_file_is_an_error(void **state)
{
	struct db_needle needle = {"x", 1, 0};
	struct db_scanner *s = db_scanner_new(&needle, 1);
	assert_int_equal(db_scanner_file(s, -1), ERR_IO);
	db_scanner_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hit_across_windows_is_found_once), cmocka_unit_test(needles_that_overlap_all_count),
		cmocka_unit_test(many_needles_on_random_bytes),       cmocka_unit_test(nothing_is_found_in_nothing),
		cmocka_unit_test(an_unreadable_file_is_an_error),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
