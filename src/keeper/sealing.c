/* SPDX-License-Identifier: Apache-2.0
 * Exports and secrets at rest.  Every object has a key of its own, so that a file put in the place of another does not
 * open. */
#include "keeper/sealing.h"

#include <string.h>

#include "crypto/seal.h"

void sealing_key(const struct keeper *k, const char *label, struct id object, uint8_t key[SHA256_BYTES])
{
	struct digest_part parts[] = {{label, strlen(label)}, {object.b, sizeof object.b}};
	hmac_sha256(k->export_key, sizeof k->export_key, parts, 2, key);
}

enum err keeper_seal_file(struct keeper *k, struct id object, const char *from, const char *to)
{
	uint8_t key[SEAL_KEY_BYTES];
	sealing_key(k, "reeve/export/v1", object, key);
	enum err e = seal_file(key, from, to);
	wipe(key, sizeof key);
	return e;
}

enum err keeper_seal_open(struct keeper *k, struct id object, const char *to, struct seal_stream **ret)
{
	uint8_t key[SEAL_KEY_BYTES];
	sealing_key(k, "reeve/export/v1", object, key);
	enum err e = seal_open(key, to, ret);
	wipe(key, sizeof key);
	return e;
}

enum err keeper_unseal_open(struct keeper *k, struct id object, const char *path, struct unseal_stream **ret)
{
	uint8_t key[SEAL_KEY_BYTES];
	sealing_key(k, "reeve/export/v1", object, key);
	enum err e = unseal_open(key, path, ret);
	wipe(key, sizeof key);
	return e;
}

void *keeper_seal(struct keeper *k, struct arena *a, const void *p, size_t n, size_t *ret_n)
{
	uint8_t key[SEAL_KEY_BYTES];
	sealing_key(k, "reeve/secret/v1", (struct id){{0}}, key);
	void *sealed = seal(a, key, p, n, ret_n);
	wipe(key, sizeof key);
	return sealed;
}

void *keeper_unseal(struct keeper *k, struct arena *a, const void *p, size_t n, size_t *ret_n)
{
	uint8_t key[SEAL_KEY_BYTES];
	sealing_key(k, "reeve/secret/v1", (struct id){{0}}, key);
	void *plain = unseal(a, key, p, n, ret_n);
	wipe(key, sizeof key);
	return plain;
}
