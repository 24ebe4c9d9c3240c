/* SPDX-License-Identifier: Apache-2.0
 * Shared by account*.c and totp.c. */
#ifndef REEVE_DIRECTORY_SIGN_IN_ACCOUNT_INTERNAL_H
#define REEVE_DIRECTORY_SIGN_IN_ACCOUNT_INTERNAL_H

#include "audit/audit.h"
#include "directory/sign_in/account.h"

/* The account of a proof.  ERR_UNAUTHENTICATED: it is gone or disabled, or has another password or second factor than was proved. */
MUST_CHECK enum err account_load_proved(struct db_tx *tx, const struct account_proof *p, struct account *ret);
/* The account's event. */
MUST_CHECK enum err account_record(struct db_tx *tx, enum activity activity, const struct account *a, const struct audit_change *changes);
/* One failure more, and a lock with its event where they are too many. */
MUST_CHECK enum err account_failed(struct db_tx *tx, const struct account *a);
/* Whether it is locked for who asks. */
MUST_CHECK enum err account_locked(struct db_tx *tx, const struct account *a, bool *ret);
/* The step of a code that is right and newer than the last one used; -1: none. */
int64_t totp_step_of(const void *secret, size_t n, const char *code, int64_t now, int64_t last);

#endif
