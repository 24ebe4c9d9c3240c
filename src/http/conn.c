/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection's life.  The library tells when one begins and ends; in between this file knows its peer and its
 * deadline.
 *
 * Deadlines: the library's own timeout is one of inactivity, so a client that sends one byte now and then would stay
 * for ever. A connection therefore has to finish its first request within `request` of its beginning, every later one
 * within `request` of its first line, and may not exist longer than `idle` and `request` together without one.  While a
 * worker has the request there is no deadline; while the answer is written the library's timeout holds.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/server.h"

static unsigned bucket_of(const struct address *a)
{
	unsigned h = 0;
	for (size_t i = 0; i < sizeof a->b; i++)
		h = h * 31 + a->b[i];
	return h % CONN_BUCKETS;
}

struct conn *conn_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info == NULL ? NULL : info->socket_context;
}

static bool same_user(int fd)
{
	struct ucred peer;
	socklen_t n = sizeof peer;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 && (peer.uid == geteuid() || peer.uid == 0);
}

/* Behind a proxy all connections come from few addresses, so the limit per address would hit everyone. */
static bool over_limit(const struct http_server *s, const struct conn *conn)
{
	if (atomic_load(&s->count.open) >= s->tuning.connections)
		return true;
	if (s->local || s->proxy_count > 0)
		return false;
	unsigned same = 0;
	for (const struct conn *c = s->conns[bucket_of(&conn->peer)]; c != NULL; c = c->next)
		same += address_equal(&c->peer, &conn->peer);
	return same >= s->tuning.connections_per_ip;
}

static void conn_link(struct http_server *s, struct conn *conn)
{
	struct conn **head = &s->conns[bucket_of(&conn->peer)];
	conn->next = *head;
	if (conn->next != NULL)
		conn->next->prev = conn;
	*head = conn;
}

static void conn_unlink(struct http_server *s, struct conn *conn)
{
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
	if (conn->prev != NULL)
		conn->prev->next = conn->next;
	else
		s->conns[bucket_of(&conn->peer)] = conn->next;
}

static struct conn *conn_begin(struct http_server *s, struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *fd = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	const union MHD_ConnectionInfo *peer = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct conn *conn = fd == NULL || peer == NULL ? NULL : calloc(1, sizeof *conn);
	if (conn == NULL)
		return NULL;
	conn->server = s;
	conn->fd = fd->connect_fd;
	bool known = s->local ? same_user(conn->fd) : address_of(peer->client_addr, &conn->peer);
	pthread_mutex_lock(&s->lock);
	conn->refused = !known || over_limit(s, conn);
	conn->deadline = clock_monotonic() + s->tuning.request_us;
	conn_link(s, conn);
	pthread_mutex_unlock(&s->lock);
	if (conn->refused) {
		atomic_fetch_add(&s->count.refused, 1);
		shutdown(conn->fd, SHUT_RDWR); /* the library sees the end and closes it */
	}
	return conn;
}

static void conn_end(struct http_server *s, struct conn *conn)
{
	pthread_mutex_lock(&s->lock);
	conn_unlink(s, conn);
	pthread_mutex_unlock(&s->lock);
	if (conn->linger)
		linger_add(s, conn->fd);
	tls_identity_unref(conn->identity);
	free(conn);
}

void conn_notify(void *cls, struct MHD_Connection *c, void **context, enum MHD_ConnectionNotificationCode code)
{
	struct http_server *s = cls;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = conn_begin(s, c);
		atomic_fetch_add(&s->count.open, 1);
		atomic_fetch_add(&s->count.total, 1);
	} else {
		if (*context != NULL)
			conn_end(s, *context);
		*context = NULL;
		atomic_fetch_sub(&s->count.open, 1);
	}
}

/* The library closes the descriptor only after conn_end(), which waits for the lock: it cannot be another's by now. */
void conn_cut_overdue(struct http_server *s, int64_t now)
{
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < CONN_BUCKETS; i++)
		for (struct conn *c = s->conns[i]; c != NULL; c = c->next)
			if (c->deadline != 0 && c->deadline < now) {
				c->deadline = 0; /* once is enough */
				shutdown(c->fd, SHUT_RDWR);
			}
	pthread_mutex_unlock(&s->lock);
}
