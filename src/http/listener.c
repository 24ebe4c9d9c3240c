/* SPDX-License-Identifier: Apache-2.0
 *
 * A listener: its socket, its accepting thread and its I/O threads (one daemon of the library each), from
 * http_listen to http_stop.  What http_stop promises: nothing new is accepted, requests under way get their time, and
 * after it returns no connection is open and the library has no thread left.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "http/server.h"

enum {
	IO_THREADS = 2,
	/* A header of LIMIT_HEADER_BYTES, the library's table of its lines, and room for the answer's header. */
	CONN_MEMORY = LIMIT_HEADER_BYTES + 8 * KIB,
	OPTIONS_MAX = 16,
	/* Bodies arrive before anyone is authenticated: without this, one host's connections could hold gigabytes. */
	BODIES_MAX = 256 * MIB,
};

enum err server_fail(char **detail, enum err e, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	if (detail != NULL && vasprintf(detail, fmt, ap) < 0)
		*detail = NULL;
	va_end(ap);
	return e;
}

void server_unref(struct http_server *s)
{
	if (atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	tls_identity_unref(s->identity);
	if (s->wake_fd >= 0)
		close(s->wake_fd);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s->proxies);
	free(s->socket_path);
	free(s);
}

static enum err read_proxies(struct http_server *s, const char *const *list, char **detail)
{
	size_t n = 0;
	while (list != NULL && list[n] != NULL)
		n++;
	if (n == 0)
		return OK;
	s->proxies = calloc(n, sizeof *s->proxies);
	check(s->proxies != NULL);
	for (size_t i = 0; i < n; i++)
		if (!network_parse(list[i], &s->proxies[i]))
			return server_fail(detail, ERR_CONFIG, "%s is no address or network of a proxy", list[i]);
	s->proxy_count = n;
	return OK;
}

static void *object_of(void (*fn)(void))
{
	void *p;
	_Static_assert(sizeof fn == sizeof p, "function pointers travel through the option table as objects");
	memcpy(&p, &fn, sizeof p);
	return p;
}
#define FN(f) ((intptr_t)object_of((void (*)(void))(f)))

static struct MHD_Daemon *start_io(struct http_server *s, const struct http_options *o)
{
	struct MHD_OptionItem opt[OPTIONS_MAX];
	size_t n = 0;
	intptr_t idle_seconds = (intptr_t)((s->tuning.idle_us + SECOND_US - 1) / SECOND_US);
	/* With epoll the library (0.9.75) takes a connection for readable until its handshake is over: one half a
	 * ClientHello and a thread spins until the deadline.  poll() costs about 0.1 us per open connection and turn. */
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC
		| MHD_USE_NO_LISTEN_SOCKET | (s->secure ? MHD_USE_POLL | MHD_USE_TLS : MHD_USE_EPOLL);
	opt[n++] = (struct MHD_OptionItem){MHD_OPTION_NOTIFY_CONNECTION, FN(conn_notify), s};
	opt[n++] = (struct MHD_OptionItem){MHD_OPTION_URI_LOG_CALLBACK, FN(request_begin), s};
	opt[n++] = (struct MHD_OptionItem){MHD_OPTION_NOTIFY_COMPLETED, FN(request_end), s};
	opt[n++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_LIMIT, s->tuning.connections + 1, NULL};
	opt[n++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_TIMEOUT, idle_seconds, NULL};
	opt[n++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONN_MEMORY, NULL};
	opt[n++] = (struct MHD_OptionItem){MHD_OPTION_THREAD_STACK_SIZE, (intptr_t)workers_stack_bytes(), NULL};
	if (s->secure) {
		opt[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES};
		opt[n++] = tls_certificate_option();
	}
	if (s->secure && o->client_ca_pem != NULL)
		opt[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0, (void *)(uintptr_t)o->client_ca_pem};
	opt[n++] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
	return MHD_start_daemon(flags, 0, NULL, NULL, request_continue, s, MHD_OPTION_ARRAY, opt, MHD_OPTION_END);
}

