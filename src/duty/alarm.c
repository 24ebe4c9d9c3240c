/* SPDX-License-Identifier: Apache-2.0
 * Alarms of duties: which is due when, and raising it. */
#include <stdatomic.h>
#include <string.h>

#include "audit/audit.h"
#include "base/log.h"
#include "duty/duty_internal.h"
#include "notice/notice.h"

#define STUCK_US HOUR_US
#define LOOK_EVERY_US (30 * SECOND_US)
enum { PAGE = 64 };

DB_TENANT(duty_set_alarm, "UPDATE duties SET alarm = ?3, alarm_at = ?4 WHERE tenant_id = ?1 AND duty_id = ?2");
DB_TENANT(duty_set_next_alarm, "UPDATE duties SET alarm_due_at = ?3 WHERE tenant_id = ?1 AND duty_id = ?2");
DB_GLOBAL(duty_alarms_due,
	  "SELECT " DUTY_COLUMNS " FROM duties WHERE alarm_due_at IS NOT NULL AND alarm_due_at <= ?1 ORDER BY alarm_due_at LIMIT ?2");
/* One that was told of since it last moved is not told of again. */
DB_GLOBAL(duty_stuck_page,
	  "SELECT " DUTY_COLUMNS " FROM duties WHERE state IN ('scheduled', 'received', 'suppressed', 'deleting', 'deleted', 'scrubbed') "
	  "AND due_at <= ?1 AND updated_at <= ?1 AND (alarm_at IS NULL OR alarm_at < updated_at) LIMIT ?2");

enum of { ACTIVE, COPIES, STATE };
static const struct alarm {
	const char *name, *text;
	enum of of;
	int numerator, denominator;
} ALARMS[] = {
#define ALARM(name_, of_, numerator_, denominator_, text_) \
	{.name = #name_, .text = text_, .of = of_, .numerator = numerator_, .denominator = denominator_},
#include "duty/alarms.def"
#undef ALARM
};

static int64_t time_of(const struct alarm *a, int64_t from, int64_t deadline, int64_t copies_deadline)
{
	if (a->of == COPIES)
		return deadline + (copies_deadline - deadline) / a->denominator * a->numerator;
	return from + (deadline - from) / a->denominator * a->numerator;
}

int64_t duty_alarm_next(int64_t from, int64_t deadline, int64_t copies_deadline, int64_t now)
{
	for (int i = 0; i < DUTY_ALARM_COUNT; i++)
		if (ALARMS[i].of != STATE && time_of(&ALARMS[i], from, deadline, copies_deadline) > now)
			return time_of(&ALARMS[i], from, deadline, copies_deadline);
	return 0;
}

enum err duty_raise(struct db_tx *tx, const struct duty *d, enum duty_alarm alarm)
{
	struct scope *s = db_tx_scope(tx);
	const struct alarm *a = &ALARMS[alarm];
	const char *state = duty_state_name(d->state);
	char duty[ID_TEXT], deadline[TIME_TEXT], copies[TIME_TEXT];
	struct audit_change *changes = NULL, **tail = &changes;
	id_format(d->duty, duty);
	time_format(d->deadline_at, deadline);
	time_format(d->copies_deadline_at, copies);
	TRY(db_exec(tx, &duty_set_alarm, DB_ARGS(db_v_id(&d->duty), db_v_text(a->name), db_v_int(s->now)), NULL));
	tail = audit_change_add(s->arena, tail, "alarm", "duties", "alarm", d->alarm, a->name);
	tail = audit_change_add(s->arena, tail, "state", NULL, NULL, NULL, state);
	if (d->waits_for != NULL)
		tail = audit_change_add(s->arena, tail, "waitsFor", NULL, NULL, NULL, d->waits_for);
	tail = audit_change_add(s->arena, tail, "deadlineDateTime", NULL, NULL, NULL, deadline);
	audit_change_add(s->arena, tail, "copiesDeadlineDateTime", NULL, NULL, NULL, copies);
	log_event(LOG_ERROR, "erasure_alarm", "alarm=%s duty=%s state=%s deadline=%s copies_deadline=%s", a->name, duty, state, deadline, copies);
	TRY(audit_record(tx, &(struct audit_event){.activity = ACT_DUTY_ALARM, .resource_type = "ErasureDuty", .resource = d->duty, .changes = changes}));
	return notice_alarm(tx, arena_printf(s->arena, "erasureDuty.%s", a->name), d->duty,
			    arena_printf(s->arena, "The duty to delete %s: %s. It is %s; its data must be gone by %s, the copies by %s.", duty, a->text,
					 state, deadline, copies));
}

static bool open_still(const struct duty *d) { return d->state != DUTY_copies_gone && d->state != DUTY_cancelled; }

static bool concerns(const struct alarm *a, const struct duty *d)
{
	return a->of == COPIES ? open_still(d) : a->of == ACTIVE && open_still(d) && d->state != DUTY_scrubbed;
}

struct one {
	struct id duty;
	bool stuck;
};

/* Of several that have passed (the server was off) only the latest is news. */
static enum err raise_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct one *o = arg;
	struct duty d;
	TRY(duty_load(tx, o->duty, &d));
	if (o->stuck)
		return duty_raise(tx, &d, ALARM_stuck);
	int64_t from = strcmp(d.subject_type, "tenant") == 0 && d.due_at < d.deadline_at ? d.due_at : d.requested_at;
	int64_t next = open_still(&d) ? duty_alarm_next(from, d.deadline_at, d.copies_deadline_at, s->now) : 0;
	TRY(db_exec(tx, &duty_set_next_alarm, DB_ARGS(db_v_id(&d.duty), next == 0 ? db_v_null() : db_v_int(next)), NULL));
	for (int i = DUTY_ALARM_COUNT - 1; i >= 0; i--)
		if (concerns(&ALARMS[i], &d) && time_of(&ALARMS[i], from, d.deadline_at, d.copies_deadline_at) <= s->now)
			return duty_raise(tx, &d, (enum duty_alarm)i);
	return OK;
}

