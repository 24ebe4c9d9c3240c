/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside keeper/ only: a message between a server and its keeper, which are of one build, as a row of fields in the order in which they were
 * put: plain structs as they stand in memory, bytes with their length before them.  Whoever takes fields that are not there gets zeros
 * and `bad`.
 */
#ifndef REEVE_KEEPER_WIRE_H
#define REEVE_KEEPER_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/id.h"

enum { WIRE_MAX = 64 * 1024 * 1024 };

struct wire {
	struct buf b;
	size_t at; /* where taking has come to */
	bool bad;
};

void wire_init(struct wire *w);
void wire_release(struct wire *w); /* what it held is wiped: keys pass here */
void wire_clear(struct wire *w);
#define auto_wire __attribute__((cleanup(wire_release))) struct wire

void wire_put(struct wire *w, const void *p, size_t n);
void wire_put_bytes(struct wire *w, const void *p, size_t n); /* p NULL: none at all */
void wire_put_text(struct wire *w, const char *s);            /* NULL is allowed */
void wire_put_int(struct wire *w, int64_t v);

void wire_take(struct wire *w, void *ret, size_t n);
/* A copy in the arena with a NUL behind it; NULL where NULL was put. */
void *wire_take_bytes(struct wire *w, struct arena *a, size_t *ret_n);
char *wire_take_text(struct wire *w, struct arena *a);
int64_t wire_take_int(struct wire *w);

/* One message with its length before it.  False: the other side is gone. */
bool wire_send(int fd, const struct wire *w);
bool wire_receive(int fd, struct wire *w); /* into w, which is cleared before */

#endif
