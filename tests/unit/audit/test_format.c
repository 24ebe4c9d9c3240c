/* SPDX-License-Identifier: Apache-2.0
 * An event in the forms that other tools read: OCSF against the schema's own requirements (tests/vectors/ocsf-1.8.0.json), for every activity
 * and every kind of actor; CSV and NDJSON read back by Python's parsers, whatever stands in a value. */
#include "../directory/fixture.h"

#include <arpa/inet.h>

#include "audit/audit.h"
#include "audit/out/format.h"

#define VECTORS "../../vectors/ocsf-1.8.0.json"

static json_t *SCHEMA;

static int up(void **state)
{
	json_error_t error;
	const char *slash = strrchr(__FILE__, '/'); /* relative to the build directory, in which tests run */
	char path[512];
	snprintf(path, sizeof path, "%.*s/" VECTORS, (int)(slash - __FILE__), __FILE__);
	SCHEMA = json_load_file(path, 0, &error);
	assert_non_null(SCHEMA);
	return fixture_up(state);
}

static int down(void **state)
{
	json_decref(SCHEMA);
	return fixture_down(state);
}

/* ---- events ---- */

static enum err record_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	return audit_record(tx, arg);
}

static void record(struct scope *s, const struct audit_event *e)
{
	struct audit_event copy = *e;
	ok(db_write(s, record_tx, &copy));
}

DB_TENANT(test_events, "SELECT bytes FROM audit_events WHERE tenant_id = ?1 AND event_id > ?2 ORDER BY event_id LIMIT 100");
DB_TENANT(test_last, "SELECT event_id FROM audit_events WHERE tenant_id = ?1 ORDER BY event_id DESC LIMIT 1");

struct reading {
	struct id after;
	enum audit_format format;
	struct buf *out;
	uint64_t n;
};

static enum err read_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct reading *g = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &test_events, DB_ARGS(db_v_id(&g->after)), &r));
	while (db_next(r)) {
		size_t n;
		const char *bytes = db_blob(r, 0, &n);
		TRY(audit_format_event(s, g->format, g->n++, bytes, n, g->out));
	}
	return db_rows_err(r);
}

static enum err last_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &test_last, DB_NOARGS, &r);
	if (e == OK)
		*(struct id *)arg = db_id(r, 0);
	return e;
}

/* What is recorded after it has a later time, and so a later id. */
static struct id last_event(struct scope *s)
{
	struct id id = {{0}};
	s->now += SECOND_US;
	ok(db_read(s, last_tx, &id));
	return id;
}

/* ---- OCSF ---- */

static const char *AT; /* what is looked at, for messages */

static void check_object(const json_t *schema, const json_t *value, const char *where);

static void check_one(const json_t *rule, const json_t *v, const char *where)
{
	char type[64];
	snprintf(type, sizeof type, "%s", json_string_value(json_object_get(rule, "type")));
	type[strcspn(type, "[")] = '\0';
	const json_t *object = json_object_get(json_object_get(SCHEMA, "objects"), type), *allowed = json_object_get(rule, "enum");
	if (object != NULL) {
		check_object(object, v, where);
		return;
	}
	if (strcmp(type, "integer_t") == 0 || strcmp(type, "long_t") == 0 || strcmp(type, "timestamp_t") == 0) {
		char number[24];
		if (!json_is_integer(v))
			fail_msg("%s: %s is no number", AT, where);
		snprintf(number, sizeof number, "%lld", (long long)json_integer_value(v));
		if (allowed != NULL && json_object_get(allowed, number) == NULL)
			fail_msg("%s: %s = %s is none of the schema's", AT, where, number);
		return;
	}
	unsigned char unused[sizeof(struct in6_addr)];
	const char *text = json_string_value(v);
	if (strcmp(type, "ip_t") == 0 && (text == NULL || (inet_pton(AF_INET, text, unused) != 1 && inet_pton(AF_INET6, text, unused) != 1)))
		fail_msg("%s: %s is no address", AT, where);
	if (strcmp(type, "object") == 0)
		assert_true(json_is_object(v));
	else if (!json_is_string(v) || json_string_length(v) == 0)
		fail_msg("%s: %s is no text", AT, where);
}