struct page {
	struct db_stmt *stmt;
	int64_t before;
	struct duty *v;
	size_t n;
};

static enum err page_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct page *p = arg;
	auto_rows struct db_rows *r = NULL;
	p->v = arena_alloc(s->arena, PAGE * sizeof *p->v);
	p->n = 0;
	TRY(db_query(tx, p->stmt, DB_ARGS(db_v_int(p->before), db_v_int(PAGE)), &r));
	while (p->n < PAGE && db_next(r))
		duty_read(r, s->arena, &p->v[p->n++]);
	return db_rows_err(r);
}

static enum err raise_page(struct scope *s, struct db_stmt *stmt, int64_t before, bool stuck)
{
	struct page p = {.stmt = stmt, .before = before};
	TRY(db_read(s, page_tx, &p));
	for (size_t i = 0; i < p.n; i++) {
		struct scope t;
		scope_tenant(&t, s->arena, s->db, s->keeper, p.v[i].tenant);
		t.now = s->now;
		enum err e = db_write_low(&t, raise_tx, &(struct one){.duty = p.v[i].duty, .stuck = stuck});
		if (e != OK)
			return scope_fail(s, e, "%s", scope_detail(&t, e));
	}
	return OK;
}

enum err duty_alarms(struct scope *s)
{
	static _Atomic int64_t first, looked;
	int64_t zero = 0, last = atomic_load(&looked);
	atomic_compare_exchange_strong(&first, &zero, s->now);
	if (s->now >= last && s->now - last < LOOK_EVERY_US)
		return OK;
	TRY(raise_page(s, &duty_alarms_due, s->now, false));
	if (s->now - atomic_load(&first) >= STUCK_US) /* after a start what came due meanwhile has an hour, too */
		TRY(raise_page(s, &duty_stuck_page, s->now - STUCK_US, true));
	atomic_store(&looked, s->now);
	return OK;
}
