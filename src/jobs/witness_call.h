/* SPDX-License-Identifier: Apache-2.0
 * One request to a witness (C2SP tlog-witness): its body, its way, its answer. */
#ifndef REEVE_JOBS_WITNESS_CALL_H
#define REEVE_JOBS_WITNESS_CALL_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/scope.h"
#include "tlog/merkle.h"
#include "tlog/policy.h"

enum { WITNESS_ANSWER_BYTES_MAX = 16 * 1024, WITNESS_WHY_BYTES = 120 };

struct witness_answer {
	enum {
		WITNESS_LOST,     /* no answer, or none that can be understood: a matter of the witness */
		WITNESS_SIGNED,   /* line: its cosignature, verified */
		WITNESS_ELSEWHERE,/* size: what it has cosigned last; ask again from there */
		WITNESS_REFUSED,  /* a matter of this log: why says which */
	} what;
	uint64_t size;
	const char *line;
	int status;                   /* of HTTP; 0: none came */
	char why[WITNESS_WHY_BYTES];  /* one line for the log, without a byte that the witness chose but for printable ones */
};

/* "old <size>", the proof, an empty line, the note. */
void witness_body(struct buf *out, uint64_t old_size, const struct merkle_proof *p, const char *note);
/* Reads an answer to the submission of `note`.  Pure.  line is in the arena. */
void witness_read(struct scope *s, const struct policy_item *w, const char *note, int status, const char *content_type, const char *body,
		  size_t n, struct witness_answer *ret);

/* POSTs add-checkpoint by a curl handle of the caller's (CURL *), 2 s to connect and 10 s in all; given up where *stop becomes true. */
void witness_call(struct scope *s, void *curl, const struct policy_item *w, uint64_t old_size, const struct merkle_proof *p, const char *note,
		  const atomic_bool *stop, struct witness_answer *ret);

#endif
