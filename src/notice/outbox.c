/* SPDX-License-Identifier: Apache-2.0
 * One notice a turn.  What it says is opened only here, for the moment of sending. */
#include "notice/outbox.h"

#include <string.h>

#include "audit/audit.h"
#include "base/log.h"
#include "codec/json.h"
#include "keeper/keeper.h"
#include "notice/message.h"
#include "notice/notice.h"
#include "resource/tables.h"

#define PAUSE_FIRST_US (5 * SECOND_US)
#define PAUSE_MAX_US (6 * HOUR_US)
enum { DOUBLINGS = 12 };

DB_GLOBAL(notice_due,
	  "SELECT tenant_id, notice_id, kind, recipient_id, recipient_kind, what, about_id, user_id, event_id, message, attempts, created_at "
	  "FROM notices WHERE state = 'waiting' AND next_attempt_at <= ?1 ORDER BY next_attempt_at LIMIT 1");
DB_TENANT(notice_target, "SELECT target, secret, ca_pem, enabled FROM recipients WHERE tenant_id = ?1 AND recipient_id = ?2");
DB_TENANT(notice_sink, "SELECT next_index FROM audit_sinks WHERE tenant_id = ?1 AND sink_id = ?2");
DB_TENANT(notice_place, "SELECT leaf_index FROM audit_leaves WHERE tenant_id = ?1 AND event_id = ?2");
DB_TENANT(notice_ended,
	  "UPDATE notices SET state = ?3, message = NULL, attempts = ?4, last_error = ?5, next_attempt_at = NULL, ended_at = ?6 "
	  "WHERE tenant_id = ?1 AND notice_id = ?2 AND state = 'waiting'");
DB_TENANT(notice_later,
	  "UPDATE notices SET attempts = ?3, last_error = ?4, next_attempt_at = ?5 WHERE tenant_id = ?1 AND notice_id = ?2 AND state = 'waiting'");
DB_GLOBAL(notices_tried, "SELECT count(*) FROM notices WHERE state = 'waiting' AND last_error IS NOT NULL");
DB_GLOBAL(notices_lost, "SELECT count(*) FROM notices WHERE state = 'failed' AND ended_at > ?1");

struct notice_row {
	bool found, last; /* last: there is no use in trying again */
	struct id tenant, notice, recipient, about, user, event;
	const char *kind, *by, *what;
	const void *sealed;
	size_t sealed_n;
	int attempts;
	int64_t at;
	const char *error; /* NULL: delivered */
};

int64_t notice_pause_us(int attempts)
{
	check(attempts >= 1);
	if (attempts >= NOTICE_ATTEMPTS)
		return -1;
	int64_t pause = attempts > DOUBLINGS ? PAUSE_MAX_US : PAUSE_FIRST_US << (attempts - 1);
	return pause < PAUSE_MAX_US ? pause : PAUSE_MAX_US;
}

static bool by_log(const struct notice_row *n) { return strcmp(n->by, NOTICE_BY_LOG) == 0; }

static enum err due_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct notice_row *n = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &notice_due, DB_ARGS(db_v_int(s->now)), &r));
	*n = (struct notice_row){.found = db_next(r)};
	if (n->found) {
		struct db_value sealed = db_value_dup(r, 9, s->arena);
		*n = (struct notice_row){.found = true, .tenant = db_id(r, 0), .notice = db_id(r, 1), .kind = db_text_dup(r, 2, s->arena),
					 .recipient = db_id(r, 3), .by = db_text_dup(r, 4, s->arena), .what = db_text_dup(r, 5, s->arena),
					 .about = db_id(r, 6), .user = db_id(r, 7), .event = db_id(r, 8), .sealed = sealed.p, .sealed_n = sealed.n,
					 .attempts = (int)db_int(r, 10), .at = db_int(r, 11)};
	}
	return db_rows_err(r);
}

/* ---- what became of it ---- */

static struct audit_change **add_id(struct scope *s, struct audit_change **tail, const char *name, struct id id)
{
	char text[ID_TEXT];
	return id_is_nil(id) ? tail : audit_change_add(s->arena, tail, name, NULL, NULL, NULL, id_format(id, text));
}

