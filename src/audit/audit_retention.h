/* SPDX-License-Identifier: Apache-2.0
 * Retention: expired events lose their bytes, salt, place and links; the tree and every proof stay (I2). */
#ifndef REEVE_AUDIT_AUDIT_RETENTION_H
#define REEVE_AUDIT_AUDIT_RETENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/scope.h"
#include "db/db.h"

/* Removes the scope's tenant's expired events in bounded batches (low queue).  Each batch and its AUDIT_RETENTION event (how many, which
 * indexes, from which one on content is kept, up to when, under which policy) are one transaction.  Nothing expired: no event.
 * ERR_CONFLICT: the database's clock has not reached their expiry.  *ret_removed may be NULL. */
MUST_CHECK enum err audit_expire(struct scope *s, uint64_t *ret_removed);
/* Whether the scope's tenant still has events that expired up to `before`. */
MUST_CHECK enum err audit_expired_since(struct scope *s, int64_t before, bool *ret);
/* Which of the n indexes from first on of the scope's tenant's log retention has removed: every other one has its content, or somebody took it
 * away. */
MUST_CHECK enum err audit_removed(struct db_tx *tx, uint64_t first, size_t n, bool *ret);

/* In the system's scope.  What removal left in the files goes: SQLite is scrubbed where events were removed since (db_scrub(): dear, and
 * tried again at the next call where a reader stays); PostgreSQL drops the partitions whose time has passed and that are empty. */
MUST_CHECK enum err audit_scrub(struct scope *s);
/* In the system's scope: PostgreSQL's partitions for what is recorded in the months to come.  At the start and daily. */
MUST_CHECK enum err audit_partitions(struct scope *s);

/* A tenant that is being purged loses its whole log (state 'purging' only; the database refuses otherwise). */
MUST_CHECK enum err audit_purge_tenant(struct scope *s, struct id tenant, uint64_t *ret_removed);
/* In the tenant's last transaction: what the log still has (its head, which goes after everything that was recorded). */
MUST_CHECK enum err audit_purge_rest(struct db_tx *tx);

#endif
