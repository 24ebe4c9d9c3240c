/* SPDX-License-Identifier: Apache-2.0
 * Making a scope, and the detail of an error. */
#include "base/scope.h"

#include <stddef.h>

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
	return id_new(s->now);
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
