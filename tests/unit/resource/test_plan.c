/* SPDX-License-Identifier: Apache-2.0
 *
 * The plans that SQLite makes of pages (and, of audit events, PostgreSQL): which index serves a list, and that nothing is sorted that an index has in
 * order.  A change of a table or of the schema that loses an index is found here and not by a customer with 100,000
 * devices.
 */
#include "fixture.h"
#include "resource/internal.h"

struct plan {
	struct resource_query q;
	char text[256 * 1024];
};

static enum err explain(struct scope *s, struct db_tx *tx, void *arg)
{
	struct plan *p = arg;
	struct sql sql;
	size_t at = 0;
	auto_rows struct db_rows *r = NULL;
	TRY(list_sql(tx, &p->q, &sql));
	bool sqlite = test_engine() == DB_SQLITE;
	TRY(db_query_text(tx, resource_reach(s, p->q.res), arena_printf(s->arena, "EXPLAIN %s%s", sqlite ? "QUERY PLAN " : "", sql.text),
			  sql.args, sql.arg_count, &r));
	p->text[0] = '\0';
	while (db_next(r) && at < sizeof p->text)
		at += (size_t)snprintf(p->text + at, sizeof p->text - at, "%s; ", db_text(r, sqlite ? 3 : 0));
	return db_rows_err(r);
}

static const char *plan_of(struct resource_query q, const char *query)
{
	static struct plan p;
	p.q = q;
	p.q.version = API_V1;
	ok(odata_parse(&fx.s, query, &p.q.odata));
	ok(db_read(&fx.s, explain, &p));
	return p.text;
}

static void plan(struct resource_query q, const char *query, const char *want, bool sorts)
{
	const char *got = plan_of(q, query);
	if (strstr(got, want) == NULL || (strstr(got, "TEMP B-TREE") != NULL) != sorts)
		fail_msg("%s?%s: %s", q.res->name, query, got);
}

static void serves(const struct resource *r, const char *query, const char *want)
{
	plan((struct resource_query){.res = r}, query, want, false);
}

/* The second page too. */
static void pages(const struct resource *r, const char *query, const char *first, const char *second)
{
	serves(r, query, first);
	list(r, query);
	assert_non_null(next_query());
	serves(r, arena_strdup(fx.s.arena, next_query()), second);
}

static void devices(void **state)
{
	as_tenant(tenant_a);
	add_device(1, 0, "a", NULL);
	add_device(2, 0, "b", NULL);
	pages(&RES_MANAGED_DEVICE, "$top=1", "t USING INDEX sqlite_autoindex_managed_devices_1 (tenant_id=?)",
	      "t USING INDEX sqlite_autoindex_managed_devices_1 (tenant_id=? AND device_id>?)");
	pages(&RES_MANAGED_DEVICE, "$top=1&$orderby=deviceName", "managed_devices_by_name (tenant_id=?)",
	      "managed_devices_by_name (tenant_id=? AND (device_name,device_id)>(?,?))");
	pages(&RES_MANAGED_DEVICE, "$top=1&$orderby=deviceName%20desc", "managed_devices_by_name (tenant_id=?)",
	      "managed_devices_by_name (tenant_id=? AND (device_name,device_id)<(?,?))");
	pages(&RES_MANAGED_DEVICE, "$top=1&$orderby=lastSyncDateTime%20desc", "managed_devices_by_sync (tenant_id=?)",
	      "managed_devices_by_sync (tenant_id=? AND (last_sync_at,device_id)<(?,?))");
	serves(&RES_MANAGED_DEVICE, "$orderby=lastSyncDateTime&$filter=lastSyncDateTime%20lt%202026-01-01",
	       "managed_devices_by_sync (tenant_id=? AND last_sync_at<?)");
	plan((struct resource_query){.res = &RES_MANAGED_DEVICE}, "$filter=id%20eq%20'01020000-0000-7000-8000-000000000001'",
	     "sqlite_autoindex_managed_devices_1 (tenant_id=? AND device_id=?)", true);
	serves(&RES_MANAGED_DEVICE, "$orderby=deviceName&$filter=deviceName%20eq%20'x'",
	       "managed_devices_by_name (tenant_id=? AND device_name=?)");
}

