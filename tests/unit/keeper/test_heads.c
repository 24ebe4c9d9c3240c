/* SPDX-License-Identifier: Apache-2.0
 * I3: for one log and size, one root is ever signed.  The published signed vectors, growth in steps, reopening, torn
 * and damaged files, conflicts, batches, and rewriting the file. */
#include "fixture.h"

#include <pthread.h>

#include "crypto/newfile.h"
#include "keeper/vault/headfile.h"

#define ORIGIN "example.com/audit"

static const char checkpoint_0[] =
	ORIGIN "\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n"
	       "\u2014 " ORIGIN
	       " Kbh7/ED+/RTmyNsFG2cRwzZiYaQvx3YioNlkgndJTb7s3/r+dOtMgWGu+L0eNRqBNJktBJpHbPXe5NNIBus0HoDn7wQ=\n";
static const char checkpoint_6[] =
	ORIGIN "\n6\nduZ9rbzfHhDht03cYIq9L5jfsW+851J3tSMqEn8gh+8=\n\n"
	       "\u2014 " ORIGIN
	       " Kbh7/HO9/cNAM47sY4LFx716RPXAI12O7zTSkTHC4s4hITNV3bNa/Z78R+h2DB4s20ikbvom+n9k1E9r0+b+xddItQs=\n";
static const char checkpoint_8[] =
	ORIGIN "\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n\n"
	       "\u2014 " ORIGIN
	       " Kbh7/MMDZzUK+Vn5aeiirlU7DkzTjY8Q014NWv4lp/DhLnxVQP9jgD8Wxf7HAzHwZgfJfgl/Sxj8AshRwfohrAwzAw0=\n";

/* The leaf hashes of the published eight-leaf tree. */
static void eight_leaves(uint8_t out[8][SHA256_BYTES])
{
	static const struct {
		const char *p;
		size_t n;
	} entry[] = {{"", 0},   {"\0", 1},   {"\x10", 1},     {"\x20\x21", 2},
		     {"01", 2}, {"@ABC", 4}, {"PQRSTUVW", 8}, {"`abcdefghijklmno", 16}};
	for (int i = 0; i < 8; i++)
		merkle_leaf_hash(entry[i].p, entry[i].n, out[i]);
}

/* Gives the keeper the key of the vectors. */
static void use_vector_key(struct fixture *f)
{
	uint8_t seed[KEEPER_KEY_BYTES];
	for (int i = 0; i < KEEPER_KEY_BYTES; i++)
		seed[i] = (uint8_t)i;
	assert_err(vault_key_write(f->k->vault->dir, "signing.key", seed), OK);
	fixture_close(f);
	fixture_open(f);
}

static void signed_vectors(void **state)
{
	struct fixture *f = *state;
	uint8_t leaf[8][SHA256_BYTES];
	char *note;
	eight_leaves(leaf);
	use_vector_key(f);
	assert_string_equal(keeper_vkey(f->k, f->arena, ORIGIN),
			    ORIGIN "+29b87bfc+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4");
	assert_err(keeper_sign_head(f->k, &f->s, ORIGIN, 0, NULL, 0, &note), OK);
	assert_string_equal(note, checkpoint_0);
	assert_err(keeper_sign_head(f->k, &f->s, ORIGIN, 0, leaf, 6, &note), OK);
	assert_string_equal(note, checkpoint_6);
	assert_err(keeper_sign_head(f->k, &f->s, ORIGIN, 6, leaf + 6, 2, &note), OK);
	assert_string_equal(note, checkpoint_8);
}

static void survives_reopening(void **state)
{
	struct fixture *f = *state;
	uint8_t leaf[8][SHA256_BYTES], root[SHA256_BYTES];
	uint64_t size;
	char *note;
	eight_leaves(leaf);
	use_vector_key(f);
	for (int i = 0; i < 8; i++) { /* every size, each in a new process's eyes */
		assert_err(keeper_sign_head(f->k, &f->s, ORIGIN, (uint64_t)i, leaf + i, 1, &note), OK);
		if (i == 5)
			assert_string_equal(note, checkpoint_6);
		fixture_close(f);
		fixture_open(f);
		assert_null(keeper_cut(f->k));
		assert_err(keeper_head(f->k, &f->s, ORIGIN, &size, root), OK);
		assert_int_equal(size, i + 1);
	}
	assert_err(keeper_sign_head(f->k, &f->s, ORIGIN, 8, NULL, 0, &note), OK);
	assert_string_equal(note, checkpoint_8);
}

