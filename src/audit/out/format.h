/* SPDX-License-Identifier: Apache-2.0
 *
 * An event in the forms that other tools read, made of its stored bytes.  NDJSON is the stored bytes themselves; CSV is RFC 4180 with one
 * row per modified property and neutralised formulas; OCSF is 1.8.0.  Pure.
 */
#ifndef REEVE_AUDIT_OUT_FORMAT_H
#define REEVE_AUDIT_OUT_FORMAT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/scope.h"

enum audit_format { AUDIT_CSV, AUDIT_NDJSON, AUDIT_OCSF };

const char *audit_format_name(enum audit_format f);                     /* "csv" … */
bool audit_format_parse(const char *name, enum audit_format *ret);      /* any case */
const char *audit_format_content_type(enum audit_format f);

/* Before the first event: CSV's header row; nothing for the others. */
void audit_format_head(enum audit_format f, struct buf *out);
/* One event as lines that end in a newline (CSV: CRLF).  index: its place in the log.  ERR_LIMIT where out is full. */
MUST_CHECK enum err audit_format_event(struct scope *s, enum audit_format f, uint64_t index, const char *bytes, size_t n, struct buf *out);

#endif
