/* SPDX-License-Identifier: Apache-2.0
 * TLS: versions, the client's certificate, and an exchange of the server's certificate under open connections.  The
 * client is GnuTLS over a socket of our own; certificates are made on the spot. */
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <time.h>

#include "client.h"

struct pair {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t cert;
	gnutls_datum_t cert_pem, key_pem, cert_der;
};

static void pair_make(struct pair *p, const char *cn, gnutls_pk_algorithm_t algorithm, const struct pair *issuer)
{
	unsigned bits = algorithm == GNUTLS_PK_RSA ? 2048 : GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1);
	const unsigned char serial = 1;
	gnutls_x509_privkey_init(&p->key);
	assert_int_equal(gnutls_x509_privkey_generate(p->key, algorithm, bits, 0), 0);
	gnutls_x509_crt_init(&p->cert);
	gnutls_x509_crt_set_version(p->cert, 3);
	gnutls_x509_crt_set_key(p->cert, p->key);
	gnutls_x509_crt_set_dn_by_oid(p->cert, GNUTLS_OID_X520_COMMON_NAME, 0, cn, (unsigned)strlen(cn));
	gnutls_x509_crt_set_serial(p->cert, &serial, 1);
	gnutls_x509_crt_set_activation_time(p->cert, 1600000000);
	gnutls_x509_crt_set_expiration_time(p->cert, 4000000000);
	gnutls_x509_crt_set_basic_constraints(p->cert, issuer == NULL, -1);
	issuer = issuer != NULL ? issuer : p;
	assert_int_equal(gnutls_x509_crt_sign2(p->cert, issuer->cert, issuer->key, GNUTLS_DIG_SHA256, 0), 0);
	assert_int_equal(gnutls_x509_crt_export2(p->cert, GNUTLS_X509_FMT_PEM, &p->cert_pem), 0);
	assert_int_equal(gnutls_x509_crt_export2(p->cert, GNUTLS_X509_FMT_DER, &p->cert_der), 0);
	assert_int_equal(gnutls_x509_privkey_export2(p->key, GNUTLS_X509_FMT_PEM, &p->key_pem), 0);
}

static void pair_free(struct pair *p)
{
	gnutls_x509_crt_deinit(p->cert);
	gnutls_x509_privkey_deinit(p->key);
	gnutls_free(p->cert_pem.data);
	gnutls_free(p->cert_der.data);
	gnutls_free(p->key_pem.data);
}

static const char *cert_of(const struct pair *p)
{
	return (const char *)p->cert_pem.data;
}

static const char *key_of(const struct pair *p)
{
	return (const char *)p->key_pem.data;
}

struct client {
	int fd;
	gnutls_session_t session;
	gnutls_certificate_credentials_t cred;
	bool connected;
};

static struct client client_open(struct site *site, const struct pair *own, const char *priorities)
{
	struct client c = {.fd = dial(site)};
	gnutls_certificate_allocate_credentials(&c.cred);
	if (own != NULL)
		gnutls_certificate_set_x509_key_mem(c.cred, &own->cert_pem, &own->key_pem, GNUTLS_X509_FMT_PEM);
	gnutls_init(&c.session, GNUTLS_CLIENT | GNUTLS_FORCE_CLIENT_CERT);
	assert_int_equal(gnutls_priority_set_direct(c.session, priorities != NULL ? priorities : "NORMAL", NULL), 0);
	gnutls_credentials_set(c.session, GNUTLS_CRD_CERTIFICATE, c.cred);
	gnutls_transport_set_int(c.session, c.fd);
	gnutls_handshake_set_timeout(c.session, WAIT_MS);
	c.connected = gnutls_handshake(c.session) == 0;
	return c;
}

static void client_close(struct client *c)
{
	gnutls_deinit(c->session);
	gnutls_certificate_free_credentials(c->cred);
	close(c->fd);
}

static int get_from_tls(void *from)
{
	struct client *c = from;
	unsigned char byte;
	gnutls_record_set_timeout(c->session, WAIT_MS);
	return gnutls_record_recv(c->session, &byte, 1) == 1 ? byte : -1;
}

