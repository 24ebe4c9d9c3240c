/* SPDX-License-Identifier: Apache-2.0
 * Enrolment: tokens are used once and in time, terms are accepted in their current version, certificates identify,
 * renew and end. */
#include "fixture.h"

#include "devices/removal.h"

static void a_token_enrols_one_device(void **state)
{
	struct machine m = {0}, again = {0};
	struct enrollment_token t;
	one_event(ACT_ENROLLMENT_TOKEN, t = new_token(false));
	one_event(ACT_DEVICE_ENROLL, ok(try_enrol(t.text, NULL, 0, true, &m)));
	assert_string_equal(device_text(m.id, "owner_type"), "personal");
	assert_string_equal(device_text(m.id, "management_state"), "managed");
	assert_int_equal(
		answer(&F.admin,
		       "SELECT count(*) FROM managed_devices WHERE tenant_id = ?1 AND device_id = ?2 AND user_id = ?3",
		       db_v_id(&m.id), db_v_id(&F.user))
			.ret,
		1);
	no_event(refused(try_enrol(t.text, NULL, 0, true, &again), ERR_UNAUTHENTICATED));
	/* the event is about the person */
	assert_int_equal(answer(&F.admin,
				"SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND subject_id = ?2 AND "
				"resource_id = ?3",
				db_v_id(&F.user), db_v_id(&m.id))
				 .ret,
			 1);
}

static void the_text_of_a_token_is_not_kept(void **state)
{
	struct enrollment_token t = new_token(true);
	assert_int_equal(strlen(t.text), ENROLLMENT_TOKEN_TEXT - 1);
	assert_int_equal(answer(&F.admin,
				"SELECT count(*) FROM enrollment_tokens WHERE tenant_id = ?1 AND token_hash = ?2",
				db_v_blob(t.text, strlen(t.text)), db_v_null())
				 .ret,
			 0);
	uint8_t hash[32];
	assert_true(enrollment_token_hash(&F.admin, t.text, hash));
	assert_int_equal(answer(&F.admin,
				"SELECT count(*) FROM enrollment_tokens WHERE tenant_id = ?1 AND token_hash = ?2",
				db_v_blob(hash, 32), db_v_null())
				 .ret,
			 1);
}

static void tokens_that_are_not_good(void **state)
{
	struct machine m;
	struct enrollment_token t = new_token(false), revoked = new_token(false);
	char wrong[ENROLLMENT_TOKEN_TEXT];
	strcpy(wrong, t.text);
	wrong[0] = wrong[0] == 'A' ? 'B' : 'A';
	refused(try_enrol(wrong, NULL, 0, true, &m), ERR_UNAUTHENTICATED);
	refused(try_enrol("", NULL, 0, true, &m), ERR_UNAUTHENTICATED);
	refused(try_enrol("x' OR 1=1 --", NULL, 0, true, &m), ERR_UNAUTHENTICATED);
	ok(enrollment_token_delete(&F.admin, revoked.token));
	refused(try_enrol(revoked.text, NULL, 0, true, &m), ERR_UNAUTHENTICATED);
	wait_us(25 * HOUR_US);
	refused(try_enrol(t.text, NULL, 0, true, &m), ERR_UNAUTHENTICATED);
	struct enrollment_token long_;
	refused(enrollment_token_create(&F.admin, F.user, false, 721, &long_), ERR_BAD_REQUEST);
	refused(enrollment_token_create(&F.other_admin, F.user, false, 1, &long_), ERR_NOT_FOUND);
	refused(enrollment_token_delete(&F.other_admin, t.token), ERR_NOT_FOUND);
}

static void a_disabled_person_enrols_nothing(void **state)
{
	struct machine m;
	struct id bob = make_user(&F.admin, "bob@example.org", "Bob");
	struct enrollment_token t;
	ok(enrollment_token_create(&F.admin, bob, false, 1, &t));
	ok(user_delete(&F.admin, bob));
	refused(try_enrol(t.text, NULL, 0, true, &m), ERR_FORBIDDEN);
	assert_int_equal(answer(&F.admin,
				"SELECT count(*) FROM enrollment_tokens WHERE tenant_id = ?1 AND token_id = ?2 AND "
				"used_at IS NULL",
				db_v_id(&t.token), db_v_null())
				 .ret,
			 1);
}

