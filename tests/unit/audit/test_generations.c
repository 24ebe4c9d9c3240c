/* SPDX-License-Identifier: Apache-2.0
 * A database that went back: each way in which it can, what the log is called afterwards, that it is said once, and that no size is ever
 * signed with two roots (the keeper is asked for everything that it signed). */
#include "audit/commitment.h"
#include "audit/log/internal.h"
#include "codec/base64.h"
#include "fixture.h"

static char *origin(struct scope *s, unsigned generation)
{
	return audit_origin_of(F.arena, HOST, s->tenant, generation);
}

static struct audit_head_info head(struct scope *s)
{
	struct audit_head_info h;
	fresh(s);
	ok(audit_head(s, &h));
	return h;
}

static int64_t restored(struct scope *s)
{
	return events(s, "restore AuditLog");
}

static struct checkpoint published(struct scope *s)
{
	struct checkpoint c;
	struct audit_head_info h = head(s);
	assert_non_null(h.checkpoint);
	assert_true(audit_checkpoint_root(s, h.checkpoint, &c));
	assert_int_equal(c.size, h.signed_size);
	return c;
}

/* In this generation, signed to the end, and sound. */
static void assert_goes_on(struct scope *s, unsigned generation)
{
	uint64_t found, leaves;
	sequence();
	struct audit_head_info h = head(s);
	assert_int_equal(h.generation, generation);
	assert_int_equal(h.signed_size, h.size);
	assert_string_equal(published(s).origin, origin(s, generation));
	fresh(s);
	ok(audit_verify_all(s, HOST, &found, &leaves));
	assert_int_equal(leaves, h.size);
}

static void check_heads(void)
{
	fresh(&F.system);
	ok(audit_check_heads(&F.system, HOST));
}

/* A backup, five events more, and the backup put back.  Returns the last head before. */
static struct checkpoint lose_five(void)
{
	record_many(&F.a, 5);
	sequence();
	keep("backup");
	record_many(&F.a, 5);
	sequence();
	struct checkpoint last = published(&F.a);
	put_back("backup");
	return last;
}

static void nothing_happens_to_a_log_that_is_whole(void **state)
{
	record_many(&F.a, 3);
	sequence();
	struct checkpoint c = published(&F.a);
	record_many(&F.a, 3); /* not sequenced: lags, is not lost */
	check_heads();
	assert_int_equal(head(&F.a).generation, 1);
	assert_memory_equal(published(&F.a).root, c.root, sizeof c.root);
	refused(audit_check_heads(&F.system, "other.example"), OK); /* another name's logs were never signed */
	assert_int_equal(head(&F.a).generation, 1);
	assert_int_equal(restored(&F.a), 0);
	assert_goes_on(&F.a, 1);
}

static void a_shorter_database_gets_a_new_origin(void **state)
{
	char size[24];
	struct checkpoint last = lose_five();
	ok(exec(&F.a, "INSERT INTO audit_cosignatures (tenant_id, generation, size, witness, checkpoint, line, at, witnessed) "
		      "VALUES (?1, 1, 3, 'w', 'c', 'l', 1, 1)"));
	check_heads();
	struct audit_head_info h = head(&F.a);
	assert_int_equal(h.generation, 2);
	assert_int_equal(h.size, last.size - 5);
	assert_null(h.checkpoint);
	assert_int_equal(ask(&F.a, "SELECT count(*) FROM audit_cosignatures WHERE tenant_id = ?1", db_v_null(), db_v_null()), 0);
	snprintf(size, sizeof size, "\"%llu\"", (unsigned long long)last.size);
	const char *const says[] = {last.origin, origin(&F.a, 2), size, base64_encode(F.arena, last.root, sizeof last.root), "shorter"};
	for (size_t i = 0; i < sizeof says / sizeof says[0]; i++)
		assert_true(event_says(&F.a, "restore AuditLog", says[i]));
	snprintf(size, sizeof size, "\"%llu\"", (unsigned long long)last.size - 5);
	assert_true(event_says(&F.a, "restore AuditLog", size));
	check_heads(); /* killed before anything was signed: the same again, and no second event */
	assert_int_equal(restored(&F.a), 1);
	assert_goes_on(&F.a, 2);
	assert_int_equal(head(&F.a).size, last.size - 4); /* the event is a leaf of its own log */
	check_heads();
	assert_int_equal(restored(&F.a), 1);
	assert_goes_on(&F.b, 1); /* what did not go back */
	assert_int_equal(restored(&F.b), 0);
}