static void check_attribute(const json_t *rule, const json_t *v, const char *where)
{
	size_t i;
	json_t *one;
	if (strstr(json_string_value(json_object_get(rule, "type")), "[]") == NULL) {
		check_one(rule, v, where);
		return;
	}
	assert_true(json_is_array(v) && json_array_size(v) > 0);
	json_array_foreach(v, i, one)
		check_one(rule, one, where);
}

static void check_constraint(const json_t *schema, const json_t *value, const char *where)
{
	size_t i;
	json_t *name;
	const json_t *list = json_object_get(json_object_get(schema, "constraints"), "at_least_one");
	bool any = list == NULL;
	json_array_foreach(list, i, name)
		any = any || json_object_get(value, json_string_value(name)) != NULL;
	if (!any)
		fail_msg("%s: %s has none of those of which one is required", AT, where);
}

/* What is required is there, what is there is known and of its type. */
static void check_object(const json_t *schema, const json_t *value, const char *where)
{
	const char *name;
	json_t *rule, *v;
	const json_t *attributes = json_object_get(schema, "attributes");
	if (!json_is_object(value))
		fail_msg("%s: %s is no object", AT, where);
	json_object_foreach((json_t *)attributes, name, rule)
		if (strcmp(json_string_value(json_object_get(rule, "requirement")), "required") == 0 && json_object_get(value, name) == NULL)
			fail_msg("%s: %s lacks the required %s", AT, where, name);
	json_object_foreach((json_t *)value, name, v) {
		rule = json_object_get(attributes, name);
		if (rule == NULL)
			fail_msg("%s: %s has no %s", AT, where, name);
		check_attribute(rule, v, name);
	}
	check_constraint(schema, value, where);
}

static long long number(const json_t *j, const char *name)
{
	return (long long)json_integer_value(json_object_get(j, name));
}

static void check_event(const json_t *j)
{
	char uid[24], activity[24];
	snprintf(uid, sizeof uid, "%lld", number(j, "class_uid"));
	snprintf(activity, sizeof activity, "%lld", number(j, "activity_id"));
	const json_t *class = json_object_get(json_object_get(SCHEMA, "classes"), uid);
	if (class == NULL)
		fail_msg("%s: class %s is not in the vectors", AT, uid);
	check_object(class, j, uid);
	assert_int_equal(number(j, "category_uid"), number(class, "category_uid"));
	assert_int_equal(number(j, "type_uid"), number(j, "class_uid") * 100 + number(j, "activity_id"));
	assert_string_equal(json_string_value(json_object_get(j, "class_name")), json_string_value(json_object_get(class, "name")));
	const json_t *captions = json_object_get(json_object_get(json_object_get(class, "attributes"), "activity_id"), "enum");
	if (strcmp(activity, "99") != 0)
		assert_string_equal(json_string_value(json_object_get(j, "activity_name")), json_string_value(json_object_get(captions, activity)));
	assert_string_equal(json_string_value(json_object_get(json_object_get(j, "metadata"), "version")), "1.8.0");
	assert_true(number(j, "time") > INT64_C(1700000000000) && number(j, "time") < INT64_C(9000000000000)); /* milliseconds */
}

