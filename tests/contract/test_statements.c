/* SPDX-License-Identifier: Apache-2.0
 *
 * Every statement that the program declares, on the real schema: both engines prepare it, and on SQLite none of them
 * reads a table that grows from end to end.
 */
#include "db_fixture.h"

/* A row per tenant, migration or job, or a few of each tenant; what is pending is drained every second. */
static const char *const small_tables[] = {"tenants", "schema_migrations", "leases", "audit_heads", "audit_pending", "audit_removed",
					   "audit_sinks", "identity_providers"};

static void failures_none(int failures)
{
	if (failures > 0)
		fail_msg("%d statements, see above", failures);
}

static enum err prepare_all(struct scope *s, struct db_tx *tx, void *arg)
{
	for (struct db_stmt *st = db_stmt_first(); st != NULL; st = st->next) {
		enum err e = db_prepare_check(tx, st);
		if (e != OK) {
			print_message("# %s: %s\n", st->name, scope_detail(s, e));
			s->detail = NULL;
			++*(int *)arg;
		}
	}
	return OK;
}

static void prepare_on(enum db_engine engine)
{
	int failures = 0;
	struct scope s;
	struct db_fixture f;
	if (!fixture_open(&f, engine, NULL))
		skip();
	scope_system(&s, f.arena, f.db, NULL);
	enum err e = db_write(&s, prepare_all, &failures); /* a statement that writes needs a transaction that may */
	if (e != OK)
		print_message("# %s\n", scope_detail(&s, e));
	fixture_close(&f);
	assert_int_equal(e, OK);
	failures_none(failures);
}

static void sqlite_prepares_every_statement(void **state)
{
	prepare_on(DB_SQLITE);
}

static void postgres_prepares_every_statement(void **state)
{
	prepare_on(DB_POSTGRES);
}

/* ---- plans ---- */

static bool starts_with_one_of(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strncmp(name, list[i], strlen(list[i])) == 0)
			return true;
	return false;
}

/* SQLite's plan says "SCAN t" or "SCAN t USING INDEX i" for a walk over all of a table or an index.  What it said to
 * make or to fill itself before (a subquery) is no table; its own reading stands in the plan too. */
static bool scans_what_grows(const char *step, const char *made)
{
	static const char *const no_table[] = {"CONSTANT ROW", "(", "json_each"};
	char name[64];
	if (strncmp(step, "SCAN ", 5) != 0 ||
	    starts_with_one_of(step + 5, small_tables, sizeof small_tables / sizeof *small_tables) ||
	    starts_with_one_of(step + 5, no_table, sizeof no_table / sizeof *no_table))
		return false;
	snprintf(name, sizeof name, " %.*s;", (int)strcspn(step + 5, " "), step + 5);
	return strstr(made, name) == NULL;
}

static int highest_parameter(const char *sql)
{
	int highest = 0;
	for (const char *p = sql; (p = strchr(p, '?')) != NULL; p++)
		if (atoi(p + 1) > highest)
			highest = atoi(p + 1);
	return highest;
}

static enum err plan_check(struct db_tx *tx, struct db_stmt *st, int *failures)
{
	struct db_value nulls[64] = {0};
	auto_rows struct db_rows *r = NULL;
	char *sql = arena_printf(db_tx_scope(tx)->arena, "EXPLAIN QUERY PLAN %s", st->sql);
	TRY(db_query_text(tx, DB_REACH_GLOBAL, sql, nulls, (size_t)highest_parameter(st->sql), &r));
	const char *made = "";
	while (db_next(r)) {
		const char *step = db_text(r, 3);
		if (strncmp(step, "CO-ROUTINE ", 11) == 0 || strncmp(step, "MATERIALIZE ", 12) == 0)
			made = arena_printf(db_tx_scope(tx)->arena, "%s %s;", made, strchr(step, ' ') + 1);
		if (!scans_what_grows(step, made))
			continue;
		print_message("# %s: %s\n", st->name, step);
		++*failures;
	}
	return db_rows_err(r);
}

static enum err plan_all(struct scope *s, struct db_tx *tx, void *arg)
{
	for (struct db_stmt *st = db_stmt_first(); st != NULL; st = st->next)
		TRY(plan_check(tx, st, arg));
	return OK;
}

static void no_statement_reads_a_growing_table_to_its_end(void **state)
{
	int failures = 0;
	struct scope s;
	struct db_fixture f;
	if (!fixture_open(&f, DB_SQLITE, NULL))
		skip();
	scope_system(&s, f.arena, f.db, NULL);
	enum err e = db_read(&s, plan_all, &failures);
	if (e != OK)
		print_message("# %s\n", scope_detail(&s, e));
	fixture_close(&f);
	assert_int_equal(e, OK);
	failures_none(failures);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sqlite_prepares_every_statement),
		cmocka_unit_test(postgres_prepares_every_statement),
		cmocka_unit_test(no_statement_reads_a_growing_table_to_its_end),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("statements", tests, NULL, NULL);
}
