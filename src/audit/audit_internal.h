/* SPDX-License-Identifier: Apache-2.0
 * Shared inside audit/: sizes and the commitment. */
#ifndef REEVE_AUDIT_AUDIT_INTERNAL_H
#define REEVE_AUDIT_AUDIT_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "db/db.h"

enum {
	AUDIT_SALT_BYTES = 32,
	AUDIT_COMMITMENT_BYTES = 32,           /* HMAC-SHA256(salt, "reeve/audit-event/v1\n" || bytes); an entry is 0x01 and it */
	AUDIT_EVENT_BYTES_MAX = 512 * 1024,    /* a configuration's old and new payload fit */
};

/* How long the scope's tenant's events are kept that are recorded now. */
MUST_CHECK enum err audit_retention_us(struct db_tx *tx, int64_t *ret);

#define AUDIT_EVENT_MEMBER "event"

void audit_commitment(const void *bytes, size_t n, const uint8_t salt[AUDIT_SALT_BYTES], uint8_t out[AUDIT_COMMITMENT_BYTES]);

#endif
