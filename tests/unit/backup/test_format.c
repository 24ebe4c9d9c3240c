/* SPDX-License-Identifier: Apache-2.0
 * A sealed copy opens to what was put in, with the key of its day and while that lives; anything else is refused: cut anywhere, a bit changed
 * anywhere, frames exchanged, repeated or of another copy, another day, another installation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backup/format.h"
#include "base/clock.h"
#include "base/limits.h"
#include "crypto/seal.h"

#define TEST_NOW (INT64_C(1800000000) * SECOND_US) /* 2027-01-15 */
#define assert_err(got, want) assert_string_equal(err_name(got), err_name(want))

enum { FRAME = 4 + SEAL_FRAME + SEAL_OVERHEAD, DAYS = 14 };
static const int64_t TODAY = TEST_NOW / DAY_US;

static struct {
	char base[64], dir[80];
	struct arena *arena;
	struct scope s;
	struct keeper *k;
} F;

static int setup(void **state)
{
	bool made;
	snprintf(F.base, sizeof F.base, "/tmp/reeve-backup-XXXXXX");
	if (mkdtemp(F.base) == NULL)
		return -1;
	snprintf(F.dir, sizeof F.dir, "%s/keeper", F.base);
	F.arena = arena_new(LIMIT_ARENA_BYTES);
	const struct keeper_options o = {.backups = true, .backup_days = DAYS};
	if (keeper_create(F.dir, "Test CA", TEST_NOW, NULL) != OK || keeper_open_with(F.dir, &o, &F.k, NULL) != OK)
		return -1;
	scope_system(&F.s, F.arena, NULL, F.k);
	return keeper_day_key_make(F.k, &F.s, TODAY, &made) == OK ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at) { return remove(path); }

