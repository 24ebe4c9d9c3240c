/* SPDX-License-Identifier: Apache-2.0
 *
 * Report files: deviceManagement/reports/exportJobs.  Asked for, made by a job page by page, fetched by a link, and gone after the tenant's
 * reportHours.
 *
 * Files: DIR/reports/<id>.sealed (keeper_seal_open): a zip with <ReportName>_<id>.csv or .json, sealed while it is made, there once it is
 * whole.  A crash leaves the row inProgress: the next run starts it again from nothing.  Whenever somebody's data is erased all finished files
 * of the tenant go, for each of them may name anybody.
 *
 * A file holds what its asker could see when they asked: the row carries their scope groups.
 *
 * Every request, completion, download and end is an event.
 */
#ifndef REEVE_DEVICES_REPORTS_JOB_H
#define REEVE_DEVICES_REPORTS_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "crypto/seal.h"
#include "db/db.h"

enum {
	REPORT_JOBS_WAITING = 100, /* of a tenant, waiting or being made */
	REPORT_JOBS_KEPT = 1000,   /* of a tenant: files whose time has not come */
};

struct report_job_request {
	const char *report, *format, *localization; /* in any case; format and localization may be NULL */
	const char *filter;                         /* NULL: all rows */
	const char *const *select;                  /* NULL-terminated; NULL: the default columns */
};

/* ERR_BAD_REQUEST: no such report, format, localization, column, or an unfit filter; ERR_TOO_MANY past the limits above. */
MUST_CHECK enum err report_job_request(struct scope *s, const struct report_job_request *q, struct id *ret_job);

/* Graph's id of a job: "<ReportName>_<uuid>".  False: it is none. */
bool report_job_parse_id(const char *text, struct id *ret);

struct report_job {
	const char *report, *status;
	int64_t expires_at, bytes; /* bytes: of the zip */
	bool has_file;
};
/* In the arena.  ERR_NOT_FOUND. */
MUST_CHECK enum err report_job_load(struct db_tx *tx, struct id job, struct report_job *ret);

/* The zip, for a download: records it before the first byte.  name: of the file, in the arena.  ERR_NOT_FOUND; ERR_CONFLICT where it is not
 * complete; ERR_GONE past its expiry. */
MUST_CHECK enum err report_job_open(struct scope *s, const char *data_dir, struct id job, struct unseal_stream **ret, int64_t *ret_bytes,
				    const char **ret_name);

/* ---- the jobs'; s is the system's scope ---- */

/* Makes the oldest that waits.  One that cannot be made becomes `failed` with its reason and holds up no other; where trying again may help
 * it waits for up to ten minutes.  stop: set, the file at hand is left for the next start; may be NULL. */
MUST_CHECK enum err report_jobs_run_pending(struct scope *s, const char *data_dir, const _Atomic bool *stop, bool *ret_more);
/* Deletes jobs past their expiry, file first, each with its event. */
MUST_CHECK enum err report_jobs_expire_due(struct scope *s, const char *data_dir, bool *ret_more);

/* ---- erasure's; s is a tenant's ---- */

/* Every job becomes `failed`, without its filter and file: what is asked for later no longer names who is gone.  May be repeated. */
MUST_CHECK enum err report_jobs_forget(struct scope *s, const char *data_dir);

#endif
