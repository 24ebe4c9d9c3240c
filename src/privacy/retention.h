/* SPDX-License-Identifier: Apache-2.0
 * Rows whose time has come, by the map's retention classes.  Audit events have audit_retention.h, exports their files
 * (export.h). */
#ifndef REEVE_PRIVACY_RETENTION_H
#define REEVE_PRIVACY_RETENTION_H

#include <stdbool.h>

#include "base/err.h"
#include "base/scope.h"

/* In the system's scope: of each table of the classes DAYS_30 and CERTIFICATE that has a column expires_at and no
 * files, at most one batch.  Such rows are credentials and keyed hashes that ran out: no event.  *ret_more: call
 * again. */
MUST_CHECK enum err retention_expire(struct scope *s, bool *ret_more);

#endif
