/* SPDX-License-Identifier: Apache-2.0
 * TLS over a socket, with a receipt at its end. */
#include "crypto/tls_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "crypto/openssl.h"

enum { OUTQ_POLL_MS = 5, WRITE_TIMES = 3 };

struct tls_client {
	SSL *ssl;
	int fd, wake_fd, timeout_ms;
};

/* ---- authorities ---- */

/* How many certificates; -1 where something cannot be read. */
static int each_certificate(const char *pem, X509_STORE *store)
{
	BIO *b = BIO_new_mem_buf(pem, -1);
	int n = 0;
	check(b != NULL);
	for (X509 *x; (x = PEM_read_bio_X509(b, NULL, NULL, NULL)) != NULL; n++) {
		if (store != NULL)
			check(X509_STORE_add_cert(store, x) == 1);
		X509_free(x);
	}
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		n = -1;
	ERR_clear_error();
	BIO_free(b);
	return n;
}

bool tls_ca_fits(const char *ca_pem)
{
	return each_certificate(ca_pem, NULL) > 0;
}

/* ---- opening ---- */

static SSL_CTX *make_context(const struct tls_client_options *o)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	check(ctx != NULL);
	check(SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	bool good = o->ca_pem != NULL ? each_certificate(o->ca_pem, SSL_CTX_get_cert_store(ctx)) > 0
				      : SSL_CTX_set_default_verify_paths(ctx) == 1;
	if (good)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

static bool is_address(const char *host)
{
	unsigned char b[16];
	return inet_pton(AF_INET, host, b) == 1 || inet_pton(AF_INET6, host, b) == 1;
}

static bool expect_host(SSL *ssl, const char *host)
{
	if (is_address(host))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

/* ---- waiting ---- */

/* Waits for what the last call of the library wanted.  False: the time is over, or the wait was ended. */
static bool wait_for(struct tls_client *c, int wanted, int64_t deadline)
{
	for (;;) {
		struct pollfd p[] = {{.fd = c->fd, .events = wanted == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN},
				     {.fd = c->wake_fd, .events = POLLIN}};
		int64_t left = (deadline - clock_monotonic()) / 1000;
		int n = left <= 0 ? 0 : poll(p, 2, (int)left);
		if (n < 0 && errno == EINTR)
			continue;
		errno = ETIMEDOUT;
		return n > 0 && p[1].revents == 0;
	}
}

static int64_t deadline_of(const struct tls_client *c)
{
	return clock_monotonic() + c->timeout_ms * INT64_C(1000);
}

/* Why the library failed, without names: the reason of the check of the certificate, else its own. */
static const char *reason_of(const struct tls_client *c, int wanted)
{
	long verified = SSL_get_verify_result(c->ssl);
	if (wanted == SSL_ERROR_WANT_READ || wanted == SSL_ERROR_WANT_WRITE)
		return "no answer in time";
	if (verified != X509_V_OK)
		return X509_verify_cert_error_string(verified);
	unsigned long e = ERR_peek_last_error();
	const char *text = e != 0 ? ERR_reason_error_string(e) : NULL;
	if (text == NULL)
		text = wanted == SSL_ERROR_SYSCALL && errno != 0 ? strerror(errno) : "the connection was closed";
	return text;
}

static enum err failed(struct scope *s, const struct tls_client *c, const char *what, int wanted)
{
	enum err e = scope_fail(s, ERR_NO_SERVER, "%s: %s", what, reason_of(c, wanted));
	ERR_clear_error();
	return e;
}

/* ---- the connection ---- */

static enum err handshake(struct scope *s, struct tls_client *c)
{
	int64_t deadline = deadline_of(c);
	for (;;) {
		ERR_clear_error();
		errno = 0;
		int n = SSL_connect(c->ssl);
		if (n == 1)
			return OK;
		int wanted = SSL_get_error(c->ssl, n);
		if ((wanted != SSL_ERROR_WANT_READ && wanted != SSL_ERROR_WANT_WRITE) || !wait_for(c, wanted, deadline))
			return failed(s, c, "TLS", wanted);
	}
}

enum err tls_client_open(struct scope *s, int fd, const struct tls_client_options *o, struct tls_client **ret)
{
	SSL_CTX *ctx = make_context(o);
	if (ctx == NULL) {
		close(fd);
		return scope_fail(s, ERR_NO_SERVER, "TLS: the authorities cannot be read");
	}
	struct tls_client *c = calloc(1, sizeof *c);
	check(c != NULL);
	*c = (struct tls_client){.ssl = SSL_new(ctx), .fd = fd, .wake_fd = o->wake_fd, .timeout_ms = o->timeout_ms};
	SSL_CTX_free(ctx); /* the connection holds it */
	check(c->ssl != NULL && SSL_set_fd(c->ssl, fd) == 1);
	enum err e = expect_host(c->ssl, o->host) ? handshake(s, c) : scope_fail(s, ERR_NO_SERVER, "TLS: the host's name is unfit");
	if (e != OK) {
		tls_client_free(c);
		return e;
	}
	*ret = c;
	return OK;
}

enum err tls_client_write(struct scope *s, struct tls_client *c, const void *p, size_t n)
{
	const char *at = p;
	int64_t deadline = clock_monotonic() + WRITE_TIMES * c->timeout_ms * INT64_C(1000);
	while (n > 0) {
		size_t done = 0;
		ERR_clear_error();
		errno = 0;
		int ok = SSL_write_ex(c->ssl, at, n, &done);
		if (ok == 1) {
			at += done;
			n -= done;
			continue;
		}
		int wanted = SSL_get_error(c->ssl, ok);
		if ((wanted != SSL_ERROR_WANT_READ && wanted != SSL_ERROR_WANT_WRITE) || !wait_for(c, wanted, deadline))
			return failed(s, c, "sending", wanted);
	}
	return OK;
}

/* ---- the end ---- */

static enum err say_goodbye(struct scope *s, struct tls_client *c, int64_t deadline)
{
	for (;;) {
		ERR_clear_error();
		errno = 0;
		int n = SSL_shutdown(c->ssl);
		if (n >= 0)
			return OK;
		int wanted = SSL_get_error(c->ssl, n);
		if ((wanted != SSL_ERROR_WANT_READ && wanted != SSL_ERROR_WANT_WRITE) || !wait_for(c, wanted, deadline))
			return failed(s, c, "ending", wanted);
	}
}

/* A FIN without close_notify: whether every byte was acknowledged and no reset came. */
static enum err all_acknowledged(struct scope *s, struct tls_client *c, int64_t deadline)
{
	int unsent, error = 0;
	socklen_t len = sizeof error;
	while (ioctl(c->fd, SIOCOUTQ, &unsent) == 0 && unsent > 0) {
		struct pollfd p = {.fd = c->wake_fd, .events = POLLIN};
		if (clock_monotonic() >= deadline || poll(&p, 1, OUTQ_POLL_MS) > 0)
			return scope_fail(s, ERR_NO_SERVER, "ending: the receiver did not acknowledge everything");
	}
	struct tcp_info info;
	socklen_t info_len = sizeof info;
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0 ||
	    getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &info_len) != 0 || info.tcpi_state == TCP_CLOSE)
		return scope_fail(s, ERR_NO_SERVER, "ending: the receiver reset the connection");
	return OK;
}

