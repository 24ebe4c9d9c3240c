/* SPDX-License-Identifier: Apache-2.0
 * The rules for what stands behind a log's commitments, each of them broken once, and what is said about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "audit/log/verify.h"
#include "base/clock.h"
#include "base/limits.h"
#include "codec/base64.h"

#define TENANT "01999999-9999-7999-8999-999999999999"
#define DAY0 (INT64_C(1795305600) * SECOND_US) /* 2026-11-22 */
#define ok(call) assert_string_equal(err_name(call), "OK")

enum { MAX = 1200 };

static struct scope S;
static struct {
	char *event[MAX];              /* NULL: no content */
	uint8_t salt[MAX][SHA256_BYTES], commitment[MAX][SHA256_BYTES];
	uint64_t n;
	const char *tail;              /* after the last line */
} L;
static struct audit_verify V;

static int up(void **state)
{
	scope_system(&S, arena_new(LIMIT_ARENA_BYTES), NULL, NULL);
	S.now = DAY0;
	memset(&L, 0, sizeof L);
	V = (struct audit_verify){.tenant = TENANT, .now = DAY0, .until = INT64_MAX};
	return 0;
}

static int down(void **state)
{
	audit_verify_release(&V);
	arena_free(S.arena);
	return 0;
}

static uint64_t add(const char *type, int64_t at, const char *properties)
{
	char now[TIME_TEXT], expires[TIME_TEXT];
	uint64_t i = L.n++;
	assert_true(i < MAX);
	L.event[i] = arena_printf(S.arena, "{\"schema\":1,\"tenantId\":\"" TENANT "\",\"expiresDateTime\":\"%s\",\"subjectId\":null,\"failure\":null,"
				  "\"event\":{\"id\":\"x\",\"displayName\":\"a \\\"activityType\\\":\\\"b\",\"activityDateTime\":\"%s\",\"activityType\":\"%s\","
				  "\"resources\":[{\"modifiedProperties\":[%s]}]}}", time_format(at + 365 * DAY_US, expires), time_format(at, now), type,
				  properties);
	memset(L.salt[i], (int)(i + 1), SHA256_BYTES);
	audit_commitment(L.event[i], strlen(L.event[i]), L.salt[i], L.commitment[i]);
	return i;
}

/* One an hour, the last of them an hour ago. */
static void fill(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		add("create User", DAY0 - (int64_t)(n - i) * HOUR_US, "");
}

static uint64_t removal(int64_t at, const char *indexes, const char *kept_from)
{
	return add("expire AuditEvents", at, arena_printf(S.arena, "{\"displayName\":\"indexes\",\"oldValue\":null,\"newValue\":\"%s\"},"
		   "{\"displayName\":\"keptFrom\",\"oldValue\":null,\"newValue\":\"%s\"}", indexes, kept_from));
}

static void lines_of(uint64_t first, uint64_t end, struct buf *out)
{
	for (uint64_t i = first; i < end; i++)
		if (L.event[i] != NULL)
			buf_printf(out, "{\"index\":%llu,\"salt\":\"%s\",\"event\":%s}\n", (unsigned long long)i,
				   base64_encode(S.arena, L.salt[i], SHA256_BYTES), L.event[i]);
}

static enum err run(void)
{
	for (uint64_t first = V.first; first < L.n; first += 256) {
		uint64_t end = first + 256 < L.n ? first + 256 : L.n;
		auto_buf lines;
		buf_init(&lines, 16 * MIB);
		lines_of(first, end, &lines);
		if (end == L.n && L.tail != NULL)
			buf_adds(&lines, L.tail);
		ok(audit_verify_bundle(&V, &S, first, (const void *)&L.commitment[first], (unsigned)(end - first), lines.data, lines.len));
	}
	return audit_verify_end(&V, &S);
}

static void refuses(const char *why)
{
	assert_string_equal(err_name(run()), "CONFLICT");
	assert_string_equal(S.detail, why);
}

/* ---- */

static void test_sound(void **state)
{
	fill(600);
	ok(run());
	assert_int_equal(V.events, 600);
	assert_int_equal(V.removed, 0);
	assert_int_equal(V.next, 600);
}

static void test_empty(void **state)
{
	ok(run());
}

