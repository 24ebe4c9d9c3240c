/* SPDX-License-Identifier: Apache-2.0
 *
 * What witnesses (C2SP tlog-witness) have cosigned of the logs.  Rows of audit_cosignatures: of each witness its last, and besides those the lines
 * of the newest checkpoints, because a quorum is reached at one checkpoint and witnesses are not equally fast.
 */
#ifndef REEVE_AUDIT_LOG_WITNESS_H
#define REEVE_AUDIT_LOG_WITNESS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/scope.h"
#include "tlog/merkle.h"
#include "tlog/policy.h"

/* A log's newest checkpoint. */
struct audit_signed {
	struct id tenant;
	unsigned generation;
	uint64_t size;
	const char *checkpoint; /* in the arena */
};
/* A page of the logs that were signed at `since` or later, by tenant from `after` on; as many as *ret_n is below max means that it was the last.
 * s: a system scope. */
MUST_CHECK enum err audit_signed_since(struct scope *s, int64_t since, struct id after, struct audit_signed *out, size_t max, size_t *ret_n);

/* The proof that a witness asks for, between two sizes of the scope's tenant's log, old_size not 0. */
MUST_CHECK enum err audit_consistency(struct scope *s, uint64_t old_size, uint64_t size, struct merkle_proof *ret);

struct audit_cosignature {
	unsigned generation;
	uint64_t size;
	const char *witness;    /* its name in the policy */
	const char *checkpoint; /* the note with the log's own signature only */
	const char *line;       /* the cosignature's, without its newline */
	int64_t at;             /* reading: when it was stored */
};
/* Stores one that was verified.  Without effect where the log is gone or has gone on to another generation. */
MUST_CHECK enum err audit_cosignature_store(struct scope *s, const struct policy *p, const struct audit_cosignature *c);
/* The last of each witness in the log's current generation, in the arena. */
MUST_CHECK enum err audit_cosignatures_last(struct scope *s, struct audit_cosignature **ret, size_t *ret_n);

#endif
