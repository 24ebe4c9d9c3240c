/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of http/ share: a listener, its connections and its jobs (one job per request).
 *
 *   listener.c  starts and stops: options, the I/O daemons, draining
 *   accept.c    one thread per listener: accepts, and cuts connections that are past their deadline
 *   linger.c    keeps refused connections open until the client has read why
 *   conn.c      a connection's life as the library reports it: who it is, limits, deadlines
 *   request.c   a request's life: header, body, to a worker and back
 *   response.c  struct http_response to the library's response
 *   tls.c       certificates
 *
 * Threads: the library's I/O threads call conn.c and request.c; a worker runs the handler while its connection is
 * suspended. `lock` guards everything that says so.  It may be held while the library is called to suspend or resume;
 * the library holds no lock of its own while it calls us.
 */
#ifndef REEVE_HTTP_SERVER_H
#define REEVE_HTTP_SERVER_H

#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "http/address.h"
#include "http/http.h"
#include "http/workers.h"

enum { CONN_BUCKETS = 256, IO_THREADS_MAX = 16, LINGER_MAX = 64 };

/* What tests make smaller; everyone else takes the limits of base/limits.h. */
struct http_tuning {
	int64_t request_us, idle_us, answer_us; /* answer_us 0: answers may be read as slowly as one likes */
	unsigned connections, connections_per_ip;
	unsigned answer_bytes; /* that are taken in each answer_us */
	size_t bodies; /* bytes of all request bodies that are held at one time */
};

struct conn {
	struct conn *prev, *next; /* in its bucket; lock */
	struct http_server *server;
	int fd;
	struct address peer;
	bool refused; /* over a limit, or a local peer of another user */
	bool linger;  /* answered before its body was read */
	int64_t deadline; /* monotonic: when it is cut; 0: not while a worker has it; lock */
	int64_t looked_at; /* monotonic: when `taken` was read, while an answer is written; 0: there is none; lock */
	uint64_t taken;    /* bytes that the peer has acknowledged until then; lock */
	struct tls_identity *identity; /* the certificate of its handshake */
};

struct lingering {
	size_t count;
	int fd[LINGER_MAX];
	int64_t until[LINGER_MAX];
};

struct http_server {
	atomic_uint refs; /* the listener's own and one per job: an overdue job outlives http_stop */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct http_handler handler;
	struct http_workers *workers;
	struct http_tuning tuning;
	bool local, secure;
	char *socket_path;
	uint16_t port;
	struct network *proxies;
	size_t proxy_count;

	int listen_fd, wake_fd;
	pthread_t acceptor;
	bool acceptor_runs;
	atomic_bool acceptor_ends;
	struct lingering linger; /* lock; only the acceptor takes out */
	struct MHD_Daemon *io[IO_THREADS_MAX];
	unsigned io_count;

	struct tls_identity *identity; /* what new connections get; lock */
	struct conn *conns[CONN_BUCKETS]; /* by peer; lock */
	struct job *waiting; /* suspended, at a worker or in its queue; lock */
	size_t under_way;    /* requests between their first line and their answer's last byte; lock */
	atomic_bool draining; /* answers say Connection: close */
	atomic_bool stopping; /* nothing may be suspended any more; changes under the lock */
	struct {
		atomic_uint_fast64_t open, total, requests, refused, cut;
		atomic_size_t bodies;
	} count;
};

MUST_CHECK enum err http_listen_tuned(const struct http_options *o, const struct http_tuning *t, struct http_workers *w,
	struct http_server **ret, char **detail);
void server_unref(struct http_server *s);
enum err server_fail(char **detail, enum err e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* socket.c */
MUST_CHECK enum err socket_listen_tcp(const char *address, uint16_t port, int *ret_fd, uint16_t *ret_port,
	char **detail);
MUST_CHECK enum err socket_listen_local(const char *path, int *ret_fd, char **detail);

/* accept.c */
bool acceptor_start(struct http_server *s);
void acceptor_stop(struct http_server *s); /* also closes the listening socket */
void acceptor_wake(struct http_server *s);

/* linger.c */
void linger_add(struct http_server *s, int fd); /* keeps a copy of the descriptor */
size_t linger_poll(struct http_server *s, struct pollfd *out); /* out: LINGER_MAX places */
void linger_turn(struct http_server *s, const struct pollfd *polled, size_t n, int64_t now);
void linger_close_all(struct http_server *s);

/* conn.c */
void conn_notify(void *cls, struct MHD_Connection *c, void **context, enum MHD_ConnectionNotificationCode code);
struct conn *conn_of(struct MHD_Connection *c); /* NULL where there was no memory for it */
void conn_cut_overdue(struct http_server *s, int64_t now); /* takes the lock */
void conn_answering(struct conn *conn); /* from now on it has to take its answer; takes the lock */

/* request.c */
void *request_begin(void *cls, const char *uri, struct MHD_Connection *c);
enum MHD_Result request_continue(void *cls, struct MHD_Connection *c, const char *url, const char *method,
	const char *version, const char *data, size_t *data_len, void **context);
void request_end(void *cls, struct MHD_Connection *c, void **context, enum MHD_RequestTerminationCode code);
void request_abandon_all(struct http_server *s); /* with the lock held */
/* Lets go of answers that were held back until now. */
void request_release_held(struct http_server *s, int64_t now);

struct header_table {
	size_t count;
	struct http_field line[];
};

/* response.c */
struct response_context {
	struct arena *arena;
	bool secure, close;
	void (*release)(void *held); /* called once, when a streamed body is over or was never begun */
	void *held;
};
void response_init(struct http_response *r, struct arena *a);
/* Takes the body (and the stream) out of r.  NULL where memory is short. */
struct MHD_Response *response_build(struct http_response *r, const struct response_context *ctx);
/* Frees what a handler put in, without sending it. */
void response_drop(struct http_response *r);

/* tls.c */
MUST_CHECK enum err tls_identity_new(const char *cert_pem, const char *key_pem, struct tls_identity **ret,
	char **detail);
struct tls_identity *tls_identity_ref(struct tls_identity *i);
void tls_identity_unref(struct tls_identity *i); /* NULL is allowed */
extern const char TLS_PRIORITIES[];
struct MHD_OptionItem tls_certificate_option(void);
/* The DER of the peer's certificate, valid while the connection lives; false: none. */
bool tls_peer_certificate(struct MHD_Connection *c, const void **ret, size_t *ret_len);

#endif
