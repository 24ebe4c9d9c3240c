/* SPDX-License-Identifier: Apache-2.0
 * What people decide about a request, and what time does. */
#include <string.h>

#include "base/log.h"
#include "directory/approval/internal.h"
#include "notice/notice.h"

DB_GLOBAL(approvals_due, "SELECT tenant_id, request_id FROM operation_approval_requests WHERE object_key IS NOT NULL AND decide_until <= ?1 LIMIT ?2");

enum { DUE_AT_ONCE = 64 };

struct decision {
	struct id request;
	enum approval_event event;
	const char *justification;
};

/* The requester hears of it where they are a person. */
static enum err tell_requester(struct db_tx *tx, const struct request *r, enum approval_event event)
{
	struct scope *s = db_tx_scope(tx);
	char id[ID_TEXT], until[TIME_TEXT];
	if (r->requester != ACTOR_USER || event == APPROVAL_cancelMyRequest)
		return OK;
	const char *text = event == APPROVAL_approve
				   ? arena_printf(s->arena, "Your request %s was approved. Complete it before %s: reeve approval complete %s\n",
						  id_format(r->request, id), time_format(r->decide_until, until), id)
				   : arena_printf(s->arena, "Your request %s was %s.\n", id_format(r->request, id),
						  event == APPROVAL_reject ? "rejected" : "approved, and the approval has been taken back");
	return notice_person(tx, r->requested_by, "Your request for approval", text);
}

static enum err decide_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct decision *d = arg;
	struct request r;
	TRY(approval_load(tx, d->request, &r));
	if (d->event != APPROVAL_cancelMyRequest)
		TRY(approval_may_decide(tx, &r));
	else if (!id_equal(r.requested_by, s->actor.id))
		return scope_fail(s, ERR_FORBIDDEN, "the request is somebody else's");
	if (approval_state_now(&r, s->now) != r.state)
		return approval_wrong_state(s, &r);
	TRY(approval_step(tx, &r, &(struct approval_step){.event = d->event, .justification = d->justification}));
	return tell_requester(tx, &r, d->event);
}

enum err approval_decide(struct scope *s, struct id request, enum approval_event event, const char *justification)
{
	check(event <= APPROVAL_cancelMyRequest);
	if (justification != NULL && strlen(justification) > APPROVAL_JUSTIFICATION_MAX)
		return scope_fail(s, ERR_BAD_REQUEST, "'justification' has at most %d bytes", APPROVAL_JUSTIFICATION_MAX);
	s->subject = request;
	return db_write(s, decide_tx, &(struct decision){request, event, justification});
}

/* ---- by time ---- */

struct due {
	struct id tenant[DUE_AT_ONCE], request[DUE_AT_ONCE];
	size_t n;
};

static enum err due_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct due *d = arg;
	auto_rows struct db_rows *r = NULL;
	d->n = 0;
	TRY(db_query(tx, &approvals_due, DB_ARGS(db_v_int(s->now), db_v_int(DUE_AT_ONCE)), &r));
	for (; d->n < DUE_AT_ONCE && db_next(r); d->n++) {
		d->tenant[d->n] = db_id(r, 0);
		d->request[d->n] = db_id(r, 1);
	}
	return db_rows_err(r);
}

static enum err expire_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct request r;
	TRY(approval_load(tx, *(const struct id *)arg, &r));
	if (approval_state_now(&r, s->now) == r.state)
		return OK; /* somebody decided, or another server was faster */
	return approval_step(tx, &r, &(struct approval_step){.event = APPROVAL_expire});
}

enum err approval_run_due(struct scope *s, bool *ret_more)
{
	struct due d;
	TRY(db_read(s, due_tx, &d));
	*ret_more = d.n == DUE_AT_ONCE;
	for (size_t i = 0; i < d.n; i++) {
		struct scope t;
		char text[ID_TEXT];
		scope_tenant(&t, s->arena, s->db, s->keeper, d.tenant[i]);
		t.now = s->now;
		enum err e = db_write(&t, expire_tx, &d.request[i]);
		if (e != OK)
			log_event(LOG_WARN, "approval_due", "request=%s error=%s", id_format(d.request[i], text), err_name(e));
		*ret_more = *ret_more && e == OK;
	}
	return OK;
}
