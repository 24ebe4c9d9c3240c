/* SPDX-License-Identifier: Apache-2.0
 * A bundle holds all of its person, or the reason why not, and nothing of anybody else. */
#include "bundle.h"

#include "audit/audit.h"
#include "privacy/export/storage_location.h"

/* Why the manifest says that a column (or its section) is not given, or not as it is; "": it says nothing. */
static const char *omitted(const json_t *manifest, const struct map_column *c)
{
	size_t i, n;
	json_t *v;
	const struct map_path *p = map_table_paths(map_table(c->table), &n);
	const char *name = property_name(F.d.arena, c->name);
	json_array_foreach(json_object_get(manifest, "omitted"), i, v)
	{
		bool section = strcmp(member(v, "kind"), "section") == 0;
		for (size_t k = 0; k < n; k++)
			if (strcmp(member(v, "section"), p[k].section) == 0 && (section || strcmp(member(v, "property"), name) == 0))
				return member(v, "reason");
	}
	return "";
}

static bool has_section(const char *table)
{
	size_t n;
	const struct map_path *p = map_table_paths(map_table(table), &n);
	for (size_t i = 0; i < n; i++)
		if (*p[i].section != '\0')
			return true;
	return false;
}

/* Every own canary is there, or why not; and it is never both. */
static void check_canaries(const char *variant)
{
	char *all = everything();
	auto_json *manifest = entry_json("manifest.json");
	size_t there = 0;
	assert_string_equal(member(manifest, "variant"), variant);
	for (size_t i = 0; i < F.ann.n; i++) {
		const struct canary *k = &F.ann.canary[i];
		const char *reason = omitted(manifest, k->column);
		bool found = strstr(all, as_exported(k)) != NULL;
		if (!has_section(k->column->table))
			assert_false(found);
		else if (found == (*reason != '\0'))
			fail_msg("%s: %s is %s (%s)", variant, k->text, found ? "there and said to be left out" : "neither there nor explained", reason);
		if (*reason != '\0')
			assert_true(*omission_text(reason) != '\0');
		there += found;
	}
	assert_true(there > 60);
	assert_true(nothing_of(&F.bob, all) > 60 && nothing_of(&F.eve, all) > 60);
}

static void test_all_of_one_and_nothing_of_others(void **state)
{
	static const char *const variants[] = {"redacted", "portability", "full"};
	for (size_t i = 0; i < 3; i++) {
		fetch(&F.ann, export_as(&F.ann, (struct export_order){.variant = variants[i]}));
		check_canaries(variants[i]);
	}
}

static void test_sealed_columns_are_opened(void **state)
{
	fetch(&F.ann, export_of(&F.ann));
	auto_json *requests = entry_json("data/requests.json");
	assert_string_equal(member(json_array_get(requests, 0), "statement"), canary_of(&F.ann, "data_subject_requests", "statement", false));
	assert_string_equal(member(json_array_get(requests, 0), "contact"), canary_of(&F.ann, "data_subject_requests", "contact", false));
}

static void test_portability_is_what_was_provided_and_observed(void **state)
{
	fetch(&F.ann, export_as(&F.ann, (struct export_order){.variant = "portability"}));
	auto_json *manifest = entry_json("manifest.json");
	size_t i, left = 0;
	json_t *v;
	json_array_foreach(json_object_get(manifest, "sections"), i, v)
	{
		if (json_is_true(json_object_get(v, "included"))) {
			assert_string_equal(member(v, "role"), "owner");
			for (size_t k = 0; k < json_array_size(json_object_get(v, "provenance")); k++)
				assert_string_not_equal(json_string_value(json_array_get(json_object_get(v, "provenance"), k)), "derived");
		} else {
			left++;
		}
	}
	assert_true(left >= 2); /* what was audited */
	assert_non_null(strstr(entry("manifest.json"), "not_portable"));
	assert_non_null(strstr(entry("README.html"), "to take along"));
}

