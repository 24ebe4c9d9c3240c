/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections that were refused before their body was read.  Closing such a socket at once makes the kernel answer the
 * bytes that still arrive with a reset, and a reset takes the refusal away from the client before it has read it.  So a
 * second descriptor keeps the socket for a moment, and the accepting thread throws away what comes until the client
 * closes or LINGER_US are over.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/server.h"

enum { DISCARD_BYTES = 16 * 1024, DISCARDS = 16 };
#define LINGER_US (2 * SECOND_US)

void linger_add(struct http_server *s, int fd)
{
	struct lingering *l = &s->linger;
	pthread_mutex_lock(&s->lock);
	int copy = s->draining || l->count == LINGER_MAX ? -1 : dup(fd);
	if (copy >= 0) {
		shutdown(copy, SHUT_WR);
		l->fd[l->count] = copy;
		l->until[l->count++] = clock_monotonic() + LINGER_US;
	}
	pthread_mutex_unlock(&s->lock);
	if (copy >= 0)
		acceptor_wake(s);
}

size_t linger_poll(struct http_server *s, struct pollfd *out)
{
	pthread_mutex_lock(&s->lock);
	size_t n = s->linger.count;
	for (size_t i = 0; i < n; i++)
		out[i] = (struct pollfd){.fd = s->linger.fd[i], .events = POLLIN};
	pthread_mutex_unlock(&s->lock);
	return n;
}

/* False at the end of what the client has to say. */
static bool discard(int fd)
{
	char waste[DISCARD_BYTES];
	for (int i = 0; i < DISCARDS; i++) {
		ssize_t n = recv(fd, waste, sizeof waste, MSG_DONTWAIT);
		if (n == 0)
			return false;
		if (n < 0)
			return true;
	}
	return true;
}

void linger_turn(struct http_server *s, const struct pollfd *polled, size_t n, int64_t now)
{
	struct lingering *l = &s->linger;
	pthread_mutex_lock(&s->lock);
	for (size_t i = n; i > 0; i--) { /* backwards: the last one fills the gap */
		bool over = l->until[i - 1] < now || (polled[i - 1].revents & (POLLERR | POLLNVAL)) != 0;
		if (!over && (polled[i - 1].revents & (POLLIN | POLLHUP)) != 0)
			over = !discard(l->fd[i - 1]);
		if (!over)
			continue;
		close(l->fd[i - 1]);
		l->count--;
		l->fd[i - 1] = l->fd[l->count];
		l->until[i - 1] = l->until[l->count];
	}
	pthread_mutex_unlock(&s->lock);
}

void linger_close_all(struct http_server *s)
{
	pthread_mutex_lock(&s->lock);
	while (s->linger.count > 0)
		close(s->linger.fd[--s->linger.count]);
	pthread_mutex_unlock(&s->lock);
}
