/* SPDX-License-Identifier: Apache-2.0
 * What was refused before sign-in: once a minute, and at the end. */
#include "api/refusals.h"
#include "base/clock.h"
#include "jobs/jobs_internal.h"

enum err job_refusals(struct server *srv, struct scope *s, bool *ret_more)
{
	return refusals_flush(s, MINUTE_US);
}

enum err job_refusals_end(struct server *srv, struct scope *s, bool *ret_more)
{
	return refusals_flush(s, 0);
}
