/* SPDX-License-Identifier: Apache-2.0
 * Undoing and stopping an erasure: every event in every state of a duty, the undo window, bursts, suppression. */
#include "fixture.h"

#include "directory/user.h"
#include "duty/suppression.h"
#include "privacy/erasure/erasure.h"

/* ---- every event in every state ---- */

enum event { ORDERED_AGAIN, RESTORED, HASTENED, CANCELLED, CONFIRMED, RETRIED, EVENTS };

struct step {
	enum event event;
	struct id duty;
	struct duty loaded;
};

static enum err event_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct step *p = arg;
	if (p->event == RESTORED)
		return duty_cancel(tx, F.ann.user);
	if (p->event == HASTENED)
		return duty_hasten(tx, F.ann.user);
	return duty_open(tx,
			 &(struct duty_order){.trigger = DUTY_BY_PERMANENT_DELETE, .subject_type = "user", .subject = F.ann.user,
					      .person = F.ann.user, .first = DUTY_received, .due_at = s->now,
					      .deadline_at = s->now + DUTY_DEADLINE_US},
			 NULL);
}

static enum err happen(struct scope *s, struct step *p)
{
	switch (p->event) {
	case CANCELLED: return erasure_cancel(s, p->duty);
	case CONFIRMED: return erasure_confirm(s, p->duty);
	case RETRIED: return erasure_retry(s, p->duty);
	default: return db_write(s, event_tx, p);
	}
}

/* Where it leads; the same state: nowhere.  -1: it is refused. */
static int leads_to(enum event event, enum duty_state from)
{
	bool closed = from == DUTY_copies_gone || from == DUTY_cancelled;
	switch (event) {
	case ORDERED_AGAIN: return from == DUTY_scheduled ? DUTY_received : (int)from; /* of a closed one another is opened */
	case RESTORED: return from == DUTY_scheduled || from == DUTY_received ? DUTY_cancelled : -1;
	case HASTENED: return from;
	case RETRIED: return from == DUTY_failed ? DUTY_suppressed : -1;
	case CANCELLED:
	case CONFIRMED:
		if (closed || from == DUTY_scheduled || from > DUTY_suppressed)
			return -1;
		return event == CANCELLED ? (int)DUTY_cancelled : from == DUTY_held ? (int)DUTY_received : (int)from;
	default: return -1;
	}
}

static enum err load_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct step *p = arg;
	return duty_load(tx, p->duty, &p->loaded);
}

static struct duty loaded(struct id duty)
{
	struct step p = {.duty = duty};
	struct scope s = scope_of(F.tenant);
	ok_in(&s, db_read(&s, load_tx, &p));
	return p.loaded;
}

static enum err newest_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_text(tx, DB_REACH_TENANT,
			  "SELECT duty_id FROM duties WHERE tenant_id = ?1 AND subject_id = ?2 "
			  "ORDER BY CASE state WHEN 'cancelled' THEN 1 ELSE 0 END, requested_at DESC LIMIT 1",
			  DB_ARGS(db_v_id(&F.ann.user)), &r));
	assert_true(db_next(r));
	*(struct id *)arg = db_id(r, 0);
	return db_rows_err(r);
}

static struct id newest_duty(void)
{
	struct id duty;
	struct scope s = scope_of(F.tenant);
	ok_in(&s, db_read(&s, newest_tx, &duty));
	return duty;
}

/* A duty of a deleted ann in the state, within its undo window, stopped by a burst where it is held. */
static struct id duty_in_state(enum duty_state state)
{
	run_sql(F.tenant, "DELETE FROM duties WHERE tenant_id = ?1 AND subject_id = ?2", db_v_id(&F.ann.user));
	struct scope s = scope_of(F.tenant);
	ok_in(&s, db_write(&s, event_tx, &(struct step){.event = ORDERED_AGAIN}));
	struct id duty = newest_duty();
	run_sql(F.tenant,
		arena_printf(F.d.arena,
			     "UPDATE duties SET state = '%s', waits_for = %s, undo_until = requested_at + 3600000000 WHERE tenant_id = ?1 AND duty_id = ?2",
			     duty_state_name(state), state == DUTY_held ? "'burst'" : "NULL"),
		db_v_id(&duty));
	return duty;
}

static void every_event_in_every_state(void **state)
{
	run_sql(F.tenant, "UPDATE users SET deleted_at = 1, upn_key = NULL WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&F.ann.user));
	for (int from = 0; from < DUTY_STATE_COUNT; from++)
		for (int event = 0; event < EVENTS; event++) {
			struct step p = {.event = (enum event)event, .duty = duty_in_state((enum duty_state)from)};
			struct scope s = scope_of(F.tenant);
			s.actor = (struct actor){.type = ACTOR_APPLICATION, .id = id_new(s.now), .permissions = ""}; /* a second person */
			int to = leads_to(p.event, (enum duty_state)from);
			enum err e = happen(&s, &p);
			if ((e == OK) != (to >= 0))
				fail_msg("event %d in %s: %s", event, duty_state_name((enum duty_state)from), err_name(e));
			if ((int)loaded(p.duty).state != (to >= 0 ? to : from))
				fail_msg("event %d in %s leads to %s", event, duty_state_name((enum duty_state)from), duty_state_name(loaded(p.duty).state));
		}
}

/* ---- suppression ---- */

struct suppressed {
	const void *p;
	size_t n;
	bool is;
};

static enum err suppressed_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct suppressed *q = arg;
	return suppression_check(tx, q->p, q->n, &q->is);
}

static bool is_suppressed(struct id id, int64_t after_us)
{
	struct suppressed q = {.p = id.b, .n = sizeof id.b};
	struct scope s = scope_of(F.tenant);
	s.now += after_us;
	ok_in(&s, db_read(&s, suppressed_tx, &q));
	return q.is;
}

static void the_window_suppresses_and_undoes(void **state)
{
	erase_forever(&F.ann);
	struct id duty = newest_duty();
	run_sql(F.tenant, "UPDATE duties SET undo_until = requested_at + 3600000000 WHERE tenant_id = ?1 AND duty_id = ?2", db_v_id(&duty));
	run_erasure();
	assert_int_equal(loaded(duty).state, DUTY_suppressed);
	assert_true(is_suppressed(F.ann.user, 0));
	assert_false(is_suppressed(F.ann.personal, 0)); /* no device is told yet */
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM users WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&F.ann.user)).ret, 1);

	struct scope s = scope_of(F.tenant);
	ok_in(&s, erasure_cancel(&s, duty));
	assert_false(is_suppressed(F.ann.user, 0));
	struct duty again = loaded(newest_duty());
	assert_int_equal(again.state, DUTY_scheduled);
	ok_in(&s, user_restore(&s, F.ann.user, NULL));
}

static void suppression_ends_with_the_last_copy(void **state)
{
	erase_forever(&F.ann);
	run_erasure();
	assert_true(is_suppressed(F.ann.user, 0));
	assert_true(is_suppressed(F.ann.personal, 0));
	assert_true(is_suppressed(F.ann.user, DUTY_DEADLINE_US));
	assert_false(is_suppressed(F.ann.user, DUTY_DEADLINE_US + 30 * DAY_US));
	assert_false(is_suppressed(F.bob.user, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_event_in_every_state, fixture_up, fixture_down),
		cmocka_unit_test_setup_teardown(the_window_suppresses_and_undoes, fixture_up, fixture_down),
		cmocka_unit_test_setup_teardown(suppression_ends_with_the_last_copy, fixture_up, fixture_down),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
