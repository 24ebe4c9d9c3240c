/* SPDX-License-Identifier: Apache-2.0
 * Inside crypto/ only: what making and judging certificates share. */
#ifndef REEVE_CRYPTO_X509_INNER_H
#define REEVE_CRYPTO_X509_INNER_H

#include "crypto/openssl.h"
#include "crypto/x509.h"

enum { PEM_MAX = 256 * 1024 }; /* the largest PEM text that is looked at */

/* Cleanup attributes for the library's objects. */
void x509_cert_release(X509 **p);
void x509_key_release(EVP_PKEY **p);
void x509_request_release(X509_REQ **p);
void x509_bio_release(BIO **p);
#define auto_cert __attribute__((cleanup(x509_cert_release))) X509
#define auto_key __attribute__((cleanup(x509_key_release))) EVP_PKEY
#define auto_request __attribute__((cleanup(x509_request_release))) X509_REQ
#define auto_bio __attribute__((cleanup(x509_bio_release))) BIO

BIO *x509_text_bio(const char *pem);    /* NULL for NULL or more than PEM_MAX */
X509 *x509_parse_cert(const char *pem); /* NULL where there is none; never asks for a passphrase */
EVP_PKEY *x509_parse_key(const char *pem);
X509_REQ *x509_parse_request(const char *pem);
char *x509_cert_pem(struct arena *a, X509 *cert);
char *x509_key_pem(struct arena *a, EVP_PKEY *key); /* PKCS#8 */
char *x509_request_pem(struct arena *a, X509_REQ *request);
int64_t x509_time_us(const ASN1_TIME *t); /* INT64_MIN where it cannot be read */
void x509_digest(const X509 *cert, uint8_t fingerprint[32]);

/* x509_seen.c: client certificates that were found good, by a hash of the authorities and the certificate. */
void x509_seen_key(const char *ca_pem, const void *der, size_t n, uint8_t out[32]);
bool x509_seen(const uint8_t key[32], int64_t now_us, struct x509_info *ret);
/* The window is the part of time in which every certificate of the chain is valid. */
void x509_seen_add(const uint8_t key[32], int64_t from_us, int64_t until_us, const struct x509_info *info);

#endif
