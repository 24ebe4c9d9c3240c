/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes of ownership: who asks, who agrees, and what goes.
 */
#include "devices/ownership.h"

#include <string.h>

#include "devices/action.h"
#include "devices/certificate.h"
#include "directory/restriction.h"
#include "duty/kept.h"
#include "notice/notice.h"
#include "resource/tables.h"

DB_TENANT(ownership_insert,
	  "INSERT INTO ownership_changes (tenant_id, change_id, device_id, from_owner, to_owner, state, requested_by, requested_at, expires_at) "
	  "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
DB_TENANT(ownership_pending,
	  "SELECT change_id, expires_at FROM ownership_changes WHERE tenant_id = ?1 AND device_id = ?2 AND state = 'pending'");
DB_TENANT(ownership_by_id,
	  "SELECT device_id, from_owner, to_owner, state, requested_by, expires_at FROM ownership_changes WHERE tenant_id = ?1 AND change_id = ?2");
DB_TENANT(ownership_decide,
	  "UPDATE ownership_changes SET state = ?3, ground = ?4, evidence = ?5, decided_by = ?6, decided_at = ?7 "
	  "WHERE tenant_id = ?1 AND change_id = ?2 AND state = 'pending'");
DB_TENANT(ownership_finish, "UPDATE ownership_changes SET state = 'done' WHERE tenant_id = ?1 AND change_id = ?2 AND state = 'approved'");
DB_TENANT(device_set_owner, "UPDATE managed_devices SET owner_type = ?3 WHERE tenant_id = ?1 AND device_id = ?2");
DB_GLOBAL(ownership_due,
	  "SELECT tenant_id, change_id, state FROM ownership_changes WHERE state = 'pending' AND expires_at <= ?1 "
	  "UNION ALL SELECT tenant_id, change_id, state FROM ownership_changes WHERE state = 'approved' LIMIT ?2");

/* A step of the low queue: a company device may have 20,000 packages. */
#define COMPANY_ROWS(table, key) \
	DB_TENANT(forget_##table, "DELETE FROM " #table " WHERE tenant_id = ?1 AND device_id = ?2 AND (" key ") IN " \
				  "(SELECT " key " FROM " #table " WHERE tenant_id = ?1 AND device_id = ?2 LIMIT 2000)");
#define COMPANY_PROPERTY(name)
#include "devices/company_only.def"
#undef COMPANY_ROWS
#undef COMPANY_PROPERTY

static struct db_stmt *const FORGET[] = {
#define COMPANY_ROWS(table, key) &forget_##table,
#define COMPANY_PROPERTY(name)
#include "devices/company_only.def"
#undef COMPANY_ROWS
#undef COMPANY_PROPERTY
};
static const char *const PROPERTIES[] = {
#define COMPANY_ROWS(table, key)
#define COMPANY_PROPERTY(name) name,
#include "devices/company_only.def"
#undef COMPANY_ROWS
#undef COMPANY_PROPERTY
};
enum { FORGET_COUNT = sizeof FORGET / sizeof FORGET[0], PROPERTY_COUNT = sizeof PROPERTIES / sizeof PROPERTIES[0], DUE_AT_ONCE = 64 };

struct change {
	struct id change, device, requested_by;
	const char *from, *to, *state;
	int64_t expires_at;
};

/* ---- events and mails ---- */

static enum err record_event(struct db_tx *tx, const struct device *d, enum activity activity, const struct change *c, const char *state,
			     const char *ground)
{
	struct scope *s = db_tx_scope(tx);
	struct audit_change *changes = NULL, **tail = &changes;
	char id[ID_TEXT];
	tail = audit_change_add(s->arena, tail, "ownershipChangeId", "ownership_changes", "change_id", NULL, id_format(c->change, id));
	tail = audit_change_add(s->arena, tail, "fromOwnerType", "ownership_changes", "from_owner", NULL, c->from);
	tail = audit_change_add(s->arena, tail, "toOwnerType", "ownership_changes", "to_owner", NULL, c->to);
	tail = audit_change_add(s->arena, tail, "state", "ownership_changes", "state", c->state, state);
	if (ground != NULL)
		audit_change_add(s->arena, tail, "ground", "ownership_changes", "ground", NULL, ground);
	return device_record(tx, d, activity, changes, NULL);
}

/* The mail to the user, and what the device shows. */
static const char *question(struct arena *a, const struct device *d, int64_t until)
{
	char when[TIME_TEXT];
	return arena_printf(a,
			    "Your organisation asks to record your device \"%s\" as its own. As a company device it may also report the list of its "
			    "installed packages, it can be wiped, and you can no longer take it out of management yourself.\n\n"
			    "Nothing changes unless you agree (on the device: reeve-agent consent), or a second person in your organisation approves "
			    "it. The request lapses at %s.\n",
			    d->name, time_format(until, when));
}

static enum err tell_done(struct db_tx *tx, const struct device *d, const char *ground)
{
	bool consent = strcmp(ground, OWNERSHIP_CONSENT) == 0;
	return notice_person(tx, d->user, "Your device: its ownership was changed",
			     arena_printf(db_tx_scope(tx)->arena,
					  "Your device \"%s\" is now recorded as a company device: %s. If that is wrong, tell your organisation: it can be "
					  "changed back at once.\n",
					  d->name, consent ? "your consent is on record" : "a second person in your organisation approved it"));
}

/* ---- asking ---- */

static enum err no_removal(struct db_tx *tx, const struct device *d)
{
	struct device_action *open;
	size_t n;
	TRY(action_open_of(tx, d->id, &open, &n));
	for (size_t i = 0; i < n; i++)
		if (action_removes(&open[i]))
			return scope_fail(db_tx_scope(tx), ERR_CONFLICT, "a %s of the device is under way: its ownership stays as it is", open[i].name);
	return OK;
}

static enum err insert(struct db_tx *tx, const struct device *d, const char *to, const char *state, struct change *ret)
{
	struct scope *s = db_tx_scope(tx);
	const struct id *by = id_is_nil(s->actor.id) ? NULL : &s->actor.id;
	*ret = (struct change){.change = scope_id(s), .device = d->id, .from = d->owner, .to = to, .expires_at = s->now + OWNERSHIP_EXPIRY_US};
	return db_exec(tx, &ownership_insert,
		       DB_ARGS(db_v_id(&ret->change), db_v_id(&d->id), db_v_text(d->owner), db_v_text(to), db_v_text(state), db_v_id(by),
			       db_v_int(s->now), db_v_int(ret->expires_at)),
		       NULL);
}

/* Also one whose time is over, until the job has seen it. */
static enum err find_pending(struct db_tx *tx, struct id device, struct id *ret, int64_t *ret_until)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &ownership_pending, DB_ARGS(db_v_id(&device)), &r));
	*ret = db_id(r, 0);
	*ret_until = db_int(r, 1);
	return OK;
}

