/* SPDX-License-Identifier: Apache-2.0
 * Making certificates: the authority's own, a server's, a device's.  P-256 keys, SHA-256, RFC 5280 profile.  A
 * certificate begins one hour before now (clocks of devices differ) and never outlives the authority that signed it. */
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "crypto/x509_inner.h"

enum { SERIAL_BYTES = 20, NAME_MAX_BYTES = 64 /* RFC 5280, ub-common-name */, DNS_MAX_BYTES = 253 };

/* Frees a certificate that could not be finished. */
static X509 *drop(X509 *cert)
{
	X509_free(cert);
	ERR_clear_error();
	return NULL;
}

static bool set_serial(X509 *cert)
{
	uint8_t bytes[SERIAL_BYTES];
	random_bytes(bytes, sizeof bytes);
	bytes[0] &= 0x7f; /* positive: 159 random bits */
	BIGNUM *n = BN_bin2bn(bytes, sizeof bytes, NULL);
	bool good = n != NULL && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) != NULL;
	BN_free(n);
	return good;
}

static bool set_validity(X509 *cert, const X509 *issuer, int64_t now_us, int days)
{
	int64_t end = now_us + days * DAY_US;
	if (issuer != NULL && x509_time_us(X509_get0_notAfter(issuer)) < end)
		end = x509_time_us(X509_get0_notAfter(issuer));
	return ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)((now_us - HOUR_US) / SECOND_US)) != NULL &&
	       ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)(end / SECOND_US)) != NULL;
}

static bool add_name(X509_NAME *name, int nid, const char *text)
{
	return X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0) == 1;
}

static bool name_fits(const char *text)
{
	return text != NULL && text[0] != '\0' && strlen(text) <= NAME_MAX_BYTES;
}

/* Extensions by the library's own notation; only ever our own constants, never text from outside. */
static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, issuer != NULL ? issuer : cert, cert, NULL, NULL, 0);
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool good = ext != NULL && X509_add_ext(cert, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return good;
}

/* Everything but the subject and what is special to a kind.  issuer NULL: signs itself. */
static X509 *begin(EVP_PKEY *subject_key, X509 *issuer, int64_t now_us, int days)
{
	X509 *cert = X509_new();
	if (cert == NULL || X509_set_version(cert, X509_VERSION_3) != 1 || !set_serial(cert) ||
	    !set_validity(cert, issuer, now_us, days) || X509_set_pubkey(cert, subject_key) != 1)
		return drop(cert);
	if (issuer != NULL && X509_set_issuer_name(cert, X509_get_subject_name(issuer)) != 1)
		return drop(cert);
	return cert;
}

static bool finish(X509 *cert, X509 *issuer, EVP_PKEY *issuer_key)
{
	return add_extension(cert, issuer, NID_subject_key_identifier, "hash") &&
	       add_extension(cert, issuer, NID_authority_key_identifier, "keyid:always") &&
	       X509_sign(cert, issuer_key, EVP_sha256()) > 0;
}

enum err x509_make_ca(struct arena *a, const char *common_name, int64_t now_us, int days, struct x509_pair *ret)
{
	if (!name_fits(common_name))
		return ERR_BAD_REQUEST;
	auto_key *key = EVP_EC_gen("P-256");
	auto_cert *cert = key != NULL ? begin(key, NULL, now_us, days) : NULL;
	if (cert == NULL)
		return ERR_INTERNAL;
	X509_NAME *name = X509_get_subject_name(cert);
	if (!add_name(name, NID_commonName, common_name) || X509_set_issuer_name(cert, name) != 1 ||
	    !add_extension(cert, NULL, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
	    !add_extension(cert, NULL, NID_key_usage, "critical,keyCertSign,cRLSign") || !finish(cert, NULL, key)) {
		ERR_clear_error();
		return ERR_BAD_REQUEST; /* all that is not ours here is the name: not UTF-8 */
	}
	ret->key_pem = x509_key_pem(a, key);
	ret->cert_pem = x509_cert_pem(a, cert);
	return ret->key_pem != NULL && ret->cert_pem != NULL ? OK : ERR_INTERNAL;
}

/* ---- servers ---- */

static bool dns_valid(const char *s)
{
	size_t n = strlen(s);
	if (n == 0 || n > DNS_MAX_BYTES)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && s[i] != '-' && s[i] != '.' && s[i] != '_' &&
		    !(s[i] == '*' && i == 0))
			return false;
	return true;
}

