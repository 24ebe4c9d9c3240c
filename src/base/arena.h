/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory with one lifetime.  A request, a device message and a job each own one arena; nothing in it is freed by hand, all of
 * it goes with arena_reset() or arena_free().  Arenas are bounded: arena_alloc() aborts when the limit is passed (a programming
 * error), arena_try() returns NULL (mandatory where outside input decides the size).  Not thread-safe: an arena has one user at
 * a time (a worker lends its arena to the writer thread while it waits).
 */
#ifndef REEVE_BASE_ARENA_H
#define REEVE_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena;
struct arena_mark {
	void *chunk;
	size_t used, total;
};

struct arena *arena_new(size_t limit_bytes);
void arena_free(struct arena *a); /* NULL is allowed */
void arena_reset(struct arena *a); /* gives all back, keeps the first chunk */
struct arena_mark arena_mark(const struct arena *a);
void arena_rewind(struct arena *a, struct arena_mark m);
size_t arena_used(const struct arena *a);

void *arena_alloc(struct arena *a, size_t bytes) __attribute__((malloc, returns_nonnull)); /* zeroed, 16-aligned */
void *arena_try(struct arena *a, size_t bytes) __attribute__((malloc));                    /* zeroed; NULL past the limit */
char *arena_strdup(struct arena *a, const char *s);             /* NULL for NULL */
char *arena_strndup(struct arena *a, const char *s, size_t n);  /* adds the terminator */
void *arena_memdup(struct arena *a, const void *p, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3), nonnull(2)));
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0), nonnull(2)));

#endif