static void signs_again_only_what_it_signed(void **state)
{
	struct fixture *f = *state;
	uint8_t leaf[8][SHA256_BYTES], root[SHA256_BYTES];
	char *first, *again;
	uint64_t size;
	size_t before, after;
	eight_leaves(leaf);
	assert_err(keeper_head(f->k, &f->s, ORIGIN, &size, root), ERR_NOT_FOUND);
	fixture_scope(f);
	assert_err(keeper_sign_head(f->k, &f->s, ORIGIN, 0, leaf, 5, &first), OK);
	free(fixture_slurp(fixture_path(f, "heads"), &before));
	assert_err(keeper_sign_head(f->k, &f->s, ORIGIN, 5, NULL, 0, &again), OK);
	free(fixture_slurp(fixture_path(f, "heads"), &after));
	assert_string_equal(first, again);
	assert_int_equal(before, after);
	again = NULL;
	assert_err(keeper_sign_head(f->k, &f->s, ORIGIN, 4, leaf + 4, 2, &again), ERR_CONFLICT);
	assert_says(&f->s, "signed at size 5, not 4");
	assert_null(again);
	assert_err(keeper_sign_head(f->k, &f->s, ORIGIN, 0, NULL, 0, &again), ERR_CONFLICT);
	assert_err(keeper_sign_head(f->k, &f->s, ORIGIN, 6, leaf, 1, &again), ERR_CONFLICT);
	assert_err(keeper_head(f->k, &f->s, ORIGIN, &size, root), OK);
	assert_int_equal(size, 5);
}

static void refuses_bad_origins(void **state)
{
	struct fixture *f = *state;
	uint8_t leaf[8][SHA256_BYTES];
	char long_name[NOTE_NAME_MAX + 2], *note;
	eight_leaves(leaf);
	memset(long_name, 'a', sizeof long_name - 1);
	long_name[sizeof long_name - 1] = '\0';
	const char *const bad[] = {"", "a b", "a+b", "a\nb", "a\x7f", "caf\u00e9", long_name, NULL};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_err(keeper_sign_head(f->k, &f->s, bad[i], 0, leaf, 1, &note), ERR_BAD_REQUEST);
	assert_err(keeper_sign_head(f->k, &f->s, long_name + 1, 0, leaf, 1, &note), OK);
}

/* Two growths of one log in one batch follow each other; a conflict of one log stops no other. */
static void batches(void **state)
{
	struct fixture *f = *state;
	uint8_t leaf[8][SHA256_BYTES];
	eight_leaves(leaf);
	use_vector_key(f);
	struct keeper_growth g[] = {
		{.origin = ORIGIN, .old_size = 0, .leaf_hashes = leaf, .n = 6},
		{.origin = "other", .old_size = 0, .leaf_hashes = leaf, .n = 3},
		{.origin = "wrong", .old_size = 1, .leaf_hashes = leaf, .n = 3},
		{.origin = ORIGIN, .old_size = 0, .leaf_hashes = leaf + 1, .n = 6},
		{.origin = ORIGIN, .old_size = 6, .leaf_hashes = leaf + 6, .n = 2},
	};
	assert_err(keeper_sign_heads(f->k, &f->s, g, 5), OK);
	assert_string_equal(g[0].checkpoint, checkpoint_6);
	assert_err(g[1].err, OK);
	assert_non_null(g[1].checkpoint);
	assert_err(g[2].err, ERR_CONFLICT);
	assert_null(g[2].checkpoint);
	assert_err(g[3].err, ERR_CONFLICT);
	assert_string_equal(g[4].checkpoint, checkpoint_8);
	fixture_close(f);
	fixture_open(f);
	uint64_t size;
	uint8_t root[SHA256_BYTES];
	assert_err(keeper_head(f->k, &f->s, ORIGIN, &size, root), OK);
	assert_int_equal(size, 8);
	assert_err(keeper_head(f->k, &f->s, "other", &size, root), OK);
	assert_int_equal(size, 3);
	assert_err(keeper_head(f->k, &f->s, "wrong", &size, root), ERR_NOT_FOUND);
	assert_err(keeper_sign_heads(f->k, &f->s, NULL, 0), OK);
}

