/* SPDX-License-Identifier: Apache-2.0
 * A disk that is full, or that fails: nothing is signed, nothing is torn, and with room again it goes on.  A limit on
 * the size of files stands in for the full disk; as root a small tmpfs is one. */
#include "fixture.h"

#include <errno.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "keeper/vault/appendfile.h"
#include "tlog/merkle.h"

#define ORIGIN "log/one"

static uint8_t leaf[40][SHA256_BYTES];

/* Every file may have n bytes; RLIM_INFINITY: as many as before. */
static void limit_files(rlim_t n)
{
	struct rlimit r;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
	r.rlim_cur = n == RLIM_INFINITY ? r.rlim_max : n;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

static size_t length(struct fixture *f, const char *name)
{
	struct stat st;
	assert_int_equal(stat(fixture_path(f, name), &st), 0);
	return (size_t)st.st_size;
}

static void assert_size(struct fixture *f, uint64_t want)
{
	uint64_t size;
	uint8_t root[SHA256_BYTES];
	assert_err(keeper_head(f->k, &f->s, ORIGIN, &size, root), OK);
	assert_int_equal(size, want);
}

/* However much of the record fitted. */
static void full_heads(void **state)
{
	struct fixture *f = *state;
	char *first, *note;
	assert_err(keeper_sign_head(f->k, &f->s, ORIGIN, 0, leaf, 1, &first), OK);
	size_t before = length(f, "heads");
	for (size_t room = 0; room < 60; room += 7) {
		struct keeper_growth g[] = {{.origin = ORIGIN, .old_size = 1, .leaf_hashes = leaf + 1, .n = 1},
					    {.origin = "log/two", .old_size = 0, .leaf_hashes = leaf, .n = 1}};
		fixture_scope(f);
		limit_files(before + room);
		enum err e = keeper_sign_heads(f->k, &f->s, g, 2);
		limit_files(RLIM_INFINITY);
		assert_err(e, ERR_STORAGE_FULL);
		assert_says(&f->s, "no space");
		assert_err(g[0].err, ERR_STORAGE_FULL);
		assert_err(g[1].err, ERR_STORAGE_FULL);
		assert_null(g[0].checkpoint);
		assert_null(g[1].checkpoint);
		assert_int_equal(length(f, "heads"), before);
		assert_size(f, 1);
	}
	limit_files(before); /* the head as it is can be signed on a full disk */
	enum err e = keeper_sign_head(f->k, &f->s, ORIGIN, 1, NULL, 0, &note);
	limit_files(RLIM_INFINITY);
	assert_err(e, OK);
	assert_err(keeper_sign_head(f->k, &f->s, ORIGIN, 1, leaf + 1, 2, &note), OK);
	fixture_close(f);
	fixture_open(f);
	assert_null(keeper_cut(f->k));
	assert_size(f, 3);
}

static void full_ledger(void **state)
{
	struct fixture *f = *state;
	uint64_t sequence = 0;
	uint8_t hash[SHA256_BYTES];
	assert_err(keeper_ledger_append(f->k, &f->s, "{}", 2, &sequence, hash), OK);
	size_t before = length(f, "ledger");
	limit_files(before + 50);
	enum err e = keeper_ledger_append(f->k, &f->s, "{\"a\":1}", 7, &sequence, hash);
	limit_files(RLIM_INFINITY);
	assert_err(e, ERR_STORAGE_FULL);
	assert_int_equal(length(f, "ledger"), before);
	assert_int_equal(keeper_ledger_size(f->k), 1);
	assert_err(keeper_ledger_append(f->k, &f->s, "{\"a\":2}", 7, &sequence, hash), OK);
	assert_int_equal(sequence, 2);
	fixture_close(f);
	fixture_open(f);
	assert_null(keeper_cut(f->k));
	assert_int_equal(keeper_ledger_size(f->k), 2);
}

/* The old authority goes on signing, and the roll-over can be tried again. */
static void full_roll(void **state)
{
	struct fixture *f = *state;
	char *before = strdup(keeper_ca_pem(f->k, f->arena));
	limit_files(100);
	enum err e = keeper_ca_roll(f->k, &f->s, "Next");
	limit_files(RLIM_INFINITY);
	assert_err(e, ERR_STORAGE_FULL);
	assert_string_equal(keeper_ca_pem(f->k, f->arena), before);
	fixture_close(f);
	fixture_open(f);
	assert_string_equal(keeper_ca_pem(f->k, f->arena), before);
	assert_err(keeper_ca_roll(f->k, &f->s, "Next"), OK);
	free(before);
}

/* /dev/full takes no byte and cannot be cut: the outcome of the append is unknown, and nothing more is written. */
static void broken_file(void **state)
{
	struct fixture *f = *state;
	struct appendfile a;
	char *detail = NULL;
	assert_err(appendfile_open(&a, f->k->vault->dir, "heads", &detail), OK);
	int good = a.fd;
	a.fd = open("/dev/full", O_RDWR);
	assert_true(a.fd >= 0);
	assert_err(appendfile_append(&a, "x", 1), ERR_IO);
	assert_true(a.broken);
	close(a.fd);
	a.fd = good; /* the disk is well again, but nobody looked at what is on it */
	assert_err(appendfile_append(&a, "x", 1), ERR_IO);
	assert_int_equal(length(f, "heads"), 0);
	appendfile_close(&a);
}

/* A keeper on a file system of its own that is filled to the last block. */
static void full_tmpfs(void **state)
{
	struct fixture *f = *state;
	char *where = arena_printf(f->arena, "%s/small", f->base), *note;
	where = strdup(where);
	assert_int_equal(mkdir(where, 0700), 0);
	if (mount("tmpfs", where, "tmpfs", 0, "size=128k,mode=0700") != 0) {
		free(where);
		skip();
	}
	fixture_close(f);
	snprintf(f->dir, sizeof f->dir, "%s", where);
	assert_err(keeper_create(f->dir, "CA", TEST_NOW, NULL), OK);
	fixture_open(f);
	int fd = open(fixture_path(f, "filler"), O_WRONLY | O_CREAT, 0600);
	char block[4096] = "x";
	while (write(fd, block, sizeof block) > 0)
		continue;
	assert_int_equal(errno, ENOSPC);
	close(fd);
	uint64_t size = 0;
	enum err e;
	while ((e = keeper_sign_head(f->k, &f->s, ORIGIN, size, leaf, 1, &note)) == OK)
		size++;
	assert_err(e, ERR_STORAGE_FULL);
	size_t before = length(f, "heads");
	fixture_scope(f);
	assert_err(keeper_sign_head(f->k, &f->s, ORIGIN, size, leaf, 1, &note), ERR_STORAGE_FULL);
	assert_int_equal(length(f, "heads"), before);
	assert_int_equal(unlink(fixture_path(f, "filler")), 0);
	fixture_scope(f);
	assert_err(keeper_sign_head(f->k, &f->s, ORIGIN, size, leaf, 1, &note), OK);
	fixture_close(f);
	fixture_open(f);
	assert_null(keeper_cut(f->k));
	assert_size(f, size + 1);
	fixture_close(f);
	assert_int_equal(umount(where), 0);
	free(where);
}

/* A test that fails inside the mount must not leave it behind. */
static int teardown(void **state)
{
	struct fixture *f = *state;
	char where[96];
	limit_files(RLIM_INFINITY);
	fixture_close(f);
	snprintf(where, sizeof where, "%s/small", f->base);
	umount2(where, MNT_DETACH);
	return fixture_teardown(state);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {CASE(full_heads), CASE(full_ledger), CASE(full_roll), CASE(broken_file),
					   CASE(full_tmpfs)};
	for (size_t i = 0; i < sizeof leaf / sizeof leaf[0]; i++)
		merkle_leaf_hash(&i, sizeof i, leaf[i]);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
