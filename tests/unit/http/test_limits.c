/* SPDX-License-Identifier: Apache-2.0
 * Every limit from both sides: what just fits is served, what does not is refused with the right status or cut. */
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

static char *many(char c, size_t n)
{
	char *p = malloc(n + 1);
	assert_non_null(p);
	memset(p, c, n);
	p[n] = '\0';
	return p;
}

/* Sends before + n times 'x' + after; the answer's status; -1 where the connection stays open after a refusal. */
static int probe(struct site *site, const char *before, size_t n, const char *after)
{
	struct reply r;
	char *fill = many('x', n);
	int fd = dial(site);
	if (put(fd, before) && put(fd, fill)) /* a refusal may come before the end */
		put(fd, after);
	get_reply(fd, &r);
	int status = r.status >= 400 && !is_closed(fd) ? -1 : r.status;
	reply_free(&r);
	free(fill);
	close(fd);
	return status;
}

#define WITH_LENGTH(path, n) "POST " path " HTTP/1.1\r\nHost: h\r\nContent-Length: " n "\r\n\r\n"
#define WITH_CHUNK(path, n) "POST " path " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" n "\r\n"
#define LAST_CHUNK "\r\n0\r\n\r\n"

static void content_length(void **state)
{
	struct site *site = *state;
	assert_int_equal(probe(site, WITH_LENGTH("/", "65536"), BODY_MAX, ""), 200);
	assert_int_equal(probe(site, WITH_LENGTH("/", "65537"), 0, ""), 413);
	assert_int_equal(probe(site, WITH_LENGTH("/none", "1"), 0, ""), 413);
	assert_int_equal(probe(site, WITH_LENGTH("/none", "0"), 0, ""), 200);
	assert_int_equal(probe(site, WITH_LENGTH("/", "999999999999999999"), 0, ""), 413);
	assert_int_equal(atomic_load(&site->handled), 2);
}

/* A client that sends its whole body before it reads can do so and learns why, instead of being reset in the middle. */
static void a_refusal_survives_the_body(void **state)
{
	char *piece = many('x', 4000);
	for (int i = 0; i < 5; i++) {
		char c;
		int fd = dial(*state);
		assert_true(put(fd, WITH_LENGTH("/", "400000")));
		for (int k = 0; k < 100; k++) {
			assert_true(put(fd, piece));
			usleep(k < 20 ? 1000 : 0);
		}
		expect_body(fd, 413, "refused 413: the request body is larger than the limit");
		assert_int_equal(recv(fd, &c, 1, 0), 0);
		close(fd);
	}
	free(piece);
}

static void chunked_growth(void **state)
{
	struct site *site = *state;
	assert_int_equal(probe(site, WITH_CHUNK("/", "10000"), BODY_MAX, LAST_CHUNK), 200);
	assert_int_equal(probe(site, WITH_CHUNK("/", "10001"), BODY_MAX + 1, LAST_CHUNK), 413);
	assert_int_equal(probe(site, WITH_CHUNK("/", "80000"), 512 * 1024, LAST_CHUNK), 413);
	assert_int_equal(probe(site, WITH_CHUNK("/none", "1"), 1, LAST_CHUNK), 413);
	assert_int_equal(probe(site, WITH_CHUNK("/none", "0"), 0, "\r\n"), 200);
	assert_int_equal(atomic_load(&site->handled), 2);
}

static void a_chunked_body_without_end_is_cut(void **state)
{
	struct site *site = *state;
	char *mib = many('x', MIB);
	int fd = dial(site), sent = 0;
	put(fd, WITH_CHUNK("/", "10000000"));
	while (sent < 64 && put_bytes(fd, mib, MIB))
		sent++;
	assert_true(sent < 64);
	assert_int_equal(atomic_load(&site->handled), 0);
	free(mib);
	close(fd);
}

static void header_bytes(void **state)
{
	struct site *site = *state;
	assert_int_equal(probe(site, "GET / HTTP/1.1\r\nHost: h\r\nX: ", LIMIT_HEADER_BYTES - 100, "\r\n\r\n"), 200);
	assert_int_equal(probe(site, "GET / HTTP/1.1\r\nHost: h\r\nX: ", LIMIT_HEADER_BYTES, "\r\n\r\n"), 431);
	assert_int_equal(probe(site, "GET / HTTP/1.1\r\nHost: h\r\nX: ", LIMIT_HEADER_BYTES * 8, "\r\n\r\n"), 431);
	assert_int_equal(atomic_load(&site->handled), 1);
}

