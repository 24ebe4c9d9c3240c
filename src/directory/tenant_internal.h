/* SPDX-License-Identifier: Apache-2.0
 * Shared by tenant.c, subscription.c, installation.c and application_sign_in.c. */
#ifndef REEVE_DIRECTORY_TENANT_INTERNAL_H
#define REEVE_DIRECTORY_TENANT_INTERNAL_H

#include "audit/audit.h"
#include "directory/tenant.h"

MUST_CHECK enum err tenant_operator_only(struct scope *s);
/* db_write() as s's actor in another tenant's scope; the detail comes back in s. */
MUST_CHECK enum err tenant_write(struct scope *s, struct id tenant, db_fn fn, void *arg);
/* What a tenant in this state may do now; management, all: how many of its active subscriptions are of device management, and in all. */
struct tenant_levels tenant_levels_of(const char *state, int64_t closed_at, int64_t management, int64_t all, int64_t now);
/* The clock of an active tenant's closing starts: state, duty, event.  It ends: the duty is cancelled; ERR_CONFLICT where the purge has
 * started.  Both leave the subscription to the caller. */
MUST_CHECK enum err tenant_begin_closing(struct db_tx *tx, const struct tenant *t);
MUST_CHECK enum err tenant_end_closing(struct db_tx *tx, const struct tenant *t);
/* The transaction's tenant.  ERR_NOT_FOUND with a detail. */
MUST_CHECK enum err tenant_load(struct db_tx *tx, struct tenant *ret);
/* The nil tenant with its role and its operator's application.  ERR_EXISTS where it is there. */
MUST_CHECK enum err tenant_create_installation(struct scope *s, int64_t life_us, struct application_secret *ret_operator);
MUST_CHECK enum err subscription_seed(struct db_tx *tx);

#endif
