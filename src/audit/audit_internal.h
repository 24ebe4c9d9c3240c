/* SPDX-License-Identifier: Apache-2.0
 * Shared inside audit/: an event's row. */
#ifndef REEVE_AUDIT_AUDIT_INTERNAL_H
#define REEVE_AUDIT_AUDIT_INTERNAL_H

#include <stdint.h>

#include "audit/audit.h"
#include "audit/commitment.h"
#include "base/buf.h"
#include "db/db.h"

enum { AUDIT_EVENT_BYTES_MAX = 512 * 1024 }; /* a configuration's old and new payload fit */

/* How long the scope's tenant's events are kept that are recorded now. */
MUST_CHECK enum err audit_retention_us(struct db_tx *tx, int64_t *ret);

/* An event on its way into audit_events: made, then inserted.  The bytes are the caller's to release, also on failure of audit_row_make(). */
struct audit_row {
	const struct audit_event *e;
	struct id event;
	int64_t expires;
	struct buf bytes;
};
MUST_CHECK enum err audit_row_make(struct db_tx *tx, const struct audit_event *e, struct audit_row *ret);
MUST_CHECK enum err audit_row_insert(struct db_tx *tx, const struct audit_row *row, const uint8_t salt[AUDIT_SALT_BYTES]);

#define AUDIT_EVENT_MEMBER "event"

#endif
