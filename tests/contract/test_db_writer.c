/* SPDX-License-Identifier: Apache-2.0
 *
 * Many writers at once: group commit on SQLite, conflicts on PostgreSQL, and what happens to the others when one fails.
 */
#include <pthread.h>
#include <semaphore.h>
#include <time.h>

#include "db_things.h"

DB_GLOBAL(counter_make, "INSERT INTO counters (name, n) VALUES (?1, 0)");
DB_GLOBAL(counter_get, "SELECT n FROM counters WHERE name = ?1");
DB_GLOBAL(counter_set, "UPDATE counters SET n = ?2 WHERE name = ?1");
DB_GLOBAL(bomb, "INSERT INTO bombs (id) VALUES (1)");

enum { WRITERS = 16, ROUNDS = 12, KEPT = 3000 };

static void *check_calloc(size_t n, size_t size)
{
	void *p = calloc(n, size);
	check(p != NULL);
	return p;
}

/* ---- a writer: a thread with its own scope ---- */

struct writer {
	struct db *db;
	db_fn fn;
	void *arg;
	int number;
	bool low;
	enum err result;
	int runs;
	size_t arena_after;
	char detail[200];
	pthread_t thread;
};

static _Atomic int answered;

static void *writer_main(void *arg)
{
	struct scope s;
	struct writer *w = arg;
	struct arena *a = arena_new(LIMIT_ARENA_BYTES);
	scope_system(&s, a, w->db, NULL);
	w->result = w->low ? db_write_low(&s, w->fn, w) : db_write(&s, w->fn, w);
	answered++;
	w->arena_after = arena_used(a);
	snprintf(w->detail, sizeof w->detail, "%s", s.detail == NULL ? "" : s.detail);
	arena_free(a);
	return NULL;
}

static void writer_start(struct writer *w, struct db *db, db_fn fn)
{
	w->db = db;
	w->fn = fn;
	check(pthread_create(&w->thread, NULL, writer_main, w) == 0);
}

static void writer_join(struct writer *w)
{
	pthread_join(w->thread, NULL);
}

/* ---- a gate: a first closure that keeps SQLite's writer inside its batch while others queue up ---- */

static sem_t gate_entered, gate_open;

static enum err gate(struct scope *s, struct db_tx *tx, void *arg)
{
	((struct writer *)arg)->runs++;
	sem_post(&gate_entered);
	sem_wait(&gate_open);
	return OK;
}

static void gate_shut(struct writer *w, struct db *db)
{
	sem_init(&gate_entered, 0, 0);
	sem_init(&gate_open, 0, 0);
	writer_start(w, db, gate);
	sem_wait(&gate_entered);
}

static void queue_wait(struct db *db, size_t n)
{
	struct db_stats stats;
	const struct timespec ms = {.tv_nsec = 1000000};
	for (int i = 0; i < 10000; i++) {
		db_stats(db, &stats);
		if (stats.queue == n)
			return;
		nanosleep(&ms, NULL);
	}
	fail_msg("%zu closures never queued up", n);
}

/* ---- closures ---- */

static enum err counter_read(struct db_tx *tx, int64_t *ret)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &counter_get, DB_ARGS(db_v_text("c")), &r));
	*ret = db_int(r, 0);
	return OK;
}

static enum err counter_add(struct db_tx *tx)
{
	int64_t n = 0;
	TRY(counter_read(tx, &n));
	return db_exec(tx, &counter_set, DB_ARGS(db_v_text("c"), db_v_int(n + 1)), NULL);
}

static enum err add_one(struct scope *s, struct db_tx *tx, void *arg)
{
	struct writer *w = arg;
	w->runs++;
	memset(arena_alloc(s->arena, KEPT), 1, KEPT);
	if (s->detail != NULL)
		return scope_fail(s, ERR_STATE, "the detail of an earlier run is still there");
	return counter_add(tx);
}

