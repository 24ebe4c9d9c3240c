/* SPDX-License-Identifier: Apache-2.0
 *
 * Who holds which role: assignments to people, groups and applications, over the whole tenant or for the members of one group.  Each change is
 * one transaction with its event, under the rules of access/rule.h.  An assignment that follows an identity provider's claims is made and
 * ended by assignment_follow() alone.
 */
#ifndef REEVE_DIRECTORY_ACCESS_ASSIGNMENT_H
#define REEVE_DIRECTORY_ACCESS_ASSIGNMENT_H

#include <stddef.h>

#include "audit/audit.h"
#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"

/* principal: a visible user, a group or an application of the tenant; scope_group nil: over the whole tenant.  ERR_BAD_REQUEST where one of them
 * is not there, ERR_EXISTS where the principal holds just that already.  A caller whose own right is limited to groups gives roles to members of
 * those groups only. */
MUST_CHECK enum err assignment_create(struct scope *s, struct id role, struct id principal, struct id scope_group, struct id *ret);
/* ERR_NOT_FOUND; ERR_CONFLICT for the last administrator, and for one that follows an identity provider. */
MUST_CHECK enum err assignment_delete(struct scope *s, struct id assignment);

/* As Graph's directoryScopeId: "/" or "/groups/{id}", in the arena. */
MUST_CHECK enum err assignment_scope(struct db_tx *tx, struct id assignment, const char **ret);

/* What a provider's claims say a person holds, at a sign-in, in its transaction: rows of this provider become exactly these, with an event for
 * each difference.  The provider's mapping is the grant: whoever wrote it had to hold the roles (access_may_give), so nothing is asked here.
 * The last administrator's role stays. */
struct assignment_wanted {
	struct id role, scope_group;
};
MUST_CHECK enum err assignment_follow(struct db_tx *tx, struct id user, struct id provider, const struct assignment_wanted *wanted, size_t n);

/* With a principal that goes (an application, a group): its assignments; with a group that was a scope: those, too.  They are appended to the
 * changes of the caller's event, where tail is given. */
MUST_CHECK enum err assignment_drop_principal(struct db_tx *tx, struct id principal, struct audit_change ***tail);

#endif
