/* SPDX-License-Identifier: Apache-2.0
 *
 * The evidence of legal holds: audit events about their members, copied with the salt of their commitments, so that each can be proven against
 * the log's tree after the log itself has let it go.  An event is about a member where the person is its subject or acted, or where the device is what
 * was changed.
 */
#ifndef REEVE_PRIVACY_HOLD_EVIDENCE_H
#define REEVE_PRIVACY_HOLD_EVIDENCE_H

#include <stddef.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "codec/json.h"

/* In a tenant's scope, before its log's retention runs: what it would take within the next day, of every member.  An error: retention must not
 * run. */
MUST_CHECK enum err evidence_keep_expiring(struct scope *s);
/* At its owner's word: every event about the hold's members that there is.  *ret_copied: how many are new.  ERR_CONFLICT: it was released. */
MUST_CHECK enum err evidence_collect(struct scope *s, struct id hold, uint64_t *ret_copied);
/* Records that the hold's evidence was read. */
MUST_CHECK enum err evidence_record_read(struct scope *s, struct id hold);
/* Members `event`, `bytes` and `salt` of one row's sealed bytes, into the open object, where they are asked for (select NULL: all). */
MUST_CHECK enum err evidence_write(struct scope *s, struct json_writer *w, const char *const *select, const void *sealed, size_t n);

#endif
