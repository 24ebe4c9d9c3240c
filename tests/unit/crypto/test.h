/* SPDX-License-Identifier: Apache-2.0
 * What the tests of crypto/ share. */
#ifndef REEVE_TEST_CRYPTO_H
#define REEVE_TEST_CRYPTO_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "base/limits.h"

#define assert_err(got, want) assert_string_equal(err_name(got), err_name(want))

static inline void assert_hex(const void *p, size_t n, const char *want)
{
	char text[2 * 64 + 1];
	assert_true(n <= 64);
	hex_encode(p, n, text);
	assert_string_equal(text, want);
}

/* A directory of the test's own, removed with the shallow files in it. */
static inline char *make_directory(char path[64])
{
	const char *tmp = getenv("TMPDIR");
	snprintf(path, 64, "%s/reeve-crypto-XXXXXX", tmp != NULL && strlen(tmp) < 30 ? tmp : "/tmp");
	assert_non_null(mkdtemp(path));
	return path;
}

#endif
