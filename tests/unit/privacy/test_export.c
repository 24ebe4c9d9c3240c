/* SPDX-License-Identifier: Apache-2.0
 * A bundle holds all of its person, or the reason why not, and nothing of anybody else. */
#include "fixture.h"

#include "audit/audit.h"
#include "codec/json.h"
#include "crypto/seal.h"
#include "privacy/export_internal.h"

static const char *bundle_path;

static struct id export_of(const struct person *p)
{
	struct scope s = scope_of(p->tenant), system = system_scope();
	struct id operation;
	bool more = true;
	ok_in(&s, export_request(&s, p->user, "https://storage.example/sas", &operation));
	while (more)
		ok_in(&system, export_run_pending(&system, F.dir, HOST, &more));
	return operation;
}

/* Fetches it into a file that zip_read() opens. */
static void fetch(const struct person *p, struct id operation)
{
	struct scope s = scope_of(p->tenant);
	struct unseal_stream *in;
	int64_t bytes, got = 0;
	const void *piece;
	size_t n;
	ok_in(&s, export_open(&s, F.dir, operation, &in, &bytes));
	bundle_path = arena_printf(F.d.arena, "%s/bundle.zip", F.dir);
	FILE *out = fopen(bundle_path, "wb");
	for (;;) {
		ok_in(&s, unseal_read(in, &piece, &n));
		if (n == 0)
			break;
		assert_int_equal(fwrite(piece, 1, n, out), n);
		got += (int64_t)n;
	}
	assert_int_equal(fclose(out), 0);
	unseal_close(in);
	assert_int_equal(got, bytes);
}

static char *entry(const char *name)
{
	char *p;
	size_t n;
	assert_string_equal(err_name(zip_read(bundle_path, name, 64 * MIB, &p, &n)), "OK");
	char *copy = arena_strndup(F.d.arena, p, n);
	free(p);
	return copy;
}

/* The file names of the manifest, and the manifest and the page themselves, all in one text. */
static char *everything(void)
{
	auto_json *m = json_loads(entry("manifest.json"), 0, NULL);
	char *all = arena_printf(F.d.arena, "%s\n%s", entry("manifest.json"), entry("README.html"));
	size_t i;
	json_t *f;
	json_array_foreach(json_object_get(m, "files"), i, f)
		all = arena_printf(F.d.arena, "%s\n%s", all, entry(json_string_value(json_object_get(f, "name"))));
	return all;
}

static bool omitted(const json_t *manifest, const struct map_column *c)
{
	size_t i;
	json_t *v;
	json_array_foreach(json_object_get(manifest, "omitted"), i,
			   v) if (strcmp(json_string_value(json_object_get(v, "table")), c->table) == 0 &&
				  strcmp(json_string_value(json_object_get(v, "column")), c->name) ==
					  0) return json_string_length(json_object_get(v, "reason")) > 0;
	return false;
}

static void test_all_of_one_and_nothing_of_others(void **state)
{
	fetch(&F.ann, export_of(&F.ann));
	char *all = everything();
	auto_json *manifest = json_loads(entry("manifest.json"), 0, NULL);
	for (size_t i = 0; i < F.ann.n; i++) {
		const struct canary *k = &F.ann.canary[i];
		const char *want = k->text;
		if (k->column->type == MAP_TYPE_BLOB) {
			char *hex = arena_alloc(F.d.arena, 2 * CANARY_TEXT);
			hex_encode(k->text, strlen(k->text), hex);
			want = hex;
		}
		bool there = strstr(all, want) != NULL;
		if (there == omitted(manifest, k->column))
			fail_msg("%s is %s", k->text,
				 there ? "there and said to be left out" : "neither there nor explained");
	}
	for (size_t i = 0; i < F.bob.n; i++)
		assert_null(strstr(all, F.bob.canary[i].text));
	for (size_t i = 0; i < F.eve.n; i++)
		assert_null(strstr(all, F.eve.canary[i].text));
}

static void test_the_manifest_is_right(void **state)
{
	char id[ID_TEXT], hex[2 * SHA256_BYTES + 1];
	struct id operation = export_of(&F.ann);
	fetch(&F.ann, operation);
	auto_json *m = json_loads(entry("manifest.json"), 0, NULL);
	size_t i;
	json_t *f;
	assert_string_equal(json_string_value(json_object_get(m, "requestId")), id_format(operation, id));
	json_array_foreach(json_object_get(m, "files"), i, f)
	{
		uint8_t hash[SHA256_BYTES];
		char *text = entry(json_string_value(json_object_get(f, "name")));
		sha256(text, strlen(text), hash);
		hex_encode(hash, sizeof hash, hex);
		assert_string_equal(json_string_value(json_object_get(f, "sha256")), hex);
		assert_int_equal(json_integer_value(json_object_get(f, "bytes")), strlen(text));
	}
	assert_true(i > 20);
	auto_json *devices = json_loads(entry("data/devices.json"), 0, NULL);
	assert_int_equal(json_array_size(devices), 2);
	const json_t *first = json_array_get(devices, 0);
	assert_true(json_is_true(json_object_get(first, "isEncrypted")));
	assert_int_equal(json_string_length(json_object_get(first, "deviceId")), ID_TEXT - 1);
	assert_non_null(strchr(json_string_value(json_object_get(first, "enrolledAt")), 'T'));
	assert_null(json_object_get(first, "tenantId")); /* internal */
	auto_json *account = json_loads(entry("data/account.json"), 0, NULL);
	assert_true(json_is_array(json_object_get(json_array_get(account, 0), "businessPhones")));
}

