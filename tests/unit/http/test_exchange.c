/* SPDX-License-Identifier: Apache-2.0
 * Requests and answers: what the handler sees, what the client gets, connections that are used again, streamed bodies.
 */
#include "client.h"

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

static void keep_alive(void **state)
{
	struct site *site = *state;
	struct http_stats stats;
	int fd = dial(site);
	for (int i = 0; i < 20; i++) {
		put(fd, "GET /again?n HTTP/1.1\r\nHost: h\r\n\r\n");
		expect_body(fd, 200, "GET /again ? n # 0 ");
	}
	http_stats(site->server, &stats);
	assert_int_equal(stats.connections_total, 1);
	assert_int_equal(stats.connections_open, 1);
	assert_int_equal(stats.requests, 20);
	put(fd, "GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	expect_body(fd, 200, "GET /last ?  # 0 ");
	assert_true(is_closed(fd));
	close(fd);
}

static void pipelining(void **state)
{
	int fd = dial(*state);
	put(fd, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
		"POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
		"GET /3 HTTP/1.1\r\nHost: h\r\n\r\n"
		"POST /4 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nz\r\n0\r\n\r\n"
		"GET /5 HTTP/1.1\r\nHost: h\r\n\r\n");
	expect_body(fd, 200, "GET /1 ?  # 0 ");
	expect_body(fd, 200, "POST /2 ?  # 3 abc");
	expect_body(fd, 200, "GET /3 ?  # 0 ");
	expect_body(fd, 200, "POST /4 ?  # 1 z");
	expect_body(fd, 200, "GET /5 ?  # 0 ");
	close(fd);
}

static void paths_stay_raw(void **state)
{
	int fd = dial(*state);
	put(fd, "GET /a%2Fb%20c/../+?$filter=x%20eq%20'1'&&=a+b?# HTTP/1.1\r\nHost: h\r\n\r\n");
	expect_body(fd, 200, "GET /a%2Fb%20c/../+ ? $filter=x%20eq%20'1'&&=a+b?# # 0 ");
	put(fd, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
	expect_body(fd, 200, "OPTIONS * ?  # 0 ");
	put(fd, "PROPFIND /x HTTP/1.1\r\nHost: h\r\n\r\n");
	expect_body(fd, 200, "PROPFIND /x ?  # 0 ");
	close(fd);
}

static void headers_of_both_sides(void **state)
{
	struct reply r;
	int fd = dial(*state);
	put(fd, "GET /headers HTTP/1.1\r\nHost: h\r\nX-Question: why?\r\n\r\n");
	get_reply(fd, &r);
	assert_string_equal(r.body, "why?|");
	assert_string_equal(reply_header(&r, "X-One"), "1");
	assert_null(reply_header(&r, "X-Split"));
	assert_null(reply_header(&r, "X-Injected"));
	assert_string_equal(reply_header(&r, "Content-Length"), "5"); /* not the handler's 7 */
	assert_string_equal(reply_header(&r, "Content-Type"), "text/plain");
	assert_string_equal(reply_header(&r, "Cache-Control"), "max-age=5");
	assert_string_equal(reply_header(&r, "X-Content-Type-Options"), "nosniff");
	assert_null(reply_header(&r, "Strict-Transport-Security")); /* not on plain HTTP */
	reply_free(&r);
	put(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	get_reply(fd, &r);
	assert_string_equal(reply_header(&r, "Cache-Control"), "no-store");
	assert_string_equal(reply_header(&r, "Content-Type"), "application/json");
	reply_free(&r);
	close(fd);
}

static void head_has_no_body(void **state)
{
	struct reply r;
	int fd = dial(*state);
	put(fd, "HEAD /h HTTP/1.1\r\nHost: h\r\n\r\n");
	get_reply_from(get_from_fd, &fd, &r, true);
	assert_int_equal(r.status, 200);
	assert_string_equal(reply_header(&r, "Content-Length"), "15");
	put(fd, "GET /after HTTP/1.1\r\nHost: h\r\n\r\n"); /* would read the body's bytes as its head */
	expect_body(fd, 200, "GET /after ?  # 0 ");
	close(fd);
}

static void answers_without_a_body(void **state)
{
	struct reply r;
	int fd = dial(*state);
	put(fd, "GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n");
	get_reply(fd, &r);
	assert_int_equal(r.status, 204);
	assert_null(reply_header(&r, "Content-Type"));
	reply_free(&r);
	put(fd, "GET /unfilled HTTP/1.1\r\nHost: h\r\n\r\n");
	expect_body(fd, 500, "refused 500: internal error");
	close(fd);
}

static void expect_pieces(const struct reply *r)
{
	assert_true(r->whole);
	assert_int_equal(r->body_len, PIECE * PIECES);
	for (size_t i = 0; i < r->body_len; i++)
		if (r->body[i] != 'a' + (char)(i / PIECE % 26))
			fail_msg("byte %zu is %c", i, r->body[i]);
}

static void wait_until(atomic_uint *counter, unsigned want)
{
	for (int i = 0; i < WAIT_MS && atomic_load(counter) < want; i++)
		usleep(1000);
	assert_int_equal(atomic_load(counter), want);
}

static void streams(void **state)
{
	struct site *site = *state;
	struct reply r;
	int fd = dial(site);
	put(fd, "GET /stream/known HTTP/1.1\r\nHost: h\r\n\r\n");
	get_reply(fd, &r);
	assert_non_null(reply_header(&r, "Content-Length"));
	expect_pieces(&r);
	reply_free(&r);
	put(fd, "GET /stream/chunked HTTP/1.1\r\nHost: h\r\n\r\n");
	get_reply(fd, &r);
	assert_string_equal(reply_header(&r, "Transfer-Encoding"), "chunked");
	expect_pieces(&r);
	reply_free(&r);
	put(fd, "HEAD /stream/known HTTP/1.1\r\nHost: h\r\n\r\n");
	get_reply_from(get_from_fd, &fd, &r, true);
	assert_int_equal(r.status, 200);
	wait_until(&site->streams_ended, 3); /* stream_end is called once each, also where nothing was read */
	close(fd);
}

static void a_broken_stream_shows(void **state)
{
	struct site *site = *state;
	struct reply r;
	int fd = dial(site);
	put(fd, "GET /stream/broken HTTP/1.1\r\nHost: h\r\n\r\n");
	get_reply(fd, &r);
	assert_int_equal(r.status, 200);
	assert_false(r.whole);
	assert_true(is_closed(fd));
	wait_until(&site->streams_ended, 1);
	reply_free(&r);
	close(fd);
}

static void a_client_that_leaves_ends_its_stream(void **state)
{
	struct site *site = *state;
	int fd = dial(site), small = 4096;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	put(fd, "GET /stream/known HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_int_equal(get_byte(fd), 'H');
	close(fd);
	wait_until(&site->streams_ended, 1);
}

static void expect_continue(void **state)
{
	char line[64] = "";
	int fd = dial(*state);
	put(fd, "POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
	assert_true(get_line(get_from_fd, &fd, line, sizeof line));
	assert_string_equal(line, "HTTP/1.1 100 Continue");
	assert_true(get_line(get_from_fd, &fd, line, sizeof line));
	put(fd, "ab");
	expect_body(fd, 200, "POST /e ?  # 2 ab");
	/* No invitation for what will not be taken. */
	put(fd, "POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\nExpect: 100-continue\r\n\r\n");
	expect_body(fd, 413, "refused 413: the request body is larger than the limit");
	assert_true(is_closed(fd));
	close(fd);
}

static void bytes_one_by_one(void **state)
{
	static const char text[] = "POST /slow?q HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
		"4\r\nabcd\r\n0\r\n\r\n";
	int fd = dial(*state);
	for (size_t i = 0; i + 1 < sizeof text; i++) {
		put_bytes(fd, text + i, 1);
		usleep(500);
	}
	expect_body(fd, 200, "POST /slow ? q # 4 abcd");
	close(fd);
}

static void *hammer(void *arg)
{
	int fd = dial(arg);
	size_t right = 0;
	for (int i = 0; i < 200; i++) {
		struct reply r;
		put(fd, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
		get_reply(fd, &r);
		right += r.status == 200 && r.whole && strcmp(r.body, "POST /x ?  # 3 abc") == 0;
		reply_free(&r);
	}
	close(fd);
	return (void *)right;
}

static void many_at_once(void **state)
{
	pthread_t t[8];
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&t[i], NULL, hammer, *state), 0);
	for (size_t i = 0; i < 8; i++) {
		void *right;
		pthread_join(t[i], &right);
		assert_int_equal((size_t)right, 200);
	}
}

int main(void)
{
#define WITH_SITE(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_SITE(keep_alive),
		WITH_SITE(pipelining),
		WITH_SITE(paths_stay_raw),
		WITH_SITE(headers_of_both_sides),
		WITH_SITE(head_has_no_body),
		WITH_SITE(answers_without_a_body),
		WITH_SITE(streams),
		WITH_SITE(a_broken_stream_shows),
		WITH_SITE(a_client_that_leaves_ends_its_stream),
		WITH_SITE(expect_continue),
		WITH_SITE(bytes_one_by_one),
		WITH_SITE(many_at_once),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
