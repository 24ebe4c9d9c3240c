/* SPDX-License-Identifier: Apache-2.0
 * Keys of the days: how long they live, in both places.  The second place: nothing is written in one place alone, a place that was away is
 * caught up, another's or an empty one in its stead is refused. */
#include "fixture.h"

#include <sys/mount.h>

enum { DAYS = 14 };
static const int64_t TODAY = TEST_NOW / DAY_US;

static char *second(struct fixture *f, const char *name)
{
	return arena_printf(f->arena, "%s/second%s%s", f->base, *name != '\0' ? "/" : "", name);
}

/* A file's bytes, terminated, in the arena. */
static char *fixture_load(struct fixture *f, const char *path, size_t *ret_n)
{
	char *p = fixture_slurp(path, ret_n), *copy = arena_strndup(f->arena, p, *ret_n);
	free(p);
	return copy;
}

static enum err reopen(struct fixture *f, const char *copy, int days)
{
	char *detail = NULL, path[160];
	snprintf(path, sizeof path, "%s", copy); /* the arena is reset */
	fixture_close(f);
	enum err e = keeper_open_with(f->dir, &(struct keeper_options){.copy = path, .backups = days > 0, .backup_days = days}, &f->k, &detail);
	if (e != OK)
		assert_non_null(detail);
	free(detail);
	fixture_scope(f);
	return e;
}

static void with_second(struct fixture *f)
{
	assert_int_equal(mkdir(second(f, ""), 0700), 0);
	assert_err(reopen(f, second(f, ""), DAYS), OK);
}

static char *away(struct fixture *f) { return arena_printf(f->arena, "%s/away", f->base); }

static void make(struct fixture *f, int64_t day)
{
	bool made = false;
	enum err e = keeper_day_key_make(f->k, &f->s, day, &made);
	if (e != OK)
		fail_msg("make: %s", scope_detail(&f->s, e));
	assert_true(made);
}

static bool there(const char *path) { return access(path, F_OK) == 0; }

static char *key_name(struct fixture *f, int64_t day, const char *end)
{
	char date[TIME_TEXT];
	time_format(day * DAY_US, date);
	return arena_printf(f->arena, "backup-keys/%.10s.%d.%s", date, DAYS, end);
}

/* Whether what is sealed under the day's key can be opened. */
static enum err opens(struct fixture *f, int64_t day)
{
	static const uint8_t ours[X25519_BYTES] = {9};
	uint8_t key[SHA256_BYTES];
	return keeper_copy_key(f->k, &f->s, day, ours, "header", 6, key);
}

static void off(void **state)
{
	struct fixture *f = *state;
	bool made;
	assert_int_equal(keeper_backup_days(f->k), 0);
	assert_true(keeper_copies_gone_at(f->k, TEST_NOW) == TEST_NOW);
	assert_true(keeper_copies_gone(f->k, TEST_NOW));
	assert_err(keeper_day_key_make(f->k, &f->s, TODAY, &made), ERR_CONFIG);
}

static void a_life(void **state)
{
	struct fixture *f = *state;
	struct keeper_seal_half half;
	uint8_t sealer[SHA256_BYTES], opener[SHA256_BYTES], mine[X25519_BYTES], mine_public[X25519_BYTES];
	const int64_t end = (TODAY + 1 + DAYS) * DAY_US;
	assert_err(reopen(f, "", DAYS), OK);
	assert_int_equal(keeper_backup_days(f->k), DAYS);
	assert_true(keeper_copies_gone_at(f->k, TEST_NOW) == end); /* its key is still to be made */
	make(f, TODAY);
	make(f, TODAY + 1);
	assert_true(keeper_copies_gone_at(f->k, TEST_NOW) == end);
	assert_true(keeper_copies_gone_at(f->k, TEST_NOW - DAY_US) == TEST_NOW - DAY_US); /* of yesterday there is no copy */
	assert_false(keeper_copies_gone(f->k, TEST_NOW));
	assert_true(keeper_copies_gone(f->k, TEST_NOW - DAY_US));

	assert_err(keeper_seal_half(f->dir, TEST_NOW, &half, NULL), OK);
	assert_true(half.day == TODAY); /* not tomorrow's */
	random_bytes(mine, sizeof mine);
	x25519_public(mine, mine_public);
	assert_true(keeper_half_key(&half, mine, "header", 6, sealer));
	assert_err(keeper_copy_key(f->k, &f->s, TODAY, mine_public, "header", 6, opener), OK);
	assert_memory_equal(sealer, opener, sizeof sealer);
	assert_err(keeper_copy_key(f->k, &f->s, TODAY, mine_public, "Header", 6, opener), OK);
	assert_memory_not_equal(sealer, opener, sizeof sealer);
	assert_err(keeper_copy_key(f->k, &f->s, TODAY + 1, mine_public, "header", 6, opener), OK);
	assert_memory_not_equal(sealer, opener, sizeof sealer);

	assert_err(keeper_day_key_destroy(f->k, &f->s, TODAY), OK);
	assert_false(there(fixture_path(f, key_name(f, TODAY, "key"))) || there(fixture_path(f, key_name(f, TODAY, "half"))));
	assert_err(opens(f, TODAY), ERR_GONE);
	assert_non_null(strstr(scope_detail(&f->s, ERR_GONE), "2027-01-15"));
	assert_true(keeper_copies_gone(f->k, TEST_NOW));
	assert_err(keeper_seal_half(f->dir, TEST_NOW, &half, NULL), ERR_NOT_FOUND);
}

