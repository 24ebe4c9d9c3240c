/* SPDX-License-Identifier: Apache-2.0
 * Making a scope, and the detail of an error. */
#include "base/scope.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

void scope_system(struct scope *s, struct arena *arena, struct db *db, struct keeper *keeper)
{
	*s = (struct scope){.arena = arena, .db = db, .keeper = keeper, .now = clock_now()};
	s->correlation = id_new(s->now);
	s->actor = (struct actor){.type = ACTOR_SYSTEM, .name = "Reeve"};
}

void scope_tenant(struct scope *s, struct arena *arena, struct db *db, struct keeper *keeper, struct id tenant)
{
	scope_system(s, arena, db, keeper);
	s->tenant = tenant;
	s->has_tenant = true;
}

struct id scope_id(struct scope *s)
{
	struct id id = id_new(s->now);
	unsigned fraction = (unsigned)(s->now % 1000) * 4096 / 1000, n = s->ids++;
	id.b[6] = (uint8_t)(0x70 | fraction >> 8);
	id.b[7] = (uint8_t)fraction;
	id.b[8] = (uint8_t)(0x80 | (n >> 8 & 0x3f));
	id.b[9] = (uint8_t)n;
	return id; /* 48 bits stay random */
}

enum err scope_fail_at(struct scope *s, enum err e, const char *file, int line, const char *fmt, ...)
{
	check(e != OK);
	if (s->detail != NULL)
		return e;
	va_list ap;
	va_start(ap, fmt);
	s->detail = arena_vprintf(s->arena, fmt, ap);
	va_end(ap);
	s->detail_file = file;
	s->detail_line = line;
	return e;
}

const char *scope_detail(const struct scope *s, enum err e)
{
	return s->detail != NULL ? s->detail : err_text(e);
}

static int by_id(const void *a, const void *b) { return memcmp(a, b, sizeof(struct id)); }

const char *scope_groups_text(struct arena *a, const struct scope_groups *only)
{
	char text[ID_TEXT];
	if (only == NULL)
		return NULL;
	struct id *sorted = arena_memdup(a, only->groups, only->n * sizeof *sorted);
	qsort(sorted, only->n, sizeof *sorted, by_id);
	char *ret = arena_alloc(a, only->n * ID_TEXT + 1), *at = ret;
	for (size_t i = 0; i < only->n; i++) {
		memcpy(at, id_format(sorted[i], text), ID_TEXT - 1);
		at += ID_TEXT - 1;
		*at++ = ',';
	}
	at[only->n > 0 ? -1 : 0] = '\0';
	return ret;
}

const struct scope_groups *scope_groups_parse(struct arena *a, const char *text)
{
	if (text == NULL)
		return NULL;
	struct scope_groups *ret = arena_alloc(a, sizeof *ret);
	struct id *groups = arena_alloc(a, (strlen(text) / ID_TEXT + 1) * sizeof *groups);
	for (; *text != '\0'; text += ID_TEXT - 1, text += *text == ',') {
		char one[ID_TEXT];
		check(strlen(text) >= ID_TEXT - 1);
		memcpy(one, text, ID_TEXT - 1);
		one[ID_TEXT - 1] = '\0';
		check(id_parse(one, &groups[ret->n++]));
	}
	ret->groups = groups;
	return ret;
}