static struct id new_terms(void)
{
	struct id id;
	ok(terms_create(&F.admin,
			record_of(&F.admin, &RES_TERMS, RECORD_CREATE,
				  "{\"displayName\":\"Privacy\",\"title\":\"T\",\"bodyText\":\"one\","
				  "\"acceptanceStatement\":\"I agree\"}"),
			&id));
	return id;
}

static void terms_are_accepted_by_version(void **state)
{
	struct machine m;
	struct id terms = new_terms();
	struct enrollment_token t = new_token(false);
	struct accepted_terms accepted = {terms, 1};
	one_event(ACT_TERMS_UPDATE,
		  ok(terms_patch(&F.admin, terms,
				 record_of(&F.admin, &RES_TERMS, RECORD_PATCH, "{\"description\":\"d\"}"))));
	one_event(ACT_TERMS_UPDATE,
		  ok(terms_patch(&F.admin, terms,
				 record_of(&F.admin, &RES_TERMS, RECORD_PATCH, "{\"bodyText\":\"two\"}"))));
	no_event(ok(
		terms_patch(&F.admin, terms, record_of(&F.admin, &RES_TERMS, RECORD_PATCH, "{\"bodyText\":\"two\"}"))));
	refused(try_enrol(t.text, NULL, 0, true, &m), ERR_PRECONDITION);
	refused(try_enrol(t.text, &accepted, 1, true, &m), ERR_PRECONDITION); /* version 1 was read, 2 is in force */
	accepted.version = 2;
	int64_t before = all_events(&F.admin);
	ok(try_enrol(t.text, &accepted, 1, true, &m));
	assert_int_equal(all_events(&F.admin), before + 2); /* accepted, enrolled */
	t = new_token(false);
	one_event(ACT_DEVICE_ENROLL, ok(try_enrol(t.text, &accepted, 1, true, &m))); /* accepted before */
	one_event(ACT_TERMS_DELETE, ok(terms_delete(&F.admin, terms)));
	assert_int_equal(
		answer(&F.admin,
		       "SELECT count(*) FROM terms_acceptances WHERE tenant_id = ?1 AND user_id = ?2 AND version = 2",
		       db_v_id(&F.user), db_v_null())
			.ret,
		1);
}

static void a_person_is_told_what_is_collected(void **state)
{
	struct enrolment_notice notice;
	struct enrollment_token personal = new_token(false), company = new_token(true);
	struct scope s;
	size_t base = 0, on = 0;
	settings("{\"collectPackages\":true}");
	scope_system(&s, F.d.arena, F.d.db, F.keeper);
	s.now = F.now;
	ok_in(&s, enrolment_notice(&s, personal.text, &notice));
	assert_string_equal(notice.organisation, "Example Ltd");
	assert_false(notice.company);
	while (notice.collects[base] != NULL)
		base++;
	assert_non_null(notice.never[0]);
	scope_system(&s, F.d.arena, F.d.db, F.keeper);
	s.now = F.now;
	ok_in(&s, enrolment_notice(&s, company.text, &notice));
	while (notice.collects[on] != NULL)
		on++;
	assert_int_equal(on, base + 1);
	settings("{\"collectPackages\":false}");
}

/* ---- certificates ---- */

static enum err identify(struct id tenant, const uint8_t *fingerprint, struct device_identity *ret)
{
	struct scope s = scope_of(tenant);
	return device_identify(&s, fingerprint, ret);
}

static void a_certificate_is_of_one_tenant(void **state)
{
	struct machine m = new_machine(false, true);
	struct device_identity who;
	ok(identify(F.tenant, m.fingerprint, &who));
	assert_true(id_equal(who.device, m.id));
	assert_false(who.owed_only);
	refused(identify(F.other, m.fingerprint, &who), ERR_UNAUTHENTICATED);
	m.fingerprint[0] ^= 1;
	refused(identify(F.tenant, m.fingerprint, &who), ERR_UNAUTHENTICATED);
}

