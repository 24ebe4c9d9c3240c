/* SPDX-License-Identifier: Apache-2.0
 * Sinks without a server: pauses, torn files, batches and their signatures.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/limits.h"
#include "codec/json.h"
#include "jobs/sinks_internal.h"

static struct scope scope;
static char directory[] = "/tmp/reeve-sinks-XXXXXX";
static int dir;

static int setup(void **state)
{
	scope_system(&scope, arena_new(4 * MIB), NULL, NULL);
	return mkdtemp(directory) == NULL || (dir = open(directory, O_RDONLY | O_DIRECTORY)) < 0;
}

static int teardown(void **state)
{
	unlinkat(dir, "f", 0);
	unlinkat(dir, "l", 0);
	close(dir);
	arena_free(scope.arena);
	return rmdir(directory);
}

/* ---- pauses ---- */

static void pauses_double_and_end_at_five_minutes(void **state)
{
	static const int64_t whole[] = {1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300};
	for (unsigned f = 0; f < sizeof whole / sizeof *whole; f++) {
		assert_int_equal(sink_backoff_us(f, 0), whole[f] * SECOND_US);
		int64_t shortest = sink_backoff_us(f, UINT32_MAX);
		assert_true(shortest >= SECOND_US && shortest >= whole[f] * SECOND_US * 3 / 4 && (f < 2 || shortest < whole[f] * SECOND_US));
	}
	assert_int_equal(sink_backoff_us(UINT32_MAX, 0), 300 * SECOND_US);
}

/* ---- files ---- */

static void put(const char *text, size_t n)
{
	int fd = openat(dir, "f", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0 && write(fd, text, n) == (ssize_t)n);
	close(fd);
}

static off_t size_after_repair(void)
{
	int fd;
	struct stat st;
	assert_int_equal(sink_file_open(dir, "f", &fd), OK);
	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	return st.st_size;
}

static void a_torn_line_is_cut(void **state)
{
	static const struct {
		const char *text;
		off_t left;
	} cases[] = {{"", 0}, {"a\n", 2}, {"a\nb\n", 4}, {"a", 0}, {"a\nb", 2}, {"a\n\nb", 3}, {"\n", 1}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		put(cases[i].text, strlen(cases[i].text));
		assert_int_equal(size_after_repair(), cases[i].left);
	}
}

static void a_long_torn_line_is_cut(void **state)
{
	enum { LONG = 300000 };
	char *text = malloc(LONG);
	memset(text, 'x', LONG);
	put(text, LONG);
	assert_int_equal(size_after_repair(), 0);
	text[0] = '\n'; /* the very first byte */
	put(text, LONG);
	assert_int_equal(size_after_repair(), 1);
	text[LONG - 65537] = '\n'; /* the byte before the last block */
	put(text, LONG);
	assert_int_equal(size_after_repair(), LONG - 65536);
	free(text);
}

static void only_plain_files_are_written(void **state)
{
	int fd;
	assert_int_equal(symlinkat("f", dir, "l"), 0);
	assert_int_not_equal(sink_file_open(dir, "l", &fd), OK);
	unlinkat(dir, "l", 0);
	assert_int_equal(mkfifoat(dir, "l", 0600), 0);
	assert_int_not_equal(sink_file_open(dir, "l", &fd), OK);
}

static void a_new_file_is_private(void **state)
{
	struct stat st;
	int fd;
	unlinkat(dir, "f", 0);
	assert_int_equal(sink_file_open(dir, "f", &fd), OK);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	close(fd);
}

/* ---- batches ---- */

static void events_travel_as_they_are_stored(void **state)
{
	static const char stored[] = "{ \"a\":1.0,\"b\":\"\xc3\xa4\\u00e4\",  \"a2\":[ ] }"; /* no writer of ours makes this */
	struct audit_sink_event events[2] = {
		{.index = UINT64_C(9007199254740993), .event = {{1}}, .at = 1500000, .resource_type = "User", .resource = {{2}},
		 .bytes = stored, .n = sizeof stored - 1},
		{.index = 8, .event = {{3}}, .bytes = stored, .n = sizeof stored - 1}};
	struct audit_sink sink = {.kind = SINK_WEBHOOK};
	struct audit_sink_page page = {.events = events, .count = 2};
	struct delivery d = {.s = &scope, .sink = &sink, .page = &page, .origin = "h/log/x"};
	auto_buf b;
	buf_init(&b, MIB);
	assert_int_equal(sink_cloud_events(&d, &b), OK);
	assert_string_equal(b.data,
			    "[{\"specversion\":\"1.0\",\"id\":\"01000000-0000-0000-0000-000000000000\",\"source\":\"h/log/x\","
			    "\"type\":\"org.reeve.auditEvent.v1\",\"time\":\"1970-01-01T00:00:01.500000Z\","
			    "\"subject\":\"User/02000000-0000-0000-0000-000000000000\",\"datacontenttype\":\"application/json\","
			    "\"logindex\":\"9007199254740993\",\"data\":{ \"a\":1.0,\"b\":\"\xc3\xa4\\u00e4\",  \"a2\":[ ] }},"
			    "{\"specversion\":\"1.0\",\"id\":\"03000000-0000-0000-0000-000000000000\",\"source\":\"h/log/x\","
			    "\"type\":\"org.reeve.auditEvent.v1\",\"time\":\"1970-01-01T00:00:00Z\",\"datacontenttype\":\"application/json\","
			    "\"logindex\":\"8\",\"data\":{ \"a\":1.0,\"b\":\"\xc3\xa4\\u00e4\",  \"a2\":[ ] }}]");
}

/* printf '1700000000.[]' | openssl dgst -sha256 -hmac 'a secret of some length' */
static void signatures_cover_time_and_body(void **state)
{
	static const char secret[] = "a secret of some length";
	char *s = sink_signature(scope.arena, secret, sizeof secret - 1, INT64_C(1700000000999999), "[]", 2);
	assert_string_equal(s, "t=1700000000,v1=46ba0928c5c5fc94778e7d648c679ffa9046577fd5c09b4be8e14faaee6dba97");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pauses_double_and_end_at_five_minutes), cmocka_unit_test(a_torn_line_is_cut),
		cmocka_unit_test(a_long_torn_line_is_cut),		 cmocka_unit_test(only_plain_files_are_written),
		cmocka_unit_test(a_new_file_is_private),		 cmocka_unit_test(events_travel_as_they_are_stored),
		cmocka_unit_test(signatures_cover_time_and_body),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("sinks", tests, setup, teardown);
}
