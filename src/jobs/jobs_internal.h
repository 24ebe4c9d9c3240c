/* SPDX-License-Identifier: Apache-2.0
 * The functions of jobs.def.  ret_more: there is more to do at once. */
#ifndef REEVE_JOBS_JOBS_INTERNAL_H
#define REEVE_JOBS_JOBS_INTERNAL_H

#include <stdbool.h>

#include "api/api.h"

#define JOB(name, period, woken, lane, destroys, function) enum err function(struct server *srv, struct scope *s, bool *ret_more);
#include "jobs/jobs.def"
#undef JOB
/* When the server stops. */
enum err job_refusals_end(struct server *srv, struct scope *s, bool *ret_more);

#endif