/* Three heads of one log, in three batches; returns where each batch begins, and the end. */
static char *three_batches(struct fixture *f, size_t begin[4])
{
	uint8_t leaf[8][SHA256_BYTES];
	char *note, *bytes = NULL;
	eight_leaves(leaf);
	begin[0] = 0;
	for (int i = 0; i < 3; i++) {
		assert_err(keeper_sign_head(f->k, &f->s, ORIGIN, (uint64_t)i, leaf + i, 1, &note), OK);
		free(bytes);
		bytes = fixture_slurp(fixture_path(f, "heads"), &begin[i + 1]);
	}
	fixture_close(f);
	return bytes;
}

static uint64_t size_now(struct fixture *f)
{
	uint64_t size;
	uint8_t root[SHA256_BYTES];
	fixture_open(f);
	assert_err(keeper_head(f->k, &f->s, ORIGIN, &size, root), OK);
	return size;
}

/* Wherever the last write was cut, the head before it is there, and growing goes on. */
static void cuts_a_torn_batch(void **state)
{
	struct fixture *f = *state;
	size_t begin[4], n;
	char *path = strdup(fixture_path(f, "heads")), *bytes = three_batches(f, begin), *note;
	for (size_t at = begin[2]; at <= begin[3]; at++) {
		fixture_dump(path, bytes, at);
		assert_int_equal(size_now(f), at == begin[3] ? 3 : 2);
		if (at == begin[2] || at == begin[3])
			assert_null(keeper_cut(f->k));
		else
			assert_non_null(strstr(keeper_cut(f->k), "heads="));
		uint8_t leaf[8][SHA256_BYTES];
		eight_leaves(leaf);
		if (at < begin[3])
			assert_err(keeper_sign_head(f->k, &f->s, ORIGIN, 2, leaf + 2, 1, &note), OK);
		fixture_close(f);
		char *now = fixture_slurp(path, &n);
		assert_int_equal(n, begin[3]);
		assert_memory_equal(now, bytes, n); /* nothing of the torn batch is left */
		free(now);
	}
	free(bytes);
	free(path);
}

static void cuts_a_hole_at_the_end(void **state)
{
	struct fixture *f = *state;
	size_t begin[4];
	char *path = strdup(fixture_path(f, "heads")), *bytes = three_batches(f, begin);
	memset(bytes + begin[2], 0, begin[3] - begin[2]);
	fixture_dump(path, bytes, begin[3]);
	assert_int_equal(size_now(f), 2);
	free(bytes);
	free(path);
}

/* One changed bit anywhere before the last batch, and the keeper does not open. */
static void refuses_damage_in_the_middle(void **state)
{
	struct fixture *f = *state;
	size_t begin[4];
	char *path = strdup(fixture_path(f, "heads")), *bytes = three_batches(f, begin);
	for (size_t at = 0; at < begin[2]; at++) {
		bytes[at] ^= (char)(1 << at % 8);
		fixture_dump(path, bytes, begin[3]);
		fixture_refused(f, ERR_CONFIG, "heads is damaged");
		bytes[at] ^= (char)(1 << at % 8);
	}
	fixture_dump(path, bytes, begin[3]);
	assert_int_equal(size_now(f), 3);
	free(bytes);
	free(path);
}

