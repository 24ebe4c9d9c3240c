/* SPDX-License-Identifier: Apache-2.0
 *
 * Indexes follow the order of commits, times that of the requests' beginnings.  The two are about the same and no more, so every event of the
 * period is asked for its place.
 */
#include "audit/out/period.h"

#include "db/db.h"

DB_TENANT(period_places,
	  "SELECT e.at, e.event_id, l.leaf_index FROM audit_events e JOIN audit_leaves l ON l.tenant_id = e.tenant_id AND l.event_id = e.event_id "
	  "WHERE e.tenant_id = ?1 AND e.at >= ?2 AND (e.at, e.event_id) > (?2, ?3) AND e.at < ?4 ORDER BY e.at, e.event_id LIMIT ?5");
DB_TENANT(period_first, "SELECT min(leaf_index) FROM audit_leaves WHERE tenant_id = ?1");

enum { PLACES_PAGE = 2048 };

struct places {
	struct audit_period *io;
	int64_t at;
	struct id event;
	size_t n;
	uint64_t lowest, highest;
};

static enum err places_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct places *p = arg;
	int64_t at = p->at;
	struct id event = p->event;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &period_places,
		     DB_ARGS(db_v_int(p->at), db_v_id(&p->event), db_v_int(p->io->until), db_v_int(PLACES_PAGE)), &r));
	for (p->n = 0; db_next(r); p->n++) {
		uint64_t index = (uint64_t)db_int(r, 2);
		at = db_int(r, 0);
		event = db_id(r, 1);
		if (index >= p->io->size)
			continue;
		p->lowest = index < p->lowest ? index : p->lowest;
		p->highest = index > p->highest ? index : p->highest;
	}
	TRY(db_rows_err(r));
	p->at = at; /* last: the closure may run again */
	p->event = event;
	return OK;
}

static enum err whole_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct audit_period *io = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &period_first, DB_NOARGS, &r));
	bool any = !db_is_null(r, 0) && (uint64_t)db_int(r, 0) < io->size;
	io->first = any ? (uint64_t)db_int(r, 0) : 0;
	io->end = any ? io->size : 0;
	return OK;
}

enum err audit_period_find(struct scope *s, struct audit_period *io)
{
	if (io->from <= 0 && io->until == INT64_MAX)
		return db_read(s, whole_tx, io);
	struct places p = {.io = io, .at = io->from, .lowest = UINT64_MAX};
	do {
		struct arena_mark mark = arena_mark(s->arena);
		TRY(db_read(s, places_tx, &p));
		arena_rewind(s->arena, mark);
	} while (p.n == PLACES_PAGE);
	bool any = p.lowest != UINT64_MAX;
	io->first = any ? p.lowest : 0;
	io->end = any ? p.highest + 1 : 0;
	return OK;
}
