/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection's life.  The library tells when one begins and ends; in between this file knows its peer and its
 * deadline.
 *
 * Deadlines: the library's own timeout is one of inactivity, so a client that sends one byte now and then would stay
 * for ever. A connection therefore has to finish its first request within `request` of its beginning, every later one
 * within `request` of its first line, and may not exist longer than `idle` and `request` together without one.  While a
 * worker has the request there is no deadline.  While the answer is written its reader must take answer_bytes in each
 * `answer` (the kernel counts what the peer acknowledged), unless it has taken all there is: else a client that reads a
 * byte now and then would hold an answer's memory for ever.  Where none is taken at all the library's timeout holds, too.
 */
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/ioctl.h>
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

/* Bytes that the peer has acknowledged so far; *ret_waits: more wait for it.  False where the socket does not say (a local one). */
static bool progress(int fd, uint64_t *ret, bool *ret_waits)
{
	struct tcp_info info;
	socklen_t n = sizeof info;
	int queued = 0;
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) != 0 || ioctl(fd, SIOCOUTQ, &queued) != 0)
		return false;
	*ret = info.tcpi_bytes_acked;
	*ret_waits = queued > 0;
	return true;
}

void conn_answering(struct conn *conn)
{
	struct http_server *s = conn->server;
	uint64_t taken = 0;
	bool waits;
	if (s->tuning.answer_us == 0 || !progress(conn->fd, &taken, &waits))
		return;
	pthread_mutex_lock(&s->lock);
	conn->looked_at = clock_monotonic();
	conn->taken = taken;
	pthread_mutex_unlock(&s->lock);
}

/* An answer is under way and its reader took too little of it. */
static bool reads_too_slowly(const struct http_tuning *t, struct conn *c, int64_t now)
{
	uint64_t taken;
	bool waits;
	if (c->looked_at == 0 || now - c->looked_at < t->answer_us || !progress(c->fd, &taken, &waits))
		return false;
	bool slow = waits && taken - c->taken < t->answer_bytes;
	c->looked_at = now;
	c->taken = taken;
	return slow;
}

/* The library closes the descriptor only after conn_end(), which waits for the lock: it cannot be another's by now. */
void conn_cut_overdue(struct http_server *s, int64_t now)
{
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < CONN_BUCKETS; i++)
		for (struct conn *c = s->conns[i]; c != NULL; c = c->next)
			if ((c->deadline != 0 && c->deadline < now) || reads_too_slowly(&s->tuning, c, now)) {
				c->deadline = c->looked_at = 0; /* once is enough */
				atomic_fetch_add(&s->count.cut, 1);
				shutdown(c->fd, SHUT_RDWR);
			}
	pthread_mutex_unlock(&s->lock);
}