/* An older batch put behind a newer one has a right checksum, and is refused all the same. */
static void refuses_a_head_that_shrinks(void **state)
{
	struct fixture *f = *state;
	size_t begin[4];
	char *path = strdup(fixture_path(f, "heads")), *bytes = three_batches(f, begin);
	char *more = malloc(begin[3] + begin[1]);
	memcpy(more, bytes, begin[3]);
	memcpy(more + begin[3], bytes, begin[1]);
	fixture_dump(path, more, begin[3] + begin[1]);
	fixture_refused(f, ERR_CONFIG, "heads is damaged");
	free(more);
	free(bytes);
	free(path);
}

/* Many logs and many heads of each: the file is rewritten when most of it is past, while it serves and at open, and
 * says the same. */
static void rewrites_a_long_file(void **state)
{
	enum { LOGS = 500, ROUNDS = 100 };
	struct fixture *f = *state;
	struct keeper_growth *g = calloc(LOGS, sizeof *g);
	char (*name)[16] = calloc(LOGS, sizeof *name);
	uint8_t leaf[8][SHA256_BYTES], want[SHA256_BYTES], root[SHA256_BYTES];
	size_t longest = 0, n;
	uint64_t size;
	eight_leaves(leaf);
	for (uint64_t round = 0; round < ROUNDS; round++) {
		fixture_scope(f);
		for (int i = 0; i < LOGS; i++) {
			snprintf(name[i], sizeof name[i], "log/%d", i);
			g[i] = (struct keeper_growth){
				.origin = name[i], .old_size = round * 3, .leaf_hashes = leaf, .n = 3};
		}
		assert_err(keeper_sign_heads(f->k, &f->s, g, LOGS), OK);
		struct stat st;
		assert_int_equal(stat(fixture_path(f, "heads"), &st), 0);
		n = (size_t)st.st_size;
		longest = n > longest ? n : longest;
	}
	assert_true(n < longest); /* it was rewritten at least once */
	assert_true(longest < 6u * MIB);
	assert_err(keeper_head(f->k, &f->s, "log/77", &size, want), OK);
	fixture_close(f);
	fixture_open(f);
	assert_err(keeper_head(f->k, &f->s, "log/77", &size, root), OK);
	assert_int_equal(size, ROUNDS * 3);
	assert_memory_equal(root, want, sizeof root);
	free(name);
	free(g);
}

/* The caller's own tree must come to the same root, or nothing is signed. */
static void refuses_another_root(void **state)
{
	struct fixture *f = *state;
	uint8_t leaf[8][SHA256_BYTES], root[SHA256_BYTES], wrong[SHA256_BYTES] = {1};
	struct merkle_range range = {0};
	uint64_t size;
	eight_leaves(leaf);
	for (int i = 0; i < 5; i++)
		merkle_append(&range, leaf[i]);
	merkle_root(&range, root);
	struct keeper_growth g[] = {{.origin = ORIGIN, .leaf_hashes = leaf, .n = 5, .root = wrong},
				    {.origin = "log/two", .leaf_hashes = leaf, .n = 5, .root = root}};
	assert_err(keeper_sign_heads(f->k, &f->s, g, 2), OK);
	assert_err(g[0].err, ERR_CONFLICT);
	assert_null(g[0].checkpoint);
	assert_says(&f->s, "root at size 5 differs");
	assert_err(g[1].err, OK);
	f->s.detail = NULL;
	assert_err(keeper_head(f->k, &f->s, ORIGIN, &size, root), ERR_NOT_FOUND);
	f->s.detail = NULL;
	merkle_root(&range, root);
	g[0].root = root;
	assert_err(keeper_sign_heads(f->k, &f->s, g, 1), OK);
	assert_err(g[0].err, OK);
}

struct found {
	int n;
	uint64_t sizes;
};

static void count_head(void *arg, const char *origin, uint64_t size, const uint8_t root[SHA256_BYTES])
{
	struct found *found = arg;
	found->n++;
	found->sizes += size;
	assert_true(strncmp(origin, "log/", 4) == 0);
}

