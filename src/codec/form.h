/* SPDX-License-Identifier: Apache-2.0
 * What a browser sends of a form (application/x-www-form-urlencoded, WHATWG URL section 5).  Pure, strict, bounded. */
#ifndef REEVE_CODEC_FORM_H
#define REEVE_CODEC_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

struct form_field {
	const char *name;
	size_t max_bytes;
	bool lines;        /* may hold line breaks (LF) and tabs */
	const char *value; /* out, in the arena: trimmed, lines end in LF; "" where it was not sent */
};
/* Fills the fields that are known; others are passed over.  False: malformed encoding, no UTF-8, a field twice or longer than it may be, a control
 * character; then every value is "". */
bool form_parse(struct arena *a, const char *p, size_t n, struct form_field *fields, size_t count);

#endif
