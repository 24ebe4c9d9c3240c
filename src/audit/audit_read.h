/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading events in Graph's auditEvent shape.  v1.0 is the stored member, copied; beta names the types of actor and resource `type`.
 */
#ifndef REEVE_AUDIT_AUDIT_READ_H
#define REEVE_AUDIT_AUDIT_READ_H

#include "base/err.h"
#include "codec/json.h"
#include "db/db.h"

/* Writes the members of one event into an open object (the list's hook).  select: NULL-terminated names or NULL for all. */
MUST_CHECK enum err audit_write_event(struct db_tx *tx, struct json_writer *w, struct id event, bool beta, const char *const *select);

/* The stored bytes in the arena, with expiry, subject and the reason of a failure.  ERR_NOT_FOUND. */
MUST_CHECK enum err audit_event_bytes(struct db_tx *tx, struct id event, char **ret, size_t *ret_n);

/* Points at the "event" member of stored bytes. */
const char *audit_event_member(const char *bytes, size_t n, size_t *ret_n);

/* Records that the scope's actor read the log: one event per reader and day, so that a poll does not feed itself. */
MUST_CHECK enum err audit_record_read(struct scope *s);

#endif
