/* SPDX-License-Identifier: Apache-2.0
 *
 * Dead bytes of pages: one history of thousands of changes, played into two files, one of them through our VFS.  No copy of an erased subject is
 * in ours after a checkpoint, though no VACUUM ran; and nothing else differs: not a row, not a byte that SQLite's own check looks at.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "db/sqlite_internal.h"
#include "db/sqlite_page.h"

enum { SUBJECTS = 300, ERASED = 30 };

struct twin {
	char path[64];
	sqlite3 *h;
};

static char dir[] = "/tmp/reeve-test.XXXXXX";

static void run(sqlite3 *h, const char *sql)
{
	if (sqlite3_exec(h, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(h));
}

static char *text_of(sqlite3 *h, const char *sql)
{
	sqlite3_stmt *st = NULL;
	assert_int_equal(sqlite3_prepare_v2(h, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	char *text = strdup((const char *)sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
	return text;
}

static void twin_open(struct twin *t, const char *name, const char *through, int page)
{
	char sql[200];
	snprintf(t->path, sizeof t->path, "%s/%s-%d", dir, name, page);
	assert_int_equal(sqlite3_open_v2(t->path, &t->h, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, through), SQLITE_OK);
	snprintf(sql, sizeof sql, "PRAGMA page_size = %d; PRAGMA journal_mode = WAL; PRAGMA secure_delete = ON; PRAGMA synchronous = OFF;", page);
	run(t->h, sql);
	run(t->h, "CREATE TABLE plain (id INTEGER PRIMARY KEY, subject TEXT, body TEXT); CREATE INDEX plain_by_subject ON plain (subject, body);"
		  "CREATE TABLE keyed (k TEXT PRIMARY KEY, subject TEXT, body TEXT) WITHOUT ROWID;"
		  "CREATE INDEX keyed_by_subject ON keyed (subject); CREATE UNIQUE INDEX keyed_by_body ON keyed (body, k);");
}

static uint32_t next_random(uint32_t *x)
{
	return (*x = *x * 1103515245 + 12345) >> 8;
}

/* The same for the same seed: rows come, grow, shrink and go; each names its subject in every column. */
static void history(sqlite3 *h, int steps, size_t longest)
{
	uint32_t x = 11;
	char sql[400];
	run(h, "BEGIN");
	for (int i = 0; i < steps; i++) {
		unsigned who = next_random(&x) % SUBJECTS, what = next_random(&x) % 10, key = next_random(&x) % 5000;
		size_t len = next_random(&x) % longest;
		if (what < 6)
			snprintf(sql, sizeof sql,
				 "INSERT INTO plain (subject, body) VALUES ('subject-%03u-', printf('subject-%03u-%%.*c', %zu, 'x'));"
				 "INSERT OR REPLACE INTO keyed VALUES ('%05u', 'subject-%03u-', printf('subject-%03u-%%.*c', %zu, 'y'))",
				 who, who, len, key, who, who, len);
		else if (what < 9)
			snprintf(sql, sizeof sql,
				 "UPDATE plain SET body = printf('%%s%%.*c', subject, %zu, 'z') WHERE id = %u;"
				 "UPDATE keyed SET body = printf('%%s%%.*c', subject, %zu, 'z') WHERE k = '%05u'",
				 len, key, len / 2, key);
		else
			snprintf(sql, sizeof sql, "DELETE FROM plain WHERE id = %u; DELETE FROM keyed WHERE k = '%05u'", key, key);
		run(h, sql);
		if (i % 2000 == 1999)
			run(h, "COMMIT; PRAGMA wal_checkpoint(PASSIVE); BEGIN");
	}
	for (int i = 0; i < ERASED; i++) {
		snprintf(sql, sizeof sql, "DELETE FROM plain WHERE subject = 'subject-%03d-'; DELETE FROM keyed WHERE subject = 'subject-%03d-'", i * 10,
			 i * 10);
		run(h, sql);
	}
	run(h, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
}

static unsigned char *bytes_of(const char *path, size_t *ret_n)
{
	struct stat st;
	int fd = open(path, O_RDONLY);
	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	unsigned char *p = malloc((size_t)st.st_size);
	assert_int_equal(read(fd, p, (size_t)st.st_size), st.st_size);
	close(fd);
	*ret_n = (size_t)st.st_size;
	return p;
}

static int erased_left(const char *path)
{
	size_t n;
	int left = 0;
	unsigned char *p = bytes_of(path, &n);
	for (size_t i = 0; i + 12 <= n; i++)
		left += memcmp(p + i, "subject-", 8) == 0 && p[i + 10] == '0' && p[i + 11] == '-';
	free(p);
	return left;
}

/* The pages of ours are those of the other with the dead bytes zero; each b-tree page adds up. */
static void differs_in_dead_bytes_alone(const char *ours, const char *other, size_t page)
{
	size_t n, m;
	unsigned char *a = bytes_of(ours, &n), *b = bytes_of(other, &m), live[SQ_PAGE_MAX];
	assert_int_equal(n, m);
	for (size_t at = 0; at < n; at += page) {
		struct sq_page g;
		uint32_t number = (uint32_t)(at / page) + 1;
		if (sq_page_open(&g, a + at, page, number)) {
			assert_true(sq_page_live(&g, live));
			sq_page_blank(b + at, page, number, live);
		}
		if (number == 1) /* counters of changes */
			memcpy(b + at + 24, a + at + 24, 4), memcpy(b + at + 92, a + at + 92, 4);
		assert_memory_equal(a + at, b + at, page);
	}
	free(a);
	free(b);
}

static void same_rows(struct twin *ours, struct twin *other)
{
	static const char *const all[] = {"PRAGMA integrity_check",
					  "SELECT count(*) || hex(sum(length(body))) || group_concat(hex(body)) FROM (SELECT body FROM plain ORDER BY id)",
					  "SELECT group_concat(k || subject || body) FROM (SELECT * FROM keyed ORDER BY k)",
					  "SELECT group_concat(subject) FROM (SELECT subject FROM keyed INDEXED BY keyed_by_subject ORDER BY subject)"};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		char *a = text_of(ours->h, all[i]), *b = text_of(other->h, all[i]);
		assert_string_equal(a, b);
		assert_true(i > 0 || strcmp(a, "ok") == 0);
		free(a);
		free(b);
	}
}

