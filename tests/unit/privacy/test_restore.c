/* SPDX-License-Identifier: Apache-2.0
 * The replay of the ledger.  A database that an entry of the ledger was never carried out in is one that went back, so these tests write entries. */
#include "fixture.h"

#include "privacy/erasure/internal.h"
#include "privacy/restore/restore.h"

static const struct id installation;

/* As the first version wrote them. */
static void enter_as(struct id duty, struct id tenant, const char *type, struct id subject, const char *more)
{
	char t[ID_TEXT], d[ID_TEXT], hex[2 * SHA256_BYTES + 1];
	uint8_t reference[SHA256_BYTES];
	struct scope s = system_scope();
	subject_reference(F.keeper, tenant, subject, reference);
	hex_encode(reference, sizeof reference, hex);
	char *text = arena_printf(F.d.arena,
				  "{\"type\":\"erasure\",\"tenantId\":\"%s\",\"dutyId\":\"%s\",\"subjectType\":\"%s\",\"subject\":\"%s\","
				  "\"requestedDateTime\":\"2026-01-01T00:00:00Z\",\"plan\":\"00\"%s}",
				  id_format(tenant, t), id_format(duty, d), type, hex, more);
	ok_in(&s, keeper_ledger_append(F.keeper, &s, text, strlen(text), NULL, NULL));
}

static void enter(struct id tenant, const char *type, struct id subject, const char *more)
{
	enter_as(id_new(F.now), tenant, type, subject, more);
}

struct one_id {
	const char *sql;
	struct db_value v;
	struct id ret;
};

static enum err ask_id_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct one_id *q = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_text(tx, DB_REACH_TENANT, q->sql, &q->v, 1, &r));
	if (db_next(r))
		q->ret = db_id(r, 0);
	return db_rows_err(r);
}

static struct id ask_id(struct id tenant, const char *sql, struct db_value v)
{
	struct scope s = scope_of(tenant);
	struct one_id q = {.sql = sql, .v = v};
	ok_in(&s, db_read(&s, ask_id_tx, &q));
	return q.ret;
}

static enum err replay_with(bool (*go_on)(void *), void *arg)
{
	struct scope s = system_scope();
	return restore_replay(&(struct restore_run){.system = &s, .data_dir = F.dir, .host = HOST, .go_on = go_on, .arg = arg});
}

static void replay(void)
{
	struct scope s = system_scope();
	ok_in(&s, restore_replay(&(struct restore_run){.system = &s, .data_dir = F.dir, .host = HOST}));
}

static void refuses(enum err e, const char *what)
{
	struct scope s = system_scope();
	refused(restore_replay(&(struct restore_run){.system = &s, .data_dir = F.dir, .host = HOST}), e);
	assert_non_null(strstr(scope_detail(&s, e), what));
}

static int64_t users(struct id tenant) { return ask(tenant, "SELECT count(*) FROM users WHERE tenant_id = ?1", db_v_null()).ret; }
static int64_t reports(void) { return ask(installation, "SELECT count(*) FROM restore_reports WHERE tenant_id = ?1", db_v_null()).ret; }
static const char *report(void)
{
	return ask(installation, "SELECT body FROM restore_reports WHERE tenant_id = ?1 ORDER BY issued_at DESC LIMIT 1", db_v_null()).text;
}
static int64_t position(void) { return ask(installation, "SELECT max(sequence) FROM ledger_positions WHERE tenant_id = ?1", db_v_null()).ret; }

static int64_t outcomes(const char *outcome)
{
	int64_t n = 0;
	char *needle = arena_printf(F.d.arena, "\"outcome\":\"%s\"", outcome);
	for (const char *p = report(); (p = strstr(p, needle)) != NULL; p += strlen(needle))
		n++;
	return n;
}

