/* SPDX-License-Identifier: Apache-2.0
 *
 * The Merkle log over the commitments (RFC 6962 hashing; entries of 33 bytes).  One log per tenant and one for the installation.  Events
 * committed but not yet sequenced wait in audit_pending.
 *
 * A log's name is "<tenant id>"; its origin "<host of the public URL>/log/<name>".  Where the database turns out to be older than what was
 * signed (it was restored, or a replica that lost commits was promoted) the log goes on under a new name, "<tenant id>.<generation>": same
 * leaves as far as they are left, a new origin, and an event that names the last head under the old one.  docs/decisions/0009.
 */
#ifndef REEVE_AUDIT_LOG_LOG_H
#define REEVE_AUDIT_LOG_LOG_H

#include <stdint.h>

#include "base/err.h"
#include "base/scope.h"
#include "db/db.h"

/* ---- names ---- */

/* "<tenant>", or "<tenant>.<generation>" from the second generation on. */
char *audit_log_name(struct arena *a, struct id tenant, unsigned generation);
/* "<host>/log/<name>" */
char *audit_origin_of(struct arena *a, const char *host, struct id tenant, unsigned generation);

/* ---- reading ---- */

struct audit_head_info {
	uint64_t size;        /* leaves in the tiles */
	uint64_t signed_size; /* of the newest published checkpoint; 0: none */
	unsigned generation;  /* of the origin that is signed now */
	char *checkpoint;     /* that checkpoint, in the arena; NULL: none was published in this generation yet */
	int64_t signed_at;    /* 0: never */
};
/* The scope's tenant's log.  ERR_NOT_FOUND without a detail: nothing has been sequenced yet. */
MUST_CHECK enum err audit_head(struct scope *s, struct audit_head_info *ret);
/* The same in the caller's transaction, so that tiles read beside it are of the same moment. */
MUST_CHECK enum err audit_head_tx(struct db_tx *tx, struct audit_head_info *ret);

/* The scope's tenant's newest published checkpoint, or ERR_NOT_FOUND. */
MUST_CHECK enum err audit_checkpoint(struct scope *s, char **ret_note);

/* ---- growing and signing ---- */

/* Drains the pending events of all tenants into their logs, has the keeper sign the heads that grew (one write for all), and publishes the
 * checkpoints.  s: a system scope.  *ret_more: call again at once.  Called within one second of each commit, by one server at a time; two
 * at once do no harm (docs/decisions/0009). */
MUST_CHECK enum err audit_sequence(struct scope *s, const char *host, bool *ret_more);
/* The same where several servers share the database: nothing is published unless the lease still has this holder and number. */
struct audit_fence {
	const char *lease;
	struct id holder;
	int64_t number;
};
MUST_CHECK enum err audit_sequence_fenced(struct scope *s, const char *host, const struct audit_fence *fence, bool *ret_more);
/* Its first half: from pending to tiles, without signing. */
MUST_CHECK enum err audit_integrate(struct scope *s, bool *ret_more);

/* ---- a database that went back ---- */

/* At start, and when a server takes over from another: compares every log of the database with what this keeper has signed, puts back
 * tiles that are missing above the commitments, and gives each log whose database went back its new origin and its event.  Loud about each.
 * What cannot be repaired is loud, too, and not signed; it does not fail the call. */
MUST_CHECK enum err audit_check_heads(struct scope *s, const char *host);

/* A witness has seen a larger size of the log's generation than we ever signed as far as we know: both database and keeper went back.  New
 * origin and event (which names the witness), unless the log has gone on to another generation or to that size meanwhile.  s: a scope of the
 * log's tenant with the system as actor.  *ret_restored may be NULL. */
MUST_CHECK enum err audit_restored_by_witness(struct scope *s, const char *host, unsigned generation, uint64_t witness_size,
					      const char *witness, bool *ret_restored);

/* ---- checking ---- */

/* Checks every event of the scope's tenant against its log, from the database: bytes and salt open the commitment, and the tree over the
 * commitments is the one that was signed; then audit_check_rows().  ERR_CONFLICT with a detail that names the first bad index or event. */
MUST_CHECK enum err audit_verify_all(struct scope *s, const char *host, uint64_t *ret_events, uint64_t *ret_leaves);
/* What lists show is what the log holds: each row of the tenant's events has its place (or waits for it), and its columns say what its bytes
 * say.  ERR_CONFLICT with a detail that names the event.  (A device's id as the actor stands in no bytes and is not compared.) */
MUST_CHECK enum err audit_check_rows(struct scope *s);

#endif
