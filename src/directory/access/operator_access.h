/* SPDX-License-Identifier: Apache-2.0
 *
 * The installation's operator sees nothing of a tenant, unless the tenant lets them in: a role of the tenant, for a limited time, for one operator
 * (an application of the nil tenant) or for all of them.  With it an operator obtains another token, for that tenant; it dies with the grant, or
 * with the secret that the operator's own token came from.  Grant, entry and end are events of both logs; the installation's names no person of
 * the tenant.
 */
#ifndef REEVE_DIRECTORY_ACCESS_OPERATOR_ACCESS_H
#define REEVE_DIRECTORY_ACCESS_OPERATOR_ACCESS_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "directory/tenant.h"
#include "keeper/keeper.h"

#define OPERATOR_ACCESS_LONGEST_US (30 * DAY_US)

struct operator_access {
	struct id role, operator_; /* operator_ nil: every operator of the installation */
	const char *reason;
	int64_t expires_at;
};

/* By the tenant.  ERR_FORBIDDEN where the caller lacks a permission of the role; ERR_BAD_REQUEST: no such role, a time that is past or more than
 * OPERATOR_ACCESS_LONGEST_US away. */
MUST_CHECK enum err operator_access_grant(struct scope *s, const struct operator_access *a, struct id *ret);
/* Its tokens are dead at once.  ERR_NOT_FOUND. */
MUST_CHECK enum err operator_access_end(struct scope *s, struct id grant);

/* By the operator, in the nil tenant; `own`: the claims of the token they came with.  ERR_FORBIDDEN where the tenant has not let them in (or is not
 * there: nobody learns which).  *ret: claims of a token for the tenant, for an hour at most, and not longer than the grant. */
MUST_CHECK enum err operator_access_enter(struct scope *s, struct id tenant, const struct token_claims *own, struct token_claims *ret);
/* Who such a token is now.  s is bound to c->tenant.  ERR_UNAUTHENTICATED where it is none, or the grant or the operator's credential is gone.
 * *ret: ACTOR_OPERATOR with the granted role's permissions; ip is left alone. */
MUST_CHECK enum err operator_access_admit(struct scope *s, const struct token_claims *c, struct actor *ret, struct tenant_levels *ret_levels);

/* For the periodic job, in a scope without a tenant: grants whose time is over go, at most `most`, each with its events. */
MUST_CHECK enum err operator_access_expire(struct scope *s, size_t most, size_t *ret_n);

#endif
