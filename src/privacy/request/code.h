/* SPDX-License-Identifier: Apache-2.0
 *
 * One-time codes: who holds one reads the mail of the case's address.  Eight digits, good for 15 minutes and five attempts, at most five an hour
 * for a case; what is stored is an HMAC under the keeper's key.  An attempt on an unknown case does and answers the same as a wrong code.
 */
#ifndef REEVE_PRIVACY_REQUEST_CODE_H
#define REEVE_PRIVACY_REQUEST_CODE_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"

#define REQUEST_CODE_US (15 * MINUTE_US)
enum { REQUEST_CODE_DIGITS = 8, REQUEST_CODE_ATTEMPTS = 5, REQUEST_CODES_AN_HOUR = 5 };

/* In the system's scope: the tenant of a case that is not closed; false where there is none. */
MUST_CHECK enum err request_tenant(struct scope *s, struct id request, bool *ret_known, struct id *ret_tenant);

/* Sends a code to the address of the case.  No such case, no address, closed, too many this hour: OK, and nothing is sent. */
MUST_CHECK enum err request_code_send(struct scope *s, struct id request);
/* Whether the code is right: then it is used up, the contact is verified, and a case in `received` has its identity checked by contactCode where the
 * address is one that the organisation knew (an officer's entry, the person's own on record).  A stranger who gives a name and an address of their own
 * has proved the address only: an officer checks whose it is.  text: as it was typed; spaces and dashes do not count. */
MUST_CHECK enum err request_code_check(struct scope *s, struct id request, const char *text, bool *ret_right);

/* After a right code: what a page carries to the next one instead of the code, until it runs out (30 minutes).  In the arena. */
char *request_pass(struct scope *s, struct id request);
bool request_pass_holds(struct scope *s, struct id request, const char *pass);

#endif
