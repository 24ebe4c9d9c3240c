/* SPDX-License-Identifier: Apache-2.0
 * A bundle that was changed is found, and what can be asked for beside the whole: forms, variants, a storage location. */
#include "bundle.h"

#include "codec/base64.h"
#include "privacy/export/check.h"

/* ---- checking it ---- */

struct copying {
	struct zip_writer *out;
	const char *change, *drop; /* names of files */
	const char *from, *to;     /* in the changed one; to NULL: another last byte */
};

static enum err copy_entry(void *arg, const char *name, const char *bytes, size_t n)
{
	struct copying *c = arg;
	if (c->drop != NULL && strcmp(name, c->drop) == 0)
		return OK;
	if (c->change == NULL || strcmp(name, c->change) != 0)
		return zip_add(c->out, name, bytes, n, F.now);
	char *copy = arena_strndup(F.d.arena, bytes, n);
	const char *at = c->from == NULL ? NULL : strstr(copy, c->from);
	if (c->to == NULL)
		copy[n - 1] ^= 1;
	else
		copy = arena_printf(F.d.arena, "%.*s%s%s", (int)(at - copy), copy, c->to, at + strlen(c->from));
	return zip_add(c->out, name, copy, c->to == NULL ? n : strlen(copy), F.now);
}

/* A copy of the bundle, with a difference; add: one more file. */
static const char *copy_with(struct copying c, const char *add)
{
	static const struct zip_limits limits = {.entry_bytes = 64 * MIB, .total_bytes = 256 * MIB, .entries = 1000};
	const char *path = arena_printf(F.d.arena, "%s/copy.zip", F.dir);
	assert_int_equal(zip_open(path, &c.out), OK);
	assert_int_equal(zip_each(bundle_path, &limits, copy_entry, &c), OK);
	if (add != NULL)
		assert_int_equal(zip_add(c.out, add, "more", 4, F.now), OK);
	assert_int_equal(zip_finish(c.out), OK);
	return path;
}

static void found(const char *path, enum err want, const char *says)
{
	struct scope s = system_scope();
	struct export_summary x;
	enum err e = export_check_file(&s, path, NULL, &x);
	if (e != want || strstr(scope_detail(&s, e), says) == NULL)
		fail_msg("%s: %s, and not %s: %s", err_name(e), scope_detail(&s, e), err_name(want), says);
}

static void test_what_was_changed_is_found(void **state)
{
	uint8_t key[ED25519_KEY_BYTES], other[ED25519_KEY_BYTES] = {7};
	struct scope s = system_scope();
	struct export_summary x;
	fetch(&F.ann, export_of(&F.ann));
	keeper_public_key(F.keeper, key);
	ok_in(&s, export_check_file(&s, bundle_path, key, &x));
	assert_string_equal(x.subject, canary_of(&F.ann, "users", "upn", false));
	assert_true(x.files > 60 && x.rows >= 20 && x.omitted > 40);
	ok_in(&s, export_check_file(&s, copy_with((struct copying){0}, NULL), NULL, &x));
	refused(export_check_file(&s, bundle_path, other, &x), ERR_CONFLICT);
	found(copy_with((struct copying){.change = "data/devices.json"}, NULL), ERR_CONFLICT, "data/devices.json is not what the manifest says");
	found(copy_with((struct copying){.change = "data/devices.csv", .from = "\r\n", .to = "\r\nx\r\n"}, NULL), ERR_CONFLICT, "data/devices.csv has");
	found(copy_with((struct copying){.change = "README.html"}, NULL), ERR_CONFLICT, "README.html");
	found(copy_with((struct copying){.change = "manifest.json", .from = "\"rows\":2", .to = "\"rows\":3"}, NULL), ERR_CONFLICT,
	      "manifest.json is not what was signed");
	found(copy_with((struct copying){.change = "manifest.sig", .from = "\"signature\":\"", .to = "\"signature\":\"A"}, NULL), ERR_BAD_REQUEST,
	      "manifest.sig");
	found(copy_with((struct copying){.drop = "html/devices.html"}, NULL), ERR_CONFLICT, "html/devices.html is in the manifest and not in the file");
	found(copy_with((struct copying){.drop = "manifest.sig"}, NULL), ERR_BAD_REQUEST, "it has no manifest.sig");
	found(copy_with((struct copying){0}, "data/more.json"), ERR_CONFLICT, "data/more.json is not in the manifest");
	found(copy_with((struct copying){0}, "data/devices.json"), ERR_CONFLICT, "data/devices.json is not in the manifest, or stands in the file twice");
	found(copy_with((struct copying){0}, "manifest.json"), ERR_BAD_REQUEST, "manifest.json stands in the file twice");
	found("/nonexistent", ERR_NOT_FOUND, "no such file");
	found("/proc/self/exe", ERR_BAD_REQUEST, "no zip file");
}

