/* SPDX-License-Identifier: Apache-2.0
 *
 * Scope groups: every resource says whose its rows are, and what an actor reaches is the same in lists, counts, entities, expansions, records and
 * on every page.
 */
#include "fixture.h"

enum { PEOPLE = 12 }; /* 1 to 4 in group 1, 3 to 6 in group 2, the others in none; device n and n + 20 are user n's */

static void add_member(unsigned group, unsigned user)
{
	struct id g = test_id(3, group), u = test_id(1, user);
	run("INSERT INTO group_members (tenant_id, group_id, user_id, added_at) VALUES (?1, ?2, ?3, ?4)",
	    DB_ARGS(db_v_id(&g), db_v_id(&u), db_v_int(TEST_NOW)));
}

static void add_app(unsigned device)
{
	struct id d = test_id(2, device);
	run("INSERT INTO detected_apps (tenant_id, device_id, name, version) VALUES (?1, ?2, 'app', '1')", DB_ARGS(db_v_id(&d)));
}

static void fill(void)
{
	as_tenant(tenant_a);
	for (unsigned n = 1; n <= PEOPLE; n++) {
		add_user(n, arena_printf(fx.d.arena, "u%u@x", n), arena_printf(fx.d.arena, "User %u", n), n == 2);
		add_device(n, n, arena_printf(fx.d.arena, "d%u", n), NULL);
		add_device(n + 20, n, arena_printf(fx.d.arena, "e%u", n), NULL);
		add_app(n);
	}
	add_device(40, 0, "nobody's", NULL);
	for (unsigned n = 1; n <= 4; n++)
		add_member(1, n);
	for (unsigned n = 3; n <= 6; n++)
		add_member(2, n);
}

static const struct scope_groups *only(size_t n, ...)
{
	struct scope_groups *g = arena_alloc(fx.d.arena, sizeof *g);
	struct id *ids = arena_alloc(fx.d.arena, n * sizeof *ids);
	va_list ap;
	va_start(ap, n);
	for (size_t i = 0; i < n; i++)
		ids[i] = test_id(3, va_arg(ap, unsigned));
	va_end(ap);
	*g = (struct scope_groups){ids, n};
	return g;
}

static enum err get_one(const struct resource *r, struct id key)
{
	struct question a = {.q = {.res = r}, .key = key, .kind = 2};
	return ask(&a, "");
}

static long long count(const struct resource *r, const char *query)
{
	struct question a = {.q = {.res = r}, .kind = 1};
	ok(ask(&a, query));
	return atoll(fx.out.data);
}

/* ---- every resource ---- */

static void every_resource_says_whose_it_is(void **state)
{
	size_t n;
	const struct resource *const *r = resource_all(&n);
	for (size_t i = 0; i < n; i++) {
		bool owned = r[i]->whose == WHOSE_PERSONS || r[i]->whose == WHOSE_DEVICES;
		if (r[i]->whose == WHOSE_UNSAID)
			fail_msg("%s does not say whose its rows are", r[i]->name);
		if (owned != (r[i]->owner != NULL))
			fail_msg("%s: an owner is for what is a person's or a device's", r[i]->name);
		if (r[i]->whose != WHOSE_NOBODYS)
			continue;
		for (size_t p = 0; p < r[i]->prop_count; p++) /* a row with a person's id is that person's */
			if (r[i]->props[p].sql != NULL && strcmp(r[i]->props[p].sql, "user_id") == 0)
				fail_msg("%s has a user_id and says that it is nobody's", r[i]->name);
	}
}

/* Each way in which a resource is asked, with and without groups: the engine takes the statement, and nothing of an empty group is seen. */
static void every_condition_is_taken(void **state)
{
	size_t n;
	const struct resource *const *r = resource_all(&n);
	fill();
	for (size_t i = 0; i < n; i++) {
		as_tenant(tenant_a);
		fx.s.actor.only = only(2, 8u, 9u); /* nobody is a member */
		bool open = r[i]->whose == WHOSE_NOBODYS;
		list(r[i], "$count=true");
		if (!open && json_array_size(json_object_get(fx.page, "value")) != 0)
			fail_msg("%s lists rows for a group without members", r[i]->name);
		if (!open)
			assert_int_equal(count(r[i], ""), 0);
		if (strchr(r[i]->key, ',') == NULL && !r[i]->global)
			assert_int_equal(get_one(r[i], test_id(2, 3)), ERR_NOT_FOUND);
	}
}

/* ---- what is reached ---- */

static void reaches(const struct resource *r, const char *property, const struct scope_groups *groups, const char *want)
{
	as_tenant(tenant_a);
	fx.s.actor.only = groups;
	const char *got = column(list(r, "$orderby=id&$count=true"), property);
	if (strcmp(got, want) != 0)
		fail_msg("%s: %s instead of %s", r->name, got, want);
	assert_int_equal(json_integer_value(json_object_get(fx.page, "@odata.count")), json_array_size(json_object_get(fx.page, "value")));
	assert_int_equal(count(r, ""), json_array_size(json_object_get(fx.page, "value")));
}

