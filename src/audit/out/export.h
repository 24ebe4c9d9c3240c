/* SPDX-License-Identifier: Apache-2.0
 *
 * Files made of a tenant's audit log: CSV, NDJSON, OCSF (format.h), or a signed archive (archive.h).  Asked for, made by a job page
 * by page in the log's order, fetched, and gone at their expiry.
 *
 * Files: DIR/exports/<id>.sealed (keeper_seal_open), there once it is whole; an archive stands as <id>.part beside it until it is sealed.  A
 * crash leaves the row inProgress: the next run starts it again from nothing.  Archives of purged tenants (rows of the installation with an
 * of_tenant, made by their purge) are DIR/archives/<tenant>-<date>.zip, not sealed: they are the operator's to take away.
 *
 * Every request, completion, download and expiry is an event.
 */
#ifndef REEVE_AUDIT_OUT_EXPORT_H
#define REEVE_AUDIT_OUT_EXPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "codec/json.h"
#include "db/db.h"

enum {
	AUDIT_EXPORTS_RUNNING = 4, /* of a tenant, waiting or being made */
	AUDIT_EXPORTS_KEPT = 50,   /* of a tenant: files whose time has not come */
};

struct audit_export_request {
	const char *format;    /* "csv", "ndjson", "ocsf", "archive", any case */
	const char *filter;    /* OData over auditEvent, which the caller has checked; NULL */
	int64_t from, until;   /* of activityDateTime, [from, until); 0 and INT64_MAX where not given */
};

/* ERR_BAD_REQUEST (format, an empty period, a filter of an archive), ERR_TOO_MANY past the limits above. */
MUST_CHECK enum err audit_export_request(struct scope *s, const struct audit_export_request *q, struct id *ret_export);

/* The members that are no columns as they stand (the list's hook): sha256 in hexadecimal. */
MUST_CHECK enum err audit_export_write_more(struct db_tx *tx, struct json_writer *w, struct id export);

/* ---- fetching ---- */

struct audit_export_file {
	int64_t bytes;
	const char *content_type, *name; /* name: for Content-Disposition */
	void *stream;                    /* for the two functions below */
};
/* Records the download before the first byte.  ERR_NOT_FOUND; ERR_CONFLICT where it is not complete; ERR_GONE past its expiry. */
MUST_CHECK enum err audit_export_open(struct scope *s, const char *data_dir, struct id export, struct audit_export_file *ret);
/* The next piece, valid until the next call; *ret_n 0 at the end.  False: the file cannot be read or was changed. */
bool audit_export_read(void *stream, const void **ret, size_t *ret_n);
void audit_export_close(void *stream);

/* ---- the jobs'; s is the system's scope ---- */

/* How a $filter (NULL: none) and what the scope's actor reaches become SQL, which is resource/'s business: a condition over audit_events t,
 * parameters from ?first on, in the arena. */
typedef enum err (*audit_filter_fn)(struct scope *s, const char *filter, unsigned first, const char **ret_sql, const struct db_value **ret_args,
				    size_t *ret_n);

struct audit_export_job {
	const char *data_dir, *host;
	audit_filter_fn filter;
	const _Atomic bool *stop; /* set: the file at hand is left for the next start; may be NULL */
};

/* Makes the oldest that waits.  One that cannot be made becomes `failed` with its reason and holds up no other; where trying again may help
 * (ERR_UNAVAILABLE, ERR_BUSY) it waits for up to ten minutes. */
MUST_CHECK enum err audit_export_run_pending(struct scope *s, const struct audit_export_job *job, bool *ret_more);
/* Removes files past their expiry, each with its event.  The rows stay for the data map's 30 days, without sum and size. */
MUST_CHECK enum err audit_export_expire_due(struct scope *s, const char *data_dir, bool *ret_more);

/* Removes the scope's tenant's files: its rows are about to go. */
MUST_CHECK enum err audit_export_forget_files(struct scope *s, const char *data_dir);

#endif
