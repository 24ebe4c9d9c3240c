/* SPDX-License-Identifier: Apache-2.0
 *
 * Which users changed since a place in the audit log.  Every change of a user is an event in its transaction, and events are read in the log's
 * order (audit_tail.h): nothing is missed that was committed late, and no index of changes is kept beside the log.
 *
 * A person who was erased is known here by the id that their events hold, and by nothing else: from events of the last USER_DELTA_DAYS
 * days, whatever a token says, and no longer than the log keeps them.
 */
#ifndef REEVE_DIRECTORY_USER_DELTA_H
#define REEVE_DIRECTORY_USER_DELTA_H

#include "audit/audit_tail.h"
#include "base/err.h"
#include "base/id.h"
#include "db/db.h"

enum { USER_DELTA_DAYS = 7 };

struct user_delta {
	struct audit_tail tail; /* in: from, generation, most; out: as audit_tail() */
	struct id *users;       /* out: each once, in the arena */
	size_t n;
};

MUST_CHECK enum err user_delta(struct db_tx *tx, struct user_delta *io);

#endif