static void lists_and_counts(void **state)
{
	fill();
	reaches(&RES_USER, "displayName", only(1, 1u), "User 1,User 3,User 4");
	reaches(&RES_USER, "displayName", only(2, 2u, 1u), "User 1,User 3,User 4,User 5,User 6");
	reaches(&RES_DELETED_USER, "displayName", only(1, 1u), "User 2");
	reaches(&RES_DELETED_USER, "displayName", only(1, 2u), "");
	reaches(&RES_MANAGED_DEVICE, "deviceName", only(1, 2u), "d3,d4,d5,d6,e3,e4,e5,e6");
	as_tenant(tenant_b);
	fx.s.actor.only = only(1, 1u); /* a group's id of another tenant says nothing here */
	assert_int_equal(count(&RES_MANAGED_DEVICE, ""), 0);
}

static void entities(void **state)
{
	fill();
	for (unsigned n = 1; n <= PEOPLE; n++) {
		as_tenant(tenant_a);
		fx.s.actor.only = only(1, 2u);
		enum err want = n >= 3 && n <= 6 ? OK : ERR_NOT_FOUND;
		assert_int_equal(get_one(&RES_MANAGED_DEVICE, test_id(2, n)), want);
		assert_int_equal(get_one(&RES_USER, test_id(1, n)), want);
	}
	assert_int_equal(get_one(&RES_MANAGED_DEVICE, test_id(2, 40)), ERR_NOT_FOUND);
}

/* Every row once over pages of one, and a page's token is of no use to who reaches others. */
static void pages_are_of_one_reach(void **state)
{
	char seen[256] = "";
	fill();
	as_tenant(tenant_a);
	fx.s.actor.only = only(1, 1u);
	const char *next = "$top=1&$orderby=deviceName&$count=true", *token = NULL;
	while (next != NULL) {
		strncat(seen, column(list(&RES_MANAGED_DEVICE, next), "deviceName"), sizeof seen - strlen(seen) - 1);
		assert_int_equal(json_integer_value(json_object_get(fx.page, "@odata.count")), 8);
		next = next_query() == NULL ? NULL : arena_strdup(fx.d.arena, next_query());
		token = next == NULL ? token : next;
	}
	assert_string_equal(seen, "d1d2d3d4e1e2e3e4");
	fx.s.actor.only = only(1, 2u);
	assert_int_equal(try_list(&RES_MANAGED_DEVICE, token), ERR_BAD_REQUEST);
	fx.s.actor.only = NULL;
	assert_int_equal(try_list(&RES_MANAGED_DEVICE, token), ERR_BAD_REQUEST);
}

static enum err grow(struct scope *s, struct db_tx *tx, void *arg)
{
	struct id g = test_id(3, 1);
	for (unsigned n = 0; n < 2100; n++) {
		struct id u = test_id(9, n);
		TRY(db_exec_text(tx, DB_REACH_TENANT, "INSERT INTO group_members (tenant_id, group_id, user_id, added_at) VALUES (?1, ?2, ?3, 0)",
				 DB_ARGS(db_v_id(&g), db_v_id(&u)), NULL));
	}
	return OK;
}

/* A large group is read in another way; what is seen, and the place in it, are the same. */
static void a_group_grows_between_pages(void **state)
{
	fill();
	fx.s.actor.only = only(1, 1u);
	assert_string_equal(column(list(&RES_MANAGED_DEVICE, "$top=3&$orderby=deviceName"), "deviceName"), "d1,d2,d3");
	const char *next = arena_strdup(fx.d.arena, next_query());
	ok(db_write(&fx.s, grow, NULL));
	assert_string_equal(column(list(&RES_MANAGED_DEVICE, next), "deviceName"), "d4,e1,e2");
	assert_int_equal(count(&RES_MANAGED_DEVICE, ""), 8);
	assert_string_equal(column(list(&RES_MANAGED_DEVICE, "$orderby=deviceName%20desc&$top=2"), "deviceName"), "e4,e3");
}

/* As the relation's own permission reaches, which may be less or more than the list's. */
static void expansions(void **state)
{
	static const struct resource_relation devices = {.name = "managedDevices", .target = &RES_MANAGED_DEVICE, .via = "", .parent = "t.user_id", .page = 200};
	fill();
	struct question a = {.q = {.res = &RES_USER, .expansions = {{.relation = &devices, .only = only(1, 2u)}}, .expansion_count = 1}};
	fx.s.actor.only = only(1, 1u);
	ok(ask(&a, "$expand=managedDevices&$orderby=id"));
	size_t want[] = {0, 2, 2}, i; /* users 1, 3, 4; of group 2 only 3 and 4 */
	json_t *row;
	json_array_foreach (json_object_get(fx.page, "value"), i, row)
		assert_int_equal(json_array_size(json_object_get(row, "managedDevices")), want[i]);
	assert_int_equal(i, 3);
}

