/* SPDX-License-Identifier: Apache-2.0
 * Files made of the audit log, and their expiry. */
#include "audit/out/export.h"
#include "jobs/jobs_internal.h"
#include "resource/tables.h"

static enum err event_filter(struct scope *s, const char *filter, unsigned first, const char **ret_sql, const struct db_value **ret_args,
			     size_t *ret_n)
{
	struct resource_condition c;
	TRY(resource_filter_reached(s, &RES_AUDIT_EVENT, API_V1, filter, first, &c));
	*ret_sql = c.sql;
	*ret_args = c.args;
	*ret_n = c.arg_count;
	return OK;
}

enum err job_audit_exports(struct server *srv, struct scope *s, bool *ret_more)
{
	struct audit_export_job job = {.data_dir = srv->data_dir, .host = srv->host, .filter = event_filter, .stop = &srv->draining};
	return audit_export_run_pending(s, &job, ret_more);
}

enum err job_audit_expiry(struct server *srv, struct scope *s, bool *ret_more)
{
	return audit_export_expire_due(s, srv->data_dir, ret_more);
}
