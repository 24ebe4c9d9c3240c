/* SPDX-License-Identifier: Apache-2.0
 * A certificate can be checked by anybody, says what happened, names nobody, and does not survive a change of one
 * character. */
#include "fixture.h"

#include "codec/base64.h"
#include "codec/json.h"
#include "privacy/erasure/erasure.h"

struct file {
	const char *kind;
	struct buf out;
};

static enum err write_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct file *f = arg;
	char sql[] = "SELECT c.certificate_id, c.duty_id, c.issued_at FROM certificates c JOIN duties d ON d.tenant_id = "
		     "c.tenant_id AND d.duty_id = c.duty_id WHERE c.tenant_id = ?1 AND d.subject_type = 'user' AND c.kind = ?2";
	struct json_writer w;
	struct db_value kind = db_v_text(f->kind);
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_text(tx, DB_REACH_TENANT, sql, &kind, 1, &r));
	if (!db_next(r))
		return ERR_NOT_FOUND;
	buf_clear(&f->out);
	jw_init(&w, &f->out);
	jw_object(&w);
	jw_kid(&w, "id", db_id(r, 0));
	jw_kid(&w, "dutyId", db_id(r, 1));
	jw_ktime(&w, "issuedDateTime", db_int(r, 2));
	TRY(certificate_write(tx, &w, db_id(r, 0)));
	jw_end_object(&w);
	return OK;
}

/* What the server's jobs do after the erasure: the log grows and is signed, the proofs are kept, the second certificate follows. */
static void run_jobs(void)
{
	struct scope s = system_scope();
	bool more;
	s.now += MINUTE_US; /* the scrub took its moment */
	ok_in(&s, erasure_copies_due(&s, HOST, &more));
	sequence_logs();
	ok_in(&s, certificate_prove_due(&s, &more));
}

static json_t *read_file(const char *kind, struct buf *out)
{
	struct file f = {.kind = kind};
	struct scope s = scope_of(F.tenant);
	buf_init(&f.out, MIB);
	ok_in(&s, db_read(&s, write_tx, &f));
	*out = f.out;
	json_t *j = json_loadb(out->data, out->len, 0, NULL);
	assert_non_null(j);
	return j;
}

static json_t *certificate(struct buf *out)
{
	erase_forever(&F.ann);
	run_erasure();
	run_jobs();
	return read_file(CERTIFICATE_ACTIVE, out);
}

static enum err check_json(const json_t *j, const uint8_t *key, struct certificate_summary *ret)
{
	struct scope s = scope_of(F.tenant);
	char *text = json_dumps(j, 0);
	char *copy = arena_strdup(s.arena, text);
	free(text);
	return certificate_check_file(&s, copy, strlen(copy), key, ret);
}

static void test_it_verifies(void **state)
{
	auto_buf out;
	auto_json *j = certificate(&out);
	struct certificate_summary c;
	uint8_t key[ED25519_KEY_BYTES];
	keeper_public_key(F.keeper, key);
	refused(check_json(j, NULL, &c), OK);
	refused(check_json(j, key, &c), OK);
	assert_string_equal(c.issuer, HOST);
	assert_string_equal(c.trigger, "permanentDelete");
	assert_true(c.deadline_met);
	assert_true(c.in_log);
	assert_non_null(strstr(c.log, HOST));
	assert_true(c.index < c.size);
}

/* Whoever is given the salt and knows the id can tell whom it is about; with another duty's salt nobody can. */
static void test_the_subject_can_compute_the_reference(void **state)
{
	auto_buf out;
	auto_json *j = certificate(&out);
	struct certificate_summary c;
	struct id duty, other = F.tenant;
	uint8_t salt[CERTIFICATE_SALT_BYTES], reference[SHA256_BYTES];
	refused(check_json(j, NULL, &c), OK);
	assert_true(id_parse(c.duty, &duty));
	certificate_salt(F.keeper, duty, salt);
	certificate_reference(salt, F.tenant, F.ann.user, reference);
	assert_memory_equal(reference, c.reference, sizeof reference);
	certificate_reference(salt, F.tenant, F.ann.personal, reference);
	assert_memory_not_equal(reference, c.reference, sizeof reference);
	certificate_salt(F.keeper, other, salt);
	certificate_reference(salt, F.tenant, F.ann.user, reference);
	assert_memory_not_equal(reference, c.reference, sizeof reference);
}

