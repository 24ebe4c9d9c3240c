/* SPDX-License-Identifier: Apache-2.0
 * What a legal hold keeps, and its evidence. */
#include "fixture.h"

#include <jansson.h>

#include "audit/commitment.h"
#include "privacy/hold/evidence.h"
#include "privacy/hold/legal_hold.h"
#include "privacy/retention.h"
#include "resource/tables.h"

static struct id hold_new(struct id tenant)
{
	struct scope s = scope_of(tenant);
	struct id hold;
	struct record *r = record_new(F.d.arena, &RES_LEGAL_HOLD);
	record_set_text(r, "displayName", "Hold");
	record_set_text(r, "ground", "Ground");
	record_set_text(r, "owner", "Owner");
	record_set_int(r, "reviewDateTime", F.now + 100 * DAY_US);
	ok_in(&s, legal_hold_create(&s, r, &hold));
	return hold;
}

static enum err add(struct id hold, const struct person *p, const char *sections, const struct id *device, struct id *ret)
{
	struct scope s = scope_of(p->tenant);
	char id[ID_TEXT];
	struct legal_hold_thing t = {.user = device == NULL ? arena_strdup(F.d.arena, id_format(p->user, id)) : NULL};
	if (device != NULL)
		t.device = *device;
	auto_json *list = sections == NULL ? NULL : json_loads(sections, 0, NULL);
	t.sections = list;
	return legal_hold_add(&s, hold, &t, ret);
}

struct asking {
	enum subject_type type;
	struct id subject;
	bool ret;
};

static enum err blocks_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct asking *a = arg;
	return legal_hold_blocks(tx, a->type, a->subject, &a->ret);
}

static bool blocks(struct id tenant, enum subject_type type, struct id subject)
{
	struct scope s = scope_of(tenant);
	struct asking a = {type, subject, false};
	ok_in(&s, db_read(&s, blocks_tx, &a));
	return a.ret;
}

static void test_whom_it_blocks(void **state)
{
	struct id hold = hold_new(F.tenant), member;
	struct scope s = scope_of(F.tenant);
	assert_false(blocks(F.tenant, SUBJECT_TENANT, F.tenant));
	ok_in(&s, add(hold, &F.ann, NULL, NULL, &member));
	assert_true(blocks(F.tenant, SUBJECT_USER, F.ann.user));
	assert_true(blocks(F.tenant, SUBJECT_DEVICE, F.ann.personal));
	assert_true(blocks(F.tenant, SUBJECT_TENANT, F.tenant));
	assert_false(blocks(F.tenant, SUBJECT_USER, F.bob.user));
	assert_false(blocks(F.tenant, SUBJECT_DEVICE, F.bob.company));
	assert_false(blocks(F.other, SUBJECT_USER, F.ann.user));
	assert_false(blocks(F.other, SUBJECT_TENANT, F.other));
	ok_in(&s, legal_hold_remove(&s, hold, member));
	assert_false(blocks(F.tenant, SUBJECT_USER, F.ann.user));
	/* a device holds its person, but not the person's other device; a record set holds the whole person */
	ok_in(&s, add(hold, &F.bob, NULL, &F.bob.company, &member));
	assert_true(blocks(F.tenant, SUBJECT_USER, F.bob.user));
	assert_true(blocks(F.tenant, SUBJECT_DEVICE, F.bob.company));
	assert_false(blocks(F.tenant, SUBJECT_DEVICE, F.bob.personal));
	ok_in(&s, add(hold, &F.ann, "[\"letters\"]", NULL, &member));
	assert_true(blocks(F.tenant, SUBJECT_USER, F.ann.user));
	ok_in(&s, legal_hold_release(&s, hold, "over"));
	assert_false(blocks(F.tenant, SUBJECT_USER, F.ann.user));
	assert_false(blocks(F.tenant, SUBJECT_TENANT, F.tenant));
}

static void test_what_cannot_be_held(void **state)
{
	struct id hold = hold_new(F.tenant), member, nobody = id_new(F.now);
	struct person stranger = F.ann;
	stranger.user = nobody;
	refused(add(hold, &stranger, NULL, NULL, &member), ERR_NOT_FOUND);
	refused(add(hold, &F.ann, NULL, &nobody, &member), ERR_NOT_FOUND);
	refused(add(hold, &F.ann, "[\"nothing\"]", NULL, &member), ERR_BAD_REQUEST);
	refused(add(hold, &F.ann, "[]", NULL, &member), ERR_BAD_REQUEST);
	refused(add(hold, &F.ann, "[\"\"]", NULL, &member), ERR_BAD_REQUEST);
	/* once the plan is frozen it goes */
	run_sql(F.tenant, "INSERT INTO duties (tenant_id, duty_id, trigger_name, subject_type, subject_id, state, requested_at, due_at, deadline_at, "
			  "copies_deadline_at, updated_at, plan) VALUES (?1, ?2, 'permanentDelete', 'user', ?2, 'deleting', 1, 1, 1, 1, 1, '{}')",
		db_v_id(&F.ann.user));
	refused(add(hold, &F.ann, NULL, NULL, &member), ERR_CONFLICT);
	struct scope s = scope_of(F.tenant);
	ok_in(&s, add(hold, &F.bob, NULL, NULL, &member));
	refused(add(hold, &F.bob, NULL, NULL, &member), ERR_CONFLICT);
	refused(add(hold, &F.bob, "[\"letters\"]", NULL, &member), ERR_CONFLICT);
}

