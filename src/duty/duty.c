/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening and moving duties.  Every transition is a compare-and-set on (duty, state) with its event in the same transaction, so that two
 * servers, or a crash in the middle, can neither do a step twice nor skip one (I7).
 */
#include "duty/duty.h"

#include <string.h>

#include "audit/audit.h"
#include "duty/duty_internal.h"
#include "keeper/keeper.h"

#define OPEN_STATES "('scheduled', 'received', 'held', 'suppressed', 'deleting', 'deleted', 'scrubbed', 'failed')"

DB_TENANT(duty_insert,
	  "INSERT INTO duties (tenant_id, duty_id, trigger_name, subject_type, subject_id, state, requested_at, due_at, deadline_at, updated_at, "
	  "copies_deadline_at, requested_by, undo_until, alarm_due_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?7, ?10, ?11, ?12, ?13)");
DB_TENANT(duty_by_id, "SELECT " DUTY_COLUMNS " FROM duties WHERE tenant_id = ?1 AND duty_id = ?2");
DB_TENANT(duty_by_subject,
	  "SELECT " DUTY_COLUMNS " FROM duties WHERE tenant_id = ?1 AND subject_id = ?2 AND state IN " OPEN_STATES
	  " ORDER BY requested_at DESC LIMIT 1");
DB_TENANT(duty_set_state, "UPDATE duties SET state = ?4, error = ?5, waits_for = ?6, updated_at = ?7 "
				   "WHERE tenant_id = ?1 AND duty_id = ?2 AND state = ?3");
DB_TENANT(duty_set_clock,
	  "UPDATE duties SET trigger_name = ?3, requested_at = ?4, due_at = ?5, deadline_at = ?6, updated_at = ?7, copies_deadline_at = ?8, "
	  "requested_by = ?9, undo_until = ?10, alarm_due_at = ?11 WHERE tenant_id = ?1 AND duty_id = ?2");
DB_TENANT(duty_set_due_at, "UPDATE duties SET due_at = ?3 WHERE tenant_id = ?1 AND duty_id = ?2");
DB_TENANT(duty_set_plan_text, "UPDATE duties SET plan = ?3, updated_at = ?4 WHERE tenant_id = ?1 AND duty_id = ?2");
DB_TENANT(duty_set_end,
	  "UPDATE duties SET result = ?3, certificate_id = ?4, subject_id = ?5, updated_at = ?6 WHERE tenant_id = ?1 AND duty_id = ?2");
DB_TENANT(duty_set_others,
	  "UPDATE duties SET subject_id = ?3 WHERE tenant_id = ?1 AND duty_id <> ?2 AND subject_id = (SELECT d.subject_id FROM duties d "
	  "WHERE d.tenant_id = ?1 AND d.duty_id = ?2)");
DB_GLOBAL(duty_due_page,
	  "SELECT " DUTY_COLUMNS " FROM duties WHERE state = ?1 AND due_at <= ?2 ORDER BY due_at LIMIT ?3");
/* Held and failed ones are few; the others are counted by the index of states, as far as they are due. */
DB_GLOBAL(duty_counts_all,
	  "SELECT count(CASE WHEN state <> 'scrubbed' AND deadline_at < ?1 THEN 1 END), count(CASE WHEN copies_deadline_at < ?1 THEN 1 END), "
	  "count(alarm), count(CASE WHEN state = 'held' THEN 1 END), count(CASE WHEN state = 'failed' THEN 1 END) FROM duties "
	  "WHERE state IN ('received', 'held', 'suppressed', 'deleting', 'deleted', 'scrubbed', 'failed')");

static const struct {
	const char *name;
} STATES[] = {
#define STATE(name, open, meaning) {#name},
#define MOVE(from, to)
#include "duty/states.def"
#undef STATE
#undef MOVE
};

static const struct {
	enum duty_state from, to;
} MOVES[] = {
#define STATE(name, open, meaning)
#define MOVE(from, to) {DUTY_##from, DUTY_##to},
#include "duty/states.def"
#undef STATE
#undef MOVE
};

const char *duty_state_name(enum duty_state s)
{
	check((unsigned)s < DUTY_STATE_COUNT);
	return STATES[s].name;
}

bool duty_may_move(enum duty_state from, enum duty_state to)
{
	for (size_t i = 0; i < sizeof MOVES / sizeof MOVES[0]; i++)
		if (MOVES[i].from == from && MOVES[i].to == to)
			return true;
	return false;
}

