/* SPDX-License-Identifier: Apache-2.0
 * Arenas: what they hand out, where they stop, and that marks give back exactly what came after them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "aborts.h"
#include "base/arena.h"

enum { LIMIT = 64 * 1024 };

static void memory_is_zeroed_and_aligned(void **state)
{
	struct arena *a = arena_new(LIMIT);
	for (size_t n = 0; n < 100; n++) {
		unsigned char *p = arena_alloc(a, n);
		assert_int_equal((uintptr_t)p % 16, 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xaa, n);
	}
	arena_reset(a);
	unsigned char *again = arena_alloc(a, 512); /* the chunk is the used one */
	for (size_t i = 0; i < 512; i++)
		assert_int_equal(again[i], 0);
	arena_free(a);
}

static void limit_is_exact(void **state)
{
	struct arena *a = arena_new(LIMIT);
	assert_non_null(arena_try(a, LIMIT));
	assert_int_equal(arena_used(a), LIMIT);
	assert_null(arena_try(a, 1));
	arena_reset(a);
	assert_null(arena_try(a, LIMIT + 1));
	assert_null(arena_try(a, SIZE_MAX));
	assert_null(arena_try(a, SIZE_MAX - 15));
	assert_int_equal(arena_used(a), 0);
	for (int i = 0; i < LIMIT / 16; i++)
		assert_non_null(arena_try(a, 16));
	assert_null(arena_try(a, 16));
	arena_free(a);
}

static void alloc_one(void *a)
{
	arena_alloc(a, 1);
}

static void alloc_past_the_limit_aborts(void **state)
{
	struct arena *a = arena_new(16);
	assert_false(aborts(alloc_one, a));
	arena_alloc(a, 16);
	assert_true(aborts(alloc_one, a));
	arena_free(a);
}

static void rewind_gives_back_what_came_after(void **state)
{
	struct arena *a = arena_new(LIMIT);
	char *kept = arena_strdup(a, "kept");
	struct arena_mark m = arena_mark(a);
	size_t used = arena_used(a);
	char *first = arena_alloc(a, 64);
	for (int i = 0; i < 3; i++)
		arena_alloc(a, 15000); /* new chunks */
	arena_rewind(a, m);
	assert_int_equal(arena_used(a), used);
	assert_string_equal(kept, "kept");
	assert_ptr_equal(arena_alloc(a, 64), first);
	arena_rewind(a, m);
	assert_non_null(arena_try(a, LIMIT - used)); /* all of it is there again */
	arena_free(a);
}

static void mark_of_an_empty_arena(void **state)
{
	struct arena *a = arena_new(LIMIT);
	struct arena_mark m = arena_mark(a);
	arena_alloc(a, 40000); /* a chunk of its own size */
	arena_alloc(a, 100);
	arena_rewind(a, m);
	assert_int_equal(arena_used(a), 0);
	assert_non_null(arena_try(a, LIMIT));
	arena_free(a);
	arena_free(NULL);
}

static void reset_keeps_the_first_chunk(void **state)
{
	struct arena *a = arena_new(LIMIT);
	void *first = arena_alloc(a, 16);
	arena_alloc(a, 30000);
	arena_reset(a);
	assert_int_equal(arena_used(a), 0);
	assert_ptr_equal(arena_alloc(a, 16), first);
	arena_free(a);
}

static void copies(void **state)
{
	struct arena *a = arena_new(LIMIT);
	assert_null(arena_strdup(a, NULL));
	assert_string_equal(arena_strdup(a, ""), "");
	assert_string_equal(arena_strndup(a, "abcdef", 3), "abc");
	assert_memory_equal(arena_memdup(a, "a\0b", 3), "a\0b", 3);
	assert_non_null(arena_memdup(a, NULL, 0));
	assert_string_equal(arena_printf(a, "%s-%d", "x", 42), "x-42");
	char *text = arena_printf(a, "%2000s", "end");
	assert_int_equal(strlen(text), 2000);
	assert_string_equal(text + 1997, "end");
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zeroed_and_aligned),
		cmocka_unit_test(limit_is_exact),
		cmocka_unit_test(alloc_past_the_limit_aborts),
		cmocka_unit_test(rewind_gives_back_what_came_after),
		cmocka_unit_test(mark_of_an_empty_arena),
		cmocka_unit_test(reset_keeps_the_first_chunk),
		cmocka_unit_test(copies),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