static int64_t rows_of(const char *table, const struct person *p)
{
	return ask(p->tenant, arena_printf(F.d.arena, "SELECT count(*) FROM %s WHERE tenant_id = ?1 AND user_id = ?2", table), db_v_id(&p->user)).ret;
}

static void expire(void)
{
	for (bool more = true; more;) {
		struct scope s = system_scope();
		ok_in(&s, retention_expire(&s, &more));
	}
}

static void test_retention_spares_what_is_held(void **state)
{
	struct id hold = hold_new(F.tenant), member;
	struct scope s = scope_of(F.tenant);
	ok_in(&s, add(hold, &F.ann, "[\"letters\",\"requests\"]", NULL, &member));
	ok_in(&s, add(hold, &F.bob, NULL, &F.bob.company, &member));
	F.now += 60 * DAY_US;
	expire();
	assert_int_equal(rows_of("letters", &F.ann), 1);
	assert_int_equal(rows_of("data_subject_requests", &F.ann), 1);
	assert_int_equal(rows_of("enrollment_tokens", &F.ann), 0); /* not among the sections */
	assert_int_equal(rows_of("letters", &F.bob), 0);	   /* only the device is held */
	assert_int_equal(rows_of("letters", &F.eve), 0);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM device_certificates WHERE tenant_id = ?1 AND device_id = ?2", db_v_id(&F.bob.company)).ret, 1);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM device_certificates WHERE tenant_id = ?1 AND device_id = ?2", db_v_id(&F.bob.personal)).ret, 0);
	s = scope_of(F.tenant);
	ok_in(&s, legal_hold_release(&s, hold, "over"));
	expire();
	assert_int_equal(rows_of("letters", &F.ann), 0);
	assert_int_equal(rows_of("data_subject_requests", &F.ann), 0);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM device_certificates WHERE tenant_id = ?1 AND device_id = ?2", db_v_id(&F.bob.company)).ret, 0);
}

/* ---- evidence ---- */

struct copied {
	size_t n;
};

/* Each copy opens the commitment that stands in the log. */
static enum err open_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct copied *c = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_text(tx, DB_REACH_TENANT, "SELECT e.event, p.commitment FROM legal_hold_evidence e JOIN audit_pending p ON p.tenant_id = e.tenant_id AND "
					       "p.event_id = e.event_id WHERE e.tenant_id = ?1", NULL, 0, &r));
	for (; db_next(r); c->n++) {
		size_t sealed_n, n, commitment_n;
		const void *sealed = db_blob(r, 0, &sealed_n), *commitment = db_blob(r, 1, &commitment_n);
		const uint8_t *plain = keeper_unseal(s->keeper, s->arena, sealed, sealed_n, &n);
		assert_non_null(plain);
		assert_true(audit_opens(plain + AUDIT_SALT_BYTES, n - AUDIT_SALT_BYTES, plain, commitment));
		auto_buf out;
		buf_init(&out, 1 << 20);
		struct json_writer w;
		jw_init(&w, &out);
		jw_object(&w);
		ok_in(s, evidence_write(s, &w, NULL, sealed, sealed_n));
		jw_end_object(&w);
		auto_json *j = json_loadb(out.data, out.len, 0, NULL);
		assert_true(json_is_object(json_object_get(j, "event")) && json_is_string(json_object_get(j, "salt")));
	}
	return db_rows_err(r);
}

static int64_t evidence(void) { return ask(F.tenant, "SELECT count(*) FROM legal_hold_evidence WHERE tenant_id = ?1", db_v_null()).ret; }

static void test_events_are_copied_once_and_in_time(void **state)
{
	struct id hold = hold_new(F.tenant), member;
	struct scope s = scope_of(F.tenant);
	struct copied c = {0};
	uint64_t n;
	ok_in(&s, add(hold, &F.ann, NULL, NULL, &member));
	ok_in(&s, add(hold, &F.bob, NULL, &F.bob.company, &member));
	ok_in(&s, evidence_keep_expiring(&s));
	assert_int_equal(evidence(), 0); /* nothing expires */
	ok_in(&s, evidence_collect(&s, hold, &n));
	assert_true(n > 0);
	assert_int_equal(evidence(), n);
	ok_in(&s, db_read(&s, open_tx, &c));
	assert_int_equal(c.n, n);
	ok_in(&s, evidence_collect(&s, hold, &n)); /* the event about the first copying is about nobody */
	assert_int_equal(n, 0);
	int64_t before = evidence(), about = ask(F.tenant, "SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND subject_id = ?2", db_v_id(&F.ann.user)).ret;
	assert_true(before >= about);
	ok_in(&s, legal_hold_release(&s, hold, "over"));
	refused(evidence_collect(&s, hold, &n), ERR_CONFLICT);
	F.now += 366 * DAY_US;
	s = scope_of(F.tenant);
	ok_in(&s, evidence_keep_expiring(&s)); /* nobody is held any more */
	assert_int_equal(evidence(), before);
}

