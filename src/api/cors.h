/* SPDX-License-Identifier: Apache-2.0
 *
 * Cross-origin requests of browsers (Fetch standard, "CORS protocol"): none, unless the operator names the origins of pages that may call the
 * API (reeve.conf's cors_origins).  Each is compared as a whole; there is no wildcard, and no page of another origin may ever send a cookie
 * (Access-Control-Allow-Credentials is not sent): such a page brings a bearer token of its own.
 */
#ifndef REEVE_API_CORS_H
#define REEVE_API_CORS_H

#include <stdbool.h>

#include "base/arena.h"
#include "http/http.h"

struct cors;

/* text: origins ("https://console.example.org", "http://localhost:5173"), separated by commas or blanks; *ret NULL for none.  False: one of
 * them is none, or no https one and not this machine's own. */
bool cors_parse(struct arena *a, const char *text, const struct cors **ret);
/* The headers of an answer to a page of a named origin; to any other, none.  c NULL: nobody is named. */
void cors_answer(const struct cors *c, const struct http_request *in, struct http_response *out);
/* And those of the question before it (OPTIONS).  allow: the methods of the resource. */
void cors_preflight(const struct cors *c, const struct http_request *in, struct http_response *out, const char *allow);

#endif
