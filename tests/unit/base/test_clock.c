/* SPDX-License-Identifier: Apache-2.0
 * Times as text: known instants both ways, offsets, the ends of the range, and what is no date. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

/* Text that format makes, and the instant (seconds checked against `date -u -d … +%s`). */
static const struct {
	const char *text;
	int64_t us;
} INSTANTS[] = {
	{"1970-01-01T00:00:00Z", 0},
	{"1970-01-01T00:00:00.000001Z", 1},
	{"1969-12-31T23:59:59.999999Z", -1},
	{"1969-12-31T23:59:59Z", -SECOND_US},
	{"2000-02-29T12:00:00Z", INT64_C(951825600) * SECOND_US},
	{"2024-02-29T23:59:59Z", INT64_C(1709251199) * SECOND_US},
	{"2100-03-01T00:00:00Z", INT64_C(4107542400) * SECOND_US},
	{"2026-11-22T08:15:30.123456Z", INT64_C(1795335330) * SECOND_US + 123456},
	{"0001-01-01T00:00:00Z", INT64_C(-62135596800) * SECOND_US},
	{"9999-12-31T23:59:59.999999Z", INT64_C(253402300799) * SECOND_US + 999999},
};

static void known_instants_both_ways(void **state)
{
	for (size_t i = 0; i < sizeof INSTANTS / sizeof *INSTANTS; i++) {
		char text[TIME_TEXT];
		int64_t us = 42;
		assert_ptr_equal(time_format(INSTANTS[i].us, text), text);
		assert_string_equal(text, INSTANTS[i].text);
		assert_true(time_parse(INSTANTS[i].text, &us));
		if (us != INSTANTS[i].us)
			fail_msg("%s is %" PRId64 ", not %" PRId64, INSTANTS[i].text, us, INSTANTS[i].us);
	}
}

static void every_day_of_four_centuries(void **state)
{
	/* From 1 January 1900: a whole cycle of the calendar with a century that leaps and three that do not. */
	int64_t us = INT64_C(-2208988800) * SECOND_US + 12345678;
	for (int day = 0; day < 146097; day++, us += DAY_US) {
		char text[TIME_TEXT];
		int64_t back = 0;
		assert_true(time_parse(time_format(us, text), &back));
		if (back != us)
			fail_msg("%s came back as %" PRId64, text, back);
	}
}

static void other_ways_to_write_an_instant(void **state)
{
	static const struct {
		const char *text, *same;
	} pairs[] = {
		{"2026-11-22", "2026-11-22T00:00:00Z"},
		{"2026-11-22T08:15Z", "2026-11-22T08:15:00Z"},
		{"2026-11-22t08:15:30z", "2026-11-22T08:15:30Z"},
		{"2026-11-22T08:15:30+02:00", "2026-11-22T06:15:30Z"},
		{"2026-11-22T08:15:30-09:30", "2026-11-22T17:45:30Z"},
		{"2026-11-22T23:15:30-01:00", "2026-11-23T00:15:30Z"},
		{"2026-11-22T08:15:30-00:00", "2026-11-22T08:15:30Z"},
		{"2024-03-01T00:30:00+01:00", "2024-02-29T23:30:00Z"},
		{"2026-11-22T08:15:30.5Z", "2026-11-22T08:15:30.500000Z"},
		{"2026-11-22T08:15:30.1234569Z", "2026-11-22T08:15:30.123456Z"}, /* .NET writes seven digits */
		{"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"},                /* a leap second */
	};
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		int64_t us = 0;
		char text[TIME_TEXT];
		if (!time_parse(pairs[i].text, &us))
			fail_msg("refused: %s", pairs[i].text);
		assert_string_equal(time_format(us, text), pairs[i].same);
	}
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "2026", "2026-11", "2026-11-2", "26-11-22", "2026-11-22T", "2026-11-22T08", "2026-11-22T08:15:30",
		"2026-11-22T08:15:30Zx", "2026-11-22 08:15:30Z", "2026-11-22x", " 2026-11-22", "2026-11-22 ",
		"2026/11/22", "2026-00-10", "2026-13-10", "2026-01-00", "2026-01-32", "2026-02-31", "2026-02-29",
		"2100-02-29", "2026-04-31T00:00:00Z", "0000-01-01", "-001-01-01", "+2026-11-22", "2026-11-22T24:00:00Z",
		"2026-11-22T23:60:00Z", "2026-11-22T23:59:61Z", "2026-11-22T08:15:30.Z", "2026-11-22T08:15:30,5Z",
		"2026-11-22T08:15:30+0200", "2026-11-22T08:15:30+24:00", "2026-11-22T08:15:30+02:60",
		"2026-11-22T08:15:30+02", "2026-11-22T08:15:30+", "10000-01-01",
	};
	int64_t us = 42;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (time_parse(bad[i], &us))
			fail_msg("accepted: %s", bad[i]);
	assert_false(time_parse(NULL, &us));
	assert_int_equal(us, 42); /* untouched */
}

