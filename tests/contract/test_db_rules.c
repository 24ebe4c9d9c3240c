/* SPDX-License-Identifier: Apache-2.0
 *
 * The database contract on both engines: the tenant rule (I4) and its second lock, and what failures of statements
 * become.
 */
#include "db_things.h"

DB_TENANT(add_part, "INSERT INTO parts (tenant_id, part_id, thing_id) VALUES (?1, ?2, ?2)");
DB_GLOBAL(add_counter, "INSERT INTO counters (name, n) VALUES (?1, ?2)");
DB_GLOBAL(add_strict, "INSERT INTO strict_parts (part_id, counter) VALUES (?1, ?2)");
DB_GLOBAL(add_fixed, "INSERT INTO fixed (id) VALUES (?1)");
DB_TENANT(add_event, "INSERT INTO audit_events (tenant_id, event_id) VALUES (?1, ?2)");

#define SECRET "Aroha Ngata"

/* ---- the tenant rule ---- */

static void tenants_do_not_meet(void **state)
{
	struct scope s;
	int64_t changed = -1;
	struct db_fixture *f = fixture_of(state);
	scope_in(&s, f, &tenant_a);
	OKAY(&s, db_write(&s, insert_some, &(int){3}));
	assert_int_equal(counted(f, &tenant_a), 3);
	assert_int_equal(counted(f, &tenant_b), 0);
	assert_int_equal(counted(f, NULL), 3);
	scope_in(&s, f, &tenant_b);
	OKAY(&s, db_write(&s, set_all, &changed));
	assert_int_equal(changed, 0);
	scope_in(&s, f, &tenant_a);
	OKAY(&s, db_write(&s, set_all, &changed));
	assert_int_equal(changed, 3);
}

static enum err run_tenant_stmt(struct scope *s, struct db_tx *tx, void *arg)
{
	return thing_insert(tx, 1, "x", 1);
}

static enum err run_global_stmt(struct scope *s, struct db_tx *tx, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	return db_query(tx, &count_all, DB_NOARGS, &r);
}

static enum err run_tenant_text(struct scope *s, struct db_tx *tx, void *arg)
{
	return db_exec_text(tx, DB_REACH_TENANT, "DELETE FROM things WHERE tenant_id = ?1", DB_NOARGS, NULL);
}

static enum err run_global_text(struct scope *s, struct db_tx *tx, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	return db_query_text(tx, DB_REACH_GLOBAL, "SELECT 1", DB_NOARGS, &r);
}

static void the_wrong_reach_is_refused(void **state)
{
	struct scope s;
	struct db_fixture *f = fixture_of(state);
	const struct {
		const struct id *tenant;
		db_fn fn;
	} wrong[] = {{NULL, run_tenant_stmt},
		     {&tenant_a, run_global_stmt},
		     {NULL, run_tenant_text},
		     {&tenant_a, run_global_text}};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		scope_in(&s, f, wrong[i].tenant);
		assert_int_equal(db_write(&s, wrong[i].fn, NULL), ERR_INTERNAL);
		assert_non_null(s.detail);
		assert_non_null(strstr(s.detail, "tenant"));
	}
	scope_in(&s, f, &tenant_a);
	OKAY(&s, db_write(&s, run_tenant_stmt, NULL));
	OKAY(&s, db_write(&s, run_tenant_text, NULL));
	assert_int_equal(counted(f, &tenant_a), 0);
}

static enum err change_tenant_inside(struct scope *s, struct db_tx *tx, void *arg)
{
	s->tenant = tenant_b;
	enum err e = thing_insert(tx, 1, "x", 1);
	s->tenant = tenant_a;
	return e;
}

static void the_tenant_is_that_of_the_beginning(void **state)
{
	struct scope s;
	struct db_fixture *f = fixture_of(state);
	scope_in(&s, f, &tenant_a);
	OKAY(&s, db_write(&s, change_tenant_inside, NULL));
	assert_int_equal(counted(f, &tenant_a), 1);
	assert_int_equal(counted(f, &tenant_b), 0);
}

static enum err too_few(struct scope *s, struct db_tx *tx, void *arg)
{
	return db_exec(tx, &set_things, DB_NOARGS, NULL);
}

static enum err two_statements(struct scope *s, struct db_tx *tx, void *arg)
{
	return db_exec_text(tx, DB_REACH_TENANT, "DELETE FROM things WHERE tenant_id = ?1; DELETE FROM things",
			    DB_NOARGS, NULL);
}

