/* SPDX-License-Identifier: Apache-2.0
 * Proofs from tiles against the tree as RFC 6962 writes it down: every size up to some tiles' borders, each with proofs that hold, and that
 * do not once anything in them is changed. */
#include "fixture.h"

/* RFC 6962, section 2.1.1, word for word. */
static unsigned naive_path(uint64_t m, const uint8_t (*leaf)[SHA256_BYTES], uint64_t n, uint8_t (*out)[SHA256_BYTES])
{
	uint64_t k = 1;
	if (n == 1)
		return 0;
	while (k * 2 < n)
		k *= 2;
	unsigned count = m < k ? naive_path(m, leaf, k, out) : naive_path(m - k, leaf + k, n - k, out);
	naive_root(m < k ? leaf + k : leaf, m < k ? n - k : k, out[count]);
	return count + 1;
}

/* RFC 6962, section 2.1.2, word for word. */
static unsigned naive_subproof(uint64_t m, const uint8_t (*leaf)[SHA256_BYTES], uint64_t n, bool whole, uint8_t (*out)[SHA256_BYTES])
{
	uint64_t k = 1;
	if (m == n) {
		if (!whole)
			naive_root(leaf, n, out[0]);
		return whole ? 0 : 1;
	}
	while (k * 2 < n)
		k *= 2;
	unsigned count = m <= k ? naive_subproof(m, leaf, k, whole, out) : naive_subproof(m - k, leaf + k, n - k, false, out);
	naive_root(m <= k ? leaf + k : leaf, m <= k ? n - k : k, out[count]);
	return count + 1;
}

static void assert_proof(const struct merkle_proof *p, const struct merkle_proof *want)
{
	assert_int_equal(p->n, want->n);
	if (p->n > 0)
		assert_memory_equal(p->hash, want->hash, p->n * SHA256_BYTES);
}

static void check_inclusion(struct memlog *m, uint64_t index, const uint8_t root[SHA256_BYTES])
{
	struct tile_tree t = {.size = m->size, .read = memlog_hashes, .arg = m};
	struct merkle_proof p, want;
	m->reads = 0;
	assert_int_equal(tile_tree_inclusion(&t, index, &p), OK);
	assert_true(m->reads <= 2 * tile_levels(m->size));
	want.n = naive_path(index, (const void *)m->hash[0], m->size, want.hash);
	assert_proof(&p, &want);
	assert_true(merkle_check_inclusion(index, m->size, m->hash[0][index], &p, root));
	for (uint64_t other = index > 2 ? index - 2 : 0; other < index + 3; other++)
		assert_true(other == index || !merkle_check_inclusion(other, m->size, m->hash[0][index], &p, root));
	if (p.n == 0)
		return;
	p.hash[index % p.n][index % 32] ^= 1;
	assert_false(merkle_check_inclusion(index, m->size, m->hash[0][index], &p, root));
	p.hash[index % p.n][index % 32] ^= 1;
	p.n--;
	assert_false(merkle_check_inclusion(index, m->size, m->hash[0][index], &p, root));
	p.n += 2;
	memset(p.hash[p.n - 1], 0, SHA256_BYTES);
	assert_false(merkle_check_inclusion(index, m->size, m->hash[0][index], &p, root));
}

static void check_consistency(struct memlog *m, uint64_t old, const uint8_t root[SHA256_BYTES])
{
	struct tile_tree t = {.size = m->size, .read = memlog_hashes, .arg = m};
	struct merkle_proof p, want = {0};
	uint8_t was[SHA256_BYTES], at[SHA256_BYTES];
	naive_root((const void *)m->hash[0], old, was);
	m->reads = 0;
	assert_int_equal(tile_tree_root_at(&t, old, at), OK);
	assert_memory_equal(at, was, sizeof at);
	assert_int_equal(tile_tree_consistency(&t, old, &p), OK);
	assert_true(m->reads <= 4 * tile_levels(m->size));
	if (old > 0)
		want.n = naive_subproof(old, (const void *)m->hash[0], m->size, true, want.hash);
	assert_proof(&p, &want);
	assert_true(merkle_check_consistency(old, was, m->size, root, &p));
	assert_false(merkle_check_consistency(old + 1, was, m->size, root, &p));
	assert_true(old == m->size || !merkle_check_consistency(old, root, m->size, was, &p));
	for (unsigned i = 0; i < p.n; i++) {
		p.hash[i][old % 32] ^= 0x10;
		assert_false(merkle_check_consistency(old, was, m->size, root, &p));
		p.hash[i][old % 32] ^= 0x10;
	}
	memset(p.hash[p.n++], 0, SHA256_BYTES);
	assert_false(merkle_check_consistency(old, was, m->size, root, &p));
	p.n -= p.n > 1 ? 2 : 1;
	assert_true(want.n == 0 || !merkle_check_consistency(old, was, m->size, root, &p));
}

