/* SPDX-License-Identifier: Apache-2.0
 *
 * Deleted bytes: found by a scan until a scrub, and not after it (I6); and readers that are in its way.
 */
#include <pthread.h>
#include <semaphore.h>
#include <sqlite3.h>

#include <sys/stat.h>

#include "db/sqlite_page.h"
#include "db_things.h"

DB_TENANT(delete_all, "DELETE FROM things WHERE tenant_id = ?1");
DB_TENANT(delete_thing, "DELETE FROM things WHERE tenant_id = ?1 AND thing_id = ?2");

enum { THINGS = 400 };

static const char *const names[] = {"Wiremu Parata", "Moana-Rose Tipene", "x.y@example.nz", "Te \xc4\x80tiawa"};
enum { NAMES = sizeof names / sizeof *names };

/* Enough rows for many pages, so that deleting and adding splits and joins them. */
static enum err fill(struct scope *s, struct db_tx *tx, void *arg)
{
	char name[64], padding[200];
	memset(padding, 'p', sizeof padding);
	for (int i = 0; i < THINGS; i++) {
		struct id id = {{(uint8_t)(i * 37), (uint8_t)(i >> 3), (uint8_t)i}};
		snprintf(name, sizeof name, "%s %d", i % 10 == 0 ? names[i / 10 % NAMES] : "somebody else", i);
		TRY(db_exec(tx, &add_thing,
			    DB_ARGS(db_v_id(&id), db_v_text(name), db_v_int(i), db_v_blob(padding, sizeof padding),
				    db_v_null()),
			    NULL));
	}
	return OK;
}

static enum err forget(struct scope *s, struct db_tx *tx, void *arg)
{
	int64_t n = 0, one;
	for (int i = 0; i < THINGS; i += 10) {
		struct id id = {{(uint8_t)(i * 37), (uint8_t)(i >> 3), (uint8_t)i}};
		TRY(db_exec(tx, &delete_thing, DB_ARGS(db_v_id(&id)), &one));
		n += one;
	}
	WANT(n == THINGS / 10);
	return OK;
}

static uint64_t hits(struct db_fixture *f)
{
	uint64_t sum = 0;
	struct db_needle needles[NAMES];
	for (int i = 0; i < NAMES; i++)
		needles[i] = (struct db_needle){names[i], strlen(names[i]), 99};
	assert_int_equal(db_scan(f->db, needles, NAMES), OK);
	for (int i = 0; i < NAMES; i++)
		sum += needles[i].hits;
	return sum;
}

static enum err forget_all(struct scope *s, struct db_tx *tx, void *arg)
{
	return db_exec(tx, &delete_all, DB_NOARGS, NULL);
}

/* Several times, so that old frames stand in the WAL. */
static void fill_and_forget(struct db_fixture *f)
{
	struct scope s;
	for (int i = 0; i < 6; i++) {
		scope_in(&s, f, &tenant_a);
		OKAY(&s, db_write(&s, forget_all, NULL));
		OKAY(&s, db_write(&s, fill, NULL));
	}
	assert_true(hits(f) >= THINGS / 10 * 2); /* the row and its index */
	OKAY(&s, db_write(&s, forget, NULL));
	assert_true(hits(f) > 0); /* else this test would show nothing */
}

static void deleted_bytes_are_gone_after_a_scrub(void **state)
{
	struct db_fixture *f = fixture_only(state, DB_SQLITE);
	fill_and_forget(f);
	assert_int_equal(db_scrub(f->db, NULL, 0), OK);
	assert_int_equal(hits(f), 0);
	struct db_needle there = {"somebody else", 13, 0};
	assert_int_equal(db_scan(f->db, &there, 1), OK);
	assert_true(there.hits >= THINGS / 10 * 9);
	assert_int_equal(counted(f, &tenant_a), THINGS / 10 * 9);
}