static void a_certificate_expires(void **state)
{
	struct machine m = new_machine(false, true);
	struct device_identity who;
	int64_t start = F.now;
	wait_us(364 * DAY_US);
	ok(identify(F.tenant, m.fingerprint, &who));
	wait_us(2 * DAY_US);
	refused(identify(F.tenant, m.fingerprint, &who), ERR_UNAUTHENTICATED);
	wait_us(start - F.now);
	int64_t third = (who.expires_at - who.issued_at) / 3;
	assert_int_equal(certificate_renew_before(who.issued_at, who.expires_at), who.issued_at + 2 * third);
}

static void the_old_certificate_works_until_the_new_one_is_used(void **state)
{
	struct machine m = new_machine(false, true), renewed = m;
	struct device_identity who;
	wait_us(HOUR_US);
	struct scope s = scope_of_machine(&m);
	one_event(ACT_DEVICE_CERTIFICATE,
		  ok_in(&s, device_renew(&s, m.id, m.fingerprint, new_csr(), &renewed.certificate)));
	memcpy(renewed.fingerprint, renewed.certificate.fingerprint, 32);
	no_event(checkin(&m, NULL, NULL, 0));
	ok(identify(F.tenant, m.fingerprint, &who));
	no_event(checkin(&renewed, NULL, NULL, 0));
	refused(identify(F.tenant, m.fingerprint, &who), ERR_UNAUTHENTICATED);
	ok(identify(F.tenant, renewed.fingerprint, &who));
	s = scope_of_machine(&m);
	refused(device_renew(&s, m.id, renewed.fingerprint, "no request", &renewed.certificate), ERR_BAD_REQUEST);
}

struct owing {
	struct id device, action;
	size_t n;
};

static enum err owe(struct scope *s, struct db_tx *tx, void *arg)
{
	struct owing *o = arg;
	return device_owe(tx, o->device, o->action, "retire", &o->n);
}

static void a_device_that_is_gone_gets_what_it_owes_and_nothing_else(void **state)
{
	struct machine m = new_machine(false, true);
	struct owing o = {.device = m.id};
	struct device_identity who;
	ok(device_retire(&F.admin, m.id));
	o.action = id_new(F.now);
	ok(db_write(&F.admin, owe, &o));
	assert_int_equal(o.n, 1);
	ok(identify(F.tenant, m.fingerprint, &who));
	assert_true(who.owed_only);
	struct checkin_answer a = checkin(&m, NULL, NULL, 0);
	assert_int_equal(a.item_n, 0);
	assert_int_equal(a.action_n, 1);
	assert_true(id_equal(a.actions[0].action, o.action));
	struct scope s = scope_of_machine(&m);
	struct issued_certificate c;
	struct id left;
	refused(device_renew(&s, m.id, m.fingerprint, new_csr(), &c), ERR_FORBIDDEN);
	s = scope_of_machine(&m);
	refused(device_leave(&s, m.id, m.fingerprint, &left), ERR_FORBIDDEN);
	refused(try_report(&m, id_new(F.now), ACTION_done, NULL), ERR_NOT_FOUND);
	one_event(ACT_ACTION_RESULT, ok(try_report(&m, o.action, ACTION_failed, "busy")));
	ok(identify(F.tenant, m.fingerprint, &who));
	one_event(ACT_ACTION_RESULT, ok(try_report(&m, o.action, ACTION_done, NULL)));
	refused(identify(F.tenant, m.fingerprint, &who), ERR_UNAUTHENTICATED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_enrols_one_device),
		cmocka_unit_test(the_text_of_a_token_is_not_kept),
		cmocka_unit_test(tokens_that_are_not_good),
		cmocka_unit_test(a_disabled_person_enrols_nothing),
		cmocka_unit_test(terms_are_accepted_by_version),
		cmocka_unit_test(a_person_is_told_what_is_collected),
		cmocka_unit_test(a_certificate_is_of_one_tenant),
		cmocka_unit_test(a_certificate_expires),
		cmocka_unit_test(the_old_certificate_works_until_the_new_one_is_used),
		cmocka_unit_test(a_device_that_is_gone_gets_what_it_owes_and_nothing_else),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, fixture_up, fixture_down);
}