/* Changes the counter and then fails by a statement (odd) or by its own word. */
static enum err add_and_fail(struct scope *s, struct db_tx *tx, void *arg)
{
	struct writer *w = arg;
	TRY(counter_add(tx));
	if (w->number % 4 == 1)
		return db_exec(tx, &counter_set, DB_ARGS(db_v_text("c"), db_v_int(-1)), NULL);
	return scope_fail(s, ERR_PRECONDITION, "refused");
}

static enum err add_or_fail(struct scope *s, struct db_tx *tx, void *arg)
{
	return ((struct writer *)arg)->number % 2 == 0 ? add_one(s, tx, arg) : add_and_fail(s, tx, arg);
}

static enum err explode(struct scope *s, struct db_tx *tx, void *arg)
{
	((struct writer *)arg)->runs++;
	TRY(counter_add(tx));
	return db_exec(tx, &bomb, DB_NOARGS, NULL);
}

static enum err add_or_explode(struct scope *s, struct db_tx *tx, void *arg)
{
	return ((struct writer *)arg)->number % 5 == 3 ? explode(s, tx, arg) : add_one(s, tx, arg);
}

static enum err make(struct scope *s, struct db_tx *tx, void *arg)
{
	return db_exec(tx, &counter_make, DB_ARGS(db_v_text("c")), NULL);
}

static enum err look(struct scope *s, struct db_tx *tx, void *arg)
{
	return counter_read(tx, arg);
}

static void counter_start(struct db_fixture *f)
{
	struct scope s;
	scope_in(&s, f, NULL);
	OKAY(&s, db_write(&s, make, NULL));
}

static int64_t counter_now(struct db_fixture *f)
{
	struct scope s;
	int64_t n = -1;
	scope_in(&s, f, NULL);
	OKAY(&s, db_read(&s, look, &n));
	return n;
}

/* ---- many at once ---- */

struct crowd {
	struct writer *writers; /* ROUNDS for each of WRITERS */
	pthread_t thread;
};

static void *crowd_member(void *arg)
{
	struct writer *mine = arg;
	for (int i = 0; i < ROUNDS; i++)
		writer_main(&mine[i]);
	return NULL;
}

static void many_writers_lose_nothing(void **state)
{
	struct db_fixture *f = fixture_of(state);
	struct crowd crowd[WRITERS];
	int expected = 0;
	counter_start(f);
	for (int i = 0; i < WRITERS; i++) {
		crowd[i].writers = check_calloc(ROUNDS, sizeof *crowd[i].writers);
		for (int k = 0; k < ROUNDS; k++)
			crowd[i].writers[k] =
				(struct writer){.db = f->db, .fn = add_or_fail, .number = i + k, .low = i == 0};
		assert_int_equal(pthread_create(&crowd[i].thread, NULL, crowd_member, crowd[i].writers), 0);
	}
	for (int i = 0; i < WRITERS; i++)
		pthread_join(crowd[i].thread, NULL);
	for (int i = 0; i < WRITERS; i++) {
		for (int k = 0; k < ROUNDS; k++) {
			struct writer *w = &crowd[i].writers[k];
			enum err wanted = w->number % 2 == 0   ? OK
					  : w->number % 4 == 1 ? ERR_INTERNAL
							       : ERR_PRECONDITION;
			if (w->result != wanted)
				fail_msg("%s instead of %s: %s", err_name(w->result), err_name(wanted), w->detail);
			expected += w->result == OK;
		}
		free(crowd[i].writers);
	}
	assert_int_equal(counter_now(f), expected);
}

/* ---- one batch ---- */

static int answered_at_commit;

static void at_commit(void *arg)
{
	answered_at_commit = answered;
}

static void one_commit_serves_a_batch(void **state)
{
	struct writer first = {0}, others[20] = {0};
	struct db_stats before, after;
	struct db_fixture *f = fixture_only(state, DB_SQLITE);
	counter_start(f);
	db_stats(f->db, &before);
	answered = 0;
	answered_at_commit = -1;
	db_on_commit(f->db, at_commit, NULL);
	gate_shut(&first, f->db);
	for (int i = 0; i < 20; i++) {
		others[i].number = i;
		writer_start(&others[i], f->db, add_or_fail);
	}
	queue_wait(f->db, 20);
	assert_int_equal(answered, 0);
	sem_post(&gate_open);
	writer_join(&first);
	for (int i = 0; i < 20; i++) {
		writer_join(&others[i]);
		assert_int_equal(others[i].result == OK, i % 2 == 0);
	}
	db_stats(f->db, &after);
	assert_int_equal(after.commits - before.commits, 1);
	assert_int_equal(answered_at_commit, 0);
	assert_int_equal(counter_now(f), 10);
}

