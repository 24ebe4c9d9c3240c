/* SPDX-License-Identifier: Apache-2.0
 * The local certificate authority (RFC 5280): ECDSA P-256 keys and certificates.  All PEM text is in the arena. */
#ifndef REEVE_CRYPTO_X509_H
#define REEVE_CRYPTO_X509_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/scope.h"

struct x509_pair {
	char *key_pem, *cert_pem;
};

struct x509_name {
	const char *common_name;
	const char *const *dns; /* NULL-terminated, may be NULL; subject alternative names */
	const char *const *ip;
};

/* Certificates begin one hour before now.  ERR_BAD_REQUEST: a common name that is not 1 to 64 bytes of UTF-8, a bad
 * host name or address.  ERR_INTERNAL: the library has no memory, or the CA's text cannot be read.  A pair's cert_pem
 * may hold further certificates after the first, which is the one that is meant. */
MUST_CHECK enum err x509_make_ca(struct arena *a, const char *common_name, int64_t now_us, int days,
				 struct x509_pair *ret);
MUST_CHECK enum err x509_make_server(struct arena *a, const struct x509_pair *ca, const struct x509_name *name,
				     int64_t now_us, int days, struct x509_pair *ret);

/* Signs a device's PKCS#10 request.  Its own signature is checked; its subject is ignored: the certificate's subject is
 * CN=<device id>, O=<tenant id>, extended key usage clientAuth.  It never outlives the CA: look at *ret_not_after_us.
 * Key types: P-256, P-384, Ed25519, RSA of 2048 to 8192 bits.
 * ERR_BAD_REQUEST with a detail. */
MUST_CHECK enum err x509_sign_request(struct scope *s, const struct x509_pair *ca, const char *csr_pem,
				      struct id tenant, struct id device, int days, char **ret_cert_pem,
				      uint8_t ret_fingerprint[32], int64_t *ret_not_after_us);

/* A P-256 key and a request for it (agent). */
MUST_CHECK enum err x509_make_request(struct arena *a, const char *common_name, char **ret_key_pem, char **ret_csr_pem);

struct x509_info {
	uint8_t fingerprint[32];  /* SHA-256 of the DER */
	struct id device, tenant; /* from CN and O; nil where they are no ids */
	int64_t not_before_us, not_after_us;
};
/* Reads a DER certificate and checks that it chains to one of the CAs (PEM, one or more) at the given time, for
 * clientAuth.  ERR_UNAUTHENTICATED with a detail: unknown issuer, expired, not yet valid, wrong usage, names no device
 * and tenant. */
MUST_CHECK enum err x509_check_client(struct scope *s, const char *ca_pem, const void *der, size_t n, int64_t now_us,
				      struct x509_info *ret);
/* Reads a PEM certificate without judging it. */
MUST_CHECK enum err x509_read(struct scope *s, const char *cert_pem, struct x509_info *ret);
/* Whether a PEM key belongs to the PEM certificate (first of a chain). */
bool x509_key_matches(const char *cert_pem, const char *key_pem);

#endif
