/* SPDX-License-Identifier: Apache-2.0
 * Public keys of tokens: which algorithms a JWK is good for (RFC 7517, RFC 7518 section 6), and the key of a certificate as one. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "codec/base64.h"
#include "crypto/digest.h"
#include "crypto/jose.h"
#include "crypto/jose_inner.h"
#include "crypto/x509_inner.h"

enum { EXPONENT_BYTES_MAX = 8, P256_BYTES = 32, CERTIFICATE_MAX = 16 * 1024 };

/* ---- JWKs ---- */

/* The bytes of a member that is base64url; NULL where it is not, or longer than `most`. */
static const uint8_t *member(struct arena *a, const json_t *key, const char *name, size_t most, size_t *ret_n)
{
	void *bytes;
	const char *text = json_string_value(json_object_get(key, name));
	if (text == NULL || strlen(text) > most * 4 / 3 + 3 || !base64url_decode(a, text, strlen(text), &bytes, ret_n))
		return NULL;
	return *ret_n <= most ? bytes : NULL;
}

static size_t bits_of(const uint8_t *p, size_t n)
{
	for (; n > 0 && *p == 0; p++)
		n--;
	if (n == 0)
		return 0;
	return n * 8 - (size_t)(__builtin_clz(*p) - 24);
}

static unsigned rsa_fits(struct arena *a, const json_t *key)
{
	size_t n_n = 0, e_n = 0;
	const uint8_t *n = member(a, key, "n", JOSE_RSA_BITS_MAX / 8 + 1, &n_n), *e = member(a, key, "e", EXPONENT_BYTES_MAX, &e_n);
	if (n == NULL || e == NULL || e_n == 0)
		return 0;
	size_t bits = bits_of(n, n_n);
	bool odd = n_n > 0 && (n[n_n - 1] & 1) != 0 && (e[e_n - 1] & 1) != 0;
	bool good = odd && bits >= JOSE_RSA_BITS_MIN && bits <= JOSE_RSA_BITS_MAX && bits_of(e, e_n) > 1; /* an exponent of 1 signs anything */
	return good ? JOSE_RS256 | JOSE_PS256 : 0;
}

static unsigned ec_fits(struct arena *a, const json_t *key)
{
	size_t x_n, y_n;
	const char *crv = jose_text(key, "crv");
	bool good = crv != NULL && strcmp(crv, "P-256") == 0 && member(a, key, "x", P256_BYTES, &x_n) != NULL && x_n == P256_BYTES &&
		    member(a, key, "y", P256_BYTES, &y_n) != NULL && y_n == P256_BYTES;
	return good ? JOSE_ES256 : 0;
}

/* What the key's owner wants it to be used for (RFC 7517 sections 4.2 to 4.4). */
static unsigned wanted(const json_t *key)
{
	const json_t *use = json_object_get(key, "use"), *ops = json_object_get(key, "key_ops"), *alg = json_object_get(key, "alg");
	bool verify = ops == NULL;
	for (size_t i = 0; i < json_array_size(ops); i++) {
		const char *op = json_string_value(json_array_get(ops, i));
		verify = verify || (op != NULL && strcmp(op, "verify") == 0);
	}
	if (!verify || (use != NULL && (!json_is_string(use) || strcmp(json_string_value(use), "sig") != 0)))
		return 0;
	if (alg == NULL)
		return JOSE_ALL;
	const char *name = json_is_string(alg) ? json_string_value(alg) : "";
	return strcmp(name, "RS256") == 0 ? JOSE_RS256 : strcmp(name, "PS256") == 0 ? JOSE_PS256 : strcmp(name, "ES256") == 0 ? JOSE_ES256 : 0;
}

unsigned jose_key_fits(const json_t *key)
{
	const char *kty = jose_text(key, "kty");
	if (kty == NULL || json_object_get(key, "d") != NULL) /* a private key that was published is anybody's */
		return 0;
	struct arena *a = arena_new(64 * 1024);
	unsigned fits = strcmp(kty, "RSA") == 0 ? rsa_fits(a, key) : strcmp(kty, "EC") == 0 ? ec_fits(a, key) : 0;
	arena_free(a);
	return fits & wanted(key);
}

cjose_jwk_t *jose_key_import(const json_t *key)
{
	static const char *const members[] = {"kty", "n", "e", "crv", "x", "y"};
	cjose_err err;
	json_t *clean = json_object();
	for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
		const char *text = jose_text(key, members[i]);
		if (text != NULL)
			json_object_set_new(clean, members[i], json_string(text));
	}
	cjose_jwk_t *jwk = cjose_jwk_import_json(clean, &err);
	json_decref(clean);
	return jwk;
}

/* ---- certificates ---- */

static X509 *read_der(const void *bytes, size_t n)
{
	const unsigned char *p = bytes, *end = p + n;
	X509 *cert = d2i_X509(NULL, &p, (long)n);
	if (cert != NULL && p != end) {
		X509_free(cert);
		return NULL;
	}
	return cert;
}