static void found_while_it_serves(void **state)
{
	lose_five();
	record_many(&F.a, 2);
	assert_goes_on(&F.a, 2);
	assert_int_equal(restored(&F.a), 1);
}

/* It went back and has grown past the last signed size before anybody looked. */
static void a_fork_is_found_by_its_root(void **state)
{
	bool more;
	struct checkpoint last = lose_five();
	record_many(&F.a, 9);
	ok(audit_integrate(&F.system, &more));
	assert_true(head(&F.a).size > last.size);
	assert_goes_on(&F.a, 2);
	assert_true(event_says(&F.a, "restore AuditLog", "not what was signed"));
	lose_five();
	record_many(&F.a, 9);
	ok(audit_integrate(&F.system, &more));
	check_heads();
	assert_int_equal(head(&F.a).generation, 3);
	assert_goes_on(&F.a, 3);
}

static void an_older_generation_is_not_gone_back_to(void **state)
{
	record_many(&F.a, 4);
	sequence();
	keep("first");
	lose_five();
	check_heads();
	assert_goes_on(&F.a, 2);
	keep("second");
	put_back("first");
	check_heads();
	assert_int_equal(head(&F.a).generation, 3);
	assert_goes_on(&F.a, 3);
	put_back("second"); /* a backup of another generation than the last */
	check_heads();
	assert_int_equal(restored(&F.a), 2);
	assert_goes_on(&F.a, 4);
}

/* The new generation was only in the database when that went back again: nobody has seen its name. */
static void restored_twice_before_anything_was_signed(void **state)
{
	lose_five();
	keep("twice");
	check_heads();
	assert_int_equal(head(&F.a).generation, 2);
	put_back("twice");
	check_heads();
	assert_int_equal(head(&F.a).generation, 2);
	assert_int_equal(restored(&F.a), 1);
	assert_goes_on(&F.a, 2);
}

static void a_log_without_its_row(void **state)
{
	record_many(&F.a, 300);
	sequence();
	uint64_t size = head(&F.a).size;
	ok(exec(&F.a, "DELETE FROM audit_heads WHERE tenant_id = ?1"));
	check_heads();
	assert_int_equal(head(&F.a).generation, 2);
	assert_int_equal(head(&F.a).size, size); /* as many as there are tiles for */
	assert_true(event_says(&F.a, "restore AuditLog", "head is missing"));
	assert_goes_on(&F.a, 2);
	ok(exec(&F.b, "INSERT INTO audit_pending SELECT l.tenant_id, l.event_id, substr(t.content, l.leaf_index * 32 + 1, 32) FROM audit_leaves l "
		      "JOIN audit_tiles t ON t.tenant_id = l.tenant_id AND t.level = 0 AND t.tile = 0 WHERE l.tenant_id = ?1"));
	ok(exec(&F.b, "DELETE FROM audit_heads WHERE tenant_id = ?1")); /* restored from before its first event was sequenced */
	ok(exec(&F.b, "DELETE FROM audit_tiles WHERE tenant_id = ?1"));
	ok(exec(&F.b, "DELETE FROM audit_leaves WHERE tenant_id = ?1"));
	check_heads();
	assert_int_equal(head(&F.b).size, 0);
	assert_goes_on(&F.b, 2);
}

