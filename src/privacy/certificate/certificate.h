/* SPDX-License-Identifier: Apache-2.0
 *
 * The certificates of an erasure: canonical JSON (docs/formats/certificate.md), signed with the keeper's Ed25519 key, the hash of each in
 * the audit log.  A duty has two: that active data is gone, and that the last copy is gone.  They name no person: the subject is a salted
 * reference that whoever knows the salt and the subject's id can compute again, and nobody else.
 *
 * Issuing is erasure's business (erasure/certificate_issue.c).  Checking and printing are pure and need no server.
 */
#ifndef REEVE_PRIVACY_CERTIFICATE_H
#define REEVE_PRIVACY_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "codec/json.h"
#include "crypto/digest.h"
#include "crypto/sign.h"
#include "db/db.h"
#include "keeper/keeper.h"

#define CERTIFICATE_FORMAT "reeve/erasure-certificate/v2"
#define CERTIFICATE_ACTIVE "activeData" /* no row, no byte in the store */
#define CERTIFICATE_COPIES "copies"     /* nothing is left that a backup could bring back */

enum { CERTIFICATE_SALT_BYTES = 32, CERTIFICATE_FILE_MAX = 2 * 1024 * 1024 };

/* ---- checking, offline ---- */

/* Whether the signature is the key's, over exactly these bytes. */
bool certificate_verify(const void *body, size_t n, const uint8_t signature[ED25519_SIGNATURE_BYTES],
			const uint8_t public_key[ED25519_KEY_BYTES]);

/* What a checked file says, for people; text in the scope's arena. */
struct certificate_summary {
	char id[ID_TEXT], duty[ID_TEXT], tenant[ID_TEXT];
	/* public_key: base64, the one that it was checked against */
	const char *kind, *issuer, *trigger, *subject_type, *issued, *public_key;
	uint8_t reference[SHA256_BYTES];
	bool deadline_met;
	/* The file carries the event of the audit log that holds its hash, and the proof that this event is in the log. */
	bool in_log;
	const char *log;
	uint64_t index, size;
};

/* Checks the JSON that the API gives for one certificate: {"id", "dutyId", "kind", "issuedDateTime", "certificate": {…}, "body": base64 of the
 * exact bytes, "signature": base64, "publicKey": base64, "logEvent": base64, "logProof": a tlog-proof}; the last two may be missing or
 * null together.  public_key (may be NULL): the issuer's key from a place that the caller trusts; without it the file's own key is used,
 * which shows that the file is whole, not who wrote it.  ERR_BAD_REQUEST with a detail: not such a file, or it was changed (signature, log
 * proof, or what is shown differs from what is signed). */
MUST_CHECK enum err certificate_check_file(struct scope *s, const char *json, size_t n, const uint8_t *public_key,
				struct certificate_summary *ret);

/* HMAC-SHA256(key = salt, "reeve/erasure-subject/v1\n" || tenant id || subject id), ids as 16 bytes each. */
void certificate_reference(const uint8_t salt[CERTIFICATE_SALT_BYTES], struct id tenant, struct id subject, uint8_t ret[SHA256_BYTES]);

/* ---- printing ---- */

/* A page for paper of a file that was checked; whole, no script. */
void certificate_page(struct buf *out, const json_t *file);

/* ---- the server's ---- */

/* The salt of a duty's reference: of the keeper's secret, so that nothing about the subject has to be stored to give it out again.  For who
 * may read the case that the deletion answers. */
void certificate_salt(struct keeper *k, struct id duty, uint8_t ret[CERTIFICATE_SALT_BYTES]);

/* The members kind, certificate, body, signature, publicKey, logEvent and logProof of a stored one, into an open object.  ERR_NOT_FOUND. */
MUST_CHECK enum err certificate_write(struct db_tx *tx, struct json_writer *w, struct id certificate);

/* Keeps event and proof beside certificates that have none yet and whose event is under a signed checkpoint by now, so that the proof outlives
 * the event.  In the system's scope; *ret_more: some are left that can be tried at once. */
MUST_CHECK enum err certificate_prove_due(struct scope *s, bool *ret_more);

#endif
