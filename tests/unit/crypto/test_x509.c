/* SPDX-License-Identifier: Apache-2.0
 * Certificates: what is made has the profile it should, and a client is accepted only with one of ours, for this use,
 * in time. */
#include "test.h"

#include "base/clock.h"
#include "base/scope.h"
#include "crypto/digest.h"
#include "crypto/x509_inner.h"

#define NOW (INT64_C(1800000000) * SECOND_US)

static struct arena *arena;
static struct scope s;
static struct x509_pair ca, foreign;
static struct id tenant, device;

static void fresh(void)
{
	s.detail = NULL;
	s.now = NOW;
}

#define assert_says(words)                                                                                             \
	do {                                                                                                           \
		assert_non_null(s.detail);                                                                             \
		if (strstr(s.detail, words) == NULL)                                                                   \
			fail_msg("the detail \"%s\" does not say \"%s\"", s.detail, words);                            \
		s.detail = NULL;                                                                                       \
	} while (0)

static uint8_t *der_of(const char *pem, size_t *ret_n)
{
	X509 *cert = x509_parse_cert(pem);
	assert_non_null(cert);
	unsigned char *der = NULL;
	int n = i2d_X509(cert, &der);
	assert_true(n > 0);
	uint8_t *copy = arena_memdup(arena, der, (size_t)n);
	OPENSSL_free(der);
	X509_free(cert);
	*ret_n = (size_t)n;
	return copy;
}

static enum err check_pem(const char *ca_pem, const char *pem, int64_t now, struct x509_info *info)
{
	size_t n;
	const uint8_t *der = der_of(pem, &n);
	return x509_check_client(&s, ca_pem, der, n, now, info);
}

static char *csr_for(EVP_PKEY *key, const EVP_MD *md)
{
	X509_REQ *r = X509_REQ_new();
	X509_NAME *name = X509_REQ_get_subject_name(r);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"I am the server", -1, -1, 0);
	assert_int_equal(X509_REQ_set_pubkey(r, key), 1);
	assert_true(X509_REQ_sign(r, key, md) > 0);
	char *pem = x509_request_pem(arena, r);
	X509_REQ_free(r);
	return pem;
}

static enum err sign(const char *csr, int days, char **ret_pem, int64_t *ret_end)
{
	uint8_t fingerprint[32];
	return x509_sign_request(&s, &ca, csr, tenant, device, days, ret_pem, fingerprint, ret_end);
}

/* A device certificate of ours for 30 days. */
static char *device_cert(void)
{
	char *key, *csr, *cert;
	int64_t end;
	assert_err(x509_make_request(arena, "reeve-agent", &key, &csr), OK);
	assert_err(sign(csr, 30, &cert, &end), OK);
	assert_true(x509_key_matches(cert, key));
	assert_int_equal(end, NOW + 30 * DAY_US);
	return cert;
}

/* ---- making ---- */

