/* SPDX-License-Identifier: Apache-2.0
 * The check of a whole log: good logs of all shapes pass, each file of it being read; one wrong byte anywhere is found and placed. */
#include "fixture.h"

struct heard {
	uint64_t next, done;
	const struct memlog *m;
};

static enum err hear(void *arg, struct scope *s, uint64_t index, const uint8_t (*commitments)[SHA256_BYTES], unsigned n)
{
	struct heard *h = arg;
	const struct memlog *m = h->m;
	assert_true(index >= h->next && index % TILE_WIDTH == 0 && index + n <= m->size);
	assert_memory_equal(commitments, m->commitment[index], (size_t)n * SHA256_BYTES);
	h->next = index + n;
	h->done += n;
	return OK;
}

static struct heard heard;

static enum err entries(void *arg, struct scope *s, uint64_t index, const uint8_t (*commitments)[SHA256_BYTES], unsigned n)
{
	return hear(&heard, s, index, commitments, n);
}

static enum err run(struct fixture *f, struct memlog *m, const struct log_head *before, struct log_report *r)
{
	struct log_source src = {.read = memlog_read, .arg = m, .entries = entries, .first_bundle = m->first, .end_bundle = m->end};
	struct note_key key = memlog_key(m);
	heard = (struct heard){.m = m};
	m->reads = 0;
	f->s.detail = NULL;
	enum err e = log_check(&f->s, &src, &key, 1, before, r);
	assert_true((e == OK) == (f->s.detail == NULL));
	assert_true(e != ERR_CONFLICT || r->bad_path != NULL);
	return e;
}

/* The log of m as it was at a size. */
static struct log_head head_at(const struct memlog *m, uint64_t size)
{
	struct log_head h = {.size = size};
	naive_root((const void *)m->hash[0], size, h.root);
	return h;
}

static const uint64_t shapes[] = {0, 1, 2, 255, 256, 257, 600, 1024, 65536, 65793};

static void good_logs(void **state)
{
	struct fixture *f = *state;
	for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
		struct memlog m;
		struct log_report r;
		uint64_t tiles = 0, bundles = (shapes[i] + 255) / 256;
		fixture_clear(f);
		memlog_init(&m, f->arena, shapes[i]);
		for (unsigned l = 0; l < 3; l++)
			tiles += ((shapes[i] >> (8 * l)) + 255) / 256;
		for (uint64_t old = 0; old <= shapes[i]; old += 1 + shapes[i] / (shapes[i] > 2000 ? 2 : 7)) {
			struct log_head before = head_at(&m, old);
			assert_int_equal(run(f, &m, &before, &r), OK);
		}
		assert_int_equal(run(f, &m, NULL, &r), OK);
		assert_int_equal(r.tiles, tiles);
		assert_int_equal(r.bundles, bundles);
		assert_int_equal(heard.done, shapes[i]);
		assert_int_equal(m.reads, 1 + tiles + bundles);
		assert_string_equal(r.note, m.checkpoint);
		assert_string_equal(r.head.origin, MEMLOG_ORIGIN);
		memlog_free(&m);
	}
}

/* A partial file is gone once there is the full one. */
static void partial_tiles_are_gone(void **state)
{
	struct fixture *f = *state;
	struct memlog m;
	struct log_report r;
	memlog_init(&m, f->arena, 1024);
	m.size = 700;
	memlog_sign(&m, f->arena);
	assert_int_equal(run(f, &m, NULL, &r), OK);
	m.no_partial = true;
	assert_int_equal(run(f, &m, NULL, &r), ERR_CONFLICT); /* level 1 is not full */
	assert_string_equal(r.bad_path, "tile/1/000.p/2");
	memlog_free(&m);
	memlog_init(&m, f->arena, 65536);
	m.size = 60000;
	memlog_sign(&m, f->arena);
	m.no_partial = true;
	assert_int_equal(run(f, &m, NULL, &r), OK);
	memlog_free(&m);
}