static bool add_alternative(GENERAL_NAMES *names, int type, const void *p, int n)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_STRING *value = type == GEN_DNS ? ASN1_IA5STRING_new() : ASN1_OCTET_STRING_new();
	if (name == NULL || value == NULL || ASN1_STRING_set(value, p, n) != 1) {
		GENERAL_NAME_free(name);
		ASN1_STRING_free(value);
		return false;
	}
	GENERAL_NAME_set0_value(name, type, value);
	if (sk_GENERAL_NAME_push(names, name) > 0)
		return true;
	GENERAL_NAME_free(name);
	return false;
}

static bool add_address(GENERAL_NAMES *names, const char *text)
{
	unsigned char ip[16];
	if (inet_pton(AF_INET, text, ip) == 1)
		return add_alternative(names, GEN_IPADD, ip, 4);
	return inet_pton(AF_INET6, text, ip) == 1 && add_alternative(names, GEN_IPADD, ip, 16);
}

static bool add_alternatives(X509 *cert, const struct x509_name *name)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	bool good = names != NULL;
	for (const char *const *d = name->dns; good && d != NULL && *d != NULL; d++)
		good = dns_valid(*d) && add_alternative(names, GEN_DNS, *d, (int)strlen(*d));
	for (const char *const *i = name->ip; good && i != NULL && *i != NULL; i++)
		good = add_address(names, *i);
	if (good && sk_GENERAL_NAME_num(names) > 0)
		good = X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1;
	GENERAL_NAMES_free(names);
	return good;
}

enum err x509_make_server(struct arena *a, const struct x509_pair *ca, const struct x509_name *name, int64_t now_us,
			  int days, struct x509_pair *ret)
{
	auto_cert *issuer = x509_parse_cert(ca->cert_pem);
	auto_key *issuer_key = x509_parse_key(ca->key_pem);
	auto_key *key = EVP_EC_gen("P-256");
	if (issuer == NULL || issuer_key == NULL || key == NULL)
		return ERR_INTERNAL;
	auto_cert *cert = begin(key, issuer, now_us, days);
	if (cert == NULL)
		return ERR_INTERNAL;
	if (!name_fits(name->common_name) ||
	    !add_name(X509_get_subject_name(cert), NID_commonName, name->common_name) ||
	    !add_alternatives(cert, name)) {
		ERR_clear_error();
		return ERR_BAD_REQUEST;
	}
	if (!add_extension(cert, issuer, NID_basic_constraints, "critical,CA:FALSE") ||
	    !add_extension(cert, issuer, NID_key_usage, "critical,digitalSignature") ||
	    !add_extension(cert, issuer, NID_ext_key_usage, "serverAuth") || !finish(cert, issuer, issuer_key)) {
		ERR_clear_error();
		return ERR_INTERNAL;
	}
	ret->key_pem = x509_key_pem(a, key);
	ret->cert_pem = x509_cert_pem(a, cert);
	return ret->key_pem != NULL && ret->cert_pem != NULL ? OK : ERR_INTERNAL;
}

/* ---- devices ---- */

/* Curves with parameters of their own are refused: verifiers differ on them. */
static bool curve_allowed(EVP_PKEY *key)
{
	char group[32] = "";
	int explicit_parameters = 1;
	if (EVP_PKEY_get_group_name(key, group, sizeof group, NULL) != 1 ||
	    EVP_PKEY_get_int_param(key, "decoded-from-explicit", &explicit_parameters) != 1)
		return false;
	return explicit_parameters == 0 && (strcmp(group, "prime256v1") == 0 || strcmp(group, "secp384r1") == 0);
}

