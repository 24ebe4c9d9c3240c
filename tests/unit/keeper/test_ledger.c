/* SPDX-License-Identifier: Apache-2.0
 * The erasure ledger: entries come back in order, the chain holds, a torn last line goes and anything else is refused.
 */
#include "fixture.h"

#include "codec/json.h"

static const char *const entries[] = {"{\"duty\":\"a\",\"n\":1}", "{}",
				      "{\"text\":\"caf\u00e9 \\\" } ,\\\"hash\\\"\"}"};

static uint64_t append(struct fixture *f, const char *json)
{
	uint64_t sequence = 0;
	uint8_t hash[SHA256_BYTES];
	enum err e = keeper_ledger_append(f->k, &f->s, json, strlen(json), &sequence, hash);
	if (e != OK)
		fail_msg("append: %s", scope_detail(&f->s, e));
	return sequence;
}

struct seen {
	uint64_t first, last;
	int count, stop_after;
	struct keeper *append_to;
};

static bool see(void *arg, uint64_t sequence, const char *json, size_t n)
{
	struct seen *seen = arg;
	if (seen->count++ == 0)
		seen->first = sequence;
	seen->last = sequence;
	const char *want = entries[(sequence - 1) % 3];
	assert_int_equal(n, strlen(want));
	assert_memory_equal(json, want, n);
	return seen->count != seen->stop_after;
}

static void comes_back_in_order(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(keeper_ledger_size(f->k), 0);
	for (uint64_t i = 0; i < 9; i++) {
		assert_int_equal(append(f, entries[i % 3]), i + 1);
		if (i % 4 == 3) {
			fixture_close(f);
			fixture_open(f);
		}
		assert_int_equal(keeper_ledger_size(f->k), i + 1);
	}
	struct seen seen = {0}, from = {0}, past = {0}, stopped = {.stop_after = 2};
	assert_err(keeper_ledger_read(f->k, &f->s, 0, see, &seen), OK);
	assert_true(seen.count == 9 && seen.first == 1 && seen.last == 9);
	assert_err(keeper_ledger_read(f->k, &f->s, 8, see, &from), OK);
	assert_true(from.count == 2 && from.first == 8 && from.last == 9);
	assert_err(keeper_ledger_read(f->k, &f->s, 10, see, &past), OK);
	assert_int_equal(past.count, 0);
	assert_err(keeper_ledger_read(f->k, &f->s, 1, see, &stopped), OK);
	assert_int_equal(stopped.count, 2);
}

