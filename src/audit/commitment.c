/* SPDX-License-Identifier: Apache-2.0
 * The label keeps the HMAC apart from any other use of a salt. */
#include "audit/commitment.h"

#include "crypto/digest.h"

void audit_commitment(const void *bytes, size_t n, const uint8_t salt[AUDIT_SALT_BYTES], uint8_t out[AUDIT_COMMITMENT_BYTES])
{
	static const char label[] = "reeve/audit-event/v1\n";
	struct digest_part parts[] = {{label, sizeof label - 1}, {bytes, n}};
	hmac_sha256(salt, AUDIT_SALT_BYTES, parts, 2, out);
}

bool audit_opens(const void *bytes, size_t n, const uint8_t salt[AUDIT_SALT_BYTES], const uint8_t commitment[AUDIT_COMMITMENT_BYTES])
{
	uint8_t made[AUDIT_COMMITMENT_BYTES];
	audit_commitment(bytes, n, salt, made);
	return bytes_equal(made, commitment, sizeof made);
}
