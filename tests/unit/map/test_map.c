/* SPDX-License-Identifier: Apache-2.0
 * The map against the live schema (I5), and its own consistency. */
#include "../directory/fixture.h"
#include "map/datamap.h"

static enum err alter_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	return db_exec_text(tx, DB_REACH_GLOBAL, arg, DB_NOARGS, NULL);
}

static void the_map_is_the_schema(void **state)
{
	if (map_check(&F.system) != OK)
		fail_msg("%s", F.system.detail);
	ok(db_write(&F.system, alter_tx, (void *)"ALTER TABLE users ADD COLUMN shoe_size TEXT"));
	refused(map_check(&F.system), ERR_SCHEMA);
	assert_non_null(strstr(F.system.detail, "users.shoe_size"));
	fresh(&F.system);
	ok(db_write(&F.system, alter_tx, (void *)"ALTER TABLE users DROP COLUMN shoe_size"));
	ok(db_write(&F.system, alter_tx, (void *)"ALTER TABLE users DROP COLUMN city"));
	refused(map_check(&F.system), ERR_SCHEMA);
	assert_non_null(strstr(F.system.detail, "users.city"));
	fresh(&F.system);
}

/* A column for the person who acted or is named in somebody else's row.  Audit events go by their retention. */
static bool names_others(const struct map_column *c)
{
	size_t n;
	const struct map_table *t = map_table(c->table);
	const struct map_path *p = map_table_paths(t, &n);
	for (size_t i = 0; i < n; i++)
		if (p[i].role != MAP_ROLE_OWNER && t->link != MAP_LINK_AUDIT && strcmp(p[i].column, c->name) == 0)
			return true;
	return false;
}

/* What holds a person's data is either reached from the person or says that it names none. */
static void rows_are_consistent(void **state)
{
	size_t tables, columns;
	const struct map_table *t = map_tables(&tables);
	const struct map_column *c = map_columns(&columns);
	for (size_t i = 0; i < columns; i++) {
		const struct map_table *of = map_table(c[i].table);
		assert_non_null(of);
		assert_non_null(strchr(c[i].category, '.'));
		if (c[i].kind == MAP_KIND_SECRET)
			assert_int_equal(c[i].audit, MAP_AUDIT_NEVER);
		if (of->erase == MAP_TABLE_DELETE && !names_others(&c[i]))
			assert_int_equal(c[i].erase, MAP_ERASE_ROW);
		if (names_others(&c[i]))
			assert_int_equal(c[i].erase, MAP_ERASE_NULL);
	}
	for (size_t i = 0; i < tables; i++) {
		const char *key = t[i].link == MAP_LINK_USER ? "user_id" : t[i].link == MAP_LINK_DEVICE ? "device_id" : NULL;
		if (key != NULL)
			assert_non_null(map_column(t[i].name, key));
		if (t[i].erase == MAP_TABLE_DELETE)
			assert_true(t[i].link == MAP_LINK_USER || t[i].link == MAP_LINK_DEVICE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(rows_are_consistent), cmocka_unit_test(the_map_is_the_schema)};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, fixture_up, fixture_down);
}
