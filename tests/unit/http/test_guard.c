/* SPDX-License-Identifier: Apache-2.0
 * The framing guard: first the pure verdicts, then the same over a socket, where a refused request must never reach the
 * handler and must end its connection, because what follows on it cannot be told apart from a body. */
#include "client.h"
#include "http/guard.h"

static enum guard_verdict judge(const char *const lines[][2], bool need_host, bool http10, struct guard_framing *ret)
{
	struct guard_header h[16];
	struct guard_input in = {.headers = h, .need_host = need_host, .http10 = http10};
	for (; lines[in.count][0] != NULL; in.count++)
		h[in.count] = (struct guard_header){.name = lines[in.count][0], .name_len = strlen(lines[in.count][0]),
			.value = lines[in.count][1], .value_len = strlen(lines[in.count][1])};
	return guard_check(&in, ret);
}

static void pure_verdicts(void **state)
{
	static const struct {
		enum guard_verdict want;
		const char *lines[6][2];
	} cases[] = {
		{GUARD_OK, {{"Host", "h"}}},
		{GUARD_OK, {{"host", "[::1]:8443"}, {"content-length", "0"}}},
		{GUARD_OK, {{"Host", "h"}, {"TRANSFER-ENCODING", "Chunked"}}},
		{GUARD_OK, {{"Host", "h"}, {"X", "tab\there and \xc3\xa9"}}},
		{GUARD_HOST_MISSING, {{"Accept", "*/*"}}},
		{GUARD_HOST_REPEATED, {{"Host", "h"}, {"hOST", "h"}}},
		{GUARD_CREDENTIALS_REPEATED, {{"Host", "h"}, {"Authorization", "Bearer a"}, {"authorization", "Bearer b"}}},
		{GUARD_HOST, {{"Host", "h/evil"}}},
		{GUARD_HOST, {{"Host", "a b"}}},
		{GUARD_NAME, {{"Host", "h"}, {"", "x"}}},
		{GUARD_NAME, {{"Host", "h"}, {"Content-Length ", "5"}}},
		{GUARD_NAME, {{"Host", "h"}, {"Content\x01-Length", "5"}}},
		{GUARD_NAME, {{"Host", "h"}, {"Transfer\x0b" "Encoding", "chunked"}}},
		{GUARD_NAME, {{"Host", "h"}, {"X\xc3\xa9", "5"}}},
		{GUARD_VALUE, {{"Host", "h"}, {"X", "a\rTransfer-Encoding: chunked"}}},
		{GUARD_VALUE, {{"Host", "h"}, {"X", "\x7f"}}},
		{GUARD_LENGTH_REPEATED, {{"Host", "h"}, {"Content-Length", "5"}, {"Content-Length", "5"}}},
		{GUARD_LENGTH, {{"Host", "h"}, {"Content-Length", "+5"}}},
		{GUARD_LENGTH, {{"Host", "h"}, {"Content-Length", "-1"}}},
		{GUARD_LENGTH, {{"Host", "h"}, {"Content-Length", "5, 5"}}},
		{GUARD_LENGTH, {{"Host", "h"}, {"Content-Length", "0x5"}}},
		{GUARD_LENGTH, {{"Host", "h"}, {"Content-Length", ""}}},
		{GUARD_LENGTH, {{"Host", "h"}, {"Content-Length", "9223372036854775808"}}},
		{GUARD_ENCODING, {{"Host", "h"}, {"Transfer-Encoding", "xchunked"}}},
		{GUARD_ENCODING, {{"Host", "h"}, {"Transfer-Encoding", "gzip, chunked"}}},
		{GUARD_ENCODING, {{"Host", "h"}, {"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}}},
		{GUARD_LENGTH_AND_ENCODING, {{"Host", "h"}, {"Transfer-Encoding", "chunked"}, {"Content-Length", "5"}}},
		{GUARD_LENGTH_AND_ENCODING, {{"Host", "h"}, {"Content-Length", "5"}, {"Transfer-Encoding", "chunked"}}},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct guard_framing f;
		enum guard_verdict v = judge(cases[i].lines, true, false, &f);
		if (v != cases[i].want)
			fail_msg("case %zu: %s", i, guard_reason(v));
	}
}

static void framing_is_told(void **state)
{
	static const char *const length[][2] = {{"Host", "h"}, {"Content-Length", "999999999999999999"}, {NULL, NULL}};
	static const char *const chunked[][2] = {{"Transfer-Encoding", "chunked"}, {NULL, NULL}};
	struct guard_framing f;
	assert_int_equal(judge(length, true, false, &f), GUARD_OK);
	assert_false(f.chunked);
	assert_true(f.length == UINT64_C(999999999999999999));
	assert_int_equal(judge(chunked, false, false, &f), GUARD_OK);
	assert_true(f.chunked);
	assert_int_equal(judge(chunked, true, false, &f), GUARD_HOST_MISSING);
	assert_int_equal(judge(chunked, false, true, &f), GUARD_ENCODING); /* HTTP/1.0 */
}

static void targets(void **state)
{
	assert_int_equal(guard_target("/a%20b?c=d"), GUARD_OK);
	assert_int_equal(guard_target("*"), GUARD_OK);
	assert_int_equal(guard_target(""), GUARD_TARGET);
	assert_int_equal(guard_target("http://h/a"), GUARD_TARGET);
	assert_int_equal(guard_target("/a b"), GUARD_TARGET);
	assert_int_equal(guard_target("/a\x7f"), GUARD_TARGET);
}

static int setup(void **state)
{
	struct site *site = calloc(1, sizeof *site);
	site_open(site);
	*state = site;
	return 0;
}

static int teardown(void **state)
{
	site_close(*state);
	free(*state);
	return 0;
}

/* The second request in each is the smuggled one: it must not be answered either. */
static void refused_on_the_wire(void **state)
{
	struct site *site = *state;
	static const char *const cases[] = {
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 0\r\n\r\nabcd",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +4\r\n\r\nabcd",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length : 4\r\n\r\nabcd",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length\t: 4\r\n\r\nabcd",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\nAccept: */*\r\n\r\n",
		"GET / HTTP/1.0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nX\x01Y: 1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nTransfer-: chunked\r\n Encoding\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nX: one\r\n two\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nNo colon here\r\n\r\n",
		"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n",
		"G(T / HTTP/1.1\r\nHost: h\r\n\r\n",
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int fd = dial(site);
		put(fd, cases[i]);
		put(fd, "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
		char *all = get_all(fd);
		if (strncmp(all, "HTTP/1.1 400 ", 13) != 0 || strstr(all, "HTTP/1.1 2") != NULL)
			fail_msg("case %zu: %s", i, all);
		free(all);
		close(fd);
	}
	assert_int_equal(atomic_load(&site->handled), 0);
}

static void a_plain_request_passes(void **state)
{
	int fd = dial(*state);
	put(fd, "POST /p?q=%20 HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nabcd");
	expect_body(fd, 200, "POST /p ? q=%20 # 4 abcd");
	put(fd, "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
		"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n");
	expect_body(fd, 200, "POST /c ?  # 5 abcde");
	close(fd);
}

static void refusals_are_counted_and_explained(void **state)
{
	struct site *site = *state;
	struct http_stats stats;
	struct reply r;
	int fd = dial(site);
	put(fd, "GET / HTTP/1.1\r\n\r\n");
	get_reply(fd, &r);
	assert_int_equal(r.status, 400);
	assert_string_equal(r.body, "refused 400: the Host header is missing");
	assert_string_equal(reply_header(&r, "Connection"), "close");
	reply_free(&r);
	http_stats(site->server, &stats);
	assert_int_equal(stats.refused, 1);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pure_verdicts),
		cmocka_unit_test(framing_is_told),
		cmocka_unit_test(targets),
		cmocka_unit_test_setup_teardown(refused_on_the_wire, setup, teardown),
		cmocka_unit_test_setup_teardown(a_plain_request_passes, setup, teardown),
		cmocka_unit_test_setup_teardown(refusals_are_counted_and_explained, setup, teardown),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
