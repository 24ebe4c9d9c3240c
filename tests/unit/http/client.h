/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of http/ share: a listener with a handler whose answers tell what it saw, and a client of plain
 * sockets that sends exactly the bytes it is given.  Every wait has an end (WAIT_MS), so that a missing answer fails a
 * test instead of hanging it.
 */
#ifndef TESTS_HTTP_CLIENT_H
#define TESTS_HTTP_CLIENT_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/limits.h"
#include "http/server.h"

enum { WAIT_MS = 10000, BODY_MAX = 64 * 1024, PIECE = 10000, PIECES = 50 };

struct site {
	struct http_workers *workers;
	struct http_server *server;
	atomic_uint handled, streams_ended;
	atomic_bool hold; /* /hold does not return while this is set */
};

static size_t site_body_limit(void *ctx, const char *method, const char *path)
{
	return strcmp(path, "/none") == 0 ? 0 : BODY_MAX;
}

struct pieces {
	struct site *site;
	unsigned given, fail_at;
	char piece[PIECE];
};

static bool pieces_next(void *arg, const void **ret, size_t *ret_n)
{
	struct pieces *p = arg;
	if (p->fail_at != 0 && p->given == p->fail_at)
		return false;
	*ret_n = p->given < PIECES ? PIECE : 0;
	*ret = memset(p->piece, 'a' + (int)(p->given % 26), PIECE);
	p->given++;
	return true;
}

static void pieces_end(void *arg)
{
	struct pieces *p = arg;
	atomic_fetch_add(&p->site->streams_ended, 1);
}

static void site_stream(struct site *site, struct http_request *q, struct http_response *r)
{
	struct pieces *p = arena_alloc(q->arena, sizeof *p); /* the arena outlives the stream */
	p->site = site;
	p->fail_at = strcmp(q->path, "/stream/broken") == 0 ? 3 : 0;
	r->stream = pieces_next;
	r->stream_end = pieces_end;
	r->stream_arg = p;
	r->stream_length = strcmp(q->path, "/stream/known") == 0 ? (int64_t)PIECE * PIECES : -1;
}

static void site_handle(void *ctx, struct http_request *q, struct http_response *r)
{
	struct site *site = ctx;
	atomic_fetch_add(&site->handled, 1);
	r->status = 200;
	if (strncmp(q->path, "/stream/", 8) == 0) {
		site_stream(site, q, r);
	} else if (strcmp(q->path, "/nothing") == 0) {
		r->status = 204;
	} else if (strcmp(q->path, "/unfilled") == 0) {
		r->status = 0;
	} else if (strcmp(q->path, "/sleep") == 0) {
		usleep(300 * 1000);
		buf_adds(&r->body, "slept");
	} else if (strcmp(q->path, "/hold") == 0) {
		while (atomic_load(&site->hold))
			usleep(1000);
		buf_adds(&r->body, "held");
	} else if (strcmp(q->path, "/large") == 0) {
		for (int i = 0; i < 256; i++)
			buf_add(&r->body, (char[64 * 1024]){0}, 64 * 1024);
	} else if (strcmp(q->path, "/ip") == 0) {
		buf_adds(&r->body, q->client_ip);
	} else if (strcmp(q->path, "/cert") == 0) {
		buf_add(&r->body, q->client_cert, q->client_cert_len);
	} else if (strcmp(q->path, "/headers") == 0) {
		http_response_header(r, "X-One", "1");
		http_response_header(r, "X-Split", "a\r\nX-Injected: b");
		http_response_header(r, "Content-Length", "7");
		http_response_header(r, "Cache-Control", "max-age=5");
		r->content_type = "text/plain";
		const char *got = http_header(q, "x-qUESTION");
		buf_adds(&r->body, got != NULL ? got : "(none)");
		buf_adds(&r->body, http_header(q, "X-Absent") != NULL ? "|absent" : "|");
	} else {
		buf_printf(&r->body, "%s %s ? %s # %zu ", q->method, q->path, q->query, q->body_len);
		buf_add(&r->body, q->body, q->body_len);
	}
}

static void site_refuse(void *ctx, int status, const char *reason, const char *peer, const char *path, struct http_response *r)
{
	buf_printf(&r->body, "refused %d: %s", status, reason);
}

static const struct http_tuning SITE_TUNING = {.request_us = 30 * SECOND_US, .idle_us = 60 * SECOND_US,
	.connections = 1000, .connections_per_ip = 1000, .bodies = 100 * MIB};

static struct http_handler site_handler(struct site *site)
{
	return (struct http_handler){.ctx = site, .body_limit = site_body_limit, .handle = site_handle,
		.refuse = site_refuse};
}

__attribute__((unused)) static void site_open_with(struct site *site, struct http_options o, struct http_tuning t,
	int threads, size_t queue)
{
	char *detail = NULL;
	atomic_store(&site->handled, 0);
	atomic_store(&site->streams_ended, 0);
	atomic_store(&site->hold, true);
	site->workers = workers_new(threads, queue);
	o.handler = site_handler(site);
	if (o.address == NULL && o.socket_path == NULL)
		o.address = "127.0.0.1";
	if (http_listen_tuned(&o, &t, site->workers, &site->server, &detail) != OK)
		fail_msg("listen: %s", detail);
}

__attribute__((unused)) static void site_open(struct site *site)
{
	site_open_with(site, (struct http_options){0}, SITE_TUNING, 4, 100);
}

__attribute__((unused)) static void site_close(struct site *site)
{
	atomic_store(&site->hold, false);
	if (site->server != NULL)
		http_stop(site->server, 5);
	http_workers_free(site->workers);
	site->server = NULL;
	site->workers = NULL;
}

