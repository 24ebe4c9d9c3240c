/* SPDX-License-Identifier: Apache-2.0
 * Exports and secrets at rest, and needles: sealed under a key of their own object, and gone when they are dropped. */
#include "fixture.h"

#include "crypto/seal.h"

static void exports(void **state)
{
	struct fixture *f = *state;
	struct id one = id_new(TEST_NOW), two = id_new(TEST_NOW);
	char *plain = fixture_path(f, "plain"), *sealed = fixture_path(f, "sealed");
	fixture_dump(plain, "an export", 9);
	assert_err(keeper_seal_file(f->k, one, plain, sealed), OK);
	struct unseal_stream *stream;
	const void *p;
	size_t n;
	assert_err(keeper_unseal_open(f->k, one, sealed, &stream), OK);
	assert_int_equal(unseal_plain_bytes(stream), 9);
	assert_err(unseal_read(stream, &p, &n), OK);
	assert_int_equal(n, 9);
	assert_memory_equal(p, "an export", 9);
	assert_err(unseal_read(stream, &p, &n), OK);
	assert_int_equal(n, 0);
	unseal_close(stream);
	assert_err(keeper_unseal_open(f->k, two, sealed, &stream), OK); /* another object's key */
	assert_err(unseal_read(stream, &p, &n), ERR_IO);
	unseal_close(stream);
	assert_err(keeper_unseal_open(f->k, one, fixture_path(f, "none"), &stream), ERR_NOT_FOUND);
}

static void secrets(void **state)
{
	struct fixture *f = *state;
	size_t n, back_n;
	uint8_t *sealed = keeper_seal(f->k, f->arena, "passphrase", 10, &n);
	assert_null(memmem(sealed, n, "passphrase", 10));
	const char *back = keeper_unseal(f->k, f->arena, sealed, n, &back_n);
	assert_int_equal(back_n, 10);
	assert_string_equal(back, "passphrase"); /* terminated, for text */
	sealed[n / 2] ^= 1;
	assert_null(keeper_unseal(f->k, f->arena, sealed, n, &back_n));
	assert_null(keeper_unseal(f->k, f->arena, sealed, 3, &back_n));
	assert_null(keeper_unseal(f->k, f->arena, NULL, 0, &back_n));
}

static char *needle_path(struct fixture *f, struct id duty)
{
	char text[ID_TEXT];
	return fixture_path(f, arena_printf(f->arena, "needles-%s", id_format(duty, text)));
}

static void needles(void **state)
{
	struct fixture *f = *state;
	struct id one = id_new(TEST_NOW), two = id_new(TEST_NOW);
	void *p;
	size_t n;
	assert_err(keeper_needles_get(f->k, &f->s, one, &p, &n), ERR_NOT_FOUND);
	assert_err(keeper_needles_drop(f->k, &f->s, one), OK);
	assert_err(keeper_needles_put(f->k, &f->s, one, "ada@example.com", 15), OK);
	assert_err(keeper_needles_put(f->k, &f->s, two, "", 0), OK);
	fixture_close(f);
	fixture_open(f);
	assert_err(keeper_needles_get(f->k, &f->s, one, &p, &n), OK);
	assert_int_equal(n, 15);
	assert_memory_equal(p, "ada@example.com", 15);
	assert_err(keeper_needles_get(f->k, &f->s, two, &p, &n), OK);
	assert_int_equal(n, 0);
	char *bytes = fixture_slurp(needle_path(f, one), &n);
	assert_null(memmem(bytes, n, "ada@", 4));
	fixture_dump(needle_path(f, two), bytes, n); /* one duty's file in the place of another's */
	assert_err(keeper_needles_get(f->k, &f->s, two, &p, &n), ERR_IO);
	free(bytes);
	assert_int_equal(chmod(needle_path(f, one), 0644), 0);
	fixture_scope(f);
	assert_err(keeper_needles_get(f->k, &f->s, one, &p, &n), ERR_CONFIG);
	assert_says(&f->s, "needles-");
}

/* The bytes are overwritten before the name goes: seen through a descriptor that was open before. */
static void dropping_overwrites(void **state)
{
	struct fixture *f = *state;
	struct id duty = id_new(TEST_NOW);
	static char large[10000], now[sizeof large + SEAL_OVERHEAD + 1];
	assert_err(keeper_needles_put(f->k, &f->s, duty, large, sizeof large), OK);
	int fd = open(needle_path(f, duty), O_RDONLY);
	assert_true(fd >= 0);
	assert_err(keeper_needles_drop(f->k, &f->s, duty), OK);
	assert_int_not_equal(access(needle_path(f, duty), F_OK), 0);
	assert_int_equal(read(fd, now, sizeof now), sizeof large + SEAL_OVERHEAD);
	for (size_t i = 0; i < sizeof now; i++)
		assert_int_equal(now[i], 0);
	close(fd);
	void *p;
	size_t n;
	assert_err(keeper_needles_get(f->k, &f->s, duty, &p, &n), ERR_NOT_FOUND);
	void *too_large = calloc(1, MIB + 1);
	fixture_scope(f);
	assert_err(keeper_needles_put(f->k, &f->s, duty, too_large, MIB + 1), ERR_LIMIT);
	free(too_large);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {CASE(exports), CASE(secrets), CASE(needles), CASE(dropping_overwrites)};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
