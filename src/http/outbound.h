/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTPS to an address that a tenant's administrator gave (webhooks, storage locations): the guards of such a call, once.  The address is judged
 * at each connect (http/reach.h), TLS 1.2 at least, no redirect is followed, no proxy and no .netrc of the environment is used, and of the answer's
 * body no more than OUTBOUND_ANSWER_MAX bytes are taken and none kept.
 */
#ifndef REEVE_HTTP_OUTBOUND_H
#define REEVE_HTTP_OUTBOUND_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "http/reach.h"

enum { OUTBOUND_ANSWER_MAX = 64 * 1024 };

struct outbound {
	const struct reach *reach;
	const char *host; /* of the url */
	bool refused;     /* out: every address may not be reached */
	size_t answered;  /* out: bytes of the answer's body */
};

/* Sets the guards on a handle that has no options yet; o and the url must outlive the call. */
void outbound_guard(CURL *h, struct outbound *o, const char *url);
/* Whether there is a status to judge: a body that was too long was cut off behind one. */
bool outbound_answered(const struct outbound *o, CURLcode code);

/* What is said where refused is set. */
#define OUTBOUND_REFUSED "the address is not one that may be reached (setting sink_targets)"

#endif