static enum err expire(struct db_tx *tx, struct id change);

static enum err ask(struct db_tx *tx, const struct device *d)
{
	struct scope *s = db_tx_scope(tx);
	struct change c;
	struct id open;
	int64_t until = 0;
	enum err e = find_pending(tx, d->id, &open, &until);
	if (e == OK && until > s->now)
		return OK;
	if (e == OK)
		TRY(expire(tx, open));
	else if (e != ERR_NOT_FOUND)
		return e;
	TRY(insert(tx, d, OWNER_COMPANY, "pending", &c));
	TRY(record_event(tx, d, ACT_OWNERSHIP_REQUEST, &c, "pending", NULL));
	return notice_person(tx, d->user, "Your device: a change of ownership was requested", question(s->arena, d, c.expires_at));
}

/* What only the organisation's devices have would go at once. */
static enum err no_hold(struct db_tx *tx, const struct device *d)
{
	bool kept;
	TRY(kept_device(tx, d->id, &kept));
	return kept ? scope_fail(db_tx_scope(tx), ERR_CONFLICT, "what is held of this device must stay for now: it is under a legal hold") : OK;
}

enum err ownership_order(struct db_tx *tx, const struct device *d, bool company, struct record *change, struct id *ret)
{
	struct change c;
	*ret = (struct id){0};
	TRY(no_removal(tx, d));
	if (company)
		return ask(tx, d);
	TRY(no_hold(tx, d));
	for (size_t i = 0; i < PROPERTY_COUNT; i++)
		record_set_null(change, PROPERTIES[i]);
	TRY(insert(tx, d, OWNER_PERSONAL, "approved", &c));
	*ret = c.change; /* the event is the device's own */
	return OK;
}

/* ---- what only company devices have ---- */

static enum err load(struct db_tx *tx, struct id change, struct change *ret)
{
	struct scope *s = db_tx_scope(tx);
	char text[ID_TEXT];
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &ownership_by_id, DB_ARGS(db_v_id(&change)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "no change of ownership with id %s", id_format(change, text));
	TRY(e);
	*ret = (struct change){.change = change, .device = db_id(r, 0), .from = db_text_dup(r, 1, s->arena), .to = db_text_dup(r, 2, s->arena),
			       .state = db_text_dup(r, 3, s->arena), .requested_by = db_id(r, 4), .expires_at = db_int(r, 5)};
	return OK;
}