static enum err fill(struct scope *s, struct db_tx *tx, void *arg)
{
	for (unsigned n = 1; n <= 2000; n++) {
		struct id id = test_id(2, n), user = test_id(1, n / 2);
		char name[16];
		snprintf(name, sizeof name, "d%u", n);
		TRY(db_exec_text(tx, DB_REACH_TENANT, DEVICE_SQL,
				 DB_ARGS(db_v_id(&id), db_v_id(&user), db_v_text(name), db_v_text(name), db_v_null(), db_v_int((int64_t)n)), NULL));
	}
	return OK;
}

/* With statistics: without them SQLite takes a tenant to have ten devices and reads them all. */
static void found_devices(void **state)
{
	static const char *const queries[] = {"$filter=userPrincipalName%20eq%20'x'",
					      "$filter=userPrincipalName%20in%20('x')"};
	as_tenant(tenant_a);
	ok(db_write(&fx.s, fill, NULL));
	as_system();
	run("ANALYZE", DB_NOARGS);
	as_tenant(tenant_a);
	plan((struct resource_query){.res = &RES_MANAGED_DEVICE}, "$filter=serialNumber%20eq%20'x'",
	     "managed_devices_by_serial (tenant_id=? AND serial_number=?)", true);
	for (size_t i = 0; i < 2; i++) {
		const char *got = plan_of((struct resource_query){.res = &RES_MANAGED_DEVICE}, queries[i]);
		if (strstr(got, "t USING INDEX managed_devices_by_user (tenant_id=? AND user_id=?)") == NULL ||
		    strstr(got, "users_by_upn (tenant_id=? AND upn_key=?)") == NULL || strstr(got, "SCAN") != NULL)
			fail_msg("%s", got);
	}
}

/* Who sees some people only: from the people to their devices, or, for each row, to its person. */
static void reached(void **state)
{
	static const struct id group = {{0x33}};
	static const struct scope_groups only = {&group, 1};
	as_tenant(tenant_a);
	ok(db_write(&fx.s, fill, NULL));
	as_system();
	run("ANALYZE", DB_NOARGS);
	as_tenant(tenant_a);
	fx.s.actor.only = &only;
	const char *got = plan_of((struct resource_query){.res = &RES_MANAGED_DEVICE}, "$top=100");
	if (strstr(got, "managed_devices_by_user (tenant_id=? AND user_id=?)") == NULL || strstr(got, "SCAN t") != NULL)
		fail_msg("%s", got);
	got = plan_of((struct resource_query){.res = &RES_MANAGED_DEVICE, .extra_where = "1=1"}, "$top=100");
	if (strstr(got, "gm USING COVERING INDEX sqlite_autoindex_group_members_1 (tenant_id=? AND group_id=? AND user_id=?)") == NULL ||
	    strstr(got, "TEMP B-TREE") != NULL)
		fail_msg("%s", got);
}

static void people(void **state)
{
	as_tenant(tenant_a);
	add_user(1, "a@x", "A", false);
	add_user(2, "b@x", "B", false);
	pages(&RES_USER, "$top=1", "sqlite_autoindex_users_1 (tenant_id=?)",
	      "sqlite_autoindex_users_1 (tenant_id=? AND user_id>?)");
	pages(&RES_USER, "$top=1&$orderby=displayName", "users_by_name (tenant_id=?)",
	      "users_by_name (tenant_id=? AND (display_name,user_id)>(?,?))");
	plan((struct resource_query){.res = &RES_USER}, "$filter=userPrincipalName%20eq%20'x'",
	     "users_by_upn (tenant_id=? AND upn_key=?)", false);
	plan((struct resource_query){.res = &RES_DELETED_USER}, "", "users_deleted (tenant_id=?", true);
}

