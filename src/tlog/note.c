/* SPDX-License-Identifier: Apache-2.0
 * The text forms.  The id of a key binds its name and type, so that one key under two names has two ids. */
#include "tlog/note.h"

#include <inttypes.h>
#include <string.h>

#include "base/id.h"
#include "codec/base64.h"

bool note_name_valid(const char *name)
{
	size_t n = name != NULL ? strnlen(name, NOTE_NAME_MAX + 1) : 0;
	if (n == 0 || n > NOTE_NAME_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (name[i] <= ' ' || name[i] > '~' || name[i] == '+')
			return false;
	return true;
}

void note_key_id(const char *name, uint8_t type, const uint8_t public_key[ED25519_KEY_BYTES], uint8_t out[NOTE_KEY_ID_BYTES])
{
	uint8_t hash[SHA256_BYTES], typed[] = {'\n', type};
	struct digest_part parts[] = {{name, strlen(name)}, {typed, sizeof typed}, {public_key, ED25519_KEY_BYTES}};
	sha256_parts(parts, 3, hash);
	memcpy(out, hash, NOTE_KEY_ID_BYTES);
}

char *note_vkey(struct arena *a, const char *name, const uint8_t public_key[ED25519_KEY_BYTES])
{
	uint8_t id[NOTE_KEY_ID_BYTES], typed[1 + ED25519_KEY_BYTES] = {NOTE_ED25519};
	char hex[2 * NOTE_KEY_ID_BYTES + 1];
	note_key_id(name, NOTE_ED25519, public_key, id);
	hex_encode(id, sizeof id, hex);
	memcpy(typed + 1, public_key, ED25519_KEY_BYTES);
	return arena_printf(a, "%s+%s+%s", name, hex, base64_encode(a, typed, sizeof typed));
}

char *note_sign(struct arena *a, const struct note_signer *signer, const char *name, const char *text)
{
	uint8_t line[NOTE_KEY_ID_BYTES + ED25519_SIGNATURE_BYTES];
	note_key_id(name, NOTE_ED25519, signer->public_key, line);
	ed25519_sign(signer->seed, text, strlen(text), line + NOTE_KEY_ID_BYTES);
	return arena_printf(a, "%s\n\u2014 %s %s\n", text, name, base64_encode(a, line, sizeof line));
}

char *note_checkpoint(struct arena *a, const struct note_signer *signer, const char *origin, uint64_t size,
		      const uint8_t root[SHA256_BYTES])
{
	char *text = arena_printf(a, "%s\n%" PRIu64 "\n%s\n", origin, size, base64_encode(a, root, SHA256_BYTES));
	return note_sign(a, signer, origin, text);
}
