/* SPDX-License-Identifier: Apache-2.0
 *
 * Keyset paging: every row that stays is returned exactly once however rows come and go in between, in one order on
 * both engines, and a place belongs to its query.
 */
#include "codec/base64.h"
#include "fixture.h"

enum { ROWS = 2500 };

static int seen[4999];
static bool removed[ROWS + 1];

static enum err fill(struct scope *s, struct db_tx *tx, void *arg)
{
	for (unsigned n = 1; n <= ROWS; n++) {
		struct id id = test_id(2, n * 7 % 4999), user = test_id(1, n % 9);
		char name[32], model[32];
		snprintf(name, sizeof name, "d%03u", n * 31 % 400); /* many with one name */
		snprintf(model, sizeof model, "%s%u", n % 2 ? "M" : "m", n % 13);
		TRY(db_exec_text(tx, DB_REACH_TENANT, DEVICE_SQL,
				 DB_ARGS(db_v_id(&id), n % 9 ? db_v_id(&user) : db_v_null(), db_v_text(name), db_v_text(name),
					 n % 5 ? db_v_text(model) : db_v_null(), db_v_int(TEST_NOW - (int64_t)(n % 50) * SECOND_US)),
				 NULL));
	}
	return OK;
}

static unsigned number_of(const char *id)
{
	struct id b;
	assert_true(id_parse(id, &b));
	return (unsigned)b.b[13] << 16 | (unsigned)b.b[14] << 8 | b.b[15];
}

/* n*7 mod 4999 has an inverse: 7 * 4285 = 29995 = 1 mod 4999. */
static unsigned row_of(unsigned number)
{
	return (unsigned)((uint64_t)number * 4285 % 4999);
}

static void take_page(const json_t *value)
{
	size_t i;
	json_t *row;
	json_array_foreach(value, i, row) {
		unsigned number = number_of(json_string_value(json_object_get(row, "id")));
		if (number < 4999) /* else one that came in between */
			seen[row_of(number)]++;
	}
}

/* Between two pages: some rows go, ones already seen and ones to come, and others come, before and after the place. */
static void disturb(unsigned page)
{
	for (unsigned i = 0; i < 5; i++) {
		unsigned n = 1 + (page * 101 + i * 577) % ROWS;
		struct id id = test_id(2, n * 7 % 4999);
		run("DELETE FROM managed_devices WHERE tenant_id = ?1 AND device_id = ?2", DB_ARGS(db_v_id(&id)));
		removed[n] = true;
	}
	for (unsigned i = 0; i < 5; i++) {
		char name[32];
		snprintf(name, sizeof name, "d%03u", (page * 37 + i * 83) % 400);
		add_device(5000 + page * 5 + i, i % 3 ? 1 + i : 0, name, i % 2 ? NULL : "M7");
	}
}

static void walk(const char *order, bool users)
{
	char query[4096];
	unsigned pages = 0;
	memset(seen, 0, sizeof seen);
	memset(removed, 0, sizeof removed);
	as_tenant(tenant_a);
	ok(db_write(&fx.s, fill, NULL));
	for (unsigned n = 1; users && n < 9; n++)
		add_user(n, (const char[]){(char)(n % 2 ? 'a' + n : 'A' + n), '@', 'x', '\0'}, "User", n == 4);
	snprintf(query, sizeof query, "$top=97&$select=id%s%s", *order ? "&$orderby=" : "", order);
	for (;; pages++) {
		const json_t *value = list(&RES_MANAGED_DEVICE, query);
		take_page(value);
		if (next_query() == NULL)
			break;
		assert_int_equal(json_array_size(value), 97);
		assert_true(strlen(next_query()) < sizeof query);
		snprintf(query, sizeof query, "%s", next_query());
		disturb(pages);
	}
	assert_true(pages >= ROWS / 97 - 3);
	for (unsigned n = 1; n <= ROWS; n++)
		if (seen[n] > 1 || (seen[n] == 0 && !removed[n]))
			fail_msg("order by '%s': row %u was returned %d times", order, n, seen[n]);
}