static void a_malformed_call_is_refused(void **state)
{
	struct scope s;
	struct db_fixture *f = fixture_of(state);
	const db_fn wrong[] = {too_few, two_statements};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		scope_in(&s, f, &tenant_a);
		assert_int_equal(db_write(&s, wrong[i], NULL), ERR_INTERNAL);
		assert_non_null(s.detail);
	}
}

/* ---- the second lock (PostgreSQL) ---- */

static enum err forget_where(struct scope *s, struct db_tx *tx, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_text(tx, DB_REACH_TENANT, "SELECT name FROM things WHERE tenant_id = ?1 OR 1 = 1", DB_NOARGS, &r));
	int64_t n = 0;
	while (db_next(r))
		n++;
	TRY(db_rows_err(r));
	TRY(db_exec_text(tx, DB_REACH_TENANT, "UPDATE things SET n = 99 WHERE tenant_id = ?1 OR 1 = 1", DB_NOARGS,
			 arg));
	WANT(n == 2 && *(int64_t *)arg == 2);
	return OK;
}

static enum err insert_for_b(struct scope *s, struct db_tx *tx, void *arg)
{
	struct id id = numbered(50);
	return db_exec_text(tx, DB_REACH_TENANT,
			    "INSERT INTO things (tenant_id, thing_id) SELECT ?2, ?3 WHERE ?1 <> ?2",
			    DB_ARGS(db_v_id(&tenant_b), db_v_id(&id)), NULL);
}

static void row_security_holds_where_sql_forgets(void **state)
{
	struct scope s;
	int64_t changed;
	struct db_fixture *f = fixture_only(state, DB_POSTGRES);
	scope_in(&s, f, &tenant_a);
	OKAY(&s, db_write(&s, insert_some, &(int){2}));
	scope_in(&s, f, &tenant_b);
	OKAY(&s, db_write(&s, insert_some, &(int){5}));
	scope_in(&s, f, &tenant_a);
	OKAY(&s, db_write(&s, forget_where, &changed));
	assert_int_equal(db_write(&s, insert_for_b, NULL), ERR_INTERNAL);
	assert_non_null(strstr(s.detail, "row-level security"));
	assert_int_equal(counted(f, NULL), 7);
}

static enum err event_add(struct scope *s, struct db_tx *tx, void *arg)
{
	struct id id = numbered(1);
	return db_exec(tx, &add_event, DB_ARGS(db_v_id(&id)), NULL);
}

static enum err text_run(struct scope *s, struct db_tx *tx, void *arg)
{
	return db_exec_text(tx, DB_REACH_GLOBAL, arg, DB_NOARGS, NULL);
}

static void the_application_role_is_bounded(void **state)
{
	struct scope s;
	struct db_fixture *f = fixture_only(state, DB_POSTGRES);
	static const char *const refused[] = {
		"DELETE FROM audit_events",
		"UPDATE audit_events SET event_id = event_id",
		"TRUNCATE things",
		"DROP TABLE things",
		"DELETE FROM schema_migrations",
		"CREATE TABLE mine (x bigint)",
		"SET ROLE postgres",
		"ALTER TABLE things DISABLE ROW LEVEL SECURITY",
	};
	scope_in(&s, f, &tenant_a);
	OKAY(&s, db_write(&s, event_add, NULL));
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		scope_in(&s, f, NULL);
		if (db_write(&s, text_run, (void *)refused[i]) == OK)
			fail_msg("%s was not refused", refused[i]);
	}
	scope_in(&s, f, NULL);
	OKAY(&s, db_write(&s, text_run, (void *)"DELETE FROM things"));
}

/* ---- errors ---- */

static enum err swallow(struct scope *s, struct db_tx *tx, void *arg)
{
	TRY(thing_insert(tx, 1, "one", 1));
	enum err e = thing_insert(tx, 2, "one", 1);
	WANT(e == ERR_EXISTS);
	WANT(thing_insert(tx, 3, "three", 1) == ERR_EXISTS); /* does not run */
	return OK;
}

static void a_failed_statement_fails_its_closure(void **state)
{
	struct scope s;
	struct db_fixture *f = fixture_of(state);
	scope_in(&s, f, &tenant_a);
	enum err e = db_write(&s, swallow, NULL);
	if (e != ERR_EXISTS)
		fail_msg("%s: %s", err_name(e), scope_detail(&s, e));
	assert_int_equal(counted(f, &tenant_a), 0);
}

static enum err insert_then_refuse(struct scope *s, struct db_tx *tx, void *arg)
{
	TRY(insert_some(s, tx, &(int){2}));
	return scope_fail(s, ERR_PRECONDITION, "no");
}

