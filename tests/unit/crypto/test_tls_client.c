/* SPDX-License-Identifier: Apache-2.0
 * The TLS client against a server of the library's own, in a thread: whom it trusts, and which ends are a receipt.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "crypto/openssl.h"
#include "crypto/tls_client.h"
#include "crypto/x509.h"
#include "test.h"

enum ending {
	READS_ALL_AND_ANSWERS, /* close_notify */
	READS_ALL_AND_CLOSES,  /* a bare FIN */
	LEAVES_BYTES,          /* closes with bytes unread */
	CLOSES_AT_ONCE,        /* after the handshake, before anything was said */
	STAYS_SILENT,          /* never ends */
	OLD_TLS,               /* speaks TLS 1.1 only */
};

static struct scope scope;
static struct x509_pair ca, other_ca, pair;

struct server {
	enum ending ending;
	int fd, release;
	pthread_t thread;
	unsigned port;
	size_t got;
};

static SSL_CTX *server_context(const struct server *v)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	BIO *c = BIO_new_mem_buf(pair.cert_pem, -1), *k = BIO_new_mem_buf(pair.key_pem, -1);
	X509 *cert = PEM_read_bio_X509(c, NULL, NULL, NULL);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(k, NULL, NULL, NULL);
	assert_true(SSL_CTX_use_certificate(ctx, cert) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1);
	if (v->ending == OLD_TLS) {
		SSL_CTX_set_security_level(ctx, 0);
		SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
		SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
	}
	X509_free(cert);
	EVP_PKEY_free(key);
	BIO_free(c);
	BIO_free(k);
	return ctx;
}

static void serve(struct server *v, SSL *ssl)
{
	char block[4096];
	int n;
	if (v->ending == CLOSES_AT_ONCE)
		return;
	if (v->ending == LEAVES_BYTES || v->ending == STAYS_SILENT) {
		uint64_t one;
		assert_int_equal(read(v->release, &one, sizeof one), sizeof one); /* its peer has said all */
		return;
	}
	while ((n = SSL_read(ssl, block, sizeof block)) > 0)
		v->got += (size_t)n;
	if (v->ending == READS_ALL_AND_ANSWERS)
		SSL_shutdown(ssl);
}

static void *server_main(void *arg)
{
	struct server *v = arg;
	SSL_CTX *ctx = server_context(v);
	int fd = accept(v->fd, NULL, NULL);
	SSL *ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) == 1)
		serve(v, ssl);
	SSL_free(ssl);
	close(fd);
	SSL_CTX_free(ctx);
	return NULL;
}

static void server_start(struct server *v, enum ending ending)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof a;
	*v = (struct server){.ending = ending, .fd = socket(AF_INET, SOCK_STREAM, 0), .release = eventfd(0, 0)};
	assert_int_equal(bind(v->fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(v->fd, 1), 0);
	assert_int_equal(getsockname(v->fd, (struct sockaddr *)&a, &n), 0);
	v->port = ntohs(a.sin_port);
	assert_int_equal(pthread_create(&v->thread, NULL, server_main, v), 0);
}

static void server_join(struct server *v)
{
	eventfd_write(v->release, 1);
	pthread_join(v->thread, NULL);
	close(v->fd);
	close(v->release);
}

static int dial(const struct server *v)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)v->port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	int one = 1;
	assert_int_equal(ioctl(fd, FIONBIO, &one), 0);
	return fd;
}

static struct scope *again(void)
{
	struct arena *a = scope.arena;
	scope_system(&scope, a, NULL, NULL);
	return &scope;
}

/* ---- whom it trusts ---- */

static enum err handshake(enum ending ending, const char *host, const char *ca_pem)
{
	struct server v;
	struct tls_client *c = NULL;
	server_start(&v, ending);
	enum err e = tls_client_open(again(), dial(&v), &(struct tls_client_options){.host = host, .ca_pem = ca_pem, .timeout_ms = 5000, .wake_fd = -1}, &c);
	tls_client_free(c);
	server_join(&v);
	return e;
}

