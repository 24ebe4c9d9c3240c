/* SPDX-License-Identifier: Apache-2.0
 *
 * The gate, for requests that do not come from a listener: a step of a batch passes permission, throttles and audit exactly as a request of
 * its own, with its own request-id and log line.
 */
#ifndef REEVE_API_GATE_H
#define REEVE_API_GATE_H

#include "api/api.h"

/* in: made by http_inner() from the outer call's request; out: begun by http_answer_begin().  Both live in the outer arena. */
void gate_step(struct call *outer, struct http_request *in, struct http_response *out);
/* An error object as the answer of a step that does not come to the gate, or whose own answer is dropped. */
void gate_step_error(struct call *outer, const struct http_request *in, struct http_response *out, enum err err, const char *message);

#endif