static enum duty_state state_of(const char *name)
{
	for (int i = 0; i < DUTY_STATE_COUNT; i++)
		if (strcmp(STATES[i].name, name) == 0)
			return (enum duty_state)i;
	check(!"a state that the schema's CHECK does not allow");
	return DUTY_failed;
}

void duty_read(const struct db_rows *r, struct arena *a, struct duty *d)
{
	*d = (struct duty){
		.tenant = db_id(r, 0), .duty = db_id(r, 1), .trigger = db_text_dup(r, 2, a), .subject_type = db_text_dup(r, 3, a),
		.subject = db_id(r, 4), .state = state_of(db_text(r, 5)), .requested_at = db_int(r, 6), .due_at = db_int(r, 7),
		.deadline_at = db_int(r, 8), .plan = db_text_dup(r, 9, a), .result = db_text_dup(r, 10, a),
		.error = db_text_dup(r, 11, a), .certificate = db_id(r, 12), .copies_deadline_at = db_int(r, 13),
		.updated_at = db_int(r, 14), .requested_by = db_id(r, 15), .confirmed_by = db_id(r, 16),
		.waits_for = db_text_dup(r, 17, a), .undo_until = db_int(r, 18), .alarm = db_text_dup(r, 19, a),
		.alarm_at = db_int(r, 20), .copies_certificate = db_id(r, 21),
	};
}

static enum err load_one(struct db_tx *tx, struct db_stmt *stmt, struct id key, struct duty *ret)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, stmt, DB_ARGS(db_v_id(&key)), &r));
	duty_read(r, db_tx_scope(tx)->arena, ret);
	return OK;
}

enum err duty_load(struct db_tx *tx, struct id duty, struct duty *ret)
{
	enum err err = load_one(tx, &duty_by_id, duty, ret);
	return err == ERR_NOT_FOUND ? scope_fail(db_tx_scope(tx), err, "no duty has this id") : err;
}

enum err duty_of_subject(struct db_tx *tx, struct id subject, struct duty *ret)
{
	return load_one(tx, &duty_by_subject, subject, ret);
}

static enum err record(struct db_tx *tx, enum activity activity, struct id duty, struct id person, const char *trigger, const char *from,
		       const char *to, const char *waits_for, int64_t deadline)
{
	struct scope *s = db_tx_scope(tx);
	char when[TIME_TEXT];
	struct audit_change *changes = NULL, **tail = &changes;
	tail = audit_change_add(s->arena, tail, "trigger", NULL, NULL, NULL, trigger);
	tail = audit_change_add(s->arena, tail, "state", NULL, NULL, from, to);
	if (waits_for != NULL)
		tail = audit_change_add(s->arena, tail, "waitsFor", NULL, NULL, NULL, waits_for);
	audit_change_add(s->arena, tail, "deadlineDateTime", NULL, NULL, NULL, time_format(deadline, when));
	return audit_record(tx, &(struct audit_event){.activity = activity, .resource_type = "ErasureDuty", .resource = duty,
						      .subject = person, .changes = changes});
}

/* Nobody is told of a person's own device, nor of a device's word: only a program that asks for many is a source. */
static struct id source_of(const struct scope *s)
{
	static const struct id nobody;
	return s->actor.type == ACTOR_APPLICATION || s->actor.type == ACTOR_OPERATOR ? s->actor.id : nobody;
}

static struct db_value id_or_null(const struct id *id) { return id_is_nil(*id) ? db_v_null() : db_v_id(id); }
static struct db_value time_or_null(int64_t t) { return t == 0 ? db_v_null() : db_v_int(t); }

struct clock {
	const char *trigger;
	int64_t requested, due, deadline, copies_deadline, undo_until, from; /* from: where alarms count from; 0: it may still be cancelled */
	struct id by;
};

int duty_backup_days(const struct scope *s) { return s->keeper == NULL ? 0 : keeper_backup_days(s->keeper); }

static int64_t active_deadline(struct scope *s, int64_t promise) { return promise - (duty_backup_days(s) + 1) * DAY_US; }

/* A tenant's deadline counts alarms from the day on which its data may begin to go. */
static struct clock clock_of(struct scope *s, const struct duty_order *o)
{
	bool tenant = strcmp(o->subject_type, "tenant") == 0;
	return (struct clock){.trigger = o->trigger, .requested = s->now, .due = o->due_at, .deadline = active_deadline(s, o->deadline_at),
			      .copies_deadline = o->deadline_at, .undo_until = o->undo_until, .by = source_of(s),
			      .from = tenant ? o->due_at : o->first == DUTY_scheduled ? 0 : s->now};
}