static void test_the_manifest_is_right(void **state)
{
	char id[ID_TEXT], hex[2 * SHA256_BYTES + 1];
	struct id operation = export_of(&F.ann);
	fetch(&F.ann, operation);
	auto_json *m = entry_json("manifest.json");
	size_t i;
	json_t *f;
	assert_string_equal(member(m, "operationId"), id_format(operation, id));
	json_array_foreach(json_object_get(m, "files"), i, f)
	{
		uint8_t hash[SHA256_BYTES];
		char *text = entry(member(f, "name"));
		sha256(text, strlen(text), hash);
		hex_encode(hash, sizeof hash, hex);
		assert_string_equal(member(f, "sha256"), hex);
		assert_int_equal(json_integer_value(json_object_get(f, "bytes")), strlen(text));
	}
	assert_true(i > 60);
	auto_json *devices = entry_json("data/devices.json");
	assert_int_equal(json_array_size(devices), 2);
	const json_t *first = json_array_get(devices, 0);
	assert_true(json_is_true(json_object_get(first, "isEncrypted")));
	assert_int_equal(strlen(member(first, "deviceId")), ID_TEXT - 1);
	assert_int_equal(strlen(member(first, "_record")), 32);
	assert_non_null(strchr(member(first, "enrolledAt"), 'T'));
	assert_null(json_object_get(first, "tenantId")); /* internal */
	auto_json *account = entry_json("data/account.json"), *schema = entry_json("schema/account.schema.json");
	assert_true(json_is_array(json_object_get(json_array_get(account, 0), "businessPhones")));
	assert_string_equal(member(schema, "$schema"), "https://json-schema.org/draft/2020-12/schema");
}

static enum err record_tx(struct scope *s, struct db_tx *tx, void *arg) { return audit_record(tx, arg); }

/* What a value may bring, in a name that others choose and in an event. */
#define HOSTILE                                                                                              \
	"=HYPERLINK(\"http://evil.example/\") <script>alert(1)</script> '\" &amp; \xe2\x80\xae gnp.exe \x01\x1b[31m \x7f\r\n" \
	"\xc2\x85 \xf0\x9f\x8c\xbf \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d"

static void test_hostile_values_are_harmless(void **state)
{
	struct scope s = scope_of(F.tenant);
	enum { BIG = 1024 * 1024 };
	char *big = arena_alloc(F.d.arena, BIG + 1);
	memset(big, 'x', BIG);
	memcpy(big, "=1+1<b>", 7);
	run_sql(F.tenant, "UPDATE users SET job_title = ?2 WHERE tenant_id = ?1", db_v_text(HOSTILE));
	run_sql(F.tenant, "UPDATE users SET department = ?2 WHERE tenant_id = ?1", db_v_text(big));
	size_t n;
	void *sealed = keeper_seal(F.keeper, F.d.arena, HOSTILE "\0after", sizeof HOSTILE + 5, &n);
	run_sql(F.tenant, "UPDATE data_subject_requests SET statement = ?2 WHERE tenant_id = ?1", db_v_blob(sealed, n));
	s.actor = (struct actor){.type = ACTOR_USER, .id = F.ann.user, .name = HOSTILE, .upn = "ann@example.org"};
	struct audit_change *change = NULL; /* an event of a MiB is refused when it is made */
	audit_change_add(F.d.arena, &change, "about", NULL, NULL, NULL, big + 3 * BIG / 4);
	struct audit_event e = {.activity = ACT_USER_UPDATE,
				.resource_type = "User",
				.resource = F.ann.user,
				.resource_name = HOSTILE,
				.changes = change,
				.subject = F.ann.user};
	ok_in(&s, db_write(&s, record_tx, &e));
	fetch(&F.ann, export_of(&F.ann));
	auto_json *m = entry_json("manifest.json"), *account = entry_json("data/account.json"), *events = entry_json("data/auditAsActor.json");
	assert_string_equal(member(json_array_get(account, 0), "jobTitle"), HOSTILE); /* JSON keeps it, escaped */
	assert_int_equal(strlen(member(json_array_get(account, 0), "department")), BIG);
	const json_t *resource = json_array_get(json_object_get(json_array_get(events, 0), "resources"), 0);
	assert_string_equal(member(resource, "displayName"), HOSTILE);
	assert_int_equal(strlen(member(json_array_get(json_object_get(resource, "modifiedProperties"), 0), "newValue")), BIG / 4);
	const char *csv = entry("data/account.csv");
	assert_non_null(strstr(csv, "\"'=HYPERLINK(\"\"http"));
	assert_non_null(strstr(csv, ",'=1+1<b>xx"));
	assert_null(strstr(csv, ",=1+1"));
	assert_non_null(strstr(entry("html/account.html"), "&lt;script&gt;"));
	assert_non_null(strstr(entry("html/account.html"), "1048576 bytes in all"));
	size_t i;
	json_t *f;
	json_array_foreach(json_object_get(m, "files"), i, f)
	{
		const char *name = member(f, "name");
		if (strstr(name, ".html") != NULL)
			no_harm_in_html(entry(name));
		else if (strstr(name, ".json") != NULL)
			json_decref(entry_json(name));
	}
}