/* An event about a person's letter is theirs; one about an erasure names nobody. */
static enum err record(struct db_tx *tx, const struct notice_row *n)
{
	struct scope *s = db_tx_scope(tx);
	struct audit_change *changes = NULL, **tail = &changes;
	tail = audit_change_add(s->arena, tail, "kind", NULL, NULL, NULL, n->kind);
	tail = audit_change_add(s->arena, tail, "what", NULL, NULL, NULL, n->what);
	tail = audit_change_add(s->arena, tail, "recipientKind", NULL, NULL, NULL, n->by);
	tail = add_id(s, tail, "recipientId", n->recipient);
	add_id(s, tail, "aboutId", n->about);
	struct id person = strcmp(n->kind, "person") == 0 ? n->user : (struct id){{0}};
	return audit_record(tx, &(struct audit_event){.activity = n->error == NULL ? ACT_NOTICE_DELIVERED : ACT_NOTICE_FAILED,
						      .resource_type = RES_NOTICE.entity, .resource = n->notice, .subject = person,
						      .changes = changes, .failure = n->error});
}

/* Somebody has to tell the recipient by hand.  An alarm about an alarm that did not arrive would not arrive either. */
static enum err say_lost(struct db_tx *tx, const struct notice_row *n)
{
	char notice[ID_TEXT];
	log_event(LOG_ERROR, "notice_failed", "notice=%s kind=%s recipient_kind=%s", id_format(n->notice, notice), n->kind, n->by);
	if (strcmp(n->kind, "erasure") != 0)
		return OK;
	return notice_alarm(tx, "noticeFailed", n->notice, "A recipient could not be told of an erasure: tell it by another way.");
}

static enum err ended_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct notice_row *n = arg;
	int64_t changed;
	TRY(db_exec(tx, &notice_ended,
		    DB_ARGS(db_v_id(&n->notice), db_v_text(n->error == NULL ? "delivered" : "failed"), db_v_int(n->attempts), db_v_text(n->error),
			    db_v_int(s->now)),
		    &changed));
	if (changed == 0)
		return OK;
	TRY(record(tx, n));
	return n->error == NULL ? OK : say_lost(tx, n);
}

static enum err later_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct notice_row *n = arg;
	return db_exec(tx, &notice_later,
		       DB_ARGS(db_v_id(&n->notice), db_v_int(n->attempts), db_v_text(n->error), db_v_int(s->now + notice_pause_us(n->attempts))), NULL);
}

/* ---- sending ---- */

struct target {
	const struct notice_row *n;
	const char *url, *ca_pem;
	struct db_value secret;
	bool found, enabled;
};

static enum err target_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct target *t = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &notice_target, DB_ARGS(db_v_id(&t->n->recipient)), &r));
	t->found = db_next(r);
	if (t->found) {
		t->url = db_text_dup(r, 0, s->arena);
		t->secret = db_value_dup(r, 1, s->arena);
		t->ca_pem = db_text_dup(r, 2, s->arena);
		t->enabled = db_bool(r, 3);
	}
	return db_rows_err(r);
}

static enum err post(struct scope *s, const struct notice_carrier *c, const struct notice_head *h, const json_t *message, const struct target *t)
{
	size_t n;
	auto_buf body;
	buf_init(&body, NOTICE_MESSAGE_MAX);
	void *secret = keeper_unseal(s->keeper, s->arena, t->secret.p, t->secret.n, &n);
	if (secret == NULL)
		return scope_fail(s, ERR_CONFIG, "the webhook's secret was not sealed by this keeper; give it again");
	notice_event(h, message, &body);
	enum err e = body.failed ? scope_fail(s, ERR_LIMIT, "the notice is too long")
				 : c->post(c, s, &(struct notice_webhook){.url = t->url, .ca_pem = t->ca_pem, .secret = secret, .secret_n = n},
					   body.data, body.len);
	wipe(secret, n);
	wipe(body.data, body.len);
	return e;
}

static enum err mail(struct scope *s, const struct notice_carrier *c, const struct notice_head *h, const json_t *message, const char *to)
{
	auto_buf out;
	buf_init(&out, 4 * NOTICE_MESSAGE_MAX);
	if (c->from == NULL)
		return scope_fail(s, ERR_CONFIG, "there is no mail server (setting smtp_url)");
	notice_mail(h, message, c->from, to, &out);
	enum err e = out.failed ? scope_fail(s, ERR_LIMIT, "the notice is too long") : c->mail(c, s, to, out.data, out.len);
	wipe(out.data, out.len);
	return e;
}

