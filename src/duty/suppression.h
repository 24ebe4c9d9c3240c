/* SPDX-License-Identifier: Apache-2.0
 *
 * Suppression: what was erased does not come back by a late report, an import or an old database.  An entry is a keyed hash of what names the
 * object and nothing else: its own id, the fingerprint of a device's certificate.  Never a userPrincipalName, another
 * directory's id or a serial number: who is hired again is a new subject, and a re-issued laptop enrols.
 *
 * An entry lives as long as any copy that could bring the object back (the promise and the keys of backups), then it goes.
 */
#ifndef REEVE_DUTY_SUPPRESSION_H
#define REEVE_DUTY_SUPPRESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "duty/duty.h"

/* p: the 16 bytes of an object's id, or the 32 of the SHA-256 of a device's certificate. */

/* Until copies of the store as it is at the duty's deadline are gone.  Again: the later end counts. */
MUST_CHECK enum err suppression_add(struct db_tx *tx, const struct duty *d, const void *p, size_t n);
/* The erasure was cancelled. */
MUST_CHECK enum err suppression_remove(struct db_tx *tx, const void *p, size_t n);
/* Whether it was erased in the scope's tenant and may not come back. */
MUST_CHECK enum err suppression_check(struct db_tx *tx, const void *p, size_t n, bool *ret);

#endif