/* ---- other people ---- */


static void acted(const struct person *about, enum actor_type type, struct id actor, const char *name, const char *upn)
{
	struct scope s = scope_of(F.tenant);
	s.actor = (struct actor){.type = type, .id = actor, .name = name, .upn = upn, .ip = "192.0.2.77"};
	struct audit_event e = {.activity = ACT_USER_UPDATE,
				.resource_type = "User",
				.resource = about->user,
				.resource_name = about->tag,
				.subject = about->user};
	ok_in(&s, db_write(&s, record_tx, &e));
}

static void test_others_are_redacted(void **state)
{
	char id[ID_TEXT];
	acted(&F.ann, ACTOR_USER, F.bob.user, "Bob Nosy", "bob.nosy@example.org");
	acted(&F.ann, ACTOR_APPLICATION, id_new(F.now), "Helga Helpdesk", NULL);
	acted(&F.bob, ACTOR_USER, F.ann.user, "Ann Herself", "ann.herself@example.org");
	fetch(&F.ann, export_of(&F.ann));
	char *all = everything();
	assert_null(strstr(all, "bob.nosy@example.org"));
	assert_null(strstr(all, "Helga Helpdesk"));
	assert_null(strstr(all, id_format(F.bob.user, id)));
	assert_non_null(strstr(all, "ann.herself@example.org")); /* what she did herself */
	assert_non_null(strstr(entry("data/auditAsTarget.json"), "[redacted: another person]"));
	auto_json *actor = entry_json("data/auditAsActor.json"), *target = entry_json("data/auditAsTarget.json");
	assert_int_equal(json_array_size(actor), 1);
	assert_int_equal(json_array_size(target), 3); /* the two, and the request itself */
	auto_json *listed = entry_json("redactions.json");
	size_t i, of_target = 0;
	json_t *v;
	json_array_foreach(listed, i, v)
	{
		assert_string_equal(member(v, "reason"), "third_party");
		assert_null(strstr(member(v, "text"), "Nosy"));
		of_target += strcmp(member(v, "record"), member(json_array_get(target, 0), "_record")) == 0;
	}
	assert_true(of_target >= 3); /* name, address, id */
}

static void test_a_long_history_is_all_there(void **state)
{
	enum { EVENTS = 537 };
	for (int i = 0; i < EVENTS; i++)
		acted(&F.ann, ACTOR_USER, F.ann.user, "Ann", "ann@example.org");
	fetch(&F.ann, export_of(&F.ann));
	auto_json *audit = entry_json("data/auditAsActor.json");
	assert_int_equal(json_array_size(audit), EVENTS);
	for (size_t i = 1; i < json_array_size(audit); i++) /* each once, by time */
		assert_true(strcmp(member(json_array_get(audit, i - 1), "id"), member(json_array_get(audit, i), "id")) < 0);
	char *page = entry("html/auditAsActor-2.html"), *second = page;
	size_t rows = 0;
	while ((second = strstr(second, "</tr>\n")) != NULL)
		second++, rows++;
	assert_int_equal(rows, EVENTS - 500);
	assert_non_null(strstr(entry("html/auditAsActor.html"), "auditAsActor-2.html"));
	assert_null(strstr(page, "auditAsActor-3.html"));
}

/* ---- its life ---- */

static void test_a_crashed_one_starts_again(void **state)
{
	struct scope s = scope_of(F.tenant), system = system_scope();
	struct id operation;
	bool more;
	ok_in(&s, export_request(&s, &(struct export_order){.user = F.ann.user}, &operation));
	run_sql(F.tenant,
		"UPDATE data_policy_operations SET status = 'running' WHERE tenant_id = ?1 AND operation_id = ?2",
		db_v_id(&operation));
	ok_in(&system, export_run_pending(&system, &JOB, &more));
	assert_int_equal(operations("complete"), 1);
	fetch(&F.ann, operation);
}

