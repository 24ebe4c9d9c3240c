/* SPDX-License-Identifier: Apache-2.0
 * Sealed blobs and files: what was sealed comes back, and any change, anywhere, is found: in a nonce, a body, a tag, by
 * frames that changed places, went, came, or were cut. */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/seal.h"

enum { FRAME = 64 * 1024, SEALED = FRAME + SEAL_OVERHEAD };

static const uint8_t key[SEAL_KEY_BYTES] = {1, 2, 3};
static struct arena *arena;
static char dir[64], plain_path[96], sealed_path[96];

/* ---- blobs ---- */

/* The GCM specification's test cases 13 and 14, which have an all-zero key and nonce. */
static void published_vectors(void **state)
{
	static const uint8_t zeros[SEAL_KEY_BYTES];
	uint8_t blob[12 + 16 + 16] = {0};
	size_t n;
	assert_true(hex_decode("530f8afbc74536b9a963b4f1c4cb738b", 16, blob + 12));
	assert_non_null(unseal(arena, zeros, blob, 28, &n));
	assert_int_equal(n, 0);
	assert_true(hex_decode("cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919", 32, blob + 12));
	const void *p = unseal(arena, zeros, blob, sizeof blob, &n);
	assert_non_null(p);
	assert_int_equal(n, 16);
	assert_memory_equal(p, zeros, 16);
}

static void blobs_come_back(void **state)
{
	static const size_t sizes[] = {0, 1, 15, 16, 17, 100000};
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		size_t n, back_n;
		uint8_t *p = arena_alloc(arena, sizes[i] + 1);
		memset(p, 0x5a, sizes[i]);
		const void *one = seal(arena, key, p, sizes[i], &n), *two = seal(arena, key, p, sizes[i], &n);
		assert_int_equal(n, sizes[i] + SEAL_OVERHEAD);
		assert_memory_not_equal(one, two, n); /* a fresh nonce each time */
		const void *back = unseal(arena, key, one, n, &back_n);
		assert_non_null(back);
		assert_int_equal(back_n, sizes[i]);
		assert_memory_equal(back, p, back_n);
	}
}

static void changed_blobs_do_not(void **state)
{
	size_t n, back_n;
	uint8_t *p = seal(arena, key, "twenty bytes of text", 20, &n), other[SEAL_KEY_BYTES];
	for (size_t bit = 0; bit < n * 8; bit++) {
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_null(unseal(arena, key, p, n, &back_n));
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t cut = 0; cut < n; cut++)
		assert_null(unseal(arena, key, p, cut, &back_n));
	memcpy(other, key, sizeof other);
	other[31] ^= 1;
	assert_null(unseal(arena, other, p, n, &back_n));
	assert_non_null(unseal(arena, key, p, n, &back_n));
}

/* ---- files ---- */

static void write_file(const char *path, const uint8_t *p, size_t n)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static uint8_t *read_file(const char *path, size_t *ret_n)
{
	struct stat st;
	FILE *f = fopen(path, "r");
	assert_true(f != NULL && fstat(fileno(f), &st) == 0);
	uint8_t *p = malloc((size_t)st.st_size + 1);
	assert_int_equal(fread(p, 1, (size_t)st.st_size, f), st.st_size);
	fclose(f);
	*ret_n = (size_t)st.st_size;
	return p;
}

static uint8_t *make_plain(size_t n)
{
	uint8_t *p = malloc(n + 1);
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i * 7 + i / 251);
	write_file(plain_path, p, n);
	return p;
}

/* Reads to the end or to the first refusal, comparing what is returned on the way. */
static enum err read_all(const uint8_t *want, size_t *ret_n)
{
	struct unseal_stream *s;
	*ret_n = 0;
	enum err e = unseal_open(key, sealed_path, &s);
	if (e != OK)
		return e;
	const void *p;
	size_t n;
	while ((e = unseal_read(s, &p, &n)) == OK && n > 0) {
		assert_memory_equal(p, want + *ret_n, n);
		*ret_n += n;
	}
	if (e == OK)
		assert_int_equal(unseal_plain_bytes(s), *ret_n);
	unseal_close(s);
	return e;
}

