/* SPDX-License-Identifier: Apache-2.0
 *
 * Approval by a second person, in the gate: after the permission and before the handler.  The protocol is that of Intune's multi admin approval:
 *
 *   a call that is protected            403 ApprovalRequired
 *   x-msft-approval-justification       Base64 of the reason: 403 ApprovalRequired, x-msft-approval-code: the request that waits now
 *   x-msft-approval-code                of an approved request, with the very same call: it is carried out, once
 */
#ifndef REEVE_API_APPROVAL_H
#define REEVE_API_APPROVAL_H

#include "api/api.h"

#define APPROVAL_CODE_HEADER "x-msft-approval-code"
#define APPROVAL_JUSTIFICATION_HEADER "x-msft-approval-justification"

/* OK: the handler may run; c->s.claim is then set where it runs because it was approved.  Else an error of approval_require(), and the header. */
MUST_CHECK enum err approval_check(struct call *c);
/* After the handler has succeeded.  ERR_CONFLICT: it had nothing to change, and another execution has used the approval. */
MUST_CHECK enum err approval_done(struct call *c);

#endif