static void test_it_expires(void **state)
{
	struct id operation = export_of(&F.ann);
	bool more;
	char text[ID_TEXT];
	const char *file = arena_printf(F.d.arena, "%s/exports/%s.person.sealed", F.dir, id_format(operation, text));
	assert_int_equal(access(file, F_OK), 0);
	F.now += 8 * DAY_US;
	struct scope s = scope_of(F.tenant), system = system_scope();
	struct export_file in;
	refused(export_open(&s, F.dir, operation, &in), ERR_GONE);
	ok_in(&system, export_expire_due(&system, F.dir, &more));
	assert_int_not_equal(access(file, F_OK), 0);
	assert_int_equal(operations("complete"), 0);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND activity_type = ?2",
			     db_v_text("expire PersonalDataExport"))
				 .ret,
			 1);
}

static void test_what_ran_out_goes_by_the_map(void **state)
{
	struct scope system = system_scope();
	bool more;
	const char *tokens = "SELECT count(*) FROM enrollment_tokens WHERE tenant_id = ?1",
		   *certificates = "SELECT count(*) FROM device_certificates WHERE tenant_id = ?1";
	ok_in(&system, export_expire_due(&system, F.dir, &more));
	assert_int_equal(ask(F.tenant, certificates, db_v_null()).ret, 4); /* two people, two devices each */
	F.now += 21 * DAY_US; /* certificates and tokens of the fixture ran out a day ago */
	system = system_scope();
	ok_in(&system, export_expire_due(&system, F.dir, &more));
	assert_int_equal(ask(F.tenant, certificates, db_v_null()).ret, 0);
	assert_int_equal(ask(F.tenant, tokens, db_v_null()).ret, 2);
	F.now += 30 * DAY_US;
	system = system_scope();
	ok_in(&system, export_expire_due(&system, F.dir, &more));
	assert_int_equal(ask(F.tenant, tokens, db_v_null()).ret, 0);
}

static void test_nothing_plain_stays_on_disk(void **state)
{
	export_of(&F.ann);
	char *grep = arena_printf(F.d.arena, "grep -rqa '%s' %s/exports",
				  canary_of(&F.ann, "users", "mobile_phone", false), F.dir);
	assert_int_not_equal(system(grep), 0);
	grep = arena_printf(F.d.arena, "test $(ls %s/exports | wc -l) -eq 1", F.dir);
	assert_int_equal(system(grep), 0); /* the sealed file and nothing beside it */
}

