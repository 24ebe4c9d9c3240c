/* SPDX-License-Identifier: Apache-2.0
 *
 * The database contract (db/db.h) on both engines: values, statements, snapshots, the live schema, counters.
 */
#include <pthread.h>

#include "db_things.h"

DB_TENANT(get_thing, "SELECT thing_id, name, n, data, doc FROM things WHERE tenant_id = ?1 AND thing_id = ?2");
DB_TENANT(find_thing, "SELECT name FROM things WHERE tenant_id = ?1 AND (CAST(?2 AS bigint) IS NULL OR n = ?2) AND "
		      "(CAST(?3 AS text) IS NULL OR name = ?3) ORDER BY name");
DB_TENANT(literal,
	  "SELECT '?9', \"name\" FROM things WHERE tenant_id = ?1 /* not ?8 */ AND name = 'it''s ?7' -- nor ?6\n");

/* ---- values ---- */

static const char text[] = "kia ora, M\xc4\x81ori \xf0\x9f\x8c\xbf '\"\\ %s ?1 $1";
static const unsigned char bytes[] = {0, 1, 0, 0xff, 0, '\'', 0x80, 0};

struct sample {
	struct db_value name, n, data, doc;
};

static enum err sample_write(struct scope *s, struct db_tx *tx, void *arg)
{
	struct sample *v = arg;
	struct id id = numbered(1);
	int64_t changes = 0;
	TRY(db_exec(tx, &add_thing, DB_ARGS(db_v_id(&id), v->name, v->n, v->data, v->doc), &changes));
	WANT(changes == 1 && db_writing(tx) && db_tx_scope(tx) == s);
	return OK;
}

static bool same(struct db_value a, struct db_value b)
{
	return a.type == b.type && (a.type != DB_INT || a.i == b.i) &&
	       (a.type < DB_TEXT || (a.n == b.n && a.p != NULL && memcmp(a.p, b.p, a.n) == 0));
}

static enum err sample_read(struct scope *s, struct db_tx *tx, void *arg)
{
	struct sample *v = arg;
	struct id id = numbered(1);
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &get_thing, DB_ARGS(db_v_id(&id)), &r));
	WANT(!db_writing(tx));
	WANT(db_next(r) && db_columns(r) == 5 && strcmp(db_column_name(r, 1), "name") == 0);
	WANT(id_equal(db_id(r, 0), id));
	WANT(same(db_value_dup(r, 1, s->arena), v->name));
	WANT(same(db_value_dup(r, 2, s->arena), v->n));
	WANT(same(db_value_dup(r, 3, s->arena), v->data));
	WANT(same(db_value_dup(r, 4, s->arena), v->doc));
	WANT(db_is_null(r, 1) == (v->name.type == DB_NULL) && db_int(r, 2) == v->n.i);
	const char *name = db_text(r, 1);
	WANT((name == NULL) == (v->name.type == DB_NULL) && (name == NULL || strlen(name) == v->name.n));
	size_t n;
	WANT((db_blob(r, 3, &n) == NULL) == (v->data.type == DB_NULL) && n == v->data.n);
	WANT(!db_next(r) && !db_next(r));
	return db_rows_err(r);
}

static void values_come_back(void **state)
{
	struct db_fixture *f = fixture_of(state);
	struct sample samples[] = {
		{db_v_text(text), db_v_int(INT64_MAX), db_v_blob(bytes, sizeof bytes), db_v_text("{}")},
		{db_v_text(""), db_v_int(INT64_MIN), db_v_blob(NULL, 0), db_v_text("[\"\\u0000\"]")},
		{db_v_text(NULL), db_v_int(-1), db_v_null(), db_v_null()},
		{db_v_textn("abcdef", 3), db_v_null(), db_v_blob("", 0), db_v_text("x")},
	};
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
		struct scope s;
		struct id tenant = numbered(100 + (int)i);
		scope_in(&s, f, &tenant);
		OKAY(&s, db_write(&s, sample_write, &samples[i]));
		OKAY(&s, db_read(&s, sample_read, &samples[i]));
	}
}

static enum err null_and_typed(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct db_value tries[][2] = {
		{db_v_null(), db_v_null()},
		{db_v_int(1), db_v_null()},
		{db_v_null(), db_v_text("thing 1")},
		{db_v_int(1), db_v_text("thing 1")},
	};
	const int rows[] = {3, 1, 1, 1};
	for (int i = 0; i < 8; i++) {
		auto_rows struct db_rows *r = NULL;
		TRY(db_query(tx, &find_thing, tries[i % 4], 2, &r));
		int n = 0;
		while (db_next(r))
			n++;
		TRY(db_rows_err(r));
		WANT(n == rows[i % 4]);
	}
	return OK;
}

