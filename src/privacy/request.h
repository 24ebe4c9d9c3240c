/* SPDX-License-Identifier: Apache-2.0
 *
 * A data-subject request: a case from its receipt to its closing, with the clock of its regime (GDPR Art. 12 and 15 to 21; CCPA).
 *
 *   received --> verified --> discovered --> decided --> delivered --> closed
 *       |            |            |             |
 *       +------------+------------+-------------+--> (refused) closed
 *
 * One engine (request_move) does every transition as a compare-and-set with its event in one transaction (request_states.def).  A case
 * belongs to one tenant and never reaches into another.  Contact and statement are sealed by the keeper; the contact goes when the case is
 * closed, the row 24 months after that (11 CCR § 7101).
 *
 * Alarms at 50, 80 and 100 percent of the clock are events, metrics and what lists show first.
 */
#ifndef REEVE_PRIVACY_REQUEST_H
#define REEVE_PRIVACY_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"

enum { REQUEST_CONTACT_MAX = 320, REQUEST_STATEMENT_MAX = 8192, REQUEST_GROUND_MAX = 1024 };

/* ---- opening ---- */

struct request_order {
	const char *type, *regime, *channel;  /* as in the schema; regime NULL: "gdpr" */
	const char *user;                     /* an id or a userPrincipalName, also of a soft-deleted person (by id); NULL: not known yet */
	const char *contact, *statement;      /* may be NULL */
	bool on_behalf;
	int64_t received_at;                  /* 0: now; never in the future, at most 400 days ago (a letter that lay about) */
};
/* ERR_BAD_REQUEST with a detail; ERR_NOT_FOUND where `user` names nobody. */
MUST_CHECK enum err request_open(struct scope *s, const struct request_order *o, struct id *ret);

/* ---- its way ---- */

/* Whom it is about, once known.  Not after the decision. */
MUST_CHECK enum err request_set_subject(struct scope *s, struct id request, const char *user);
/* How it was established that the person asks: a method of the schema.  received -> verified. */
MUST_CHECK enum err request_verify(struct scope *s, struct id request, const char *method);
/* Counts what is held, per section (no content).  verified -> discovered. */
MUST_CHECK enum err request_discover(struct scope *s, struct id request);
/* decision: grant, redacted, withheld, refused; the last three need a reason of reasons.def (OFFICER) and a legal ground.  An access or portability
 * case that is not refused asks for its export (export.h); an erasure opens its duty (user_delete, permanently); a restriction restricts
 * (directory/restriction.h); rectification and objection need `outcome`: what was or will be done and where (a device's data is corrected on the
 * device, directory data in the directory).  discovered -> decided (refused: -> closed, after its letter). */
struct request_decision {
	const char *decision, *reason, *ground, *outcome;
};
MUST_CHECK enum err request_decide(struct scope *s, struct id request, const struct request_decision *d);
/* Tells the person, with the reason, that it takes longer; only before the first due date, once. */
MUST_CHECK enum err request_extend(struct scope *s, struct id request, const char *reason);
/* The answer was handed over (by a download, a storage location, by hand): decided -> delivered.  sha256 of what was handed over, NULL where
 * it is no file.  In the caller's transaction, for export's download. */
MUST_CHECK enum err request_delivered_tx(struct db_tx *tx, struct id request, const uint8_t *sha256);
/* delivered (or decided, where nothing is to be delivered) -> closed. */
MUST_CHECK enum err request_close(struct scope *s, struct id request, const char *outcome);

/* ---- what others ask of cases ---- */

/* Whether an access or portability case of the person is open whose copy was not delivered: then a deletion waits, but never past its own
 * deadline. */
MUST_CHECK enum err request_delays_erasure(struct db_tx *tx, struct id user, bool *ret);

/* ---- jobs; s is the system's scope ---- */

/* Raises the alarms that are due and closes what ran out (codes); a step of at most 100 cases. */
MUST_CHECK enum err request_alarms(struct scope *s, bool *ret_more);
/* Open cases, and those past their due date, of all tenants (metrics). */
MUST_CHECK enum err request_counts(struct scope *s, uint64_t *ret_open, uint64_t *ret_overdue);

#endif