/* Every kind of actor, with and without what may be missing. */
static void record_variants(enum activity a)
{
	struct scope *s = &F.a; /* of one scope ids keep their order */
	struct id id = id_new(s->now), person = id_new(s->now);
	struct audit_change change = {.name = "displayName", .old_value = "old", .new_value = "new"};
	s->actor = (struct actor){.type = ACTOR_SYSTEM};
	record(s, &(struct audit_event){.activity = a});
	s->actor = (struct actor){.type = ACTOR_APPLICATION, .id = id, .name = "SIEM", .ip = "2001:db8::1", .permissions = "AuditLog.Read.All A.B"};
	record(s, &(struct audit_event){.activity = a, .resource_type = "Group", .resource = id, .resource_name = "G", .subject = person, .changes = &change});
	s->actor = (struct actor){.type = ACTOR_USER, .id = person, .upn = "anna@example.org", .ip = "192.0.2.7"};
	record(s, &(struct audit_event){.activity = a, .resource_type = "User", .resource = person, .subject = person});
	s->actor = (struct actor){.type = ACTOR_DEVICE, .id = id, .name = "Reeve agent", .ip = "local"};
	record(s, &(struct audit_event){.activity = a, .resource_type = "ManagedDevice", .resource = id, .failure = "it said no"});
	s->actor = (struct actor){.type = ACTOR_OPERATOR, .id = id, .name = "Operator", .ip = "local"};
	record(s, &(struct audit_event){.activity = a, .resource_type = "Route", .resource_name = "POST /{v}/users", .failure = "this needs a permission"});
	s->actor = (struct actor){.type = ACTOR_ANONYMOUS, .ip = "198.51.100.1"};
	record(s, &(struct audit_event){.activity = a, .resource_type = "SomethingElse", .resource_name = "only a name"});
}

static void every_activity_is_valid_ocsf(void **state)
{
	for (int a = ACT_NONE + 1; a < ACT_COUNT; a++) {
		struct arena_mark mark = arena_mark(F.arena);
		auto_buf out;
		struct reading g = {.after = last_event(&F.a), .format = AUDIT_OCSF, .out = &out};
		AT = activity_info((enum activity)a)->name;
		buf_init(&out, MIB);
		record_variants((enum activity)a);
		ok(db_read(&F.a, read_tx, &g));
		assert_int_equal(g.n, 6);
		char *line = out.data;
		for (char *end; (end = memchr(line, '\n', (size_t)(out.data + out.len - line))) != NULL; line = end + 1) {
			json_t *j = json_loadb(line, (size_t)(end - line), JSON_REJECT_DUPLICATES, NULL);
			assert_non_null(j);
			check_event(j);
			json_decref(j);
		}
		assert_ptr_equal(line, out.data + out.len);
		arena_rewind(F.arena, mark);
	}
}

static json_t *as_ocsf(struct id after)
{
	auto_buf out;
	struct reading g = {.after = after, .format = AUDIT_OCSF, .out = &out};
	buf_init(&out, MIB);
	ok(db_read(&F.a, read_tx, &g));
	json_t *j = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(j);
	return j;
}

static void ocsf_says_who_did_what_to_whom(void **state)
{
	struct scope *s = &F.a;
	struct id after = last_event(&F.a), group = id_new(s->now), person = id_new(s->now);
	char text[ID_TEXT];
	s->actor = (struct actor){.type = ACTOR_USER, .id = person, .upn = "anna@example.org", .ip = "192.0.2.7"};
	record(s, &(struct audit_event){.activity = ACT_GROUP_MEMBER_ADD, .resource_type = "Group", .resource = group, .resource_name = "Staff", .subject = person});
	json_t *j = as_ocsf(after);
	assert_int_equal(number(j, "class_uid"), 3006);
	assert_int_equal(number(j, "activity_id"), 3);
	assert_int_equal(number(j, "status_id"), 1);
	assert_int_equal(number(j, "time"), s->now / 1000);
	assert_string_equal(json_string_value(json_object_get(json_object_get(j, "group"), "uid")), id_format(group, text));
	assert_string_equal(json_string_value(json_object_get(json_object_get(j, "user"), "uid")), id_format(person, text));
	assert_string_equal(json_string_value(json_object_get(json_object_get(json_object_get(j, "actor"), "user"), "name")), "anna@example.org");
	assert_string_equal(json_string_value(json_object_get(json_object_get(j, "src_endpoint"), "ip")), "192.0.2.7");
	const char *raw = json_string_value(json_object_get(j, "raw_data"));
	assert_true(raw != NULL && strncmp(raw, "{\"schema\":1,", 12) == 0 && raw[strlen(raw) - 1] == '}');
	json_decref(j);
}

/* ---- CSV and NDJSON ---- */