static void test_changed(void **state)
{
	fill(300);
	*strstr(L.event[270], "create") = 'C';
	*strstr(L.event[280], "create") = 'C';
	refuses("the event at index 270 was changed: it does not open its commitment");
	assert_int_equal(V.bad_index, 270);
	assert_int_equal(V.fault, AUDIT_CHANGED);
}

static void test_salt(void **state)
{
	fill(3);
	L.salt[1][0] ^= 1;
	refuses("the event at index 1 was changed: it does not open its commitment");
}

static void test_swapped(void **state)
{
	fill(9);
	char *e = L.event[4];
	L.event[4] = L.event[7];
	L.event[7] = e;
	refuses("the event at index 4 was changed: it does not open its commitment");
}

static void test_missing(void **state)
{
	fill(600);
	L.event[299] = NULL;
	L.event[300] = NULL;
	L.event[599] = NULL;
	refuses("the event at index 299 is missing inside its retention");
	assert_int_equal(V.fault, AUDIT_MISSING);
}

/* A hole is judged at the end; it comes first all the same. */
static void test_first_of_two(void **state)
{
	fill(600);
	L.event[12] = NULL;
	*strstr(L.event[270], "create") = 'C';
	refuses("the event at index 12 is missing inside its retention");
}

static void test_removed(void **state)
{
	for (int i = 0; i < 700; i++)
		add("create User", DAY0 - 365 * DAY_US + (i - 300) * HOUR_US, "");
	uint64_t by = removal(DAY0 - HOUR_US, "0-299,302,304-305", "301");
	for (int i = 0; i < 306; i++)
		if (i < 300 || i == 302 || i >= 304)
			L.event[i] = NULL;
	L.event[300] = NULL; /* below keptFrom */
	ok(run());
	assert_int_equal(V.removed, 304);
	assert_int_equal(V.kept_from, 301);
	assert_true(audit_verify_removed(&V, 305) && audit_verify_removed(&V, 300) && !audit_verify_removed(&V, 301) && !audit_verify_removed(&V, by));
}

static void test_removed_but_there(void **state)
{
	for (int i = 0; i < 10; i++)
		add("create User", DAY0 - 365 * DAY_US - HOUR_US + i, "");
	removal(DAY0, "2-5", "0");
	for (int i = 2; i <= 5; i++)
		if (i != 4)
			L.event[i] = NULL;
	refuses("the event at index 4 is still there, but its removal is recorded at index 10");
	assert_int_equal(V.fault, AUDIT_KEPT);
}

static void test_below_kept_from(void **state)
{
	for (int i = 0; i < 10; i++)
		add("create User", DAY0 - 365 * DAY_US - HOUR_US + i, "");
	removal(DAY0, "0-5", "6");
	for (int i = 0; i <= 5; i++)
		if (i != 3)
			L.event[i] = NULL;
	refuses("the event at index 3 is still there, but its removal is recorded at index 10");
}

static void test_copy_may_have_it(void **state)
{
	test_removed(state);
	audit_verify_release(&V);
	V = (struct audit_verify){.tenant = TENANT, .now = DAY0, .until = INT64_MAX, .copy = true};
	L.event[300] = L.event[301];
	memcpy(L.salt[300], L.salt[301], SHA256_BYTES);
	memcpy(L.commitment[300], L.commitment[301], SHA256_BYTES);
	ok(run());
}

static void test_removed_too_early(void **state)
{
	fill(10);
	removal(DAY0, "4-6", "0");
	for (int i = 4; i <= 6; i++)
		L.event[i] = NULL;
	refuses("the event at index 4 was removed before its retention can have ended (recorded at index 10, 2026-11-22T00:00:00Z)");
}

static void test_removal_of_the_future(void **state)
{
	fill(4);
	removal(DAY0, "9", "0");
	refuses("the event at index 4 records a removal that cannot be");
}

static void test_expired(void **state)
{
	add("create User", DAY0 - 367 * DAY_US, "");
	fill(3);
	refuses("the event at index 0 is kept past its expiry (2026-11-20T00:00:00Z)");
	assert_int_equal(V.fault, AUDIT_KEPT);
}

static void test_expired_today(void **state)
{
	add("create User", DAY0 - 365 * DAY_US - 23 * HOUR_US, "");
	ok(run());
}

static void test_time_back(void **state)
{
	add("create User", DAY0, "");
	add("create User", DAY0 - 10 * MINUTE_US, "");
	add("create User", DAY0 - 11 * MINUTE_US, "");
	ok(run());
	assert_int_equal(V.back, 1);
	assert_int_equal(V.back_index, 2);
}

