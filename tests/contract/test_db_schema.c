/* SPDX-License-Identifier: Apache-2.0
 *
 * Life of a schema on both engines: making it, migrating it, refusing what does not fit; and one owner of a SQLite
 * file.
 */
#include <sys/stat.h>

#include "db_case.h"

DB_GLOBAL(version_count, "SELECT count(*), max(version) FROM schema_migrations WHERE applied_at > 0 AND title <> ''");

#define SECOND "CREATE TABLE later (tenant_id ID NOT NULL PRIMARY KEY, note TEXT) STRICT;\n"

static const struct db_migration two[] = {{1, "things", TEST_SCHEMA}, {2, "later", SECOND}, {0}};
static const struct db_migration broken[] = {
	{1, "things", TEST_SCHEMA}, {2, "broken", SECOND "CREATE TABLE bad (;\n"}, {0}};

static enum err versions(struct scope *s, struct db_tx *tx, void *arg)
{
	int64_t *have = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &version_count, DB_NOARGS, &r));
	have[0] = db_int(r, 0);
	have[1] = db_int(r, 1);
	return OK;
}

static void versions_are(struct db_fixture *f, int64_t rows, int64_t highest)
{
	struct scope s;
	int64_t have[2];
	scope_in(&s, f, NULL);
	OKAY(&s, db_read(&s, versions, have));
	assert_int_equal(have[0], rows);
	assert_int_equal(have[1], highest);
}

/* Opens again after closing; the schema's owner migrates where `owner` is true. */
static enum err open_again(struct db_fixture *f, const struct db_migration *list, bool owner, char **why)
{
	*why = NULL;
	db_close(f->db);
	f->db = NULL;
	return db_open_with(&(struct db_options){.url = f->app_url, .owner_url = owner ? f->owner_url : NULL}, list,
			    &f->db, why);
}

static size_t column_count(struct db_fixture *f)
{
	struct scope s;
	size_t n = 0;
	struct db_column *columns;
	scope_in(&s, f, NULL);
	OKAY(&s, db_live_columns(&s, &columns, &n));
	return n;
}

static void opening_twice_changes_nothing(void **state)
{
	char *why;
	struct db_fixture *f = fixture_of(state);
	versions_are(f, 1, 1);
	for (int i = 0; i < 2; i++)
		fixture_ok(open_again(f, test_schema, i == 1, &why), why);
	versions_are(f, 1, 1);
}

static void a_missing_migration_is_run(void **state)
{
	char *why;
	struct db_fixture *f = fixture_of(state);
	size_t before = column_count(f);
	fixture_ok(open_again(f, two, true, &why), why);
	versions_are(f, 2, 2);
	assert_int_equal(column_count(f), before + 2);
}

static void the_application_role_cannot_migrate(void **state)
{
	char *why;
	struct db_fixture *f = fixture_only(state, DB_POSTGRES);
	assert_int_equal(open_again(f, two, false, &why), ERR_SCHEMA);
	assert_non_null(strstr(why, "owner"));
	free(why);
}

static void a_newer_schema_is_refused_unchanged(void **state)
{
	char *why;
	struct db_fixture *f = fixture_of(state);
	fixture_ok(open_again(f, two, true, &why), why);
	assert_int_equal(open_again(f, test_schema, true, &why), ERR_SCHEMA);
	assert_null(f->db);
	assert_non_null(strstr(why, "schema 2"));
	assert_null(strchr(why, '\n'));
	free(why);
	fixture_ok(open_again(f, two, true, &why), why);
	versions_are(f, 2, 2);
}

static void a_broken_migration_leaves_nothing(void **state)
{
	char *why;
	struct db_fixture *f = fixture_of(state);
	size_t before = column_count(f);
	assert_int_equal(open_again(f, broken, true, &why), ERR_INTERNAL);
	assert_non_null(strstr(why, "0002-broken"));
	free(why);
	fixture_ok(open_again(f, test_schema, true, &why), why);
	versions_are(f, 1, 1);
	assert_int_equal(column_count(f), before);
}