static void a_purged_tenant_is_not_restored(void **state)
{
	static const char *const last[] = {"UPDATE tenants SET state = 'purging' WHERE tenant_id = ?1", "DELETE FROM audit_events WHERE tenant_id = ?1",
					   "DELETE FROM audit_heads WHERE tenant_id = ?1", "DELETE FROM audit_tiles WHERE tenant_id = ?1",
					   "DELETE FROM audit_leaves WHERE tenant_id = ?1", "DELETE FROM tenants WHERE tenant_id = ?1"};
	sequence();
	for (size_t i = 0; i < sizeof last / sizeof last[0]; i++)
		ok(exec(&F.b, last[i]));
	check_heads();
	assert_int_equal(ask(&F.b, "SELECT count(*) FROM audit_heads WHERE tenant_id = ?1", db_v_null(), db_v_null()), 0);
	assert_int_equal(all_events(&F.b), 0);
}

/* While a tenant is being purged its tiles go first, and what is still recorded of that is signed. */
static void a_tenant_that_is_leaving_is_signed_to_its_end(void **state)
{
	record_many(&F.b, 600);
	sequence();
	ok(exec(&F.b, "UPDATE tenants SET state = 'purging' WHERE tenant_id = ?1"));
	ok(exec(&F.b, "DELETE FROM audit_tiles WHERE tenant_id = ?1 AND tile < (SELECT max(tile) FROM audit_tiles t WHERE "
		      "t.tenant_id = audit_tiles.tenant_id AND t.level = audit_tiles.level)"));
	record_many(&F.b, 2);
	check_heads();
	sequence();
	assert_int_equal(head(&F.b).generation, 1);
	assert_int_equal(head(&F.b).signed_size, head(&F.b).size);
}

static void a_witness_knows_more(void **state)
{
	bool done;
	record_many(&F.a, 5);
	sequence();
	struct checkpoint last = published(&F.a);
	struct scope s = F.a;
	s.actor = F.system.actor;
	ok(audit_restored_by_witness(&s, HOST, 1, last.size, "witness.example", &done)); /* as much as we */
	assert_false(done);
	ok(audit_restored_by_witness(&s, HOST, 2, last.size + 7, "witness.example", &done)); /* of another generation */
	assert_false(done);
	ok(audit_restored_by_witness(&s, HOST, 1, last.size + 7, "witness.example", &done));
	assert_true(done);
	ok(audit_restored_by_witness(&s, HOST, 1, last.size + 7, "witness.example", NULL)); /* the second that says so */
	assert_int_equal(restored(&F.a), 1);
	assert_true(event_says(&F.a, "restore AuditLog", "witness.example"));
	assert_true(event_says(&F.a, "restore AuditLog", base64_encode(F.arena, last.root, sizeof last.root)));
	assert_goes_on(&F.a, 2);
}

/* More than the keeper takes at once: nothing is shown under the new name before it has caught up. */
static void a_long_log_is_shown_when_it_has_caught_up(void **state)
{
	bool more;
	record_many(&F.a, 9000);
	lose_five();
	check_heads();
	uint64_t signed_size = 0, size;
	uint8_t root[SHA256_BYTES];
	int steps = 0;
	do {
		fresh(&F.system);
		ok(audit_sequence(&F.system, HOST, &more));
		steps++;
		struct audit_head_info h = head(&F.a);
		assert_int_equal(h.generation, 2);
		assert_true(h.checkpoint == NULL || h.signed_size == h.size);
		ok(keeper_head(K, &F.system, origin(&F.a, 2), &size, root));
		assert_true(size > signed_size || !more);
		signed_size = size;
	} while (more);
	assert_true(steps >= 3);
	assert_goes_on(&F.a, 2);
}

/* Commitments that are gone cannot be signed again; other logs go on, and nothing gets a new name for it. */
static void a_log_with_a_hole_is_loud_and_alone(void **state)
{
	bool more;
	record_many(&F.a, 600);
	sequence();
	ok(exec(&F.a, "DELETE FROM audit_tiles WHERE tenant_id = ?1 AND level = 0 AND tile = 2"));
	check_heads();
	record_many(&F.a, 1);
	record_many(&F.b, 1);
	refused(audit_sequence(&F.system, HOST, &more), ERR_CONFLICT);
	fresh(&F.system);
	assert_int_equal(head(&F.a).generation, 1);
	assert_true(ask(&F.a, "SELECT count(*) FROM audit_pending WHERE tenant_id = ?1", db_v_null(), db_v_null()) == 1);
	assert_int_equal(head(&F.b).signed_size, head(&F.b).size);
	assert_int_equal(ask(&F.b, "SELECT count(*) FROM audit_pending WHERE tenant_id = ?1", db_v_null(), db_v_null()), 0);
}