struct forgetting {
	struct id change;
	int64_t gone;
};

static enum err forget_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct forgetting *q = arg;
	struct change c;
	q->gone = 0;
	TRY(load(tx, q->change, &c));
	for (size_t i = 0; i < FORGET_COUNT && q->gone == 0; i++)
		TRY(db_exec(tx, FORGET[i], DB_ARGS(db_v_id(&c.device)), &q->gone));
	return q->gone > 0 ? OK : db_exec(tx, &ownership_finish, DB_ARGS(db_v_id(&c.change)), NULL);
}

enum err ownership_forget(struct scope *s, struct id change)
{
	struct forgetting q = {change, 1};
	while (q.gone > 0)
		TRY(db_write_low(s, forget_tx, &q));
	return OK;
}

/* ---- deciding ---- */

struct decision {
	struct id change;
	const char *state, *ground, *evidence; /* state: done, refused */
	bool by_user;
};

/* A change that may still be decided, and its device. */
static enum err load_pending(struct db_tx *tx, struct id change, struct change *c, struct device *d)
{
	struct scope *s = db_tx_scope(tx);
	TRY(load(tx, change, c));
	TRY(device_load(tx, c->device, true, d));
	s->subject = change;
	if (strcmp(c->state, "pending") != 0 || c->expires_at <= s->now)
		return scope_fail(s, ERR_CONFLICT, "this change of ownership is %s",
				  strcmp(c->state, "pending") == 0 ? "expired" : c->state);
	return OK;
}

static enum err may_approve(struct db_tx *tx, const struct decision *q, const struct change *c, const struct device *d)
{
	struct scope *s = db_tx_scope(tx);
	if (!q->by_user && id_equal(c->requested_by, s->actor.id))
		return scope_fail(s, ERR_FORBIDDEN, "whoever asked for a change of ownership does not approve it: a second person does, or the user "
						    "on the device");
	if (d->deleted)
		return scope_fail(s, ERR_CONFLICT, "the device has been deleted");
	TRY(restriction_refuses(tx, d->user));
	return no_removal(tx, d);
}

static enum err apply(struct db_tx *tx, const struct device *d, const struct change *c)
{
	struct audit_change *changes = NULL;
	TRY(db_exec(tx, &device_set_owner, DB_ARGS(db_v_id(&d->id), db_v_text(c->to)), NULL));
	audit_change_add(db_tx_scope(tx)->arena, &changes, "managedDeviceOwnerType", "managed_devices", "owner_type", c->from, c->to);
	return device_record(tx, d, ACT_DEVICE_UPDATE, changes, NULL);
}

static enum err decide(struct db_tx *tx, const struct decision *q)
{
	struct scope *s = db_tx_scope(tx);
	struct change c;
	struct device d;
	const struct id *by = id_is_nil(s->actor.id) ? NULL : &s->actor.id;
	bool approves = strcmp(q->state, "done") == 0;
	TRY(load_pending(tx, q->change, &c, &d));
	if (approves)
		TRY(may_approve(tx, q, &c, &d));
	TRY(db_exec(tx, &ownership_decide,
		    DB_ARGS(db_v_id(&c.change), db_v_text(q->state), db_v_text(q->ground), db_v_text(q->evidence), db_v_id(by), db_v_int(s->now)),
		    NULL));
	TRY(record_event(tx, &d, approves ? ACT_OWNERSHIP_APPROVE : ACT_OWNERSHIP_REFUSE, &c, q->state, q->ground));
	if (!approves)
		return OK;
	TRY(apply(tx, &d, &c));
	return tell_done(tx, &d, q->ground);
}

static enum err decide_tx(struct scope *s, struct db_tx *tx, void *arg) { return decide(tx, arg); }

enum err ownership_approve(struct scope *s, struct id change, const char *ground, const char *evidence)
{
	bool consent = strcmp(ground, OWNERSHIP_CONSENT) == 0;
	if (consent != (evidence != NULL))
		return scope_fail(s, ERR_BAD_REQUEST, consent ? "a consent that was not given on the device needs its 'evidence': how and when the user agreed"
							      : "'evidence' is for a consent");
	s->subject = change;
	return db_write(s, decide_tx, &(struct decision){.change = change, .state = "done", .ground = ground, .evidence = evidence});
}

