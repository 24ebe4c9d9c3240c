/* SPDX-License-Identifier: Apache-2.0
 *
 * What the clock does to cases: alarms, and what finishes by itself.  Each case has a transaction of its own in its tenant's scope; one that
 * fails holds up no other.  The end of their retention is in retention.c.
 */
#include "base/clock.h"
#include "base/log.h"
#include "privacy/request/internal.h"

#define RUNS "('received', 'verified', 'discovered', 'decided')"

DB_GLOBAL(requests_alarmed, "SELECT tenant_id, request_id FROM data_subject_requests WHERE alarm_at <= ?1 ORDER BY alarm_at LIMIT ?2");
DB_GLOBAL(requests_deleted,
	  "SELECT q.tenant_id, q.request_id FROM data_subject_requests q "
	  "JOIN duties d ON d.tenant_id = q.tenant_id AND d.duty_id = q.duty_id "
	  "WHERE q.state = 'decided' AND q.duty_id IS NOT NULL AND d.state IN ('scrubbed', 'copies_gone') LIMIT ?1");
DB_GLOBAL(requests_delivered,
	  "SELECT tenant_id, request_id FROM data_subject_requests WHERE state = 'delivered' AND delivered_at <= ?1 ORDER BY delivered_at LIMIT ?2");
DB_GLOBAL(requests_open, "SELECT count(*) FROM data_subject_requests WHERE state IN " RUNS " AND state NOT IN ('delivered', 'closed') AND due_at > 0");
DB_GLOBAL(requests_overdue,
	  "SELECT count(*) FROM data_subject_requests WHERE state IN " RUNS " AND state NOT IN ('delivered', 'closed') AND due_at < ?1");
DB_TENANT(request_set_alarm,
	  "UPDATE data_subject_requests SET alarm = ?4, alarm_at = ?5 WHERE tenant_id = ?1 AND request_id = ?2 AND alarm = ?3 AND state IN " RUNS);

enum { STEP = 100 };

/* ---- arithmetic ---- */

static const int LEVELS[] = {50, 80, 100};

int64_t request_alarm_at(int64_t received_at, int64_t due_at, int raised)
{
	for (size_t i = 0; i < sizeof LEVELS / sizeof LEVELS[0]; i++)
		if (LEVELS[i] > raised)
			return received_at + (due_at - received_at) * LEVELS[i] / 100;
	return 0;
}

int64_t request_percent(int64_t received_at, int64_t due_at, int64_t at)
{
	int64_t whole = due_at - received_at;
	return whole <= 0 ? 100 : (at - received_at) * 100 / whole;
}

/* The highest level that is reached now. */
static int level(const struct request *r, int64_t now)
{
	int reached = 0;
	for (size_t i = 0; i < sizeof LEVELS / sizeof LEVELS[0]; i++)
		if (now >= request_alarm_at(r->received_at, r->due_at, LEVELS[i] - 1))
			reached = LEVELS[i];
	return reached;
}

/* ---- a step over cases of all tenants ---- */

struct found {
	struct id tenant, request;
};

struct step {
	struct db_stmt *stmt;
	struct db_value args[2];
	size_t arg_count, n;
	struct found v[STEP];
};

static enum err find_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct step *l = arg;
	auto_rows struct db_rows *r = NULL;
	l->n = 0;
	TRY(db_query(tx, l->stmt, l->args, l->arg_count, &r));
	while (l->n < STEP && db_next(r))
		l->v[l->n++] = (struct found){db_id(r, 0), db_id(r, 1)};
	return db_rows_err(r);
}