/* ---- several servers with copies of one keeper ---- */

static struct keeper *second_keeper(void)
{
	struct keeper *k;
	char *detail = NULL;
	assert_int_equal(system(arena_printf(F.arena, "cp -a %s/log-keeper %s/keeper2", F.dir, F.dir)), 0);
	ok(keeper_open(arena_printf(F.arena, "%s/keeper2", F.dir), &k, &detail));
	return k;
}

static void use(struct keeper *k)
{
	F.system.keeper = F.a.keeper = F.b.keeper = k;
}

static void keepers_catch_up_with_each_other(void **state)
{
	uint8_t one[SHA256_BYTES], two[SHA256_BYTES];
	record_many(&F.a, 3);
	sequence();
	struct keeper *other = second_keeper();
	keeper_place(K, one);
	keeper_place(other, two);
	assert_memory_not_equal(one, two, sizeof one);
	for (int i = 0; i < 6; i++) {
		use(i % 2 == 0 ? other : K);
		check_heads();
		record_many(&F.a, 300);
		assert_goes_on(&F.a, 1);
	}
	assert_int_equal(restored(&F.a), 0);
	use(other);
	record_many(&F.a, 2);
	sequence();
	use(K); /* behind what is published, which somebody changed: nothing is signed */
	const char *root = base64_encode(F.arena, published(&F.a).root, SHA256_BYTES);
	ok(exec(&F.a, arena_printf(F.arena, "UPDATE audit_heads SET checkpoint = replace(checkpoint, '%.8s', 'AAAAAAAA') WHERE tenant_id = ?1", root)));
	record_many(&F.a, 2);
	bool more;
	uint64_t before, after;
	ok(keeper_head(K, &F.system, origin(&F.a, 1), &before, one));
	refused(audit_sequence(&F.system, HOST, &more), ERR_CONFLICT);
	fresh(&F.system);
	ok(keeper_head(K, &F.system, origin(&F.a, 1), &after, one));
	assert_int_equal(before, after);
	use(K);
	keeper_close(other);
}

static void without_the_lease_nothing_is_published(void **state)
{
	bool more;
	record_many(&F.a, 3);
	sequence();
	uint64_t before = head(&F.a).signed_size;
	struct audit_fence fence = {.lease = "sequencer", .holder = F.made.tenant, .number = 7};
	ok(exec(&F.a, "INSERT INTO leases (name, holder, fence, expires_at) VALUES ('sequencer', ?1, 8, 0)"));
	record_many(&F.a, 3);
	ok(audit_sequence_fenced(&F.system, HOST, &fence, &more)); /* paused, and another has taken over meanwhile */
	assert_int_equal(head(&F.a).signed_size, before);
	fence.number = 8;
	ok(audit_sequence_fenced(&F.system, HOST, &fence, &more));
	assert_int_equal(head(&F.a).signed_size, before + 3);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(nothing_happens_to_a_log_that_is_whole),
		CASE(a_shorter_database_gets_a_new_origin),
		CASE(found_while_it_serves),
		CASE(a_fork_is_found_by_its_root),
		CASE(an_older_generation_is_not_gone_back_to),
		CASE(restored_twice_before_anything_was_signed),
		CASE(a_log_without_its_row),
		CASE(a_purged_tenant_is_not_restored),
		CASE(a_tenant_that_is_leaving_is_signed_to_its_end),
		CASE(a_witness_knows_more),
		CASE(a_long_log_is_shown_when_it_has_caught_up),
		CASE(a_log_with_a_hole_is_loud_and_alone),
		CASE(keepers_catch_up_with_each_other),
		CASE(without_the_lease_nothing_is_published),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
