/* SPDX-License-Identifier: Apache-2.0
 * Judging certificates.  A client certificate is accepted only where all of this holds at the given time: its chain of
 * signatures ends in one of our authorities, it says clientAuth in so many words, and its subject names one device and
 * one tenant.  The TLS library is asked for none of it. */
#include <string.h>

#include "base/clock.h"
#include "crypto/digest.h"
#include "crypto/x509_inner.h"

/* The one value of a kind in the subject, as an id; nil where there is none, more than one, or no id. */
static struct id subject_id(const X509 *cert, int nid)
{
	struct id id = {{0}};
	X509_NAME *name = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(name, nid, -1);
	if (at < 0 || X509_NAME_get_index_by_NID(name, nid, at) >= 0)
		return id;
	const ASN1_STRING *value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
	char text[ID_TEXT];
	if (ASN1_STRING_length(value) != ID_TEXT - 1)
		return id;
	memcpy(text, ASN1_STRING_get0_data(value), ID_TEXT - 1);
	text[ID_TEXT - 1] = '\0';
	if (!id_parse(text, &id))
		return (struct id){{0}};
	return id;
}

static void read_info(const X509 *cert, struct x509_info *ret)
{
	*ret = (struct x509_info){.device = subject_id(cert, NID_commonName),
				  .tenant = subject_id(cert, NID_organizationName)};
	ret->not_before_us = x509_time_us(X509_get0_notBefore(cert));
	ret->not_after_us = x509_time_us(X509_get0_notAfter(cert));
	x509_digest(cert, ret->fingerprint);
}

enum err x509_read(struct scope *s, const char *cert_pem, struct x509_info *ret)
{
	auto_cert *cert = x509_parse_cert(cert_pem);
	if (cert == NULL)
		return scope_fail(s, ERR_BAD_REQUEST, "this is no certificate in PEM");
	read_info(cert, ret);
	return OK;
}

bool x509_key_matches(const char *cert_pem, const char *key_pem)
{
	auto_cert *cert = x509_parse_cert(cert_pem);
	auto_key *key = x509_parse_key(key_pem);
	bool match = cert != NULL && key != NULL && X509_check_private_key(cert, key) == 1;
	ERR_clear_error();
	return match;
}

/* Every certificate of the PEM text as a trust anchor; NULL where there is none. */
static X509_STORE *make_store(const char *ca_pem)
{
	X509_STORE *store = X509_STORE_new();
	auto_bio *bio = x509_text_bio(ca_pem);
	int count = 0;
	X509 *ca;
	while (store != NULL && bio != NULL && (ca = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		count += X509_STORE_add_cert(store, ca) == 1;
		X509_free(ca);
	}
	ERR_clear_error(); /* "no start line" at the end of the text */
	if (count > 0)
		return store;
	X509_STORE_free(store);
	return NULL;
}

static const char *refusal(int code, int depth)
{
	switch (code) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return depth == 0 ? "the client certificate has expired"
				  : "the issuer of the client certificate has expired";
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return "the client certificate is not yet valid";
	case X509_V_ERR_INVALID_PURPOSE:
	case X509_V_ERR_INVALID_CA:
		return "the certificate's usage is not that of a client";
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		return "the client certificate has an unknown issuer";
	default:
		return NULL;
	}
}

struct window {
	int64_t from_us, until_us;
};

/* When all certificates of a good chain are valid. */
static struct window chain_window(X509_STORE_CTX *ctx)
{
	struct window w = {INT64_MIN, INT64_MAX};
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);
	for (int i = 0; i < sk_X509_num(chain); i++) {
		int64_t from = x509_time_us(X509_get0_notBefore(sk_X509_value(chain, i)));
		int64_t until = x509_time_us(X509_get0_notAfter(sk_X509_value(chain, i)));
		w.from_us = from == INT64_MIN ? INT64_MAX : from > w.from_us ? from : w.from_us;
		w.until_us = until < w.until_us ? until : w.until_us;
	}
	return w;
}

static enum err verify_chain(struct scope *s, X509_STORE *store, X509 *cert, int64_t now_us, struct window *ret)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	if (ctx == NULL || X509_STORE_CTX_init(ctx, store, cert, NULL) != 1) {
		X509_STORE_CTX_free(ctx);
		return scope_fail(s, ERR_INTERNAL, "the certificate library has no memory");
	}
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(param, (time_t)(now_us / SECOND_US));
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
	X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_CLIENT);
	bool good = X509_verify_cert(ctx) == 1;
	int code = X509_STORE_CTX_get_error(ctx), depth = X509_STORE_CTX_get_error_depth(ctx);
	if (good)
		*ret = chain_window(ctx);
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	if (good)
		return OK;
	const char *why = refusal(code, depth);
	if (why != NULL)
		return scope_fail(s, ERR_UNAUTHENTICATED, "%s", why);
	return scope_fail(s, ERR_UNAUTHENTICATED, "the client certificate is refused: %s",
			  X509_verify_cert_error_string(code));
}

static enum err check_client(struct scope *s, const char *ca_pem, const void *der, size_t n, int64_t now_us,
			     struct x509_info *ret, struct window *ret_window)
{
	const unsigned char *at = der;
	auto_cert *cert = n > 0 && n <= PEM_MAX ? d2i_X509(NULL, &at, (long)n) : NULL;
	ERR_clear_error();
	if (cert == NULL || at != (const unsigned char *)der + n)
		return scope_fail(s, ERR_UNAUTHENTICATED, "the client certificate cannot be read");
	X509_STORE *store = make_store(ca_pem);
	if (store == NULL)
		return scope_fail(s, ERR_INTERNAL, "no certificate authority to check a client against");
	enum err e = verify_chain(s, store, cert, now_us, ret_window);
	X509_STORE_free(store);
	if (e != OK)
		return e;
	/* The library takes a certificate that says nothing of its usage for one of any usage; we do not. */
	if ((X509_get_extension_flags(cert) & EXFLAG_XKUSAGE) == 0 ||
	    (X509_get_extended_key_usage(cert) & XKU_SSL_CLIENT) == 0)
		return scope_fail(s, ERR_UNAUTHENTICATED, "the certificate's usage is not that of a client");
	read_info(cert, ret);
	if (id_is_nil(ret->device) || id_is_nil(ret->tenant))
		return scope_fail(s, ERR_UNAUTHENTICATED, "the client certificate names no device");
	return OK;
}

enum err x509_check_client(struct scope *s, const char *ca_pem, const void *der, size_t n, int64_t now_us,
			   struct x509_info *ret)
{
	uint8_t key[SHA256_BYTES];
	struct window window;
	x509_seen_key(ca_pem, der, n, key);
	if (x509_seen(key, now_us, ret))
		return OK;
	TRY(check_client(s, ca_pem, der, n, now_us, ret, &window));
	x509_seen_add(key, window.from_us, window.until_us, ret);
	return OK;
}