/* An RSA key above 8192 bits would only serve to keep the server busy. */
static bool key_allowed(EVP_PKEY *key)
{
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_EC:
		return curve_allowed(key);
	case EVP_PKEY_ED25519:
		return true;
	case EVP_PKEY_RSA:
		return EVP_PKEY_get_bits(key) >= 2048 && EVP_PKEY_get_bits(key) <= 8192;
	default:
		return false;
	}
}

static bool name_device(X509 *cert, struct id tenant, struct id device)
{
	char text[ID_TEXT];
	X509_NAME *name = X509_get_subject_name(cert);
	return add_name(name, NID_organizationName, id_format(tenant, text)) &&
	       add_name(name, NID_commonName, id_format(device, text));
}

static enum err check_request(struct scope *s, X509_REQ *request, EVP_PKEY *key)
{
	if (request == NULL || key == NULL)
		return scope_fail(s, ERR_BAD_REQUEST,
				  "the certificate request is not a readable PKCS#10 request in PEM");
	if (!key_allowed(key))
		return scope_fail(s, ERR_BAD_REQUEST,
				  "the request's key must be P-256, P-384, Ed25519 or RSA of 2048 to 8192 bits");
	if (X509_REQ_verify(request, key) != 1)
		return scope_fail(s, ERR_BAD_REQUEST, "the certificate request is not signed by its own key");
	return OK;
}

enum err x509_sign_request(struct scope *s, const struct x509_pair *ca, const char *csr_pem, struct id tenant,
			   struct id device, int days, char **ret_cert_pem, uint8_t ret_fingerprint[32],
			   int64_t *ret_not_after_us)
{
	auto_request *request = x509_parse_request(csr_pem);
	EVP_PKEY *key = request != NULL ? X509_REQ_get0_pubkey(request) : NULL; /* belongs to the request */
	enum err e = check_request(s, request, key);
	ERR_clear_error();
	if (e != OK)
		return e;
	auto_cert *issuer = x509_parse_cert(ca->cert_pem);
	auto_key *issuer_key = x509_parse_key(ca->key_pem);
	if (issuer == NULL || issuer_key == NULL)
		return scope_fail(s, ERR_INTERNAL, "the certificate authority's key or certificate cannot be read");
	auto_cert *cert = begin(key, issuer, s->now, days);
	if (cert == NULL || !name_device(cert, tenant, device) ||
	    !add_extension(cert, issuer, NID_basic_constraints, "critical,CA:FALSE") ||
	    !add_extension(cert, issuer, NID_key_usage, "critical,digitalSignature") ||
	    !add_extension(cert, issuer, NID_ext_key_usage, "clientAuth") || !finish(cert, issuer, issuer_key)) {
		ERR_clear_error();
		return scope_fail(s, ERR_INTERNAL, "the certificate could not be made");
	}
	*ret_cert_pem = x509_cert_pem(s->arena, cert);
	x509_digest(cert, ret_fingerprint);
	*ret_not_after_us = x509_time_us(X509_get0_notAfter(cert));
	return *ret_cert_pem != NULL ? OK : scope_fail(s, ERR_INTERNAL, "the certificate could not be written");
}

enum err x509_make_request(struct arena *a, const char *common_name, char **ret_key_pem, char **ret_csr_pem)
{
	if (!name_fits(common_name))
		return ERR_BAD_REQUEST;
	auto_key *key = EVP_EC_gen("P-256");
	auto_request *request = X509_REQ_new();
	if (key == NULL || request == NULL ||
	    !add_name(X509_REQ_get_subject_name(request), NID_commonName, common_name) ||
	    X509_REQ_set_pubkey(request, key) != 1 || X509_REQ_sign(request, key, EVP_sha256()) <= 0) {
		ERR_clear_error();
		return ERR_INTERNAL;
	}
	*ret_key_pem = x509_key_pem(a, key);
	*ret_csr_pem = x509_request_pem(a, request);
	return *ret_key_pem != NULL && *ret_csr_pem != NULL ? OK : ERR_INTERNAL;
}