static int64_t first_alarm(const struct scope *s, const struct clock *c)
{
	return c->from == 0 ? 0 : duty_alarm_next(c->from, c->deadline, c->copies_deadline, s->now);
}

static enum err insert(struct db_tx *tx, const struct duty_order *o, struct id *ret_duty)
{
	struct scope *s = db_tx_scope(tx);
	struct id duty = scope_id(s);
	const char *state = duty_state_name(o->first);
	struct clock c = clock_of(s, o);
	TRY(db_exec(tx, &duty_insert,
		    DB_ARGS(db_v_id(&duty), db_v_text(o->trigger), db_v_text(o->subject_type), db_v_id(&o->subject), db_v_text(state),
			    db_v_int(s->now), db_v_int(c.due), db_v_int(c.deadline), db_v_int(c.copies_deadline), id_or_null(&c.by),
			    time_or_null(c.undo_until), time_or_null(first_alarm(s, &c))),
		    NULL));
	if (ret_duty != NULL)
		*ret_duty = duty;
	return record(tx, ACT_DUTY_CREATE, duty, o->person, o->trigger, NULL, state, NULL, c.deadline);
}

static int64_t earlier(int64_t a, int64_t b) { return a < b ? a : b; }

static enum err set_clock(struct db_tx *tx, struct id duty, const struct clock *c)
{
	struct scope *s = db_tx_scope(tx);
	return db_exec(tx, &duty_set_clock,
		       DB_ARGS(db_v_id(&duty), db_v_text(c->trigger), db_v_int(c->requested), db_v_int(c->due), db_v_int(c->deadline),
			       db_v_int(s->now), db_v_int(c->copies_deadline), id_or_null(&c->by), time_or_null(c->undo_until),
			       time_or_null(first_alarm(s, c))),
		       NULL);
}

/* A scheduled promise that has become a real one takes the new clock; a running one keeps its own, or the earlier of both. */
static enum err strengthen(struct db_tx *tx, const struct duty_order *o, const struct duty *d)
{
	bool starts = d->state == DUTY_scheduled && o->first == DUTY_received;
	struct clock c = clock_of(db_tx_scope(tx), o);
	if (!starts)
		c = (struct clock){.trigger = d->trigger, .requested = d->requested_at, .due = earlier(d->due_at, c.due),
				   .deadline = earlier(d->deadline_at, c.deadline), .copies_deadline = earlier(d->copies_deadline_at, c.copies_deadline),
				   .undo_until = d->undo_until, .by = d->requested_by,
				   .from = d->state == DUTY_scheduled ? c.from : d->requested_at};
	TRY(set_clock(tx, d->duty, &c));
	return starts ? duty_move(tx, d->duty, DUTY_scheduled, DUTY_received, NULL) : OK;
}

enum err duty_open(struct db_tx *tx, const struct duty_order *o, struct id *ret_duty)
{
	check(o->first == DUTY_scheduled || o->first == DUTY_received);
	struct duty d;
	enum err err = duty_of_subject(tx, o->subject, &d);
	if (err == ERR_NOT_FOUND || (err == OK && d.state == DUTY_scrubbed)) /* a tenant's, whose directory stayed then: only copies of that are left */
		return insert(tx, o, ret_duty);
	if (err != OK)
		return err;
	if (ret_duty != NULL)
		*ret_duty = d.duty;
	return strengthen(tx, o, &d);
}

enum err duty_cancel(struct db_tx *tx, struct id subject)
{
	struct duty d;
	TRY(duty_of_subject(tx, subject, &d));
	if (d.state != DUTY_scheduled && d.state != DUTY_received) /* later ones: erasure_cancel() */
		return ERR_NOT_FOUND;
	return duty_move(tx, d.duty, d.state, DUTY_cancelled, NULL);
}

enum err duty_hasten(struct db_tx *tx, struct id subject)
{
	struct duty d;
	struct scope *s = db_tx_scope(tx);
	enum err err = duty_of_subject(tx, subject, &d);
	if (err == ERR_NOT_FOUND)
		return OK;
	if (err != OK)
		return err;
	return db_exec(tx, &duty_set_due_at, DB_ARGS(db_v_id(&d.duty), db_v_int(earlier(d.due_at, s->now))), NULL);
}

