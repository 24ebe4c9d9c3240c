/* SPDX-License-Identifier: Apache-2.0
 *
 * Reasons why something is not given, or is given although the map would not: reasons.def as a table.
 */
#ifndef REEVE_PRIVACY_REASON_H
#define REEVE_PRIVACY_REASON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

enum reason_use {
	REASON_ANSWER = 1, /* a case is refused, withheld or redacted as a whole */
	REASON_HIDE = 2,   /* an officer redacts or withholds a place */
	REASON_SHOW = 4,   /* an officer gives what the map would not */
};

/* What it may be said of; see privacy/disclosure.h. */
enum reason_fit { FITS_ANY, FITS_NOT_OWN, FITS_IMPERSONAL };

struct reason {
	const char *code, *text; /* text: for the person */
	unsigned use;            /* of reason_use, by an officer; 0: only the map's rules give it */
	enum reason_fit fit;
	bool quiet; /* whoever reads it is warned: what is withheld for it is not even counted */
};

const struct reason *reasons(size_t *ret_n);
const struct reason *reason_by_code(const char *code); /* NULL: there is none */
const char *reason_text(const char *code);             /* "" for an unknown code or NULL */
bool reason_may(const char *code, enum reason_use use); /* whether an officer may use it so */
/* "a, b or c": the codes for a use, for messages. */
const char *reason_codes(struct arena *a, enum reason_use use);

#endif
