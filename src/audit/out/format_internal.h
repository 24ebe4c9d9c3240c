/* SPDX-License-Identifier: Apache-2.0
 * Shared by the audit_format*.c: a stored event, parsed. */
#ifndef REEVE_AUDIT_OUT_FORMAT_INTERNAL_H
#define REEVE_AUDIT_OUT_FORMAT_INTERNAL_H

#include <jansson.h>
#include <stdint.h>

#include "base/buf.h"

struct stored_event {
	uint64_t index;
	const char *bytes; /* as stored */
	size_t n;
	const json_t *whole, *event, *actor, *resources;
};

/* A member that is text; NULL where it is missing or null. */
const char *stored_text(const json_t *object, const char *name);
/* Who did it, in one word: the person's UPN, else the program's name, else what kind of actor it was. */
const char *stored_who(const struct stored_event *e);

void csv_head(struct buf *out);
void csv_event(const struct stored_event *e, struct buf *out);
void ocsf_event(const struct stored_event *e, struct buf *out);

#endif
