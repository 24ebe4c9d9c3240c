/* SPDX-License-Identifier: Apache-2.0
 * Report files, and their expiry. */
#include "devices/reports/job.h"
#include "jobs/jobs_internal.h"

enum err job_reports(struct server *srv, struct scope *s, bool *ret_more)
{
	return report_jobs_run_pending(s, srv->data_dir, &srv->draining, ret_more);
}

enum err job_report_expiry(struct server *srv, struct scope *s, bool *ret_more)
{
	return report_jobs_expire_due(s, srv->data_dir, ret_more);
}
