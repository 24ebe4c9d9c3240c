/* SPDX-License-Identifier: Apache-2.0
 *
 * Approval by a second person: the requests (Graph: operationApprovalRequest), by the protocol of Intune's multi admin approval.
 *
 *   needsApproval --> approved --> completed
 *        |               |
 *        +---------------+--> rejected, cancelled, expired (three days)
 *
 * A call that a policy protects is refused (ERR_APPROVAL) until it says why it is asked for; then it is a request, and refused once more.
 * Somebody else approves it; the requester sends the very same call again with the request's id, or has the stored one run, and it is carried
 * out once: the request is claimed (approved -> completed) in the transaction of the change, so that neither a crash nor a race does it twice,
 * and a change that fails leaves it approved.  Where a call changes in several transactions, the first one claims.
 *
 * Who approves: a member of a group that the policy names; where it names none (or nobody but the requester is left in them), whoever holds the
 * permission that the call needs.  Never the requester, nor an account that is younger than the request, nor an application, but for the closing
 * of a tenant: an operator may be the second person of a small firm; and where an operator closes, an application of the tenant may be.
 *
 * The call is kept sealed while the request is open, and gone once it is closed; the row goes 30 days later.  Every function that changes is one
 * transaction with its event.
 */
#ifndef REEVE_DIRECTORY_APPROVAL_APPROVAL_H
#define REEVE_DIRECTORY_APPROVAL_APPROVAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "codec/json.h"
#include "db/db.h"
#include "resource/resource.h"

#define APPROVAL_OPEN_US (3 * DAY_US)
#define APPROVAL_KEPT_US (30 * DAY_US)
enum { APPROVAL_JUSTIFICATION_MAX = 1024 }; /* bytes */

enum approval_state {
#define APPROVAL_STATE(name, open) APPROVAL_STATE_##name,
#include "directory/approval/states.def"
	APPROVAL_STATES
};
enum approval_event {
	APPROVAL_approve, APPROVAL_reject, APPROVAL_cancelApproval, APPROVAL_cancelMyRequest, APPROVAL_complete, APPROVAL_expire, APPROVAL_EVENTS
};
const char *approval_state_name(enum approval_state s);
/* Where the event leads from the state; APPROVAL_STATES: nowhere. */
enum approval_state approval_move(enum approval_event e, enum approval_state from);

/* ---- a call that may need approval ---- */

struct approval_call {
	enum activity activity;
	const char *method, *target;    /* as sent: path and query */
	const char *route, *permission; /* of its row */
	const void *body;
	size_t body_len;
	const json_t *json;             /* the body; NULL: none */
	struct id object;               /* what it is aimed at; nil: nothing yet, or nothing that has an id */
	struct id policy, group, application; /* the object, where it is a policy, a group that one may name, or an application that gets a credential */
	const char *upn;                /* the object, where it is a person by name; NULL */
	const char *justification;      /* NULL: the call does not say why */
	const char *code;               /* of an approved request; NULL: none */
	bool provisioning; /* over SCIM, where a provisioning client passes */
};

/* In the scope of the tenant whose policies count (an operator's call about a tenant: that tenant's).
 *   OK, *ret_claim NULL   nothing protects it, or the caller is excluded
 *   OK, *ret_claim        it was approved: put the claim (in the arena) into the scope that does it
 *   ERR_APPROVAL          it needs one.  *ret_request: the request that waits for it; nil: it does not say why it is asked for
 *   ERR_CONFLICT          another request for the same object is open; the code's request was carried out already
 *   ERR_FORBIDDEN         the code is of no request of the caller's, or of another call; the request was rejected, cancelled or has expired
 *   ERR_BAD_REQUEST       an empty justification, or a long one */
MUST_CHECK enum err approval_require(struct scope *s, const struct approval_call *call, const struct scope_claim **ret_claim, struct id *ret_request);
/* After the call has succeeded, whether it changed something or not: its request is completed. */
MUST_CHECK enum err approval_finish(struct scope *s, const struct scope_claim *claim);

/* ---- what people do with requests; s is the tenant's, the actor is who does it ---- */

/* justification: of who decides; NULL: none.  ERR_NOT_FOUND; ERR_FORBIDDEN: the actor may not; ERR_CONFLICT: not in this state. */
MUST_CHECK enum err approval_decide(struct scope *s, struct id request, enum approval_event event, const char *justification);

struct approval_stored {
	const char *method, *target;
	const void *body;
	size_t body_len;
};
/* The call of an open request, for whoever may decide it and for its requester to look at; in the arena.  To anybody else
 * it is not there: ERR_NOT_FOUND.  ERR_CONFLICT once it is closed: the call is gone then. */
MUST_CHECK enum err approval_asked_call(struct scope *s, struct id request, struct approval_stored *ret);
/* The call of an approved request, for its requester to run; in the arena.  ERR_FORBIDDEN for anybody else, ERR_CONFLICT in another state. */
MUST_CHECK enum err approval_stored_call(struct scope *s, struct id request, struct approval_stored *ret);

/* ---- reading ---- */

/* The `more` of a query over RES_APPROVAL_REQUEST: who asked and who decided, what for, and of open ones what it is about.  arg: not NULL where
 * names of people are left out. */
enum err approval_request_more(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id request, void *arg);
/* The open request of an object, or ERR_NOT_FOUND. */
struct approval_open {
	struct id request;
	enum approval_state state;
	int64_t decide_until;
};
MUST_CHECK enum err approval_open_of(struct scope *s, struct id object, struct approval_open *ret);

/* ---- the job's, in the system's scope ---- */

MUST_CHECK enum err approval_run_due(struct scope *s, bool *ret_more);

#endif
