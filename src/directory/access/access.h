/* SPDX-License-Identifier: Apache-2.0
 *
 * What a principal may do.  A principal (a person, a program) holds roles by assignments: to itself, to groups that it is a member of; an
 * application also by its own roleDefinitionId.  An assignment holds over the whole tenant, or for the members of one group (its scope).
 * Everything here reads rows; who may hand out what is access/rule.h, the assignments themselves are access/assignment.h.
 */
#ifndef REEVE_DIRECTORY_ACCESS_ACCESS_H
#define REEVE_DIRECTORY_ACCESS_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"

/* One role that a principal holds, in the arena. */
struct access_grant {
	struct id assignment;      /* nil: an application's own role, or the operator's access to a tenant */
	struct id role, group;     /* group: through whose membership; nil: directly */
	struct id scope_group;     /* for whose members; nil: the whole tenant */
	const char *role_name, *permissions;
};
struct access {
	const struct access_grant *grants;
	size_t n;
};

/* What the principal holds now, in the transaction's tenant: one statement.  type: ACTOR_APPLICATION (ACTOR_OPERATOR in the nil tenant) or
 * ACTOR_USER.  Whether the principal is enabled is the caller's question.  Somebody without roles has no grants. */
MUST_CHECK enum err access_load(struct db_tx *tx, enum actor_type type, struct id principal, struct access **ret);

/* The union of all its permissions, a list as in a role, in the arena; "" for none. */
const char *access_permissions(const struct access *a, struct arena *arena);

/* Whether it allows what a route requires ("" nothing, "A", "A|B" one of them).  *ret_only: NULL where a grant over the whole tenant does,
 * else the groups of all scoped grants that do. */
bool access_allows(const struct access *a, const char *required, struct arena *arena, const struct scope_groups **ret_only);

/* The same for an actor: by its access, or, where it has none (a provisioning client, a published log), by its list of permissions. */
bool actor_allows(const struct actor *actor, const char *required, struct arena *arena, const struct scope_groups **ret_only);

/* Fills id, name, upn, permissions and access of a person who is enabled and visible; ERR_UNAUTHENTICATED with a detail otherwise.  type becomes
 * ACTOR_USER; ip, application and session are left alone.  Asked at every request of a session or a delegated token. */
MUST_CHECK enum err access_of_user(struct db_tx *tx, struct id user, struct actor *ret);

#endif
