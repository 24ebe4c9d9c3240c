/* SPDX-License-Identifier: Apache-2.0
 * What stands for an event in the log: HMAC-SHA256(key = salt, message = "reeve/audit-event/v1\n" || bytes).  An entry is 0x01 and it.  Pure. */
#ifndef REEVE_AUDIT_COMMITMENT_H
#define REEVE_AUDIT_COMMITMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AUDIT_SALT_BYTES = 32, AUDIT_COMMITMENT_BYTES = 32 };

void audit_commitment(const void *bytes, size_t n, const uint8_t salt[AUDIT_SALT_BYTES], uint8_t out[AUDIT_COMMITMENT_BYTES]);
/* Whether bytes and salt open it. */
bool audit_opens(const void *bytes, size_t n, const uint8_t salt[AUDIT_SALT_BYTES], const uint8_t commitment[AUDIT_COMMITMENT_BYTES]);

#endif