static bool is_bare_fin(int wanted)
{
	return wanted == SSL_ERROR_SSL && ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

/* A peer that ended before we did has not read all. */
static bool has_ended(const struct tls_client *c)
{
	struct tcp_info info;
	socklen_t len = sizeof info;
	return getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 || info.tcpi_state != TCP_ESTABLISHED;
}

enum err tls_client_finish(struct scope *s, struct tls_client *c)
{
	int64_t deadline = deadline_of(c);
	if (has_ended(c))
		return scope_fail(s, ERR_NO_SERVER, "ending: the receiver closed the connection");
	TRY(say_goodbye(s, c, deadline));
	for (;;) {
		char ignored[1024];
		size_t n;
		ERR_clear_error();
		errno = 0;
		int ok = SSL_read_ex(c->ssl, ignored, sizeof ignored, &n);
		if (ok == 1)
			continue; /* syslog has no answers: whatever it is */
		int wanted = SSL_get_error(c->ssl, ok);
		if (wanted == SSL_ERROR_ZERO_RETURN)
			return OK;
		if (is_bare_fin(wanted)) {
			ERR_clear_error();
			return all_acknowledged(s, c, deadline);
		}
		if (wanted != SSL_ERROR_WANT_READ || !wait_for(c, wanted, deadline))
			return failed(s, c, "ending", wanted);
	}
}

void tls_client_free(struct tls_client *c)
{
	if (c == NULL)
		return;
	SSL_free(c->ssl); /* does not close the descriptor: SSL_set_fd() leaves it ours */
	close(c->fd);
	free(c);
}
