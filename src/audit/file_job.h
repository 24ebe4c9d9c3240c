/* SPDX-License-Identifier: Apache-2.0
 *
 * The way of a row that asks for a file (of the audit log, of a report): started, its file made and sealed, then completed or failed, each end
 * with its event in the row's own transaction.  What a crash or a stop left started is started again.
 */
#ifndef REEVE_AUDIT_FILE_JOB_H
#define REEVE_AUDIT_FILE_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"

struct file_job {
	struct id tenant, object;
	int64_t asked_at;               /* a database that is away is waited for until ten minutes after this */
	const char *sealed;             /* the file's path */
	const char *failed, *key;       /* event and key of the log line of a failure: "report_failed", "job" */
	db_fn start, finish, fail;      /* the row's; their arg is the job's */
	enum err (*make)(void *arg, struct scope *s); /* s: the tenant's, for as long as the file is made */
	void *arg;
	const char *error; /* why, for fail */
	bool gone;         /* finish and fail: the row ended or went meanwhile, and so does the file */
};

/* s: the system's scope.  *ret_more: the file was made or failed, another may wait; false where it is to be tried again later. */
MUST_CHECK enum err file_job_run(struct scope *s, struct file_job *j, bool *ret_more);

#endif
