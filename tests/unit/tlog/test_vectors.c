/* SPDX-License-Identifier: Apache-2.0
 * The cases of tests/vectors: what must hold, and what must be refused. */
#include "fixture.h"

#include <jansson.h>

#include "crypto/digest.h"
#include "tlog/policy.h"
#include "tlog/proof.h"

static json_t *merkle, *notes;

static json_t *load(const char *name)
{
	char path[1024];
	json_error_t e;
	snprintf(path, sizeof path, "%s/%s", VECTORS, name);
	json_t *j = json_load_file(path, JSON_ALLOW_NUL, &e);
	if (j == NULL)
		fail_msg("%s: %s", path, e.text);
	return j;
}

static int load_all(void **state)
{
	merkle = load("merkle.json");
	notes = load("notes.json");
	return 0;
}

static int unload_all(void **state)
{
	json_decref(merkle);
	json_decref(notes);
	return 0;
}

static const char *text_of(const json_t *j, const char *name)
{
	const char *t = json_string_value(json_object_get(j, name));
	assert_non_null(t);
	return t;
}

static size_t length_of(const json_t *j, const char *name)
{
	return json_string_length(json_object_get(j, name));
}

static uint64_t number_of(const json_t *j, const char *name)
{
	assert_true(json_is_integer(json_object_get(j, name)));
	return (uint64_t)json_integer_value(json_object_get(j, name));
}

static bool is_good(const json_t *j)
{
	assert_true(json_is_boolean(json_object_get(j, "good")));
	return json_is_true(json_object_get(j, "good"));
}

static void hash_from(const json_t *text, uint8_t out[SHA256_BYTES])
{
	assert_int_equal(json_string_length(text), 2 * SHA256_BYTES);
	assert_true(hex_decode(json_string_value(text), SHA256_BYTES, out));
}

/* The cases of a list; each must have both sorts. */
static void each(const json_t *list, void (*run)(struct fixture *f, const json_t *c), struct fixture *f)
{
	size_t i, good = 0;
	json_t *c;
	assert_true(json_array_size(list) > 1);
	json_array_foreach(list, i, c) {
		fixture_clear(f);
		good += is_good(c);
		run(f, c);
	}
	assert_true(good > 0 && good < json_array_size(list));
}

static void verdict(const json_t *c, bool got)
{
	if (got != is_good(c))
		fail_msg("%s: %s", text_of(c, "what"), got ? "was accepted" : "was refused");
}

/* A refusal says why. */
static void verdict_of(struct fixture *f, const json_t *c, enum err e)
{
	if (e != OK && is_good(c))
		fail_msg("%s: %s", text_of(c, "what"), f->s.detail);
	verdict(c, e == OK);
	assert_true(e == OK || (e == ERR_BAD_REQUEST && f->s.detail != NULL));
}

/* ---- trees ---- */

static void eight_leaves(void **state)
{
	struct merkle_range r = {0};
	const json_t *leaves = json_object_get(merkle, "leaves"), *roots = json_object_get(merkle, "roots");
	assert_int_equal(json_array_size(leaves), 8);
	for (size_t i = 0; i <= 8; i++) {
		uint8_t root[SHA256_BYTES], entry[16], hash[SHA256_BYTES];
		merkle_root(&r, root);
		assert_hash(root, json_string_value(json_array_get(roots, i)));
		if (i == 8)
			break;
		const char *leaf = json_string_value(json_array_get(leaves, i));
		assert_true(hex_decode(leaf, strlen(leaf) / 2, entry));
		merkle_leaf_hash(entry, strlen(leaf) / 2, hash);
		assert_hash(hash, json_string_value(json_array_get(json_object_get(merkle, "leafHashes"), i)));
		merkle_append(&r, hash);
		assert_int_equal(r.size, i + 1);
		assert_int_equal(r.count, __builtin_popcountll(r.size));
	}
}

static void read_proof(const json_t *list, struct merkle_proof *ret)
{
	size_t i;
	json_t *h;
	ret->n = (unsigned)json_array_size(list);
	json_array_foreach(list, i, h)
		if (i < MERKLE_PROOF_MAX)
			hash_from(h, ret->hash[i]);
}

static void inclusion_case(struct fixture *f, const json_t *c)
{
	uint8_t leaf[SHA256_BYTES], root[SHA256_BYTES];
	struct merkle_proof p;
	read_proof(json_object_get(c, "proof"), &p);
	hash_from(json_object_get(c, "leaf"), leaf);
	hash_from(json_object_get(c, "root"), root);
	verdict(c, merkle_check_inclusion(number_of(c, "index"), number_of(c, "size"), leaf, &p, root));
}

