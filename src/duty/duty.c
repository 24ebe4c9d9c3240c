/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening and moving duties.  Every transition is a compare-and-set on (duty, state) with its event in the same transaction, so that two
 * servers, or a crash in the middle, can neither do a step twice nor skip one (I7).
 */
#include "duty/duty.h"

#include <string.h>

#include "audit/audit.h"

#define DUTY_COLUMNS                                                                                              \
	"tenant_id, duty_id, trigger_name, subject_type, subject_id, state, requested_at, due_at, deadline_at, " \
	"plan, result, error, certificate_id"
#define OPEN_STATES "('scheduled', 'received', 'held', 'suppressed', 'deleting', 'deleted', 'scrubbed', 'failed')"

DB_TENANT(duty_insert,
	  "INSERT INTO duties (tenant_id, duty_id, trigger_name, subject_type, subject_id, state, requested_at, due_at, deadline_at, updated_at) "
	  "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?7)");
DB_TENANT(duty_by_id, "SELECT " DUTY_COLUMNS " FROM duties WHERE tenant_id = ?1 AND duty_id = ?2");
DB_TENANT(duty_by_subject,
	  "SELECT " DUTY_COLUMNS " FROM duties WHERE tenant_id = ?1 AND subject_id = ?2 AND state IN " OPEN_STATES
	  " ORDER BY requested_at DESC LIMIT 1");
DB_TENANT(duty_set_state, "UPDATE duties SET state = ?4, error = ?5, updated_at = ?6 WHERE tenant_id = ?1 AND duty_id = ?2 AND state = ?3");
DB_TENANT(duty_set_clock,
	  "UPDATE duties SET trigger_name = ?3, requested_at = ?4, due_at = ?5, deadline_at = ?6, updated_at = ?7 "
	  "WHERE tenant_id = ?1 AND duty_id = ?2");
DB_TENANT(duty_set_plan_text, "UPDATE duties SET plan = ?3, updated_at = ?4 WHERE tenant_id = ?1 AND duty_id = ?2");
DB_TENANT(duty_set_end,
	  "UPDATE duties SET result = ?3, certificate_id = ?4, subject_id = ?5, updated_at = ?6 WHERE tenant_id = ?1 AND duty_id = ?2");
DB_TENANT(duty_set_others,
	  "UPDATE duties SET subject_id = ?3 WHERE tenant_id = ?1 AND duty_id <> ?2 AND subject_id = (SELECT d.subject_id FROM duties d "
	  "WHERE d.tenant_id = ?1 AND d.duty_id = ?2)");
DB_GLOBAL(duty_due_page,
	  "SELECT " DUTY_COLUMNS " FROM duties WHERE state = ?1 AND due_at <= ?2 ORDER BY due_at LIMIT ?3");
DB_GLOBAL(duty_overdue_count,
	  "SELECT count(*) FROM duties WHERE state IN ('received', 'held', 'suppressed', 'deleting', 'deleted', 'failed') AND deadline_at < ?1");

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

static void read_duty(const struct db_rows *r, struct arena *a, struct duty *d)
{
	*d = (struct duty){
		.tenant = db_id(r, 0), .duty = db_id(r, 1), .trigger = db_text_dup(r, 2, a), .subject_type = db_text_dup(r, 3, a),
		.subject = db_id(r, 4), .state = state_of(db_text(r, 5)), .requested_at = db_int(r, 6), .due_at = db_int(r, 7),
		.deadline_at = db_int(r, 8), .plan = db_text_dup(r, 9, a), .result = db_text_dup(r, 10, a),
		.error = db_text_dup(r, 11, a), .certificate = db_id(r, 12),
	};
}

static enum err load_one(struct db_tx *tx, struct db_stmt *stmt, struct id key, struct duty *ret)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, stmt, DB_ARGS(db_v_id(&key)), &r));
	read_duty(r, db_tx_scope(tx)->arena, ret);
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

