/* SPDX-License-Identifier: Apache-2.0
 * A chain of chunks, newest first; the first chunk survives a reset so that a worker's next request allocates nothing. */
#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

enum { CHUNK_BYTES = 16 * 1024, ALIGN = 16 };

struct chunk {
	struct chunk *prev;
	size_t cap, used;
	_Alignas(ALIGN) unsigned char data[];
};

struct arena {
	struct chunk *top;
	size_t limit, total; /* total: bytes handed out */
};

static struct chunk *chunk_new(size_t cap, struct chunk *prev)
{
	struct chunk *c = malloc(sizeof *c + cap);
	if (c == NULL)
		return NULL;
	c->prev = prev;
	c->cap = cap;
	c->used = 0;
	return c;
}

struct arena *arena_new(size_t limit_bytes)
{
	struct arena *a = calloc(1, sizeof *a);
	check(a != NULL);
	a->limit = limit_bytes;
	return a;
}

void arena_free(struct arena *a)
{
	if (a == NULL)
		return;
	for (struct chunk *c = a->top, *prev; c != NULL; c = prev) {
		prev = c->prev;
		free(c);
	}
	free(a);
}

void arena_reset(struct arena *a)
{
	arena_rewind(a, (struct arena_mark){0});
}

struct arena_mark arena_mark(const struct arena *a)
{
	return (struct arena_mark){a->top, a->top ? a->top->used : 0, a->total};
}

void arena_rewind(struct arena *a, struct arena_mark m)
{
	while (a->top != NULL && (void *)a->top != m.chunk) {
		struct chunk *prev = a->top->prev;
		if (prev == NULL && m.chunk == NULL && a->top->cap == CHUNK_BYTES) {
			a->top->used = 0; /* the first chunk stays */
			a->total = 0;
			return;
		}
		free(a->top);
		a->top = prev;
	}
	if (a->top != NULL)
		a->top->used = m.used;
	a->total = m.total;
}

size_t arena_used(const struct arena *a)
{
	return a->total;
}

void *arena_try(struct arena *a, size_t bytes)
{
	if (bytes > SIZE_MAX - ALIGN)
		return NULL;
	size_t need = (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (need > a->limit || a->total > a->limit - need)
		return NULL;
	if (a->top == NULL || a->top->cap - a->top->used < need) {
		struct chunk *c = chunk_new(need > CHUNK_BYTES ? need : CHUNK_BYTES, a->top);
		if (c == NULL)
			return NULL;
		a->top = c;
	}
	void *p = a->top->data + a->top->used;
	a->top->used += need;
	a->total += need;
	return memset(p, 0, need);
}

void *arena_alloc(struct arena *a, size_t bytes)
{
	void *p = arena_try(a, bytes);
	check(p != NULL);
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return s == NULL ? NULL : arena_memdup(a, s, strlen(s) + 1);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *p = arena_alloc(a, n + 1);
	memcpy(p, s, n);
	return p;
}

void *arena_memdup(struct arena *a, const void *p, size_t n)
{
	void *q = arena_alloc(a, n);
	if (n > 0)
		memcpy(q, p, n);
	return q;
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	check(n >= 0);
	char *s = arena_alloc(a, (size_t)n + 1);
	vsnprintf(s, (size_t)n + 1, fmt, again);
	va_end(again);
	return s;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *s = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return s;
}