static void the_end_of_a_batch_runs_the_others_again(void **state)
{
	struct writer first = {0}, others[20] = {0};
	struct db_fixture *f = fixture_only(state, DB_SQLITE);
	counter_start(f);
	gate_shut(&first, f->db);
	sem_post(&gate_open); /* it runs again too */
	for (int i = 0; i < 20; i++) {
		others[i].number = i;
		writer_start(&others[i], f->db, add_or_explode);
	}
	for (int i = 0; i < 30; i++)
		sem_post(&gate_open);
	writer_join(&first);
	assert_int_equal(first.result, OK);
	for (int i = 0; i < 20; i++) {
		writer_join(&others[i]);
		bool explodes = i % 5 == 3;
		if ((others[i].result == OK) == explodes)
			fail_msg("writer %d: %s %s", i, err_name(others[i].result), others[i].detail);
		if (!explodes)
			assert_in_range(others[i].arena_after, KEPT, KEPT + 15); /* of one run */
		else
			assert_string_equal(others[i].detail, "everything is gone");
	}
	assert_int_equal(counter_now(f), 16);
}

/* Deterministic: all are in one batch, the bomb last. */
static void a_closure_runs_again_as_if_for_the_first_time(void **state)
{
	struct writer first = {0}, others[4] = {0};
	struct db_fixture *f = fixture_only(state, DB_SQLITE);
	counter_start(f);
	gate_shut(&first, f->db);
	for (int i = 0; i < 4; i++) {
		others[i].number = i;
		writer_start(&others[i], f->db, add_or_explode);
		queue_wait(f->db, (size_t)i + 1);
	}
	sem_post(&gate_open);
	sem_post(&gate_open);
	writer_join(&first);
	assert_int_equal(first.runs, 2);
	for (int i = 0; i < 4; i++) {
		writer_join(&others[i]);
		assert_int_equal(others[i].runs, i < 3 ? 2 : 1);
		if (i < 3)
			assert_in_range(others[i].arena_after, KEPT, KEPT + 15);
	}
	assert_int_equal(counter_now(f), 3);
}

/* ---- the low queue ---- */

static _Atomic int order;

static enum err note_order(struct scope *s, struct db_tx *tx, void *arg)
{
	((struct writer *)arg)->runs = ++order;
	return OK;
}

/* One closure in each batch, so that each batch chooses between the queues. */
static void one_by_one(struct db_fixture *f)
{
	char *why = NULL;
	db_close(f->db);
	f->db = NULL;
	fixture_ok(db_open_with(&(struct db_options){.url = f->app_url, .batch_max = 1}, test_schema, &f->db, &why),
		   why);
}

/* Queues one closure of housekeeping and then n of people behind a gate; tells which place it had. */
static int place_of_low(struct db_fixture *f, int n)
{
	struct writer first = {0}, low = {.low = true}, *normal = check_calloc((size_t)n, sizeof *normal);
	order = 0;
	one_by_one(f);
	gate_shut(&first, f->db);
	writer_start(&low, f->db, note_order);
	queue_wait(f->db, 1);
	for (int i = 0; i < n; i++)
		writer_start(&normal[i], f->db, note_order);
	queue_wait(f->db, (size_t)n + 1);
	sem_post(&gate_open);
	writer_join(&first);
	writer_join(&low);
	for (int i = 0; i < n; i++)
		writer_join(&normal[i]);
	free(normal);
	assert_int_equal(order, n + 1);
	return low.runs;
}

static void people_go_before_housekeeping(void **state)
{
	assert_int_equal(place_of_low(fixture_only(state, DB_SQLITE), 3), 4);
}

