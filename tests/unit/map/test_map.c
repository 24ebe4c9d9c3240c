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

static bool has_personal(const struct map_table *t)
{
	size_t n;
	const struct map_column *c = map_table_columns(t, &n);
	for (size_t i = 0; i < n; i++)
		if (c[i].kind == MAP_KIND_PERSONAL)
			return true;
	return false;
}

/* Whose it is, what for, on which basis, for how long: of everything personal. */
static void what_is_personal_says_why(void **state)
{
	size_t n, paths;
	const struct map_table *t = map_tables(&n);
	unsigned periods = 0;
	for (size_t i = 0; i < n; i++) {
		bool reached = map_table_paths(&t[i], &paths) != NULL;
		if (*t[i].purpose == '\0')
			fail_msg("%s says no purpose", t[i].name);
		if (!has_personal(&t[i]))
			continue;
		if (!reached)
			fail_msg("%s has personal columns and no path to the person", t[i].name);
		if (t[i].basis == MAP_BASIS_NONE)
			fail_msg("%s has personal columns and no legal basis", t[i].name);
		if (t[i].retention == MAP_RETAIN_FOR_EVER || t[i].retention == MAP_RETAIN_INSTALLATION)
			fail_msg("%s has personal columns and no end", t[i].name);
		periods |= 1u << t[i].retention;
	}
	assert_true(__builtin_popcount(periods) <= 8); /* DIN 66398: few standard periods */
}

/* Each path starts at a column of the map that holds an id, and each section is one path's. */
static void paths_are_whole(void **state)
{
	size_t n;
	const struct map_path *p = map_paths(&n);
	for (size_t i = 0; i < n; i++) {
		const struct map_column *c = map_column(p[i].table, p[i].column);
		assert_non_null(c);
		assert_int_equal(c->type, MAP_TYPE_ID);
		assert_true(p[i].through == MAP_THROUGH_DEVICE || c->kind == MAP_KIND_PERSONAL);
		if (p[i].role == MAP_ROLE_OWNER)
			assert_string_not_equal(p[i].section, "");
		for (size_t k = 0; k < i; k++) {
			assert_true(*p[i].section == '\0' || strcmp(p[k].section, p[i].section) != 0);
			assert_true(strcmp(p[k].table, p[i].table) != 0 || strcmp(p[k].column, p[i].column) != 0);
		}
	}
}

/* ---- the published taxonomy ---- */

enum { KEYS_MAX = 200 };
static char *keys[KEYS_MAX];
static size_t key_count;

static void read_taxonomy(void)
{
	char line[256];
	FILE *f = fopen(VECTORS "/fideslang-categories.txt", "r");
	assert_non_null(f);
	while (fgets(line, sizeof line, f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		assert_true(key_count < KEYS_MAX);
		if (*line != '#' && *line != '\0')
			keys[key_count++] = arena_strdup(F.arena, line);
	}
	fclose(f);
	assert_true(key_count > 80);
}

static bool is_key(const char *category, size_t len)
{
	for (size_t i = 0; i < key_count; i++)
		if (strlen(keys[i]) == len && strncmp(keys[i], category, len) == 0)
			return true;
	return false;
}

static void categories_are_fideslangs(void **state)
{
	size_t n, stores;
	const struct map_column *c = map_columns(&n);
	const struct map_store *s = map_stores(&stores);
	read_taxonomy();
	assert_false(is_key("user.device.name", strlen("user.device.name")));
	for (size_t i = 0; i < n; i++) {
		if (!is_key(c[i].category, strlen(c[i].category)))
			fail_msg("%s.%s: fideslang has no %s", c[i].table, c[i].name, c[i].category);
		if (c[i].kind == MAP_KIND_PERSONAL && strncmp(c[i].category, "system.", 7) == 0 && c[i].disclosure == MAP_DISCLOSE_FULL &&
		    strcmp(c[i].name, "error") != 0)
			fail_msg("%s.%s is personal and its category is not", c[i].table, c[i].name);
	}
	for (size_t i = 0; i < stores; i++)
		for (const char *p = s[i].categories; *p != '\0'; p += strspn(p, " ")) {
			size_t len = strcspn(p, " ");
			if (!is_key(p, len))
				fail_msg("%s: fideslang has no %.*s", s[i].name, (int)len, p);
			p += len;
		}
}

static void stores_say_all(void **state)
{
	size_t n;
	const struct map_store *s = map_stores(&n);
	const char *version = map_version_text(F.arena);
	assert_true(n > 10);
	for (size_t i = 0; i < n; i++) {
		assert_true(*s[i].place != '\0' && *s[i].holds != '\0' && *s[i].protection != '\0' && *s[i].erase != '\0' && *s[i].until != '\0');
		assert_non_null(strstr(version, s[i].name));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_consistent),	   cmocka_unit_test(what_is_personal_says_why), cmocka_unit_test(paths_are_whole),
		cmocka_unit_test(categories_are_fideslangs), cmocka_unit_test(stores_say_all),		cmocka_unit_test(the_map_is_the_schema),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, fixture_up, fixture_down);
}
