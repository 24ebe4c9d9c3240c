/* SPDX-License-Identifier: Apache-2.0
 * Users out of the log. */
#include "directory/user_delta.h"

#include <string.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "resource/resource.h"

static const enum activity CHANGES[] = {ACT_USER_CREATE, ACT_USER_UPDATE, ACT_USER_DELETE, ACT_USER_RESTORE, ACT_USER_DELETE_FOREVER};
enum { CHANGE_COUNT = sizeof CHANGES / sizeof CHANGES[0] };

static enum err take(struct db_tx *tx, struct audit_tail *t, const char *bytes, size_t n, void *arg)
{
	struct user_delta *d = arg;
	for (size_t i = 0; i < d->n; i++)
		if (id_equal(d->users[i], t->resource))
			return OK;
	if (!id_is_nil(t->resource))
		d->users[d->n++] = t->resource;
	return OK;
}

enum err user_delta(struct db_tx *tx, struct user_delta *io)
{
	struct scope *s = db_tx_scope(tx);
	struct db_value args[CHANGE_COUNT + 1 + SCOPE_GROUPS_MAX];
	const char *where = arena_printf(s->arena, "t.result = 'Success' AND t.at >= ?%d AND t.activity_type IN (", AUDIT_TAIL_FIRST);
	args[0] = db_v_int(s->now - (USER_DELTA_DAYS * DAY_US + HOUR_US)); /* a token's age is counted in its own call */
	for (int i = 0; i < CHANGE_COUNT; i++) {
		args[i + 1] = db_v_text(activity_info(CHANGES[i])->type);
		where = arena_printf(s->arena, "%s%s?%d", where, i == 0 ? "" : ", ", AUDIT_TAIL_FIRST + 1 + i);
	}
	struct resource_condition reach;
	TRY(resource_reach_condition(s, s->actor.only, WHOSE_PERSONS, "t.subject_id", true, AUDIT_TAIL_FIRST + CHANGE_COUNT + 1, &reach));
	check(reach.arg_count <= SCOPE_GROUPS_MAX);
	if (reach.arg_count > 0)
		memcpy(args + CHANGE_COUNT + 1, reach.args, reach.arg_count * sizeof *args);
	io->tail.where = arena_printf(s->arena, "%s) AND %s", where, reach.sql);
	io->tail.args = args;
	io->tail.arg_count = CHANGE_COUNT + 1 + reach.arg_count;
	io->users = arena_alloc(s->arena, io->tail.most * sizeof *io->users);
	io->n = 0;
	return audit_tail(tx, &io->tail, take, io);
}
