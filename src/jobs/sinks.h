/* SPDX-License-Identifier: Apache-2.0
 *
 * Delivering audit events to sinks (audit/out/sink.h).  One thread looks after the list of enabled sinks; each of them has a thread of its
 * own with a small stack, so that a dead one holds nothing else up.  A round of a sink: read its row, read the next events in the order of
 * the log, deliver them, and only when the receiver has confirmed them move the cursor.  What fails is tried again after 1 s to 5 min with
 * jitter, for ever, loudly.  Where several servers share a database a round runs under the sink's lease.
 *
 * What "confirmed" means: file: written and fsynced.  Webhook: a 2xx answer.  Syslog has no answers: the orderly end of the TLS connection
 * that carried the events (crypto/tls_client.h says what that proves and what it does not), so each round has a connection of its own and
 * rounds come at most once a second.
 */
#ifndef REEVE_JOBS_SINKS_H
#define REEVE_JOBS_SINKS_H

#include "api/api.h"

struct sinks;

/* holder: who takes the leases.  Starts the threads. */
struct sinks *sinks_start(struct server *srv, struct id holder);
/* Something was committed: there may be events to deliver, or another sink.  Does not block. */
void sinks_wake(struct sinks *s);
/* Ends deliveries under way without confirming them; gives the leases back.  NULL is allowed. */
void sinks_stop(struct sinks *s);

#endif
