/* SPDX-License-Identifier: Apache-2.0
 * Each path of the data map is a short way: an index of the live schema begins with tenant and column, on both engines.  A path without one would
 * make a person's export cost the whole tenant. */
#include "db_fixture.h"

#include "base/buf.h"
#include "map/datamap.h"

/* table, index, column, its place in the index, the index's condition ('': none) */
static const char *const indexes[] = {
	[DB_SQLITE] = "SELECT m.name, l.name, i.name, i.seqno, coalesce(x.sql, '') FROM sqlite_schema m JOIN pragma_index_list(m.name) l JOIN "
		      "pragma_index_info(l.name) i LEFT JOIN sqlite_schema x ON x.type = 'index' AND x.name = l.name WHERE m.type = 'table' "
		      "ORDER BY 1, 2, 4",
	[DB_POSTGRES] = "SELECT t.relname::text, c.relname::text, a.attname::text, a.attnum - 1, coalesce(pg_get_expr(x.indpred, x.indrelid), '') "
			"FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid JOIN pg_namespace n ON "
			"n.oid = t.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid WHERE n.nspname = 'public' AND NOT t.relispartition ORDER BY 1, 2, 4",
};

struct index_column {
	const char *table, *index, *column, *condition;
	int64_t place;
};

struct live {
	enum db_engine engine;
	struct index_column v[1000];
	size_t n;
};

static enum err read_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct live *l = arg;
	auto_rows struct db_rows *r = NULL;
	l->n = 0;
	TRY(db_query_text(tx, DB_REACH_GLOBAL, indexes[l->engine], DB_NOARGS, &r));
	while (db_next(r)) {
		if (l->n == sizeof l->v / sizeof l->v[0])
			return scope_fail(s, ERR_LIMIT, "more indexes than the test holds");
		l->v[l->n++] = (struct index_column){.table = db_text_dup(r, 0, s->arena),
						     .index = db_text_dup(r, 1, s->arena),
						     .column = db_text_dup(r, 2, s->arena),
						     .place = db_int(r, 3),
						     .condition = db_text_dup(r, 4, s->arena)};
	}
	return db_rows_err(r);
}

/* A partial index serves where it leaves out nobody's rows but those of nobody. */
static bool whole(struct arena *a, const struct index_column *x, const char *column)
{
	const char *where = strstr(x->condition, "WHERE ");
	const char *wanted = arena_printf(a, "%s IS NOT NULL", column), *in_brackets = arena_printf(a, "(%s)", wanted);
	const char *is = where != NULL ? where + strlen("WHERE ") : strncmp(x->condition, "CREATE", 6) == 0 ? "" : x->condition;
	return *is == '\0' || strcmp(is, wanted) == 0 || strcmp(is, in_brackets) == 0;
}

static bool served(struct arena *a, const struct live *l, const char *table, const char *column)
{
	for (size_t i = 0; i + 1 < l->n; i++) {
		const struct index_column *x = &l->v[i];
		if (x->column == NULL || x[1].column == NULL) /* an expression */
			continue;
		if (strcmp(x->table, table) == 0 && x->place == 0 && strcmp(x->column, "tenant_id") == 0 && x[1].place == 1 &&
		    strcmp(x[1].index, x->index) == 0 && strcmp(x[1].column, column) == 0 && whole(a, x, column))
			return true;
	}
	return false;
}

static struct db_fixture F;

static int up(void **state)
{
	static bool there;
	there = fixture_open(&F, *(const enum db_engine *)*state, NULL);
	*state = &there;
	return 0;
}

static int down(void **state)
{
	fixture_close(&F);
	return 0;
}

static void each_path_has_an_index(void **state)
{
	static struct live live;
	size_t n;
	const struct map_path *p = map_paths(&n);
	struct scope s;
	struct db_fixture *f = &F;
	if (!*(const bool *)*state)
		skip();
	scope_system(&s, f->arena, f->db, NULL);
	live.engine = f->engine;
	fixture_ok(map_check(&s), s.detail);
	fixture_ok(db_read(&s, read_tx, &live), s.detail);
	assert_true(live.n > 60);
	assert_false(served(f->arena, &live, "users", "city")); /* it can fail */
	assert_false(served(f->arena, &live, "users", "restricted_at"));
	for (size_t i = 0; i < n; i++)
		if (!served(f->arena, &live, p[i].table, p[i].column))
			fail_msg("no index of %s begins with (tenant_id, %s)", p[i].table, p[i].column);
}

int main(void)
{
	static enum db_engine sqlite = DB_SQLITE, postgres = DB_POSTGRES;
	const struct CMUnitTest tests[] = {
		{"sqlite: each_path_has_an_index", each_path_has_an_index, up, down, &sqlite},
		{"postgres: each_path_has_an_index", each_path_has_an_index, up, down, &postgres},
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
