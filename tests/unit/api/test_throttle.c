/* SPDX-License-Identifier: Apache-2.0
 * Throttles: the table's numbers, windows, who shares one, and memory that does not grow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/throttle.h"
#include "base/clock.h"

static const struct id A = {{1}}, B = {{2}}, ONE = {{3}}, TWO = {{4}};
static const char DEVICES[] = "/{v}/deviceManagement/managedDevices", JOBS[] = "/{v}/deviceManagement/reports/exportJobs";

static struct throttle *make(const char *text)
{
	struct throttle *t;
	assert_true(throttle_new(text, &t));
	return t;
}

static struct throttle_answer take(struct throttle *t, const char *method, const char *path, struct id tenant, struct id actor, int64_t now)
{
	return throttle_take(t, &(struct throttle_request){.method = method, .path = path, .tenant = tenant, .actor = actor, .now = now});
}

/* How many come in, of many. */
static unsigned most(struct throttle *t, const char *method, const char *path, struct id tenant, struct id actor, int64_t now)
{
	unsigned n = 0;
	while (n < 100000 && take(t, method, path, tenant, actor, now).retry_after == 0)
		n++;
	return n;
}

static void graphs_numbers(void **state)
{
	struct throttle *t = make("graph");
	assert_int_equal(most(t, "POST", DEVICES, A, ONE, 0), 200);
	assert_int_equal(most(t, "GET", DEVICES, A, ONE, 0), 1800); /* 2000 of any kind */
	assert_int_equal(most(t, "POST", DEVICES, A, TWO, 0), 200);
	assert_int_equal(most(t, "POST", DEVICES, A, (struct id){{5}}, 0), 0); /* 400 of the tenant */
	assert_int_equal(most(t, "GET", DEVICES, A, TWO, 0), 1800);
	assert_int_equal(most(t, "GET", "/{v}/deviceAppManagement/mobileApps", A, (struct id){{5}}, 0), 0); /* 4000 of the tenant */
	assert_int_equal(most(t, "POST", DEVICES, B, ONE, 0), 200); /* the same id in another tenant */
	assert_int_equal(most(t, "POST", "/{v}/users", A, ONE, 0), 3000);
	assert_int_equal(most(t, "GET", "/{v}/users", A, ONE, 0), 5000); /* 8000 of any kind */
	assert_int_equal(most(t, "POST", "/{v}/terms", A, ONE, 0), 100000);
	assert_int_equal(most(t, "POST", "/{v}/deviceManagementX", A, ONE, 0), 100000);
	throttle_free(t);
}

static void of_jobs(void **state)
{
	struct throttle *t = make("graph");
	struct throttle_request person = {.method = "POST", .path = JOBS, .tenant = A, .actor = ONE, .person = true};
	unsigned n = 0;
	assert_int_equal(most(t, "POST", JOBS, A, ONE, 0), 48);
	assert_int_equal(most(t, "POST", JOBS, A, TWO, 0), 48);
	while (throttle_take(t, &person).retry_after == 0)
		n++;
	assert_int_equal(n, 4); /* 100 of the tenant */
	person.tenant = B;
	for (n = 0; throttle_take(t, &person).retry_after == 0;)
		n++;
	assert_int_equal(n, 8);
	throttle_free(t);
}

/* Where nobody has said who they are only addresses are counted; elsewhere they are not. */
static void of_addresses(void **state)
{
	static const char page[] = "/{tenant}/oauth2/v2.0/token";
	struct throttle *t = make("graph");
	struct throttle_request q = {.method = "POST", .path = page, .actor = ONE, .anonymous = true};
	const char *what;
	uint64_t refused, all = 0;
	unsigned n = 0;
	while (throttle_take(t, &q).retry_after == 0)
		n++;
	assert_int_equal(n, 600);
	q.actor = TWO;
	assert_int_equal(throttle_take(t, &q).retry_after, 0);
	assert_int_equal(most(t, "POST", page, A, ONE, 0), 100000);
	assert_int_equal(most(t, "GET", "/scim/v2/Users", A, ONE, 0), 3000);
	for (size_t i = 0; throttle_refused(t, i, &what, &refused); i++)
		all += refused;
	assert_int_equal(all, 2);
	throttle_free(t);
}

static void windows(void **state)
{
	struct throttle *t = make("0.01"); /* 2 writes in 20 s */
	int64_t start = 7 * DAY_US;
	assert_int_equal(most(t, "POST", DEVICES, A, ONE, start), 2);
	struct throttle_answer a = take(t, "POST", DEVICES, A, ONE, start + 3 * SECOND_US + 1);
	assert_int_equal(a.retry_after, 17);
	assert_int_equal(a.requests, 2);
	assert_false(a.tell); /* the first refusal was told */
	assert_int_equal(take(t, "POST", DEVICES, A, ONE, start + 20 * SECOND_US - 1).retry_after, 1);
	for (int i = 1; i <= 3; i++) { /* what was refused did not count; one refusal a minute is told */
		int64_t at = start + i * 20 * SECOND_US;
		assert_int_equal(take(t, "POST", DEVICES, A, ONE, at).retry_after, 0);
		assert_int_equal(take(t, "POST", DEVICES, A, ONE, at).retry_after, 0);
		assert_int_equal(take(t, "POST", DEVICES, A, ONE, at).tell, i == 3);
	}
	throttle_free(t);
}

static void settings(void **state)
{
	static const char *const none[] = {"", "fast", "0", "-1", "1x", "nan", "inf", "1e9", "0.0001"};
	struct throttle *t;
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		assert_false(throttle_new(none[i], &t));
	assert_true(throttle_new("off", &t));
	assert_null(t);
	assert_int_equal(throttle_take(t, &(struct throttle_request){.method = "POST", .path = DEVICES}).retry_after, 0);
	t = make("0.001");
	assert_int_equal(most(t, "POST", DEVICES, A, ONE, 0), 1); /* never none at all */
	throttle_free(t);
}

/* Ten thousand callers find a place each; the first of them may be forgotten, and none is refused for another. */
static void many_callers(void **state)
{
	struct throttle *t = make("0.01");
	for (uint32_t i = 0; i < 10000; i++) {
		struct id tenant = {{0}};
		memcpy(tenant.b, &i, sizeof i);
		assert_int_equal(take(t, "POST", DEVICES, tenant, ONE, i).retry_after, 0);
	}
	throttle_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(graphs_numbers), cmocka_unit_test(of_jobs), cmocka_unit_test(of_addresses), cmocka_unit_test(windows),
					   cmocka_unit_test(settings), cmocka_unit_test(many_callers)};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
