/* SPDX-License-Identifier: Apache-2.0
 *
 * Groups and their members.  Assignments refer to groups (devices/); deleting a group takes its memberships and assignments with it, in
 * one transaction and one event that lists what went.  Members are users; a soft-deleted user stays a member and is not listed.
 */
#ifndef REEVE_DIRECTORY_GROUP_H
#define REEVE_DIRECTORY_GROUP_H

#include "audit/audit.h"
#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"
#include "resource/resource.h"

/* Records are of the resource "group" (record_parse). */
MUST_CHECK enum err group_create(struct scope *s, const struct record *r, struct id *ret);
MUST_CHECK enum err group_patch(struct scope *s, struct id group, const struct record *r);
MUST_CHECK enum err group_delete(struct scope *s, struct id group);

/* ERR_NOT_FOUND: no such group or visible user; ERR_BAD_REQUEST: a member already (as Graph answers). */
MUST_CHECK enum err group_add_member(struct scope *s, struct id group, struct id user);
/* ERR_NOT_FOUND: no such group, or no member of it. */
MUST_CHECK enum err group_remove_member(struct scope *s, struct id group, struct id user);

/* ---- in the caller's transaction, for changes of several things at once ---- */

/* The changes of one event: what is appended here, and who it is about where it is one member and nothing else. */
struct group_change {
	struct id group;
	const char *name;                    /* as it is now; set by group_change_begin */
	struct audit_change *changes, **tail;
	size_t added, removed, unlisted;     /* members; unlisted: of them, those for which the event has no room */
	bool row;                            /* the group's own properties changed */
	struct id member;                    /* the last one that was added or removed */
};
MUST_CHECK enum err group_create_in(struct db_tx *tx, const struct record *r, struct group_change *c);
MUST_CHECK enum err group_change_begin(struct db_tx *tx, struct id group, struct group_change *c);
MUST_CHECK enum err group_change_row(struct db_tx *tx, struct group_change *c, const struct record *r);
/* ERR_NOT_FOUND: no visible user.  A member that is there already, or is none, changes nothing. */
MUST_CHECK enum err group_change_add(struct db_tx *tx, struct group_change *c, struct id user);
MUST_CHECK enum err group_change_remove(struct db_tx *tx, struct group_change *c, struct id user);
MUST_CHECK enum err group_delete_in(struct db_tx *tx, struct id group);
/* The event, where anything changed; a new group is ACT_GROUP_CREATE. */
MUST_CHECK enum err group_change_end(struct db_tx *tx, struct group_change *c, bool created);

/* OK where the group is there: for lists of what belongs to it. */
MUST_CHECK enum err group_exists(struct scope *s, struct id group);
/* In a transaction of a higher layer: the group is there.  *ret_name (may be NULL) in the arena. */
MUST_CHECK enum err group_load(struct db_tx *tx, struct id group, const char **ret_name);

#endif
