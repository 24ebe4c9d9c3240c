/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit log: writing events.  audit_record() writes an event in the transaction of its change (I1): if it cannot be written, the
 * change does not happen.  What a change is stands in activities.def.  An event's canonical bytes are JSON, written once and never
 * re-serialised; what stands for them in the log is in commitment.h.  Reading is in audit_read.h, retention in
 * audit_retention.h, the Merkle log and its signed heads in log/, what leaves the house in out/.
 */
#ifndef REEVE_AUDIT_AUDIT_H
#define REEVE_AUDIT_AUDIT_H

#include <stdbool.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"

enum activity {
	ACT_NONE, /* a route that changes nothing */
#define ACTIVITY(name, category, type, operation, component, display) ACT_##name,
#include "audit/activities.def"
#undef ACTIVITY
	ACT_COUNT
};

struct activity_info {
	const char *name, *category, *type, *operation, *component, *display;
};
const struct activity_info *activity_info(enum activity a);

/* One changed property.  table/column: where it stands, so that the data map says whether its values may be carried (MAP_AUDIT_CHANGED
 * carries "[changed]" for both, MAP_AUDIT_NEVER drops the entry); NULL table: the values are carried as they are. */
struct audit_change {
	const char *name;       /* the public property name */
	const char *table, *column;
	const char *old_value, *new_value; /* text; NULL: none */
	struct audit_change *next;
};

struct audit_event {
	enum activity activity;
	const char *resource_type; /* "ManagedDevice", "User" … */
	struct id resource;
	const char *resource_name; /* display name as it is now; may be NULL */
	struct id subject;         /* the person whom it is about; nil: nobody */
	const struct audit_change *changes;
	const char *failure;       /* NULL: Success; else the reason, and the result is "Failure" */
};

/* In the transaction of the change.  The tenant, actor, time and correlation come from the transaction's scope, which has a tenant: the
 * installation's own log is that of the nil tenant. */
MUST_CHECK enum err audit_record(struct db_tx *tx, const struct audit_event *e);
/* The same, for who has to find the event again. */
MUST_CHECK enum err audit_record_as(struct db_tx *tx, const struct audit_event *e, struct id *ret_event);

/* A refused or failed attempt, in its own transaction.  Never fails the caller: what cannot be written is logged and counted. */
void audit_refused(struct scope *s, const struct audit_event *e);

/* Appends to a list that keeps its order; values are copied into the arena. */
struct audit_change **audit_change_add(struct arena *a, struct audit_change **tail, const char *name, const char *table, const char *column,
				       const char *old_value, const char *new_value);

#endif