static struct reply ask(struct client *c, const char *path)
{
	struct reply r;
	char text[256];
	snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", path);
	assert_true(c->connected);
	gnutls_record_send(c->session, text, strlen(text));
	get_reply_from(get_from_tls, c, &r, false);
	assert_int_equal(r.status, 200);
	assert_true(r.whole);
	return r;
}

static bool server_is(struct client *c, const struct pair *p)
{
	unsigned n = 0;
	const gnutls_datum_t *list = gnutls_certificate_get_peers(c->session, &n);
	const gnutls_datum_t *der = &p->cert_der;
	return n == 1 && list[0].size == der->size && memcmp(list[0].data, der->data, der->size) == 0;
}

struct tls_site {
	struct site site;
	struct pair ca, rsa, ecdsa, device;
};

static int setup(void **state)
{
	struct tls_site *t = calloc(1, sizeof *t);
	pair_make(&t->ca, "ca", GNUTLS_PK_ECDSA, NULL);
	pair_make(&t->ecdsa, "server", GNUTLS_PK_ECDSA, NULL);
	pair_make(&t->rsa, "server", GNUTLS_PK_RSA, NULL);
	pair_make(&t->device, "device", GNUTLS_PK_ECDSA, &t->ca);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct tls_site *t = *state;
	site_close(&t->site);
	pair_free(&t->ca);
	pair_free(&t->rsa);
	pair_free(&t->ecdsa);
	pair_free(&t->device);
	free(t);
	return 0;
}

static void open_tls(struct tls_site *t, const struct pair *p, bool ask_client)
{
	struct http_options o = {.cert_pem = cert_of(p), .key_pem = key_of(p),
		.client_ca_pem = ask_client ? cert_of(&t->ca) : NULL};
	site_open_with(&t->site, o, SITE_TUNING, 2, 10);
}

static void modern_versions_only(void **state)
{
	struct tls_site *t = *state;
	open_tls(t, &t->rsa, false);
	static const struct {
		const char *priorities;
		bool want;
	} cases[] = {
		{"NORMAL:-VERS-ALL:+VERS-TLS1.3", true},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.2", true},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.1", false},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.0", false},
		{"NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA", false},                          /* no forward secrecy */
		{"NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-CBC:+AES-256-CBC", false}, /* no AEAD */
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct client c = client_open(&t->site, NULL, cases[i].priorities);
		if (c.connected != cases[i].want)
			fail_msg("%s: %d", cases[i].priorities, c.connected);
		client_close(&c);
	}
}