static void an_error_changes_nothing(void **state)
{
	struct scope s;
	struct db_fixture *f = fixture_of(state);
	scope_in(&s, f, &tenant_a);
	assert_int_equal(db_write(&s, insert_then_refuse, NULL), ERR_PRECONDITION);
	assert_string_equal(s.detail, "no");
	assert_int_equal(counted(f, &tenant_a), 0);
}

static enum err same_name(struct scope *s, struct db_tx *tx, void *arg)
{
	TRY(thing_insert(tx, 1, SECRET, 1));
	return thing_insert(tx, 2, SECRET, 1);
}

static enum err orphan(struct scope *s, struct db_tx *tx, void *arg)
{
	struct id id = numbered(1);
	return db_exec(tx, &add_strict, DB_ARGS(db_v_id(&id), db_v_text(SECRET)), NULL);
}

static enum err deferred_orphan(struct scope *s, struct db_tx *tx, void *arg)
{
	struct id id = numbered(1);
	return db_exec(tx, &add_part, DB_ARGS(db_v_id(&id)), NULL);
}

static enum err negative(struct scope *s, struct db_tx *tx, void *arg)
{
	return db_exec(tx, &add_counter, DB_ARGS(db_v_text(SECRET), db_v_int(-1)), NULL);
}

static enum err nameless(struct scope *s, struct db_tx *tx, void *arg)
{
	return db_exec(tx, &add_counter, DB_ARGS(db_v_null(), db_v_int(1)), NULL);
}

static enum err refused(struct scope *s, struct db_tx *tx, void *arg)
{
	return db_exec(tx, &add_fixed, DB_ARGS(db_v_int(1)), NULL);
}

static enum err wrong_type(struct scope *s, struct db_tx *tx, void *arg)
{
	return db_exec(tx, &add_counter, DB_ARGS(db_v_text("x"), db_v_text(SECRET)), NULL);
}

static enum err with_nul(struct scope *s, struct db_tx *tx, void *arg)
{
	return db_exec(tx, &add_counter, DB_ARGS(db_v_textn("a\0b", 3), db_v_int(1)), NULL);
}

static enum err not_utf8(struct scope *s, struct db_tx *tx, void *arg)
{
	return db_exec(tx, &add_counter, DB_ARGS(db_v_text("\xed\xa0\x80"), db_v_int(1)), NULL);
}

static void constraints_have_their_errors(void **state)
{
	struct scope s;
	struct db_fixture *f = fixture_of(state);
	const struct {
		const struct id *tenant;
		db_fn fn;
		enum err e;
	} cases[] = {
		{&tenant_a, same_name, ERR_EXISTS},
		{NULL, orphan, ERR_CONFLICT},
		{&tenant_a, deferred_orphan, ERR_CONFLICT},
		{NULL, negative, ERR_INTERNAL},
		{NULL, nameless, ERR_INTERNAL},
		{NULL, refused, ERR_CONFLICT},
		{NULL, wrong_type, ERR_INTERNAL},
		{NULL, with_nul, ERR_BAD_REQUEST},
		{NULL, not_utf8, ERR_BAD_REQUEST},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		scope_in(&s, f, cases[i].tenant);
		enum err e = db_write(&s, cases[i].fn, NULL);
		if (e != cases[i].e)
			fail_msg("case %zu: %s: %s", i, err_name(e), scope_detail(&s, e));
		assert_non_null(s.detail);
		assert_null(strstr(s.detail, SECRET));
	}
	assert_int_equal(db_write(&s, refused, NULL), ERR_CONFLICT);
	scope_in(&s, f, NULL);
	assert_int_equal(db_write(&s, refused, NULL), ERR_CONFLICT);
	assert_string_equal(s.detail, "nothing enters here");
}

static void a_read_cannot_write(void **state)
{
	struct scope s;
	struct db_fixture *f = fixture_of(state);
	scope_in(&s, f, &tenant_a);
	assert_int_equal(db_read(&s, insert_some, &(int){1}), ERR_INTERNAL);
	assert_int_equal(counted(f, &tenant_a), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(tenants_do_not_meet),
		BOTH(the_wrong_reach_is_refused),
		BOTH(the_tenant_is_that_of_the_beginning),
		BOTH(a_malformed_call_is_refused),
		POSTGRES(row_security_holds_where_sql_forgets),
		POSTGRES(the_application_role_is_bounded),
		BOTH(a_failed_statement_fails_its_closure),
		BOTH(an_error_changes_nothing),
		BOTH(constraints_have_their_errors),
		BOTH(a_read_cannot_write),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("db_rules", tests, NULL, NULL);
}