/* A setting that was raised gives no key a longer life: what was promised with it stands. */
static void another_setting(void **state)
{
	struct fixture *f = *state;
	assert_err(reopen(f, "", DAYS), OK);
	make(f, TODAY);
	assert_err(reopen(f, "", 21), OK);
	assert_true(keeper_copies_gone_at(f->k, TEST_NOW) == (TODAY + 1 + DAYS) * DAY_US);
	assert_err(reopen(f, "", 3), OK);
	assert_true(keeper_copies_gone_at(f->k, TEST_NOW) == (TODAY + 1 + 3) * DAY_US);
	assert_err(reopen(f, "", 0), OK); /* off: those that are there live on */
	assert_int_equal(keeper_backup_days(f->k), DAYS);
	assert_true(keeper_copies_gone_at(f->k, TEST_NOW) == (TODAY + 1 + DAYS) * DAY_US);
}

static void append(struct fixture *f, const char *json)
{
	enum err e = keeper_ledger_append(f->k, &f->s, json, strlen(json), NULL, NULL);
	if (e != OK)
		fail_msg("append: %s", scope_detail(&f->s, e));
}

static void same_bytes(struct fixture *f, const char *name)
{
	size_t n, m;
	char *a = fixture_load(f, fixture_path(f, name), &n), *b = fixture_load(f, second(f, name), &m);
	assert_int_equal(n, m);
	assert_memory_equal(a, b, n);
}

static void in_both(void **state)
{
	static const char *const names[] = {"ledger", "ca.key", "ca.pem", "token.key", "suppression.key", "export.key", "signing.key"};
	struct fixture *f = *state;
	append(f, "{\"before\":1}");
	with_second(f);
	append(f, "{\"after\":1}");
	make(f, TODAY);
	assert_err(keeper_ca_roll(f->k, &f->s, "Next CA"), OK);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		same_bytes(f, names[i]);
	same_bytes(f, key_name(f, TODAY, "key"));
	assert_false(there(second(f, "heads")) || there(second(f, key_name(f, TODAY, "half"))));

	struct keeper *other; /* what a new machine reads */
	assert_err(keeper_open_sealed(second(f, ""), &other, NULL), OK);
	uint8_t mine[X25519_BYTES] = {9}, a[SHA256_BYTES], b[SHA256_BYTES];
	assert_err(keeper_copy_key(other, &f->s, TODAY, mine, "h", 1, a), OK);
	assert_err(keeper_copy_key(f->k, &f->s, TODAY, mine, "h", 1, b), OK);
	assert_memory_equal(a, b, sizeof a);
	keeper_close(other);
}

static void away_and_back(void **state)
{
	struct fixture *f = *state;
	bool made;
	with_second(f);
	append(f, "{\"n\":1}");
	make(f, TODAY - 20);
	make(f, TODAY);
	assert_int_equal(rename(second(f, ""), away(f)), 0);
	assert_err(keeper_ledger_append(f->k, &f->s, "{}", 2, NULL, NULL), ERR_UNAVAILABLE);
	assert_non_null(strstr(scope_detail(&f->s, ERR_UNAVAILABLE), "second place"));
	assert_int_equal(keeper_ledger_size(f->k), 1);
	assert_err(keeper_day_key_make(f->k, &f->s, TODAY + 1, &made), ERR_UNAVAILABLE);
	assert_err(keeper_day_key_destroy(f->k, &f->s, TODAY - 20), ERR_UNAVAILABLE); /* gone here, and not there */
	assert_err(opens(f, TODAY - 20), ERR_GONE);
	assert_false(keeper_copies_gone(f->k, TEST_NOW - 20 * DAY_US));
	assert_err(reopen(f, second(f, ""), DAYS), OK); /* so it is after a restart, which an absent place does not hinder */
	assert_err(keeper_copy_state(f->k, &f->s), ERR_UNAVAILABLE);
	assert_false(keeper_copies_gone(f->k, TEST_NOW - 20 * DAY_US));

	assert_int_equal(mkdir(second(f, ""), 0700), 0); /* a mount point without its file system */
	assert_err(keeper_ledger_append(f->k, &f->s, "{}", 2, NULL, NULL), ERR_UNAVAILABLE);
	assert_int_equal(rmdir(second(f, "")), 0);

	assert_int_equal(rename(away(f), second(f, "")), 0);
	append(f, "{\"n\":2}");
	same_bytes(f, "ledger");
	assert_true(keeper_copies_gone(f->k, TEST_NOW - 20 * DAY_US));
	assert_false(there(second(f, key_name(f, TODAY - 20, "key"))) || there(fixture_path(f, key_name(f, TODAY - 20, "key"))));
	assert_err(opens(f, TODAY), OK);
}