static void by_key(void **state) { walk("", false); }
static void by_name(void **state) { walk("deviceName", false); }
static void by_name_down(void **state) { walk("deviceName%20desc", false); }
static void both_ways(void **state) { walk("lastSyncDateTime%20desc,deviceName", false); }
static void with_nulls(void **state) { walk("model", false); }
static void with_nulls_down(void **state) { walk("model%20desc,serialNumber", false); }
static void with_defaults(void **state) { walk("totalStorageSpaceInBytes,model%20desc", false); }
static void by_person(void **state) { walk("userPrincipalName,model", true); }

/* ---- audit events: while more are written, at any time but none before what was read, and others expire ---- */

enum { EVENTS = 600 };

static void add_event(unsigned n, int64_t at, bool expired)
{
	struct id id = test_id(7, n);
	run("INSERT INTO audit_events (tenant_id, event_id, at, expires_at, bytes, salt, correlation_id, category, activity_type, operation, result, "
	    "component, actor_type) VALUES (?1, ?2, ?3, ?4, ?2, ?2, ?2, 'Device', 'x', 'Patch', 'Success', 'x', 'System')",
	    DB_ARGS(db_v_id(&id), db_v_int(at), db_v_int(expired ? clock_now() - DAY_US : clock_now() + 400 * DAY_US)));
}

/* The stored bytes are the id here. */
static enum err write_id(struct scope *s, struct json_writer *w, const struct resource_query *q, const char *p, size_t n)
{
	struct id id;
	assert_int_equal(n, sizeof id);
	memcpy(&id, p, sizeof id);
	jw_kid(w, "id", id);
	return OK;
}

static void events_walk(bool descending)
{
	static const char *const first[] = {"$top=7&$select=id&$orderby=activityDateTime&$filter=category%20eq%20'device'",
					    "$top=7&$select=id&$orderby=activityDateTime%20desc&$filter=category%20eq%20'device'"};
	static int times[2 * EVENTS];
	memset(times, 0, sizeof times);
	as_tenant(tenant_a);
	for (unsigned n = 0; n < EVENTS; n++) /* five at each time; every third has expired */
		add_event(n, TEST_NOW + n / 5, n % 3 == 0);
	unsigned pages = 0;
	for (const char *query = first[descending]; query != NULL; pages++) {
		size_t i;
		json_t *row;
		struct question q = {.q = {.res = &RES_AUDIT_EVENT, .content = write_id}};
		ok(ask(&q, query));
		json_array_foreach(json_object_get(fx.page, "value"), i, row) {
			times[number_of(json_string_value(json_object_get(row, "id")))]++;
		}
		query = next_query() == NULL ? NULL : arena_strdup(fx.d.arena, next_query());
		struct id gone = test_id(7, pages * 3 % EVENTS);
		if (test_engine() == DB_SQLITE) /* on PostgreSQL the server's role may not */
			run("DELETE FROM audit_events WHERE tenant_id = ?1 AND event_id = ?2", DB_ARGS(db_v_id(&gone)));
		add_event(EVENTS + pages, TEST_NOW + (descending ? EVENTS : 0), false); /* behind the reader, whose place is its time */
	}
	for (unsigned n = 0; n < EVENTS; n++)
		assert_true(times[n] == 1 || (times[n] == 0 && n % 3 == 0));
	assert_true(pages > 50);
}

static void events_down(void **state) { events_walk(true); }
static void events_up(void **state) { events_walk(false); }

static void add_ordered(void)
{
	as_tenant(tenant_a);
	add_device(1, 0, "b", "m");
	add_device(2, 0, "a", NULL);
	add_device(3, 0, "c", "k");
	add_device(4, 0, "d", NULL);
	add_device(5, 0, "e", "M");
}

/* Page by page of one, so that every place is used. */
static const char *order_of(const char *orderby)
{
	static char names[64];
	char query[2048];
	names[0] = '\0';
	snprintf(query, sizeof query, "$top=1&$orderby=%s", orderby);
	for (;;) {
		strcat(names, column(list(&RES_MANAGED_DEVICE, query), "deviceName"));
		if (next_query() == NULL)
			return names;
		snprintf(query, sizeof query, "%s", next_query());
	}
}