/* The log of `all` entries as it was at a size. */
static void check_size(struct memlog *m, uint64_t size, uint64_t step)
{
	uint8_t root[SHA256_BYTES], from_tiles[SHA256_BYTES];
	uint64_t all = m->size;
	m->size = size;
	struct tile_tree t = {.size = size, .read = memlog_hashes, .arg = m};
	naive_root((const void *)m->hash[0], size, root);
	assert_int_equal(tile_tree_root(&t, from_tiles), OK);
	assert_memory_equal(root, from_tiles, sizeof root);
	for (uint64_t i = 0; i < size; i += 1 + i % step)
		check_inclusion(m, i, root);
	if (size > 0)
		check_inclusion(m, size - 1, root);
	for (uint64_t old = 0; old <= size; old += 1 + old % step)
		check_consistency(m, old, root);
	check_consistency(m, size, root);
	m->size = all;
}

static void small_sizes(void **state)
{
	struct fixture *f = *state;
	struct memlog m;
	memlog_init(&m, f->arena, 1100);
	for (uint64_t size = 0; size <= 40; size++)
		check_size(&m, size, 1);
	for (uint64_t size = 41; size <= 1100; size += size % 256 > 253 || size % 256 < 3 ? 1 : 41)
		check_size(&m, size, 150);
	memlog_free(&m);
}

static void every_root(void **state)
{
	struct fixture *f = *state;
	struct memlog m;
	struct merkle_range r = {0};
	uint8_t a[SHA256_BYTES], b[SHA256_BYTES], c[SHA256_BYTES];
	memlog_init(&m, f->arena, 1100);
	for (uint64_t size = 0; size <= 1100; size++) {
		struct tile_tree t = {.size = size, .read = memlog_hashes, .arg = &m};
		uint64_t all = m.size;
		m.size = size;
		assert_int_equal(tile_tree_root(&t, a), OK);
		m.size = all;
		merkle_root(&r, b);
		naive_root((const void *)m.hash[0], size, c);
		assert_memory_equal(a, b, sizeof a);
		assert_memory_equal(a, c, sizeof a);
		if (size < 1100)
			merkle_append(&r, m.hash[0][size]);
	}
	memlog_free(&m);
}

static void around_three_levels(void **state)
{
	static const uint64_t sizes[] = {65536, 65793};
	struct fixture *f = *state;
	struct memlog m;
	memlog_init(&m, f->arena, 66000);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		check_size(&m, sizes[i], 70000);
	memlog_free(&m);
}

static enum err no_tile(void *arg, const struct tile *t, const uint8_t (**ret)[SHA256_BYTES])
{
	return ERR_IO;
}

static void refusals(void **state)
{
	struct tile_tree t = {.size = 10, .read = no_tile};
	struct merkle_proof p;
	uint8_t root[SHA256_BYTES];
	assert_int_equal(tile_tree_root(&t, root), ERR_IO);
	assert_int_equal(tile_tree_inclusion(&t, 3, &p), ERR_IO);
	assert_int_equal(tile_tree_inclusion(&t, 10, &p), ERR_NOT_FOUND);
	assert_int_equal(tile_tree_consistency(&t, 11, &p), ERR_NOT_FOUND);
	assert_int_equal(tile_tree_root_at(&t, 11, root), ERR_NOT_FOUND);
	p.n = MERKLE_PROOF_MAX + 1;
	assert_false(merkle_check_inclusion(0, UINT64_MAX, root, &p, root));
	assert_false(merkle_check_consistency(3, root, UINT64_MAX, root, &p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(small_sizes, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(every_root, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(around_three_levels, fixture_setup, fixture_teardown),
		cmocka_unit_test(refusals),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