/* A NULL says nothing about its type, and the statement is prepared once. */
static void a_statement_takes_null_and_then_a_value(void **state)
{
	struct scope s;
	struct db_fixture *f = fixture_of(state);
	scope_in(&s, f, &tenant_a);
	OKAY(&s, db_write(&s, insert_some, &(int){3}));
	OKAY(&s, db_read(&s, null_and_typed, NULL));
}

static enum err marks_in_literals(struct scope *s, struct db_tx *tx, void *arg)
{
	TRY(thing_insert(tx, 1, "it's ?7", 0));
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &literal, DB_NOARGS, &r));
	WANT(strcmp(db_text(r, 0), "?9") == 0 && strcmp(db_text_dup(r, 1, s->arena), "it's ?7") == 0);
	return OK;
}

static void parameters_in_literals_are_text(void **state)
{
	struct scope s;
	scope_in(&s, fixture_of(state), &tenant_a);
	OKAY(&s, db_write(&s, marks_in_literals, NULL));
}

static enum err read_missing(struct scope *s, struct db_tx *tx, void *arg)
{
	struct id id = numbered(9);
	auto_rows struct db_rows *r = NULL;
	WANT(db_query_one(tx, &get_thing, DB_ARGS(db_v_id(&id)), &r) == ERR_NOT_FOUND && r == NULL);
	auto_rows struct db_rows *sum = NULL;
	TRY(db_query_one(tx, &count_things, DB_NOARGS, &sum)); /* not finding is no failure of the transaction */
	WANT(db_int(sum, 0) == 3 && db_int(sum, 1) == 3);      /* sum() has a type of its own on PostgreSQL */
	return ERR_NOT_FOUND;
}

static void a_missing_row_is_not_found(void **state)
{
	struct scope s;
	scope_in(&s, fixture_of(state), &tenant_a);
	OKAY(&s, db_write(&s, insert_some, &(int){3}));
	enum err e = db_read(&s, read_missing, NULL);
	if (e != ERR_NOT_FOUND)
		fail_msg("%s", scope_detail(&s, e));
	assert_null(s.detail);
}

static enum err nested_cursors(struct scope *s, struct db_tx *tx, void *arg)
{
	int pairs = 0;
	auto_rows struct db_rows *outer = NULL;
	TRY(db_query(tx, &find_thing, DB_ARGS(db_v_null(), db_v_null()), &outer));
	while (db_next(outer)) {
		auto_rows struct db_rows *inner = NULL;
		TRY(db_query(tx, &find_thing, DB_ARGS(db_v_null(), db_v_null()), &inner));
		while (db_next(inner))
			pairs++;
		TRY(db_rows_err(inner));
	}
	WANT(pairs == 9);
	return db_rows_err(outer);
}

static void one_statement_runs_inside_itself(void **state)
{
	struct scope s;
	scope_in(&s, fixture_of(state), &tenant_a);
	OKAY(&s, db_write(&s, insert_some, &(int){3}));
	OKAY(&s, db_read(&s, nested_cursors, NULL));
}

/* ---- streams ---- */

static enum err stream_all(struct scope *s, struct db_tx *tx, void *arg)
{
	const char *sql = "SELECT n, name FROM things WHERE tenant_id = ?1 AND n >= ?2 ORDER BY n";
	for (int from = 0; from <= 130; from += 130) { /* one after another, the second unfinished */
		auto_rows struct db_rows *r = NULL;
		int64_t next = from;
		TRY(db_stream_text(tx, DB_REACH_TENANT, sql, DB_ARGS(db_v_int(from)), &r));
		for (; next < (from == 0 ? 137 : 131) && db_next(r); next++) {
			char name[24];
			snprintf(name, sizeof name, "thing %d", (int)next);
			WANT(db_int(r, 0) == next && strcmp(db_text(r, 1), name) == 0);
		}
		WANT(from > 0 || (next == 137 && !db_next(r) && !db_next(r)));
		TRY(db_rows_err(r));
	}
	auto_rows struct db_rows *none = NULL;
	TRY(db_stream_text(tx, DB_REACH_TENANT, sql, DB_ARGS(db_v_int(999)), &none));
	WANT(!db_next(none));
	return db_rows_err(none);
}

static enum err stream_broken(struct scope *s, struct db_tx *tx, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	return db_stream_text(tx, DB_REACH_TENANT, "SELECT nothing FROM nowhere WHERE tenant_id = ?1", DB_NOARGS, &r);
}

