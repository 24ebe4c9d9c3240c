/* SPDX-License-Identifier: Apache-2.0
 *
 * A data-subject request: a case from its receipt to its closing, with the clock of its regime (GDPR Art. 12 and 15 to 21; CCPA).
 *
 *   received --> verified --> discovered --> decided --> delivered --> closed
 *       |            |            |
 *       +------------+------------+--> (refused) closed
 *
 * One engine (request_move) does every transition as a compare-and-set with its event in one transaction (states.def).  A case
 * belongs to one tenant and never reaches into another.  Contact and statement are sealed by the keeper; both go when the case is
 * closed, the row 24 months after that (11 CCR § 7101; retention.h).
 *
 * Alarms at 50, 80 and 100 percent of the clock are events, log lines, metrics and what lists show first.  An extension sets a new end and so a new
 * clock: its alarms are raised once more.
 *
 * Every function that changes is one transaction with its events.  ERR_NOT_FOUND: the tenant has no such case; ERR_CONFLICT: the case is not in a
 * state that allows it, or somebody else was quicker; ERR_BAD_REQUEST with a detail that holds no value.
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

enum {
	REQUEST_CONTACT_MAX = 320,
	REQUEST_STATEMENT_MAX = 8192,
	REQUEST_TEXT_MAX = 1024,      /* a ground, an outcome, the reason of an extension */
	REQUEST_AGE_DAYS_MAX = 400,   /* of a letter that lay about */
	REQUEST_KEPT_MONTHS = 24,     /* after closing */
	REQUEST_CLOSES_DAYS = 30,     /* after delivery, by itself */
};

enum request_state {
#define STATE(name, runs, meaning) REQUEST_##name,
#define MOVE(from, to)
#include "privacy/request/states.def"
#undef STATE
#undef MOVE
	REQUEST_STATE_COUNT
};
const char *request_state_name(enum request_state s);
bool request_runs(enum request_state s); /* its clock does */
bool request_may_move(enum request_state from, enum request_state to);

/* ---- opening ---- */

struct request_order {
	const char *type, *regime, *channel;  /* as in the schema; regime NULL: "gdpr"; channel NULL: "api" */
	const char *user;                     /* an id or a userPrincipalName, also of a soft-deleted person (by id); NULL: not known yet */
	const char *contact, *statement;      /* NULL or "": none; contact: a mail address */
	bool on_behalf;
	int64_t received_at;                  /* 0: now; never in the future, at most REQUEST_AGE_DAYS_MAX ago */
};
/* ERR_BAD_REQUEST; ERR_NOT_FOUND where `user` names nobody.  Queues the receipt, but for the channel "portal": a stranger's address gets a code
 * first. */
MUST_CHECK enum err request_open(struct scope *s, const struct request_order *o, struct id *ret);

/* ---- its way ---- */

/* Whom it is about, once known; not after the decision.  What was counted is forgotten, and where the case was about somebody else the check of the
 * identity is, too.  ERR_CONFLICT while decisions on what to disclose about the one before stand. */
MUST_CHECK enum err request_set_subject(struct scope *s, struct id request, const char *user);
/* How it was established that the person asks: a method of the schema.  received -> verified. */
MUST_CHECK enum err request_verify(struct scope *s, struct id request, const char *method);
/* Counts what is held, per section of the export (no content); nothing where nobody is known.  verified -> discovered; again: counted again. */
MUST_CHECK enum err request_discover(struct scope *s, struct id request);
/* decision: grant, redacted, withheld, refused; the last three need a reason of reasons.def (ANSWER) and a legal ground.  Erasure and restriction
 * are granted or refused.
 *   refused                  from any state before the decision -> closed, after its letter
 *   access, portability      asks for the export (export.h); again where that failed or ran out before it was fetched
 *   erasure                  deletes the account and opens its duty; the job below moves the case on when the deletion is done
 *   restriction              restricts (directory/restriction.h) -> delivered
 *   rectification, objection, and a case about nobody whom the directory knows: `outcome` says what was or will be done, and where
 * discovered -> decided. */
struct request_decision {
	const char *decision, *reason, *ground, *outcome;
};
MUST_CHECK enum err request_decide(struct scope *s, struct id request, const struct request_decision *d);
/* Tells the person, with the reason, that it takes longer; only before the first due date, once. */
MUST_CHECK enum err request_extend(struct scope *s, struct id request, const char *reason);
/* Both in the transaction of an export of the case; where that is not its whole answer (a copy for the organisation, chosen sections), or the case
 * is not `decided`: OK, nothing happens.
 * The export that the decision asked for is complete: tells the person. */
MUST_CHECK enum err request_answer_ready_tx(struct db_tx *tx, struct id request, struct id operation);
/* It was handed over (by a download, at a storage location): decided -> delivered, with the SHA-256 of the file. */
MUST_CHECK enum err request_delivered_tx(struct db_tx *tx, struct id request, struct id operation, const uint8_t *sha256);
/* By hand: an officer gave it over outside.  ERR_CONFLICT while the export is not complete. */
MUST_CHECK enum err request_deliver(struct scope *s, struct id request);
/* delivered, or decided where nothing is to be delivered -> closed.  outcome may be NULL: the decision's. */
MUST_CHECK enum err request_close(struct scope *s, struct id request, const char *outcome);

/* What may be corrected of an open case; NULL: left as it is.  Another contact has to be verified anew. */
struct request_patch {
	const char *contact, *statement; /* "": none */
	const bool *on_behalf;
	int64_t acknowledged_at;         /* when a receipt was given by hand; 0: left; never in the future, nor before the receipt of the case */
};
MUST_CHECK enum err request_patch(struct scope *s, struct id request, const struct request_patch *p);

/* ---- what others ask of cases ---- */

/* What a row does not say by itself. */
struct request_view {
	bool overdue, acknowledgement_overdue;
	int64_t percent;                 /* of the clock: up to delivery, to closing, or to now; may be over 100 */
	int64_t erasure_deadline;        /* of the person's open duty to be deleted, or of the case's own; 0: none */
	const char *contact, *statement; /* unsealed, in the arena; NULL */
	const char *erasure_salt;        /* of the case's own duty: with it and the person's id the certificates' reference can be computed; hex, NULL */
};
MUST_CHECK enum err request_view(struct db_tx *tx, struct id request, struct request_view *ret);

/* Whether an access or portability case of the person is open whose copy was not delivered: then a deletion waits, but never past its own
 * deadline. */
MUST_CHECK enum err request_delays_erasure(struct db_tx *tx, struct id user, bool *ret);

/* ---- jobs; s is the system's scope.  Each does a step of at most 100 cases ---- */

/* Raises the alarms that are due. */
MUST_CHECK enum err request_alarms(struct scope *s, bool *ret_more);
/* Moves on what finishes by itself: erasures whose duty is done -> delivered; what was delivered REQUEST_CLOSES_DAYS ago -> closed. */
MUST_CHECK enum err request_finish_due(struct scope *s, bool *ret_more);
/* Open cases, and those past their due date, of all tenants (metrics). */
MUST_CHECK enum err request_counts(struct scope *s, uint64_t *ret_open, uint64_t *ret_overdue);

#endif