static void files_come_back(void **state)
{
	static const size_t sizes[] = {0, 1, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME, 200000};
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		size_t n, sealed_n;
		uint8_t *want = make_plain(sizes[i]);
		assert_err(seal_file(key, plain_path, sealed_path), OK);
		struct stat st;
		assert_int_equal(stat(sealed_path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_err(read_all(want, &n), OK);
		assert_int_equal(n, sizes[i]);
		uint8_t *sealed = read_file(sealed_path, &sealed_n);
		if (sizes[i] > 100)
			assert_null(memmem(sealed, sealed_n, want, 100));
		free(sealed);
		free(want);
	}
}

static void assert_refused(const uint8_t *want, const uint8_t *sealed, size_t n, size_t good_bytes)
{
	size_t got;
	write_file(sealed_path, sealed, n);
	assert_err(read_all(want, &got), ERR_IO);
	assert_true(got <= good_bytes);
}

/* Three frames, the last one short. */
static void pieces_make_the_same_file(void **state)
{
	static const size_t steps[] = {1000, 1, FRAME, 3 * FRAME + 7, 77777};
	const size_t n = 300000;
	uint8_t *want = make_plain(n);
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		struct seal_stream *s;
		size_t got, step = steps[i];
		assert_err(seal_open(key, sealed_path, &s), OK);
		for (size_t at = 0; at < n; at += step)
			assert_err(seal_write(s, want + at, n - at < step ? n - at : step), OK);
		assert_err(seal_commit(s), OK);
		assert_err(read_all(want, &got), OK);
		assert_int_equal(got, n);
		unlink(sealed_path);
		assert_err(seal_open(key, sealed_path, &s), OK);
		assert_err(seal_write(s, want, step), OK);
		assert_int_not_equal(access(sealed_path, F_OK), 0); /* not before it is whole */
		seal_abandon(s);
		assert_int_not_equal(access(sealed_path, F_OK), 0);
	}
	free(want);
}

static void changed_files_do_not(void **state)
{
	size_t n, plain_n = 2 * FRAME + 1000, got;
	uint8_t *want = make_plain(plain_n);
	assert_err(seal_file(key, plain_path, sealed_path), OK);
	uint8_t *sealed = read_file(sealed_path, &n), *copy = malloc(n + SEALED);
	assert_int_equal(n, plain_n + 3 * SEAL_OVERHEAD);
	for (size_t frame = 0; frame < 3; frame++) {
		size_t begin = frame * SEALED, end = frame == 2 ? n : begin + SEALED;
		const size_t at[] = {begin, begin + 11, begin + 12, begin + 500, end - 17, end - 16, end - 1};
		for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
			sealed[at[i]] ^= 0x80;
			assert_refused(want, sealed, n, frame * FRAME);
			sealed[at[i]] ^= 0x80;
		}
	}
	memcpy(copy, sealed, n); /* frames 0 and 1 change places */
	memcpy(copy, sealed + SEALED, SEALED);
	memcpy(copy + SEALED, sealed, SEALED);
	assert_refused(want, copy, n, 0);
	memcpy(copy, sealed, n); /* frame 0 twice */
	memcpy(copy + SEALED, sealed, SEALED);
	assert_refused(want, copy, n, FRAME);
	memcpy(copy, sealed + SEALED, n - SEALED); /* the first is gone */
	assert_refused(want, copy, n - SEALED, 0);
	memcpy(copy, sealed, n); /* one more at the end */
	memcpy(copy + n, sealed, SEALED);
	assert_refused(want, copy, n + SEALED, 2 * FRAME);
	const size_t cuts[] = {0,           1,           SEAL_OVERHEAD - 1, SEALED - 1, SEALED,
			       SEALED + 27, SEALED + 28, 2 * SEALED,        n - 1};
	for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++)
		assert_refused(want, sealed, cuts[i], cuts[i] < SEALED ? 0 : cuts[i] < 2 * SEALED ? FRAME : 2 * FRAME);
	write_file(sealed_path, sealed, n);
	assert_err(read_all(want, &got), OK);
	free(copy);
	free(sealed);
	free(want);
}

/* A blob is not a file of one frame, though both have the same form. */
static void a_blob_is_no_file(void **state)
{
	size_t n, got;
	const uint8_t *blob = seal(arena, key, "text", 4, &n);
	assert_refused((const uint8_t *)"text", blob, n, 0);
	free(make_plain(4));
	assert_err(seal_file(key, plain_path, sealed_path), OK);
	uint8_t *file = read_file(sealed_path, &n);
	assert_null(unseal(arena, key, file, n, &got));
	free(file);
}

static void missing_files(void **state)
{
	struct unseal_stream *s;
	unlink(sealed_path);
	assert_err(unseal_open(key, sealed_path, &s), ERR_NOT_FOUND);
	assert_err(unseal_open(key, dir, &s), ERR_IO);
	assert_err(seal_file(key, "/nonexistent/file", sealed_path), ERR_NOT_FOUND);
	free(make_plain(10));
	assert_err(seal_file(key, plain_path, "/nonexistent/file"), ERR_NOT_FOUND);
	unseal_close(NULL);
}

static int setup(void **state)
{
	arena = arena_new(LIMIT_ARENA_BYTES);
	make_directory(dir);
	snprintf(plain_path, sizeof plain_path, "%s/plain", dir);
	snprintf(sealed_path, sizeof sealed_path, "%s/sealed", dir);
	return 0;
}

static int teardown(void **state)
{
	arena_free(arena);
	unlink(plain_path);
	unlink(sealed_path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vectors),    cmocka_unit_test(blobs_come_back),
		cmocka_unit_test(changed_blobs_do_not), cmocka_unit_test(files_come_back),
		cmocka_unit_test(pieces_make_the_same_file),
		cmocka_unit_test(changed_files_do_not), cmocka_unit_test(a_blob_is_no_file),
		cmocka_unit_test(missing_files),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