static void the_certificate_is_checked(void **state)
{
	assert_err(handshake(CLOSES_AT_ONCE, "siem.example.org", ca.cert_pem), OK);
	assert_err(handshake(CLOSES_AT_ONCE, "127.0.0.1", ca.cert_pem), OK);
	assert_err(handshake(CLOSES_AT_ONCE, "other.example.org", ca.cert_pem), ERR_NO_SERVER);
	assert_string_equal(scope.detail, "TLS: hostname mismatch");
	assert_err(handshake(CLOSES_AT_ONCE, "127.0.0.2", ca.cert_pem), ERR_NO_SERVER);
	assert_string_equal(scope.detail, "TLS: IP address mismatch");
	assert_err(handshake(CLOSES_AT_ONCE, "siem.example.org", other_ca.cert_pem), ERR_NO_SERVER);
	assert_err(handshake(CLOSES_AT_ONCE, "siem.example.org", NULL), ERR_NO_SERVER); /* the system's do not know it */
	char *both = arena_printf(scope.arena, "%s%s", other_ca.cert_pem, ca.cert_pem);
	assert_err(handshake(CLOSES_AT_ONCE, "siem.example.org", both), OK);
}

static void old_versions_are_refused(void **state)
{
	assert_err(handshake(OLD_TLS, "siem.example.org", ca.cert_pem), ERR_NO_SERVER);
}

static void authorities_are_certificates(void **state)
{
	assert_true(tls_ca_fits(ca.cert_pem));
	assert_true(tls_ca_fits(arena_printf(scope.arena, "%s\n%s", ca.cert_pem, other_ca.cert_pem)));
	assert_false(tls_ca_fits(""));
	assert_false(tls_ca_fits("hello"));
	assert_false(tls_ca_fits(ca.key_pem));
	assert_false(tls_ca_fits(arena_printf(scope.arena, "%s-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", ca.cert_pem)));
}

/* ---- receipts ---- */

static enum err deliver(enum ending ending, size_t bytes, size_t *ret_got)
{
	struct server v;
	struct tls_client *c;
	char *block = calloc(1, bytes);
	server_start(&v, ending);
	assert_err(tls_client_open(again(), dial(&v), &(struct tls_client_options){.host = "127.0.0.1", .ca_pem = ca.cert_pem, .timeout_ms = 1000, .wake_fd = -1}, &c), OK);
	if (ending == CLOSES_AT_ONCE)
		pthread_join(v.thread, NULL);
	enum err e = tls_client_write(&scope, c, block, bytes);
	if (ending == LEAVES_BYTES)
		eventfd_write(v.release, 1);
	if (e == OK)
		e = tls_client_finish(&scope, c);
	tls_client_free(c);
	if (ending == CLOSES_AT_ONCE)
		v.thread = pthread_self();
	else
		server_join(&v);
	free(block);
	*ret_got = v.got;
	return e;
}

static void an_orderly_end_is_a_receipt(void **state)
{
	size_t got;
	assert_err(deliver(READS_ALL_AND_ANSWERS, 1000, &got), OK);
	assert_int_equal(got, 1000);
	assert_err(deliver(READS_ALL_AND_ANSWERS, 3000000, &got), OK);
	assert_int_equal(got, 3000000);
	assert_err(deliver(READS_ALL_AND_CLOSES, 3000000, &got), OK);
	assert_int_equal(got, 3000000);
}

static void any_other_end_is_none(void **state)
{
	size_t got;
	for (int i = 0; i < 20; i++) { /* the order of its FIN and our bytes varies */
		assert_err(deliver(LEAVES_BYTES, 1000, &got), ERR_NO_SERVER);
		assert_err(deliver(CLOSES_AT_ONCE, 1000, &got), ERR_NO_SERVER);
	}
	int64_t began = clock_monotonic();
	assert_err(deliver(STAYS_SILENT, 1000, &got), ERR_NO_SERVER);
	assert_true(clock_monotonic() - began < 5 * SECOND_US);
	assert_err(deliver(STAYS_SILENT, 20000000, &got), ERR_NO_SERVER); /* more than the buffers between them hold */
}

static int setup(void **state)
{
	const char *const dns[] = {"siem.example.org", NULL}, *const ip[] = {"127.0.0.1", NULL};
	scope.arena = arena_new(16 * MIB);
	int64_t now = clock_now();
	assert_err(x509_make_ca(scope.arena, "Test", now, 10, &ca), OK);
	assert_err(x509_make_ca(scope.arena, "Other", now, 10, &other_ca), OK);
	assert_err(x509_make_server(scope.arena, &ca, &(struct x509_name){"siem.example.org", dns, ip}, now, 5, &pair), OK);
	return 0;
}

static int teardown(void **state)
{
	arena_free(scope.arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_certificate_is_checked), cmocka_unit_test(old_versions_are_refused),
		cmocka_unit_test(authorities_are_certificates), cmocka_unit_test(an_orderly_end_is_a_receipt),
		cmocka_unit_test(any_other_end_is_none),
	};
	signal(SIGPIPE, SIG_IGN);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tls_client", tests, setup, teardown);
}
