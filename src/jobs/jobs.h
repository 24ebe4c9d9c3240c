/* SPDX-License-Identifier: Apache-2.0
 *
 * Periodic work.  Each job is a row of jobs.def and a function; a thread for each lane runs those that are due, one after another, and one
 * more runs the sequencer of the audit log, which may wait for nobody.  Where several servers share a PostgreSQL database a job runs under a
 * lease (jobs/lease.h); on SQLite there is one server by the database's own lock.
 */
#ifndef REEVE_JOBS_JOBS_H
#define REEVE_JOBS_JOBS_H

#include "api/api.h"
#include "base/err.h"

struct jobs;

/* Starts the threads.  Everything that is due runs at once (a server that was off for a month catches up). */
struct jobs *jobs_start(struct server *srv);
void jobs_stop(struct jobs *j); /* waits for the step under way; NULL is allowed */

/* Anything committed: the sequencer runs within a second; jobs with `wake` look again. */
void jobs_wake(void *jobs);

#endif