static enum err start_threads(struct http_server *s, const struct http_options *o, char **detail)
{
	unsigned want = o->io_threads > 0 ? (unsigned)o->io_threads : s->local ? 1 : IO_THREADS;
	sigset_t before;
	workers_block_signals(&before); /* the library's threads inherit it */
	while (s->io_count < want && s->io_count < IO_THREADS_MAX && (s->io[s->io_count] = start_io(s, o)) != NULL)
		s->io_count++;
	check(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	if (s->io_count == 0 || !acceptor_start(s))
		return server_fail(detail, ERR_CONFIG, "cannot start the threads of the listener%s",
			o->client_ca_pem != NULL ? " (is the client CA a PEM certificate?)" : "");
	return OK;
}

static enum err open_listener(struct http_server *s, const struct http_options *o, char **detail)
{
	TRY(read_proxies(s, o->proxies, detail));
	if (s->secure)
		TRY(tls_identity_new(o->cert_pem, o->key_pem, &s->identity, detail));
	if (!s->local) {
		TRY(socket_listen_tcp(o->address, o->port, &s->listen_fd, &s->port, detail));
	} else {
		TRY(socket_listen_local(o->socket_path, &s->listen_fd, detail));
		s->socket_path = strdup(o->socket_path);
		check(s->socket_path != NULL);
	}
	return start_threads(s, o, detail);
}

static struct http_server *server_new(const struct http_options *o, const struct http_tuning *t, struct http_workers *w)
{
	struct http_server *s = calloc(1, sizeof *s);
	check(s != NULL && o->handler.handle != NULL && o->handler.body_limit != NULL && o->handler.refuse != NULL);
	atomic_init(&s->refs, 1);
	check(pthread_mutex_init(&s->lock, NULL) == 0 && pthread_cond_init(&s->changed, NULL) == 0);
	s->handler = o->handler;
	s->workers = w;
	s->tuning = *t;
	s->local = o->socket_path != NULL;
	s->secure = !s->local && o->cert_pem != NULL;
	s->listen_fd = s->wake_fd = -1;
	return s;
}

enum err http_listen_tuned(const struct http_options *o, const struct http_tuning *t, struct http_workers *w,
	struct http_server **ret, char **detail)
{
	struct http_server *s = server_new(o, t, w);
	enum err e = (o->address == NULL) == (o->socket_path == NULL)
		? server_fail(detail, ERR_CONFIG, "a listener has an address or a socket path")
		: open_listener(s, o, detail);
	if (e != OK) {
		http_stop(s, 0);
		return e;
	}
	*ret = s;
	return OK;
}

enum err http_listen(const struct http_options *o, struct http_workers *w, struct http_server **ret, char **detail)
{
	const struct http_tuning t = {.request_us = LIMIT_REQUEST_SECONDS * SECOND_US,
		.answer_us = LIMIT_ANSWER_SECONDS * SECOND_US, .answer_bytes = LIMIT_ANSWER_BYTES,
		.idle_us = LIMIT_IDLE_SECONDS * SECOND_US, .connections = LIMIT_CONNECTIONS,
		.connections_per_ip = LIMIT_CONNECTIONS_PER_IP, .bodies = BODIES_MAX};
	return http_listen_tuned(o, &t, w, ret, detail);
}

uint16_t http_port(const struct http_server *s)
{
	return s->port;
}

void http_stats(const struct http_server *s, struct http_stats *ret)
{
	ret->connections_open = atomic_load(&s->count.open);
	ret->connections_total = atomic_load(&s->count.total);
	ret->requests = atomic_load(&s->count.requests);
	ret->refused = atomic_load(&s->count.refused);
	ret->cut = atomic_load(&s->count.cut);
}

static void wait_for_requests(struct http_server *s, unsigned seconds)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += seconds;
	pthread_mutex_lock(&s->lock);
	while (s->under_way > 0)
		if (pthread_cond_clockwait(&s->changed, &s->lock, CLOCK_MONOTONIC, &until) != 0)
			break;
	/* From here on nothing is suspended, so that the library can be stopped. */
	atomic_store(&s->stopping, true);
	request_abandon_all(s);
	pthread_mutex_unlock(&s->lock);
}

void http_stop(struct http_server *s, unsigned seconds)
{
	if (s == NULL)
		return;
	atomic_store(&s->draining, true);
	if (s->socket_path != NULL)
		unlink(s->socket_path);
	acceptor_stop(s);
	request_release_held(s, INT64_MAX);
	wait_for_requests(s, seconds);
	for (unsigned i = 0; i < s->io_count; i++)
		MHD_stop_daemon(s->io[i]);
	server_unref(s);
}