static void nulls_have_a_place(void **state)
{
	add_ordered();
	assert_string_equal(order_of("model"), "ecbad"); /* M k m, then the two without, by id */
	assert_string_equal(order_of("model%20desc"), "dabce");
	assert_string_equal(order_of("model,deviceName%20desc"), "ecbda");
	assert_string_equal(order_of("model%20desc,deviceName"), "adbce");
	assert_string_equal(order_of("userDisplayName,deviceName%20desc"), "edcba"); /* all NULL */
	assert_string_equal(order_of("id%20desc"), "edcab");
	assert_string_equal(order_of("totalStorageSpaceInBytes,deviceName"), "abcde"); /* NULL counts as 0 */
}

static void links_keep_the_query(void **state)
{
	add_ordered();
	list(&RES_MANAGED_DEVICE,
	     "$skip=1&$top=2&$filter=deviceName%20ne%20'zz'&%24orderby=deviceName&$select=deviceName&$count=true");
	const char *link = json_string_value(json_object_get(fx.page, "@odata.nextLink"));
	assert_non_null(link);
	const char *want = BASE_URL
		"/things?$top=2&$filter=deviceName%20ne%20'zz'&%24orderby=deviceName&$select=deviceName&$count=true"
		"&$skiptoken=";
	assert_int_equal(strncmp(link, want, strlen(want)), 0);
	assert_string_equal(column(json_object_get(fx.page, "value"), "deviceName"), "b,c");
	char next[2048];
	snprintf(next, sizeof next, "%s", next_query());
	assert_string_equal(column(list(&RES_MANAGED_DEVICE, next), "deviceName"), "d,e");
	assert_null(next_query());
	assert_int_equal(json_integer_value(json_object_get(fx.page, "@odata.count")), 5);
}

static void count_is_taken_once(void **state)
{
	add_ordered();
	list(&RES_MANAGED_DEVICE, "$top=2");
	assert_int_equal(json_integer_value(json_object_get(fx.page, "@odata.count")), 5);
	char next[2048];
	snprintf(next, sizeof next, "%s", next_query());
	add_device(6, 0, "f", NULL);
	list(&RES_MANAGED_DEVICE, next);
	assert_int_equal(json_integer_value(json_object_get(fx.page, "@odata.count")), 5);
	list(&RES_MANAGED_DEVICE, "$top=2");
	assert_int_equal(json_integer_value(json_object_get(fx.page, "@odata.count")), 6);
}

/* A page that holds the last row tells the count itself; both ways agree. */
static void counts_agree(void **state)
{
	static const char *const queries[] = {"", "$top=2", "$skip=2", "$skip=4", "$skip=5", "$skip=9", "$top=0", "$top=5",
						    "$top=5&$skip=1", "$top=1&$skip=2"};
	add_ordered();
	for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
		list(&RES_MANAGED_DEVICE, queries[i]);
		if (json_integer_value(json_object_get(fx.page, "@odata.count")) != 5)
			fail_msg("?%s: %s", queries[i], fx.out.data);
	}
	list(&RES_MANAGED_DEVICE, "$filter=model%20eq%20null");
	assert_int_equal(json_integer_value(json_object_get(fx.page, "@odata.count")), 2);
	list(&RES_MANAGED_DEVICE, "$top=1&$select=deviceName");
	const char *at = strstr(fx.out.data, "\"@odata.count\":5,\"@odata.nextLink\":\"");
	assert_non_null(at);
	assert_non_null(strstr(at, "\",\"value\":[{\"deviceName\":\"b\"}]}"));
}

static void foreign(const struct resource *r, const char *query, const char *token)
{
	refused(r, arena_printf(fx.s.arena, "%s&$skiptoken=%s", query, token), ERR_BAD_REQUEST,
		"$skiptoken does not belong to this query");
}

