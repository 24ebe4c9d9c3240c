/* SPDX-License-Identifier: Apache-2.0
 *
 * Roles of a tenant's own making.  Built-in ones are as they are (ERR_FORBIDDEN), one that somebody holds cannot be deleted (ERR_CONFLICT), and
 * nobody puts into a role what they do not hold over the whole tenant.
 */
#ifndef REEVE_DIRECTORY_ACCESS_ROLE_CHANGE_H
#define REEVE_DIRECTORY_ACCESS_ROLE_CHANGE_H

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"
#include "resource/resource.h"

/* The record is of the resource "unifiedRoleDefinition"; permissions: names with a space between, each of a tenant (permissions.def), at least one;
 * in a patch NULL leaves them.  ERR_BAD_REQUEST with the name that is unknown; ERR_EXISTS: another role has this name. */
MUST_CHECK enum err role_create(struct scope *s, const struct record *r, const char *permissions, struct id *ret);
MUST_CHECK enum err role_patch(struct scope *s, struct id role, const struct record *r, const char *permissions);
MUST_CHECK enum err role_delete(struct scope *s, struct id role);

#endif
