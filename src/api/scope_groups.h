/* SPDX-License-Identifier: Apache-2.0
 *
 * Scope groups in the gate: what of the routes is open to an actor whose permission holds for the members of some groups only (struct actor,
 * `only`).  The rows that a list holds are the resource layer's matter (resource.h, enum resource_whose); here is whether the route may be asked
 * at all, and whether what its path names is within reach.
 */
#ifndef REEVE_API_SCOPE_GROUPS_H
#define REEVE_API_SCOPE_GROUPS_H

#include "api/api.h"

enum scope_rule {
	SCOPE_UNDECIDED, /* no row and no person's parameter: as WHOLE */
	SCOPE_OF_PARAM,  /* no row: what its parameters name is reached or not */
	SCOPE_LIMITED,
	SCOPE_OPEN,
	SCOPE_CHECKED,
	SCOPE_WHOLE,
};
enum scope_rule scope_rule_of(const struct route *r);

struct scope_route {
	const char *method, *path, *why;
	enum scope_rule rule;
};
/* The rows, for tests and the page. */
const struct scope_route *scope_routes(size_t *ret_n);

/* Behind the permission check and before the handler.  ERR_FORBIDDEN: the route needs the whole tenant; ERR_NOT_FOUND: out of reach, or not
 * there. */
MUST_CHECK enum err scope_groups_check(struct call *c);

/* Of ERR_NOT_FOUND to an actor with scope groups: the same words whether it is not there or out of reach. */
const char *scope_groups_detail(const struct call *c, enum err err);

#endif