static void consistency_case(struct fixture *f, const json_t *c)
{
	uint8_t old[SHA256_BYTES], new[SHA256_BYTES];
	struct merkle_proof p;
	read_proof(json_object_get(c, "proof"), &p);
	hash_from(json_object_get(c, "oldRoot"), old);
	hash_from(json_object_get(c, "newRoot"), new);
	verdict(c, merkle_check_consistency(number_of(c, "old"), old, number_of(c, "new"), new, &p));
}

static void inclusion(void **state)
{
	each(json_object_get(merkle, "inclusion"), inclusion_case, *state);
}

static void consistency(void **state)
{
	each(json_object_get(merkle, "consistency"), consistency_case, *state);
}

/* Trees whose entry i is i in decimal, and their tiles. */
static void decimal_trees(void **state)
{
	struct fixture *f = *state;
	struct memlog m;
	size_t i, k;
	json_t *tree, *tile;
	memlog_init(&m, f->arena, 70000);
	for (uint64_t n = 0; n < m.size; n++) {
		char entry[24];
		merkle_leaf_hash(entry, (size_t)snprintf(entry, sizeof entry, "%" PRIu64, n), m.hash[0][n]);
	}
	for (unsigned l = 1; l < 3; l++)
		for (uint64_t n = 0; n < m.count[l]; n++)
			merkle_perfect_root((const void *)(m.hash[l - 1] + n * TILE_WIDTH), TILE_WIDTH, m.hash[l][n]);
	json_array_foreach(json_object_get(merkle, "decimal"), i, tree) {
		uint8_t root[SHA256_BYTES];
		m.size = number_of(tree, "size");
		struct tile_tree t = {.size = m.size, .read = memlog_hashes, .arg = &m};
		assert_int_equal(tile_tree_root(&t, root), OK);
		assert_hash(root, text_of(tree, "root"));
		json_array_foreach(json_object_get(tree, "tiles"), k, tile) {
			struct tile at;
			assert_true(tile_parse(text_of(tile, "path"), &at));
			assert_int_equal(at.width, tile_width(m.size, at.level, at.index));
			sha256(m.hash[at.level] + at.index * TILE_WIDTH, at.width * SHA256_BYTES, root);
			assert_hash(root, text_of(tile, "sha256"));
		}
	}
	memlog_free(&m);
}

/* One event, its commitment, its entry. */
static void entry(void **state)
{
	const json_t *e = json_object_get(merkle, "entry");
	uint8_t salt[32], commitment[1][SHA256_BYTES], bytes[ENTRY_BYTES], hash[1][SHA256_BYTES];
	struct digest_part parts[] = {{"reeve/audit-event/v1\n", 21}, {text_of(e, "event"), length_of(e, "event")}};
	char hex[2 * (ENTRY_BYTES + 2) + 1];
	auto_buf bundle;
	buf_init(&bundle, BUNDLE_BYTES);
	hash_from(json_object_get(e, "salt"), salt);
	hmac_sha256(salt, sizeof salt, parts, 2, commitment[0]);
	assert_hash(commitment[0], text_of(e, "commitment"));
	entry_make(commitment[0], bytes);
	hex_encode(bytes, sizeof bytes, hex);
	assert_string_equal(hex, text_of(e, "entry"));
	entry_hashes((const void *)commitment, 1, hash);
	assert_hash(hash[0], text_of(e, "leafHash"));
	bundle_write(&bundle, (const void *)commitment, 1);
	hex_encode(bundle.data, bundle.len, hex);
	assert_string_equal(hex, text_of(e, "bundle"));
	assert_true(bundle_read(bundle.data, bundle.len, 1, hash));
	assert_memory_equal(hash, commitment, sizeof hash);
}

/* ---- texts ---- */

static void note_case(struct fixture *f, const json_t *c)
{
	struct note_key keys[4];
	struct note_seen seen[4];
	char *text;
	size_t i, n = json_array_size(json_object_get(c, "keys"));
	for (i = 0; i < n; i++)
		assert_int_equal(note_key_parse(&f->s, json_string_value(json_array_get(json_object_get(c, "keys"), i)), &keys[i]), OK);
	verdict_of(f, c, note_open(&f->s, text_of(c, "note"), length_of(c, "note"), keys, n, &text, seen));
	if (!is_good(c))
		return;
	assert_string_equal(text, text_of(c, "text"));
	for (i = 0; i < n; i++) {
		assert_int_equal(seen[i].signed_, json_is_true(json_array_get(json_object_get(c, "signed"), i)));
		assert_int_equal(seen[i].time, json_integer_value(json_array_get(json_object_get(c, "time"), i)));
		assert_int_equal(seen[i].signed_, seen[i].line != NULL && strstr(text_of(c, "note"), seen[i].line) != NULL);
	}
}

