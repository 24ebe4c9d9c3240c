/* SPDX-License-Identifier: Apache-2.0
 * Stopping: what is under way finishes, what is idle does not hold the server up, what takes too long is cut, nothing
 * new comes in. */
#include "client.h"

struct stop {
	struct site *site;
	unsigned seconds;
	int64_t took;
};

static void *stop_thread(void *arg)
{
	struct stop *stop = arg;
	int64_t begun = clock_monotonic();
	http_stop(stop->site->server, stop->seconds);
	stop->took = clock_monotonic() - begun;
	return NULL;
}

static void wait_handled(struct site *site, unsigned want)
{
	for (int i = 0; i < WAIT_MS && atomic_load(&site->handled) < want; i++)
		usleep(1000);
	assert_int_equal(atomic_load(&site->handled), want);
}

static void requests_under_way_finish(void **state)
{
	struct site site = {0};
	struct stop stop = {.site = &site, .seconds = 10};
	struct reply r;
	pthread_t t;
	site_open(&site);
	int sleeper = dial(&site), streamer = dial(&site), uploader = dial(&site), small = 4096;
	setsockopt(streamer, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	put(streamer, "GET /stream/known HTTP/1.1\r\nHost: h\r\n\r\n");
	put(uploader, "POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab");
	put(sleeper, "GET /sleep HTTP/1.1\r\nHost: h\r\n\r\n");
	wait_handled(&site, 2);
	assert_int_equal(pthread_create(&t, NULL, stop_thread, &stop), 0);
	usleep(100 * 1000);
	assert_int_equal(dial_try(&site), -1); /* port still known, nobody accepts */
	put(uploader, "cd");
	expect_body(uploader, 200, "POST /up ?  # 4 abcd");
	get_reply(sleeper, &r);
	assert_int_equal(r.status, 200);
	assert_string_equal(r.body, "slept");
	assert_string_equal(reply_header(&r, "Connection"), "close");
	assert_true(is_closed(sleeper));
	reply_free(&r);
	get_reply(streamer, &r);
	assert_true(r.whole);
	assert_int_equal(r.body_len, PIECE * PIECES);
	reply_free(&r);
	pthread_join(t, NULL);
	assert_true(stop.took < 5 * SECOND_US);
	site.server = NULL;
	close(sleeper);
	close(streamer);
	close(uploader);
	site_close(&site);
}

static void idle_connections_do_not_hold_it_up(void **state)
{
	struct site site = {0};
	struct stop stop = {.site = &site, .seconds = 10};
	site_open(&site);
	int used = dial(&site), fresh = dial(&site);
	put(used, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
	expect_body(used, 200, "GET /x ?  # 0 ");
	stop_thread(&stop);
	assert_true(stop.took < 2 * SECOND_US);
	assert_true(is_closed(used));
	assert_true(is_closed(fresh));
	site.server = NULL;
	close(used);
	close(fresh);
	site_close(&site);
}

/* The handler cannot be interrupted, but its client is told and http_stop returns; the worker ends later. */
static void overdue_requests_are_cut(void **state)
{
	struct site site = {0};
	struct stop stop = {.site = &site, .seconds = 1};
	int fd[3];
	site_open_with(&site, (struct http_options){0}, SITE_TUNING, 1, 10);
	for (int i = 0; i < 3; i++) { /* one at the worker, two in the queue */
		fd[i] = dial(&site);
		put(fd[i], "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
	}
	wait_handled(&site, 1);
	usleep(50 * 1000);
	stop_thread(&stop);
	assert_true(stop.took >= SECOND_US && stop.took < 4 * SECOND_US);
	for (int i = 0; i < 3; i++) {
		assert_true(is_closed(fd[i]));
		close(fd[i]);
	}
	atomic_store(&site.hold, false);
	site.server = NULL;
	site_close(&site); /* waits for the worker */
	assert_int_equal(atomic_load(&site.handled), 1); /* what was only queued was never begun */
}

static void *keep_asking(void *arg)
{
	struct site *site = arg;
	for (;;) {
		int fd = dial_try(site);
		if (fd < 0)
			return NULL;
		for (bool more = true; more;) {
			struct reply r;
			more = put(fd, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
			get_reply(fd, &r);
			more = more && r.status == 200;
			reply_free(&r);
		}
		close(fd);
	}
}

/* New requests and new connections while it stops, over and over: nothing may be left suspended. */
static void stopping_under_load(void **state)
{
	for (int round = 0; round < 15; round++) {
		struct site site = {0};
		pthread_t t[4];
		site_open(&site);
		uint16_t port = http_port(site.server);
		assert_int_not_equal(port, 0);
		struct http_server *server = site.server;
		atomic_fetch_add(&server->refs, 1); /* the clients ask it for its port until the end */
		for (size_t i = 0; i < 4; i++)
			assert_int_equal(pthread_create(&t[i], NULL, keep_asking, &site), 0);
		usleep((useconds_t)(5000 + round * 1000));
		http_stop(server, round % 2 == 0 ? 5 : 0);
		for (size_t i = 0; i < 4; i++)
			pthread_join(t[i], NULL);
		server_unref(server);
		site.server = NULL;
		site_close(&site);
	}
}

static void the_port_is_free_again(void **state)
{
	struct site site = {0}, next = {0};
	site_open(&site);
	struct http_options o = {.port = http_port(site.server)};
	int fd = dial(&site);
	put(fd, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
	expect_body(fd, 200, "GET /x ?  # 0 ");
	site_close(&site);
	site_open_with(&next, o, SITE_TUNING, 1, 10);
	assert_int_equal(http_port(next.server), o.port);
	close(fd);
	site_close(&next);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_under_way_finish),
		cmocka_unit_test(idle_connections_do_not_hold_it_up),
		cmocka_unit_test(overdue_requests_are_cut),
		cmocka_unit_test(stopping_under_load),
		cmocka_unit_test(the_port_is_free_again),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