static void test_tenant(void **state)
{
	fill(2);
	V.tenant = "01999999-9999-7999-8999-999999999998";
	refuses("the event at index 0 is of another tenant than the log");
}

static void test_no_event(void **state)
{
	fill(2);
	L.event[1] = (char[]){"{\"activityDateTime\":{}}"};
	audit_commitment(L.event[1], strlen(L.event[1]), L.salt[1], L.commitment[1]);
	refuses("what was signed at index 1 is no audit event");
}

static void test_lines(void **state)
{
	static const char *const bad[] = {"x\n", "\n", "{\"index\":3}\n", "{\"index\":1,\"salt\":\"\",\"event\":{}}\n"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		fill(2);
		L.tail = bad[i];
		refuses("line 3 of the events from index 0 on is malformed or out of order");
		down(NULL);
		up(NULL);
	}
	fill(2);
	L.tail = "{\"index\":2";
	refuses("line 3 of the events from index 0 on is cut off");
}

/* A line that is younger than the checkpoint is not judged. */
static void test_younger(void **state)
{
	fill(3);
	L.n = 2;
	auto_buf more;
	buf_init(&more, MIB);
	lines_of(2, 3, &more);
	L.tail = more.data;
	ok(run());
	assert_int_equal(V.events, 2);
}

static void test_twice(void **state)
{
	fill(3);
	auto_buf more;
	buf_init(&more, MIB);
	lines_of(2, 3, &more);
	L.tail = more.data;
	refuses("line 4 of the events from index 0 on is malformed or out of order");
}

static void test_period(void **state)
{
	fill(600);
	V.from = DAY0 - 500 * HOUR_US;
	V.until = DAY0 - 100 * HOUR_US;
	for (int i = 0; i < 600; i++)
		if (i < 100 || i >= 500)
			L.event[i] = NULL;
	ok(run());
}

static void test_hole_in_period(void **state)
{
	test_period(state);
	audit_verify_release(&V);
	V = (struct audit_verify){.tenant = TENANT, .now = DAY0, .from = DAY0 - 500 * HOUR_US, .until = DAY0 - 100 * HOUR_US};
	L.event[321] = NULL;
	refuses("the event at index 321 is missing inside its retention");
}

static void test_restored(void **state)
{
	fill(3);
	add("restore AuditLog", DAY0, "{\"displayName\":\"origin\",\"oldValue\":\"x/log/1\",\"newValue\":\"x/log/1.2\"},"
	    "{\"displayName\":\"size\",\"oldValue\":\"7\",\"newValue\":null}");
	ok(run());
	assert_string_equal(V.restored, "index 3, 2026-11-22T00:00:00Z: origin x/log/1 -> x/log/1.2, size 7");
}

static void test_line(void **state)
{
	struct audit_line l;
	char line[256];
	const char *salt = base64_encode(S.arena, L.salt[0], SHA256_BYTES);
	int n = snprintf(line, sizeof line, "{\"index\":18446744073709551615,\"salt\":\"%s\",\"event\":{\"a\":{}}}", salt);
	assert_false(audit_line_read(S.arena, line, (size_t)n, &l)); /* no log is as long */
	n = snprintf(line, sizeof line, "{\"index\":1067,\"salt\":\"%s\",\"event\":{\"a\":{}}}", salt);
	assert_true(audit_line_read(S.arena, line, (size_t)n, &l));
	assert_int_equal(l.index, 1067);
	assert_int_equal(l.n, 8);
	assert_memory_equal(l.event, "{\"a\":{}}", 8);
	for (int cut = 0; cut < n; cut++)
		if (cut != n - 1)
			assert_false(audit_line_read(S.arena, line, (size_t)cut, &l));
	line[9] = '0';
	assert_false(audit_line_read(S.arena, line, (size_t)n, &l));
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sound), TEST(empty), TEST(changed), TEST(salt), TEST(swapped), TEST(missing), TEST(first_of_two), TEST(removed),
		TEST(removed_but_there), TEST(below_kept_from), TEST(copy_may_have_it), TEST(removed_too_early), TEST(removal_of_the_future),
		TEST(expired), TEST(expired_today), TEST(time_back), TEST(tenant), TEST(no_event), TEST(lines), TEST(younger), TEST(twice),
		TEST(period), TEST(hole_in_period), TEST(restored), TEST(line),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
