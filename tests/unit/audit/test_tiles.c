/* SPDX-License-Identifier: Apache-2.0
 * Rows of the tree: as many at every level as a log of that size has, put back where they are missing or wrong, and proofs of events from
 * them, checked with nothing but the log's key and the event's bytes. */
#include "audit/commitment.h"
#include "audit/log/tiles.h"
#include "audit/log/proof.h"
#include "codec/base64.h"
#include "fixture.h"
#include "tlog/proof.h"
#include "tlog/note.h"

static uint64_t size_of(struct scope *s)
{
	struct audit_head_info h;
	fresh(s);
	ok(audit_head(s, &h));
	return h.size;
}

/* Grows the log of B to that size. */
static void grow_to(uint64_t size)
{
	sequence();
	record_many(&F.b, (size_t)(size - size_of(&F.b)));
	sequence();
	assert_int_equal(size_of(&F.b), size);
}

static int64_t hashes_at(int level)
{
	return ask(&F.b, "SELECT coalesce(sum(length(content)) / 32, 0) FROM audit_tiles WHERE tenant_id = ?1 AND level = ?2", db_v_int(level),
		   db_v_null());
}

static void assert_levels(uint64_t size)
{
	for (int level = 0; level < 4; level++)
		assert_int_equal(hashes_at(level), size >> (8 * level));
}

static void assert_sound(void)
{
	uint64_t found, leaves;
	struct audit_head_info h;
	fresh(&F.b);
	ok(audit_head(&F.b, &h));
	assert_int_equal(h.generation, 1);
	assert_int_equal(h.signed_size, h.size);
	ok(audit_verify_all(&F.b, HOST, &found, &leaves));
	assert_int_equal(leaves, h.size);
	assert_levels(h.size);
}

/* The whole text of what stands in the rows above the commitments. */
static enum err upper_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_text(tx, DB_REACH_TENANT, "SELECT group_concat(level || '/' || tile || ' ' || hex(content), ';') FROM "
			  "(SELECT * FROM audit_tiles WHERE tenant_id = ?1 AND level > 0 ORDER BY level, tile)", DB_NOARGS, &r));
	assert_true(db_next(r));
	*(char **)arg = db_text_dup(r, 0, s->arena);
	return OK;
}

static void what_is_missing_is_put_back(void **state)
{
	static const char *const harm[] = {
		"DELETE FROM audit_tiles WHERE tenant_id = ?1 AND level > 0", /* what a database of an older schema has */
		"DELETE FROM audit_tiles WHERE tenant_id = ?1 AND level = 1 AND tile = 0",
		"UPDATE audit_tiles SET content = substr(content, 1, 64) WHERE tenant_id = ?1 AND level = 1",
		"UPDATE audit_tiles SET content = zeroblob(length(content)) WHERE tenant_id = ?1 AND level = 1", /* as long as it must be */
	};
	char *before, *after;
	grow_to(1300);
	assert_sound();
	ok(db_read(&F.b, upper_tx, &before));
	for (size_t i = 0; i < sizeof harm / sizeof harm[0]; i++) {
		ok(exec(&F.b, harm[i]));
		fresh(&F.system);
		ok(audit_check_heads(&F.system, HOST));
		ok(db_read(&F.b, upper_tx, &after));
		assert_string_equal(before, after);
		assert_sound();
	}
	for (size_t i = 0; i < sizeof harm / sizeof harm[0]; i++) { /* found by the sequencer, in the middle of a tile and at its end */
		ok(exec(&F.b, harm[i]));
		grow_to(size_of(&F.b) + 236);
		assert_sound();
	}
	assert_int_equal(events(&F.b, "restore AuditLog"), 0); /* nothing of it is a database that went back */
}

/* ---- proofs ---- */

struct indexed {
	uint64_t index;
	struct id event;
	void *bytes;
	size_t n;
};

static enum err load_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct indexed *x = arg;
	auto_rows struct db_rows *r = NULL;
	struct db_value index = db_v_int((int64_t)x->index);
	TRY(db_query_text(tx, DB_REACH_TENANT, "SELECT e.event_id, e.bytes FROM audit_leaves l JOIN audit_events e ON e.tenant_id = l.tenant_id "
			  "AND e.event_id = l.event_id WHERE l.tenant_id = ?1 AND l.leaf_index = ?2", &index, 1, &r));
	assert_true(db_next(r));
	x->event = db_id(r, 0);
	const void *p = db_blob(r, 1, &x->n);
	x->bytes = arena_memdup(s->arena, p, x->n);
	return OK;
}

