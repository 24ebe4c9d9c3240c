/* SPDX-License-Identifier: Apache-2.0
 *
 * effects.def as a table: what an action removes from a device and what it leaves.  The API's preview and the residues
 * in a certificate of erasure are read from here.
 */
#ifndef REEVE_DEVICES_EFFECTS_H
#define REEVE_DEVICES_EFFECTS_H

#include <stdbool.h>
#include <stddef.h>

struct effect {
	const char *platform, *owner_type, *action; /* "linux", "personal", "retire" */
	const char *what;                           /* "biosPassword" */
	const char *outcome;                        /* "removed", "kept", "unusable" */
	const char *text;                           /* for people */
};

const struct effect *effects_all(size_t *ret_n);

/* The next row from *at on that fits; NULL for a part means any.  NULL at the end.  Start with *at = 0. */
const struct effect *effects_next(size_t *at, const char *platform, const char *owner_type, const char *action);

/* Whether something of this action stays on the device that somebody may have to act on: kept or unusable, and not
 * simply the person's own. */
bool effect_is_residue(const struct effect *e);

#endif
