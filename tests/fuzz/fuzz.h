/* SPDX-License-Identifier: Apache-2.0
 *
 * What every fuzz target includes.  A target is one file fuzz_<name>.c with LLVMFuzzerTestOneInput; it must hold for any bytes,
 * and says with check() what must be true of the result.
 */
#ifndef REEVE_TESTS_FUZZ_H
#define REEVE_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/limits.h"
#include "base/scope.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* A new scope in an arena that lives as long as the process, and is bounded as a request's is. */
static inline struct scope *fuzz_scope(void)
{
	static struct scope s;
	static struct arena *a;
	if (a == NULL)
		a = arena_new(LIMIT_ARENA_BYTES);
	arena_reset(a);
	scope_system(&s, a, NULL, NULL);
	return &s;
}

/* A refusal must say why, and must be one that a client may see. */
static inline void fuzz_refused(const struct scope *s, enum err e)
{
	check(e != OK && err_http_status(e) < 500);
	check(s->detail != NULL && s->detail[0] != '\0');
}

#endif
