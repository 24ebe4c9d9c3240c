/* SPDX-License-Identifier: Apache-2.0
 * Why somebody may or may not: which assignment allows it, through which group, for whom; or what is missing, and who could give it. */
#ifndef REEVE_DIRECTORY_ACCESS_EXPLAIN_H
#define REEVE_DIRECTORY_ACCESS_EXPLAIN_H

#include "base/err.h"
#include "base/scope.h"
#include "directory/access/access.h"

enum { EXPLAIN_GIVERS_MAX = 20 };

struct access_because {
	const struct access_grant *grant;
	const char *group_name, *scope_name; /* NULL: directly; over the whole tenant */
};
struct access_principal {
	struct id principal;
	const char *type, *name; /* "user", "group", "application"; its display name */
	bool enabled;            /* a group: true */
};
struct access_giver {
	struct access_principal who;
	const char *role_name; /* that lets them give it */
};
struct access_explanation {
	struct access_principal who;
	bool allowed;
	const struct scope_groups *only;      /* NULL: everybody; where allowed */
	struct access_because *because;     /* the grants that allow it */
	size_t because_n;
	const char **roles;                   /* names of the tenant's roles that would */
	size_t role_n;
	struct access_giver *givers;         /* where it is not allowed: who holds it and may give roles, over the whole tenant, by one role;
						* the administrators, where they name its first holder */
	size_t giver_n;
};

/* principal: an id, or a person's userPrincipalName; required: as in a route's row.  A disabled principal is explained as if it were enabled.
 * ERR_NOT_FOUND: no such principal. */
MUST_CHECK enum err access_explain(struct scope *s, const char *principal, const char *required, struct access_explanation *ret);

#endif