/* SQLite's own check of the whole file. */
static int system_check(const char *file)
{
	sqlite3 *h;
	sqlite3_stmt *st;
	assert_int_equal(sqlite3_open_v2(file, &h, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(h, "PRAGMA integrity_check", -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	int bad = strcmp((const char *)sqlite3_column_text(st, 0), "ok");
	sqlite3_finalize(st);
	sqlite3_close(h);
	return bad;
}

/* ---- stale copies in the gaps of pages ---- */

DB_TENANT(delete_gone, "DELETE FROM things WHERE tenant_id = ?1 AND name LIKE 'gone-%'");
DB_TENANT(resize, "UPDATE things SET data = ?3 WHERE tenant_id = ?1 AND n = ?2");

static uint32_t next_random(uint32_t *x)
{
	return (*x = *x * 1103515245 + 12345) >> 8;
}

/* Rows of many lengths in no order, some resized: pages are split and rebuilt, which leaves copies that no DELETE sees.
 */
static enum err churn(struct scope *s, struct db_tx *tx, void *arg)
{
	uint32_t *x = arg;
	char name[100], data[900] = "";
	for (int i = 0; i < 200; i++) {
		struct id id = {{0}};
		int number = (int)(next_random(x) % 100000), tail = (int)(next_random(x) % 60);
		uint32_t a = next_random(x), b = next_random(x);
		memcpy(id.b, &a, sizeof a);
		memcpy(id.b + 4, &b, sizeof b);
		snprintf(name, sizeof name, "%s-%06d-%08x-%0*d", i % 2 ? "gone" : "kept", number, (unsigned)a, tail + 1,
			 0);
		TRY(db_exec(tx, &add_thing,
			    DB_ARGS(db_v_id(&id), db_v_text(name), db_v_int(i), db_v_blob(data, next_random(x) % 700),
				    db_v_null()),
			    NULL));
		if (i % 9 == 0)
			TRY(db_exec(tx, &resize, DB_ARGS(db_v_int(i / 2), db_v_blob(data, next_random(x) % 900)),
				    NULL));
	}
	return OK;
}

static enum err forget_gone(struct scope *s, struct db_tx *tx, void *arg)
{
	return db_exec(tx, &delete_gone, DB_NOARGS, NULL);
}

static void no_copy_stays_in_the_gap_of_a_page(void **state)
{
	struct scope s;
	uint32_t x = 7;
	struct db_needle needles[] = {{"gone-", 5, 0}, {"kept-", 5, 0}};
	struct db_fixture *f = fixture_only(state, DB_SQLITE);
	for (int i = 0; i < 20; i++) {
		scope_in(&s, f, &tenant_a);
		OKAY(&s, db_write(&s, churn, &x));
	}
	OKAY(&s, db_write(&s, forget_gone, NULL));
	assert_int_equal(db_scrub(f->db, NULL, 0), OK);
	assert_int_equal(db_scan(f->db, needles, 2), OK);
	assert_int_equal(needles[0].hits, 0);
	assert_true(needles[1].hits >= 2 * 20 * 100);
}

static void a_hit_is_told_with_its_table(void **state)
{
	struct scope s;
	size_t n, row = 0;
	struct db_hit *found;
	struct db_needle needles[] = {{"not there", 9, 5}, {names[0], strlen(names[0]), 5}};
	struct db_fixture *f = fixture_only(state, DB_SQLITE);
	scope_in(&s, f, &tenant_a);
	OKAY(&s, db_write(&s, fill, NULL));
	assert_int_equal(db_scan_tables(f->db, s.arena, needles, 2, &found, &n), OK);
	assert_int_equal(needles[0].hits, 0);
	assert_int_equal(needles[1].hits, THINGS / 10 / NAMES * 2); /* the row and its index, each copy on one page */
	for (size_t i = 0; i < n; i++)
		row += found[i].needle == 1 && strcmp(found[i].table, "things") == 0 ? found[i].hits : 0;
	assert_int_equal(row, needles[1].hits);
	OKAY(&s, db_write(&s, forget, NULL));
	assert_int_equal(db_scrub(f->db, NULL, 0), OK);
	assert_int_equal(db_scan_tables(f->db, s.arena, needles, 2, &found, &n), OK);
	assert_int_equal(n, 0);
}

/* ---- values over several pages ---- */

enum { LONG = 30000 };

/* A marker at every kind of place: each page border cuts one of them. */
static enum err add_long(struct scope *s, struct db_tx *tx, void *arg)
{
	static char data[LONG + 64];
	struct id id = {{9, 9, 9}};
	for (int i = 0; i < LONG; i += 10)
		snprintf(data + i, 12, "<mark%04d>", i / 10);
	return db_exec(tx, &add_thing, DB_ARGS(db_v_id(&id), db_v_text("long"), db_v_int(1), db_v_blob(data, LONG), db_v_null()), NULL);
}

static void a_value_cut_by_a_page_border_is_found(void **state)
{
	struct scope s;
	size_t n;
	struct db_hit *found;
	static char text[LONG / 10][11];
	static struct db_needle needles[LONG / 10];
	struct db_fixture *f = fixture_only(state, DB_SQLITE);
	scope_in(&s, f, &tenant_a);
	OKAY(&s, db_write(&s, add_long, NULL));
	for (int i = 0; i < LONG / 10; i++) {
		snprintf(text[i], sizeof text[i], "<mark%04d>", i);
		needles[i] = (struct db_needle){text[i], 10, 0};
	}
	assert_int_equal(db_scan_tables(f->db, s.arena, needles, LONG / 10, &found, &n), OK);
	assert_int_equal(n, LONG / 10);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(found[i].hits, 1);
		assert_string_equal(found[i].table, "things");
		assert_false(found[i].dead);
	}
	OKAY(&s, db_write(&s, forget_all, NULL));
	assert_int_equal(db_scan_tables(f->db, s.arena, needles, LONG / 10, &found, &n), OK);
	assert_int_equal(n, 0);
}

/* ---- a file that stands still ---- */

enum { LARGE = 40 };

struct standing {
	struct scope *s;
	bool called;
};

static enum err rename_all(struct scope *s, struct db_tx *tx, void *arg)
{
	return db_exec_text(tx, DB_REACH_TENANT, "UPDATE things SET n = n + 1 WHERE tenant_id = ?1", DB_NOARGS, NULL);
}

static size_t wal_bytes(struct db_fixture *f)
{
	char path[128];
	struct stat st;
	snprintf(path, sizeof path, "%s-wal", f->file);
	return stat(path, &st) == 0 ? (size_t)st.st_size : 0;
}

static uint64_t sum_of(int fd, uint64_t bytes)
{
	uint64_t sum = 14695981039346656037u;
	unsigned char page[4096];
	for (uint64_t at = 0; at < bytes; at += sizeof page) {
		assert_int_equal(pread(fd, page, sizeof page, (off_t)at), sizeof page);
		for (size_t i = 0; i < sizeof page; i++)
			sum = (sum ^ page[i]) * 1099511628211u;
	}
	return sum;
}

static enum err while_it_stands(void *arg, int fd, uint64_t bytes, size_t page_bytes)
{
	struct standing *w = arg;
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, bytes);
	assert_int_equal(page_bytes, 4096);
	uint64_t before = sum_of(fd, bytes);
	for (int i = 0; i < LARGE; i++) { /* a WAL that is made small in steps afterwards */
		OKAY(w->s, db_write(w->s, forget_all, NULL));
		OKAY(w->s, db_write(w->s, fill, NULL));
	}
	assert_int_equal(db_frozen(w->s->db, while_it_stands, w), ERR_BUSY); /* one at a time */
	assert_true(before == sum_of(fd, bytes));
	w->called = true;
	return ERR_LIMIT;
}

static void a_frozen_file_does_not_change_while_writers_go_on(void **state)
{
	struct scope s;
	struct db_fixture *f = fixture_only(state, DB_SQLITE);
	scope_in(&s, f, &tenant_a);
	OKAY(&s, db_write(&s, fill, NULL));
	struct standing w = {.s = &s};
	assert_int_equal(db_frozen(f->db, while_it_stands, &w), ERR_LIMIT); /* what fn answered */
	assert_true(w.called);
	assert_int_equal(counted(f, &tenant_a), THINGS);
	assert_true(wal_bytes(f) > 10 * MIB);
	assert_int_equal(db_scrub(f->db, NULL, 0), OK);
	assert_int_equal(wal_bytes(f), 0);
	OKAY(&s, db_write(&s, rename_all, NULL));
	assert_int_equal(counted(f, &tenant_a), THINGS);
	db_close(f->db);
	f->db = NULL;
	assert_int_equal(system_check(f->file), 0);
	fixture_reopen(f, test_schema);
	assert_int_equal(counted(f, &tenant_a), THINGS);
}

/* ---- dead space ---- */

/* As a server of an older kind, or another program, may have left it: in the largest gap of the file. */
static enum err soil(void *arg, int fd, uint64_t bytes, size_t page_bytes)
{
	unsigned char page[4096];
	int *soiled = arg;
	for (uint64_t at = page_bytes; at < bytes; at += page_bytes) {
		struct sq_page g;
		assert_int_equal(pread(fd, page, sizeof page, (off_t)at), sizeof page);
		if (!sq_page_open(&g, page, page_bytes, 2) || g.content - g.pointers - 2 * (size_t)g.cells < 40)
			continue;
		assert_int_equal(pwrite(fd, "stale Wiremu Parata", 19, (off_t)(at + g.content - 25)), 19);
		++*soiled;
	}
	return OK;
}

static void dead_space_is_told_and_blanked_for_good(void **state)
{
	struct scope s;
	size_t n;
	int soiled = 0;
	uint64_t told = 0;
	struct db_hit *found;
	struct db_needle needle = {"stale Wiremu", 12, 0};
	struct db_fixture *f = fixture_only(state, DB_SQLITE);
	scope_in(&s, f, &tenant_a);
	OKAY(&s, db_write(&s, fill, NULL));
	assert_int_equal(db_scrub(f->db, NULL, 0), OK); /* the one that goes over the file anyway */
	assert_int_equal(db_frozen(f->db, soil, &soiled), OK);
	assert_true(soiled > 5);
	assert_int_equal(db_scan_tables(f->db, s.arena, &needle, 1, &found, &n), OK);
	assert_true(n > 0 && needle.hits == (uint64_t)soiled);
	for (size_t i = 0; i < n; i++)
		told += found[i].dead ? found[i].hits : 0;
	assert_int_equal(told, soiled);
	OKAY(&s, db_write(&s, rename_all, NULL)); /* now the writer has such pages in memory */
	assert_int_equal(db_scrub(f->db, NULL, 0), OK);
	OKAY(&s, db_write(&s, rename_all, NULL));
	assert_int_equal(db_scan(f->db, &needle, 1), OK); /* file and WAL */
	assert_int_equal(needle.hits, 0);
	assert_int_equal(counted(f, &tenant_a), THINGS);
	db_close(f->db);
	f->db = NULL;
	assert_int_equal(system_check(f->file), 0);
	fixture_reopen(f, test_schema);
}

static void an_empty_needle_is_refused(void **state)
{
	struct db_needle empty = {"", 0, 0};
	struct db_fixture *f = fixture_only(state, DB_SQLITE);
	assert_int_equal(db_scan(f->db, &empty, 1), ERR_BAD_REQUEST);
}

/* ---- readers in the way ---- */

struct reader {
	struct db *db;
	db_fn fn;
	enum err result;
	pthread_t thread;
};
static sem_t reading, go_on;

static void *reader_main(void *arg)
{
	struct scope s;
	struct reader *r = arg;
	struct arena *a = arena_new(LIMIT_ARENA_BYTES);
	scope_system(&s, a, r->db, NULL);
	r->result = db_read(&s, r->fn, r);
	arena_free(a);
	return NULL;
}

static void reader_start(struct reader *r, struct db_fixture *f, db_fn fn)
{
	*r = (struct reader){.db = f->db, .fn = fn};
	sem_init(&reading, 0, 0);
	sem_init(&go_on, 0, 0);
	assert_int_equal(pthread_create(&r->thread, NULL, reader_main, r), 0);
	sem_wait(&reading);
}

/* Between two statements nothing can interrupt it. */
static enum err sit(struct scope *s, struct db_tx *tx, void *arg)
{
	int64_t n;
	TRY(count(s, tx, &n));
	sem_post(&reading);
	sem_wait(&go_on);
	return count(s, tx, &n);
}

static enum err toil(struct scope *s, struct db_tx *tx, void *arg)
{
	int64_t n;
	auto_rows struct db_rows *r = NULL;
	TRY(count(s, tx, &n));
	sem_post(&reading);
	TRY(db_query_text(
		tx, DB_REACH_GLOBAL,
		"WITH RECURSIVE k(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM k WHERE x > 0) SELECT count(*) FROM k",
		DB_NOARGS, &r));
	while (db_next(r))
		;
	return db_rows_err(r);
}

static void a_reader_that_stays_makes_it_busy(void **state)
{
	struct reader r;
	struct db_fixture *f = fixture_only(state, DB_SQLITE);
	fill_and_forget(f);
	reader_start(&r, f, sit);
	assert_int_equal(db_scrub(f->db, NULL, 0), ERR_BUSY);
	assert_int_equal(counted(f, &tenant_a), THINGS / 10 * 9); /* others read on */
	sem_post(&go_on);
	pthread_join(r.thread, NULL);
	assert_int_equal(r.result, OK);
	assert_int_equal(db_scrub(f->db, NULL, 0), OK);
	assert_int_equal(hits(f), 0);
}

static void a_long_statement_is_interrupted(void **state)
{
	struct reader r;
	struct db_fixture *f = fixture_only(state, DB_SQLITE);
	fill_and_forget(f);
	reader_start(&r, f, toil);
	assert_int_equal(db_scrub(f->db, NULL, 0), OK);
	pthread_join(r.thread, NULL);
	assert_int_equal(r.result, ERR_UNAVAILABLE);
	assert_int_equal(hits(f), 0);
}

/* ---- PostgreSQL ---- */

static void the_owner_rewrites_tables(void **state)
{
	struct db_fixture *f = fixture_only(state, DB_POSTGRES);
	char *why = NULL, sql[100];
	static const char *const tables[] = {"things", "audit_events"}, *const wrong[] = {"things; DROP TABLE things"};
	struct db_needle needle = {"x", 1, 0};
	assert_int_equal(db_scan(f->db, &needle, 1), ERR_NOT_IMPLEMENTED);
	assert_int_equal(db_scrub(f->db, tables, 2), ERR_NOT_IMPLEMENTED); /* without the owner's connection */
	db_close(f->db);
	fixture_ok(db_open_with(&(struct db_options){.url = f->app_url, .owner_url = f->owner_url}, test_schema, &f->db,
				&why),
		   why);
	PGconn *c = PQconnectdb(f->admin_url);
	snprintf(sql, sizeof sql, "SELECT pg_relation_filenode('things')");
	PGresult *before = PQexec(c, sql);
	assert_int_equal(db_scrub(f->db, tables, 2), OK);
	PGresult *after = PQexec(c, sql);
	assert_string_not_equal(PQgetvalue(before, 0, 0), PQgetvalue(after, 0, 0));
	PQclear(before);
	PQclear(after);
	assert_int_equal(db_scrub(f->db, wrong, 1), ERR_INTERNAL);
	PQclear(PQexec(c, "BEGIN; LOCK TABLE things"));
	assert_int_equal(db_scrub(f->db, tables, 2), ERR_BUSY);
	PQfinish(c);
}

/* Of each needle: where it stands, and nowhere else. */
static void stands_in(struct db_fixture *f, const char *text, const char *table)
{
	size_t n;
	struct db_hit *found;
	struct db_needle needle = {text, strlen(text), 0};
	assert_int_equal(db_scan_tables(f->db, f->arena, &needle, 1, &found, &n), OK);
	for (size_t i = 0; i < n; i++)
		if (table == NULL || strcmp(found[i].table, "pg_wal") != 0)
			assert_string_equal(found[i].table, table == NULL ? "nowhere" : table);
	assert_int_equal(needle.hits > 0, table != NULL);
}

static void its_files_are_searched(void **state)
{
	struct scope s;
	struct db_wal wal;
	char *why = NULL, dir[128];
	static const char *const tables[] = {"things"};
	struct db_fixture *f = fixture_only(state, DB_POSTGRES);
	struct db_needle needle = {"nobody", 6, 0};
	size_t n;
	struct db_hit *found;
	assert_int_equal(db_scan_tables(f->db, f->arena, &needle, 1, &found, &n), ERR_NOT_IMPLEMENTED);
	db_close(f->db);
	snprintf(dir, sizeof dir, "%s/data", getenv("REEVE_TEST_PG_HOST"));
	fixture_ok(db_open_with(&(struct db_options){.url = f->app_url, .owner_url = f->owner_url, .data_dir = dir}, test_schema, &f->db, &why), why);
	scope_in(&s, f, &tenant_a);
	OKAY(&s, db_write(&s, fill, NULL));
	fixture_admin(f->admin_url, "ALTER TABLE things ALTER name SET STATISTICS 2"); /* the least, the middle, the greatest */
	fixture_admin(f->admin_url, "ANALYZE");
	fixture_admin(f->admin_url, "CHECKPOINT");
	needle = (struct db_needle){names[2], strlen(names[2]), 0};
	assert_int_equal(db_scan_tables(f->db, f->arena, &needle, 1, &found, &n), OK);
	bool in_statistics = false;
	for (size_t i = 0; i < n; i++)
		in_statistics |= strcmp(found[i].table, "pg_statistic") == 0;
	assert_true(n >= 3 && in_statistics); /* else nothing would be shown about them */
	OKAY(&s, db_write(&s, forget, NULL));
	assert_int_equal(db_scrub(f->db, tables, 1), OK);
	assert_int_equal(db_scan_tables(f->db, f->arena, &needle, 1, &found, &n), OK); /* may find it in the log */
	assert_int_equal(db_scrub(f->db, tables, 1), OK);
	for (int i = 0; i < NAMES; i++)
		stands_in(f, names[i], NULL);
	stands_in(f, "somebody else 399", "things");
	assert_int_equal(db_wal_position(f->db, f->arena, &wal), OK);
	assert_non_null(strchr(wal.position, '/'));
	assert_int_equal(wal.standby_n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SQLITE(deleted_bytes_are_gone_after_a_scrub), SQLITE(no_copy_stays_in_the_gap_of_a_page),
		SQLITE(a_hit_is_told_with_its_table),         SQLITE(an_empty_needle_is_refused),
		SQLITE(a_value_cut_by_a_page_border_is_found), SQLITE(a_frozen_file_does_not_change_while_writers_go_on),
		SQLITE(dead_space_is_told_and_blanked_for_good),
		SQLITE(a_reader_that_stays_makes_it_busy),    SQLITE(a_long_statement_is_interrupted),
		POSTGRES(the_owner_rewrites_tables),          POSTGRES(its_files_are_searched),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("db_erase", tests, NULL, NULL);
}
