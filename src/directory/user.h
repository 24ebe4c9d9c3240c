/* SPDX-License-Identifier: Apache-2.0
 *
 * People's accounts.  A user is visible; or soft-deleted (deleted_at set, name free for others, restorable for 30 days, with a scheduled
 * duty); or deleted for good: the row stays until privacy/ has carried the duty out, and nothing but privacy/ sees it.  "Deleted for
 * good" is read from the duty, nowhere else: an open duty of the user in any state but `scheduled`.
 *
 * Every function that changes is one transaction with its event.  ERR_NOT_FOUND for a user that is not there, of another tenant, or not
 * in the state that the function is for; ERR_EXISTS for a userPrincipalName that another user has.
 */
#ifndef REEVE_DIRECTORY_USER_H
#define REEVE_DIRECTORY_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"
#include "resource/resource.h"

struct user {
	struct id user;
	const char *upn, *display_name, *mail; /* in the arena; mail may be NULL */
	bool account_enabled;
};

/* NULL where the text may be a userPrincipalName, else why not, for people.  ASCII as in Entra: local@domain, at most 64 and 255
 * characters, letters, digits and .-_'!#^~+ in the local part, a host name after the @. */
const char *upn_problem(const char *upn);
char *upn_key(struct arena *a, const char *upn); /* lower case: what is unique */

/* An id or a userPrincipalName in any case, as it stands in a path, of a visible user whom the scope's actor reaches. */
MUST_CHECK enum err user_resolve(struct scope *s, const char *id_or_upn, struct id *ret);
/* A visible user, in a transaction of a higher layer. */
MUST_CHECK enum err user_load(struct db_tx *tx, struct id user, struct user *ret);

/* Records are of the resource "user" (record_parse).  passwordProfile is accepted there and dropped: passwords are set on the
 * server's machine alone (sign_in/account.h). */
MUST_CHECK enum err user_create(struct scope *s, const struct record *r, struct id *ret);
MUST_CHECK enum err user_patch(struct scope *s, struct id user, const struct record *r);

/* Both in the caller's transaction.  `more` (may be NULL) writes what belongs to the user beside the row, appends its changes to the event's,
 * and says whether it changed anything. */
struct user_more {
	enum err (*write)(struct db_tx *tx, struct id user, struct audit_change ***tail, bool *changed, void *arg);
	void *arg;
};
MUST_CHECK enum err user_create_in(struct db_tx *tx, const struct record *r, const struct user_more *more, struct id *ret);
MUST_CHECK enum err user_patch_in(struct db_tx *tx, struct id user, const struct record *r, const struct user_more *more);

/* Soft: found by nothing but /directory/deletedItems, name free; accountEnabled keeps its value; a duty is scheduled for day 30 with its
 * deadline on day 60. */
MUST_CHECK enum err user_delete(struct scope *s, struct id user);
/* Back under its name, or under new_upn (may be NULL); cancels the duty.  An account that was disabled stays so.
 * ERR_NOT_FOUND from day 30 on, also before the job came by. */
MUST_CHECK enum err user_restore(struct scope *s, struct id user, const char *new_upn);
/* Of a soft-deleted user: invisible from here on, the duty is due now with a deadline of 30 days.  Cannot be undone. */
MUST_CHECK enum err user_delete_forever(struct scope *s, struct id user);
/* Both in the caller's transaction, of a user who is visible or soft-deleted; the duty. */
MUST_CHECK enum err user_erase(struct db_tx *tx, struct id user, struct id *ret_duty);
/* The same, with another trigger of the duty (DUTY_BY_…). */
MUST_CHECK enum err user_erase_by(struct db_tx *tx, struct id user, const char *trigger, struct id *ret_duty);
/* After a permanent delete was cancelled: a deleted user again, as of the day of the deletion. */
MUST_CHECK enum err user_keep_deleted(struct db_tx *tx, struct id user);
/* For the periodic job, in a scope without a tenant: user_delete_forever() by the system for soft-deleted users whose day 30 has come, of
 * all tenants, at most `most`.  *ret_n: how many went. */
MUST_CHECK enum err user_expire_deleted(struct scope *s, size_t most, size_t *ret_n);

#endif
