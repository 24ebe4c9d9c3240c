/* SPDX-License-Identifier: Apache-2.0
 *
 * Telling others: recipients (GDPR Art. 19) and what is on its way to them.  A notice is a row for one recipient, or one person, written in
 * the transaction of the change that it tells about; a job sends it (jobs/), with growing pauses, until it is delivered or has failed,
 * loudly.  What was sent loses its text; that it was sent stays, as evidence, for three years.
 *
 * A tenant's recipients are told of its own things; those of the installation (the nil tenant) of the installation's.
 */
#ifndef REEVE_NOTICE_NOTICE_H
#define REEVE_NOTICE_NOTICE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"

/* ---- in the transaction of what they tell about; the tenant is the scope's ---- */

/* To every recipient that receives alarms.  what: a word for programs ("dutyOverdue"); about: the thing, nil for none; text: a sentence in
 * plain English, without names of people (it leaves the house).  No recipient: OK, nothing happens. */
MUST_CHECK enum err notice_alarm(struct db_tx *tx, const char *what, struct id about, const char *text);

/* To every recipient that receives erasures: this person (by id and userPrincipalName, as the recipient knows them) is erased here, and
 * is to be erased there.  Called while the person's row is still there.  A second call for the same duty: OK, nothing happens.  requested_at:
 * when the erasure was asked for. */
MUST_CHECK enum err notice_erasure(struct db_tx *tx, struct id duty, struct id person, int64_t requested_at);

/* A mail to the person's own address (users.mail, else the userPrincipalName).  A person without one, or who is gone: OK, nothing happens. */
MUST_CHECK enum err notice_person(struct db_tx *tx, struct id user, const char *subject, const char *text);

/* ---- for the certificate ---- */

struct notice_state {
	struct id recipient;
	const char *name, *kind, *state; /* kind: webhook, mail, auditSink; state: waiting, delivered, failed; in the arena */
	int64_t delivered_at;            /* 0: not (yet) */
};
/* What became of the notices of a duty, in the arena, and the sinks of the audit log: they are told by the duty's own events, in the order of
 * the log; delivered is one that has passed the duty's newest event. */
MUST_CHECK enum err notice_of_duty(struct db_tx *tx, struct id duty, struct notice_state **ret, size_t *ret_n);

#endif