static void test_it_ends_thirty_days_after_its_release(void **state)
{
	struct id hold = hold_new(F.tenant), open = hold_new(F.tenant), member;
	struct scope s = scope_of(F.tenant), system;
	uint64_t n;
	bool more;
	ok_in(&s, add(hold, &F.ann, NULL, NULL, &member));
	ok_in(&s, evidence_collect(&s, hold, &n));
	ok_in(&s, legal_hold_release(&s, hold, "over"));
	F.now += 30 * DAY_US - 1;
	system = system_scope();
	ok_in(&system, legal_hold_run(&system, &more));
	assert_true(evidence() > 0);
	F.now += 1;
	system = system_scope();
	ok_in(&system, legal_hold_run(&system, &more));
	assert_false(more);
	assert_int_equal(evidence(), 0);
	s = scope_of(F.tenant);
	refused(legal_hold_has(&s, &RES_LEGAL_HOLD, hold), ERR_NOT_FOUND);
	s = scope_of(F.tenant);
	ok_in(&s, legal_hold_has(&s, &RES_LEGAL_HOLD, open));
}

static int64_t alarms(void)
{
	return ask(F.tenant, "SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND activity_type = 'alarm LegalHold'", db_v_null()).ret;
}

static void test_a_review_is_told_of_once(void **state)
{
	struct id hold = hold_new(F.tenant);
	bool more;
	for (int i = 0; i < 3; i++) {
		struct scope system = system_scope();
		ok_in(&system, legal_hold_run(&system, &more));
		assert_int_equal(alarms(), i > 0);
		if (i == 0)
			F.now += 100 * DAY_US;
	}
	struct scope s = scope_of(F.tenant);
	struct record *later = record_new(F.d.arena, &RES_LEGAL_HOLD);
	record_set_int(later, "reviewDateTime", F.now + DAY_US);
	ok_in(&s, legal_hold_patch(&s, hold, later));
	record_set_int(later, "reviewDateTime", F.now);
	refused(legal_hold_patch(&s, hold, later), ERR_BAD_REQUEST);
	F.now += DAY_US;
	struct scope system = system_scope();
	ok_in(&system, legal_hold_run(&system, &more));
	assert_int_equal(alarms(), 2);
}

static void test_a_closed_tenant_waits(void **state)
{
	static const struct id installation;
	struct id hold = hold_new(F.tenant), member;
	struct scope s = scope_of(F.tenant), operator_ = scope_of(installation);
	ok_in(&s, add(hold, &F.ann, "[\"letters\"]", NULL, &member));
	ok_in(&operator_, tenant_close(&operator_, F.tenant));
	F.now += 121 * DAY_US;
	run_erasure();
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM duties WHERE tenant_id = ?1 AND subject_type = 'tenant' AND waits_for = ?2",
			     db_v_text("legalHold")).ret, 1);
	assert_int_equal(rows_of("users", &F.ann), 1);
	assert_int_equal(rows_of("letters", &F.bob), 1);
	s = scope_of(F.tenant);
	ok_in(&s, legal_hold_release(&s, hold, "over"));
	run_erasure();
	assert_int_equal(rows_of("users", &F.ann), 0);
}

static void test_a_person_waits_and_goes(void **state)
{
	struct id hold = hold_new(F.tenant), member;
	struct scope s = scope_of(F.tenant);
	uint64_t copied;
	ok_in(&s, add(hold, &F.ann, NULL, NULL, &member));
	run_sql(F.tenant, "DELETE FROM data_subject_requests WHERE tenant_id = ?1", db_v_null());
	ok_in(&s, user_delete(&s, F.ann.user));
	ok_in(&s, user_delete_forever(&s, F.ann.user));
	run_erasure();
	assert_int_equal(duties_in(F.tenant, "held"), 1);
	assert_int_equal(rows_of("users", &F.ann), 1);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND activity_type = ?2", db_v_text("hold ErasureDuty")).ret, 1);
	s = scope_of(F.tenant);
	ok_in(&s, evidence_collect(&s, hold, &copied));
	ok_in(&s, legal_hold_release(&s, hold, "over"));
	run_erasure();
	assert_int_equal(rows_of("users", &F.ann), 0);
	/* into the waiting and out of it; the person would see neither */
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND activity_type = ?2", db_v_text("hold ErasureDuty")).ret, 2);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM legal_hold_evidence WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&F.ann.user)).ret, 0);
	assert_true(copied > 0 && evidence() == (int64_t)copied); /* without the link, until the hold ends */
	assert_int_equal(duties_in(F.tenant, "failed"), 0);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, fixture_up, fixture_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_whom_it_blocks),
		T(test_what_cannot_be_held),
		T(test_retention_spares_what_is_held),
		T(test_events_are_copied_once_and_in_time),
		T(test_it_ends_thirty_days_after_its_release),
		T(test_a_review_is_told_of_once),
		T(test_a_closed_tenant_waits),
		T(test_a_person_waits_and_goes),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
