/* SPDX-License-Identifier: Apache-2.0
 *
 * Tenants: their birth, closing and reopening.  The installation itself is the tenant with the nil id; its
 * operator works on others through this file and nothing else.
 *
 * What the operator does is an event in the tenant's log, in the transaction of the change, and then a copy of it in the
 * installation's log, in a transaction of its own (one transaction reaches one tenant: I4).  A crash between them loses the copy.
 *
 * Closing: its device management ends (subscription.h), or the operator closes it.  State closing: what belongs to device management is
 * read only for 90 days, then nobody gets at it; where no other product is active that holds for the whole tenant, and nobody signs in.
 * devices_retire_at its devices are told to retire, and may fetch that until the purge.  A duty (tenantClose) is due when the purge starts;
 * all is gone after 180 days, copies in backups included.  Until the purge starts the tenant may return, which cancels the duty.
 */
#ifndef REEVE_DIRECTORY_TENANT_H
#define REEVE_DIRECTORY_TENANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/audit.h"
#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"
#include "directory/application.h"
#include "directory/subscription.h"

#define TENANT_READ_ONLY_US (90 * DAY_US)
enum { TENANT_PURGE_ROOM_DAYS = 2 }; /* the purge itself, and the day of the last backup that saw it */

struct tenant {
	struct id tenant;
	const char *display_name, *state; /* active, closing, purging, closed */
	int64_t created_at, closed_at, purge_starts_at, purge_deadline_at; /* 0: none */
	bool unpaid;
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
/* ERR_CONFLICT where it is not closing, or its purge has started (one that waits for a legal hold has taken nothing yet). */
MUST_CHECK enum err tenant_reopen(struct scope *s, struct id tenant);
/* The operator's note that bills are open. */
MUST_CHECK enum err tenant_set_unpaid_flag(struct scope *s, struct id tenant, bool unpaid);
/* The latest day after the closing on which a purge may start, so that copies in backups are gone by day 180, too. */
int64_t tenant_purge_days_most(struct keeper *k);

/* ---- anybody's, of their own tenant; the operator's, of all ---- */

MUST_CHECK enum err tenant_get(struct scope *s, struct id tenant, struct tenant *ret);

/* ---- the gate's ---- */

enum tenant_level {
	TENANT_NONE,      /* unknown, or closed for good: nobody signs in */
	TENANT_READ_ONLY, /* closed: GET and exports; everything else is ERR_FORBIDDEN "the tenant is closed" */
	TENANT_FULL,
};
struct tenant_levels {
	enum tenant_level whole, management; /* management: what belongs to device management; never more than whole */
	bool devices_retire;                 /* it is closing: its devices are let in, to fetch their retire */
};
/* Of the scope's tenant at the scope's time. */
MUST_CHECK enum err tenant_levels(struct scope *s, struct tenant_levels *ret);
MUST_CHECK enum err tenant_levels_in(struct db_tx *tx, struct tenant_levels *ret);
/* The level of the whole alone. */
MUST_CHECK enum err tenant_access(struct scope *s, enum tenant_level *ret);
/* application_principal() and tenant_levels() in one transaction, or of a person's token session_admit_id(): what is asked at every request. */
MUST_CHECK enum err tenant_admit(struct scope *s, const struct token_claims *c, struct actor *ret, struct tenant_levels *ret_levels);

/* ---- for privacy/, in its transactions in the tenant's scope ---- */

/* Whether an active (Enabled, Warning) subscription of another product is on record: then the directory stays. */
MUST_CHECK enum err tenant_keeps_directory(struct db_tx *tx, bool *ret);
/* closing -> purging (TENANT_PURGE); OK where it is purging already; ERR_STATE otherwise, and before purge_starts_at. */
MUST_CHECK enum err tenant_start_purge(struct db_tx *tx);
/* A closing tenant, or an active one, is due at once: its purge starts with the next run.  The caller has recorded why. */
MUST_CHECK enum err tenant_delete_now(struct db_tx *tx);
/* The installation's copy of an event that is in the tenant's log. */
void tenant_tell_installation(struct scope *s, enum activity activity, struct id tenant, const char *name);
/* Device management's subscription follows what became of the tenant: Enabled, LockedOut, Deleted.  Without one nothing happens. */
MUST_CHECK enum err subscription_move_management(struct db_tx *tx, const char *status);

#endif
