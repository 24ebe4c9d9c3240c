/* SPDX-License-Identifier: Apache-2.0
 *
 * Sinks of the audit log: who creates, changes and deletes where a tenant's events are sent.  Rows and cursors are audit/out/sink.h's.
 *
 * A target is, by kind: a plain file name (of a file in the server's directory of sinks), "host:port" (6514 where the port is left out),
 * or an https URL.  It stands in the log and in every answer: it is no place for a secret.
 */
#ifndef REEVE_DIRECTORY_SINK_H
#define REEVE_DIRECTORY_SINK_H

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "resource/resource.h"

enum { SINK_SYSLOG_PORT = 6514, SINK_SECRET_MIN = 16, SINK_SECRET_MAX = 256 };

struct sink_request {
	const struct record *r;  /* of RES_AUDIT_SINK */
	const char *secret;      /* of a webhook's signatures; NULL: not given */
	bool from_beginning;     /* at creation: from the oldest event that is left, not from the end of the log */
	int64_t start_index;     /* at creation: from this index of the log; -1: not given */
	bool (*may_reach)(const void *arg, const char *host); /* what can be said before a name is resolved */
	const void *arg;
};

/* ERR_BAD_REQUEST: an unfit target, filter, secret or certificate, or a target that may not be reached; ERR_EXISTS: another sink writes
 * the file; ERR_CONFLICT: there are SINKS_PER_TENANT or SINKS_PER_INSTALLATION. */
MUST_CHECK enum err sink_create(struct scope *s, const struct sink_request *q, struct id *ret);
/* The kind stays; a secret that is given replaces the old one at once. */
MUST_CHECK enum err sink_patch(struct scope *s, struct id sink, const struct sink_request *q);
MUST_CHECK enum err sink_delete(struct scope *s, struct id sink);

#endif
