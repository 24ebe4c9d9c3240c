/* SPDX-License-Identifier: Apache-2.0
 * PEM text and library objects, both ways.  The library's error queue is emptied after each refusal, so that no later
 * call reads an old reason. */
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "crypto/digest.h"
#include "crypto/x509_inner.h"

void x509_cert_release(X509 **p)
{
	X509_free(*p);
}

void x509_key_release(EVP_PKEY **p)
{
	EVP_PKEY_free(*p);
}

void x509_request_release(X509_REQ **p)
{
	X509_REQ_free(*p);
}

void x509_bio_release(BIO **p)
{
	BIO_free(*p);
}

BIO *x509_text_bio(const char *pem)
{
	size_t n = pem != NULL ? strnlen(pem, PEM_MAX + 1) : 0;
	return n == 0 || n > PEM_MAX ? NULL : BIO_new_mem_buf(pem, (int)n);
}

/* Without this the library would ask on the terminal for the passphrase of an encrypted key. */
static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	return -1;
}

X509 *x509_parse_cert(const char *pem)
{
	auto_bio *bio = x509_text_bio(pem);
	X509 *cert = bio != NULL ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;
	ERR_clear_error();
	return cert;
}

EVP_PKEY *x509_parse_key(const char *pem)
{
	auto_bio *bio = x509_text_bio(pem);
	EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
	ERR_clear_error();
	return key;
}

X509_REQ *x509_parse_request(const char *pem)
{
	auto_bio *bio = x509_text_bio(pem);
	X509_REQ *request = bio != NULL ? PEM_read_bio_X509_REQ(bio, NULL, no_passphrase, NULL) : NULL;
	ERR_clear_error();
	return request;
}

/* What was written into a memory BIO, as text of the arena; the library's copy is wiped (it may be a key). */
static char *take(struct arena *a, BIO *bio)
{
	char *p = NULL;
	long n = BIO_get_mem_data(bio, &p);
	if (n <= 0)
		return NULL;
	char *text = arena_strndup(a, p, (size_t)n);
	wipe(p, (size_t)n);
	return text;
}

char *x509_cert_pem(struct arena *a, X509 *cert)
{
	auto_bio *bio = BIO_new(BIO_s_mem());
	return bio != NULL && PEM_write_bio_X509(bio, cert) == 1 ? take(a, bio) : NULL;
}

char *x509_key_pem(struct arena *a, EVP_PKEY *key)
{
	auto_bio *bio = BIO_new(BIO_s_mem());
	return bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1 ? take(a, bio)
												      : NULL;
}

char *x509_request_pem(struct arena *a, X509_REQ *request)
{
	auto_bio *bio = BIO_new(BIO_s_mem());
	return bio != NULL && PEM_write_bio_X509_REQ(bio, request) == 1 ? take(a, bio) : NULL;
}

int64_t x509_time_us(const ASN1_TIME *t)
{
	struct tm tm;
	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) * SECOND_US : INT64_MIN;
}

void x509_digest(const X509 *cert, uint8_t fingerprint[32])
{
	unsigned char *der = NULL;
	int n = i2d_X509(cert, &der);
	check(n > 0);
	sha256(der, (size_t)n, fingerprint);
	OPENSSL_free(der);
}
