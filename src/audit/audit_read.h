/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading events in Graph's shapes, out of their stored bytes, and the record of who reads.  auditEvent: v1.0 is the stored member, copied;
 * beta names the types of actor and resource `type` and has three members more.  directoryAudit: a change of the directory in Entra's words
 * (directory_activities.def).
 */
#ifndef REEVE_AUDIT_AUDIT_READ_H
#define REEVE_AUDIT_AUDIT_READ_H

#include "audit/audit.h"
#include "base/err.h"
#include "codec/json.h"
#include "db/db.h"

/* Writes the members of one event into an open object.  select: NULL-terminated names in any case, or NULL for all.  ERR_BAD_REQUEST with a
 * detail where the bytes are no event. */
MUST_CHECK enum err audit_write_event(struct scope *s, struct json_writer *w, const char *bytes, size_t n, bool beta, const char *const *select);
MUST_CHECK enum err audit_write_directory(struct scope *s, struct json_writer *w, const char *bytes, size_t n, const char *const *select);
/* Whether a list of names holds one; true for NULL. */
bool audit_selected(const char *const *select, const char *name);

/* Points at the "event" member of stored bytes. */
const char *audit_event_member(const char *bytes, size_t n, size_t *ret_n);

/* Records that the scope's actor read the log, or looked at what is about one person: one event per reader, person and UTC day, so that a
 * poll does not feed itself.  What was recorded today is remembered by the process and costs nothing. */
MUST_CHECK enum err audit_record_read(struct scope *s);
MUST_CHECK enum err audit_record_view(struct scope *s, struct id person);
/* The same of who looked at what a person will get; the event names the case. */
MUST_CHECK enum err audit_record_preview(struct scope *s, struct id person, struct id request);

/* Records that the scope's actor, an application or a person, signed in without a session: one event per actor, credential (or the identity
 * provider that spoke for them) and UTC day, in this process.  It stands before the sign-in is answered. */
MUST_CHECK enum err audit_record_sign_in(struct scope *s, struct id credential);

/* Whether nothing of this kind about this object was asked for in this minute, in this process: what strangers can cause is recorded no more
 * often. */
bool audit_first_in_minute(const struct scope *s, enum activity activity, struct id object);

#endif
