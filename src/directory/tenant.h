/* SPDX-License-Identifier: Apache-2.0
 *
 * Tenants: their birth, closing and reopening, and their subscriptions.  The installation itself is the tenant with the nil id; its
 * operator works on others through this file and nothing else.
 *
 * What the operator does is an event in the tenant's log, in the transaction of the change, and then a copy of it in the
 * installation's log, in a transaction of its own (one transaction reaches one tenant: I4).  A crash between them loses the copy.
 *
 * Closing: state closing, for 90 days read only, then nobody signs in; a duty (tenantClose) is due when the purge starts, with a
 * deadline of 180 days.  Until the purge starts it may be reopened, which cancels the duty.
 */
#ifndef REEVE_DIRECTORY_TENANT_H
#define REEVE_DIRECTORY_TENANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"
#include "directory/application.h"

#define TENANT_READ_ONLY_US (90 * DAY_US)
#define PRODUCT_DEVICE_MANAGEMENT "deviceManagement"

struct tenant {
	struct id tenant;
	const char *display_name, *state; /* active, closing, purging, closed */
	int64_t created_at, closed_at, purge_starts_at, purge_deadline_at; /* 0: none */
};

/* ---- the operator's (a scope of the nil tenant, or the system's without one); ERR_FORBIDDEN in any other ---- */

/* Turns the operator's scope into one without a tenant, in which the resource RES_TENANT lists them all. */
MUST_CHECK enum err tenant_operator_scope(struct scope *s);

/* With its built-in roles, default settings, an enabled subscription of deviceManagement, and an application "Administrator" whose secret
 * lives for life_us and is in *ret_admin. */
MUST_CHECK enum err tenant_create(struct scope *s, const char *display_name, int64_t life_us, struct application_secret *ret_admin,
				  struct id *ret);
/* ERR_CONFLICT where it is not active. */
MUST_CHECK enum err tenant_close(struct scope *s, struct id tenant);
/* ERR_CONFLICT where it is not closing, or its purge has started. */
MUST_CHECK enum err tenant_reopen(struct scope *s, struct id tenant);

/* ---- anybody's, of their own tenant; the operator's, of all ---- */

MUST_CHECK enum err tenant_get(struct scope *s, struct id tenant, struct tenant *ret);
/* Records that the tenant has (or no longer has) a product: another product that is Enabled or in Warning keeps the directory when the
 * tenant is closed.  status: Enabled, Warning, Suspended, Deleted, LockedOut. */
MUST_CHECK enum err subscription_set(struct scope *s, struct id tenant, const char *product, const char *status);

/* ---- the gate's ---- */

enum tenant_level {
	TENANT_NONE,      /* unknown, or closed for good: nobody signs in */
	TENANT_READ_ONLY, /* closed: GET and exports; everything else is ERR_FORBIDDEN "the tenant is closed" */
	TENANT_FULL,
};
/* Of the scope's tenant at the scope's time. */
MUST_CHECK enum err tenant_access(struct scope *s, enum tenant_level *ret);
/* application_principal() and tenant_access() in one transaction: what is asked at every request. */
MUST_CHECK enum err tenant_admit(struct scope *s, const struct token_claims *c, struct actor *ret, enum tenant_level *ret_level);

/* ---- for privacy/, in its transactions in the tenant's scope ---- */

/* Whether an active (Enabled, Warning) subscription of another product is on record: then the directory stays. */
MUST_CHECK enum err tenant_keeps_directory(struct db_tx *tx, bool *ret);
/* closing -> purging (TENANT_PURGE); OK where it is purging already; ERR_STATE otherwise, and before purge_starts_at. */
MUST_CHECK enum err tenant_start_purge(struct db_tx *tx);

#endif
