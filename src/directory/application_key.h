/* SPDX-License-Identifier: Apache-2.0
 *
 * Key holders of an application: the people through whose hands what it signs in with went (a secret, a certificate, an identity elsewhere).
 * What it asks for is as good as asked for by them, so that none of them approves it (directory/approval/).
 *
 * A row lasts as long as the longest-lived credential that the person had, also where that was removed before, and then as long as a request that
 * was asked for with it may be open; it goes with the application and with the person.
 */
#ifndef REEVE_DIRECTORY_APPLICATION_KEY_H
#define REEVE_DIRECTORY_APPLICATION_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "db/db.h"

/* The scope's actor has something with which the application signs in until `until` (0: for as long as there is the application).  A person
 * becomes a key holder; of an application that acts, its key holders do; the system and the operator leave nothing.  The event is the caller's. */
MUST_CHECK enum err application_key_given(struct db_tx *tx, struct id application, int64_t until);

MUST_CHECK enum err application_key_held(struct db_tx *tx, struct id application, struct id user, bool *ret);

/* Of an application that goes. */
MUST_CHECK enum err application_keys_drop(struct db_tx *tx, struct id application);

#endif
