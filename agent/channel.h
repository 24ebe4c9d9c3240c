/* SPDX-License-Identifier: Apache-2.0
 *
 * One call of the Linux channel (docs/formats/linux-channel.md): JSON over HTTPS with the device's certificate.
 * Promises: TLS 1.2 or later, the server's certificate verified against the given CA file and no other, no redirect
 * followed, no answer larger than CHANNEL_ANSWER_MAX read, every call ended by a time limit.
 */
#ifndef REEVE_AGENT_CHANNEL_H
#define REEVE_AGENT_CHANNEL_H

#include "agent.h"
#include "base/buf.h"
#include "codec/json.h"

#define CHANNEL_ANSWER_MAX (8u << 20)
#define CHANNEL_BODY_MAX (16u << 20)

struct endpoint {
	const char *url; /* https://host[:port] */
	const char *ca_file;
	const char *cert_file, *key_file; /* NULL before enrolment */
};

/* ERR_NO_SERVER where it cannot be reached or trusted; otherwise the server's refusal as an error with its message. */
MUST_CHECK enum err channel_post(struct agent *a, const struct endpoint *to, const char *path, const struct buf *body,
				 json_t **ret);
/* https, with a host and nothing after the port but slashes (taken off). */
MUST_CHECK enum err channel_url(struct agent *a, const char *given, const char **ret);
/* The enrolled device's endpoint. */
struct endpoint channel_endpoint(struct agent *a, const char *url);
/* A text of the server, fit for a terminal: no control characters, not endless, without the token. */
char *channel_clean(struct agent *a, const char *text);

#endif
