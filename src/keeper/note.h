/* SPDX-License-Identifier: Apache-2.0
 * Signed notes (C2SP signed-note) and checkpoints (C2SP tlog-checkpoint), signed with Ed25519 (type 0x01). */
#ifndef REEVE_KEEPER_NOTE_H
#define REEVE_KEEPER_NOTE_H

#include <stdint.h>

#include "base/arena.h"
#include "crypto/digest.h"
#include "crypto/sign.h"

struct note_signer {
	uint8_t seed[ED25519_KEY_BYTES];
	uint8_t public_key[ED25519_KEY_BYTES];
};

enum { NOTE_NAME_MAX = 255 };

/* Whether a text may be a key's name and a log's origin here: printable ASCII without a space or "+". */
bool note_name_valid(const char *name);
/* "<name>+<8 hex of the key's id>+<base64 of 0x01 || key>" */
char *note_vkey(struct arena *a, const char *name, const uint8_t public_key[ED25519_KEY_BYTES]);
/* text (ends in a newline), an empty line, and the signature line. */
char *note_sign(struct arena *a, const struct note_signer *signer, const char *name, const char *text);
/* The signed checkpoint of a log; the key's name is the origin. */
char *note_checkpoint(struct arena *a, const struct note_signer *signer, const char *origin, uint64_t size,
		      const uint8_t root[SHA256_BYTES]);

#endif
