/* SPDX-License-Identifier: Apache-2.0
 * Shared by tenant.c, subscription.c, installation.c and application_sign_in.c. */
#ifndef REEVE_DIRECTORY_TENANT_INTERNAL_H
#define REEVE_DIRECTORY_TENANT_INTERNAL_H

#include "audit/audit.h"
#include "directory/tenant.h"

MUST_CHECK enum err tenant_operator_only(struct scope *s);
/* db_write() as s's actor in another tenant's scope; the detail comes back in s. */
MUST_CHECK enum err tenant_write(struct scope *s, struct id tenant, db_fn fn, void *arg);
/* The installation's copy of an event about a tenant, in its own transaction (tenant.h says why). */
void tenant_copy_event(struct scope *s, enum activity activity, struct id tenant, const char *name);
/* What a tenant in this state may do now. */
enum tenant_level tenant_level_of(const char *state, int64_t closed_at, int64_t now);
/* The transaction's tenant.  ERR_NOT_FOUND with a detail. */
MUST_CHECK enum err tenant_load(struct db_tx *tx, struct tenant *ret);
/* The nil tenant with its role and its operator's application.  ERR_EXISTS where it is there. */
MUST_CHECK enum err tenant_create_installation(struct scope *s, int64_t life_us, struct application_secret *ret_operator);
MUST_CHECK enum err subscription_seed(struct db_tx *tx);

#endif
