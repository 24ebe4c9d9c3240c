/* SPDX-License-Identifier: Apache-2.0
 *
 * A scope with an arena for tests of pure functions; again() gives it back as new, so that each row of a table starts
 * clean.
 */
#ifndef REEVE_TESTS_CODEC_FIXTURE_H
#define REEVE_TESTS_CODEC_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/scope.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct scope scope;

static struct scope *again(void)
{
	struct arena *a = scope.arena;
	arena_reset(a);
	scope_system(&scope, a, NULL, NULL);
	return &scope;
}

static int scope_setup(void **state)
{
	scope.arena = arena_new(4 * MIB);
	again();
	return 0;
}

static int scope_teardown(void **state)
{
	arena_free(scope.arena);
	return 0;
}

#endif
