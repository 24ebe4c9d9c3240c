/* SPDX-License-Identifier: Apache-2.0
 * Signed notes (C2SP signed-note) and checkpoints (C2SP tlog-checkpoint), signed with Ed25519 (type 0x01). */
#ifndef REEVE_TLOG_NOTE_H
#define REEVE_TLOG_NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/scope.h"
#include "crypto/digest.h"
#include "crypto/sign.h"

struct note_signer {
	uint8_t seed[ED25519_KEY_BYTES];
	uint8_t public_key[ED25519_KEY_BYTES];
};

enum { NOTE_NAME_MAX = 255, NOTE_KEY_ID_BYTES = 4 };

/* Whether a text may be a key's name and a log's origin here: printable ASCII without a space or "+". */
bool note_name_valid(const char *name);
/* What a signature line begins with (C2SP signed-note): binds name, type and key. */
void note_key_id(const char *name, uint8_t type, const uint8_t public_key[ED25519_KEY_BYTES], uint8_t out[NOTE_KEY_ID_BYTES]);
/* "<name>+<8 hex of the key's id>+<base64 of 0x01 || key>" */
char *note_vkey(struct arena *a, const char *name, const uint8_t public_key[ED25519_KEY_BYTES]);
/* text (ends in a newline), an empty line, and the signature line. */
char *note_sign(struct arena *a, const struct note_signer *signer, const char *name, const char *text);
/* The signed checkpoint of a log; the key's name is the origin. */
char *note_checkpoint(struct arena *a, const struct note_signer *signer, const char *origin, uint64_t size,
		      const uint8_t root[SHA256_BYTES]);

/* ---- reading ---- */

enum {
	NOTE_BYTES_MAX = 64 * 1024,
	NOTE_SIGNATURES_MAX = 100,
	NOTE_COSIGNATURE = 0x04, /* C2SP tlog-cosignature */
	NOTE_ED25519 = 0x01,
};

struct note_key {
	const char *name;
	uint8_t id[NOTE_KEY_ID_BYTES], type; /* NOTE_ED25519 or NOTE_COSIGNATURE */
	uint8_t public_key[ED25519_KEY_BYTES];
};
/* A vkey line, with or without its newline; the name goes to the arena.  ERR_BAD_REQUEST with a detail (malformed, a type that we do not know,
 * an id that is not the key's). */
MUST_CHECK enum err note_key_parse(struct scope *s, const char *vkey, struct note_key *ret);

/* What one of the given keys said of the note. */
struct note_seen {
	bool signed_;     /* by this key, and it verified; the first such line where it has several */
	uint64_t time;    /* NOTE_COSIGNATURE: POSIX seconds */
	const char *line; /* the signature line as it stood, without its newline; in the arena */
};
/* Checks a signed note against keys[0..n).  *ret_text: the signed text with its final newline.  ERR_BAD_REQUEST: no note, or a
 * signature by a known key that does not verify; unknown keys are ignored.  seen[i] for each key; whether one suffices is the
 * caller's rule.  A cosignature is over "cosignature/v1\ntime N\n" and the text. */
MUST_CHECK enum err note_open(struct scope *s, const char *note, size_t len, const struct note_key *keys, size_t n, char **ret_text,
			      struct note_seen *seen);

/* The text of a checkpoint (C2SP tlog-checkpoint), with its final newline.  Extension lines are allowed and ignored.  A size past INT64_MAX is
 * refused: no database has it.  ERR_BAD_REQUEST with a detail. */
struct checkpoint {
	const char *origin;
	uint64_t size;
	uint8_t root[SHA256_BYTES];
};
MUST_CHECK enum err checkpoint_parse(struct scope *s, const char *text, struct checkpoint *ret);

#endif
