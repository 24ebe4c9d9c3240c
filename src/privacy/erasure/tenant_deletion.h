/* SPDX-License-Identifier: Apache-2.0
 *
 * Deleting a tenant at once, by hand: no closing with its days to come back, so it has preconditions and needs two operators.  One asks;
 * another, whose application is older than the request, confirms within a day; then the duty (tenantClose) is due at once.
 */
#ifndef REEVE_PRIVACY_TENANT_DELETION_H
#define REEVE_PRIVACY_TENANT_DELETION_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"

#define TENANT_DELETION_CONFIRM_US DAY_US

struct tenant_precondition {
	const char *name, *text; /* "users"; what must be so */
	int64_t found, most;     /* met: found <= most */
};
enum { TENANT_PRECONDITIONS_MAX = 16 };

struct tenant_deletion {
	struct id asked_by;
	int64_t asked_at; /* 0: nobody asked, or it lapsed */
	struct tenant_precondition v[TENANT_PRECONDITIONS_MAX];
	size_t n;
};

/* The operator's, as they stand.  ERR_NOT_FOUND. */
MUST_CHECK enum err tenant_deletion_get(struct scope *s, struct id tenant, struct tenant_deletion *ret);
/* ERR_CONFLICT with what fails; asked again, the day begins anew. */
MUST_CHECK enum err tenant_deletion_ask(struct scope *s, struct id tenant, struct tenant_deletion *ret);
/* ERR_CONFLICT: nobody asked within a day, or what fails by now.  ERR_FORBIDDEN: who asked cannot confirm, nor an application that is younger
 * than the request. */
MUST_CHECK enum err tenant_deletion_confirm(struct scope *s, struct id tenant);

#endif
