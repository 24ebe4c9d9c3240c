/* SPDX-License-Identifier: Apache-2.0
 * Shared by the files of holds. */
#ifndef REEVE_PRIVACY_HOLD_INTERNAL_H
#define REEVE_PRIVACY_HOLD_INTERNAL_H

#include "privacy/hold/legal_hold.h"

struct hold_member {
	struct id member, hold, user, device; /* user, device: nil for none */
};
/* Of one hold, or of all (nil), in the arena. */
MUST_CHECK enum err hold_members(struct db_tx *tx, struct id hold, struct hold_member **ret, size_t *ret_n);

/* ERR_NOT_FOUND, and ERR_CONFLICT where it was released, with details. */
MUST_CHECK enum err hold_open(struct db_tx *tx, struct id hold, struct record **ret);
/* person: nil for nobody; changes may be NULL. */
MUST_CHECK enum err hold_record(struct db_tx *tx, enum activity activity, struct id hold, const char *name, struct id person,
				const struct audit_change *changes);

#endif
