/* SPDX-License-Identifier: Apache-2.0
 * Duties: every pair of states is in the table or refused; opening twice keeps one promise; the clock is the removal action's. */
#include "../directory/fixture.h"
#include "duty/duty.h"

struct step {
	struct duty_order order;
	struct id duty, subject;
	enum duty_state from, to;
	struct duty loaded;
};

static enum err open_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct step *p = arg;
	return duty_open(tx, &p->order, &p->duty);
}

static enum err move_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct step *p = arg;
	return duty_move(tx, p->duty, p->from, p->to, NULL);
}

static enum err cancel_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	return duty_cancel(tx, ((struct step *)arg)->subject);
}

static enum err hasten_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	return duty_hasten(tx, ((struct step *)arg)->subject);
}

static enum err load_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct step *p = arg;
	return duty_load(tx, p->duty, &p->loaded);
}

static enum err force_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct step *p = arg;
	return db_exec_text(tx, DB_REACH_TENANT, "UPDATE duties SET state = ?3 WHERE tenant_id = ?1 AND duty_id = ?2",
			    DB_ARGS(db_v_id(&p->duty), db_v_text(duty_state_name(p->from))), NULL);
}

static struct step opened(enum duty_state first)
{
	struct step p = {.subject = id_new(F.a.now)};
	p.order = (struct duty_order){.trigger = first == DUTY_scheduled ? DUTY_BY_SOFT_DELETE : DUTY_BY_RETIRE, .subject_type = "user",
				      .subject = p.subject, .person = p.subject, .first = first, .due_at = F.a.now + 5 * DAY_US,
				      .deadline_at = F.a.now + 30 * DAY_US};
	ok(db_write(&F.a, open_tx, &p));
	return p;
}

static void every_pair_is_in_the_table_or_refused(void **state)
{
	struct step p = opened(DUTY_scheduled);
	int allowed = 0;
	for (int from = 0; from < DUTY_STATE_COUNT; from++)
		for (int to = 0; to < DUTY_STATE_COUNT; to++) {
			p.from = (enum duty_state)from;
			p.to = (enum duty_state)to;
			ok(db_write(&F.a, force_tx, &p));
			int64_t before = all_events(&F.a);
			bool may = duty_may_move(p.from, p.to);
			refused(db_write(&F.a, move_tx, &p), may ? OK : ERR_STATE);
			assert_int_equal(all_events(&F.a) - before, may ? 1 : 0);
			allowed += may;
			fresh(&F.a);
		}
	assert_int_equal(allowed, 21);
}

static enum err find_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct step *p = arg;
	return duty_of_subject(tx, p->subject, &p->loaded);
}

/* The queries list the open states in SQL: they are those that the table calls open. */
static void open_states_are_those_of_the_table(void **state)
{
	static const bool open[] = {
#define STATE(name, open_, meaning) open_,
#define MOVE(from, to)
#include "duty/states.def"
#undef STATE
#undef MOVE
	};
	struct step p = opened(DUTY_scheduled);
	for (int i = 0; i < DUTY_STATE_COUNT; i++) {
		p.from = (enum duty_state)i;
		ok(db_write(&F.a, force_tx, &p));
		refused(db_read(&F.a, find_tx, &p), open[i] ? OK : ERR_NOT_FOUND);
		fresh(&F.a);
	}
}

static void moving_compares_and_sets(void **state)
{
	struct step p = opened(DUTY_received);
	p.from = DUTY_received;
	p.to = DUTY_suppressed;
	ok(db_write(&F.a, move_tx, &p));
	refused(db_write(&F.a, move_tx, &p), ERR_CONFLICT); /* it is elsewhere by now */
	fresh(&F.a);
	refused(db_write(&F.b, move_tx, &p), ERR_NOT_FOUND); /* another tenant has no such duty */
	fresh(&F.b);
}

static void opening_twice_keeps_one_promise(void **state)
{
	struct step p = opened(DUTY_scheduled), again = p;
	again.order.first = DUTY_received;
	again.order.trigger = DUTY_BY_PERMANENT_DELETE;
	again.order.due_at = F.a.now;
	ok(db_write(&F.a, open_tx, &again));
	assert_true(id_equal(p.duty, again.duty));
	ok(db_write(&F.a, load_tx, &p));
	assert_int_equal(p.loaded.state, DUTY_received);
	assert_string_equal(p.loaded.trigger, DUTY_BY_PERMANENT_DELETE);
	assert_true(p.loaded.due_at == F.a.now);
	again.order.due_at = F.a.now + DAY_US; /* later: the earlier one stays */
	ok(db_write(&F.a, open_tx, &again));
	ok(db_write(&F.a, load_tx, &p));
	assert_true(p.loaded.due_at == F.a.now);
	assert_int_equal(ask(&F.a, "SELECT count(*) FROM duties WHERE tenant_id = ?1 AND subject_id = ?2", db_v_id(&p.subject), db_v_null()), 1);
}

static void only_a_promise_is_cancelled(void **state)
{
	struct step p = opened(DUTY_scheduled);
	ok(db_write(&F.a, cancel_tx, &p));
	ok(db_write(&F.a, load_tx, &p));
	assert_int_equal(p.loaded.state, DUTY_cancelled);
	refused(db_write(&F.a, cancel_tx, &p), ERR_NOT_FOUND);
	struct step q = opened(DUTY_received);
	q.from = DUTY_received;
	q.to = DUTY_suppressed;
	ok(db_write(&F.a, move_tx, &q));
	refused(db_write(&F.a, cancel_tx, &q), ERR_NOT_FOUND); /* nothing undoes it any more */
}

static void due_and_overdue(void **state)
{
	struct step p = opened(DUTY_received);
	struct duty *list;
	size_t n, before;
	struct duty_counts counts;
	ok(duty_due(&F.system, DUTY_received, 100, &list, &before));
	ok(db_write(&F.a, hasten_tx, &p));
	ok(duty_due(&F.system, DUTY_received, 100, &list, &n));
	assert_int_equal(n, before + 1);
	ok(duty_count(&F.system, &counts));
	assert_int_equal(counts.overdue, 0);
	struct scope later = F.system;
	later.now += 31 * DAY_US;
	ok(duty_count(&later, &counts));
	assert_true(counts.overdue >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair_is_in_the_table_or_refused), cmocka_unit_test(moving_compares_and_sets),
		cmocka_unit_test(opening_twice_keeps_one_promise),	 cmocka_unit_test(only_a_promise_is_cancelled),
		cmocka_unit_test(due_and_overdue),
		cmocka_unit_test(open_states_are_those_of_the_table),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, fixture_up, fixture_down);
}