static void tokens_belong_to_their_query(void **state)
{
	char token[1024], bent[2048];
	add_ordered();
	list(&RES_MANAGED_DEVICE, "$top=2&$orderby=deviceName&$filter=deviceName%20ne%20'zz'");
	snprintf(token, sizeof token, "%s", strstr(next_query(), "$skiptoken=") + strlen("$skiptoken="));
	assert_string_equal(column(list(&RES_MANAGED_DEVICE, arena_printf(fx.s.arena,
		"$filter=deviceName%%20ne%%20'zz'&$orderby=deviceName&$top=3&$skiptoken=%s", token)), "deviceName"), "c,d,e");
	foreign(&RES_MANAGED_DEVICE, "$orderby=deviceName", token);
	foreign(&RES_MANAGED_DEVICE, "$orderby=deviceName&$filter=deviceName%20ne%20'zy'", token);
	foreign(&RES_MANAGED_DEVICE, "$orderby=deviceName%20desc&$filter=deviceName%20ne%20'zz'", token);
	foreign(&RES_MANAGED_DEVICE, "$orderby=managedDeviceName&$filter=deviceName%20ne%20'zz'", token);
	foreign(&RES_MANAGED_DEVICE, "$orderby=deviceName,id%20desc&$filter=deviceName%20ne%20'zz'", token);
	foreign(&RES_USER, "$top=1", token);
	as_tenant(tenant_b);
	foreign(&RES_MANAGED_DEVICE, "$orderby=deviceName&$filter=deviceName%20ne%20'zz'", token);
	as_tenant(tenant_a);
	for (size_t i = 0; token[i] != '\0'; i += 5) { /* no bent token is more than refused or a place */
		struct question a = {.q = {.res = &RES_MANAGED_DEVICE}};
		snprintf(bent, sizeof bent, "$orderby=deviceName&$filter=deviceName%%20ne%%20'zz'&$skiptoken=%s", token);
		char *at = bent + strlen(bent) - strlen(token) + i;
		*at = *at == 'A' ? 'B' : 'A';
		enum err e = ask(&a, bent);
		assert_true(e == OK || e == ERR_BAD_REQUEST);
	}
	foreign(&RES_MANAGED_DEVICE, "$top=1", "x");
	foreign(&RES_MANAGED_DEVICE, "$top=1", "W10"); /* [] */
	foreign(&RES_MANAGED_DEVICE, "$top=1", "bnVsbA"); /* null */
	foreign(&RES_MANAGED_DEVICE, "$top=1", "%25");
}

/* A token with other contents: what its array holds is replaced, the hash kept. */
static const char *forged(const char *token, const char *rest)
{
	void *bytes;
	size_t n;
	assert_true(base64url_decode(fx.s.arena, token, strlen(token), &bytes, &n));
	const char *text = arena_printf(fx.s.arena, "%.18s%s]", (const char *)bytes + 1, rest);
	text = arena_printf(fx.s.arena, "[%s", text);
	return base64url_encode(fx.s.arena, text, strlen(text));
}

#define SOME_ID "\"01020000-0000-7000-8000-000000000001\""

static void tokens_are_checked(void **state)
{
	static const char *const bad[] = {
		",5", ",5,null,null", ",5,\"a\"", ",5,\"a\",null", ",5,7," SOME_ID, ",5,\"a\",\"x\"",
		",5,\"a\"," SOME_ID ",1", ",-5,\"a\"," SOME_ID, ",\"5\",\"a\"," SOME_ID, ",5,[]," SOME_ID};
	static const char good[] = ",5,\"b\"," SOME_ID;
	char token[1024];
	add_ordered();
	list(&RES_MANAGED_DEVICE, "$top=1&$orderby=deviceName");
	snprintf(token, sizeof token, "%s", strstr(next_query(), "$skiptoken=") + strlen("$skiptoken="));
	const char *query = arena_printf(fx.s.arena, "$orderby=deviceName&$skiptoken=%s", forged(token, good));
	assert_string_equal(column(list(&RES_MANAGED_DEVICE, query), "deviceName"), "c,d,e");
	query = arena_printf(fx.s.arena, "%s&$skip=2", query); /* the place wins */
	assert_string_equal(column(list(&RES_MANAGED_DEVICE, query), "deviceName"), "c,d,e");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		foreign(&RES_MANAGED_DEVICE, "$orderby=deviceName", forged(token, bad[i]));
}

