/* SPDX-License-Identifier: Apache-2.0
 * What the files of directory/approval/ share. */
#ifndef REEVE_DIRECTORY_APPROVAL_INTERNAL_H
#define REEVE_DIRECTORY_APPROVAL_INTERNAL_H

#include "crypto/digest.h"
#include "directory/approval/approval.h"
#include "directory/approval/policy.h"

#define PERMISSION_TO_CLOSE "Organization.ReadWrite.All" /* in the tenant, of whom may be the second person to an operator */

struct request {
	struct id request, requested_by, user, attempt;
	unsigned profiles;
	enum approval_state state;
	enum actor_type requester;
	const char *operation, *route, *permission;
	int64_t requested_at, decide_until;
	const void *call_hash, *sealed_call, *justification, *answer; /* NULL: none */
	size_t call_hash_n, sealed_call_n, justification_n, answer_n;
};

/* ERR_NOT_FOUND with a detail. */
MUST_CHECK enum err approval_load(struct db_tx *tx, struct id request, struct request *ret);
/* An open request whose time is over counts as expired, also before the job came by. */
enum approval_state approval_state_now(const struct request *r, int64_t now);
/* ERR_CONFLICT with a detail that says the state. */
enum err approval_wrong_state(struct scope *s, const struct request *r);

/* Compare-and-set with its event.  justification: NULL for none; claim: of APPROVAL_complete, else NULL.  ERR_CONFLICT: somebody was faster. */
struct approval_step {
	enum approval_event event;
	const char *justification;
	const struct scope_claim *claim;
};
MUST_CHECK enum err approval_step(struct db_tx *tx, const struct request *r, const struct approval_step *step);

/* Whether the scope's actor may approve it, and so reject it or take the approval back: OK or ERR_FORBIDDEN with the reason. */
MUST_CHECK enum err approval_may_decide(struct db_tx *tx, const struct request *r);
/* Tells them, and the recipients of alarms. */
MUST_CHECK enum err approval_tell_approvers(struct db_tx *tx, const struct request *r);

/* The stored call: what was sent, and what it was aimed at. */
struct call_text {
	const char *method, *target;
	const void *body;
	size_t body_len;
	struct id object;
};
const void *approval_call_seal(struct scope *s, const struct call_text *c, size_t *ret_n);
bool approval_call_unseal(struct scope *s, const struct request *r, struct call_text *ret);
void approval_call_hash(const struct call_text *c, uint8_t out[SHA256_BYTES]);
/* What no two open requests share: of the object, or of the call where that is nil. */
void approval_object_key(const struct call_text *c, uint8_t out[SHA256_BYTES]);

const char *approval_actor_type(enum actor_type t); /* NULL: nobody who asks for approvals */

#endif
