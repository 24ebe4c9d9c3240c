/* SPDX-License-Identifier: Apache-2.0
 * Shared by provider_change.c, provider_role.c and identity.c. */
#ifndef REEVE_DIRECTORY_SIGN_IN_IDENTITY_INTERNAL_H
#define REEVE_DIRECTORY_SIGN_IN_IDENTITY_INTERNAL_H

#include "base/err.h"
#include "base/id.h"
#include "db/db.h"

/* Ends every session that the provider began; forget: its identities go, and the roles that people hold through it.  *ret_n (may be NULL): how many
 * identities there are. */
MUST_CHECK enum err identity_end_all(struct db_tx *tx, struct id provider, bool forget, int64_t *ret_n);
/* Nobody holds the role through this provider any more. */
MUST_CHECK enum err identity_drop_role(struct db_tx *tx, struct id provider, struct id role);

#endif