/* Whoever holds the file can check it with nothing but JSON and SHA-256. */
static void the_chain_is_plain(void **state)
{
	struct fixture *f = *state;
	uint8_t last[SHA256_BYTES];
	uint64_t sequence;
	for (int i = 0; i < 3; i++)
		assert_err(keeper_ledger_append(f->k, &f->s, entries[i], strlen(entries[i]), &sequence, last), OK);
	size_t n;
	char *bytes = fixture_slurp(fixture_path(f, "ledger"), &n), *line = bytes, want_prev[65], hex[65];
	memset(want_prev, '0', 64);
	want_prev[64] = '\0';
	for (int i = 0; i < 3; i++) {
		char *end = strchr(line, '\n');
		json_t *o = json_loadb(line, (size_t)(end - line), JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(o);
		assert_int_equal(json_integer_value(json_object_get(o, "seq")), i + 1);
		assert_string_equal(json_string_value(json_object_get(o, "prev")), want_prev);
		uint8_t hash[SHA256_BYTES];
		sha256(line, (size_t)(end - line) - strlen(",\"hash\":\"\"}") - 64, hash);
		hex_encode(hash, sizeof hash, hex);
		assert_string_equal(json_string_value(json_object_get(o, "hash")), hex);
		strcpy(want_prev, hex);
		json_decref(o);
		line = end + 1;
	}
	hex_encode(last, sizeof last, hex);
	assert_string_equal(hex, want_prev);
	free(bytes);
}

static bool append_while_reading(void *arg, uint64_t sequence, const char *json, size_t n)
{
	struct fixture *f = arg;
	append(f, "{}");
	return true;
}

/* A callback may call the keeper; what it appends is not read in the same pass. */
static void reads_while_growing(void **state)
{
	struct fixture *f = *state;
	append(f, "{}");
	append(f, "{}");
	assert_err(keeper_ledger_read(f->k, &f->s, 1, append_while_reading, f), OK);
	assert_int_equal(keeper_ledger_size(f->k), 4);
}

static void refuses_what_is_no_entry(void **state)
{
	struct fixture *f = *state;
	static const char *const bad[] = {"",
					  "{",
					  "[]",
					  "1",
					  "{\"a\":1,\"a\":2}",
					  "{\"a\":\n1}",
					  "{} ",
					  " {}",
					  "{}{}",
					  "{\"a\":\"\x01\"}",
					  "{\"a\":\"\xff\"}"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_err(keeper_ledger_append(f->k, &f->s, bad[i], strlen(bad[i]), NULL, NULL), ERR_BAD_REQUEST);
	size_t n = 256 * KIB + 1;
	char *large = arena_alloc(f->arena, n);
	memset(large, ' ', n);
	memcpy(large, "{\"a\":1", 6);
	large[n - 1] = '}';
	assert_err(keeper_ledger_append(f->k, &f->s, large, n, NULL, NULL), ERR_TOO_LARGE);
	assert_int_equal(keeper_ledger_size(f->k), 0);
	large[n - 2] = '}';
	assert_err(keeper_ledger_append(f->k, &f->s, large, n - 1, NULL, NULL), OK);
	fixture_close(f);
	fixture_open(f);
	assert_int_equal(keeper_ledger_size(f->k), 1);
}

/* Three lines; where each begins, and the end. */
static char *three_lines(struct fixture *f, size_t begin[4])
{
	char *bytes = NULL;
	begin[0] = 0;
	for (int i = 0; i < 3; i++) {
		append(f, entries[i]);
		free(bytes);
		bytes = fixture_slurp(fixture_path(f, "ledger"), &begin[i + 1]);
	}
	fixture_close(f);
	return bytes;
}

static void cuts_a_torn_line(void **state)
{
	struct fixture *f = *state;
	size_t begin[4], n;
	char *path = strdup(fixture_path(f, "ledger")), *bytes = three_lines(f, begin);
	for (size_t at = begin[2]; at < begin[3]; at++) {
		fixture_dump(path, bytes, at);
		fixture_open(f);
		assert_int_equal(keeper_ledger_size(f->k), 2);
		if (at > begin[2])
			assert_non_null(strstr(keeper_cut(f->k), "ledger="));
		assert_int_equal(append(f, entries[2]), 3);
		fixture_close(f);
		char *now = fixture_slurp(path, &n);
		assert_int_equal(n, begin[3]);
		assert_memory_equal(now, bytes, n);
		free(now);
	}
	free(bytes);
	free(path);
}

/* The detail names the line.  A newline that became something else joins two lines: named is the first of them. */
static void refuses_damage(void **state)
{
	struct fixture *f = *state;
	size_t begin[4];
	char *path = strdup(fixture_path(f, "ledger")), *bytes = three_lines(f, begin);
	for (size_t at = 0; at < begin[3] - 1; at++) {
		int line = at < begin[1] ? 1 : at < begin[2] ? 2 : 3;
		char words[32];
		snprintf(words, sizeof words, "damaged in line %d:", line);
		bytes[at] ^= 1;
		fixture_dump(path, bytes, begin[3]);
		fixture_refused(f, ERR_CONFIG, words);
		bytes[at] ^= 1;
	}
	fixture_dump(path, bytes, begin[3]);
	fixture_open(f);
	free(bytes);
	free(path);
}

static void refuses_removed_and_moved_lines(void **state)
{
	struct fixture *f = *state;
	size_t begin[4];
	char *path = strdup(fixture_path(f, "ledger")), *bytes = three_lines(f, begin), *other = malloc(begin[3]);
	memcpy(other, bytes, begin[1]); /* 1, 3 */
	memcpy(other + begin[1], bytes + begin[2], begin[3] - begin[2]);
	fixture_dump(path, other, begin[1] + begin[3] - begin[2]);
	fixture_refused(f, ERR_CONFIG, "line 2");
	fixture_dump(path, bytes + begin[1], begin[3] - begin[1]); /* 2, 3 */
	fixture_refused(f, ERR_CONFIG, "line 1");
	memcpy(other, bytes + begin[1], begin[2] - begin[1]); /* 2, 1, 3 */
	memcpy(other + begin[2] - begin[1], bytes, begin[1]);
	memcpy(other + begin[2], bytes + begin[2], begin[3] - begin[2]);
	fixture_dump(path, other, begin[3]);
	fixture_refused(f, ERR_CONFIG, "line 1");
	free(other);
	free(bytes);
	free(path);
}

/* Damage while the server runs is found by the next reader. */
static void finds_damage_when_reading(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 3; i++)
		append(f, entries[i]);
	int fd = open(fixture_path(f, "ledger"), O_WRONLY);
	assert_int_equal(pwrite(fd, "9", 1, 7), 1);
	close(fd);
	struct seen seen = {0};
	assert_err(keeper_ledger_read(f->k, &f->s, 1, see, &seen), ERR_IO);
	assert_says(&f->s, "damaged in line 1");
	assert_int_equal(seen.count, 0);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(comes_back_in_order),
		CASE(the_chain_is_plain),
		CASE(reads_while_growing),
		CASE(refuses_what_is_no_entry),
		CASE(cuts_a_torn_line),
		CASE(refuses_damage),
		CASE(refuses_removed_and_moved_lines),
		CASE(finds_damage_when_reading),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