static int64_t at(const char *text)
{
	int64_t us = 0;
	if (!time_parse(text, &us))
		fail_msg("no time: %s", text);
	return us;
}

static void months_end_on_the_same_day_or_on_the_last(void **state)
{
	static const struct {
		const char *from;
		int months;
		const char *to;
	} cases[] = {
		{"2026-01-15T08:00:00.000007Z", 1, "2026-02-15T08:00:00.000007Z"},
		{"2026-01-31T08:00:00Z", 1, "2026-02-28T08:00:00Z"}, {"2028-01-31T08:00:00Z", 1, "2028-02-29T08:00:00Z"},
		{"2000-01-30T08:00:00Z", 1, "2000-02-29T08:00:00Z"}, {"2100-01-30T08:00:00Z", 1, "2100-02-28T08:00:00Z"},
		{"2026-03-31T08:00:00Z", 1, "2026-04-30T08:00:00Z"}, {"2026-02-28T08:00:00Z", 1, "2026-03-28T08:00:00Z"},
		{"2026-12-31T23:59:59Z", 2, "2027-02-28T23:59:59Z"}, {"2026-12-05T00:00:00Z", 1, "2027-01-05T00:00:00Z"},
		{"2028-02-29T08:00:00Z", 24, "2030-02-28T08:00:00Z"}, {"2028-02-29T08:00:00Z", -48, "2024-02-29T08:00:00Z"},
		{"1970-01-31T00:00:00Z", -1, "1969-12-31T00:00:00Z"}, {"1969-12-31T23:59:59.5Z", 2, "1970-02-28T23:59:59.500000Z"},
		{"9999-12-15T08:00:00Z", 1, "9999-12-31T23:59:59Z"}, {"0001-01-15T08:00:00Z", -1, "0001-01-01T00:00:00Z"},
		{"2026-01-31T08:00:00Z", INT32_MAX, "9999-12-31T23:59:59Z"}, {"2026-01-31T08:00:00Z", INT32_MIN, "0001-01-01T00:00:00Z"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[TIME_TEXT];
		assert_string_equal(time_format(time_add_months(at(cases[i].from), cases[i].months), text), cases[i].to);
	}
}

static void workdays_leave_out_weekends_and_a_day_ends_at_its_last_second(void **state)
{
	char text[TIME_TEXT];
	for (int monday = 0; monday < 7; monday++) { /* from any day ten workdays are two weeks, of a weekend from its Friday */
		int64_t from = at("2026-11-16T12:00:00Z") + monday * DAY_US, friday = at("2026-11-20T12:00:00Z");
		assert_int_equal(time_add_workdays(from, 10), (monday > 4 ? friday : from) + 14 * DAY_US);
	}
	assert_string_equal(time_format(time_add_workdays(at("2026-11-20T12:00:00Z"), 1), text), "2026-11-23T12:00:00Z");
	assert_int_equal(time_add_workdays(at("2026-11-21"), 0), at("2026-11-21"));
	assert_string_equal(time_format(time_end_of_day(at("2026-11-22T00:00:00Z")), text), "2026-11-22T23:59:59Z");
	assert_string_equal(time_format(time_end_of_day(at("2026-11-22T23:59:59.999999Z")), text), "2026-11-22T23:59:59Z");
	assert_string_equal(time_format(time_end_of_day(at("1969-12-31T23:59:59.5Z")), text), "1969-12-31T23:59:59Z");
}

static void clocks_run(void **state)
{
	int64_t a = clock_monotonic(), b = clock_monotonic();
	assert_true(b >= a);
	assert_true(clock_now() > INT64_C(1700000000) * SECOND_US); /* microseconds, and after 2023 */
	assert_true(clock_now() < INT64_C(7000000000) * SECOND_US);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_instants_both_ways),      cmocka_unit_test(every_day_of_four_centuries),
		cmocka_unit_test(other_ways_to_write_an_instant), cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(months_end_on_the_same_day_or_on_the_last),
		cmocka_unit_test(workdays_leave_out_weekends_and_a_day_ends_at_its_last_second), cmocka_unit_test(clocks_run),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