static void authority(void **state)
{
	X509 *cert = x509_parse_cert(ca.cert_pem);
	assert_non_null(cert);
	assert_int_equal(X509_check_ca(cert), 1);
	assert_int_equal(X509_get_pathlen(cert), 0);
	assert_int_equal(X509_get_key_usage(cert), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
	assert_true(X509_get_extension_flags(cert) & EXFLAG_SI);
	assert_int_equal(x509_time_us(X509_get0_notBefore(cert)), NOW - HOUR_US);
	assert_int_equal(x509_time_us(X509_get0_notAfter(cert)), NOW + 3650 * DAY_US);
	const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
	assert_true(serial->length <= 20 && serial->length > 12 && serial->type == V_ASN1_INTEGER);
	assert_int_equal(EVP_PKEY_get_bits(X509_get0_pubkey(cert)), 256);
	X509_free(cert);
	assert_true(x509_key_matches(ca.cert_pem, ca.key_pem));
	assert_false(x509_key_matches(ca.cert_pem, foreign.key_pem));
	assert_false(x509_key_matches("", ca.key_pem));
	assert_false(x509_key_matches(ca.cert_pem, NULL));
	struct x509_pair bad;
	char name[66] = "";
	assert_err(x509_make_ca(arena, name, NOW, 1, &bad), ERR_BAD_REQUEST);
	assert_err(x509_make_ca(arena, "\xff\xfe", NOW, 1, &bad), ERR_BAD_REQUEST);
	memset(name, 'x', 65);
	assert_err(x509_make_ca(arena, name, NOW, 1, &bad), ERR_BAD_REQUEST);
	assert_err(x509_make_ca(arena, name + 1, NOW, 1, &bad), OK);
}

static void server(void **state)
{
	static const char *const dns[] = {"mdm.example.com", "localhost", NULL};
	static const char *const ip[] = {"127.0.0.1", "2001:db8::1", NULL};
	struct x509_pair pair;
	assert_err(x509_make_server(arena, &ca, &(struct x509_name){"mdm.example.com", dns, ip}, NOW, 397, &pair), OK);
	assert_true(x509_key_matches(pair.cert_pem, pair.key_pem));
	X509 *cert = x509_parse_cert(pair.cert_pem);
	assert_int_equal(X509_check_host(cert, "mdm.example.com", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(cert, "localhost", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(cert, "example.com", 0, 0, NULL), 0);
	assert_int_equal(X509_check_ip_asc(cert, "127.0.0.1", 0), 1);
	assert_int_equal(X509_check_ip_asc(cert, "2001:db8::1", 0), 1);
	assert_int_equal(X509_check_ip_asc(cert, "127.0.0.2", 0), 0);
	assert_int_equal(X509_check_purpose(cert, X509_PURPOSE_SSL_SERVER, 0), 1);
	assert_int_equal(X509_check_purpose(cert, X509_PURPOSE_SSL_CLIENT, 0), 0);
	X509 *issuer = x509_parse_cert(ca.cert_pem);
	assert_int_equal(X509_verify(cert, X509_get0_pubkey(issuer)), 1);
	assert_int_equal(X509_check_issued(issuer, cert), X509_V_OK);
	X509_free(issuer);
	X509_free(cert);
}

static void bad_server_names(void **state)
{
	static const char *const bad_dns[] = {"", "a b", "a,DNS:b", "a\nb", "exa*mple", "caf\u00e9.example"};
	static const char *const bad_ip[] = {"", "1.2.3", "localhost", "1.2.3.4/8", "::g"};
	struct x509_pair pair;
	for (size_t i = 0; i < sizeof bad_dns / sizeof bad_dns[0]; i++)
		assert_err(x509_make_server(arena, &ca,
					    &(struct x509_name){"x", (const char *[]){bad_dns[i], NULL}, NULL}, NOW, 1,
					    &pair),
			   ERR_BAD_REQUEST);
	for (size_t i = 0; i < sizeof bad_ip / sizeof bad_ip[0]; i++)
		assert_err(x509_make_server(arena, &ca,
					    &(struct x509_name){"x", NULL, (const char *[]){bad_ip[i], NULL}}, NOW, 1,
					    &pair),
			   ERR_BAD_REQUEST);
	assert_err(x509_make_server(arena, &ca, &(struct x509_name){NULL, NULL, NULL}, NOW, 1, &pair), ERR_BAD_REQUEST);
}

static void no_certificate_outlives_its_authority(void **state)
{
	char *key, *csr, *cert;
	int64_t end;
	struct x509_info info;
	assert_err(x509_make_request(arena, "a", &key, &csr), OK);
	assert_err(sign(csr, 36500, &cert, &end), OK);
	assert_int_equal(end, NOW + 3650 * DAY_US);
	assert_err(x509_read(&s, cert, &info), OK);
	assert_int_equal(info.not_after_us, end);
}

/* ---- requests ---- */

static void device_certificate(void **state)
{
	char *key, *csr, *cert;
	uint8_t fingerprint[32], hash[32];
	int64_t end;
	size_t n;
	struct x509_info info, read;
	assert_err(x509_make_request(arena, "anything", &key, &csr), OK);
	assert_err(x509_sign_request(&s, &ca, csr, tenant, device, 30, &cert, fingerprint, &end), OK);
	const uint8_t *der = der_of(cert, &n);
	assert_err(x509_check_client(&s, ca.cert_pem, der, n, NOW, &info), OK);
	assert_true(id_equal(info.device, device) && id_equal(info.tenant, tenant));
	sha256(der, n, hash);
	assert_memory_equal(info.fingerprint, hash, sizeof hash);
	assert_memory_equal(fingerprint, hash, sizeof hash);
	assert_int_equal(info.not_before_us, NOW - HOUR_US);
	assert_int_equal(info.not_after_us, end);
	assert_err(x509_read(&s, cert, &read), OK);
	assert_memory_equal(&read, &info, sizeof info);
	assert_err(x509_read(&s, "no certificate", &read), ERR_BAD_REQUEST);
	assert_says("no certificate");
}

/* Key type, bits or curve, and whether it is taken. */
static void key_types(void **state)
{
	struct {
		EVP_PKEY *key;
		const EVP_MD *md;
		enum err want;
	} keys[] = {
		{EVP_EC_gen("P-256"), EVP_sha256(), OK},
		{EVP_EC_gen("P-384"), EVP_sha384(), OK},
		{EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL, OK},
		{EVP_RSA_gen(2048), EVP_sha256(), OK},
		{EVP_RSA_gen(1024), EVP_sha256(), ERR_BAD_REQUEST},
		{EVP_EC_gen("P-521"), EVP_sha256(), ERR_BAD_REQUEST},
		{EVP_EC_gen("secp256k1"), EVP_sha256(), ERR_BAD_REQUEST},
		{EVP_PKEY_Q_keygen(NULL, NULL, "ED448"), NULL, ERR_BAD_REQUEST},
	};
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		char *cert = NULL;
		int64_t end;
		struct x509_info info;
		fresh();
		assert_non_null(keys[i].key);
		assert_err(sign(csr_for(keys[i].key, keys[i].md), 30, &cert, &end), keys[i].want);
		if (keys[i].want == OK) {
			assert_err(check_pem(ca.cert_pem, cert, NOW, &info), OK);
			assert_true(id_equal(info.device, device)); /* never the request's own subject */
		} else {
			assert_says("must be P-256, P-384, Ed25519 or RSA");
		}
		EVP_PKEY_free(keys[i].key);
	}
}

/* A curve that comes as numbers, though the numbers are those of P-256. */
static void curve_by_numbers(void **state)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *key = NULL;
	char curve[] = "P-256", explicit[] = "explicit", *cert;
	int64_t end;
	OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("group", curve, 0),
			       OSSL_PARAM_construct_utf8_string("encoding", explicit, 0), OSSL_PARAM_construct_end()};
	assert_true(EVP_PKEY_keygen_init(ctx) == 1 && EVP_PKEY_CTX_set_params(ctx, params) == 1 &&
		    EVP_PKEY_generate(ctx, &key) == 1);
	assert_err(sign(csr_for(key, EVP_sha256()), 30, &cert, &end), ERR_BAD_REQUEST);
	EVP_PKEY_free(key);
	EVP_PKEY_CTX_free(ctx);
}