static enum err send_sealed(struct scope *s, const struct notice_carrier *c, const struct notice_row *n, const struct target *t)
{
	size_t text_n;
	struct notice_head h = {.tenant = n->tenant, .notice = n->notice, .kind = n->kind, .source = c->source, .at = n->at};
	char *text = keeper_unseal(s->keeper, s->arena, n->sealed, n->sealed_n, &text_n);
	auto_json *message = text == NULL ? NULL : json_loadb(text, text_n, 0, NULL);
	if (text != NULL)
		wipe(text, text_n);
	if (message == NULL)
		return scope_fail(s, ERR_CONFIG, "the notice was not sealed by this keeper");
	if (t == NULL)
		return mail(s, c, &h, message, json_string_value(json_object_get(message, "to")));
	return strcmp(n->by, "mail") == 0 ? mail(s, c, &h, message, t->url) : post(s, c, &h, message, t);
}

static enum err to_recipient(struct scope *s, const struct notice_carrier *c, struct notice_row *n)
{
	struct target t = {.n = n};
	TRY(db_read(s, target_tx, &t));
	n->last = !t.found;
	if (!t.found)
		return scope_fail(s, ERR_NOT_FOUND, "the recipient was deleted before it was told");
	if (!t.enabled)
		return scope_fail(s, ERR_CONFIG, "the recipient is switched off");
	return send_sealed(s, c, n, &t);
}

/* ---- sinks ---- */

static enum err passed_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct notice_row *n = arg;
	auto_rows struct db_rows *sink = NULL, *place = NULL;
	TRY(db_query(tx, &notice_sink, DB_ARGS(db_v_id(&n->recipient)), &sink));
	n->last = !db_next(sink);
	TRY(db_rows_err(sink));
	if (n->last)
		return scope_fail(s, ERR_NOT_FOUND, "the sink was deleted before it was told");
	TRY(db_query(tx, &notice_place, DB_ARGS(db_v_id(&n->event)), &place));
	bool passed = db_next(place) && db_int(sink, 0) > db_int(place, 0);
	TRY(db_rows_err(place));
	return passed ? OK : scope_fail(s, ERR_NO_SERVER, "the sink has not confirmed the event yet");
}

/* ---- a turn ---- */

static enum err carry(struct scope *s, const struct notice_carrier *c, struct notice_row *n)
{
	if (by_log(n))
		return db_read(s, passed_tx, n);
	return id_is_nil(n->recipient) ? send_sealed(s, c, n, NULL) : to_recipient(s, c, n);
}

static enum err send_one(struct scope *s, const struct notice_carrier *c, struct notice_row *n)
{
	enum err e = carry(s, c, n);
	if (e == ERR_BUSY)
		return OK;
	n->attempts++;
	n->error = e == OK ? NULL : arena_strdup(s->arena, scope_detail(s, e));
	s->detail = NULL;
	bool ends = e == OK || n->last || notice_pause_us(n->attempts) < 0;
	return db_write(s, ends ? ended_tx : later_tx, n);
}

enum err notice_send_next(struct scope *s, const struct notice_carrier *c, bool *ret_more)
{
	struct notice_row n;
	struct scope t;
	TRY(db_read(s, due_tx, &n));
	*ret_more = n.found;
	if (!n.found)
		return OK;
	scope_tenant(&t, s->arena, s->db, s->keeper, n.tenant);
	t.now = s->now;
	enum err e = send_one(&t, c, &n);
	return e == OK ? OK : scope_fail(s, e, "%s", scope_detail(&t, e));
}

/* ---- counts ---- */

struct counts {
	uint64_t waiting, failed;
};

static enum err counts_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct counts *c = arg;
	auto_rows struct db_rows *w = NULL, *f = NULL;
	TRY(db_query_one(tx, &notices_tried, DB_NOARGS, &w));
	TRY(db_query_one(tx, &notices_lost, DB_ARGS(db_v_int(s->now - 30 * DAY_US)), &f));
	*c = (struct counts){(uint64_t)db_int(w, 0), (uint64_t)db_int(f, 0)};
	return OK;
}

enum err notice_counts(struct scope *s, uint64_t *ret_waiting, uint64_t *ret_failed)
{
	struct counts c;
	TRY(db_read(s, counts_tx, &c));
	*ret_waiting = c.waiting;
	*ret_failed = c.failed;
	return OK;
}
