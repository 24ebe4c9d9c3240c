/* SPDX-License-Identifier: Apache-2.0
 *
 * Shows each new checkpoint of each log to the witnesses of the operator's policy (C2SP tlog-witness) and keeps their cosignatures.  A thread
 * for each, so that a slow or lost one delays nothing: neither signing, nor another witness.  A log that grew ten times meanwhile is shown once.
 * Where several servers share a PostgreSQL database one of them does it, under a lease.
 */
#ifndef REEVE_JOBS_WITNESS_H
#define REEVE_JOBS_WITNESS_H

#include "api/api.h"

struct witnesses;

/* Starts the threads and shows them the heads that were signed last, waiting a few seconds for the answers: a witness that has seen more than
 * we have tells that database and keeper were put back, before anything is signed again.  NULL where srv->policy has no witness with an URL. */
struct witnesses *witnesses_start(struct server *srv, struct id holder);
void witnesses_stop(struct witnesses *w); /* cuts what is under way; NULL is allowed */
/* Something was committed.  NULL is allowed. */
void witnesses_wake(struct witnesses *w);

#endif
