/* SPDX-License-Identifier: Apache-2.0
 *
 * Legal holds: what somebody must keep although it should go.  A hold names its ground, who answers for it and when it is looked at again;
 * its members are people, sections of what is held of a person (record sets), or devices.  While one is open, erasure and retention of its
 * members' data wait, visibly, beside clocks that go on; the audit log alone goes by its retention, and its events about members are copied
 * into the hold's evidence before (evidence.h).  docs/operating/holds.md tells it to operators.
 *
 * The person learns nothing of it: neither exports nor counts hold anything of a hold (privacy/disclosure/quiet.def).
 */
#ifndef REEVE_PRIVACY_HOLD_LEGAL_HOLD_H
#define REEVE_PRIVACY_HOLD_LEGAL_HOLD_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"
#include "privacy/subject.h"
#include "resource/resource.h"

#define LEGAL_HOLD_KEPT_US (30 * DAY_US) /* the hold and its evidence, after its release */
enum { LEGAL_HOLD_MEMBERS_MAX = 500 };

/* Whether a deletion of the subject waits for an open hold.  A person: also where only a record set or a device of theirs is held (the duty
 * waits whole).  A device: its own hold, or one on its person.  A tenant: any open hold of it (subject: the tenant's id). */
MUST_CHECK enum err legal_hold_blocks(struct db_tx *tx, enum subject_type type, struct id subject, bool *ret);
/* SQL that is true of rows `t` of the table that no open hold keeps, for retention: " AND NOT EXISTS (…)", or "". */
const char *legal_hold_unheld(struct arena *a, const struct map_table *t);

/* r: of RES_LEGAL_HOLD.  ERR_BAD_REQUEST: a review date that has passed. */
MUST_CHECK enum err legal_hold_create(struct scope *s, const struct record *r, struct id *ret);
/* A later review date raises its alarm anew.  ERR_CONFLICT: it was released. */
MUST_CHECK enum err legal_hold_patch(struct scope *s, struct id hold, const struct record *r);
/* Its members are free, and what waited for it goes on at once.  ERR_CONFLICT: it was released before. */
MUST_CHECK enum err legal_hold_release(struct scope *s, struct id hold, const char *reason);

struct legal_hold_thing {
	const char *user;     /* id (also of a deleted person) or userPrincipalName; NULL: a device */
	struct id device;
	const json_t *sections; /* of the data map, where only these are held; NULL: all */
};
/* ERR_NOT_FOUND: nothing is left of it; ERR_CONFLICT: it is a member already, is being deleted already, the hold was released or is full;
 * ERR_BAD_REQUEST: no section of the map. */
MUST_CHECK enum err legal_hold_add(struct scope *s, struct id hold, const struct legal_hold_thing *t, struct id *ret);
MUST_CHECK enum err legal_hold_remove(struct scope *s, struct id hold, struct id member);

/* Whether a row is there whose holds or parts are asked for, out of sight or not.  ERR_NOT_FOUND with a detail. */
MUST_CHECK enum err legal_hold_has(struct scope *s, const struct resource *of, struct id key);

/* In the system's scope: review dates that have come (event and alarm, once each), and released holds whose time is over (they go, with their
 * evidence, in batches). */
MUST_CHECK enum err legal_hold_run(struct scope *s, bool *ret_more);

#endif