__attribute__((unused)) static int dial_try(const struct site *site)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(http_port(site->server)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

__attribute__((unused)) static int dial(const struct site *site)
{
	int fd = dial_try(site);
	assert_true(fd >= 0);
	return fd;
}

__attribute__((unused)) static bool put_bytes(int fd, const void *p, size_t n)
{
	for (const char *c = p; n > 0;) {
		ssize_t k = send(fd, c, n, MSG_NOSIGNAL);
		if (k <= 0)
			return false;
		c += k;
		n -= (size_t)k;
	}
	return true;
}

__attribute__((unused)) static bool put(int fd, const char *text)
{
	return put_bytes(fd, text, strlen(text));
}

/* A byte, or -1 at the end, on an error, or when nothing came for WAIT_MS. */
static int get_byte(int fd)
{
	unsigned char c;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	if (poll(&p, 1, WAIT_MS) <= 0)
		return -1;
	return recv(fd, &c, 1, 0) == 1 ? c : -1;
}

/* True where the other side closed without another byte. */
__attribute__((unused)) static bool is_closed(int fd)
{
	unsigned char c;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	if (poll(&p, 1, WAIT_MS) <= 0)
		return false;
	ssize_t n = recv(fd, &c, 1, 0);
	return n == 0 || (n < 0 && errno == ECONNRESET);
}

/* All bytes until the other side closes; "" where it does not.  The caller frees. */
__attribute__((unused)) static char *get_all(int fd)
{
	char *all = calloc(1, 1);
	size_t n = 0;
	while (all != NULL) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t k = -1;
		char buf[4096];
		if (poll(&p, 1, WAIT_MS) <= 0 || (k = recv(fd, buf, sizeof buf, 0)) <= 0) {
			all[k == 0 ? n : 0] = '\0';
			break;
		}
		all = realloc(all, n + (size_t)k + 1);
		assert_non_null(all);
		memcpy(all + n, buf, (size_t)k);
		n += (size_t)k;
	}
	return all;
}

struct reply {
	int status; /* 0: none came */
	char head[8192];
	char *body;
	size_t body_len;
	bool whole; /* as long as it said */
};

__attribute__((unused)) static void reply_free(struct reply *r)
{
	free(r->body);
	r->body = NULL;
}

/* The value of a header of the answer; NULL. */
__attribute__((unused)) static const char *reply_header(const struct reply *r, const char *name)
{
	static _Thread_local char value[1024];
	for (const char *p = strstr(r->head, "\r\n"); p != NULL && p[2] != '\0'; p = strstr(p, "\r\n")) {
		p += 2;
		if (strncasecmp(p, name, strlen(name)) != 0 || p[strlen(name)] != ':')
			continue;
		p += strlen(name) + 1;
		p += strspn(p, " ");
		snprintf(value, sizeof value, "%.*s", (int)strcspn(p, "\r"), p);
		return value;
	}
	return NULL;
}

static bool get_exactly(int (*get)(void *), void *from, struct reply *r, size_t n)
{
	r->body = realloc(r->body, r->body_len + n + 1);
	assert_non_null(r->body);
	for (size_t i = 0; i < n; i++) {
		int c = get(from);
		r->body[r->body_len] = '\0';
		if (c < 0)
			return false;
		r->body[r->body_len++] = (char)c;
	}
	r->body[r->body_len] = '\0';
	return true;
}

static bool get_line(int (*get)(void *), void *from, char *line, size_t max)
{
	size_t n = 0;
	for (int c = get(from); c >= 0 && n + 1 < max; c = get(from)) {
		if (c == '\n') {
			line[n > 0 ? n - 1 : 0] = '\0';
			return true;
		}
		line[n++] = (char)c;
	}
	return false;
}

static bool get_chunked(int (*get)(void *), void *from, struct reply *r)
{
	char line[64];
	while (get_line(get, from, line, sizeof line)) {
		size_t n = strtoul(line, NULL, 16);
		if (!get_exactly(get, from, r, n) || !get_line(get, from, line, sizeof line))
			return false;
		if (n == 0)
			return true;
	}
	return false;
}

/* Reads one answer from any source of bytes. */
__attribute__((unused)) static void get_reply_from(int (*get)(void *), void *from, struct reply *r, bool head_only)
{
	size_t n = 0;
	memset(r, 0, sizeof *r);
	for (int c = get(from); c >= 0; c = get(from)) {
		assert_true(n + 1 < sizeof r->head);
		r->head[n++] = (char)c;
		if (n >= 4 && memcmp(r->head + n - 4, "\r\n\r\n", 4) == 0)
			break;
	}
	if (sscanf(r->head, "HTTP/1.%*d %d", &r->status) != 1)
		r->status = 0;
	const char *encoding = reply_header(r, "Transfer-Encoding");
	if (encoding != NULL && strcmp(encoding, "chunked") == 0 && !head_only) {
		r->whole = get_chunked(get, from, r);
		return;
	}
	const char *length = reply_header(r, "Content-Length");
	r->whole = head_only || get_exactly(get, from, r, length != NULL ? strtoul(length, NULL, 10) : 0);
}

static int get_from_fd(void *from)
{
	return get_byte(*(int *)from);
}

__attribute__((unused)) static void get_reply(int fd, struct reply *r)
{
	get_reply_from(get_from_fd, &fd, r, false);
}

__attribute__((unused)) static void expect_body(int fd, int status, const char *body)
{
	struct reply r;
	get_reply(fd, &r);
	assert_int_equal(r.status, status);
	assert_true(r.whole);
	assert_string_equal(r.body, body);
	reply_free(&r);
}

#endif
