/* SPDX-License-Identifier: Apache-2.0
 * Shared by user.c, user_delete.c and user_enabled.c. */
#ifndef REEVE_DIRECTORY_USER_INTERNAL_H
#define REEVE_DIRECTORY_USER_INTERNAL_H

#include "base/err.h"
#include "base/id.h"
#include "db/db.h"
#include "resource/resource.h"

/* The name may be given to the user `but`: ERR_BAD_REQUEST where it is none, ERR_EXISTS where another visible user has it. */
MUST_CHECK enum err user_upn_free(struct db_tx *tx, const char *upn, struct id but);

enum { USER_ENABLED_COLUMNS = 3 };
/* Where the record changes accountEnabled (old NULL: the user is created with it): the columns that follow it, at most USER_ENABLED_COLUMNS
 * more at extra[*n], and what an event says of them. */
MUST_CHECK enum err user_enabled_columns(struct db_tx *tx, const struct record *old, const struct record *r, struct extra_column *extra, size_t *n,
					 struct audit_change ***tail);
/* Somebody disabled the account by hand, and now its directory says so, too: its retention runs from here.  *changed: that is so. */
MUST_CHECK enum err user_told_disabled(struct db_tx *tx, struct id user, const struct record *old, const struct record *r,
					struct audit_change ***tail, bool *changed);
/* Nothing but accountEnabled changes, and that to false: a restriction of processing does not keep somebody in. */
bool user_only_disabled(const struct audit_change *changes);

#endif
