/* SPDX-License-Identifier: Apache-2.0
 *
 * What a deletion waits for, visibly, as the state `held` with its reason; due date and deadline stay as they are.
 *
 *   restriction   the processing of the person's data is restricted (Art. 18): until that is lifted, however long; past its deadline the duty
 *                 is overdue and alarmed like any other
 *   legalHold     somebody must keep it (privacy/hold): until that is released, however long
 *   a copy        an access or portability case of the person is open whose copy was not delivered: until it is, but never past
 *                 HOLD_ENDS_BEFORE_US before the deletion's own deadline
 *   burst         one source asked for many within an hour: until a second person has confirmed (burst.c)
 */
#include <stdatomic.h>
#include <string.h>

#include "base/log.h"
#include "directory/restriction.h"
#include "privacy/erasure/internal.h"
#include "privacy/hold/legal_hold.h"
#include "privacy/request/request.h"

#define HOLD_ENDS_BEFORE_US (2 * DAY_US)
#define LOOK_AGAIN_US (30 * SECOND_US) /* where more duties are held than one look reads */
enum { PAGE = 64 };

DB_TENANT(hold_device_user, "SELECT user_id FROM managed_devices WHERE tenant_id = ?1 AND device_id = ?2");
DB_GLOBAL(held_duties,
	  "SELECT tenant_id, duty_id, due_at FROM duties WHERE state = 'held' AND waits_for <> 'burst' AND (due_at > ?1 OR (due_at = ?1 AND duty_id > ?2)) "
	  "ORDER BY due_at, duty_id LIMIT ?3");

/* ---- why ---- */

/* nil where nobody is linked any more. */
static enum err person_of(struct db_tx *tx, const struct erase_job *j, struct id *ret)
{
	static const struct id nobody;
	auto_rows struct db_rows *r = NULL;
	*ret = j->type == SUBJECT_USER ? j->d.subject : nobody;
	if (j->type != SUBJECT_DEVICE)
		return OK;
	TRY(db_query(tx, &hold_device_user, DB_ARGS(db_v_id(&j->d.subject)), &r));
	if (db_next(r))
		*ret = db_id(r, 0);
	return db_rows_err(r);
}

static enum err persons_reason(struct db_tx *tx, const struct erase_job *j, const char **ret)
{
	struct id person;
	bool restricted, delayed = false;
	TRY(person_of(tx, j, &person));
	if (id_is_nil(person))
		return OK;
	TRY(restriction_holds(tx, person, &restricted));
	if (restricted)
		*ret = DUTY_WAITS_RESTRICTION;
	else if (db_tx_scope(tx)->now < j->d.deadline_at - HOLD_ENDS_BEFORE_US)
		TRY(request_delays_erasure(tx, person, &delayed));
	if (delayed)
		*ret = DUTY_WAITS_COPY;
	return OK;
}

/* A second person's word for a burst is not looked for here: it comes as a request of its own. */
static enum err reason(struct db_tx *tx, const struct erase_job *j, const char **ret)
{
	bool kept;
	*ret = NULL;
	TRY(legal_hold_blocks(tx, j->type, j->d.subject, &kept));
	if (!kept)
		return persons_reason(tx, j, ret);
	*ret = DUTY_WAITS_LEGAL_HOLD;
	return OK;
}

enum err erasure_waits(struct db_tx *tx, const struct erase_job *j, const char **ret)
{
	bool burst = false;
	*ret = NULL;
	if (progress_has(j, "replay"))
		return OK; /* a restored database: it was carried out once */
	TRY(reason(tx, j, ret));
	if (*ret == NULL)
		TRY(burst_waits(tx, &j->d, &burst));
	if (burst)
		*ret = DUTY_WAITS_BURST;
	return OK;
}

enum err erasure_hold(struct db_tx *tx, struct erase_job *j, bool *ret_held)
{
	const char *why;
	TRY(erasure_waits(tx, j, &why));
	*ret_held = why != NULL;
	if (why == NULL)
		return OK;
	if (strcmp(why, DUTY_WAITS_BURST) == 0)
		return burst_hold(tx, &j->d);
	return duty_move(tx, j->d.duty, j->d.state, DUTY_held, why);
}

/* ---- until when ---- */

struct held {
	struct id tenant[PAGE], duty[PAGE], last;
	int64_t due;
	size_t n;
};

static enum err page_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct held *h = arg;
	auto_rows struct db_rows *r = NULL;
	h->n = 0;
	TRY(db_query(tx, &held_duties, DB_ARGS(db_v_int(h->due), db_v_id(&h->last), db_v_int(PAGE)), &r));
	for (; h->n < PAGE && db_next(r); h->n++) {
		h->tenant[h->n] = db_id(r, 0);
		h->duty[h->n] = h->last = db_id(r, 1);
		h->due = db_int(r, 2);
	}
	return db_rows_err(r);
}

struct held_one {
	struct erase_job j;
	struct id duty;
	bool over;
};

static enum err over_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct held_one *o = arg;
	const char *why;
	TRY(duty_load(tx, o->duty, &o->j.d));
	o->j.type = subject_type_of(o->j.d.subject_type);
	TRY(reason(tx, &o->j, &why));
	o->over = o->j.d.state == DUTY_held && why == NULL && strcmp(o->j.d.waits_for, DUTY_WAITS_BURST) != 0;
	return OK;
}

static enum err release_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct held_one *o = arg;
	TRY(over_tx(s, tx, o));
	return o->over ? duty_move(tx, o->duty, DUTY_held, DUTY_received, NULL) : OK;
}

static void release(struct scope *system, struct id tenant, struct id duty)
{
	struct held_one o = {.duty = duty};
	struct scope s;
	char text[ID_TEXT];
	struct arena_mark mark = arena_mark(system->arena);
	scope_tenant(&s, system->arena, system->db, system->keeper, tenant);
	s.now = system->now;
	enum err e = db_read(&s, over_tx, &o);
	if (e == OK && o.over)
		e = db_write_low(&s, release_tx, &o);
	if (e != OK)
		log_event(LOG_WARN, "erasure_release", "duty=%s error=%s", id_format(duty, text), err_name(e));
	arena_rewind(system->arena, mark);
}

enum err erasure_release_due(struct scope *s)
{
	static _Atomic int64_t look_again;
	struct held *h = arena_alloc(s->arena, sizeof *h);
	int64_t next = atomic_load(&look_again);
	if (s->now < next && next - s->now <= LOOK_AGAIN_US)
		return OK;
	size_t pages = 0;
	do {
		TRY(db_read(s, page_tx, h));
		for (size_t i = 0; i < h->n; i++)
			release(s, h->tenant[i], h->duty[i]);
		pages++;
	} while (h->n == PAGE);
	atomic_store(&look_again, pages > 1 ? s->now + LOOK_AGAIN_US : 0);
	return OK;
}