static const char PYTHON[] =
	"import csv, io, json, re, sys\n"
	"csv.field_size_limit(1 << 30)\n"
	"raw = open(sys.argv[2], 'rb').read()\n"
	"assert raw.endswith(b'\\r\\n')\n"
	"rows = list(csv.reader(io.StringIO(raw.decode('utf-8'), newline=''), strict=True))\n"
	"head = rows.pop(0)\n"
	"undo = lambda v: v[1:] if re.match(\"''*[=+@\\t\\r-]\", v) else v\n"
	"for r in rows:\n"
	"    assert len(r) == len(head), len(r)\n"
	"    for v in r: assert not re.match('[=+@\\t\\r-]', v), v[:20]\n"
	"got = [dict(zip(head, map(undo, r))) for r in rows]\n"
	"want = []\n"
	"lines = open(sys.argv[1], 'rb').read().split(b'\\n')\n"
	"assert lines.pop() == b''\n"
	"for line in lines:\n"
	"    whole = json.loads(line); e = whole['event']; a = e['actor']\n"
	"    for x in e['resources']:\n"
	"        for p in x['modifiedProperties'] or [{}]:\n"
	"            t = lambda v: v or ''\n"
	"            want.append({'ID': e['id'], 'Date': e['activityDateTime'], 'Activity type': e['activityType'], 'Failure reason': t(whole['failure']),\n"
	"                'Initiated by (actor)': a['userPrincipalName'] or a['servicePrincipalName'] or a['applicationDisplayName'] or a['auditActorType'],\n"
	"                'Application': t(a['applicationDisplayName']), 'IP address': t(a['ipAddress']), 'Subject ID': t(whole['subjectId']),\n"
	"                'Target': t(x['displayName']), 'Property': t(p.get('displayName')), 'Old value': t(p.get('oldValue')), 'New value': t(p.get('newValue')),\n"
	"                'Correlation ID': e['correlationId'], 'Permissions': ' '.join(a['userPermissions']), 'Result': e['activityResult']})\n"
	"assert len(got) == len(want), (len(got), len(want))\n"
	"for g, w in zip(got, want):\n"
	"    for k in w: assert g[k] == w[k], (k, g[k][:80], w[k][:80])\n"
	"print(len(got))\n";

static const char *const HOSTILE[] = {
	"plain", "", " leading and trailing ", "comma, semicolon; tab\t", "quote \" and \"\" two", "\"", "line\nbreak", "carriage\rreturn", "\r\n", "\n",
	"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''=1", "'", "'quoted'", "=cmd|' /C calc'!A0", "\"=1\"", ",=1", "\x01\x02\x1f\x7f", "\\u0000 \\n",
	"\xf0\x9f\x98\x80 emoji", "\xe2\x80\xae right to left \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", "\xef\xbb\xbf byte order mark", "\xe2\x80\xa8 line separator \xc2\x85",
	"{\"event\":1}", ",\"event\":", "</script>", "%s%n", "NULL", "\xef\xbf\xbe",
};
enum { HOSTILES = sizeof HOSTILE / sizeof HOSTILE[0] };

static void write_file(const char *path, const struct buf *b)
{
	FILE *f = fopen(path, "wb");
	assert_true(f != NULL && fwrite(b->data, 1, b->len, f) == b->len && fclose(f) == 0);
}