static void a_later_table_has_row_security_too(void **state)
{
	char *why;
	struct db_fixture *f = fixture_only(state, DB_POSTGRES);
	fixture_ok(open_again(f, two, true, &why), why);
	PGconn *c = PQconnectdb(f->app_url);
	PGresult *res = PQexec(
		c, "SELECT relname FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND"
		   " relrowsecurity AND EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid) ORDER BY 1");
	assert_int_equal(PQntuples(res), 4);
	assert_string_equal(PQgetvalue(res, 0, 0), "audit_events");
	assert_string_equal(PQgetvalue(res, 1, 0), "later");
	PQclear(res);
	res = PQexec(c, "INSERT INTO later (tenant_id) VALUES ('\\x00')"); /* without a tenant in the session */
	assert_string_equal(PQresultErrorField(res, PG_DIAG_SQLSTATE), "42501");
	PQclear(res);
	PQfinish(c);
}

static void a_database_in_use_is_not_initialised_again(void **state)
{
	char *app, *owner, *why = NULL;
	struct db_fixture *f = fixture_of(state);
	db_close(f->db);
	f->db = NULL;
	assert_int_equal(db_init_with(f->admin_url, test_schema, &app, &owner, &why), ERR_EXISTS);
	assert_non_null(why);
	free(why);
	fixture_ok(open_again(f, test_schema, false, &why), why);
}

static void a_database_without_schema_is_explained(void **state)
{
	char *why = NULL;
	struct db *db = NULL;
	fixture_only(state, DB_POSTGRES);
	assert_int_equal(db_open_with(&(struct db_options){.url = getenv("REEVE_TEST_PG")}, test_schema, &db, &why),
			 ERR_SCHEMA);
	assert_non_null(strstr(why, "reeve init"));
	free(why);
}

static void a_server_that_is_not_there_is_unavailable(void **state)
{
	char *why = NULL;
	struct db *db = NULL;
	fixture_only(state, DB_POSTGRES);
	const char *url = "postgresql:///nothing?host=/nonexistent";
	assert_int_equal(db_open_with(&(struct db_options){.url = url}, test_schema, &db, &why), ERR_UNAVAILABLE);
	assert_non_null(why);
	free(why);
}

static void one_server_holds_a_file(void **state)
{
	char *why = NULL;
	struct db *second = NULL;
	struct db_fixture *f = fixture_only(state, DB_SQLITE);
	assert_int_equal(db_open_with(&(struct db_options){.url = f->app_url}, test_schema, &second, &why), ERR_BUSY);
	assert_null(second);
	assert_non_null(strstr(why, f->file));
	free(why);
}

static void files_are_the_owners_alone(void **state)
{
	struct stat st;
	char path[128];
	static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
	struct db_fixture *f = fixture_only(state, DB_SQLITE);
	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
		snprintf(path, sizeof path, "%s%s", f->file, suffixes[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 077, 0);
	}
}

static void a_file_that_is_no_database_is_refused(void **state)
{
	char *why = NULL, url[160];
	struct db *db = NULL;
	struct db_fixture *f = fixture_only(state, DB_SQLITE);
	snprintf(url, sizeof url, "sqlite:%s/other", f->dir);
	FILE *file = fopen(url + 7, "w");
	for (int i = 0; i < 100; i++)
		fputs("this is a text and not a database\n", file);
	fclose(file);
	assert_int_equal(db_open_with(&(struct db_options){.url = url}, test_schema, &db, &why), ERR_IO);
	assert_non_null(why);
	free(why);
	why = NULL;
	assert_int_equal(db_open_with(&(struct db_options){.url = "sqlite:/nonexistent/x.db"}, test_schema, &db, &why),
			 ERR_IO);
	free(why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(opening_twice_changes_nothing),
		BOTH(a_missing_migration_is_run),
		POSTGRES(the_application_role_cannot_migrate),
		BOTH(a_newer_schema_is_refused_unchanged),
		BOTH(a_broken_migration_leaves_nothing),
		POSTGRES(a_later_table_has_row_security_too),
		BOTH(a_database_in_use_is_not_initialised_again),
		POSTGRES(a_database_without_schema_is_explained),
		POSTGRES(a_server_that_is_not_there_is_unavailable),
		SQLITE(one_server_holds_a_file),
		SQLITE(files_are_the_owners_alone),
		SQLITE(a_file_that_is_no_database_is_refused),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("db_schema", tests, NULL, NULL);
}