enum err duty_set_due(struct db_tx *tx, struct id duty, int64_t due_at)
{
	return db_exec(tx, &duty_set_due_at, DB_ARGS(db_v_id(&duty), db_v_int(due_at)), NULL);
}

/* What waits for a legal hold, and that it goes on after one, is an event of its own: the person learns nothing of it. */
static enum activity event_of(const struct duty *d, enum duty_state from, enum duty_state to, const char *waits_for)
{
	const char *held = to == DUTY_held ? waits_for : from == DUTY_held ? d->waits_for : NULL;
	if (to == DUTY_cancelled)
		return ACT_DUTY_CANCEL;
	return held != NULL && strcmp(held, DUTY_WAITS_LEGAL_HOLD) == 0 ? ACT_DUTY_HOLD : ACT_DUTY_TRANSITION;
}

enum err duty_move(struct db_tx *tx, struct id duty, enum duty_state from, enum duty_state to, const char *error)
{
	struct scope *s = db_tx_scope(tx);
	int64_t changed = 0;
	struct duty d;
	if (!duty_may_move(from, to))
		return scope_fail(s, ERR_STATE, "a duty cannot go from %s to %s", duty_state_name(from), duty_state_name(to));
	TRY(duty_load(tx, duty, &d));
	TRY(db_exec(tx, &duty_set_state,
		    DB_ARGS(db_v_id(&duty), db_v_text(duty_state_name(from)), db_v_text(duty_state_name(to)),
			    db_v_text(to == DUTY_held ? NULL : error), db_v_text(to == DUTY_held ? error : NULL), db_v_int(s->now)),
		    &changed));
	if (changed != 1)
		return scope_fail(s, ERR_CONFLICT, "the duty is no longer %s", duty_state_name(from));
	struct id person = strcmp(d.subject_type, "user") == 0 ? d.subject : (struct id){{0}};
	return record(tx, event_of(&d, from, to, error), duty, person, d.trigger, duty_state_name(from),
		      duty_state_name(to), to == DUTY_held ? error : NULL, d.deadline_at);
}

enum err duty_set_plan(struct db_tx *tx, struct id duty, const char *plan_json)
{
	return db_exec(tx, &duty_set_plan_text, DB_ARGS(db_v_id(&duty), db_v_text(plan_json), db_v_int(db_tx_scope(tx)->now)), NULL);
}

/* Earlier duties of the same subject (one that a restore cancelled) would name it still: they get the pseudonym, too. */
enum err duty_finish(struct db_tx *tx, struct id duty, const char *result_json, struct id certificate, struct id pseudonym)
{
	TRY(db_exec(tx, &duty_set_others, DB_ARGS(db_v_id(&duty), db_v_id(&pseudonym)), NULL));
	return db_exec(tx, &duty_set_end,
		       DB_ARGS(db_v_id(&duty), db_v_text(result_json), db_v_id(&certificate), db_v_id(&pseudonym),
			       db_v_int(db_tx_scope(tx)->now)),
		       NULL);
}

struct due_query {
	enum duty_state state;
	size_t most, n;
	struct duty *list;
};

static enum err load_due(struct scope *s, struct db_tx *tx, void *arg)
{
	struct due_query *q = arg;
	auto_rows struct db_rows *r = NULL;
	q->list = arena_alloc(s->arena, q->most * sizeof *q->list);
	TRY(db_query(tx, &duty_due_page,
		     DB_ARGS(db_v_text(duty_state_name(q->state)), db_v_int(s->now), db_v_int((int64_t)q->most)), &r));
	for (q->n = 0; db_next(r); q->n++)
		duty_read(r, s->arena, &q->list[q->n]);
	return db_rows_err(r);
}

enum err duty_due(struct scope *s, enum duty_state state, size_t most, struct duty **ret, size_t *ret_n)
{
	struct due_query q = {.state = state, .most = most};
	TRY(db_read(s, load_due, &q));
	*ret = q.list;
	*ret_n = q.n;
	return OK;
}

static enum err count_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct duty_counts *c = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &duty_counts_all, DB_ARGS(db_v_int(s->now)), &r));
	*c = (struct duty_counts){.overdue = (uint64_t)db_int(r, 0), .copies_overdue = (uint64_t)db_int(r, 1), .alarmed = (uint64_t)db_int(r, 2),
				  .held = (uint64_t)db_int(r, 3), .failed = (uint64_t)db_int(r, 4)};
	return OK;
}

enum err duty_count(struct scope *s, struct duty_counts *ret) { return db_read(s, count_tx, ret); }