/* Without backups there is no copy that could go later: the second certificate is there at once, and completes the first. */
static void test_the_second_completes_the_first(void **state)
{
	auto_buf out, second_out;
	auto_json *first = certificate(&out);
	struct certificate_summary c;
	auto_json *second = read_file(CERTIFICATE_COPIES, &second_out);
	refused(check_json(second, NULL, &c), OK);
	assert_string_equal(c.kind, CERTIFICATE_COPIES);
	assert_true(c.deadline_met);
	const json_t *body = json_object_get(second, "certificate"), *completes = json_object_get(body, "completes");
	assert_string_equal(json_string_value(json_object_get(completes, "certificateId")), json_string_value(json_object_get(first, "id")));
	assert_string_equal(json_string_value(json_object_get(body, "subjectReference")),
			    json_string_value(json_object_get(json_object_get(first, "certificate"), "subjectReference")));
}

static void test_it_can_be_printed(void **state)
{
	auto_buf out, page;
	auto_json *j = certificate(&out);
	json_object_set_new(json_object_get(j, "certificate"), "trigger", json_string("<script>"));
	buf_init(&page, MIB);
	certificate_page(&page, j);
	assert_false(page.failed);
	assert_null(strstr(page.data, "<script>"));
	assert_non_null(strstr(page.data, "&lt;script&gt;"));
	assert_non_null(strstr(page.data, json_string_value(json_object_get(j, "id"))));
}

static void test_it_names_nobody(void **state)
{
	auto_buf out;
	auto_json *j = certificate(&out);
	char id[ID_TEXT];
	char *text = json_dumps(json_object_get(j, "certificate"), 0);
	for (size_t i = 0; i < F.ann.n; i++)
		assert_null(strstr(text, F.ann.canary[i].text));
	assert_null(strstr(text, id_format(F.ann.user, id)));
	assert_null(strstr(text, id_format(F.ann.personal, id)));
	free(text);
}

static void test_it_says_what_happened(void **state)
{
	auto_buf out;
	auto_json *j = certificate(&out);
	const json_t *body = json_object_get(j, "certificate"), *row = NULL;
	size_t i;
	json_t *v;
	json_array_foreach(json_object_get(body, "tables"), i,
			   v) if (strcmp(json_string_value(json_object_get(v, "table")), "users") == 0) row = v;
	assert_int_equal(json_integer_value(json_object_get(row, "found")), 1);
	assert_int_equal(json_integer_value(json_object_get(row, "deleted")), 1);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(body, "ledger"), "sequence")), 1);
	assert_true(json_array_size(json_object_get(body, "residues")) > 0); /* the personal device */
	assert_true(json_array_size(json_object_get(body, "stores")) > 5); /* the database and the map's other places */
	assert_true(json_integer_value(json_object_get(json_object_get(body, "auditEvents"), "kept")) > 0);
	assert_true(json_array_size(json_object_get(json_object_get(body, "auditEvents"), "ends")) > 0);
	assert_int_equal(strlen(json_string_value(json_object_get(body, "subjectReference"))), 64);
	assert_int_equal(strlen(json_string_value(json_object_get(body, "mapVersion"))), 64);
}

