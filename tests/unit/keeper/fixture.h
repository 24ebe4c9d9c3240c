/* SPDX-License-Identifier: Apache-2.0
 * A keeper in a directory of its own, and a scope at a fixed time. */
#ifndef REEVE_TEST_KEEPER_FIXTURE_H
#define REEVE_TEST_KEEPER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "keeper/inner.h"
#include "keeper/vault/vault.h"

#define TEST_NOW (INT64_C(1800000000) * SECOND_US) /* 2027-01-15 */

struct fixture {
	char base[64], dir[80];
	struct keeper *k;
	struct arena *arena;
	struct scope s;
};

static inline void fixture_scope(struct fixture *f)
{
	arena_reset(f->arena);
	scope_system(&f->s, f->arena, NULL, f->k);
	f->s.now = TEST_NOW;
}

static inline void fixture_open(struct fixture *f)
{
	char *detail = NULL;
	if (keeper_open(f->dir, &f->k, &detail) != OK)
		fail_msg("keeper_open: %s", detail != NULL ? detail : "no detail");
	fixture_scope(f);
}

static inline void fixture_close(struct fixture *f)
{
	keeper_close(f->k);
	f->k = NULL;
}

static inline int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	const char *tmp = getenv("TMPDIR");
	snprintf(f->base, sizeof f->base, "%s/reeve-keeper-XXXXXX", tmp != NULL && strlen(tmp) < 30 ? tmp : "/tmp");
	if (mkdtemp(f->base) == NULL)
		return -1;
	snprintf(f->dir, sizeof f->dir, "%s/keeper", f->base);
	char *detail = NULL;
	if (keeper_create(f->dir, "Test CA", TEST_NOW, &detail) != OK) {
		print_error("keeper_create: %s\n", detail);
		return -1;
	}
	f->arena = arena_new(LIMIT_ARENA_BYTES);
	fixture_open(f);
	*state = f;
	return 0;
}

static inline int fixture_remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	return remove(path);
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	fixture_close(f);
	arena_free(f->arena);
	nftw(f->base, fixture_remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(f);
	return 0;
}

/* A name in the keeper's directory; the text lives in the arena. */
static inline char *fixture_path(struct fixture *f, const char *name)
{
	return arena_printf(f->arena, "%s/%s", f->dir, name);
}

static inline char *fixture_slurp(const char *path, size_t *ret_n)
{
	struct stat st;
	int fd = open(path, O_RDONLY);
	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	char *p = malloc((size_t)st.st_size + 1);
	assert_int_equal(read(fd, p, (size_t)st.st_size), st.st_size);
	p[st.st_size] = '\0';
	close(fd);
	*ret_n = (size_t)st.st_size;
	return p;
}

static inline void fixture_dump(const char *path, const void *p, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0 && write(fd, p, n) == (ssize_t)n);
	close(fd);
}

/* Opening must fail so, with this in the detail; the keeper is closed before and after. */
static inline void fixture_refused(struct fixture *f, enum err want, const char *in_detail)
{
	char *detail = NULL;
	struct keeper *k = NULL;
	enum err e = keeper_open(f->dir, &k, &detail);
	assert_string_equal(err_name(e), err_name(want));
	assert_null(k);
	assert_non_null(detail);
	if (strstr(detail, in_detail) == NULL)
		fail_msg("the detail \"%s\" does not say \"%s\"", detail, in_detail);
	free(detail);
}

#define assert_err(got, want) assert_string_equal(err_name(got), err_name(want))
#define assert_says(scope, words)                                                                                      \
	do {                                                                                                           \
		assert_non_null((scope)->detail);                                                                      \
		if (strstr((scope)->detail, words) == NULL)                                                            \
			fail_msg("the detail \"%s\" does not say \"%s\"", (scope)->detail, words);                     \
	} while (0)

#endif
