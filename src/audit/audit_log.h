/* SPDX-License-Identifier: Apache-2.0
 *
 * The Merkle log over the commitments (RFC 6962 hashing; entries of 33 bytes).  One log per tenant and one for the installation; the
 * origin is "<host of the public URL>/log/<tenant id>".  Events committed but not yet sequenced wait in audit_pending.
 */
#ifndef REEVE_AUDIT_AUDIT_LOG_H
#define REEVE_AUDIT_AUDIT_LOG_H

#include <stdint.h>

#include "base/err.h"
#include "base/scope.h"

/* Drains the pending events of all tenants into their logs, has the keeper sign the heads that grew (one write for all), and stores the
 * checkpoints.  s: a system scope.  *ret_more: call again at once.  Called within one second of each commit, by one server at a time. */
MUST_CHECK enum err audit_sequence(struct scope *s, const char *host, bool *ret_more);
/* Its first half: from pending to tiles, without signing. */
MUST_CHECK enum err audit_integrate(struct scope *s, bool *ret_more);

/* The scope's tenant's last signed checkpoint, or ERR_NOT_FOUND. */
MUST_CHECK enum err audit_checkpoint(struct scope *s, char **ret_note);

/* At start: compares the database's heads with the keeper's.  ERR_CONFLICT with a detail where the database is older than what was
 * signed (it was restored), for the caller to report; the leaves are re-checked against the keeper's root where sizes agree. */
MUST_CHECK enum err audit_check_heads(struct scope *s, const char *host);

char *audit_origin(struct arena *a, const char *host, struct id tenant);

/* Checks one event against its log, from the database: bytes and salt open the commitment, and the commitment is the leaf at its index.
 * ERR_CONFLICT with a detail that names the event. */
MUST_CHECK enum err audit_verify_all(struct scope *s, const char *host, uint64_t *ret_events, uint64_t *ret_leaves);

#endif