static int probe_lines(struct site *site, int lines)
{
	auto_buf b;
	buf_init(&b, 65536);
	buf_adds(&b, "GET / HTTP/1.1\r\nHost: h\r\n");
	for (int i = 1; i < lines; i++)
		buf_printf(&b, "X-%d: 1\r\n", i);
	buf_adds(&b, "\r\n");
	return probe(site, b.data, 0, "");
}

static void header_lines(void **state)
{
	assert_int_equal(probe_lines(*state, 100), 200);
	assert_int_equal(probe_lines(*state, 200), 431);
}

static void url_bytes(void **state)
{
	struct site *site = *state;
	assert_int_equal(probe(site, "GET /?f=", LIMIT_URL_BYTES - 4, " HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
	assert_int_equal(probe(site, "GET /?f=", LIMIT_URL_BYTES - 3, " HTTP/1.1\r\nHost: h\r\n\r\n"), 414);
	assert_int_equal(probe(site, "GET /", 100000, " HTTP/1.1\r\nHost: h\r\n\r\n"), 414);
	assert_int_equal(atomic_load(&site->handled), 1);
}

static void overload(void **state)
{
	struct site site = {0};
	struct reply r;
	int fd[4];
	site_open_with(&site, (struct http_options){0}, SITE_TUNING, 1, 2);
	for (int i = 0; i < 3; i++) { /* one at the worker, two in its queue */
		fd[i] = dial(&site);
		put(fd[i], "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
		for (int k = 0; i == 0 && k < WAIT_MS && atomic_load(&site.handled) == 0; k++)
			usleep(1000);
	}
	usleep(100 * 1000); /* both are in the queue */
	fd[3] = dial(&site);
	put(fd[3], "GET /over HTTP/1.1\r\nHost: h\r\n\r\n");
	get_reply(fd[3], &r);
	assert_int_equal(r.status, 503);
	assert_non_null(reply_header(&r, "Retry-After"));
	reply_free(&r);
	atomic_store(&site.hold, false);
	for (int i = 0; i < 3; i++)
		expect_body(fd[i], 200, "held");
	put(fd[3], "GET /over HTTP/1.1\r\nHost: h\r\n\r\n"); /* the same connection, later */
	expect_body(fd[3], 200, "GET /over ?  # 0 ");
	for (int i = 0; i < 4; i++)
		close(fd[i]);
	site_close(&site);
}

/* Two bodies fit together; a third one has to wait until one of them is gone. */
static void bodies_in_all(void **state)
{
	struct site site = {0};
	struct http_tuning t = SITE_TUNING;
	int fd[2];
	t.bodies = 2 * BODY_MAX;
	site_open_with(&site, (struct http_options){0}, t, 4, 10);
	char *half = many('x', BODY_MAX - 1);
	for (int i = 0; i < 2; i++) {
		fd[i] = dial(&site);
		put(fd[i], WITH_LENGTH("/", "65536"));
		put(fd[i], half);
	}
	for (int i = 0; i < WAIT_MS && atomic_load(&site.server->count.bodies) < 2 * BODY_MAX - 2; i++)
		usleep(1000);
	assert_int_equal(probe(&site, WITH_LENGTH("/", "3"), 3, ""), 503);
	for (int i = 0; i < 2; i++) {
		struct reply r;
		put(fd[i], "x");
		get_reply(fd[i], &r);
		assert_int_equal(r.status, 200);
		reply_free(&r);
		close(fd[i]);
	}
	assert_int_equal(probe(&site, WITH_LENGTH("/", "65536"), BODY_MAX, ""), 200);
	free(half);
	atomic_size_t *held = &site.server->count.bodies;
	for (int i = 0; i < WAIT_MS && atomic_load(held) != 0; i++)
		usleep(1000);
	assert_int_equal(atomic_load(held), 0);
	site_close(&site);
}

static bool cut_while_sending(struct site *site, const char *start, const char *drip)
{
	int64_t begun = clock_monotonic();
	int fd = dial(site);
	put(fd, start);
	/* Never silent for long: the library's own timeout does not see it. */
	while (clock_monotonic() - begun < 8 * SECOND_US && put(fd, drip))
		usleep(50 * 1000);
	int64_t lasted = clock_monotonic() - begun;
	close(fd);
	return lasted < 4 * SECOND_US;
}

static void slow_clients_are_cut(void **state)
{
	struct site site = {0};
	struct http_tuning t = SITE_TUNING;
	t.request_us = SECOND_US;
	t.idle_us = 5 * SECOND_US;
	site_open_with(&site, (struct http_options){0}, t, 1, 10);
	assert_true(cut_while_sending(&site, "GET / HTTP/1.1\r\nX: ", "y"));
	assert_true(cut_while_sending(&site, "GET /", "y"));
	assert_true(cut_while_sending(&site, WITH_LENGTH("/", "60000"), "y"));
	assert_true(cut_while_sending(&site, WITH_CHUNK("/", "1") "y\r\n", "1\r\ny\r\n"));
	assert_int_equal(atomic_load(&site.handled), 0);
	/* A slow handler is no slow client. */
	int fd = dial(&site);
	put(fd, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	usleep(1500 * 1000);
	atomic_store(&site.hold, false);
	expect_body(fd, 200, "held");
	/* Nor is a connection that rests between two requests. */
	usleep(1500 * 1000);
	put(fd, "GET /rested HTTP/1.1\r\nHost: h\r\n\r\n");
	expect_body(fd, 200, "GET /rested ?  # 0 ");
	close(fd);
	site_close(&site);
}

/* Reads `bytes` of a large answer every 50 ms, for `seconds`; whether it was cut.  What the kernel holds already can be read on. */
static bool cut_while_reading(struct site *site, size_t bytes, int seconds)
{
	static char waste[64 * 1024];
	struct http_stats before, now;
	int64_t begun = clock_monotonic();
	int fd = dial(site);
	http_stats(site->server, &before);
	put(fd, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
	do {
		if (recv(fd, waste, bytes, 0) <= 0)
			break;
		usleep(50 * 1000);
		http_stats(site->server, &now);
	} while (now.cut == before.cut && clock_monotonic() - begun < seconds * SECOND_US);
	close(fd);
	return now.cut > before.cut;
}

/* The library sees that something is read, now and then, and waits. */
static void slow_readers_are_cut(void **state)
{
	struct site site = {0};
	struct http_tuning t = SITE_TUNING;
	t.request_us = SECOND_US; /* so that it looks often */
	t.answer_us = SECOND_US;
	t.answer_bytes = 16 * 1024;
	site_open_with(&site, (struct http_options){0}, t, 1, 10);
	assert_true(cut_while_reading(&site, 64, 6));
	assert_false(cut_while_reading(&site, 64 * 1024, 4)); /* not fast, but it takes what it can */
	site_close(&site);
}

static void idle_connections_are_closed(void **state)
{
	struct site site = {0};
	struct http_tuning t = SITE_TUNING;
	t.idle_us = SECOND_US;
	site_open_with(&site, (struct http_options){0}, t, 1, 10);
	int fd = dial(&site);
	put(fd, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
	expect_body(fd, 200, "GET /x ?  # 0 ");
	assert_true(is_closed(fd));
	close(fd);
	site_close(&site);
}

static void connections(struct http_tuning t)
{
	struct site site = {0};
	struct http_stats stats;
	int fd[3];
	site_open_with(&site, (struct http_options){0}, t, 1, 10);
	for (int i = 0; i < 2; i++) {
		fd[i] = dial(&site);
		put(fd[i], "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
		expect_body(fd[i], 200, "GET /x ?  # 0 ");
	}
	fd[2] = dial(&site);
	put(fd[2], "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_true(is_closed(fd[2]));
	http_stats(site.server, &stats);
	assert_int_equal(stats.refused, 1);
	close(fd[0]);
	for (int i = 0; i < WAIT_MS && stats.connections_open > 1; i++, usleep(1000))
		http_stats(site.server, &stats);
	close(fd[2]);
	fd[2] = dial(&site); /* there is room again */
	put(fd[2], "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
	expect_body(fd[2], 200, "GET /x ?  # 0 ");
	close(fd[1]);
	close(fd[2]);
	site_close(&site);
}

static void connections_in_all(void **state)
{
	struct http_tuning t = SITE_TUNING;
	t.connections = 2;
	connections(t);
}

static void connections_per_address(void **state)
{
	struct http_tuning t = SITE_TUNING;
	t.connections_per_ip = 2;
	connections(t);
}

int main(void)
{
#define WITH_SITE(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_SITE(content_length),
		WITH_SITE(a_refusal_survives_the_body),
		WITH_SITE(chunked_growth),
		WITH_SITE(a_chunked_body_without_end_is_cut),
		WITH_SITE(header_bytes),
		WITH_SITE(header_lines),
		WITH_SITE(url_bytes),
		cmocka_unit_test(overload),
		cmocka_unit_test(bodies_in_all),
		cmocka_unit_test(slow_clients_are_cut),
		cmocka_unit_test(slow_readers_are_cut),
		cmocka_unit_test(idle_connections_are_closed),
		cmocka_unit_test(connections_in_all),
		cmocka_unit_test(connections_per_address),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
