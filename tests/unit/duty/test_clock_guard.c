/* SPDX-License-Identifier: Apache-2.0
 * The clock guard: which jump is one, and what the file says to the next start. */
#include "../directory/fixture.h"

#include <fcntl.h>
#include <unistd.h>

#include "duty/clock_guard.h"

static struct clock_seen at(int64_t wall, int64_t boottime, const char *boot)
{
	struct clock_seen c = {.wall = wall, .boottime = boottime};
	strcpy(c.boot, boot);
	return c;
}

#define T0 INT64_C(1800000000000000)

static void only_an_unexplained_jump_forward_is_doubted(void **state)
{
	static const struct {
		int64_t wall, boottime;
		const char *boot;
		bool doubt;
		int64_t remembered;
	} rows[] = {
		{T0 + MINUTE_US, HOUR_US + MINUTE_US, "a", false, T0 + MINUTE_US},
		{T0 + 30 * DAY_US, HOUR_US + 30 * DAY_US, "a", false, T0 + 30 * DAY_US}, /* slept, or ran, for a month */
		{T0 + HOUR_US, HOUR_US, "a", false, T0 + HOUR_US},			 /* a correction */
		{T0 + HOUR_US + MINUTE_US, HOUR_US, "a", true, T0},
		{T0 + 6 * DAY_US, 0, "b", false, T0 + 6 * DAY_US}, /* off for a while: nobody counted */
		{T0 + 8 * DAY_US, 0, "b", true, T0},
		{T0 - 9 * DAY_US, HOUR_US, "a", false, T0}, /* set back: the time that was seen stays the one that is expected */
		{T0 - 9 * DAY_US, HOUR_US + DAY_US, "a", false, T0 + DAY_US},
		{T0 - 9 * DAY_US, 0, "b", false, T0},
	};
	struct clock_seen then = at(T0, HOUR_US, "a"), ret;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct clock_seen now = at(rows[i].wall, rows[i].boottime, rows[i].boot);
		clock_judge(&then, &now, &ret);
		assert_int_equal(ret.doubt, rows[i].doubt);
		assert_true(ret.wall == rows[i].remembered);
	}
	/* set back and forth again: no jump */
	struct clock_seen back = at(T0 - DAY_US, HOUR_US + MINUTE_US, "a"), right = at(T0 + 2 * MINUTE_US, HOUR_US + 2 * MINUTE_US, "a");
	clock_judge(&then, &back, &ret);
	struct clock_seen between = ret;
	clock_judge(&between, &right, &ret);
	assert_false(ret.doubt);
}

static void a_doubt_stays_until_somebody_confirms(void **state)
{
	struct clock_seen then = at(T0, HOUR_US, "a"), now = at(T0 + MINUTE_US, HOUR_US + MINUTE_US, "a"), ret;
	then.doubt = true;
	clock_judge(&then, &now, &ret);
	assert_true(ret.doubt);
}

static void write_file(const char *dir, const char *text)
{
	char path[128];
	snprintf(path, sizeof path, "%s/clock", dir);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void the_file_speaks_to_the_next_start(void **state)
{
	char dir[] = "/tmp/reeve-clock-XXXXXX", command[64], *detail = NULL, text[160];
	struct clock_guard *g;
	struct scope s = F.system;
	assert_non_null(mkdtemp(dir));
	ok(clock_guard_open(dir, &g, &detail)); /* the first start */
	assert_false(clock_guard_doubts(g, &s));
	refused(clock_guard_confirm(g, &s), ERR_CONFLICT);
	fresh(&s);
	clock_guard_close(g);

	snprintf(text, sizeof text, "reeve-clock-1 %lld 1 another-start 0\n", (long long)(clock_now() - 30 * DAY_US));
	write_file(dir, text);
	ok(clock_guard_open(dir, &g, &detail));
	assert_true(clock_guard_doubts(g, &s));
	clock_guard_close(g);
	ok(clock_guard_open(dir, &g, &detail)); /* a restart confirms nothing */
	assert_true(clock_guard_doubts(g, &s));
	struct scope installation;
	static const struct id nil;
	scope_tenant(&installation, s.arena, s.db, s.keeper, nil);
	ok(clock_guard_confirm(g, &installation));
	assert_false(clock_guard_doubts(g, &s));
	clock_guard_close(g);

	static const char *const bad[] = {"", "reeve-clock-1", "reeve-clock-1 1 1 x 0", "reeve-clock-1 1 1 x 0\nmore", "reeve-clock-2 1 1 x 0\n"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		write_file(dir, bad[i]);
		enum err e = clock_guard_open(dir, &g, &detail);
		if (i == 2) { /* without its newline it is whole still */
			ok(e);
			clock_guard_close(g);
			continue;
		}
		refused(e, ERR_CONFIG);
		free(detail);
	}
	snprintf(command, sizeof command, "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_an_unexplained_jump_forward_is_doubted),
		cmocka_unit_test(a_doubt_stays_until_somebody_confirms),
		cmocka_unit_test(the_file_speaks_to_the_next_start),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, fixture_up, fixture_down);
}
