/* SPDX-License-Identifier: Apache-2.0
 *
 * The accepting thread of a listener.  We accept ourselves and hand the connections to the library's I/O threads in
 * turn, because its own way to stop accepting (MHD_quiesce_daemon) removes the listening socket from the I/O threads'
 * epoll sets behind their backs and aborts the process where one of them was faster.  The same thread looks once a
 * second for connections past their deadline, and sees lingering ones off (linger.c).
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/server.h"

enum { TICK_MS = 1000, TICK_SHORT_MS = 50, NO_DESCRIPTORS_MS = 100, BATCH = 64 };

struct handed {
	unsigned next; /* I/O thread */
	uint64_t total;
};

/* False where the kernel has no descriptor or memory for another: wait before the next try. */
static bool accept_batch(struct http_server *s, struct handed *handed)
{
	for (int i = 0; i < BATCH; i++) {
		struct sockaddr_storage ss = {0};
		socklen_t n = sizeof ss;
		int fd = accept4(s->listen_fd, (struct sockaddr *)&ss, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM;
		/* On failure the library has closed it. */
		if (MHD_add_connection(s->io[handed->next], fd, (struct sockaddr *)&ss, n) == MHD_YES)
			handed->total++;
		handed->next = (handed->next + 1) % s->io_count;
	}
	return true;
}

/* No connection, no deadline: an idle server does not wake.  What was handed over is counted a moment later. */
static int next_tick(struct http_server *s, const struct handed *handed, size_t lingering)
{
	if (lingering == 0 && atomic_load(&s->count.total) == handed->total && atomic_load(&s->count.open) == 0)
		return -1;
	return s->tuning.request_us < 2 * SECOND_US ? TICK_SHORT_MS : TICK_MS;
}

static void *accept_loop(void *arg)
{
	struct http_server *s = arg;
	struct pollfd fds[2 + LINGER_MAX] = {{.fd = s->wake_fd, .events = POLLIN},
		{.fd = s->listen_fd, .events = POLLIN}};
	struct handed handed = {0};
	bool resting = false;
	while (!atomic_load(&s->acceptor_ends)) {
		uint64_t wakes;
		size_t lingering = linger_poll(s, fds + 2);
		fds[1].events = resting ? 0 : POLLIN;
		poll(fds, 2 + lingering, resting ? NO_DESCRIPTORS_MS : next_tick(s, &handed, lingering));
		if (read(s->wake_fd, &wakes, sizeof wakes) < 0)
			wakes = 0; /* nothing to do: it was another descriptor */
		resting = (fds[1].revents & POLLIN) != 0 && !accept_batch(s, &handed);
		linger_turn(s, fds + 2, lingering, clock_monotonic());
		conn_cut_overdue(s, clock_monotonic());
		request_release_held(s, clock_monotonic());
	}
	return NULL;
}

bool acceptor_start(struct http_server *s)
{
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->acceptor_runs = s->wake_fd >= 0 && workers_thread_start(&s->acceptor, accept_loop, s);
	return s->acceptor_runs;
}

void acceptor_wake(struct http_server *s)
{
	const uint64_t one = 1;
	check(write(s->wake_fd, &one, sizeof one) == sizeof one);
}

void acceptor_stop(struct http_server *s)
{
	if (s->acceptor_runs) {
		atomic_store(&s->acceptor_ends, true);
		acceptor_wake(s);
		check(pthread_join(s->acceptor, NULL) == 0);
		s->acceptor_runs = false;
	}
	linger_close_all(s);
	if (s->listen_fd >= 0)
		close(s->listen_fd);
	s->listen_fd = -1;
}