/* Signed by whoever, but with a row too few: whoever makes a manifest has to count. */
static void test_rows_are_counted(void **state)
{
	fetch(&F.ann, export_of(&F.ann));
	char *manifest = entry("manifest.json"), *at = strstr(manifest, "\"name\":\"data/devices.json\",\"rows\":2");
	uint8_t seed[ED25519_KEY_BYTES] = {5}, key[ED25519_KEY_BYTES], signature[ED25519_SIGNATURE_BYTES];
	ed25519_public(seed, key);
	at[strlen("\"name\":\"data/devices.json\",\"rows\":")] = '3';
	char *issuer = strstr(manifest, "\"publicKey\":\""), *b64 = base64_encode(F.d.arena, key, sizeof key);
	memcpy(issuer + strlen("\"publicKey\":\""), b64, strlen(b64));
	char *text = arena_printf(F.d.arena, "%s%s", EXPORT_SIGNED_PREFIX, manifest);
	ed25519_sign(seed, text, strlen(text), signature);
	struct zip_writer *out;
	const char *path = arena_printf(F.d.arena, "%s/own.zip", F.dir);
	static const struct zip_limits limits = {.entry_bytes = 64 * MIB, .total_bytes = 256 * MIB, .entries = 1000};
	const char *sig = arena_printf(F.d.arena,
				       "{\"format\":\"" EXPORT_FORMAT "\",\"keyId\":\"%s\",\"publicKey\":\"%s\",\"signature\":\"%s\"}",
				       export_key_id(F.d.arena, key), b64, base64_encode(F.d.arena, signature, sizeof signature));
	bundle_path = copy_with((struct copying){.drop = "manifest.json"}, NULL);
	assert_int_equal(zip_open(path, &out), OK);
	struct copying c = {.out = out, .drop = "manifest.sig"};
	assert_int_equal(zip_each(bundle_path, &limits, copy_entry, &c), OK);
	assert_int_equal(zip_add(out, "manifest.json", manifest, strlen(manifest), F.now), OK);
	assert_int_equal(zip_add(out, "manifest.sig", sig, strlen(sig), F.now), OK);
	assert_int_equal(zip_finish(out), OK);
	found(path, ERR_CONFLICT, "data/devices.json does not have the rows");
}

/* ---- forms and variants ---- */

static void test_chosen_sections_are_one_page(void **state)
{
	fetch(&F.ann, export_as(&F.ann, (struct export_order){.form = "page", .sections = "[\"account\",\"devices\"]"}));
	size_t n;
	char *page = slurp(bundle_path, &n), hex[2 * SHA256_BYTES + 1];
	uint8_t hash[SHA256_BYTES];
	assert_int_equal(memcmp(page, "<!DOCTYPE html>", 15), 0);
	assert_non_null(strstr(page, canary_of(&F.ann, "users", "upn", false)));
	assert_non_null(strstr(page, canary_of(&F.ann, "managed_devices", "model", true)));
	assert_null(strstr(page, canary_of(&F.ann, "detected_apps", "name", true)));
	assert_non_null(strstr(page, omission_text("not_asked")));
	nothing_of(&F.bob, page);
	no_harm_in_html(page);
	sha256(page, n, hash); /* what was delivered is recorded */
	hex_encode(hash, sizeof hash, hex);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM data_policy_operations WHERE tenant_id = ?1 AND sha256 = ?2",
			     db_v_blob(hash, sizeof hash))
				 .ret,
			 1);
	free(page);
}

