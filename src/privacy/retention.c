/* SPDX-License-Identifier: Apache-2.0
 * Retention of what runs out, read from the data map. */
#include "privacy/retention.h"

#include <string.h>

#include "base/clock.h"
#include "db/db.h"
#include "map/datamap.h"

enum { BATCH = 200 };

struct sweep {
	const struct map_table *table;
	const char *where; /* ?1: the moment */
	int64_t before;
	bool any;
	int64_t gone;
};

/* An action that was owed and has been reported on leaves a revoked certificate that is of no further use. */
static const char *condition(const struct map_table *t)
{
	if (t->erase == MAP_TABLE_OWED)
		return "(t.expires_at < ?1 OR (t.owed_action IS NOT NULL AND t.revoked_at IS NOT NULL))";
	return "t.expires_at < ?1";
}

static bool runs_out(const struct map_table *t)
{
	bool class = t->retention == MAP_RETAIN_DAYS_30 || t->retention == MAP_RETAIN_CERTIFICATE;
	return class && map_column(t->name, "expires_at") != NULL && map_column(t->name, "storage_location") == NULL;
}

static enum err look_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct sweep *w = arg;
	auto_rows struct db_rows *r = NULL;
	const char *sql = arena_printf(s->arena, "SELECT 1 FROM %s t WHERE %s LIMIT 1", w->table->name, w->where);
	struct db_value before = db_v_int(w->before);
	TRY(db_query_text(tx, DB_REACH_GLOBAL, sql, &before, 1, &r));
	w->any = db_next(r);
	return db_rows_err(r);
}

static enum err delete_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct sweep *w = arg;
	const char *row = db_engine(s->db) == DB_SQLITE ? "rowid" : "ctid";
	const char *sql = arena_printf(s->arena, "DELETE FROM %s WHERE %s IN (SELECT t.%s FROM %s t WHERE %s LIMIT %d)",
				       w->table->name, row, row, w->table->name, w->where, BATCH);
	struct db_value before = db_v_int(w->before);
	return db_exec_text(tx, DB_REACH_GLOBAL, sql, &before, 1, &w->gone);
}

enum err retention_expire(struct scope *s, bool *ret_more)
{
	size_t n;
	const struct map_table *t = map_tables(&n);
	*ret_more = false;
	for (size_t i = 0; i < n; i++) {
		if (!runs_out(&t[i]))
			continue;
		struct sweep w = {.table = &t[i], .where = condition(&t[i])};
		w.before = t[i].retention == MAP_RETAIN_DAYS_30 ? s->now - 30 * DAY_US : s->now;
		/* reading first: a write has to wait its turn and most of the time nothing is due */
		TRY(db_read(s, look_tx, &w));
		if (w.any)
			TRY(db_write_low(s, delete_tx, &w));
		*ret_more = *ret_more || w.gone == BATCH;
	}
	return OK;
}