static void bad_requests(void **state)
{
	char *key, *csr, *cert;
	int64_t end;
	assert_err(x509_make_request(arena, "reeve-agent", &key, &csr), OK);
	static const char *const none[] = {
		"", "text", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"};
	for (size_t i = 0; i < 3; i++) {
		assert_err(sign(none[i], 30, &cert, &end), ERR_BAD_REQUEST);
		assert_says("not a readable PKCS#10 request");
	}
	assert_err(sign(NULL, 30, &cert, &end), ERR_BAD_REQUEST);
	fresh();
	/* Signed by another key than the one in it. */
	X509_REQ *r = x509_parse_request(csr);
	EVP_PKEY *other = EVP_EC_gen("P-256");
	assert_int_equal(X509_REQ_sign(r, other, EVP_sha256()) > 0, 1);
	assert_err(sign(x509_request_pem(arena, r), 30, &cert, &end), ERR_BAD_REQUEST);
	assert_says("not signed by its own key");
	EVP_PKEY_free(other);
	X509_REQ_free(r);
	assert_err(sign(csr, 30, &cert, &end), OK);
	assert_err(x509_make_request(arena, "", &key, &csr), ERR_BAD_REQUEST);
}

/* ---- checking ---- */

static void refuses_foreign_authority(void **state)
{
	struct x509_info info;
	char *cert = device_cert();
	assert_err(check_pem(foreign.cert_pem, cert, NOW, &info), ERR_UNAUTHENTICATED);
	assert_says("unknown issuer");
	/* the same name, another key */
	struct x509_pair twin;
	assert_err(x509_make_ca(arena, "Ours", NOW, 3650, &twin), OK);
	assert_err(check_pem(twin.cert_pem, cert, NOW, &info), ERR_UNAUTHENTICATED);
	assert_says("unknown issuer");
	/* both are trusted: each certificate finds its own issuer, in either order */
	assert_err(check_pem(arena_printf(arena, "%s%s", twin.cert_pem, ca.cert_pem), cert, NOW, &info), OK);
	assert_err(check_pem(arena_printf(arena, "%s%s", ca.cert_pem, twin.cert_pem), cert, NOW, &info), OK);
	assert_err(check_pem("", cert, NOW, &info), ERR_INTERNAL);
}

static void refuses_out_of_time(void **state)
{
	struct x509_info info;
	char *cert = device_cert();
	assert_err(check_pem(ca.cert_pem, cert, NOW - HOUR_US, &info), OK);
	assert_err(check_pem(ca.cert_pem, cert, NOW - HOUR_US - SECOND_US, &info), ERR_UNAUTHENTICATED);
	assert_says("not yet valid");
	assert_err(check_pem(ca.cert_pem, cert, NOW + 30 * DAY_US - SECOND_US, &info), OK);
	assert_err(check_pem(ca.cert_pem, cert, NOW + 30 * DAY_US, &info), ERR_UNAUTHENTICATED);
	assert_says("the client certificate has expired");
}

/* A certificate that was found good is not trusted for it with other authorities, nor outside of its time. */
static void forgets_nothing_of_the_check(void **state)
{
	struct x509_info first, again;
	char *cert = device_cert();
	assert_err(check_pem(ca.cert_pem, cert, NOW, &first), OK);
	assert_err(check_pem(ca.cert_pem, cert, NOW, &again), OK);
	assert_memory_equal(&first, &again, sizeof first);
	assert_err(check_pem(foreign.cert_pem, cert, NOW, &again), ERR_UNAUTHENTICATED);
	assert_says("unknown issuer");
	assert_err(check_pem(ca.cert_pem, cert, NOW + 30 * DAY_US, &again), ERR_UNAUTHENTICATED);
	assert_says("expired");
	assert_err(check_pem(ca.cert_pem, cert, NOW - HOUR_US - 1, &again), ERR_UNAUTHENTICATED);
	assert_says("not yet valid");
}

/* The authority expires with its certificates: both end at the same moment, and the detail may name either. */
static void refuses_after_the_authority(void **state)
{
	struct x509_info info;
	char *key, *csr, *cert;
	int64_t end;
	assert_err(x509_make_request(arena, "a", &key, &csr), OK);
	assert_err(sign(csr, 36500, &cert, &end), OK);
	assert_err(check_pem(ca.cert_pem, cert, NOW + 3649 * DAY_US, &info), OK);
	assert_err(check_pem(ca.cert_pem, cert, NOW + 3651 * DAY_US, &info), ERR_UNAUTHENTICATED);
	assert_says("expired");
}

static void refuses_other_usages(void **state)
{
	struct x509_pair server_pair;
	struct x509_info info;
	char id[ID_TEXT];
	assert_err(x509_make_server(arena, &ca, &(struct x509_name){id_format(device, id), NULL, NULL}, NOW, 30,
				    &server_pair),
		   OK);
	assert_err(check_pem(ca.cert_pem, server_pair.cert_pem, NOW, &info), ERR_UNAUTHENTICATED);
	assert_says("usage is not that of a client");
	assert_err(check_pem(ca.cert_pem, ca.cert_pem, NOW, &info), ERR_UNAUTHENTICATED);
	assert_says("usage");
}

/* A certificate by our own key with these extensions and names, as a mistaken tool would make it. */
static char *handmade(const char *usage, const char *key_usage, const char *cn, const char *cn2, const char *o)
{
	X509 *cert = X509_new(), *issuer = x509_parse_cert(ca.cert_pem);
	EVP_PKEY *key = EVP_EC_gen("P-256"), *ca_key = x509_parse_key(ca.key_pem);
	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 7);
	ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)(NOW / SECOND_US));
	ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)(NOW / SECOND_US) + 1000);
	X509_set_pubkey(cert, key);
	X509_set_issuer_name(cert, X509_get_subject_name(issuer));
	X509_NAME *name = X509_get_subject_name(cert);
	const char *const parts[][2] = {{"CN", cn}, {"CN", cn2}, {"O", o}};
	for (int i = 0; i < 3; i++)
		if (parts[i][1] != NULL)
			X509_NAME_add_entry_by_txt(name, parts[i][0], MBSTRING_ASC, (const unsigned char *)parts[i][1],
						   -1, -1, 0);
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	const struct {
		int nid;
		const char *value;
	} ext[] = {{NID_ext_key_usage, usage},
		   {NID_key_usage, key_usage},
		   {NID_subject_key_identifier, "hash"},
		   {NID_authority_key_identifier, "keyid"}};
	for (int i = 0; i < 4; i++) {
		X509_EXTENSION *e =
			ext[i].value != NULL ? X509V3_EXT_conf_nid(NULL, &ctx, ext[i].nid, ext[i].value) : NULL;
		if (e != NULL)
			X509_add_ext(cert, e, -1);
		X509_EXTENSION_free(e);
	}
	assert_true(X509_sign(cert, ca_key, EVP_sha256()) > 0);
	char *pem = x509_cert_pem(arena, cert);
	X509_free(cert);
	X509_free(issuer);
	EVP_PKEY_free(key);
	EVP_PKEY_free(ca_key);
	return pem;
}