static void test_whoever_came_back_goes(void **state)
{
	char *bob = dump_of(F.tenant, &F.bob), *eve = dump_of(F.other, NULL);
	int64_t before = users(F.tenant);
	enter(F.tenant, "user", F.ann.user, "");
	enter(F.tenant, "user", F.ann.user, ",\"trigger\":\"restoreReplay\""); /* a replay before this one */
	enter(F.tenant, "user", id_new(F.now), "");
	enter(F.other, "user", F.ann.user, ""); /* the other tenant's: a reference is of both ids */
	enter(F.tenant, "device", F.ann.personal, "");
	enter(id_new(F.now), "tenant", id_new(F.now), "");
	replay();
	assert_int_equal(users(F.tenant), before - 1);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM users WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&F.ann.user)).ret, 0);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM managed_devices WHERE tenant_id = ?1 AND device_id = ?2", db_v_id(&F.ann.personal)).ret, 0);
	assert_string_equal(dump_of(F.tenant, &F.bob), bob);
	assert_string_equal(dump_of(F.other, NULL), eve);
	assert_int_equal(reports(), 1);
	assert_int_equal(outcomes("erasedAgain"), 3);
	assert_int_equal(outcomes("nothingLeft"), 3);
	assert_int_equal(position(), (int64_t)keeper_ledger_size(F.keeper));
	int64_t events = ask_all("SELECT count(*) FROM audit_events WHERE activity_type = ?1", db_v_text("replay Erasures"));
	assert_int_equal(events, 3); /* the installation and the two tenants that are there */
	replay(); /* the replay's own entries have been carried out, too */
	assert_int_equal(reports(), 1);
	run_erasure();
	assert_int_equal(duties_in(F.tenant, "failed"), 0);
	assert_int_equal(duties_in(F.tenant, "deleted"), 0);
	replay();
	assert_int_equal(reports(), 1);
	assert_string_equal(dump_of(F.tenant, &F.bob), bob);
}

static void test_nothing_holds_it_up(void **state)
{
	run_sql(F.tenant, "UPDATE users SET restricted_at = 1 WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&F.ann.user));
	erase_forever(&F.ann);
	run_erasure();
	assert_int_equal(duties_in(F.tenant, "held"), 1);
	enter(F.tenant, "user", F.ann.user, "");
	replay();
	assert_int_equal(duties_in(F.tenant, "held"), 0);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM users WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&F.ann.user)).ret, 0);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM duties WHERE tenant_id = ?1 AND trigger_name = ?2 AND subject_type = 'user'",
			     db_v_text(DUTY_BY_RESTORE_REPLAY)).ret, 0); /* the restored duty did it */
}

static void test_who_is_only_deleted_may_be_restored(void **state)
{
	struct scope s = scope_of(F.tenant);
	ok_in(&s, user_delete(&s, F.ann.user));
	replay();
	assert_int_equal(reports(), 0);
	ok_in(&s, user_restore(&s, F.ann.user, NULL));
}

static void test_a_tenant_goes_as_it_went(void **state)
{
	char *eve = dump_of(F.other, NULL);
	enter(F.tenant, "user", F.bob.user, "");
	enter(F.tenant, "tenant", F.tenant, ",\"trigger\":\"tenantClose\",\"keepsDirectory\":false");
	replay();
	assert_int_equal(users(F.tenant), 0);
	assert_string_equal(dump_of(F.other, NULL), eve);
	assert_int_equal(outcomes("erasedAgain"), 1);
	run_erasure();
	assert_int_equal(ask_all("SELECT count(*) FROM tenants WHERE tenant_id = ?1", db_v_id(&F.tenant)), 0);
	assert_int_not_equal(system(arena_printf(F.d.arena, "ls %s/archives >/dev/null 2>&1", F.dir)), 0); /* handed over once */
	assert_int_equal(ask(installation, "SELECT count(*) FROM certificates WHERE tenant_id = ?1 AND kind = 'activeData'", db_v_null()).ret, 1);
}

static void test_a_tenant_keeps_the_directory_that_it_kept(void **state)
{
	int64_t before = users(F.tenant);
	enter(F.tenant, "tenant", F.tenant, ",\"keepsDirectory\":true");
	replay();
	assert_int_equal(users(F.tenant), before);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM managed_devices WHERE tenant_id = ?1", db_v_null()).ret, 0);
	run_erasure();
	assert_string_equal(ask(F.tenant, "SELECT state FROM tenants WHERE tenant_id = ?1", db_v_null()).text, "active");
}

static bool few(void *arg)
{
	int *left = arg;
	return (*left)-- > 0;
}

static void test_interrupted_anywhere_it_ends_once(void **state)
{
	char *eve = dump_of(F.other, NULL);
	enter(F.tenant, "user", F.ann.user, "");
	enter(F.tenant, "user", F.bob.user, "");
	enter(F.tenant, "device", F.bob.personal, "");
	for (int i = 0; i < 3; i++) { /* before the first, the second, the third */
		int left = i > 0;
		refused(replay_with(few, &left), ERR_UNAVAILABLE);
		assert_int_equal(reports(), 0);
		assert_int_equal(position(), -1);
	}
	replay();
	assert_int_equal(reports(), 1);
	assert_true(outcomes("erasedAgain") >= 3);
	assert_string_equal(dump_of(F.other, NULL), eve);
}

