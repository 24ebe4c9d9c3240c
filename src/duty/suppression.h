/* SPDX-License-Identifier: Apache-2.0
 *
 * Suppression: what was erased does not come back by a late report, an import or an old database.  An entry is a keyed hash of what names the
 * object and nothing else: its own id, the id that a provider gave it, the fingerprint of a device's certificate.  Never a
 * userPrincipalName or a serial number: who is hired again is a new subject, and a re-issued laptop enrols.
 *
 * An entry lives as long as any copy that could bring the object back (the promise and the keys of backups), then it goes.
 */
#ifndef REEVE_DUTY_SUPPRESSION_H
#define REEVE_DUTY_SUPPRESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "duty/duty.h"

enum suppression_kind {
	SUPPRESS_OBJECT,     /* the id of a user or a device: its 16 bytes */
	SUPPRESS_EXTERNAL,   /* a provider's id (SCIM externalId), as text */
	SUPPRESS_CREDENTIAL, /* the SHA-256 of a device's certificate */
};

/* Until copies of the store as it is at the duty's deadline are gone.  Again: the later end counts. */
MUST_CHECK enum err suppression_add(struct db_tx *tx, const struct duty *d, enum suppression_kind kind, const void *p, size_t n);
/* The erasure was cancelled. */
MUST_CHECK enum err suppression_remove(struct db_tx *tx, enum suppression_kind kind, const void *p, size_t n);
/* Whether it was erased in the scope's tenant and may not come back. */
MUST_CHECK enum err suppression_check(struct db_tx *tx, enum suppression_kind kind, const void *p, size_t n, bool *ret);

#endif