/* Every event of the tenant has another actor, address … than most, as in life. */
static enum err fill_events(struct scope *s, struct db_tx *tx, void *arg)
{
	for (unsigned n = 1; n <= 2000; n++) {
		struct id id = test_id(7, n), about = test_id(1, n / 4);
		char text[16];
		snprintf(text, sizeof text, "x%u", n % 50);
		TRY(db_exec_text(tx, DB_REACH_TENANT,
				 "INSERT INTO audit_events (tenant_id, event_id, at, expires_at, bytes, salt, correlation_id, category, activity_type, "
				 "operation, result, component, actor_type, actor_id, subject_id, actor_upn, actor_ip, resource_id) VALUES (?1, ?2, ?3, "
				 "?6, ?2, ?2, ?2, ?5, ?5, 'Patch', 'Success', ?5, 'System', ?4, ?4, ?5, ?5, ?4)",
				 DB_ARGS(db_v_id(&id), db_v_int(TEST_NOW + (int64_t)n), db_v_id(&about), db_v_text(text),
					 db_v_int(TEST_NOW + 400 * DAY_US)), NULL));
	}
	return OK;
}

#define SOME_ID "'01010000-0000-7000-8000-000000000001'"

/* What an investigator asks for, and the column by which it is found. */
static const struct {
	const char *filter, *index, *column;
} FOUND[] = {
	{"category%20eq%20'role'", "by_category", "category"},
	{"activityType%20eq%20'Create%20user'", "by_activity", "activity_type"},
	{"actor/userId%20eq%20" SOME_ID, "by_actor", "actor_id"},
	{"actor/applicationId%20eq%20" SOME_ID, "by_actor", "actor_id"},
	{"actor/userPrincipalName%20eq%20'Anna@acme.example'", "by_upn", "actor_upn"},
	{"actor/ipAddress%20eq%20'192.0.2.1'", "by_address", "actor_ip"},
	{"subjectId%20eq%20" SOME_ID, "by_subject", "subject_id"},
	{"resources/any(r:r/resourceId%20eq%20" SOME_ID ")", "by_resource", "resource_id"},
};

static const char *events_plan(const struct resource *r, const char *filter, const char *more)
{
	return plan_of((struct resource_query){.res = r}, arena_printf(fx.d.arena, "$filter=%s%s", filter, more));
}

/* Alone, within a time, and on the next page: by its index, and never sorted. */
static void found_events(void)
{
	static const char *const forms[] = {"", "&$orderby=activityDateTime%20desc", "&$orderby=activityDateTime"};
	for (size_t i = 0; i < sizeof FOUND / sizeof FOUND[0]; i++)
		for (size_t j = 0; j < 6; j++) {
			const char *filter = j < 3 ? FOUND[i].filter
						   : arena_printf(fx.d.arena, "activityDateTime%%20ge%%202026-01-01%%20and%%20%s%%20and%%20activityDateTime"
											    "%%20lt%%202027-06-01", FOUND[i].filter);
			const char *got = events_plan(&RES_AUDIT_EVENT, filter, forms[j % 3]);
			const char *want = arena_printf(fx.d.arena, "audit_events_%s (tenant_id=? AND %s=?%s)", FOUND[i].index, FOUND[i].column,
							j < 3 ? "" : " AND at>? AND at<?");
			if (strstr(got, want) == NULL || strstr(got, "TEMP B-TREE") != NULL)
				fail_msg("%s%s: %s, not %s", filter, forms[j % 3], got, want);
		}
}

static void events(void **state)
{
	as_tenant(tenant_a);
	serves(&RES_AUDIT_EVENT, "", "audit_events_by_time (tenant_id=?)");
	serves(&RES_AUDIT_EVENT, "$filter=activityDateTime%20gt%202026-01-01", "audit_events_by_time (tenant_id=? AND at>?)");
	serves(&RES_DIRECTORY_AUDIT, "", "audit_events_of_directory (tenant_id=?)");
	serves(&RES_DIRECTORY_AUDIT, "$filter=activityDateTime%20gt%202026-01-01&$orderby=activityDateTime",
	       "audit_events_of_directory (tenant_id=? AND at>?)");
	found_events(); /* with an empty table and without statistics … */
	ok(db_write(&fx.s, fill_events, NULL));
	as_system();
	run("ANALYZE", DB_NOARGS);
	as_tenant(tenant_a);
	found_events(); /* … and with them */
	pages(&RES_AUDIT_EVENT, "$top=1&$filter=category%20eq%20'x1'", "audit_events_by_category (tenant_id=? AND category=?)",
	      "audit_events_by_category (tenant_id=? AND category=? AND (at,event_id)<(?,?))");
}

