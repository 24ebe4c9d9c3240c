/* SPDX-License-Identifier: Apache-2.0
 *
 * The certificate of an erasure: canonical JSON (docs/formats/certificate.md), signed with the keeper's Ed25519 key,
 * its hash in the audit log.  It names no person: the subject is a keyed reference that only this installation can
 * recompute.
 *
 * Issuing is erasure's business; checking is pure and needs no server.
 */
#ifndef REEVE_PRIVACY_CERTIFICATE_H
#define REEVE_PRIVACY_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "codec/json.h"
#include "crypto/sign.h"
#include "db/db.h"

/* Whether the signature is the key's, over exactly these bytes.  Pure. */
bool certificate_verify(const void *body, size_t n, const uint8_t signature[ED25519_SIGNATURE_BYTES],
			const uint8_t public_key[ED25519_KEY_BYTES]);

/* What a checked file says, for people; text in the scope's arena. */
struct certificate_summary {
	char id[ID_TEXT], duty[ID_TEXT];
	/* public_key: base64, the one that it was checked against */
	const char *issuer, *trigger, *subject_type, *issued, *public_key;
	bool deadline_met;
};

/* Checks the JSON that the API gives for one certificate: {"id", "dutyId", "issuedDateTime", "certificate": {…},
 * "body": base64 of the exact bytes, "signature": base64, "publicKey": base64}.  public_key (may be NULL): the issuer's
 * key from a place that the caller trusts; without it the file's own key is used, which shows that the file is whole,
 * not who wrote it. ERR_BAD_REQUEST with a detail: not such a file, or it was changed (signature, or what is shown
 * differs from what is signed). */
MUST_CHECK enum err certificate_check_file(struct scope *s, const char *json, size_t n, const uint8_t *public_key,
					   struct certificate_summary *ret);

/* ---- the API's ---- */

/* The members certificate, body, signature and publicKey of a stored one, into an open object.  ERR_NOT_FOUND. */
MUST_CHECK enum err certificate_write(struct db_tx *tx, struct json_writer *w, struct id certificate);

#endif
