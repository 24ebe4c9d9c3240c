/* SPDX-License-Identifier: Apache-2.0
 *
 * A link that needs no token: /downloads/<text> names one finished file of one tenant until a moment, under the keeper's key (keeper_reference,
 * label "download-link").  Nothing is stored; a link dies at its time, with its file, and with the keeper's key.
 */
#ifndef REEVE_API_LINK_H
#define REEVE_API_LINK_H

#include "api/api.h"

enum link_kind { LINK_EXPORT = 1, LINK_REPORT = 2 };

struct link {
	enum link_kind kind;
	struct id tenant, object;
	int64_t expires_us;
};

/* The absolute URL, in the arena. */
char *link_issue(struct call *c, const struct link *l);
/* From the path's text.  ERR_NOT_FOUND: forged, damaged or of another installation; ERR_GONE: past its time. */
MUST_CHECK enum err link_open(struct call *c, const char *text, struct link *ret);

#endif