static void test_the_page_runs_nothing(void **state)
{
	run_sql(F.tenant,
		"UPDATE users SET job_title = '<script>alert(1)</script>' WHERE tenant_id = ?1 AND user_id = ?2",
		db_v_id(&F.ann.user));
	fetch(&F.ann, export_of(&F.ann));
	char *page = entry("README.html");
	assert_null(strstr(page, "<script"));
	assert_non_null(strstr(page, "&lt;script&gt;"));
	assert_null(strstr(page, "http"));
}

/* ---- other people ---- */

static enum err record_tx(struct scope *s, struct db_tx *tx, void *arg) { return audit_record(tx, arg); }

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
	assert_non_null(strstr(entry("data/audit.json"), REDACTED));
	auto_json *audit = json_loads(entry("data/audit.json"), 0, NULL);
	assert_int_equal(json_array_size(audit), 4); /* the three, and the request itself */
}

static void test_a_long_history_is_all_there(void **state)
{
	enum { EVENTS = 137 };
	for (int i = 0; i < EVENTS; i++)
		acted(&F.ann, ACTOR_USER, F.ann.user, "Ann", "ann@example.org");
	fetch(&F.ann, export_of(&F.ann));
	auto_json *audit = json_loads(entry("data/audit.json"), 0, NULL);
	assert_int_equal(json_array_size(audit), EVENTS + 1);
	for (size_t i = 1; i < json_array_size(audit); i++) /* each once */
		assert_string_not_equal(json_string_value(json_object_get(json_array_get(audit, i - 1), "id")),
					json_string_value(json_object_get(json_array_get(audit, i), "id")));
}

/* ---- its life ---- */

static int64_t operations(const char *status)
{
	return ask(F.tenant,
		   arena_printf(F.d.arena,
				"SELECT count(*) FROM data_policy_operations WHERE tenant_id = ?1 AND user_id = ?2 AND "
				"status = '%s'",
				status),
		   db_v_id(&F.ann.user))
		.ret;
}

static void test_a_crashed_one_starts_again(void **state)
{
	struct scope s = scope_of(F.tenant), system = system_scope();
	struct id operation;
	bool more;
	ok_in(&s, export_request(&s, F.ann.user, NULL, &operation));
	run_sql(F.tenant,
		"UPDATE data_policy_operations SET status = 'running' WHERE tenant_id = ?1 AND operation_id = ?2",
		db_v_id(&operation));
	ok_in(&system, export_run_pending(&system, F.dir, HOST, &more));
	assert_int_equal(operations("complete"), 1);
	fetch(&F.ann, operation);
}

static void test_it_expires(void **state)
{
	struct id operation = export_of(&F.ann);
	bool more;
	char text[ID_TEXT];
	const char *file = arena_printf(F.d.arena, "%s/exports/%s.sealed", F.dir, id_format(operation, text));
	assert_int_equal(access(file, F_OK), 0);
	F.now += 8 * DAY_US;
	struct scope s = scope_of(F.tenant), system = system_scope();
	struct unseal_stream *in;
	int64_t bytes;
	refused(export_open(&s, F.dir, operation, &in, &bytes), ERR_GONE);
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
	refused(export_request(&s, F.ann.user, "http://plain.example/", &operation), ERR_BAD_REQUEST);
	refused(export_request(&s, F.ann.user, "https:///", &operation), ERR_BAD_REQUEST);
	ok_in(&s, user_delete(&s, F.ann.user));
	ok_in(&s, export_resolve(&s, id_format(F.ann.user, id), &user));
	fetch(&F.ann, export_of(&F.ann)); /* soft-deleted: still theirs to ask for */
	ok_in(&s, user_delete_forever(&s, F.ann.user));
	struct scope fresh = scope_of(F.tenant);
	refused(export_request(&fresh, F.ann.user, NULL, &operation), ERR_NOT_FOUND);
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
		T(test_the_manifest_is_right),
		T(test_the_page_runs_nothing),
		T(test_others_are_redacted),
		T(test_a_long_history_is_all_there),
		T(test_a_crashed_one_starts_again),
		T(test_it_expires),
		T(test_what_ran_out_goes_by_the_map),
		T(test_nothing_plain_stays_on_disk),
		T(test_who_may_be_exported),
		T(test_a_download_is_an_event_about_the_person),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