/* Where the first page was not asked for a count. */
static void a_later_page_counts_all(void **state)
{
	as_tenant(tenant_a);
	add_user(1, "a@x", "A", false);
	add_user(2, "b@x", "B", false);
	add_user(3, "c@x", "C", false);
	list(&RES_USER, "$top=2");
	list(&RES_USER, arena_printf(fx.s.arena, "%s&$count=true", next_query()));
	assert_int_equal(json_integer_value(json_object_get(fx.page, "@odata.count")), 3);
}

static void sizes(void **state)
{
	as_tenant(tenant_a);
	ok(db_write(&fx.s, fill, NULL));
	assert_int_equal(json_array_size(list(&RES_MANAGED_DEVICE, "")), 1000);
	assert_int_equal(json_array_size(list(&RES_MANAGED_DEVICE, "$top=5000")), 1000);
	assert_int_equal(json_array_size(list(&RES_MANAGED_DEVICE, "$skip=2499")), 1);
	assert_null(next_query());
	assert_int_equal(json_array_size(list(&RES_MANAGED_DEVICE, "$skip=1500")), 1000);
	assert_null(next_query()); /* exactly full */
	assert_int_equal(json_array_size(list(&RES_MANAGED_DEVICE, "$skip=2500")), 0);
	assert_int_equal(json_array_size(list(&RES_MANAGED_DEVICE, "$top=0")), 0);
	assert_int_equal(json_integer_value(json_object_get(fx.page, "@odata.count")), ROWS);
	assert_null(next_query());
	refused(&RES_MANAGED_DEVICE, "$skip=100001", ERR_BAD_REQUEST, "$skip is at most 100000");
	refused(&RES_MANAGED_DEVICE, "$orderby=nothing", ERR_BAD_REQUEST, "names 'nothing'");
	refused(&RES_MANAGED_DEVICE, "$orderby=notes", ERR_BAD_REQUEST, "'notes' cannot be used in $orderby");
	refused(&RES_MANAGED_DEVICE, "$orderby=t.device_name", ERR_BAD_REQUEST, "");
}

/* Rows whose key is no single id: apps of one device, ordered by name and version. */
static void longer_keys(void **state)
{
	struct id device = test_id(2, 1), other = test_id(2, 2);
	as_tenant(tenant_a);
	for (int i = 0; i < 7; i++) {
		struct id id = i == 6 ? other : device;
		char version[16];
		snprintf(version, sizeof version, "%d", i);
		run("INSERT INTO detected_apps (tenant_id, device_id, name, version) VALUES (?1, ?2, ?3, ?4)",
		    DB_ARGS(db_v_id(&id), db_v_text(i < 4 ? "bash" : "awk"), db_v_text(version)));
	}
	char query[2048] = "$top=2", all[128] = "";
	const struct db_value args[] = {db_v_id(&device)};
	for (int pages = 1;; pages++) {
		struct question a = {.q = {.res = &RES_DETECTED_APP,
					   .extra_where = "t.device_id = ?2",
					   .args = args,
					   .arg_count = 1}};
		ok(ask(&a, query));
		strcat(all, column(json_object_get(fx.page, "value"), "version"));
		if (next_query() == NULL) {
			assert_int_equal(pages, 3);
			break;
		}
		snprintf(query, sizeof query, "%s", next_query());
	}
	assert_string_equal(all, "4,50,12,3");
	assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(fx.page, "value"), 1), "id")),
			    "01020000-0000-7000-8000-000000000001_bash_3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(by_key), TEST(by_name), TEST(by_name_down), TEST(both_ways), TEST(with_nulls), TEST(with_nulls_down),
		TEST(with_defaults), TEST(by_person), TEST(events_down), TEST(events_up), TEST(nulls_have_a_place), TEST(links_keep_the_query), TEST(count_is_taken_once),
		TEST(counts_agree), TEST(tokens_belong_to_their_query), TEST(tokens_are_checked),
		TEST(a_later_page_counts_all), TEST(sizes), TEST(longer_keys)};
	return RUN(tests);
}
