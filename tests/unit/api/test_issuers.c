/* SPDX-License-Identifier: Apache-2.0
 *
 * How long what an issuer said is kept, against an issuer of the test's own (TLS, in a thread).  The scope's time is moved, nothing waits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/sign_in/issuer.h"
#include "api/sign_in/issuer_inner.h"
#include "base/limits.h"
#include "crypto/newfile.h"
#include "crypto/openssl.h"
#include "crypto/x509.h"

#define assert_err(got, want) assert_string_equal(err_name(got), err_name(want))
/* RFC 7515, appendix A.3; its key is EC_KEY. */
#define ES256 \
	"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKA" \
	"M6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
#define EC_KEY \
	"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"

static struct {
	struct arena *arena;
	struct scope s;
	struct reach *reach;
	struct issuers *is;
	char issuer[64], ca_file[64];
	SSL_CTX *tls;
	int fd;
	pthread_t thread;
	_Atomic bool down, empty;
	_Atomic unsigned asked;
} T;

/* ---- the issuer ---- */

static const char *body_for(const char *request, char *out, size_t room)
{
	if (T.down)
		return NULL;
	if (strncmp(request, "GET /.well-known/openid-configuration ", 38) == 0)
		snprintf(out, room, "{\"issuer\":\"%s\",\"jwks_uri\":\"%s/keys\",\"token_endpoint\":\"%s/t\",\"code_challenge_methods_supported\":[\"plain\"]}",
			 T.issuer, T.issuer, T.issuer);
	else
		snprintf(out, room, "{\"keys\":[%s]}", T.empty ? "" : EC_KEY);
	return out;
}

static void answer(SSL *ssl)
{
	char request[4096], body[2048], all[4096];
	int n = SSL_read(ssl, request, sizeof request - 1);
	if (n <= 0)
		return;
	request[n] = '\0';
	T.asked++;
	const char *text = body_for(request, body, sizeof body);
	n = snprintf(all, sizeof all, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", text != NULL ? "200 OK" : "503 Away",
		     text != NULL ? strlen(text) : 0, text != NULL ? text : "");
	SSL_write(ssl, all, n);
	SSL_shutdown(ssl);
}

static void *serve(void *arg)
{
	for (;;) {
		int fd = accept(T.fd, NULL, NULL);
		if (fd < 0)
			return NULL;
		SSL *ssl = SSL_new(T.tls);
		SSL_set_fd(ssl, fd);
		if (SSL_accept(ssl) == 1)
			answer(ssl);
		SSL_free(ssl);
		close(fd);
	}
}

static void make_tls(void)
{
	static const char *const addresses[] = {"127.0.0.1", NULL};
	struct x509_pair ca, own;
	const struct x509_name name = {.common_name = "issuer", .ip = addresses};
	assert_int_equal(x509_make_ca(T.arena, "test", clock_now(), 30, &ca), OK);
	assert_int_equal(x509_make_server(T.arena, &ca, &name, clock_now(), 10, &own), OK);
	assert_int_equal(newfile_put(AT_FDCWD, T.ca_file, ca.cert_pem, strlen(ca.cert_pem)), OK);
	T.tls = SSL_CTX_new(TLS_server_method());
	BIO *c = BIO_new_mem_buf(own.cert_pem, -1), *k = BIO_new_mem_buf(own.key_pem, -1);
	X509 *cert = PEM_read_bio_X509(c, NULL, NULL, NULL);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(k, NULL, NULL, NULL);
	assert_true(SSL_CTX_use_certificate(T.tls, cert) == 1 && SSL_CTX_use_PrivateKey(T.tls, key) == 1);
	X509_free(cert);
	EVP_PKEY_free(key);
	BIO_free(c);
	BIO_free(k);
}

static int set_up(void **state)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof at;
	char *bad = NULL;
	signal(SIGPIPE, SIG_IGN);
	T.arena = arena_new(16 * MIB);
	snprintf(T.ca_file, sizeof T.ca_file, "/tmp/reeve-issuers-%d.pem", (int)getpid());
	make_tls();
	T.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(bind(T.fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(T.fd, 16) == 0 && getsockname(T.fd, (struct sockaddr *)&at, &n) == 0);
	snprintf(T.issuer, sizeof T.issuer, "https://127.0.0.1:%u", ntohs(at.sin_port));
	T.reach = reach_new("127.0.0.1", &bad);
	assert_non_null(T.reach);
	return pthread_create(&T.thread, NULL, serve, NULL);
}

static int tear_down(void **state)
{
	shutdown(T.fd, SHUT_RDWR);
	pthread_join(T.thread, NULL);
	close(T.fd);
	SSL_CTX_free(T.tls);
	reach_free(T.reach);
	arena_free(T.arena);
	return unlink(T.ca_file);
}

static void fresh(void)
{
	issuers_free(T.is);
	T.is = issuers_new(T.reach, T.ca_file);
	T.s = (struct scope){.arena = T.arena, .now = INT64_C(1800000000) * SECOND_US};
	T.down = T.empty = false;
	T.asked = 0;
}

static enum err look(int64_t later)
{
	struct issuer_document d;
	T.s.now += later;
	T.s.detail = NULL;
	return issuer_document(&T.s, T.is, T.issuer, &d);
}

/* ---- tests ---- */