/* PostgreSQL chooses by its statistics; what they cannot mend is an index that does not fit. */
static enum err explain_postgres(struct scope *s, struct db_tx *tx, void *arg)
{
	TRY(db_exec_text(tx, DB_REACH_TENANT, "SET LOCAL enable_seqscan = off", DB_NOARGS, NULL));
	TRY(db_exec_text(tx, DB_REACH_TENANT, "SET LOCAL enable_bitmapscan = off", DB_NOARGS, NULL));
	return explain(s, tx, arg);
}

static void events_on_postgres(void **state)
{
	static struct plan p;
	as_tenant(tenant_a);
	ok(db_write(&fx.s, fill_events, NULL));
	for (size_t i = 0; i < sizeof FOUND / sizeof FOUND[0]; i++) {
		const char *query = arena_printf(fx.d.arena, "$orderby=activityDateTime%%20desc&$filter=activityDateTime%%20ge%%202026-01-01%%20and%%20%s",
						 FOUND[i].filter);
		p.q = (struct resource_query){.res = &RES_AUDIT_EVENT, .version = API_V1};
		ok(odata_parse(&fx.s, query, &p.q.odata));
		ok(db_write(&fx.s, explain_postgres, &p));
		const char *want = arena_printf(fx.d.arena, "%s = ", FOUND[i].column);
		const char *cond = strstr(p.text, "Index Cond: ");
		if (cond == NULL || memmem(cond, strcspn(cond, ";"), want, strlen(want)) == NULL || strstr(p.text, "Seq Scan") != NULL)
			fail_msg("%s: %s", query, p.text);
	}
}

static void apps_of_a_device(void **state)
{
	struct id id = test_id(2, 1);
	as_tenant(tenant_a);
	plan((struct resource_query){.res = &RES_DETECTED_APP,
				     .extra_where = "t.device_id = ?2",
				     .args = (const struct db_value[]){db_v_id(&id)},
				     .arg_count = 1},
	     "", "sqlite_autoindex_detected_apps_1 (tenant_id=? AND device_id=?)", false);
}

static void below(const struct resource *r, const char *where, const char *query, const char *want)
{
	struct id id = test_id(2, 1);
	plan((struct resource_query){.res = r, .extra_where = where, .args = (const struct db_value[]){db_v_id(&id)}, .arg_count = 1}, query, want,
	     false);
}

static void what_stands_where(void **state)
{
	as_tenant(tenant_a);
	below(&RES_APP_INSTALL_STATUS, "t.item_id = ?2", "", "t USING INDEX provisioned_items_by_item (tenant_id=? AND item_id=?)");
	below(&RES_DEVICE_CONFIGURATION_STATE, "t.device_id = ?2", "", "sqlite_autoindex_provisioned_items_1 (tenant_id=? AND device_id=?)");
	serves(&RES_REMOTE_ACTION_AUDIT, "", "device_actions_by_time (tenant_id=?)");
	serves(&RES_REMOTE_ACTION_AUDIT, "$filter=managedDeviceId%20eq%20'01020000-0000-7000-8000-000000000001'", "device_actions_by_device (tenant_id=? AND device_id=?)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(devices), TEST(found_devices), TEST(reached), TEST(people), TEST(events), TEST(apps_of_a_device), TEST(what_stands_where)};
	const struct CMUnitTest on_postgres[] = {TEST(events_on_postgres)};
	return test_engine() == DB_SQLITE ? RUN(tests) : RUN(on_postgres);
}