/* The copy was made while rows went; what to look for was destroyed with the certificate. */
static void test_a_copy_from_the_middle(void **state)
{
	struct scope s = system_scope();
	bool more;
	char *bob = dump_of(F.tenant, &F.bob);
	erase_forever(&F.ann);
	for (int i = 0; i < 20 && duties_in(F.tenant, "deleting") == 0; i++)
		ok_in(&s, erasure_run_steps(&s, F.dir, HOST, 1, &more));
	assert_true(duties_in(F.tenant, "deleting") > 0);
	assert_int_equal(system(arena_printf(F.d.arena, "rm %s/keeper/needles-*", F.dir)), 0);
	replay();
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM users WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&F.ann.user)).ret, 0);
	assert_string_equal(dump_of(F.tenant, &F.bob), bob);
	assert_non_null(strstr(report(), "\"resumedCount\":1"));
	run_erasure();
	assert_int_equal(duties_in(F.tenant, "failed"), 0);
}

static void test_a_ledger_that_is_not_the_databases(void **state)
{
	enter(F.tenant, "user", F.ann.user, "");
	replay();
	run_sql(installation, "UPDATE ledger_positions SET sequence = 99 WHERE tenant_id = ?1", db_v_null());
	refuses(ERR_CONFIG, "the database has followed it to entry 99");
	run_sql(installation, "UPDATE ledger_positions SET sequence = 1, hash = place WHERE tenant_id = ?1", db_v_null());
	refuses(ERR_CONFIG, "of another history");
	run_sql(installation, "UPDATE ledger_positions SET sequence = 0, hash = ?2 WHERE tenant_id = ?1", db_v_blob((const uint8_t[SHA256_BYTES]){0}, SHA256_BYTES));
	run_sql(installation, "UPDATE ledger_positions SET place = hash WHERE tenant_id = ?1", db_v_null()); /* the keeper was moved */
	replay();
	run_sql(installation, "UPDATE ledger_positions SET keeper = place WHERE tenant_id = ?1", db_v_null());
	refuses(ERR_CONFIG, "another keeper");
}

/* Somebody undid it between its entry and its first row. */
static void test_what_was_called_back_stays(void **state)
{
	char d[ID_TEXT], *bob = dump_of(F.tenant, &F.bob);
	struct id duty = id_new(F.now);
	struct scope s = system_scope();
	char *text = arena_printf(F.d.arena, "{\"type\":\"withdrawal\",\"dutyId\":\"%s\"}", id_format(duty, d));
	enter_as(duty, F.tenant, "user", F.bob.user, "");
	ok_in(&s, keeper_ledger_append(F.keeper, &s, text, strlen(text), NULL, NULL));
	erase_forever(&F.ann);
	struct id cancelled = ask_id(F.tenant, "SELECT duty_id FROM duties WHERE tenant_id = ?1 AND subject_id = ?2 AND state = 'received'", db_v_id(&F.ann.user));
	run_sql(F.tenant, "UPDATE duties SET state = 'cancelled' WHERE tenant_id = ?1 AND duty_id = ?2", db_v_id(&cancelled));
	enter_as(cancelled, F.tenant, "user", F.ann.user, "");
	replay();
	assert_int_equal(reports(), 0);
	assert_string_equal(dump_of(F.tenant, &F.bob), bob);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM users WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&F.ann.user)).ret, 1);
	assert_int_equal(position(), 3);
}

static void test_an_entry_of_a_later_version(void **state)
{
	int64_t before = users(F.tenant);
	enter(F.tenant, "user", F.ann.user, "");
	enter(F.tenant, "constellation", F.bob.user, "");
	refuses(ERR_CONFIG, "entry 2");
	assert_int_equal(users(F.tenant), before);
}

static void test_the_position_follows(void **state)
{
	replay();
	erase_forever(&F.ann);
	run_erasure();
	assert_true(position() >= 2);
	assert_int_equal(position(), (int64_t)keeper_ledger_size(F.keeper));
	replay();
	assert_int_equal(reports(), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_up, fixture_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_whoever_came_back_goes),
		T(test_nothing_holds_it_up),
		T(test_who_is_only_deleted_may_be_restored),
		T(test_a_tenant_goes_as_it_went),
		T(test_a_tenant_keeps_the_directory_that_it_kept),
		T(test_interrupted_anywhere_it_ends_once),
		T(test_a_copy_from_the_middle),
		T(test_a_ledger_that_is_not_the_databases),
		T(test_what_was_called_back_stays),
		T(test_an_entry_of_a_later_version),
		T(test_the_position_follows),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
