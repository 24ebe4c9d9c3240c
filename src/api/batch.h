/* SPDX-License-Identifier: Apache-2.0
 *
 * The body of a $batch, checked.  Source: OData JSON format 4.01, section 19; Graph's "Combine multiple requests in one HTTP call".
 */
#ifndef REEVE_API_BATCH_H
#define REEVE_API_BATCH_H

#include <jansson.h>
#include <stddef.h>

#include "base/err.h"
#include "base/scope.h"
#include "http/http.h"

enum { BATCH_STEPS_MAX = 20, BATCH_ID_BYTES_MAX = 128, BATCH_HEADERS_MAX = 64 };

struct batch_step {
	const char *id, *method; /* method: upper case */
	const char *target;      /* "/v1.0/users?$top=1" */
	struct http_field *fields;
	size_t field_count;
	const json_t *body;      /* NULL: none */
	unsigned after[BATCH_STEPS_MAX]; /* the steps that this one depends on, by place */
	size_t after_count;
};

struct batch {
	struct batch_step step[BATCH_STEPS_MAX];
	size_t n;
	unsigned order[BATCH_STEPS_MAX]; /* places: each behind those that it depends on, else as they stand */
};

/* version: "v1.0", which goes before every url.  Texts stay in body, or are in the arena.  ERR_BAD_REQUEST with a detail. */
MUST_CHECK enum err batch_parse(struct scope *s, const json_t *body, const char *version, struct batch *ret);
/* A step's body as bytes for its handler: JSON as it is; a string under another Content-Type is the text itself (text/…) or its base64. */
MUST_CHECK enum err batch_body(struct scope *s, const struct batch_step *step, struct buf *out);

#endif