static bool holds(const char *text, const void *bytes, size_t n)
{
	struct scope s = F.b;
	struct tlog_proof p;
	struct note_key key;
	struct note_seen seen;
	struct checkpoint c;
	char *signed_text;
	uint8_t commitment[1][SHA256_BYTES], leaf[1][SHA256_BYTES];
	ok(tlog_proof_parse(&s, text, strlen(text), &p));
	assert_int_equal(p.extra_n, AUDIT_SALT_BYTES);
	ok(note_key_parse(&s, keeper_vkey(K, F.arena, audit_origin_of(F.arena, HOST, F.b.tenant, 1)), &key));
	ok(note_open(&s, p.checkpoint, strlen(p.checkpoint), &key, 1, &signed_text, &seen));
	assert_true(seen.signed_);
	ok(checkpoint_parse(&s, signed_text, &c));
	audit_commitment(bytes, n, p.extra, commitment[0]);
	entry_hashes((const void *)commitment, 1, leaf);
	return merkle_check_inclusion(p.index, c.size, leaf[0], &p.inclusion, c.root);
}

static void check_proof(uint64_t index)
{
	char *text;
	struct indexed x = {.index = index};
	fresh(&F.b);
	ok(db_read(&F.b, load_tx, &x));
	ok(audit_proof(&F.b, x.event, &text));
	assert_true(holds(text, x.bytes, x.n));
	((uint8_t *)x.bytes)[x.n / 2] ^= 1;
	assert_false(holds(text, x.bytes, x.n));
	assert_true(strlen(text) < 2048);
}

static void every_event_has_a_proof_at_every_size(void **state)
{
	static const uint64_t sizes[] = {3, 4, 5, 7, 8, 9, 15, 16, 17, 255, 256, 257, 300, 511, 512, 513, 1023, 1024, 1025};
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		grow_to(sizes[i]);
		struct arena_mark mark = arena_mark(F.arena);
		for (uint64_t index = 0; index < sizes[i]; index += 1 + sizes[i] / 40)
			check_proof(index);
		check_proof(sizes[i] - 1);
		arena_rewind(F.arena, mark);
	}
}

static void a_proof_is_refused_until_there_is_one(void **state)
{
	char *text;
	bool more;
	grow_to(40);
	refused(audit_proof(&F.b, id_new(F.b.now), &text), ERR_NOT_FOUND);
	fresh(&F.b);
	struct indexed x = {.index = 7};
	ok(db_read(&F.b, load_tx, &x));
	refused(audit_proof(&F.a, x.event, &text), ERR_NOT_FOUND); /* another tenant's */
	fresh(&F.a);
	record_many(&F.b, 1);
	ok(audit_integrate(&F.system, &more));
	x.index = 40;
	ok(db_read(&F.b, load_tx, &x));
	refused(audit_proof(&F.b, x.event, &text), ERR_UNAVAILABLE); /* in the log, not signed */
	fresh(&F.b);
	sequence();
	ok(audit_proof(&F.b, x.event, &text));
	ok(exec(&F.b, "UPDATE audit_leaves SET leaf_index = leaf_index + 1000 WHERE tenant_id = ?1 AND leaf_index = 40"));
	refused(audit_proof(&F.b, x.event, &text), ERR_UNAVAILABLE);
	fresh(&F.b);
}

/* An older checkpoint that witnesses saw is worth more than the newest, as long as it covers the event. */
static void a_cosigned_checkpoint_is_preferred(void **state)
{
	char *text;
	struct audit_head_info h;
	struct indexed x = {.index = 9}, y = {.index = 19};
	static const uint8_t line[4 + 8 + 64]; /* a key's id, a time, a signature */
	grow_to(15);
	fresh(&F.b);
	ok(audit_head(&F.b, &h));
	for (int i = 0; i < 2; i++)
		ok(exec(&F.b, arena_printf(F.arena, "INSERT INTO audit_cosignatures (tenant_id, generation, size, witness, checkpoint, line, at, "
					   "witnessed) VALUES (?1, 1, 15, 'w%d', '%s', '\u2014 w%d %s', 1, 1)", i, h.checkpoint, i,
					   base64_encode(F.arena, line, sizeof line))));
	grow_to(20);
	ok(db_read(&F.b, load_tx, &x));
	ok(db_read(&F.b, load_tx, &y));
	ok(audit_proof(&F.b, x.event, &text));
	assert_non_null(strstr(text, "\n15\n"));
	assert_non_null(strstr(text, "\u2014 w0 AAAA"));
	assert_non_null(strstr(text, "\u2014 w1 AAAA"));
	assert_true(holds(text, x.bytes, x.n));
	ok(audit_proof(&F.b, y.event, &text));
	assert_non_null(strstr(text, "\n20\n"));
	assert_null(strstr(text, "AAAA"));
	assert_true(holds(text, y.bytes, y.n));
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_is_missing_is_put_back),
		CASE(every_event_has_a_proof_at_every_size),
		CASE(a_proof_is_refused_until_there_is_one),
		CASE(a_cosigned_checkpoint_is_preferred),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
