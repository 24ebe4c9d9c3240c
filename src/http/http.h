/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/1.1 over TLS: bytes to struct http_request, one handler call on a worker thread that may block, struct
 * http_response to bytes. Knows nothing of devices or people.  Built on libmicrohttpd (suspend and resume);
 * nothing outside this folder includes it, so that it can be replaced.
 *
 * Refused before any handler runs (the framing guard; RFC 9112 sections 5.1, 6.3): Content-Length with
 * Transfer-Encoding, more than one Content-Length, one that is no plain number, a Transfer-Encoding other than chunked,
 * a space, control or non-token character in a header name, a missing or repeated Host (not on the local socket),
 * header or URL over its limit.  Answers: 400, 413, 414, 431, closing the connection, with the body that the listener's
 * `refuse` callback writes.
 */
#ifndef REEVE_HTTP_HTTP_H
#define REEVE_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct http_request {
	const char *method, *path; /* path: raw, without query; percent-decoding is the router's */
	const char *query;         /* without '?'; "" where there is none */
	const char *body;
	size_t body_len;
	const char *client_ip;     /* from a proxy's X-Forwarded-For, or the peer's; "local" on the local socket */
	bool local;                /* came by the local socket, from the owner's uid */
	const void *client_cert;   /* DER of the TLS peer, unchecked; NULL where none was given */
	size_t client_cert_len;
	struct arena *arena;       /* lives until handle returns or the stream ends; bounded by LIMIT_ARENA_BYTES */
	void *headers_;            /* private */
};
const char *http_header(const struct http_request *r, const char *name); /* any case; NULL */

struct http_response {
	int status;
	struct buf body;           /* bounded by LIMIT_RESPONSE_BYTES; sent with Content-Length */
	const char *content_type;  /* default application/json */
	void *headers_;            /* private */
	/* A streamed body instead: called for the next piece until *ret_n is 0; false breaks the connection.  length:
	 * -1 unknown. Called on an I/O thread, so it may wait for a file but for nothing else.  stream_end is called
	 * once in any case. */
	bool (*stream)(void *arg, const void **ret, size_t *ret_n);
	void (*stream_end)(void *arg);
	void *stream_arg;
	int64_t stream_length;
	unsigned hold_ms;          /* how long the answer is held back, to about a second: of who was refused and would ask again at once */
};
/* Copies.  Left out: what has CR, LF or another control character, and Content-Length and Transfer-Encoding. */
void http_response_header(struct http_response *r, const char *name, const char *value);

/* ---- a request inside a request (a step of a batch) ---- */

struct http_field {
	const char *name, *value;
};
/* Fills *ret with a request of the outer one's client, listener, credentials and arena; body and body_len are the caller's to set.  target
 * begins with '/', has no fragment and is not longer than LIMIT_URL_BYTES; fields' own credentials are left out.  Texts are not copied.  False:
 * *reason (a constant) says what a listener would have refused it for. */
MUST_CHECK bool http_inner(const struct http_request *outer, const char *method, const char *target, const struct http_field *fields,
	size_t n, struct http_request *ret, const char **reason);
/* Its answer, in memory: begin before the handler, drop after it. */
void http_answer_begin(struct http_response *r, struct arena *a);
void http_answer_drop(struct http_response *r);
/* The headers that the handler set, in order; the first at *at == NULL, NULL behind the last. */
const struct http_field *http_answer_field(const struct http_response *r, const void **at);

struct http_handler {
	void *ctx;
	/* At the header: the largest body that this request may have (0: none), by method and path. */
	size_t (*body_limit)(void *ctx, const char *method, const char *path);
	/* On a worker thread.  Must fill response. */
	void (*handle)(void *ctx, struct http_request *request, struct http_response *response);
	/* For refusals made here, mostly on an I/O thread: fills the body for the status.  reason: a constant of ours.  peer: the address of the
	 * connection, for a request that was not understood says nothing of its client; NULL on the local socket.  path: as in the request, perhaps
	 * with its query; NULL where it was not understood. */
	void (*refuse)(void *ctx, int status, const char *reason, const char *peer, const char *path, struct http_response *response);
};

struct http_options {
	const char *address;        /* "127.0.0.1" or "::" …; NULL with socket_path */
	uint16_t port;              /* 0: any free one (http_port tells) */
	const char *socket_path;    /* local socket, plain HTTP, mode 0600, peers of other uids are refused */
	const char *cert_pem, *key_pem;
	const char *client_ca_pem;  /* not NULL: client certificates are requested (checked above this layer) */
	const char *const *proxies; /* NULL-terminated addresses or CIDR networks, believed; may be NULL */
	int io_threads;             /* 0: 2 */
	struct http_handler handler;
};

struct http_server;
struct http_workers;

/* One pool of workers serves all listeners.  threads 0: 32. */
struct http_workers *http_workers_new(int threads);
void http_workers_free(struct http_workers *w); /* after all listeners are stopped */

/* The options are only read during the call.  *detail: for people, on failure; the caller frees it. */
MUST_CHECK enum err http_listen(const struct http_options *o, struct http_workers *w, struct http_server **ret,
	char **detail);
uint16_t http_port(const struct http_server *s);
/* New connections use the new certificate at once.  ERR_CONFIG (nothing changed) where the pair cannot be used. */
MUST_CHECK enum err http_reload_certificate(struct http_server *s, const char *cert_pem, const char *key_pem,
	char **detail);
/* Stops accepting, waits for requests under way up to `seconds`, closes.  A handler that takes longer loses its client
 * but still ends on its worker: what it uses has to live until http_workers_free(). */
void http_stop(struct http_server *s, unsigned seconds);

struct http_stats {
	uint64_t connections_open, connections_total, requests, refused;
	uint64_t cut; /* connections that were too slow, in either direction, or stayed idle */
};
void http_stats(const struct http_server *s, struct http_stats *ret);

#endif
