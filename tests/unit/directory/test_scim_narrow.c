/* SPDX-License-Identifier: Apache-2.0
 * What of a filter an index serves: the statement that SQLite makes of it reads no table to its end; what the database decides; and what it knows
 * nothing of has no condition. */
#include "fixture.h"

#include "directory/provisioning/rows.h"
#include "directory/provisioning/searches.h"

struct plan {
	enum scim_resource r;
	const struct scim_condition *c;
	const char *text; /* out: its lines */
};

static enum err plan_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct plan *p = arg;
	auto_rows struct db_rows *rows = NULL;
	const char *order;
	TRY(scim_order(s, p->r, NULL, false, &order));
	const char *sql = arena_printf(s->arena, "EXPLAIN QUERY PLAN %s AND %s%s", scim_select(s, p->r), p->c->sql, order);
	p->text = "";
	TRY(db_query_text(tx, DB_REACH_TENANT, sql, p->c->args, p->c->arg_count, &rows));
	while (db_next(rows))
		p->text = arena_printf(F.arena, "%s%s\n", p->text, db_text(rows, 3));
	return db_rows_err(rows);
}

static void condition_of(enum scim_resource r, const char *filter, struct scim_condition *ret)
{
	struct scim_filter *f;
	fresh(&F.a);
	ok(scim_filter_parse(&F.a, filter, &f));
	ok(scim_filter_check(&F.a, r, false, f));
	scim_narrow(&F.a, r, f, ret);
}

/* A search by the tenant alone is a scan of it. */
static void indexes_serve(void **state)
{
	static const struct {
		enum scim_resource r;
		const char *filter, *index;
	} rows[] = {
		{SCIM_USER, "userName eq \"a@b\"", "users_by_upn"},
		{SCIM_USER, "externalId eq \"a\"", "users_by_external"},
		{SCIM_USER, "id eq \"01a205e6-4e6b-74e1-8000-cfce3f171ab8\"", "user_id=?"},
		{SCIM_USER, "emails eq \"a@b\"", "users_by_mail"},
		{SCIM_USER, "emails[type eq \"work\" and value eq \"a@b\"] and active eq true", "user_contacts_by_email"},
		{SCIM_USER, "emails[type eq \"work\"].value eq \"a@b\"", "users_by_mail"},
		{SCIM_USER, "userName eq \"a@b\" or emails eq \"a@b\" or externalId eq \"a\"", "user_contacts_by_email"},
		{SCIM_GROUP, "displayName eq \"a\"", "groups_by_name"},
		{SCIM_GROUP, "externalId eq \"a\"", "groups_by_external"},
		{SCIM_GROUP, "members eq \"01a205e6-4e6b-74e1-8000-cfce3f171ab8\"", "group_members_by_user"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct scim_condition c;
		condition_of(rows[i].r, rows[i].filter, &c);
		struct plan p = {rows[i].r, &c, NULL};
		assert_non_null(c.sql);
		ok(db_read(&F.a, plan_tx, &p));
		if (strstr(p.text, rows[i].index) == NULL || strstr(p.text, "SCAN") != NULL || strstr(p.text, "(tenant_id=?)") != NULL)
			fail_msg("%s:\n%s", rows[i].filter, p.text);
	}
}

static void nothing_is_lost(void **state)
{
	static const char *const wide[] = {"emails ne \"a\"", "not (userName eq \"a\")", "userName eq \"a\" or emails.type pr", "emails[not (value eq \"a\")]",
					   "schemas pr or title pr", "not (emails co \"a\")",
					   "emails co \"a\" or emails co \"b\" or emails co \"c\" or emails co \"d\""};
	struct scim_condition c;
	for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++) {
		condition_of(SCIM_USER, wide[i], &c);
		assert_null(c.sql);
		assert_int_equal(c.arg_count, 0);
		assert_false(c.exact);
	}
	condition_of(SCIM_USER, "(userName eq \"a\" or emails.type pr) and externalId eq \"x\"", &c);
	assert_non_null(strstr(c.sql, "x.external_id = ?2"));
	assert_int_equal(c.arg_count, 1);
	condition_of(SCIM_USER, "id eq \"no id\"", &c);
	assert_string_equal(c.sql, "1 = 0");
}

/* What the database decides alone. */
static void columns_are_exact(void **state)
{
	static const struct {
		const char *filter;
		bool exact;
	} rows[] = {
		{"userName sw \"a\" or not (title co \"b\" and active eq true)", true},
		{"meta.lastModified gt \"2026-01-01T00:00:00Z\" and displayName pr", true},
		{"userName eq \"a\" and title eq \"b\"", false},
		{"title eq \"b\" and emails.type eq \"work\"", false},
		{"emails co \"b\"", false},
		{"title eq null", false},
	};
	struct scim_condition c;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		condition_of(SCIM_USER, rows[i].filter, &c);
		if (c.exact != rows[i].exact)
			fail_msg("%s", rows[i].filter);
	}
}

static void long_searches_are_few(void **state)
{
	const struct id a = {{1}}, b = {{2}}, c = {{3}};
	assert_true(scim_search_enter(a));
	assert_true(scim_search_enter(a));
	assert_false(scim_search_enter(a));
	assert_true(scim_search_enter(b));
	assert_true(scim_search_enter(c));
	assert_false(scim_search_enter(b));
	scim_search_leave(a);
	assert_true(scim_search_enter(b));
	scim_search_leave(b);
	assert_true(scim_search_enter(a));
	scim_search_leave(a);
	scim_search_leave(a);
	scim_search_leave(b);
	scim_search_leave(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(indexes_serve),
		cmocka_unit_test(nothing_is_lost),
		cmocka_unit_test(columns_are_exact),
		cmocka_unit_test(long_searches_are_few),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, fixture_up, fixture_down);
}
