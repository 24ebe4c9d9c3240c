/* SPDX-License-Identifier: Apache-2.0
 * What the calls on an application's credentials (secrets, certificates, provisioning tokens) have in common in their paths and bodies. */
#ifndef REEVE_API_GRAPH_CREDENTIAL_H
#define REEVE_API_GRAPH_CREDENTIAL_H

#include "api/api.h"

/* The application that the path names, which is also what a refusal is about. */
MUST_CHECK enum err credential_application(struct call *c, struct id *ret);
/* {"<member>": {"displayName"?, "endDateTime"?, …}}: a new one as it is asked for; absent and null ask for nothing (NULL and 0).  members:
 * what its object may hold (NULL-terminated). */
MUST_CHECK enum err credential_asked(struct call *c, const char *member, const char *const *members, const char **ret_name, int64_t *ret_end);
/* {"keyId": …} of the one that is to go; other members of the body only where `allowed` (NULL-terminated) names them.  what: "secret". */
MUST_CHECK enum err credential_named(struct call *c, const char *const *allowed, const char *what, struct id *ret);

#endif