static enum err read_certificate(struct scope *s, const void *bytes, size_t n, X509 **ret)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----";
	if (bytes == NULL || n == 0 || n > CERTIFICATE_MAX)
		return scope_fail(s, ERR_BAD_REQUEST, "the certificate is empty or longer than %d bytes", CERTIFICATE_MAX);
	if (memmem(bytes, n, "PRIVATE KEY-----", strlen("PRIVATE KEY-----")) != NULL)
		return scope_fail(s, ERR_BAD_REQUEST, "there is a private key beside the certificate: it is to stay where it is used; take it for known");
	const char *text = memmem(bytes, n, begin, sizeof begin - 1);
	if (text == NULL) {
		*ret = read_der(bytes, n);
	} else {
		size_t rest = n - (size_t)(text - (const char *)bytes) - 1;
		if (memmem(text + 1, rest, begin, sizeof begin - 1) != NULL)
			return scope_fail(s, ERR_BAD_REQUEST, "more than one certificate");
		*ret = x509_parse_cert(arena_strndup(s->arena, bytes, n));
	}
	ERR_clear_error();
	return *ret != NULL ? OK : scope_fail(s, ERR_BAD_REQUEST, "this is no X.509 certificate (DER in base64, or PEM)");
}

static const char *number_text(struct arena *a, EVP_PKEY *key, const char *name, int bytes)
{
	BIGNUM *number = NULL;
	if (!EVP_PKEY_get_bn_param(key, name, &number))
		return NULL;
	int n = bytes > 0 ? bytes : BN_num_bytes(number);
	unsigned char *p = arena_alloc(a, (size_t)n + 1);
	n = BN_bn2binpad(number, p, n);
	BN_free(number);
	return n > 0 ? base64url_encode(a, p, (size_t)n) : NULL;
}

/* NULL: a key of another kind. */
static json_t *key_jwk(struct arena *a, EVP_PKEY *key)
{
	char curve[32];
	if (EVP_PKEY_is_a(key, "RSA")) {
		const char *n = number_text(a, key, OSSL_PKEY_PARAM_RSA_N, 0), *e = number_text(a, key, OSSL_PKEY_PARAM_RSA_E, 0);
		return n != NULL && e != NULL ? json_pack("{s:s, s:s, s:s}", "kty", "RSA", "n", n, "e", e) : NULL;
	}
	if (!EVP_PKEY_is_a(key, "EC") || !EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, curve, sizeof curve, NULL) ||
	    strcmp(curve, SN_X9_62_prime256v1) != 0)
		return NULL;
	const char *x = number_text(a, key, OSSL_PKEY_PARAM_EC_PUB_X, P256_BYTES), *y = number_text(a, key, OSSL_PKEY_PARAM_EC_PUB_Y, P256_BYTES);
	return x != NULL && y != NULL ? json_pack("{s:s, s:s, s:s, s:s}", "kty", "EC", "crv", "P-256", "x", x, "y", y) : NULL;
}

static void describe(struct arena *a, X509 *cert, struct jose_certificate *ret)
{
	unsigned char *der = NULL;
	int n = i2d_X509(cert, &der);
	auto_bio *out = BIO_new(BIO_s_mem());
	char *text = NULL;
	check(n > 0 && out != NULL);
	ret->der = arena_memdup(a, der, (size_t)n);
	ret->der_n = (size_t)n;
	OPENSSL_free(der);
	check(EVP_Q_digest(NULL, "SHA1", NULL, ret->der, ret->der_n, ret->sha1, NULL));
	sha256(ret->der, ret->der_n, ret->sha256);
	snprintf(ret->sha1_text, sizeof ret->sha1_text, "%s", base64url_encode(a, ret->sha1, sizeof ret->sha1));
	snprintf(ret->sha256_text, sizeof ret->sha256_text, "%s", base64url_encode(a, ret->sha256, sizeof ret->sha256));
	ret->not_before_us = x509_time_us(X509_get0_notBefore(cert));
	ret->not_after_us = x509_time_us(X509_get0_notAfter(cert));
	X509_NAME_print_ex(out, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
	long text_n = BIO_get_mem_data(out, &text);
	ret->subject = arena_strndup(a, text_n > 0 ? text : "", text_n > 0 ? (size_t)text_n : 0);
}

enum err jose_certificate(struct scope *s, const void *bytes, size_t n, struct jose_certificate *ret)
{
	auto_cert *cert = NULL;
	*ret = (struct jose_certificate){0};
	TRY(read_certificate(s, bytes, n, &cert));
	EVP_PKEY *key = X509_get0_pubkey(cert);
	json_t *jwk = key != NULL ? key_jwk(s->arena, key) : NULL;
	ERR_clear_error();
	if (jose_key_fits(jwk) == 0) {
		json_decref(jwk);
		return scope_fail(s, ERR_BAD_REQUEST, "the certificate's key must be RSA of %d to %d bits, or P-256", JOSE_RSA_BITS_MIN,
				  JOSE_RSA_BITS_MAX);
	}
	describe(s->arena, cert, ret);
	json_object_set_new(jwk, "kid", json_string(ret->sha256_text));
	ret->jwk = jwk;
	return OK;
}