static void housekeeping_is_not_starved(void **state)
{
	assert_in_range(place_of_low(fixture_only(state, DB_SQLITE), 30), 4, 20);
}

/* ---- conflicts (PostgreSQL) ---- */

static void *add_aside(void *arg)
{
	struct writer *w = arg;
	struct writer other = {.db = w->db, .fn = add_one};
	writer_main(&other);
	return other.result == OK ? arg : NULL;
}

/* The first time, another writer changes the counter between reading and writing it. */
static enum err add_with_conflict(struct scope *s, struct db_tx *tx, void *arg)
{
	int64_t n;
	pthread_t thread;
	void *done = arg;
	struct writer *w = arg;
	memset(arena_alloc(s->arena, KEPT), 1, KEPT);
	TRY(counter_read(tx, &n));
	if (w->runs++ == 0 &&
	    (pthread_create(&thread, NULL, add_aside, w) != 0 || pthread_join(thread, &done) != 0 || done == NULL))
		return scope_fail(s, ERR_STATE, "the other writer failed");
	return db_exec(tx, &counter_set, DB_ARGS(db_v_text("c"), db_v_int(n + 1)), NULL);
}

static void a_conflict_is_run_again(void **state)
{
	struct writer w = {0};
	struct db_stats stats;
	struct db_fixture *f = fixture_only(state, DB_POSTGRES);
	counter_start(f);
	writer_start(&w, f->db, add_with_conflict);
	writer_join(&w);
	if (w.result != OK)
		fail_msg("%s: %s", err_name(w.result), w.detail);
	assert_int_equal(w.runs, 2);
	assert_in_range(w.arena_after, KEPT, KEPT + 15);
	assert_string_equal(w.detail, "");
	assert_int_equal(counter_now(f), 2);
	db_stats(f->db, &stats);
	assert_int_equal(stats.retries, 1);
}

static void kill_connections(struct db_fixture *f)
{
	char sql[200];
	snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s'",
		 f->name);
	fixture_admin(getenv("REEVE_TEST_PG"), sql);
}

static enum err add_and_lose_connection(struct scope *s, struct db_tx *tx, void *arg)
{
	TRY(counter_add(tx));
	kill_connections(arg);
	return counter_add(tx);
}

static void a_lost_connection_is_replaced(void **state)
{
	struct scope s;
	struct db_fixture *f = fixture_only(state, DB_POSTGRES);
	counter_start(f);
	kill_connections(f);
	assert_int_equal(counter_now(f), 0);
	scope_in(&s, f, NULL);
	assert_int_equal(db_write(&s, add_and_lose_connection, f), ERR_UNAVAILABLE);
	assert_int_equal(counter_now(f), 0);
}

static enum err schema_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_text(tx, DB_REACH_GLOBAL, "SELECT schema_version FROM pragma_schema_version", DB_NOARGS, &r));
	*(int64_t *)arg = db_next(r) ? db_int(r, 0) : -1;
	return db_rows_err(r);
}

/* A connection reads the statistics with the schema: those that it has are of the time when the tables were empty. */
static void readers_see_new_statistics(void **state)
{
	struct scope s;
	int64_t before, after;
	struct db_fixture *f = fixture_only(state, DB_SQLITE);
	counter_start(f);
	scope_in(&s, f, NULL);
	fixture_ok(db_analyze(f->db), NULL);
	fixture_ok(db_read(&s, schema_tx, &before), NULL);
	fixture_ok(db_analyze(f->db), NULL);
	fixture_ok(db_read(&s, schema_tx, &after), NULL);
	assert_int_not_equal(before, after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(many_writers_lose_nothing),
		SQLITE(one_commit_serves_a_batch),
		SQLITE(the_end_of_a_batch_runs_the_others_again),
		SQLITE(a_closure_runs_again_as_if_for_the_first_time),
		SQLITE(people_go_before_housekeeping),
		SQLITE(housekeeping_is_not_starved),
		SQLITE(readers_see_new_statistics),
		POSTGRES(a_conflict_is_run_again),
		POSTGRES(a_lost_connection_is_replaced),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("db_writer", tests, NULL, NULL);
}
