/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the server connects to because a tenant's administrator said so (sinks of the audit log, storage locations of exports).  Without
 * limits such a target would let a tenant speak to what only this machine can reach: its own database, a cloud's metadata service.  The
 * address is judged, not the name, and at each connect: what a name stands for changes.
 *
 * The setting `sink_targets` lists names, addresses and networks, separated by commas.  Not empty: only these are reached; a listed name
 * wherever it leads.  Empty: any address but loopback, link-local, unspecified, multicast and this machine's own.
 */
#ifndef REEVE_HTTP_REACH_H
#define REEVE_HTTP_REACH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/scope.h"
#include "http/address.h"

struct reach;

/* NULL where an entry is neither a name nor an address nor a network: *ret_bad (malloc'd, the caller frees) is it. */
struct reach *reach_new(const char *setting, char **ret_bad);
void reach_free(struct reach *r); /* NULL is allowed */

/* The verdict on one connection: host as it stands in the target, address as it was resolved. */
bool reach_allows(const struct reach *r, const char *host, const struct address *a);
/* What can be said of a target before it is resolved: false where host is an address that is refused, or this machine by its name
 * (localhost). */
bool reach_may_allow(const struct reach *r, const char *host);

/* Resolves and connects (TCP, non-blocking socket) to the first address that is allowed and answers within the time.  wake_fd: becomes
 * readable where the wait must end (-1: none).  ERR_FORBIDDEN: every address is refused; ERR_NO_SERVER; with a detail that does not name
 * the target. */
MUST_CHECK enum err reach_connect(struct scope *s, const struct reach *r, const char *host, unsigned port, int timeout_ms, int wake_fd,
				  int *ret_fd);

#endif
