/* SPDX-License-Identifier: Apache-2.0
 * A TLS client over a connected socket: TLS 1.2 or later; the server's chain is checked against the given authorities
 * or the system's, and its certificate against the host's name or address.
 *
 * Knowing what arrived.  Some protocols (syslog) answer nothing, so that the end of the connection is all the receipt
 * there is.  tls_client_finish() sends close_notify and waits for the peer's end:
 *   - the peer's close_notify: it has read everything before it, since TLS keeps the order: confirmed;
 *   - a bare FIN, which many servers send instead: confirmed if the peer's machine has acknowledged every byte (the
 *     send queue is empty), no reset came, and the FIN came after our close_notify.  A process that dies with unread
 *     bytes makes its kernel send a reset, and bytes that reach a closed socket are answered by one;
 *   - a reset, a FIN before we said goodbye, or nothing in time: not confirmed.
 * The limit: a peer that read everything and died before it kept what it read looks like one that ended in order.  Only
 * a protocol with receipts would tell; the receiver must keep its queue on disk if that matters. */
#ifndef REEVE_CRYPTO_TLS_CLIENT_H
#define REEVE_CRYPTO_TLS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/scope.h"

struct tls_client;

struct tls_client_options {
	const char *host;   /* a name, or an address in text */
	const char *ca_pem; /* one or more certificates; NULL: the system's authorities */
	int timeout_ms;     /* of the handshake and of the end; a write may take three times as long */
	int wake_fd;        /* readable: every wait ends; -1: none */
};

/* fd: non-blocking; belongs to the client from here on, also where this fails.  ERR_NO_SERVER with a detail. */
MUST_CHECK enum err tls_client_open(struct scope *s, int fd, const struct tls_client_options *o,
				    struct tls_client **ret);
MUST_CHECK enum err tls_client_write(struct scope *s, struct tls_client *c, const void *p, size_t n);
/* See above.  OK: confirmed. */
MUST_CHECK enum err tls_client_finish(struct scope *s, struct tls_client *c);
void tls_client_free(struct tls_client *c); /* closes; NULL is allowed */

/* Whether a text is one or more PEM certificates and nothing that cannot be read. */
bool tls_ca_fits(const char *ca_pem);

#endif
