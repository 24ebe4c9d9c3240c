/* SPDX-License-Identifier: Apache-2.0
 * Rows whose time has come, by the map's retention classes.  Audit events have audit_retention.h, exports their files
 * (export.h). */
#ifndef REEVE_PRIVACY_RETENTION_H
#define REEVE_PRIVACY_RETENTION_H

#include <stdbool.h>

#include "base/err.h"
#include "base/scope.h"

/* In the system's scope: of each table of the classes DAYS_30, EXPIRY, CERTIFICATE and YEARS_3 that has a column expires_at and no files, at most one batch.
 * Such rows are credentials, keyed hashes and letters that ran out: no event.  Then data-subject requests whose 24 months are over: each with
 * its event (DSR_EXPIRE) and with the rows of the tables of class MONTHS_24 that name it in request_id and have no expires_at of their own.  What
 * is held of a person whose processing is restricted stays, and what a legal hold keeps.  *ret_more: call again. */
MUST_CHECK enum err retention_expire(struct scope *s, bool *ret_more);

#endif