static void refuses_what_does_not_say_so(void **state)
{
	struct x509_info info;
	char d[ID_TEXT], t[ID_TEXT];
	id_format(device, d);
	id_format(tenant, t);
	assert_err(check_pem(ca.cert_pem, handmade("clientAuth", NULL, d, NULL, t), NOW, &info), OK);
	assert_err(check_pem(ca.cert_pem, handmade(NULL, NULL, d, NULL, t), NOW, &info), ERR_UNAUTHENTICATED);
	assert_says("usage is not that of a client");
	assert_err(check_pem(ca.cert_pem, handmade("clientAuth", "digitalSignature", d, NULL, t), NOW, &info), OK);
	assert_err(check_pem(ca.cert_pem, handmade("clientAuth", "keyEncipherment", d, NULL, t), NOW, &info),
		   ERR_UNAUTHENTICATED);
	assert_says("usage is not that of a client");
	assert_err(check_pem(ca.cert_pem, handmade("clientAuth", NULL, d, d, t), NOW, &info), ERR_UNAUTHENTICATED);
	assert_says("names no device");
	assert_err(check_pem(ca.cert_pem, handmade("clientAuth", NULL, NULL, NULL, t), NOW, &info),
		   ERR_UNAUTHENTICATED);
	assert_says("names no device");
	assert_err(check_pem(ca.cert_pem, handmade("clientAuth", NULL, d, NULL, NULL), NOW, &info),
		   ERR_UNAUTHENTICATED);
	assert_says("names no device");
	assert_err(check_pem(ca.cert_pem, handmade("clientAuth", NULL, "not an id", NULL, t), NOW, &info),
		   ERR_UNAUTHENTICATED);
	assert_says("names no device");
}