static void test_who_may_be_exported(void **state)
{
	struct scope s = scope_of(F.tenant);
	struct id user, operation;
	char id[ID_TEXT];
	refused(export_resolve(&s, id_format(F.eve.user, id), &user), ERR_NOT_FOUND);
	refused(export_resolve(&s, "nobody@example.org", &user), ERR_NOT_FOUND);
	refused(export_request(&s, &(struct export_order){.user = F.ann.user, .storage_location = "http://plain.example/"}, &operation), ERR_BAD_REQUEST);
	refused(export_request(&s, &(struct export_order){.user = F.ann.user, .storage_location = "https:///"}, &operation), ERR_BAD_REQUEST);
	ok_in(&s, user_delete(&s, F.ann.user));
	ok_in(&s, export_resolve(&s, id_format(F.ann.user, id), &user));
	fetch(&F.ann, export_of(&F.ann)); /* soft-deleted: still theirs to ask for */
	ok_in(&s, user_delete_forever(&s, F.ann.user));
	fetch(&F.ann, export_of(&F.ann)); /* and while the deletion may wait for this very copy */
	run_sql(F.tenant, "UPDATE data_subject_requests SET state = 'closed' WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&F.ann.user));
	run_erasure();
	struct scope fresh = scope_of(F.tenant);
	refused(export_request(&fresh, &(struct export_order){.user = F.ann.user}, &operation), ERR_NOT_FOUND);
}

/* Exact origin, whole segments of the path, and nothing that a store may read otherwise. */
static void test_what_is_below_a_storage_location(void **state)
{
	static const struct {
		const char *prefix, *url;
		bool covered;
	} cases[] = {
		{"https://s.example", "https://s.example/a", true}, {"https://s.example", "https://s.example", true},
		{"https://s.example/", "https://s.example?x", true}, {"https://s.example", "https://S.EXAMPLE:443/a", true},
		{"https://s.example:8443", "https://s.example/a", false}, {"https://s.example", "https://s.example:8443/a", false},
		{"https://s.example", "https://s.example.evil/a", false}, {"https://s.example", "https://xs.example/a", false},
		{"https://s.example", "http://s.example/a", false}, {"https://s.example", "https://u@s.example/a", false},
		{"https://s.example/box", "https://s.example/box", true}, {"https://s.example/box/", "https://s.example/box/a?sig=/x", true},
		{"https://s.example/box", "https://s.example/box?a", true}, {"https://s.example/box", "https://s.example/boxes/a", false},
		{"https://s.example/box", "https://s.example/Box/a", false}, {"https://s.example/box", "https://s.example/", false},
		{"https://s.example/box", "https://s.example/box/../a", false}, {"https://s.example/box", "https://s.example/box/./a", false},
		{"https://s.example/box", "https://s.example/box/%2E%2e/a", false}, {"https://s.example/box", "https://s.example/box/.%2e", false},
		{"https://s.example/box", "https://s.example/box%2f..", false}, {"https://s.example/box", "https://s.example/box/%5c", false},
		{"https://s.example/box", "https://s.example/box/.a/..b", true}, {"https://s.example/box", "https://s.example?/box/a", false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (storage_location_covers(F.d.arena, cases[i].prefix, cases[i].url) != cases[i].covered)
			fail_msg("%s below %s", cases[i].url, cases[i].prefix);
}

/* Whoever asked, officers, and whoever holds a link; not an administrator. */
static void test_whose_a_bundle_is(void **state)
{
	struct scope s = scope_of(F.tenant);
	struct id operation;
	struct export_file file;
	int64_t expires;
	bool more = true;
	struct scope system = system_scope();
	s.actor = (struct actor){.type = ACTOR_APPLICATION, .id = F.bob.user, .name = "Officer", .permissions = "User.Export.All"};
	ok_in(&s, export_request(&s, &(struct export_order){.user = F.ann.user}, &operation));
	while (more)
		ok_in(&system, export_run_pending(&system, &JOB, &more));
	for (int i = 0; i < 4; i++) {
		struct scope r = scope_of(F.tenant);
		r.actor = (struct actor){.type = i == 3 ? ACTOR_ANONYMOUS : ACTOR_APPLICATION, .id = i == 0 ? F.bob.user : F.ann.user, .name = "x",
					 .permissions = i == 1 ? "User.Export.All User.ReadWrite.All" : "User.Export.All PrivacyBundles.Read.All"};
		enum err want = i == 1 ? ERR_FORBIDDEN : OK, e = export_open(&r, F.dir, operation, &file);
		assert_int_equal(e, want);
		if (e == OK)
			unseal_close(file.stream);
		assert_int_equal(export_link(&r, operation, &expires), want);
	}
}

static void test_a_download_is_an_event_about_the_person(void **state)
{
	struct id operation = export_of(&F.ann);
	const char *sql = arena_printf(
		F.d.arena,
		"SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND subject_id = ?2 AND activity_type = '%s'",
		activity_info(ACT_EXPORT_DOWNLOAD)->type);
	assert_int_equal(ask(F.tenant, sql, db_v_id(&F.ann.user)).ret, 0);
	fetch(&F.ann, operation);
	assert_int_equal(ask(F.tenant, sql, db_v_id(&F.ann.user)).ret, 1);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, fixture_up, fixture_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_all_of_one_and_nothing_of_others),
		T(test_sealed_columns_are_opened),
		T(test_portability_is_what_was_provided_and_observed),
		T(test_the_manifest_is_right),
		T(test_hostile_values_are_harmless),
		T(test_others_are_redacted),
		T(test_a_long_history_is_all_there),
		T(test_a_crashed_one_starts_again),
		T(test_it_expires),
		T(test_what_ran_out_goes_by_the_map),
		T(test_nothing_plain_stays_on_disk),
		T(test_who_may_be_exported),
		T(test_what_is_below_a_storage_location), T(test_whose_a_bundle_is), T(test_a_download_is_an_event_about_the_person),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
