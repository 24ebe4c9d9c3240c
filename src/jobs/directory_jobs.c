/* SPDX-License-Identifier: Apache-2.0
 * Directories that provision this one: leavers whom they never delete, and whether they are still heard of. */
#include "directory/access/operator_access.h"
#include "directory/approval/approval.h"
#include "directory/provisioning/client.h"
#include "directory/provisioning/retention.h"
#include "jobs/jobs_internal.h"

enum err job_deactivated(struct server *srv, struct scope *s, bool *ret_more)
{
	(void)srv;
	return provisioning_retention_run(s, ret_more);
}

enum err job_provisioning(struct server *srv, struct scope *s, bool *ret_more)
{
	(void)srv;
	(void)ret_more;
	return provisioning_silent_run(s);
}

enum err job_approvals(struct server *srv, struct scope *s, bool *ret_more)
{
	return approval_run_due(s, ret_more);
}

enum err job_operator_access(struct server *srv, struct scope *s, bool *ret_more)
{
	size_t n;
	(void)srv;
	TRY(operator_access_expire(s, 64, &n));
	*ret_more = n == 64;
	return OK;
}