static void key_case(struct fixture *f, const json_t *c)
{
	struct note_key k;
	verdict_of(f, c, note_key_parse(&f->s, text_of(c, "vkey"), &k));
	if (is_good(c) && k.type == NOTE_ED25519)
		assert_int_equal(strncmp(note_vkey(f->arena, k.name, k.public_key), text_of(c, "vkey"), strcspn(text_of(c, "vkey"), "\n")), 0);
}

static void checkpoint_case(struct fixture *f, const json_t *c)
{
	struct checkpoint cp;
	verdict_of(f, c, checkpoint_parse(&f->s, text_of(c, "text"), &cp));
	if (is_good(c))
		assert_int_equal(cp.size, number_of(c, "size"));
}

static void proof_case(struct fixture *f, const json_t *c)
{
	struct tlog_proof p;
	verdict_of(f, c, tlog_proof_parse(&f->s, text_of(c, "text"), length_of(c, "text"), &p));
	if (!is_good(c))
		return;
	assert_int_equal(p.index, number_of(c, "index"));
	assert_int_equal(p.inclusion.n, number_of(c, "hashes"));
	assert_string_equal(tlog_proof_write(f->arena, &p), text_of(c, "text"));
	const char *extra = json_string_value(json_object_get(c, "extra"));
	assert_int_equal(p.extra != NULL, extra != NULL);
	assert_true(extra == NULL || (p.extra_n == strlen(extra) / 2));
}

static void policy_case(struct fixture *f, const json_t *c)
{
	struct policy *p = arena_alloc(f->arena, sizeof *p);
	size_t i, k;
	json_t *set, *name;
	verdict_of(f, c, policy_parse(&f->s, text_of(c, "text"), length_of(c, "text"), p));
	json_array_foreach(json_object_get(c, "satisfied"), i, set) {
		bool signed_[POLICY_ITEMS_MAX] = {false};
		json_array_foreach(json_array_get(set, 0), k, name)
			for (unsigned w = 0; w < p->n; w++)
				signed_[w] |= p->item[w].kind == POLICY_WITNESS && strcmp(p->item[w].name, json_string_value(name)) == 0;
		assert_int_equal(policy_satisfied(p, signed_), json_is_true(json_array_get(set, 1)));
	}
}

static void signed_notes(void **state)
{
	each(json_object_get(notes, "notes"), note_case, *state);
}

static void verifier_keys(void **state)
{
	each(json_object_get(notes, "keys"), key_case, *state);
}

static void checkpoints(void **state)
{
	each(json_object_get(notes, "checkpoints"), checkpoint_case, *state);
}

static void proofs(void **state)
{
	each(json_object_get(notes, "proofs"), proof_case, *state);
}

static void policies(void **state)
{
	each(json_object_get(notes, "policies"), policy_case, *state);
}

/* What note_sign() makes is what the vectors hold: the log's key is 00 to 1f. */
static void signing(void **state)
{
	struct fixture *f = *state;
	const json_t *first = json_array_get(json_object_get(notes, "notes"), 0);
	struct note_signer signer;
	uint8_t root[SHA256_BYTES];
	for (unsigned i = 0; i < sizeof signer.seed; i++)
		signer.seed[i] = (uint8_t)i;
	ed25519_public(signer.seed, signer.public_key);
	hash_from(json_array_get(json_object_get(merkle, "roots"), 8), root);
	assert_string_equal(note_checkpoint(f->arena, &signer, "example.com/audit", 8, root), text_of(first, "note"));
}

/* What one proof says is what the other vectors hold: entry 5 of the eight, under the cosigned checkpoint. */
static void proof_of_entry_five(void **state)
{
	struct fixture *f = *state;
	const json_t *c = json_array_get(json_object_get(notes, "proofs"), 0), *cosigned = json_array_get(json_object_get(notes, "notes"), 3);
	struct tlog_proof p;
	struct checkpoint cp;
	uint8_t leaf[SHA256_BYTES];
	assert_int_equal(tlog_proof_parse(&f->s, text_of(c, "text"), length_of(c, "text"), &p), OK);
	assert_string_equal(p.checkpoint, text_of(cosigned, "note"));
	assert_int_equal(checkpoint_parse(&f->s, text_of(cosigned, "text"), &cp), OK);
	hash_from(json_array_get(json_object_get(merkle, "leafHashes"), 5), leaf);
	assert_true(merkle_check_inclusion(p.index, cp.size, leaf, &p.inclusion, cp.root));
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(eight_leaves), T(inclusion),   T(consistency), T(decimal_trees), T(entry),   T(signed_notes),        T(verifier_keys),
		T(checkpoints),  T(proofs),      T(policies),    T(signing),       T(proof_of_entry_five),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, load_all, unload_all);
}
