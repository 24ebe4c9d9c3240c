/* SPDX-License-Identifier: Apache-2.0
 * Shared by the files of report jobs. */
#ifndef REEVE_DEVICES_REPORTS_JOB_INTERNAL_H
#define REEVE_DEVICES_REPORTS_JOB_INTERNAL_H

#include "devices/reports/job.h"
#include "devices/reports/plan.h"

#define REPORT_JOB_TYPE "ReportExportJob"

/* From what is stored.  select: a JSON array of names or NULL.  The report's row may be gone from the tables since (ERR_BAD_REQUEST). */
MUST_CHECK enum err report_job_plan(struct scope *s, const char *report, const char *filter, const char *select, const char *localization,
				    const char *format, struct report_plan **ret);

const char *report_job_path(struct arena *a, const char *data_dir, struct id job, const char *ending);
/* The name in the zip, without an ending; also Graph's id. */
const char *report_job_name(struct arena *a, const char *report, struct id job);

#endif