static void test_its_hash_is_in_the_log(void **state)
{
	auto_buf out;
	auto_json *j = certificate(&out);
	void *body;
	size_t n;
	uint8_t hash[SHA256_BYTES];
	char hex[2 * SHA256_BYTES + 1];
	const char *text = json_string_value(json_object_get(j, "body"));
	assert_true(base64_decode(F.d.arena, text, strlen(text), &body, &n));
	sha256(body, n, hash);
	hex_encode(hash, sizeof hash, hex);
	const char *sql =
		F.d.engine == DB_SQLITE
			? "SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND instr(bytes, ?2) > 0"
			: "SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND position(?2 IN bytes) > 0";
	struct question q = ask(F.tenant, sql, db_v_blob(hex, strlen(hex)));
	assert_int_equal(q.ret, 1);
}

/* One character of one member. */
static void change(json_t *j, const char *member, size_t at)
{
	char *text = strdup(json_string_value(json_object_get(j, member)));
	assert_true(at < strlen(text));
	text[at] = text[at] == 'A' ? 'B' : 'A';
	json_object_set_new(j, member, json_string(text));
	free(text);
}

static void test_a_changed_one_does_not(void **state)
{
	auto_buf out;
	auto_json *j = certificate(&out);
	struct certificate_summary c;
	static const struct {
		const char *member;
		size_t at;
	} changes[] = {{"body", 0},	 {"body", 400}, {"signature", 0}, {"signature", 40},
		       {"publicKey", 7}, {"id", 0},	{"dutyId", 3},	  {"issuedDateTime", 3}};
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		auto_json *copy = json_deep_copy(j);
		change(copy, changes[i].member, changes[i].at);
		refused(check_json(copy, NULL, &c), ERR_BAD_REQUEST);
	}
	auto_json *copy = json_deep_copy(j);
	json_object_set_new(json_object_get(copy, "certificate"), "deadlineMet", json_false());
	refused(check_json(copy, NULL, &c), ERR_BAD_REQUEST); /* what is shown is not what is signed */
	/* its place in the log: another event, half of it, another proof */
	static const struct {
		const char *member;
		size_t at;
	} places[] = {{"logEvent", 40}, {"logProof", 45}, {"logProof", 200}};
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		auto_json *moved = json_deep_copy(j);
		change(moved, places[i].member, places[i].at);
		refused(check_json(moved, NULL, &c), ERR_BAD_REQUEST);
	}
	auto_json *lost = json_deep_copy(j);
	json_object_del(lost, "logEvent");
	refused(check_json(lost, NULL, &c), ERR_BAD_REQUEST);
	json_object_del(lost, "logProof");
	refused(check_json(lost, NULL, &c), OK); /* taken before the log was signed */
	assert_false(c.in_log);
	auto_json *half = json_deep_copy(j);
	json_object_del(half, "signature");
	refused(check_json(half, NULL, &c), ERR_BAD_REQUEST);
}

static void test_another_issuers_does_not(void **state)
{
	auto_buf out;
	auto_json *j = certificate(&out);
	struct certificate_summary c;
	uint8_t seed[ED25519_KEY_BYTES], key[ED25519_KEY_BYTES], signature[ED25519_SIGNATURE_BYTES];
	void *body;
	size_t n;
	const char *text = json_string_value(json_object_get(j, "body"));
	ed25519_generate(seed);
	ed25519_public(seed, key);
	refused(check_json(j, key, &c), ERR_BAD_REQUEST);
	/* a forger signs the same body with a key of their own, and puts that key into the file */
	assert_true(base64_decode(F.d.arena, text, strlen(text), &body, &n));
	ed25519_sign(seed, body, n, signature);
	json_object_set_new(j, "signature", json_string(base64_encode(F.d.arena, signature, sizeof signature)));
	json_object_set_new(j, "publicKey", json_string(base64_encode(F.d.arena, key, sizeof key)));
	refused(check_json(j, NULL, &c), ERR_BAD_REQUEST);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, fixture_up, fixture_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_it_verifies),
		T(test_it_names_nobody),
		T(test_the_subject_can_compute_the_reference),
		T(test_the_second_completes_the_first),
		T(test_it_can_be_printed),
		T(test_it_says_what_happened),
		T(test_its_hash_is_in_the_log),
		T(test_a_changed_one_does_not),
		T(test_another_issuers_does_not),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