static void test_orders_are_checked(void **state)
{
	struct scope s = scope_of(F.tenant);
	struct id operation;
	static const struct export_order bad[] = {
		{.variant = "everything"},
		{.form = "pdf"},
		{.sections = "[]"},
		{.sections = "{}"},
		{.sections = "[\"account\",\"nothing\"]"},
		{.sections = "[7]"},
		{.sections = "[\"\"]"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct export_order o = bad[i];
		o.user = F.ann.user;
		s.detail = NULL;
		refused(export_request(&s, &o, &operation), ERR_BAD_REQUEST);
	}
	refused(export_request(&s, &(struct export_order){.user = F.ann.user, .request = id_new(F.now)}, &operation), ERR_NOT_FOUND);
	fetch(&F.ann, export_as(&F.ann, (struct export_order){.variant = "full", .sections = "[\"account\"]"}));
	assert_non_null(strstr(entry("README.html"), "For the organisation itself"));
	assert_int_equal(ask(F.tenant, /* which variant it was stands in the event */
			     "SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND activity_type = ?2", db_v_text("exportPersonalData User"))
				 .ret,
			 1);
}

/* ---- delivery ---- */

static void test_a_parcel_is_complete_when_it_was_carried(void **state)
{
	struct scope s = scope_of(F.tenant), system = system_scope();
	struct id operation;
	struct export_parcel p;
	struct export_job job = JOB;
	struct unseal_stream *in;
	size_t n;
	bool more;
	job.parcels = true;
	allow_storage(F.tenant);
	for (int failed = 0; failed < 2; failed++) {
		ok_in(&s, export_request(&s, &(struct export_order){.user = F.ann.user, .storage_location = "https://storage.example/x"}, &operation));
		ok_in(&system, export_run_pending(&system, &job, &more));
		ok_in(&system, export_run_pending(&system, &job, &more)); /* it is not built again */
		assert_int_equal(operations("running"), 1);
		ok_in(&system, export_parcels(&system, F.dir, &p, 1, &n));
		assert_true(n == 1 && id_equal(p.operation, operation) && p.bytes > 1000 && strcmp(p.location, "https://storage.example/x") == 0);
		ok_in(&s, export_parcel_open(&s, F.dir, operation, &in));
		unseal_close(in);
		ok_in(&s, export_parcel_done(&s, F.dir, operation, failed ? "the storage said no" : NULL));
		ok_in(&system, export_parcels(&system, F.dir, &p, 1, &n));
		assert_int_equal(n, 0);
		if (failed)
			refused(export_parcel_open(&s, F.dir, operation, &in), ERR_NOT_FOUND);
		else
			fetch(&F.ann, operation);
	}
	assert_int_equal(operations("complete"), 1);
	assert_int_equal(operations("failed"), 1 + 1); /* and the fixture's */
}

static enum err case_of_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct id *id = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_text(tx, DB_REACH_TENANT, "SELECT request_id FROM data_subject_requests WHERE tenant_id = ?1 AND user_id = ?2",
			  DB_ARGS(db_v_id(id)), &r));
	*id = db_next(r) ? db_id(r, 0) : (struct id){{0}};
	return db_rows_err(r);
}

static void test_the_download_delivers_a_case(void **state)
{
	struct scope s = scope_of(F.tenant);
	struct id request = F.ann.user, operation;
	ok_in(&s, db_read(&s, case_of_tx, &request)); /* the fixture's is decided */
	refused(export_request(&s, &(struct export_order){.user = F.bob.user, .request = request}, &operation), ERR_NOT_FOUND);
	operation = export_as(&F.ann, (struct export_order){.request = request});
	run_sql(F.tenant, /* the case has asked for it */
		"UPDATE data_subject_requests SET request_type = 'access', operation_id = ?2 WHERE tenant_id = ?1 AND user_id = (SELECT o.user_id FROM "
		"data_policy_operations o WHERE o.tenant_id = ?1 AND o.operation_id = ?2)",
		db_v_id(&operation));
	const char *delivered = "SELECT count(*) FROM data_subject_requests WHERE tenant_id = ?1 AND request_id = ?2 AND state = 'delivered' "
				"AND delivered_sha256 = (SELECT o.sha256 FROM data_policy_operations o WHERE o.tenant_id = ?1 AND "
				"o.request_id = ?2 AND o.status = 'complete')";
	assert_int_equal(ask(F.tenant, delivered, db_v_id(&request)).ret, 0);
	fetch(&F.ann, operation);
	assert_int_equal(ask(F.tenant, delivered, db_v_id(&request)).ret, 1);
	auto_json *m = entry_json("manifest.json");
	char id[ID_TEXT];
	assert_string_equal(member(m, "requestId"), id_format(request, id));
	assert_string_equal(member(m, "regime"), "gdpr");
}