static void record_hostile(struct scope *s)
{
	struct audit_change changes[HOSTILES], large[2];
	char *huge = arena_alloc(F.arena, 250 * KIB);
	for (size_t i = 0; i < 250 * KIB - 1; i++)
		huge[i] = "=\",\r\nx'"[i % 7];
	for (size_t i = 0; i < HOSTILES; i++) {
		changes[i] = (struct audit_change){.name = HOSTILE[(i + 1) % HOSTILES], .old_value = i % 3 == 0 ? NULL : HOSTILE[(i + 7) % HOSTILES],
						   .new_value = HOSTILE[i], .next = i + 1 < HOSTILES ? &changes[i + 1] : NULL};
		s->actor = (struct actor){.type = ACTOR_APPLICATION, .id = id_new(s->now), .name = HOSTILE[i], .ip = "192.0.2.1", .permissions = "A B"};
		record(s, &(struct audit_event){.activity = ACT_GROUP_UPDATE, .resource_type = "Group", .resource = id_new(s->now), .resource_name = HOSTILE[i],
						.failure = i % 2 ? HOSTILE[i] : NULL});
	}
	record(s, &(struct audit_event){.activity = ACT_GROUP_UPDATE, .resource_type = "Group", .resource = id_new(s->now), .subject = id_new(s->now), .changes = changes});
	large[0] = (struct audit_change){.name = "huge", .new_value = huge, .next = &large[1]};
	large[1] = (struct audit_change){.name = "second", .old_value = "=a", .new_value = "b"};
	record(s, &(struct audit_event){.activity = ACT_GROUP_UPDATE, .resource_type = "Group", .resource = id_new(s->now), .changes = large});
}

static void hostile_values_come_back(void **state)
{
	struct scope *s = &F.a;
	struct id after = last_event(s);
	auto_buf csv, ndjson;
	buf_init(&csv, 8 * MIB);
	buf_init(&ndjson, 8 * MIB);
	record_hostile(s);
	audit_format_head(AUDIT_NDJSON, &ndjson);
	assert_int_equal(ndjson.len, 0);
	audit_format_head(AUDIT_CSV, &csv);
	struct reading as_csv = {.after = after, .format = AUDIT_CSV, .out = &csv}, as_ndjson = {.after = after, .format = AUDIT_NDJSON, .out = &ndjson};
	ok(db_read(s, read_tx, &as_csv));
	ok(db_read(s, read_tx, &as_ndjson));
	assert_int_equal(as_csv.n, HOSTILES + 2);
	const char *n = arena_printf(F.arena, "%s/events.ndjson", F.dir), *c = arena_printf(F.arena, "%s/events.csv", F.dir);
	const char *script = arena_printf(F.arena, "%s/check.py", F.dir);
	struct buf text = {.data = (char *)PYTHON, .len = sizeof PYTHON - 1};
	write_file(n, &ndjson);
	write_file(c, &csv);
	write_file(script, &text);
	FILE *p = popen(arena_printf(F.arena, "python3 %s %s %s", script, n, c), "r");
	char answer[64] = "";
	assert_non_null(p);
	(void)!fgets(answer, sizeof answer, p);
	assert_int_equal(pclose(p), 0);
	assert_int_equal(atoi(answer), 2 * HOSTILES + 2);
}

static void a_full_buffer_is_told(void **state)
{
	auto_buf out;
	struct reading g = {.format = AUDIT_CSV, .out = &out};
	buf_init(&out, 100);
	refused(db_read(&F.a, read_tx, &g), ERR_LIMIT);
	static const char junk[] = "{\"schema\":1,\"event\":{";
	buf_clear(&out);
	refused(audit_format_event(&F.a, AUDIT_OCSF, 7, junk, sizeof junk - 1, &out), ERR_CONFLICT);
	assert_non_null(strstr(F.a.detail, "event 7"));
	fresh(&F.a);
}

static void names_in_any_case(void **state)
{
	enum audit_format f = AUDIT_CSV;
	assert_true(audit_format_parse("NdJson", &f) && f == AUDIT_NDJSON);
	assert_true(audit_format_parse("OCSF", &f) && f == AUDIT_OCSF);
	assert_false(audit_format_parse("xml", &f));
	assert_int_equal(f, AUDIT_OCSF);
	assert_string_equal(audit_format_name(AUDIT_CSV), "csv");
	assert_non_null(strstr(audit_format_content_type(AUDIT_CSV), "text/csv"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_activity_is_valid_ocsf), cmocka_unit_test(ocsf_says_who_did_what_to_whom),
		cmocka_unit_test(hostile_values_come_back),	cmocka_unit_test(a_full_buffer_is_told),
		cmocka_unit_test(names_in_any_case),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, up, down);
}