static enum err load(struct scope *s, struct db_tx *tx, void *arg)
{
	struct record *r;
	struct id *key = arg;
	TRY(record_load(tx, &RES_MANAGED_DEVICE, *key, true, &r));
	return resource_reachable(tx, &RES_MANAGED_DEVICE, *key);
}

static void records(void **state)
{
	fill();
	fx.s.actor.only = only(1, 1u);
	assert_int_equal(db_read(&fx.s, load, &(struct id[]){test_id(2, 1)}[0]), OK);
	assert_int_equal(db_read(&fx.s, load, &(struct id[]){test_id(2, 5)}[0]), ERR_NOT_FOUND);
}

struct condition_count {
	enum resource_whose whose;
	const char *owner, *from;
	bool each;
	int64_t n;
};

static enum err count_condition(struct scope *s, struct db_tx *tx, void *arg)
{
	struct condition_count *c = arg;
	struct resource_condition reach;
	auto_rows struct db_rows *r = NULL;
	TRY(resource_reach_condition(s, s->actor.only, c->whose, c->owner, c->each, 2, &reach));
	TRY(db_query_text(tx, DB_REACH_TENANT, arena_printf(s->arena, "SELECT count(*) FROM %s t WHERE t.tenant_id = ?1 AND %s", c->from, reach.sql),
			  reach.args, reach.arg_count, &r));
	c->n = db_next(r) ? db_int(r, 0) : -1;
	return db_rows_err(r);
}

static void both_forms_agree(void **state)
{
	static const struct condition_count forms[] = {{WHOSE_PERSONS, "t.user_id", "managed_devices", false, 12},
						       {WHOSE_DEVICES, "t.device_id", "detected_apps", false, 6},
						       {WHOSE_NOBODYS, NULL, "detected_apps", false, PEOPLE},
						       {WHOSE_TENANTS, NULL, "detected_apps", false, 0},
						       {WHOSE_UNSAID, NULL, "detected_apps", false, 0}};
	fill();
	for (size_t i = 0; i < 2 * sizeof forms / sizeof forms[0]; i++) {
		struct condition_count c = forms[i / 2];
		fx.s.actor.only = only(2, 1u, 2u);
		c.each = i % 2 != 0;
		ok(db_read(&fx.s, count_condition, &c));
		assert_int_equal(c.n, forms[i / 2].n);
	}
}

/* ---- files that somebody asked for ---- */

static void add_job(unsigned n, unsigned asker, const struct scope_groups *groups)
{
	struct id job = test_id(5, n), by = test_id(1, asker);
	run("INSERT INTO report_jobs (tenant_id, job_id, report_name, filter, format, localization, status, requested_by, scope_groups, requested_at, "
	    "expires_at) VALUES (?1, ?2, ?3, '', 'csv', 'x', 'notStarted', ?4, ?5, ?6, ?6)",
	    DB_ARGS(db_v_id(&job), db_v_text(arena_printf(fx.d.arena, "R%u", n)), db_v_id(&by), db_v_text(scope_groups_text(fx.d.arena, groups)),
		    db_v_int(TEST_NOW + (int64_t)n)));
}

static void files_of_askers(void **state)
{
	fill();
	add_job(1, 1, only(2, 1u, 2u));
	add_job(2, 1, only(1, 1u));
	add_job(3, 1, NULL);
	add_job(4, 2, only(2, 1u, 2u));
	as_tenant(tenant_a);
	assert_int_equal(count(&RES_REPORT_JOB, ""), 4);
	fx.s.actor = (struct actor){.type = ACTOR_USER, .id = test_id(1, 1), .only = only(2, 2u, 1u)}; /* in any order */
	assert_string_equal(column(list(&RES_REPORT_JOB, ""), "reportName"), "R1");
	assert_int_equal(count(&RES_REPORT_JOB, ""), 1);
}

static void groups_as_text(void **state)
{
	const struct scope_groups *g = only(3, 9u, 2u, 5u);
	const char *text = scope_groups_text(fx.d.arena, g);
	const struct scope_groups *back = scope_groups_parse(fx.d.arena, text);
	assert_int_equal(back->n, 3);
	assert_string_equal(scope_groups_text(fx.d.arena, back), text);
	assert_string_equal(text, scope_groups_text(fx.d.arena, only(3, 2u, 5u, 9u)));
	assert_true(id_equal(back->groups[0], test_id(3, 2)));
	assert_null(scope_groups_text(fx.d.arena, NULL));
	assert_null(scope_groups_parse(fx.d.arena, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_resource_says_whose_it_is), TEST(every_condition_is_taken), TEST(lists_and_counts), TEST(entities),
		TEST(pages_are_of_one_reach), TEST(a_group_grows_between_pages), TEST(expansions), TEST(records), TEST(both_forms_agree), TEST(files_of_askers), TEST(groups_as_text)};
	return RUN(tests);
}