enum err ownership_refuse(struct scope *s, struct id change)
{
	s->subject = change;
	return db_write(s, decide_tx, &(struct decision){.change = change, .state = "refused"});
}

/* ---- on the device ---- */

struct answering {
	struct id device;
	const uint8_t *fingerprint;
	bool consents;
	const char *text;
};

static enum err asked_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct answering *q = arg;
	struct id change;
	struct device d;
	int64_t until;
	q->text = NULL;
	enum err e = find_pending(tx, q->device, &change, &until);
	if (e == ERR_NOT_FOUND || (e == OK && until <= s->now))
		return OK;
	TRY(e);
	TRY(device_load(tx, q->device, true, &d));
	q->text = question(s->arena, &d, until);
	return OK;
}

enum err ownership_asked(struct scope *s, struct id device, const char **ret_text)
{
	struct answering q = {.device = device};
	TRY(db_read(s, asked_tx, &q));
	*ret_text = q.text;
	return OK;
}

static enum err answer_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct answering *q = arg;
	struct device_identity who;
	struct device d;
	int64_t until;
	struct decision decision = {.by_user = true, .state = q->consents ? "done" : "refused", .ground = q->consents ? OWNERSHIP_CONSENT : NULL};
	TRY(certificate_load(tx, q->fingerprint, &who));
	if (who.owed_only)
		return scope_fail(s, ERR_FORBIDDEN, "this device is no longer on record; it owes a %s and nothing else", who.owed_name);
	TRY(device_load(tx, q->device, true, &d));
	enum err e = find_pending(tx, d.id, &decision.change, &until);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, ERR_CONFLICT, "nobody asks for this device's ownership to change");
	TRY(e);
	struct actor device = s->actor;
	e = device_act_as_user(tx, d.user);
	if (e == OK)
		e = decide(tx, &decision);
	s->actor = device;
	return e;
}

enum err ownership_answer(struct scope *s, struct id device, const uint8_t fingerprint[SHA256_BYTES], bool consents)
{
	return db_write(s, answer_tx, &(struct answering){.device = device, .fingerprint = fingerprint, .consents = consents});
}

/* ---- what is due ---- */

struct due {
	struct {
		struct id tenant, change;
		bool approved;
	} v[DUE_AT_ONCE];
	size_t n;
};

static enum err due_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct due *q = arg;
	auto_rows struct db_rows *r = NULL;
	q->n = 0;
	TRY(db_query(tx, &ownership_due, DB_ARGS(db_v_int(s->now), db_v_int(DUE_AT_ONCE)), &r));
	while (q->n < DUE_AT_ONCE && db_next(r)) {
		q->v[q->n].tenant = db_id(r, 0);
		q->v[q->n].change = db_id(r, 1);
		q->v[q->n++].approved = strcmp(db_text(r, 2), "approved") == 0;
	}
	return db_rows_err(r);
}

static enum err expire(struct db_tx *tx, struct id change)
{
	struct scope *s = db_tx_scope(tx);
	struct change c;
	struct device d;
	int64_t n;
	TRY(load(tx, change, &c));
	TRY(db_exec(tx, &ownership_decide,
		    DB_ARGS(db_v_id(&change), db_v_text("expired"), db_v_null(), db_v_null(), db_v_null(), db_v_int(s->now)), &n));
	if (n == 0)
		return OK;
	enum err e = device_load(tx, c.device, true, &d);
	if (e == ERR_NOT_FOUND) /* its record went first */
		d = (struct device){.id = c.device};
	else
		TRY(e);
	s->detail = NULL;
	return record_event(tx, &d, ACT_OWNERSHIP_EXPIRE, &c, "expired", NULL);
}

static enum err expire_tx(struct scope *s, struct db_tx *tx, void *arg) { return expire(tx, *(struct id *)arg); }

enum err ownership_run_due(struct scope *s, bool *ret_more)
{
	struct due q;
	TRY(db_read(s, due_tx, &q));
	for (size_t i = 0; i < q.n; i++) {
		struct scope t;
		scope_tenant(&t, s->arena, s->db, s->keeper, q.v[i].tenant);
		t.now = s->now;
		enum err e = q.v[i].approved ? ownership_forget(&t, q.v[i].change) : db_write_low(&t, expire_tx, &q.v[i].change);
		if (e == ERR_NOT_FOUND) /* erased meanwhile */
			continue;
		s->detail = t.detail;
		TRY(e);
	}
	*ret_more = q.n == DUE_AT_ONCE;
	return OK;
}