/* The second place is full: the line that the first has already is taken back, and nothing is lost when there is room again. */
static void full_second(void **state)
{
	struct fixture *f = *state;
	char big[4096];
	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(second(f, ""), 0700), 0);
	if (mount("reeve-test", second(f, ""), "tmpfs", 0, "size=256k,mode=0700") != 0)
		skip();
	memset(big, 'x', sizeof big);
	assert_err(reopen(f, second(f, ""), DAYS), OK);
	append(f, "{\"n\":1}");
	int fd = open(second(f, "filler"), O_WRONLY | O_CREAT, 0600);
	while (write(fd, big, sizeof big) > 0)
		;
	close(fd);
	memcpy(big, "{\"n\":\"", 6);
	memcpy(big + sizeof big - 2, "\"}", 2);
	big[6] = 'x';
	enum err e = keeper_ledger_append(f->k, &f->s, big, sizeof big, NULL, NULL);
	assert_err(e, ERR_UNAVAILABLE);
	assert_int_equal(keeper_ledger_size(f->k), 1);
	same_bytes(f, "ledger");
	assert_int_equal(unlink(second(f, "filler")), 0);
	append(f, "{\"n\":2}");
	same_bytes(f, "ledger");
	assert_err(reopen(f, second(f, ""), DAYS), OK);
	assert_int_equal(keeper_ledger_size(f->k), 2);
	fixture_close(f);
	umount2(second(f, ""), MNT_DETACH);
}

/* Whichever is behind is caught up, as long as one begins with the other. */
static void caught_up(void **state)
{
	struct fixture *f = *state;
	size_t n;
	append(f, "{\"n\":1}");
	with_second(f);
	append(f, "{\"n\":2}");
	char *whole = fixture_load(f, fixture_path(f, "ledger"), &n);
	size_t first = (size_t)(strchr(whole, '\n') + 1 - whole);
	fixture_close(f);
	assert_int_equal(truncate(fixture_path(f, "ledger"), (off_t)first), 0); /* this machine was put back */
	assert_err(reopen(f, second(f, ""), DAYS), OK);
	assert_int_equal(keeper_ledger_size(f->k), 2);
	same_bytes(f, "ledger");
	fixture_close(f);
	assert_int_equal(truncate(second(f, "ledger"), 0), 0); /* the other was */
	assert_err(reopen(f, second(f, ""), DAYS), OK);
	same_bytes(f, "ledger");
	fixture_close(f);
	assert_int_equal(truncate(second(f, "ledger"), (off_t)first), 0);
	assert_err(reopen(f, "", DAYS), ERR_CONFIG); /* it holds keys: taking it out of the settings is not enough */
	assert_int_equal(unlink(fixture_path(f, "copy")), 0);
	assert_err(reopen(f, "", DAYS), OK);
	append(f, "{\"n\":3}");
	assert_err(reopen(f, second(f, ""), DAYS), OK);
	same_bytes(f, "ledger");
}

static void forked(void **state)
{
	struct fixture *f = *state;
	append(f, "{\"n\":1}");
	with_second(f);
	fixture_close(f);
	assert_int_equal(unlink(fixture_path(f, "copy")), 0);
	assert_err(reopen(f, "", DAYS), OK);
	append(f, "{\"n\":\"ours\"}");
	assert_err(reopen(f, "", DAYS), OK);
	struct fixture other = *f;
	snprintf(other.dir, sizeof other.dir, "%s/second", f->base);
	fixture_dump(second(f, "heads"), "", 0);
	fixture_close(f);
	assert_err(keeper_open(other.dir, &other.k, NULL), OK);
	append(&other, "{\"n\":\"theirs\"}");
	keeper_close(other.k);
	assert_err(reopen(f, second(f, ""), DAYS), ERR_CONFIG);
	assert_err(reopen(f, "", DAYS), OK);
}

static void not_ours(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(mkdir(second(f, ""), 0700), 0);
	fixture_dump(second(f, "letters"), "x", 1);
	assert_err(reopen(f, second(f, ""), DAYS), ERR_CONFIG);
	assert_int_equal(unlink(second(f, "letters")), 0);
	assert_int_equal(chmod(second(f, ""), 0755), 0);
	assert_err(reopen(f, second(f, ""), DAYS), ERR_CONFIG);
	assert_int_equal(rmdir(second(f, "")), 0);
	assert_err(keeper_create(second(f, ""), "Other", TEST_NOW, NULL), OK);
	assert_err(reopen(f, second(f, ""), DAYS), ERR_CONFIG);
	assert_err(reopen(f, f->dir, DAYS), ERR_CONFIG);
	assert_err(reopen(f, "", DAYS), OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(off, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_life, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(another_setting, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(in_both, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(away_and_back, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(full_second, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(caught_up, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(forked, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(not_ours, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