/* Every file of a log of 66,000 with one bit of one of its values turned: found, in that file, at that entry. */
static void turn_bit(struct fixture *f, struct memlog *m, struct tile t, unsigned at, bool exact)
{
	char path[TILE_PATH_MAX];
	struct log_report r;
	auto_buf bytes;
	uint64_t span = (uint64_t)1 << (8 * t.level), first = (t.index * TILE_WIDTH + at) * span;
	size_t each = t.entries ? 2 + ENTRY_BYTES : SHA256_BYTES;
	fixture_clear(f);
	memlog_sign(m, f->arena);
	buf_init(&bytes, BUNDLE_BYTES);
	tile_path(&t, path);
	assert_true(memlog_tile(m, &t, &bytes));
	bytes.data[at * each + at % each] ^= 4;
	m->path = path;
	m->bytes = bytes.data;
	m->len = bytes.len;
	assert_int_equal(run(f, m, NULL, &r), ERR_CONFLICT);
	assert_string_equal(r.bad_path, path);
	assert_true(r.has_bad_index && r.bad_index <= first && first < r.bad_end);
	assert_true(!exact || (r.bad_index == first && r.bad_end == first + span));
	m->len--;
	assert_int_equal(run(f, m, NULL, &r), ERR_CONFLICT);
	assert_string_equal(r.bad_path, path);
	m->bytes = NULL;
	m->len = 0;
	assert_int_equal(run(f, m, NULL, &r), ERR_CONFLICT);
	assert_string_equal(r.bad_path, path);
	m->path = NULL;
	buf_release(&bytes);
}

static void one_bit(void **state)
{
	struct fixture *f = *state;
	struct memlog m;
	memlog_init(&m, f->arena, 66000);
	for (unsigned level = 0; level <= TILE_LEVELS; level++)
		for (uint64_t index = 0;; index += 1 + (index > 0 && index < 250 ? 80 : 0)) {
			struct tile t = {.level = level % TILE_LEVELS, .index = index, .entries = level == TILE_LEVELS};
			t.width = tile_width(m.size, t.level, index);
			if (t.width == 0)
				break;
			turn_bit(f, &m, t, (unsigned)(index * 7 % t.width), true);
		}
	memlog_free(&m);
}

/* A row of the database changed by hand: bundle and tile 0 are made from it, so both tell the same wrong thing. */
static void changed_row(void **state)
{
	struct fixture *f = *state;
	static const uint64_t rows[] = {0, 300, 65535, 65536, 65900};
	struct memlog m;
	struct log_report r;
	memlog_init(&m, f->arena, 66000);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t was[SHA256_BYTES], leaf[SHA256_BYTES];
		memcpy(was, m.commitment[rows[i]], sizeof was);
		memcpy(leaf, m.hash[0][rows[i]], sizeof leaf);
		m.commitment[rows[i]][9] ^= 1;
		entry_hashes((const void *)(m.commitment + rows[i]), 1, m.hash[0] + rows[i]);
		assert_int_equal(run(f, &m, NULL, &r), ERR_CONFLICT);
		if (rows[i] >= 65792) /* under the edge of level 0 there is nothing that was signed but the root */
			assert_string_equal(r.bad_path, "checkpoint");
		else
			assert_true(r.has_bad_index && r.bad_index <= rows[i] && rows[i] < r.bad_end);
		memcpy(m.commitment[rows[i]], was, sizeof was);
		memcpy(m.hash[0][rows[i]], leaf, sizeof leaf);
	}
	/* … and the rows above made anew: nothing fits the signed root. */
	m.commitment[300][0] ^= 1;
	memlog_build(&m);
	assert_int_equal(run(f, &m, NULL, &r), ERR_CONFLICT);
	assert_string_equal(r.bad_path, "checkpoint");
	memlog_free(&m);
}

/* Entries swapped, dropped, doubled in a bundle. */
static void moved_entries(void **state)
{
	struct fixture *f = *state;
	enum { EACH = 2 + ENTRY_BYTES };
	struct memlog m;
	struct log_report r;
	char bytes[BUNDLE_BYTES + EACH], was[BUNDLE_BYTES];
	struct tile t = {.entries = true, .index = 1, .width = 256};
	auto_buf b;
	buf_init(&b, sizeof bytes);
	memlog_init(&m, f->arena, 600);
	memlog_tile(&m, &t, &b);
	memcpy(was, b.data, sizeof was);
	m.path = "tile/entries/001";
	m.bytes = bytes;
	for (unsigned how = 0; how < 4; how++) {
		memcpy(bytes, was, sizeof was);
		m.len = sizeof was;
		if (how == 0) { /* swap 20 and 21 */
			memcpy(bytes + 20 * EACH, was + 21 * EACH, EACH);
			memcpy(bytes + 21 * EACH, was + 20 * EACH, EACH);
		} else if (how == 1) { /* drop 20 */
			memmove(bytes + 20 * EACH, was + 21 * EACH, sizeof was - 21 * EACH);
			m.len -= EACH;
		} else if (how == 2) { /* 19 once more */
			memcpy(bytes + 20 * EACH, was + 19 * EACH, sizeof was - 19 * EACH);
			m.len += EACH;
		} else { /* another version of the format */
			bytes[20 * EACH + 2] = 2;
		}
		assert_int_equal(run(f, &m, NULL, &r), ERR_CONFLICT);
		assert_string_equal(r.bad_path, m.path);
		assert_true(r.has_bad_index && r.bad_index == 276 && r.bad_end == 277);
		fixture_clear(f);
		memlog_sign(&m, f->arena);
	}
	memcpy(bytes, was, sizeof was); /* more behind it */
	m.len = sizeof was + EACH;
	assert_int_equal(run(f, &m, NULL, &r), ERR_CONFLICT);
	memlog_free(&m);
}

