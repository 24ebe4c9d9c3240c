/* SPDX-License-Identifier: Apache-2.0
 *
 * The log as the files that outsiders read (C2SP tlog-tiles, docs/formats/audit-log.md), made of rows: the same bytes whether they are served,
 * mirrored or packed.  Nothing beyond the last signed head is in them.
 */
#ifndef REEVE_AUDIT_LOG_FILES_H
#define REEVE_AUDIT_LOG_FILES_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/scope.h"
#include "tlog/tile.h"

/* A log's name in paths: "<tenant>", or "<tenant>.<generation>" from the second on.  False for any other spelling. */
bool audit_log_name_parse(const char *text, struct id *ret_tenant, unsigned *ret_generation);

/* Each appends one file of the scope's tenant's log to `out`, from one snapshot.  ERR_NOT_FOUND with a detail: there is no such file, or no such
 * log, or the generation has ended (the detail names the one in which it goes on).  ERR_LIMIT: out is full. */
MUST_CHECK enum err audit_file_checkpoint(struct scope *s, unsigned generation, struct buf *out); /* newest, with what cosignatures it has */
MUST_CHECK enum err audit_file_witnessed(struct scope *s, unsigned generation, struct buf *out);  /* newest that enough witnesses cosigned */
MUST_CHECK enum err audit_file_key(struct scope *s, const char *host, unsigned generation, struct buf *out); /* vkey line */
MUST_CHECK enum err audit_file_tile(struct scope *s, unsigned generation, const struct tile *t, struct buf *out); /* or bundle */
/* The events of a bundle that still have content, one line each: {"index":…,"salt":"…","event":…}. */
MUST_CHECK enum err audit_file_events(struct scope *s, unsigned generation, uint64_t bundle, struct buf *out);

#endif
