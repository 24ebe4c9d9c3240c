/* SPDX-License-Identifier: Apache-2.0
 *
 * How a device proves who it is: certificates of the server's own CA, known by their SHA-256.  One lives for a year and
 * is to be renewed after two thirds of it; the old one works until the new one is first used.  A revoked one never
 * works again.  One whose device's record is gone may still fetch the action that is owed, and nothing else.
 */
#ifndef REEVE_DEVICES_CERTIFICATE_H
#define REEVE_DEVICES_CERTIFICATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "crypto/digest.h"
#include "db/db.h"

enum { DEVICE_CERTIFICATE_DAYS = 365 };

struct device_identity {
	struct id device;
	bool owed_only;
	struct id owed_action;  /* nil unless owed_only */
	const char *owed_name;  /* "retire", "wipe"; in the arena */
	int64_t issued_at, expires_at;
};

/* For the gate: who a checked certificate is.  s is bound to the tenant that the certificate's O= names.
 * ERR_UNAUTHENTICATED with a detail: unknown, revoked, expired, or of a device that is being erased and owes nothing.
 */
MUST_CHECK enum err device_identify(struct scope *s, const uint8_t fingerprint[SHA256_BYTES],
				    struct device_identity *ret);
/* The same in a transaction. */
MUST_CHECK enum err certificate_load(struct db_tx *tx, const uint8_t fingerprint[SHA256_BYTES],
				     struct device_identity *ret);

int64_t certificate_renew_before(int64_t issued_at, int64_t expires_at);

struct issued_certificate {
	char *cert_pem, *ca_pem; /* in the arena */
	uint8_t fingerprint[SHA256_BYTES];
	int64_t expires_at;
};
/* Signs a device's request; no transaction may be open (signing takes time). */
MUST_CHECK enum err certificate_sign(struct scope *s, const char *csr_pem, struct id device,
				     struct issued_certificate *ret);
MUST_CHECK enum err certificate_insert(struct db_tx *tx, struct id device, const struct issued_certificate *c);

/* A new certificate for a new key, with its event.  ERR_FORBIDDEN for an identity that only owes an action. */
MUST_CHECK enum err device_renew(struct scope *s, struct id device, const uint8_t fingerprint[SHA256_BYTES],
				 const char *csr_pem, struct issued_certificate *ret);

/* This certificate is in use: older ones of the device end. */
MUST_CHECK enum err certificate_supersede(struct db_tx *tx, struct id device, const uint8_t fingerprint[SHA256_BYTES],
					  int64_t issued_at);
MUST_CHECK enum err certificate_revoke_all(struct db_tx *tx, struct id device);

#endif
