/* SPDX-License-Identifier: Apache-2.0
 * Exports and secrets at rest.  Every object has a key of its own, so that a file put in the place of another does not
 * open. */
#include "keeper/vault/sealing.h"

#include <string.h>

#include "crypto/seal.h"

void sealing_key(const struct vault *k, const char *label, struct id object, uint8_t key[SHA256_BYTES])
{
	struct digest_part parts[] = {{label, strlen(label)}, {object.b, sizeof object.b}};
	hmac_sha256(k->export_key, sizeof k->export_key, parts, 2, key);
}

void vault_object_key(struct vault *k, struct id object, uint8_t ret[SEAL_KEY_BYTES])
{
	sealing_key(k, "reeve/export/v1", object, ret);
}

void *vault_seal(struct vault *k, struct arena *a, const void *p, size_t n, size_t *ret_n)
{
	uint8_t key[SEAL_KEY_BYTES];
	sealing_key(k, "reeve/secret/v1", (struct id){{0}}, key);
	void *sealed = seal(a, key, p, n, ret_n);
	wipe(key, sizeof key);
	return sealed;
}

void *vault_unseal(struct vault *k, struct arena *a, const void *p, size_t n, size_t *ret_n)
{
	uint8_t key[SEAL_KEY_BYTES];
	sealing_key(k, "reeve/secret/v1", (struct id){{0}}, key);
	void *plain = unseal(a, key, p, n, ret_n);
	wipe(key, sizeof key);
	return plain;
}
