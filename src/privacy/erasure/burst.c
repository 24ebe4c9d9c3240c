/* SPDX-License-Identifier: Apache-2.0
 *
 * The brake for accidents, since nothing undoes an erasure: where one source asks for more people than a tenant expects, within an hour, what
 * it asked for waits for a second person.  And what may be undone, until when.
 */
#include <pthread.h>
#include <string.h>

#include "audit/audit.h"
#include "directory/tenant_settings.h"
#include "directory/user.h"
#include "duty/suppression.h"
#include "keeper/keeper.h"
#include "privacy/erasure/erasure.h"
#include "privacy/erasure/internal.h"

enum { AT_ONCE = 100, COUNTED_MOST = 20000 /* 2 % of a million */ };

DB_TENANT(burst_open, "SELECT 1 FROM duties WHERE tenant_id = ?1 AND requested_by = ?2 AND waits_for = 'burst' LIMIT 1");
/* No more rows are read than decide it. */
DB_TENANT(burst_size,
	  "SELECT count(*) FROM (SELECT 1 FROM duties WHERE tenant_id = ?1 AND requested_by = ?2 AND requested_at > ?3 "
	  "AND trigger_name = 'permanentDelete' AND subject_type = 'user' AND state <> 'cancelled' LIMIT ?4) AS asked");
DB_TENANT(people_up_to, "SELECT count(*) FROM (SELECT 1 FROM users WHERE tenant_id = ?1 LIMIT ?2) AS people");
DB_TENANT(burst_others,
	  "SELECT duty_id FROM duties WHERE tenant_id = ?1 AND requested_by = ?2 AND requested_at > ?3 AND state = 'suppressed' "
	  "AND undo_until > ?4 AND trigger_name = 'permanentDelete' AND confirmed_by IS NULL AND duty_id <> ?5 LIMIT ?6");
DB_TENANT(burst_page, "SELECT duty_id FROM duties WHERE tenant_id = ?1 AND requested_by = ?2 AND waits_for = 'burst' LIMIT ?3");
DB_TENANT(duty_confirmed, "UPDATE duties SET confirmed_by = ?3, undo_until = NULL, due_at = ?4, updated_at = ?4 WHERE tenant_id = ?1 AND duty_id = ?2");

/* ---- is it one? ---- */

/* How many people a tenant has at least, as it was counted within the last minute: each of a thousand erasures would count a thousand times. */
static struct {
	pthread_mutex_t lock;
	struct id tenant;
	int64_t people, at;
} at_least = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool has_people(struct scope *s, int64_t n)
{
	pthread_mutex_lock(&at_least.lock);
	bool fresh = id_equal(at_least.tenant, s->tenant) && s->now - at_least.at < MINUTE_US && s->now >= at_least.at;
	bool has = fresh && at_least.people >= n;
	pthread_mutex_unlock(&at_least.lock);
	return has;
}

static void remember_people(struct scope *s, int64_t people)
{
	pthread_mutex_lock(&at_least.lock);
	at_least.tenant = s->tenant;
	at_least.people = people;
	at_least.at = s->now;
	pthread_mutex_unlock(&at_least.lock);
}

/* Whether n people are more than the share that the tenant expects; reads no more rows than twice as many as make it certain. */
static enum err above_share(struct db_tx *tx, int64_t n, int64_t percent, bool *ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	*ret = percent == 0;
	if (percent == 0)
		return OK;
	int64_t enough = (n * 100 + percent - 1) / percent; /* with so many people n is no more than the share */
	if (has_people(s, enough))
		return OK;
	TRY(db_query_one(tx, &people_up_to, DB_ARGS(db_v_int(2 * enough)), &r));
	remember_people(s, db_int(r, 0));
	*ret = db_int(r, 0) < enough;
	return OK;
}

static enum err is_open(struct db_tx *tx, struct id source, bool *ret)
{
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &burst_open, DB_ARGS(db_v_id(&source)), &r);
	*ret = e == OK;
	return e == ERR_NOT_FOUND ? OK : e;
}

static enum err too_many(struct db_tx *tx, const struct duty *d, bool *ret)
{
	struct scope *s = db_tx_scope(tx);
	int64_t people, percent, since = (s->now - d->requested_at < HOUR_US ? s->now : d->requested_at) - HOUR_US;
	auto_rows struct db_rows *r = NULL;
	*ret = false;
	TRY(tenant_setting_int(tx, "eraseBurstPeople", &people));
	TRY(db_query_one(tx, &burst_size, DB_ARGS(db_v_id(&d->requested_by), db_v_int(since), db_v_int(COUNTED_MOST)), &r));
	int64_t n = db_int(r, 0);
	if (n <= people)
		return OK;
	TRY(tenant_setting_int(tx, "eraseBurstPercent", &percent));
	return above_share(tx, n, percent, ret);
}

enum err burst_waits(struct db_tx *tx, const struct duty *d, bool *ret)
{
	*ret = false;
	if (strcmp(d->subject_type, "user") != 0 || strcmp(d->trigger, DUTY_BY_PERMANENT_DELETE) != 0 || id_is_nil(d->requested_by) ||
	    !id_is_nil(d->confirmed_by))
		return OK;
	TRY(is_open(tx, d->requested_by, ret));
	return *ret ? OK : too_many(tx, d, ret);
}

/* ---- holding it ---- */

