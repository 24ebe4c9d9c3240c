/* SPDX-License-Identifier: Apache-2.0
 *
 * The plans that SQLite makes of pages: which index serves a list, and that nothing is sorted that an index has in
 * order.  A change of a table or of the schema that loses an index is found here and not by a customer with 100,000
 * devices.
 */
#include "fixture.h"
#include "resource/internal.h"

struct plan {
	struct resource_query q;
	char text[2048];
};

static enum err explain(struct scope *s, struct db_tx *tx, void *arg)
{
	struct plan *p = arg;
	struct sql sql;
	size_t at = 0;
	auto_rows struct db_rows *r = NULL;
	TRY(list_sql(tx, &p->q, &sql));
	TRY(db_query_text(tx, resource_reach(s, p->q.res), arena_printf(s->arena, "EXPLAIN QUERY PLAN %s", sql.text), sql.args,
			  sql.arg_count, &r));
	p->text[0] = '\0';
	while (db_next(r))
		at += (size_t)snprintf(p->text + at, sizeof p->text - at, "%s; ", db_text(r, 3));
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

static void events(void **state)
{
	as_tenant(tenant_a);
	serves(&RES_AUDIT_EVENT, "", "audit_events_by_time (tenant_id=?)");
	serves(&RES_AUDIT_EVENT, "$filter=activityDateTime%20gt%202026-01-01", "audit_events_by_time (tenant_id=? AND at>?)");
	serves(&RES_AUDIT_EVENT, "$filter=category%20eq%20'Device'%20and%20activityDateTime%20gt%202026-01-01",
	       "audit_events_by_time (tenant_id=? AND at>?)");
}

static enum err fill_events(struct scope *s, struct db_tx *tx, void *arg)
{
	for (unsigned n = 1; n <= 2000; n++) {
		struct id id = test_id(7, n), about = test_id(1, n / 4);
		TRY(db_exec_text(tx, DB_REACH_TENANT,
				 "INSERT INTO audit_events (tenant_id, event_id, at, expires_at, bytes, salt, correlation_id, category, activity_type, "
				 "operation, result, component, actor_type, actor_id, subject_id) VALUES (?1, ?2, ?3, ?3, ?2, ?2, ?2, 'Device', 'x', "
				 "'Patch', 'Success', 'x', 'System', ?4, ?4)",
				 DB_ARGS(db_v_id(&id), db_v_int((int64_t)n), db_v_id(&about)), NULL));
	}
	return OK;
}

static void events_of_a_person(void **state)
{
	as_tenant(tenant_a);
	ok(db_write(&fx.s, fill_events, NULL));
	as_system();
	run("ANALYZE", DB_NOARGS);
	as_tenant(tenant_a);
	plan((struct resource_query){.res = &RES_AUDIT_EVENT},
	     "$filter=subjectId%20eq%20'01020000-0000-7000-8000-000000000001'",
	     "audit_events_by_subject (tenant_id=? AND subject_id=?)", true);
	plan((struct resource_query){.res = &RES_AUDIT_EVENT},
	     "$filter=actor/userId%20eq%20'01020000-0000-7000-8000-000000000001'",
	     "audit_events_by_actor (tenant_id=? AND actor_id=?)", true);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(devices), TEST(found_devices), TEST(people), TEST(events), TEST(events_of_a_person), TEST(apps_of_a_device)};
	if (test_engine() != DB_SQLITE) {
		puts("1..0 # SKIP the plans are SQLite's");
		return 0;
	}
	return RUN(tests);
}
