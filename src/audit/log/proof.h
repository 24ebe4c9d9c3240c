/* SPDX-License-Identifier: Apache-2.0
 * Proofs of one event. */
#ifndef REEVE_AUDIT_LOG_PROOF_H
#define REEVE_AUDIT_LOG_PROOF_H

#include "base/err.h"
#include "base/scope.h"

/* The .tlog-proof of an event of the scope's tenant (tlog/proof.h) in the arena, under the newest checkpoint that covers it: one with
 * cosignatures where there is one.  ERR_NOT_FOUND: no such event; ERR_UNAVAILABLE: it is not under a signed checkpoint yet (within a second).
 * O(log n) tiles are read. */
MUST_CHECK enum err audit_proof(struct scope *s, struct id event, char **ret);

#endif
