/* SPDX-License-Identifier: Apache-2.0
 *
 * Permissions and roles.  A permission is a name of permissions.def; a role is a row of a tenant that lists names, separated by a
 * space; an application has one role.  The gate asks permission_granted() with what the route's row wants.
 */
#ifndef REEVE_DIRECTORY_ACCESS_ROLE_H
#define REEVE_DIRECTORY_ACCESS_ROLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"

#define ROLE_ADMINISTRATOR "Administrator"
#define ROLE_OPERATOR "Installation Operator"
#define ROLE_PROVISIONING "Provisioning"

enum role_reach { REACH_TENANT, REACH_HOLDERS, REACH_INSTALLATION };

struct permission_info {
	const char *name, *text;
	enum role_reach reach;
};
const struct permission_info *permission_table(size_t *ret_n);
bool permission_known(const char *name);
bool permission_of_tenant(const char *name);  /* one that a tenant's roles may have */
bool permission_of_holders(const char *name); /* only those who hold it hand it on (reach HOLDERS) */

/* Whether a list ("A B C") grants what a route requires: "" nothing, "A" that one, "A|B" one of them.  X.ReadWrite.Y grants X.Read.Y;
 * NULL grants nothing. */
bool permission_granted(const char *granted, const char *required);
/* Whether a list names it, exactly. */
bool permission_listed(const char *list, const char *name);

struct role {
	struct id role;
	const char *display_name, *permissions; /* in the arena */
	bool built_in;
};

/* What this version gives a built-in role: its row names it, the table says what it is.  In the arena; "" for one that there is no more. */
const char *role_built_in(struct arena *a, const char *display_name);

bool role_is_built_in_name(const char *display_name);

/* The built-in roles of that reach, as rows of the transaction's tenant; those that are there stay. */
MUST_CHECK enum err role_seed(struct db_tx *tx, enum role_reach reach);
/* At the start of a server, in a scope without a tenant: tenants of an older version get the built-in roles that it did not have.  A role of the
 * tenant's own that has such a name stays what it is; that is logged. */
MUST_CHECK enum err role_refresh(struct scope *s);
/* ERR_BAD_REQUEST with a detail where the tenant has no such role: it is named in a request's body. */
MUST_CHECK enum err role_by_id(struct db_tx *tx, struct id role, struct role *ret);
MUST_CHECK enum err role_by_name(struct db_tx *tx, const char *display_name, struct role *ret);

#endif
