/* SPDX-License-Identifier: Apache-2.0
 *
 * A proof to be kept offline (C2SP tlog-proof): "c2sp.org/tlog-proof@v1", `extra <base64>`, `index <n>`, the hashes of the inclusion
 * proof, an empty line, the checkpoint with its cosignatures.  In Reeve `extra` is the event's salt (32 bytes), so that whoever holds
 * the event's bytes and the proof needs nothing else.  Pure.
 */
#ifndef REEVE_TLOG_PROOF_H
#define REEVE_TLOG_PROOF_H

#include "base/err.h"
#include "base/scope.h"
#include "tlog/merkle.h"

enum { TLOG_PROOF_BYTES_MAX = 128 * 1024, TLOG_PROOF_EXTRA_MAX = 1024 };

struct tlog_proof {
	uint64_t index;
	struct merkle_proof inclusion;
	const uint8_t *extra; /* NULL: none */
	size_t extra_n;
	const char *checkpoint; /* the note, verbatim */
};

char *tlog_proof_write(struct arena *a, const struct tlog_proof *p);
/* Everything in the arena.  ERR_BAD_REQUEST with a detail that names the line. */
MUST_CHECK enum err tlog_proof_parse(struct scope *s, const char *text, size_t len, struct tlog_proof *ret);

#endif