static void a_stream_gives_every_row_in_order(void **state)
{
	struct scope s;
	scope_in(&s, fixture_of(state), &tenant_a);
	OKAY(&s, db_write(&s, insert_some, &(int){137}));
	OKAY(&s, db_read(&s, stream_all, NULL));
	assert_int_equal(db_read(&s, stream_broken, NULL), ERR_INTERNAL);
	s.detail = NULL;
	OKAY(&s, db_write(&s, stream_all, NULL));
}

/* ---- snapshots ---- */

static void *write_aside(void *arg)
{
	struct scope s;
	struct arena *a = arena_new(LIMIT_ARENA_BYTES);
	scope_tenant(&s, a, arg, NULL, tenant_a);
	enum err e = db_write(&s, insert_some, &(int){4});
	arena_free(a);
	return e == OK ? arg : NULL;
}

static enum err look_twice(struct scope *s, struct db_tx *tx, void *arg)
{
	int64_t before, after;
	void *written;
	pthread_t other;
	TRY(count(s, tx, &before));
	WANT(pthread_create(&other, NULL, write_aside, s->db) == 0 && pthread_join(other, &written) == 0 &&
	     written != NULL);
	TRY(count(s, tx, &after));
	WANT(before == 0 && after == 0);
	return OK;
}

static void a_read_is_one_snapshot(void **state)
{
	struct scope s;
	struct db_fixture *f = fixture_of(state);
	scope_in(&s, f, &tenant_a);
	OKAY(&s, db_read(&s, look_twice, NULL));
	assert_int_equal(counted(f, &tenant_a), 4);
}

/* ---- schema ---- */

static void live_columns_are_all_columns(void **state)
{
	struct scope s;
	struct db_column *columns;
	size_t n;
	struct db_fixture *f = fixture_of(state);
	scope_in(&s, f, &tenant_a);
	OKAY(&s, db_live_columns(&s, &columns, &n));
	assert_int_equal(n, 6 + 3 + 2 + 2 + 2 + 1 + 1 + 3);
	bool found = false;
	for (size_t i = 0; i < n; i++)
		found |= strcmp(columns[i].table, "schema_migrations") == 0 &&
			 strcmp(columns[i].column, "applied_at") == 0;
	assert_true(found);
}

static enum err prepare_all(struct scope *s, struct db_tx *tx, void *arg)
{
	static struct db_stmt broken = {.name = "broken", .sql = "SELECT nothing FROM nowhere"};
	WANT(db_prepare_check(tx, &broken) == ERR_INTERNAL);
	s->detail = NULL;
	for (struct db_stmt *st = db_stmt_first(); st != NULL; st = st->next)
		if (strstr(st->sql, "things") != NULL)
			TRY(db_prepare_check(tx, st));
	return OK;
}

static void statements_can_be_checked(void **state)
{
	struct scope s;
	scope_in(&s, fixture_of(state), NULL);
	OKAY(&s, db_read(&s, prepare_all, NULL));
}

/* ---- counting and waking ---- */

static _Atomic int woken;

static void wake(void *arg)
{
	woken++;
}

static enum err only_look(struct scope *s, struct db_tx *tx, void *arg)
{
	int64_t n;
	return count(s, tx, &n);
}

static void commits_wake_and_are_counted(void **state)
{
	struct scope s;
	struct db_stats before, after;
	struct db_fixture *f = fixture_of(state);
	woken = 0;
	db_on_commit(f->db, wake, NULL);
	db_stats(f->db, &before);
	scope_in(&s, f, &tenant_a);
	OKAY(&s, db_write(&s, insert_some, &(int){1}));
	OKAY(&s, db_write(&s, only_look, NULL));
	assert_int_equal(db_write(&s, insert_some, &(int){1}), ERR_EXISTS);
	OKAY(&s, db_write_low(&s, set_all, &(int64_t){0}));
	db_stats(f->db, &after);
	assert_int_equal(woken, 2);
	assert_int_equal(after.closures - before.closures, 4);
	assert_int_equal(after.failures - before.failures, 1);
	assert_true(after.commits - before.commits >= 2);
	assert_int_equal(after.queue, 0);
	db_on_commit(f->db, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(values_come_back),
		BOTH(a_statement_takes_null_and_then_a_value),
		BOTH(parameters_in_literals_are_text),
		BOTH(a_missing_row_is_not_found),
		BOTH(one_statement_runs_inside_itself),
		BOTH(a_stream_gives_every_row_in_order),
		BOTH(a_read_is_one_snapshot),
		BOTH(live_columns_are_all_columns),
		BOTH(statements_can_be_checked),
		BOTH(commits_wake_and_are_counted),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("db", tests, NULL, NULL);
}