static void refuses_every_changed_byte(void **state)
{
	struct x509_info info;
	size_t n;
	uint8_t *der = der_of(device_cert(), &n);
	for (size_t i = 0; i < n; i++) {
		der[i] ^= 1;
		assert_err(x509_check_client(&s, ca.cert_pem, der, n, NOW, &info), ERR_UNAUTHENTICATED);
		der[i] ^= 1;
	}
	for (size_t cut = 0; cut < n; cut++)
		assert_err(x509_check_client(&s, ca.cert_pem, der, cut, NOW, &info), ERR_UNAUTHENTICATED);
	uint8_t *longer = arena_alloc(arena, n + 1);
	memcpy(longer, der, n);
	assert_err(x509_check_client(&s, ca.cert_pem, longer, n + 1, NOW, &info), ERR_UNAUTHENTICATED);
	assert_err(x509_check_client(&s, ca.cert_pem, longer, n, NOW, &info), OK);
}

static int setup(void **state)
{
	arena = arena_new(LIMIT_ARENA_BYTES);
	scope_system(&s, arena, NULL, NULL);
	tenant = id_new(NOW);
	device = id_new(NOW);
	return x509_make_ca(arena, "Ours", NOW, 3650, &ca) != OK ||
	       x509_make_ca(arena, "Theirs", NOW, 3650, &foreign) != OK;
}

static int each(void **state)
{
	fresh();
	return 0;
}

static int teardown(void **state)
{
	arena_free(arena);
	return 0;
}

#define CASE(fn) cmocka_unit_test_setup(fn, each)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(authority),
		CASE(server),
		CASE(bad_server_names),
		CASE(no_certificate_outlives_its_authority),
		CASE(device_certificate),
		CASE(key_types),
		CASE(curve_by_numbers),
		CASE(bad_requests),
		CASE(refuses_foreign_authority),
		CASE(refuses_out_of_time),
		CASE(forgets_nothing_of_the_check),
		CASE(refuses_after_the_authority),
		CASE(refuses_other_usages),
		CASE(refuses_what_does_not_say_so),
		CASE(refuses_every_changed_byte),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