static enum err each(struct scope *s, struct step *l, db_fn fn, bool *ret_more)
{
	enum err first = OK;
	check(!s->has_tenant);
	TRY(db_read(s, find_tx, l));
	for (size_t i = 0; i < l->n; i++) {
		struct scope t;
		scope_tenant(&t, s->arena, s->db, s->keeper, l->v[i].tenant);
		t.now = s->now;
		enum err e = db_write(&t, fn, &l->v[i].request);
		if (e != OK && e != ERR_NOT_FOUND && e != ERR_CONFLICT && first == OK) /* those two: an officer was quicker */
			first = scope_fail(s, e, "%s", scope_detail(&t, e));
	}
	*ret_more = *ret_more || (l->n == STEP && first == OK);
	return first;
}

/* ---- alarms ---- */

static enum err alarm_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct request r;
	int64_t n;
	char text[ID_TEXT];
	TRY(request_load(tx, *(const struct id *)arg, &r));
	int reached = level(&r, s->now);
	int64_t next = request_alarm_at(r.received_at, r.due_at, reached);
	if (reached <= r.alarm || !request_runs(r.state))
		return OK;
	TRY(db_exec(tx, &request_set_alarm,
		    DB_ARGS(db_v_id(&r.request), db_v_int(r.alarm), db_v_int(reached), next == 0 ? db_v_null() : db_v_int(next)), &n));
	if (n == 0)
		return OK;
	struct audit_change *changes = NULL, **tail = &changes;
	tail = audit_change_add(s->arena, tail, "alarmPercent", NULL, NULL, NULL, arena_printf(s->arena, "%d", reached));
	audit_change_add(s->arena, tail, "dueDateTime", NULL, NULL, NULL, request_time_text(s, r.due_at));
	log_event(reached >= 100 ? LOG_ERROR : LOG_WARN, "request_alarm", "request=%s percent=%d due=%s", id_format(r.request, text), reached,
		  request_time_text(s, r.due_at));
	return request_record(tx, &r, ACT_DSR_ALARM, changes);
}

enum err request_alarms(struct scope *s, bool *ret_more)
{
	struct step l = {.stmt = &requests_alarmed, .args = {db_v_int(s->now), db_v_int(STEP)}, .arg_count = 2};
	return each(s, &l, alarm_tx, ret_more);
}

/* ---- what finishes by itself ---- */

static enum err deleted_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct request r;
	TRY(request_load(tx, *(const struct id *)arg, &r));
	return r.state == REQUEST_decided ? request_hand_over(tx, &r, NULL, 0) : OK;
}

static enum err close_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct request r;
	TRY(request_load(tx, *(const struct id *)arg, &r));
	return r.state == REQUEST_delivered ? request_move(tx, &r, REQUEST_closed, ACT_DSR_CLOSE, NULL) : OK;
}

enum err request_finish_due(struct scope *s, bool *ret_more)
{
	struct step deleted = {.stmt = &requests_deleted, .args = {db_v_int(STEP)}, .arg_count = 1};
	struct step delivered = {.stmt = &requests_delivered, .arg_count = 2};
	delivered.args[0] = db_v_int(s->now - REQUEST_CLOSES_DAYS * DAY_US);
	delivered.args[1] = db_v_int(STEP);
	TRY(each(s, &deleted, deleted_tx, ret_more));
	return each(s, &delivered, close_tx, ret_more);
}

/* ---- metrics ---- */

struct counts {
	uint64_t open, overdue;
};

static enum err counts_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct counts *c = arg;
	auto_rows struct db_rows *open = NULL, *overdue = NULL;
	TRY(db_query_one(tx, &requests_open, DB_NOARGS, &open));
	c->open = (uint64_t)db_int(open, 0);
	TRY(db_query_one(tx, &requests_overdue, DB_ARGS(db_v_int(s->now)), &overdue));
	c->overdue = (uint64_t)db_int(overdue, 0);
	return OK;
}

enum err request_counts(struct scope *s, uint64_t *ret_open, uint64_t *ret_overdue)
{
	struct counts c;
	TRY(db_read(s, counts_tx, &c));
	*ret_open = c.open;
	*ret_overdue = c.overdue;
	return OK;
}