static void requests_over_tls(void **state)
{
	struct tls_site *t = *state;
	open_tls(t, &t->ecdsa, false);
	struct client c = client_open(&t->site, NULL, NULL);
	assert_true(server_is(&c, &t->ecdsa));
	for (int i = 0; i < 3; i++) {
		struct reply r = ask(&c, "/x");
		assert_string_equal(r.body, "GET /x ?  # 0 ");
		assert_non_null(strstr(reply_header(&r, "Strict-Transport-Security"), "max-age="));
		reply_free(&r);
	}
	struct reply r = ask(&c, "/stream/chunked");
	assert_int_equal(r.body_len, PIECE * PIECES);
	reply_free(&r);
	client_close(&c);
	/* Plain HTTP on the TLS port gets nothing. */
	int fd = dial(&t->site);
	put(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	struct reply none;
	get_reply(fd, &none);
	assert_int_equal(none.status, 0);
	reply_free(&none);
	close(fd);
}

static void expect_cert(struct tls_site *t, const struct pair *own, const char *priorities)
{
	struct client c = client_open(&t->site, own, priorities);
	for (int i = 0; i < 2; i++) { /* on every request of the connection */
		struct reply r = ask(&c, "/cert");
		assert_int_equal(r.body_len, own != NULL ? own->cert_der.size : 0);
		if (own != NULL)
			assert_memory_equal(r.body, own->cert_der.data, own->cert_der.size);
		reply_free(&r);
	}
	client_close(&c);
}

/* Unchecked: a certificate of a stranger arrives like one of our own; the layer above judges it. */
static void client_certificates(void **state)
{
	struct tls_site *t = *state;
	open_tls(t, &t->ecdsa, true);
	expect_cert(t, &t->device, NULL);
	expect_cert(t, &t->device, "NORMAL:-VERS-ALL:+VERS-TLS1.2");
	expect_cert(t, NULL, NULL);
	expect_cert(t, &t->rsa, NULL);
}

static void no_certificate_is_asked_for(void **state)
{
	struct tls_site *t = *state;
	open_tls(t, &t->ecdsa, false);
	struct client c = client_open(&t->site, &t->device, NULL);
	assert_false(gnutls_certificate_client_get_request_status(c.session));
	struct reply r = ask(&c, "/cert");
	assert_int_equal(r.body_len, 0);
	reply_free(&r);
	client_close(&c);
}

static void reload(void **state)
{
	struct tls_site *t = *state;
	char *detail = NULL;
	open_tls(t, &t->ecdsa, false);
	struct client before = client_open(&t->site, NULL, NULL);
	assert_true(server_is(&before, &t->ecdsa));
	assert_int_equal(http_reload_certificate(t->site.server, cert_of(&t->rsa), key_of(&t->rsa), &detail), OK);
	struct client after = client_open(&t->site, NULL, NULL);
	assert_true(server_is(&after, &t->rsa));
	struct reply r = ask(&after, "/x"), q = ask(&before, "/x"); /* the old connection lives on */
	reply_free(&r);
	reply_free(&q);
	client_close(&before);
	client_close(&after);
}

static void what_cannot_be_used_changes_nothing(void **state)
{
	struct tls_site *t = *state;
	char *detail = NULL;
	open_tls(t, &t->ecdsa, false);
	const char *cert = cert_of(&t->rsa), *key = key_of(&t->ecdsa);
	assert_int_equal(http_reload_certificate(t->site.server, cert, key, &detail), ERR_CONFIG); /* no pair */
	free(detail);
	assert_int_equal(http_reload_certificate(t->site.server, "nonsense", key, &detail), ERR_CONFIG);
	free(detail);
	assert_int_equal(http_reload_certificate(t->site.server, cert, NULL, &detail), ERR_CONFIG);
	free(detail);
	struct client c = client_open(&t->site, NULL, NULL);
	assert_true(server_is(&c, &t->ecdsa));
	client_close(&c);
}

static void wrong_pairs_stop_the_start(void **state)
{
	struct tls_site *t = *state;
	struct http_server *s = NULL;
	char *detail = NULL;
	t->site.workers = http_workers_new(1);
	struct http_options o = {.address = "127.0.0.1", .cert_pem = cert_of(&t->rsa), .key_pem = key_of(&t->ecdsa),
		.handler = site_handler(&t->site)};
	assert_int_equal(http_listen(&o, t->site.workers, &s, &detail), ERR_CONFIG);
	free(detail);
	o.key_pem = key_of(&t->rsa);
	o.client_ca_pem = "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n";
	assert_int_equal(http_listen(&o, t->site.workers, &s, &detail), ERR_CONFIG);
	free(detail);
}

static double cpu_seconds(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Half a ClientHello must not keep a thread busy until the connection's deadline. */
static void an_unfinished_handshake_costs_nothing(void **state)
{
	static const char half[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
	struct tls_site *t = *state;
	struct timespec a_while = {.tv_nsec = 500 * 1000 * 1000};
	open_tls(t, &t->ecdsa, false);
	int fd = dial(&t->site);
	assert_int_equal(send(fd, half, sizeof half - 1, 0), (int)sizeof half - 1);
	double before = cpu_seconds();
	nanosleep(&a_while, NULL);
	assert_true(cpu_seconds() - before < 0.05);
	struct client c = client_open(&t->site, NULL, NULL);
	struct reply r = ask(&c, "/x");
	reply_free(&r);
	client_close(&c);
	close(fd);
}

int main(void)
{
#define WITH_CERTS(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_CERTS(modern_versions_only),
		WITH_CERTS(requests_over_tls),
		WITH_CERTS(client_certificates),
		WITH_CERTS(no_certificate_is_asked_for),
		WITH_CERTS(an_unfinished_handshake_costs_nothing),
		WITH_CERTS(reload),
		WITH_CERTS(what_cannot_be_used_changes_nothing),
		WITH_CERTS(wrong_pairs_stop_the_start),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