static enum err insert(struct db_tx *tx, const struct duty_order *o, struct id *ret_duty)
{
	struct scope *s = db_tx_scope(tx);
	struct id duty = scope_id(s);
	const char *state = duty_state_name(o->first);
	TRY(db_exec(tx, &duty_insert,
		    DB_ARGS(db_v_id(&duty), db_v_text(o->trigger), db_v_text(o->subject_type), db_v_id(&o->subject), db_v_text(state),
			    db_v_int(s->now), db_v_int(o->due_at), db_v_int(o->deadline_at)),
		    NULL));
	if (ret_duty != NULL)
		*ret_duty = duty;
	return record(tx, ACT_DUTY_CREATE, duty, o->person, o->trigger, NULL, state, NULL, o->deadline_at);
}

static int64_t earlier(int64_t a, int64_t b) { return a < b ? a : b; }

/* A scheduled promise that has become a real one takes the new clock; a running one keeps its own, or the earlier of both. */
static enum err strengthen(struct db_tx *tx, const struct duty_order *o, const struct duty *d)
{
	struct scope *s = db_tx_scope(tx);
	bool starts = d->state == DUTY_scheduled && o->first == DUTY_received;
	int64_t requested = starts ? s->now : d->requested_at;
	int64_t due = starts ? o->due_at : earlier(d->due_at, o->due_at);
	int64_t deadline = starts ? o->deadline_at : earlier(d->deadline_at, o->deadline_at);
	const char *trigger = starts ? o->trigger : d->trigger;
	TRY(db_exec(tx, &duty_set_clock,
		    DB_ARGS(db_v_id(&d->duty), db_v_text(trigger), db_v_int(requested), db_v_int(due), db_v_int(deadline), db_v_int(s->now)),
		    NULL));
	return starts ? duty_move(tx, d->duty, DUTY_scheduled, DUTY_received, NULL) : OK;
}

enum err duty_open(struct db_tx *tx, const struct duty_order *o, struct id *ret_duty)
{
	check(o->first == DUTY_scheduled || o->first == DUTY_received);
	struct duty d;
	enum err err = duty_of_subject(tx, o->subject, &d);
	if (err == ERR_NOT_FOUND)
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
	if (!duty_may_move(d.state, DUTY_cancelled))
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
	return db_exec(tx, &duty_set_clock,
		       DB_ARGS(db_v_id(&d.duty), db_v_text(d.trigger), db_v_int(d.requested_at), db_v_int(earlier(d.due_at, s->now)),
			       db_v_int(d.deadline_at), db_v_int(s->now)),
		       NULL);
}

enum err duty_move(struct db_tx *tx, struct id duty, enum duty_state from, enum duty_state to, const char *error)
{
	struct scope *s = db_tx_scope(tx);
	int64_t changed = 0;
	struct duty d;
	if (!duty_may_move(from, to))
		return scope_fail(s, ERR_STATE, "a duty cannot go from %s to %s", duty_state_name(from), duty_state_name(to));
	TRY(db_exec(tx, &duty_set_state,
		    DB_ARGS(db_v_id(&duty), db_v_text(duty_state_name(from)), db_v_text(duty_state_name(to)), db_v_text(error),
			    db_v_int(s->now)),
		    &changed));
	if (changed != 1)
		return scope_fail(s, ERR_CONFLICT, "the duty is no longer %s", duty_state_name(from));
	TRY(duty_load(tx, duty, &d));
	struct id person = strcmp(d.subject_type, "user") == 0 ? d.subject : (struct id){{0}};
	return record(tx, to == DUTY_cancelled ? ACT_DUTY_CANCEL : ACT_DUTY_TRANSITION, duty, person, d.trigger, duty_state_name(from),
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
		read_duty(r, s->arena, &q->list[q->n]);
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

static enum err count_overdue(struct scope *s, struct db_tx *tx, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &duty_overdue_count, DB_ARGS(db_v_int(s->now)), &r));
	*(uint64_t *)arg = (uint64_t)db_int(r, 0);
	return OK;
}

enum err duty_overdue(struct scope *s, uint64_t *ret_n)
{
	return db_read(s, count_overdue, ret_n);
}