struct page {
	struct id duty[AT_ONCE];
	size_t n;
};

static enum err read_page(struct db_tx *tx, struct db_stmt *stmt, const struct db_value *args, size_t n, struct page *p)
{
	auto_rows struct db_rows *r = NULL;
	p->n = 0;
	TRY(db_query(tx, stmt, args, n, &r));
	while (p->n < AT_ONCE && db_next(r))
		p->duty[p->n++] = db_id(r, 0);
	return db_rows_err(r);
}

/* More of them than a page are held as their own time comes. */
static enum err hold_others(struct db_tx *tx, const struct duty *d)
{
	int64_t now = db_tx_scope(tx)->now;
	struct page p;
	TRY(read_page(tx, &burst_others,
		      DB_ARGS(db_v_id(&d->requested_by), db_v_int(now - HOUR_US), db_v_int(now), db_v_id(&d->duty), db_v_int(AT_ONCE)), &p));
	for (size_t i = 0; i < p.n; i++)
		TRY(duty_move(tx, p.duty[i], DUTY_suppressed, DUTY_held, DUTY_WAITS_BURST));
	return OK;
}

enum err burst_hold(struct db_tx *tx, const struct duty *d)
{
	bool known;
	struct duty held;
	TRY(is_open(tx, d->requested_by, &known));
	TRY(duty_move(tx, d->duty, d->state, DUTY_held, DUTY_WAITS_BURST));
	if (known)
		return OK;
	TRY(hold_others(tx, d));
	TRY(duty_load(tx, d->duty, &held));
	return duty_raise(tx, &held, ALARM_burst);
}

/* ---- a second person's word ---- */

static bool may_be_undone(const struct duty *d, int64_t now)
{
	bool waits = d->state == DUTY_received || d->state == DUTY_suppressed || d->state == DUTY_held;
	bool burst = d->state == DUTY_held && strcmp(d->waits_for, DUTY_WAITS_BURST) == 0;
	return waits && (burst || d->undo_until > now);
}

static enum err confirm(struct db_tx *tx, const struct duty *d)
{
	struct scope *s = db_tx_scope(tx);
	bool burst = d->state == DUTY_held && strcmp(d->waits_for, DUTY_WAITS_BURST) == 0;
	TRY(db_exec(tx, &duty_confirmed, DB_ARGS(db_v_id(&d->duty), db_v_id(&s->actor.id), db_v_int(s->now)), NULL));
	TRY(audit_record(tx, &(struct audit_event){.activity = ACT_DUTY_CONFIRM, .resource_type = "ErasureDuty", .resource = d->duty,
						   .subject = d->subject}));
	return burst ? duty_move(tx, d->duty, DUTY_held, DUTY_received, NULL) : OK;
}

static enum err second_person(struct scope *s, struct id first)
{
	if (id_equal(s->actor.id, first))
		return scope_fail(s, ERR_FORBIDDEN, "who asked for the erasure cannot be the second person who confirms it");
	return OK;
}

static enum err confirm_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct duty d;
	TRY(duty_load(tx, *(const struct id *)arg, &d));
	TRY(second_person(s, d.requested_by));
	if (!may_be_undone(&d, s->now))
		return scope_fail(s, ERR_CONFLICT, "the duty waits for nobody's word: it is %s", duty_state_name(d.state));
	return confirm(tx, &d);
}

enum err erasure_confirm(struct scope *s, struct id duty) { return db_write(s, confirm_tx, &duty); }

struct burst {
	struct id source;
	size_t n; /* of the last page */
};

static enum err confirm_page_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct burst *b = arg;
	struct page p;
	TRY(read_page(tx, &burst_page, DB_ARGS(db_v_id(&b->source), db_v_int(AT_ONCE)), &p));
	for (size_t i = 0; i < p.n; i++) {
		struct duty d;
		TRY(duty_load(tx, p.duty[i], &d));
		TRY(confirm(tx, &d));
	}
	b->n = p.n;
	return OK;
}

enum err erasure_confirm_burst(struct scope *s, struct id source, size_t *ret_n)
{
	struct burst b = {.source = source};
	*ret_n = 0;
	TRY(second_person(s, source));
	do {
		TRY(db_write(s, confirm_page_tx, &b));
		*ret_n += b.n;
	} while (b.n == AT_ONCE);
	return *ret_n > 0 ? OK : scope_fail(s, ERR_NOT_FOUND, "no erasure that this application asked for waits for a second person");
}

/* ---- undoing ---- */

/* The person is a deleted one again, with the clock of their deletion.  Enrolment tokens stay dead. */
static enum err cancel_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct duty d;
	TRY(duty_load(tx, *(const struct id *)arg, &d));
	if (!may_be_undone(&d, s->now) || strcmp(d.subject_type, "user") != 0)
		return scope_fail(s, ERR_CONFLICT, "the duty cannot be cancelled: it is %s, and no time to undo it is left", duty_state_name(d.state));
	TRY(suppression_remove(tx, d.subject.b, sizeof d.subject.b));
	TRY(duty_move(tx, d.duty, d.state, DUTY_cancelled, NULL));
	return user_keep_deleted(tx, d.subject);
}

enum err erasure_cancel(struct scope *s, struct id duty)
{
	TRY(db_write(s, cancel_tx, &duty));
	return keeper_needles_drop(s->keeper, s, duty);
}
