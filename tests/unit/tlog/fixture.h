/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole log in memory: commitments are SHA-256 of the index in decimal, every file is made from them, and the Merkle tree is computed as the
 * RFC writes it down, recursively, so that nothing of what is tested judges itself.
 */
#ifndef REEVE_TEST_TLOG_FIXTURE_H
#define REEVE_TEST_TLOG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memlog.h"

struct fixture {
	struct arena *arena;
	struct scope s;
};

static inline void fixture_clear(struct fixture *f)
{
	arena_reset(f->arena);
	scope_system(&f->s, f->arena, NULL, NULL);
}

static inline int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	f->arena = arena_new(LIMIT_ARENA_BYTES);
	fixture_clear(f);
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	arena_free(f->arena);
	free(f);
	return 0;
}

static inline void assert_hash(const uint8_t hash[SHA256_BYTES], const char *hex)
{
	char text[2 * SHA256_BYTES + 1];
	hex_encode(hash, SHA256_BYTES, text);
	assert_string_equal(text, hex);
}

#endif