/* All that were ever signed and no other, over a reopening. */
static void lists_every_log(void **state)
{
	enum { LOGS = 200 };
	struct fixture *f = *state;
	uint8_t leaf[8][SHA256_BYTES];
	char *note;
	struct found found = {0};
	eight_leaves(leaf);
	for (int i = 0; i < LOGS; i++)
		assert_err(keeper_sign_head(f->k, &f->s, arena_printf(f->arena, "log/%d", i), 0, leaf, (size_t)i % 8 + 1, &note), OK);
	assert_err(keeper_sign_head(f->k, &f->s, "refused", 3, leaf, 1, &note), ERR_CONFLICT);
	fixture_close(f);
	fixture_open(f);
	keeper_heads_each(f->k, count_head, &found);
	assert_int_equal(found.n, LOGS);
	assert_int_equal(found.sizes, LOGS / 8 * (1 + 2 + 3 + 4 + 5 + 6 + 7 + 8));
}

/* The same at every start; another for a copy. */
static void knows_its_place(void **state)
{
	struct fixture *f = *state;
	uint8_t one[SHA256_BYTES], two[SHA256_BYTES];
	keeper_place(f->k, one);
	fixture_close(f);
	fixture_open(f);
	keeper_place(f->k, two);
	assert_memory_equal(one, two, sizeof one);
	fixture_close(f);
	assert_int_equal(system(arena_printf(f->arena, "cd %s && cp -a keeper copy && rm -r keeper && cp -a copy keeper", f->base)), 0);
	fixture_open(f);
	keeper_place(f->k, two);
	assert_memory_not_equal(one, two, sizeof one);
}

enum { THREADS = 4, TRIES = 100 };

struct contender {
	struct fixture *f;
	uint8_t leaf[1][SHA256_BYTES];
	bool signed_size[THREADS * TRIES + 1];
	int conflicts;
};

/* Grows the log by its own leaf whenever it has seen the newest size. */
static void *contend(void *arg)
{
	struct contender *c = arg;
	struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
	for (int i = 0; i < TRIES; i++) {
		struct scope s;
		uint64_t size = 0;
		uint8_t root[SHA256_BYTES];
		char *note;
		scope_system(&s, arena, NULL, c->f->k);
		if (keeper_head(c->f->k, &s, ORIGIN, &size, root) == ERR_NOT_FOUND)
			size = 0;
		s.detail = NULL;
		enum err e = keeper_sign_head(c->f->k, &s, ORIGIN, size, c->leaf, 1, &note);
		if (e == OK)
			c->signed_size[size + 1] = true;
		c->conflicts += e == ERR_CONFLICT;
		arena_reset(arena);
	}
	arena_free(arena);
	return NULL;
}

/* Several threads want the same log to grow differently: each size is signed for one of them. */
static void one_root_for_a_size(void **state)
{
	struct fixture *f = *state;
	struct contender *c = calloc(THREADS, sizeof *c);
	pthread_t thread[THREADS];
	int conflicts = 0, sizes = 0;
	for (int i = 0; i < THREADS; i++) {
		c[i].f = f;
		c[i].leaf[0][0] = (uint8_t)i;
		assert_int_equal(pthread_create(&thread[i], NULL, contend, &c[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(thread[i], NULL), 0);
		conflicts += c[i].conflicts;
	}
	for (int size = 1; size <= THREADS * TRIES; size++) {
		int times = 0;
		for (int i = 0; i < THREADS; i++)
			times += c[i].signed_size[size];
		assert_true(times <= 1);
		sizes += times;
	}
	assert_int_equal(sizes + conflicts, THREADS * TRIES);
	free(c);
	fixture_close(f);
	assert_int_equal(size_now(f), sizes);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(signed_vectors),
		CASE(survives_reopening),
		CASE(signs_again_only_what_it_signed),
		CASE(refuses_bad_origins),
		CASE(batches),
		CASE(cuts_a_torn_batch),
		CASE(cuts_a_hole_at_the_end),
		CASE(refuses_damage_in_the_middle),
		CASE(refuses_a_head_that_shrinks),
		CASE(rewrites_a_long_file),
		CASE(refuses_another_root),
		CASE(lists_every_log),
		CASE(knows_its_place),
		CASE(one_root_for_a_size),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