static int without = 0;

static void play(int page, int steps, size_t longest)
{
	struct twin ours, other;
	twin_open(&ours, "ours", sq_vfs(), page);
	twin_open(&other, "other", NULL, page);
	history(ours.h, steps, longest);
	history(other.h, steps, longest);
	assert_int_equal(erased_left(ours.path), 0);
	without += erased_left(other.path);
	differs_in_dead_bytes_alone(ours.path, other.path, (size_t)page);
	sqlite3_close(ours.h); /* read again from the file */
	assert_int_equal(sqlite3_open_v2(ours.path, &ours.h, SQLITE_OPEN_READWRITE, sq_vfs()), SQLITE_OK);
	same_rows(&ours, &other);
	sqlite3_close(ours.h);
	sqlite3_close(other.h);
	unlink(ours.path);
	unlink(other.path);
}

static void no_copy_of_the_erased_is_left(void **state)
{
	play(4096, 15000, 300);
	play(4096, 3000, 9000); /* values that go on over pages */
	play(512, 4000, 200);
	play(65536, 2000, 400);
	assert_true(without > 0); /* else this would show nothing */
}

/* ---- what is not a page, or not a good one ---- */

static void a_page_that_does_not_add_up_is_left_alone(void **state)
{
	enum { PAGE = 512 };
	uint32_t x = 5;
	size_t n;
	int good = 0, spoiled = 0;
	struct twin t;
	unsigned char live[PAGE], copy[PAGE], before[PAGE];
	twin_open(&t, "spoiled", NULL, PAGE);
	history(t.h, 1500, 150);
	sqlite3_close(t.h);
	unsigned char *p = bytes_of(t.path, &n);
	for (size_t at = PAGE; at < n; at += PAGE)
		for (int k = 0; k < 20; k++) {
			memcpy(copy, p + at, PAGE);
			for (unsigned i = next_random(&x) % 3; i > 0; i--) /* mostly in the header and the pointers */
				copy[next_random(&x) % (k % 2 ? PAGE : 40)] = (unsigned char)next_random(&x);
			memcpy(before, copy, PAGE);
			if (sq_page_blank(copy, PAGE, 2, live)) {
				good++;
				for (size_t i = 0; i < PAGE; i++)
					assert_true(live[i] ? copy[i] == before[i] : copy[i] == 0);
			} else {
				spoiled++;
				assert_memory_equal(copy, before, PAGE);
			}
		}
	assert_true(good > 100 && spoiled > 100);
	free(p);
}

static int make_dir(void **state)
{
	return mkdtemp(dir) == NULL;
}

static int drop_dir(void **state)
{
	char command[80];
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_copy_of_the_erased_is_left),
		cmocka_unit_test(a_page_that_does_not_add_up_is_left_alone),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("db_blank", tests, make_dir, drop_dir);
}
