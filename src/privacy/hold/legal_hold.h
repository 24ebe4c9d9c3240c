/* SPDX-License-Identifier: Apache-2.0
 *
 * Legal holds: what somebody must keep although it should go.  A hold names its ground, who answers for it and when it is looked at again;
 * its members are people, devices, or sections of what is held of a person.  While one is open, erasure and retention of its members' data
 * wait, visibly, beside clocks that go on.  docs/operating/holds.md tells it to operators.
 */
#ifndef REEVE_PRIVACY_HOLD_LEGAL_HOLD_H
#define REEVE_PRIVACY_HOLD_LEGAL_HOLD_H

#include <stdbool.h>

#include "base/err.h"
#include "base/id.h"
#include "db/db.h"
#include "privacy/subject.h"

/* Whether a deletion of the subject waits for an open hold.  A person: also where only a record set of theirs is held (the duty waits whole).
 * A device: its own hold, or one on its person.  A tenant: any open hold of it (subject: the tenant's id). */
MUST_CHECK enum err legal_hold_blocks(struct db_tx *tx, enum subject_type type, struct id subject, bool *ret);

#endif