static void heads(void **state)
{
	struct fixture *f = *state;
	struct memlog m;
	struct log_report r;
	memlog_init(&m, f->arena, 600);
	struct log_head now = head_at(&m, 600), before = head_at(&m, 300), longer = {.size = 601};
	before.root[3] ^= 1;
	assert_int_equal(run(f, &m, &before, &r), ERR_CONFLICT);
	assert_string_equal(r.bad_path, "checkpoint");
	assert_int_equal(run(f, &m, &longer, &r), ERR_CONFLICT);
	assert_true(r.has_bad_index && r.bad_index == 600);
	assert_int_equal(run(f, &m, &now, &r), OK);
	now.root[0] ^= 1;
	assert_int_equal(run(f, &m, &now, &r), ERR_CONFLICT);
	/* A history written anew by who has the key: in itself good, but not what was seen. */
	before = head_at(&m, 300);
	m.commitment[100][0] ^= 1;
	memlog_build(&m);
	memlog_sign(&m, f->arena);
	assert_int_equal(run(f, &m, NULL, &r), OK);
	assert_int_equal(run(f, &m, &before, &r), ERR_CONFLICT);
	memlog_free(&m);
}

static void checkpoints(void **state)
{
	struct fixture *f = *state;
	struct memlog m;
	struct log_report r;
	memlog_init(&m, f->arena, 600);
	char *good = m.checkpoint, *other = arena_strdup(f->arena, good);
	uint8_t root[SHA256_BYTES] = {0};
	other[strlen(MEMLOG_ORIGIN) + 1] = '5'; /* 500 */
	const char *const bad[] = {
		other, "", "nothing signed\n", note_sign(f->arena, &m.signer, MEMLOG_ORIGIN, "no checkpoint\n"),
		note_checkpoint(f->arena, &m.signer, "example.com/log/2", 600, root),
		note_sign(f->arena, &m.signer, MEMLOG_ORIGIN, "example.com/log/2\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"),
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		m.checkpoint = (char *)bad[i];
		assert_int_equal(run(f, &m, NULL, &r), ERR_CONFLICT);
		assert_string_equal(r.bad_path, "checkpoint");
		assert_int_equal(m.reads, 1);
	}
	m.path = "checkpoint";
	assert_int_equal(run(f, &m, NULL, &r), ERR_CONFLICT);
	memlog_free(&m);
}

static void archive_of_a_period(void **state)
{
	struct fixture *f = *state;
	struct memlog m;
	struct log_report r;
	memlog_init(&m, f->arena, 66000);
	struct log_head even = head_at(&m, 512), odd = head_at(&m, 500), inside = head_at(&m, 2600);
	m.first = 10;
	m.end = 20;
	assert_int_equal(run(f, &m, NULL, &r), OK);
	assert_int_equal(r.bundles, 10);
	assert_int_equal(heard.done, 2560);
	assert_int_equal(run(f, &m, &even, &r), OK);
	assert_int_equal(run(f, &m, &inside, &r), OK);
	assert_int_equal(run(f, &m, &odd, &r), ERR_NOT_FOUND);
	m.path = "tile/entries/012";
	assert_int_equal(run(f, &m, NULL, &r), ERR_CONFLICT);
	assert_string_equal(r.bad_path, m.path);
	m.path = "tile/entries/020";
	assert_int_equal(run(f, &m, NULL, &r), OK);
	memlog_free(&m);
}

static enum err broken(void *arg, struct scope *s, const char *path, struct buf *ret)
{
	struct memlog *m = arg;
	return ++m->len == 5 ? scope_fail(s, ERR_IO, "cannot read") : memlog_read(arg, s, path, ret);
}

static void errors_pass(void **state)
{
	struct fixture *f = *state;
	struct memlog m;
	struct log_report r;
	memlog_init(&m, f->arena, 600);
	struct note_key key = memlog_key(&m);
	struct log_source src = {.read = broken, .arg = &m, .end_bundle = UINT64_MAX};
	assert_int_equal(log_check(&f->s, &src, &key, 1, NULL, &r), ERR_IO);
	assert_string_equal(f->s.detail, "cannot read");
	memlog_free(&m);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(good_logs), T(partial_tiles_are_gone), T(one_bit), T(changed_row), T(moved_entries), T(heads), T(checkpoints),
		T(archive_of_a_period), T(errors_pass),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