static void decide_on_devices(const char *reason)
{
	run_sql(F.tenant,
		arena_printf(F.d.arena,
			     "UPDATE disclosure_decisions SET section = 'devices', record_key = '', property = '', disclosure = 'withheld', "
			     "reason_code = '%s', request_id = (SELECT r.request_id FROM data_subject_requests r WHERE r.tenant_id = ?1 AND "
			     "r.user_id = ?2) WHERE tenant_id = ?1 AND user_id = ?2",
			     reason),
		db_v_id(&F.ann.user));
}

static void test_what_would_tip_off_is_not_even_counted(void **state)
{
	struct scope s = scope_of(F.tenant);
	struct id request = F.ann.user;
	ok_in(&s, db_read(&s, case_of_tx, &request));
	const char *model = canary_of(&F.ann, "managed_devices", "model", true), *ground = canary_of(&F.ann, "disclosure_decisions", "legal_ground", false);
	decide_on_devices("trade_secret");
	fetch(&F.ann, export_as(&F.ann, (struct export_order){.request = request}));
	assert_null(strstr(everything(), model));
	assert_non_null(strstr(entry("manifest.json"), ground));
	assert_non_null(strstr(entry("withheld.json"), "trade_secret"));
	assert_non_null(strstr(entry("README.html"), ground));
	decide_on_devices("legal_hold");
	fetch(&F.ann, export_as(&F.ann, (struct export_order){.request = request}));
	assert_null(strstr(everything(), model));
	assert_string_equal(entry("data/devices.json"), "[\n]\n"); /* as if there were none */
	assert_null(strstr(everything(), ground));
	assert_null(strstr(everything(), "legal_hold"));
	assert_non_null(strstr(entry("README.html"), "an inquiry would be endangered")); /* said in every answer */
}

/* An erasure takes the row while the file is made, and the server ends before it removes the file. */
static void test_a_file_without_a_row_goes(void **state)
{
	struct id operation = export_of(&F.ann), keep = export_of(&F.bob);
	struct scope system = system_scope();
	char text[ID_TEXT];
	bool more;
	const char *file = arena_printf(F.d.arena, "%s/exports/%s.person.sealed", F.dir, id_format(operation, text));
	const char *kept = arena_printf(F.d.arena, "%s/exports/%s.person.sealed", F.dir, id_format(keep, text));
	const char *audit = arena_printf(F.d.arena, "%s/exports/%s.sealed", F.dir, id_format(id_new(F.now), text));
	fclose(fopen(audit, "w"));
	run_sql(F.tenant, "DELETE FROM data_policy_operations WHERE tenant_id = ?1 AND operation_id = ?2", db_v_id(&operation));
	ok_in(&system, export_expire_due(&system, F.dir, &more));
	assert_int_not_equal(access(file, F_OK), 0);
	assert_int_equal(access(kept, F_OK), 0);
	assert_int_equal(access(audit, F_OK), 0);
}

static void test_what_cannot_be_built_fails(void **state)
{
	struct scope s = scope_of(F.tenant), system = system_scope();
	struct id operation;
	bool more;
	ok_in(&s, export_request(&s, &(struct export_order){.user = F.ann.user}, &operation));
	const char *exports = arena_printf(F.d.arena, "%s/exports", F.dir);
	fclose(fopen(exports, "w")); /* no folder */
	ok_in(&system, export_run_pending(&system, &JOB, &more));
	assert_int_equal(operations("failed"), 1 + 1);
	assert_int_equal(unlink(exports), 0);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM data_policy_operations WHERE tenant_id = ?1 AND operation_id = ?2 AND error IS NOT NULL",
			     db_v_id(&operation))
				 .ret,
			 1);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, fixture_up, fixture_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_what_was_changed_is_found),
		T(test_rows_are_counted),
		T(test_chosen_sections_are_one_page),
		T(test_orders_are_checked),
		T(test_a_parcel_is_complete_when_it_was_carried),
		T(test_the_download_delivers_a_case),
		T(test_what_would_tip_off_is_not_even_counted),
		T(test_a_file_without_a_row_goes),
		T(test_what_cannot_be_built_fails),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