static int teardown(void **state)
{
	keeper_close(F.k);
	arena_free(F.arena);
	return nftw(F.base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void fresh(void)
{
	arena_reset(F.arena);
	scope_system(&F.s, F.arena, NULL, F.k);
	F.s.now = TEST_NOW;
}

struct bytes {
	uint8_t *p;
	size_t n;
};

static uint8_t plain_at(size_t i) { return (uint8_t)(i * 31 + i / 251); }

/* A copy of n bytes of content, in memory. */
static struct bytes sealed(enum backup_kind kind, size_t n, size_t claimed)
{
	struct keeper_seal_half half;
	struct backup_header h = {.kind = kind, .schema = 7, .created = TEST_NOW, .ledger = 3, .bytes = kind == BACKUP_STREAM ? BACKUP_BYTES_UNKNOWN : claimed};
	struct backup_writer *w;
	int fd = memfd_create("copy", 0);
	assert_err(keeper_half_now(F.k, TEST_NOW, &half, NULL), OK);
	assert_err(backup_begin(&F.s, &half, &h, fd, &w), OK);
	uint8_t *plain = malloc(n + 1);
	for (size_t i = 0; i < n; i++)
		plain[i] = plain_at(i);
	for (size_t at = 0, part; at < n; at += part) {
		part = n - at < 10007 ? n - at : 10007;
		assert_err(backup_write(w, plain + at, part), OK);
	}
	free(plain);
	assert_err(backup_end(w), claimed == n ? OK : ERR_STATE);
	struct bytes b = {.n = (size_t)lseek(fd, 0, SEEK_END)};
	b.p = malloc(b.n + FRAME);
	assert_int_equal(pread(fd, b.p, b.n, 0), b.n);
	close(fd);
	return b;
}

/* Opens it to its end; *ret_n: bytes of content that came out and were right. */
static enum err open_all(struct keeper *k, const uint8_t *p, size_t n, size_t *ret_n)
{
	struct backup_reader *r;
	const void *piece;
	size_t got = 1, at = 0;
	int fd = memfd_create("copy", 0);
	fresh();
	F.s.keeper = k;
	assert_int_equal(write(fd, p, n), n);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	enum err e = backup_open(&F.s, fd, &r);
	if (e == OK) {
		while (e == OK && got > 0) {
			e = backup_read(&F.s, r, &piece, &got);
			for (size_t i = 0; e == OK && i < got; i++, at++)
				assert_int_equal(((const uint8_t *)piece)[i], plain_at(at));
		}
		if (e != OK) /* no second try says otherwise */
			assert_int_not_equal(backup_read(&F.s, r, &piece, &got), OK);
		backup_close(r);
	}
	if (e != OK)
		assert_non_null(F.s.detail);
	close(fd);
	*ret_n = at;
	return e;
}

static void refused(const struct bytes *b, size_t n)
{
	size_t got;
	enum err e = open_all(F.k, b->p, n, &got);
	if (e != ERR_BAD_REQUEST && e != ERR_FORBIDDEN && e != ERR_GONE)
		fail_msg("%s after %zu bytes", err_name(e), got);
}

static void whole(void **state)
{
	static const size_t sizes[] = {0, 1, SEAL_FRAME - 1, SEAL_FRAME, SEAL_FRAME + 1, 3 * SEAL_FRAME};
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		for (enum backup_kind kind = BACKUP_SQLITE; kind <= BACKUP_STREAM; kind++) {
			struct bytes b = sealed(kind, sizes[i], sizes[i]);
			size_t got;
			assert_err(open_all(F.k, b.p, b.n, &got), OK);
			assert_int_equal(got, sizes[i]);
			free(b.p);
		}
	free(sealed(BACKUP_SQLITE, 10, 11).p);
}

static void changed(void **state)
{
	struct bytes b = sealed(BACKUP_SQLITE, 2000, 2000);
	for (size_t i = 0; i < b.n; i++) {
		b.p[i] ^= 1 << (i % 8);
		refused(&b, b.n);
		b.p[i] ^= 1 << (i % 8);
	}
	for (size_t n = 0; n < b.n; n++)
		refused(&b, n);
	b.p[b.n] = 0;
	refused(&b, b.n + 1);
	free(b.p);
}

/* Whole frames in another order, one twice, one left out, the end of another copy. */
static void frames(void **state)
{
	struct bytes b = sealed(BACKUP_STREAM, 3 * SEAL_FRAME + 5, 3 * SEAL_FRAME + 5), c = sealed(BACKUP_STREAM, 3 * SEAL_FRAME + 5, 3 * SEAL_FRAME + 5);
	uint8_t *one = b.p + BACKUP_HEADER_BYTES, *two = one + FRAME, *kept = malloc(b.n);
	memcpy(kept, b.p, b.n);
	memcpy(one, kept + BACKUP_HEADER_BYTES + FRAME, FRAME);
	memcpy(two, kept + BACKUP_HEADER_BYTES, FRAME);
	refused(&b, b.n);
	memcpy(b.p, kept, b.n);
	memcpy(two, one, FRAME);
	refused(&b, b.n);
	memcpy(b.p, kept, b.n);
	memmove(one, two, b.n - BACKUP_HEADER_BYTES - FRAME);
	refused(&b, b.n - FRAME);
	memcpy(b.p, kept, b.n);
	memcpy(two, c.p + BACKUP_HEADER_BYTES + FRAME, FRAME);
	refused(&b, b.n);
	memcpy(b.p, kept, b.n);
	memcpy(b.p, c.p, BACKUP_HEADER_BYTES);
	refused(&b, b.n);
	free(kept);
	free(b.p);
	free(c.p);
}

static void day_is_over(void **state)
{
	struct bytes b = sealed(BACKUP_SQLITE, 100, 100);
	size_t got;
	bool made;
	assert_err(keeper_day_key_destroy(F.k, &F.s, TODAY), OK);
	assert_err(open_all(F.k, b.p, b.n, &got), ERR_GONE);
	assert_non_null(strstr(F.s.detail, "2027-01-15"));
	assert_err(keeper_day_key_make(F.k, &F.s, TODAY, &made), OK); /* another key of the same day */
	refused(&b, b.n);
	free(b.p);
}

static void another_installation(void **state)
{
	struct bytes b = sealed(BACKUP_SQLITE, 100, 100);
	char dir[96];
	struct keeper *other;
	size_t got;
	snprintf(dir, sizeof dir, "%s/other", F.base);
	assert_err(keeper_create(dir, "Other CA", TEST_NOW, NULL), OK);
	assert_err(keeper_open_sealed(dir, &other, NULL), OK);
	assert_err(open_all(other, b.p, b.n, &got), ERR_FORBIDDEN);
	keeper_close(other);
	assert_err(keeper_open_sealed(F.dir, &other, NULL), OK); /* beside the one that holds the lock */
	assert_err(open_all(other, b.p, b.n, &got), OK);
	keeper_close(other);
	free(b.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole), cmocka_unit_test(changed), cmocka_unit_test(frames), cmocka_unit_test(another_installation),
		cmocka_unit_test(day_is_over),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
