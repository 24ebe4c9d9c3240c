/* SPDX-License-Identifier: Apache-2.0
 * Shared by user.c and user_delete.c. */
#ifndef REEVE_DIRECTORY_USER_INTERNAL_H
#define REEVE_DIRECTORY_USER_INTERNAL_H

#include "base/err.h"
#include "base/id.h"
#include "db/db.h"

/* The name may be given to the user `but`: ERR_BAD_REQUEST where it is none, ERR_EXISTS where another visible user has it. */
MUST_CHECK enum err user_upn_free(struct db_tx *tx, const char *upn, struct id but);

#endif
