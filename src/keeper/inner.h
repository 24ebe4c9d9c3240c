/* SPDX-License-Identifier: Apache-2.0
 * Inside keeper/ only: the way from a call of keeper.h to the vault that answers it, in this process or in another. */
#ifndef REEVE_KEEPER_INNER_H
#define REEVE_KEEPER_INNER_H

#include "keeper/keeper.h"
#include "keeper/wire.h"

struct vault;
struct lines;
struct verified;

enum keeper_call {
#define KEEPER_CALL(name) CALL_##name,
#include "keeper/calls.def"
#undef KEEPER_CALL
	CALL_COUNT
};

/* What never changes while it is open. */
struct keeper_facts {
	uint8_t place[SHA256_BYTES], public_key[ED25519_KEY_BYTES];
};

struct keeper {
	struct vault *vault; /* of this process; NULL: behind the lines */
	struct lines *lines;
	struct verified *verified; /* NULL where the vault is in this process: there it costs as little to ask */
	struct keeper_facts facts;
	char *cut;
};

/* answer.c: question and answer in the form of keeper_ask(). */
void vault_answer(struct vault *v, struct wire *question, struct wire *answer);
void vault_facts(struct vault *v, struct keeper_facts *ret);

/* process.c: hands the question to the keeper's process and takes its answer.  One that is gone ends this process, too: what it has
 * done is not known. */
void lines_ask(struct lines *l, const struct wire *question, struct wire *answer);
void lines_close(struct lines *l); /* waits until the process has ended; NULL is allowed */

#endif