static void a_document_is_kept_for_a_day(void **state)
{
	struct issuer_document d;
	fresh();
	assert_err(issuer_document(&T.s, T.is, T.issuer, &d), OK);
	assert_string_equal(d.issuer, T.issuer);
	assert_string_equal(d.token_endpoint + strlen(T.issuer), "/t");
	assert_false(d.pkce_s256);
	assert_string_equal(d.auth_methods, "client_secret_basic");
	assert_int_equal(T.asked, 2); /* it and its keys */
	assert_err(look(23 * HOUR_US), OK);
	assert_int_equal(T.asked, 2);
	assert_err(look(2 * HOUR_US), OK);
	assert_int_equal(T.asked, 4);
}

static void while_it_is_away_what_is_known_stays_for_a_week(void **state)
{
	fresh();
	assert_err(look(0), OK);
	T.down = true;
	assert_err(look(25 * HOUR_US), OK);
	assert_int_equal(T.asked, 3);
	assert_err(look(ISSUER_RETRY_US - SECOND_US), OK); /* the failure is remembered */
	assert_int_equal(T.asked, 3);
	assert_err(look(2 * SECOND_US), OK);
	assert_int_equal(T.asked, 4);
	assert_err(look(7 * DAY_US), ERR_UNAVAILABLE);
	assert_null(strstr(T.s.detail, "127.0.0.1"));
	T.down = false;
	assert_err(look(ISSUER_RETRY_US), OK);
}

static enum err token(int64_t later)
{
	static const char *const audiences[] = {"x", NULL};
	const struct issuer_expected x = {.issuer = T.issuer, .audiences = audiences, .algs = JOSE_ALL};
	auto_jose t = {0};
	json_t *claims;
	T.s.now += later;
	T.s.detail = NULL;
	assert_err(jose_read(&T.s, ES256, strlen(ES256), &t), OK);
	return issuer_verify(&T.s, T.is, &x, &t, &claims);
}

static void an_unknown_key_is_looked_for_once_a_minute(void **state)
{
	fresh();
	T.empty = true;
	assert_err(token(0), ERR_UNAUTHENTICATED);
	assert_int_equal(T.asked, 3); /* the document, its keys, and its keys again */
	for (int i = 0; i < 10; i++)
		assert_err(token(SECOND_US), ERR_UNAUTHENTICATED);
	assert_int_equal(T.asked, 3);
	assert_non_null(strstr(T.s.detail, "a key that its issuer does not have"));
	T.empty = false; /* it was rolled over */
	assert_err(token(MINUTE_US), ERR_UNAUTHENTICATED);
	assert_int_equal(T.asked, 4);
	assert_non_null(strstr(T.s.detail, "another issuer")); /* of a good signature */
}

static void nothing_goes_where_it_may_not(void **state)
{
	char *bad = NULL;
	fresh();
	struct reach *nowhere = reach_new("192.0.2.1", &bad);
	struct issuers *is = issuers_new(nowhere, T.ca_file);
	struct issuer_document d;
	assert_err(issuer_document(&T.s, is, T.issuer, &d), ERR_UNAVAILABLE);
	assert_int_equal(T.asked, 0);
	T.s.detail = NULL;
	assert_err(issuer_document(&T.s, T.is, "http://127.0.0.1/", &d), ERR_UNAVAILABLE);
	issuers_free(is);
	reach_free(nowhere);
	is = issuers_new(T.reach, ""); /* the system's certificates: ours is none of them */
	T.s.detail = NULL;
	assert_err(issuer_document(&T.s, is, T.issuer, &d), ERR_UNAVAILABLE);
	issuers_free(is);
}

static void names_are_compared_byte_for_byte(void **state)
{
	static const char entra[] = "https://login.example/", tid[] = "11111111-2222-4333-8444-555555555555";
	struct arena *a = T.arena;
	assert_true(issuer_is("https://a/x", "https://a/x"));
	assert_false(issuer_is("https://a/x", "https://a/x/") || issuer_is("https://a/x", "https://A/x") || issuer_is("https://a/x", "https://a/{tenantid}"));
	const char *all = arena_printf(a, "%s{tenantid}/v2.0", entra);
	assert_true(issuer_is("https://login.example/common/v2.0", all) && issuer_is("https://login.example/organizations/v2.0", all));
	assert_false(issuer_is("https://login.example/commons/v2.0", all) || issuer_is("https://login.example/common/v1.0", all) ||
		     issuer_is("https://other.example/common/v2.0", all) || issuer_is("https://login.example/x/common/v2.0", all));
	assert_string_equal(issuer_with_tenant(a, all, tid), arena_printf(a, "%s%s/v2.0", entra, tid));
	assert_null(issuer_with_tenant(a, all, "x/../y"));
	assert_null(issuer_with_tenant(a, all, NULL));
	assert_string_equal(issuer_with_tenant(a, "https://a/x", NULL), "https://a/x");
}

static int last(void **state)
{
	issuers_free(T.is);
	T.is = NULL;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_document_is_kept_for_a_day),
		cmocka_unit_test(while_it_is_away_what_is_known_stays_for_a_week),
		cmocka_unit_test(an_unknown_key_is_looked_for_once_a_minute),
		cmocka_unit_test(nothing_goes_where_it_may_not),
		cmocka_unit_test_teardown(names_are_compared_byte_for_byte, last),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
