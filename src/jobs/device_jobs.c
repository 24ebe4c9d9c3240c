/* SPDX-License-Identifier: Apache-2.0
 * Records of devices: requests to change an ownership that lapse, silent devices that are hidden.  Neither deletes a record. */
#include "devices/cleanup.h"
#include "devices/ownership.h"
#include "jobs/jobs_internal.h"

enum err job_ownership(struct server *srv, struct scope *s, bool *ret_more)
{
	return ownership_run_due(s, ret_more);
}

enum err job_cleanup(struct server *srv, struct scope *s, bool *ret_more)
{
	return cleanup_run(s);
}
