/* SPDX-License-Identifier: Apache-2.0
 * Retention: expired events lose their bytes, salt and links; the leaves and every proof stay (I2). */
#ifndef REEVE_AUDIT_AUDIT_RETENTION_H
#define REEVE_AUDIT_AUDIT_RETENTION_H

#include <stdint.h>

#include "base/err.h"
#include "base/scope.h"
#include "db/db.h"

/* Removes the scope's tenant's expired events in bounded batches (low queue), then records one AUDIT_RETENTION event that says how many and up
 * to when.  Nothing expired: no event.  *ret_removed may be NULL. */
MUST_CHECK enum err audit_expire(struct scope *s, uint64_t *ret_removed);
/* A tenant that is being purged loses its whole log (state 'purging' only; the database refuses otherwise). */
MUST_CHECK enum err audit_purge_tenant(struct scope *s, struct id tenant, uint64_t *ret_removed);
/* In the tenant's last transaction: what the log still has (its head, which goes after everything that was recorded). */
MUST_CHECK enum err audit_purge_rest(struct db_tx *tx);

#endif
