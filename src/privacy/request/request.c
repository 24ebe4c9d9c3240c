/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests: the engine that moves them, and their way but for the decision (decide.c), the clock (clock.c) and what is shown
 * of them (view.c).
 */
#include "privacy/request/request.h"

#include <string.h>

#include "base/clock.h"
#include "codec/mail.h"
#include "keeper/keeper.h"
#include "privacy/export/export.h"
#include "privacy/request/regime.h"
#include "privacy/request/internal.h"

DB_TENANT(request_insert,
	  "INSERT INTO data_subject_requests (tenant_id, request_id, request_type, regime, state, channel, on_behalf, user_id, contact, statement, "
	  "received_at, acknowledge_by, due_at, first_due_at, alarm, alarm_at) "
	  "VALUES (?1, ?2, ?3, ?4, 'received', ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12, 0, ?13)");
DB_TENANT(request_row,
	  "SELECT user_id, operation_id, duty_id, request_type, regime, decision, state, received_at, due_at, first_due_at, extended_at, closed_at, "
	  "delivered_at, acknowledge_by, acknowledged_at, alarm FROM data_subject_requests WHERE tenant_id = ?1 AND request_id = ?2");
DB_TENANT(request_set_state,
	  "UPDATE data_subject_requests SET state = ?4, alarm_at = ?5 WHERE tenant_id = ?1 AND request_id = ?2 AND state = ?3");
DB_TENANT(request_set_closed,
	  "UPDATE data_subject_requests SET closed_at = ?3, expires_at = ?4, contact = NULL, statement = NULL WHERE tenant_id = ?1 AND request_id = ?2");
DB_TENANT(request_set_user,
	  "UPDATE data_subject_requests SET user_id = ?3, discovered_at = NULL, found = NULL WHERE tenant_id = ?1 AND request_id = ?2");
DB_TENANT(request_drop_identity,
	  "UPDATE data_subject_requests SET identity_method = NULL, identity_checked_by = NULL, identity_checked_at = NULL "
	  "WHERE tenant_id = ?1 AND request_id = ?2");
DB_TENANT(request_disclosures, "SELECT 1 FROM disclosure_decisions WHERE tenant_id = ?1 AND request_id = ?2 LIMIT 1");
DB_TENANT(request_set_identity,
	  "UPDATE data_subject_requests SET identity_method = ?3, identity_checked_by = ?4, identity_checked_at = ?5, "
	  "contact_verified_at = CASE WHEN ?3 = 'contactCode' THEN ?5 ELSE contact_verified_at END WHERE tenant_id = ?1 AND request_id = ?2");
DB_TENANT(request_set_extension,
	  "UPDATE data_subject_requests SET extended_at = ?3, extension_reason = ?4, due_at = ?5, alarm = 0, alarm_at = ?6 "
	  "WHERE tenant_id = ?1 AND request_id = ?2 AND extended_at IS NULL");
DB_TENANT(request_set_contact, "UPDATE data_subject_requests SET contact = ?3, contact_verified_at = NULL WHERE tenant_id = ?1 AND request_id = ?2");
DB_TENANT(request_answer_asked_by, "SELECT requested_by FROM data_policy_operations WHERE tenant_id = ?1 AND operation_id = ?2");
DB_TENANT(request_set_statement, "UPDATE data_subject_requests SET statement = ?3 WHERE tenant_id = ?1 AND request_id = ?2");
DB_TENANT(request_set_on_behalf, "UPDATE data_subject_requests SET on_behalf = ?3 WHERE tenant_id = ?1 AND request_id = ?2 AND on_behalf <> ?3");
DB_TENANT(request_set_acknowledged,
	  "UPDATE data_subject_requests SET acknowledged_at = ?3 WHERE tenant_id = ?1 AND request_id = ?2 AND acknowledged_at IS NULL");

/* ---- tables ---- */

static const struct {
	const char *name;
	bool runs;
} STATES[] = {
#define STATE(name, runs, meaning) {#name, runs},
#define MOVE(from, to)
#include "privacy/request/states.def"
#undef STATE
#undef MOVE
};

static const struct {
	enum request_state from, to;
} MOVES[] = {
#define STATE(name, runs, meaning)
#define MOVE(from, to) {REQUEST_##from, REQUEST_##to},
#include "privacy/request/states.def"
#undef STATE
#undef MOVE
};

static const struct request_type TYPES[] = {
#define EXPORT(variant_) .way = BY_EXPORT, .variant = variant_
#define ERASE .way = BY_ERASURE
#define RESTRICT .way = BY_RESTRICTION
#define HAND .way = BY_HAND
#define REQUEST_TYPE(name_, ...) {.name = #name_, __VA_ARGS__},
#include "privacy/request/types.def"
#undef REQUEST_TYPE
};

const char *request_state_name(enum request_state s)
{
	check((unsigned)s < REQUEST_STATE_COUNT);
	return STATES[s].name;
}

bool request_runs(enum request_state s)
{
	check((unsigned)s < REQUEST_STATE_COUNT);
	return STATES[s].runs;
}

bool request_may_move(enum request_state from, enum request_state to)
{
	for (size_t i = 0; i < sizeof MOVES / sizeof MOVES[0]; i++)
		if (MOVES[i].from == from && MOVES[i].to == to)
			return true;
	return false;
}

static enum request_state state_of(const char *name)
{
	for (int i = 0; i < REQUEST_STATE_COUNT; i++)
		if (strcmp(STATES[i].name, name) == 0)
			return (enum request_state)i;
	check(!"a state that the schema's CHECK does not allow");
	return REQUEST_closed;
}

const struct request_type *request_type_find(const char *name)
{
	for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++)
		if (strcmp(TYPES[i].name, name) == 0)
			return &TYPES[i];
	return NULL;
}

static bool one_of(const char *text, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(text, list[i]) == 0)
			return true;
	return false;
}

/* ---- loading ---- */

enum err request_load(struct db_tx *tx, struct id request, struct request *ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &request_row, DB_ARGS(db_v_id(&request)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "no data-subject request has this id");
	TRY(e);
	*ret = (struct request){
		.request = request, .user = db_id(r, 0), .operation = db_id(r, 1), .duty = db_id(r, 2), .type = request_type_find(db_text(r, 3)),
		.regime = db_text_dup(r, 4, s->arena), .decision = db_text_dup(r, 5, s->arena), .state = state_of(db_text(r, 6)),
		.received_at = db_int(r, 7), .due_at = db_int(r, 8), .first_due_at = db_int(r, 9), .extended_at = db_int(r, 10),
		.closed_at = db_int(r, 11), .delivered_at = db_int(r, 12), .acknowledge_by = db_int(r, 13), .acknowledged_at = db_int(r, 14),
		.alarm = (int)db_int(r, 15)};
	check(ret->type != NULL);
	return OK;
}

enum err request_wrong_state(struct scope *s, const struct request *r, const char *what)
{
	return scope_fail(s, ERR_CONFLICT, "the request is %s: it cannot be %s", request_state_name(r->state), what);
}

enum err request_text_check(struct scope *s, const char *name, const char *text, size_t most, bool required)
{
	if (text == NULL)
		return required ? scope_fail(s, ERR_BAD_REQUEST, "'%s' is required", name) : OK;
	if (*text == '\0' || strlen(text) > most)
		return scope_fail(s, ERR_BAD_REQUEST, "'%s' has 1 to %zu bytes", name, most);
	for (const char *p = text; *p != '\0'; p++)
		if (((unsigned char)*p < ' ' && strchr("\r\n\t", *p) == NULL) || *p == 0x7f)
			return scope_fail(s, ERR_BAD_REQUEST, "'%s' contains a control character", name);
	return OK;
}

const char *request_time_text(struct scope *s, int64_t us)
{
	char text[TIME_TEXT];
	return us == 0 ? NULL : arena_strdup(s->arena, time_format(us, text));
}

/* ---- the engine ---- */

enum err request_record(struct db_tx *tx, const struct request *r, enum activity activity, const struct audit_change *changes)
{
	return audit_record(tx, &(struct audit_event){.activity = activity, .resource_type = "DataSubjectRequest", .resource = r->request,
						      .resource_name = r->type->name, .subject = r->user, .changes = changes});
}

enum err request_move(struct db_tx *tx, const struct request *r, enum request_state to, enum activity activity, const struct audit_change *changes)
{
	struct scope *s = db_tx_scope(tx);
	const char *from = request_state_name(r->state);
	int64_t n, alarm_at = request_runs(to) ? request_alarm_at(r->received_at, r->due_at, r->alarm) : 0;
	if (!request_may_move(r->state, to))
		return request_wrong_state(s, r, request_state_name(to));
	TRY(db_exec(tx, &request_set_state,
		    DB_ARGS(db_v_id(&r->request), db_v_text(from), db_v_text(request_state_name(to)),
			    alarm_at == 0 ? db_v_null() : db_v_int(alarm_at)), &n));
	if (n != 1)
		return scope_fail(s, ERR_CONFLICT, "the request is not %s any more", from);
	if (to == REQUEST_closed) {
		int64_t expires = time_add_months(s->now, REQUEST_KEPT_MONTHS);
		TRY(db_exec(tx, &request_set_closed, DB_ARGS(db_v_id(&r->request), db_v_int(s->now), db_v_int(expires)), NULL));
	}
	struct audit_change *all = NULL, **tail = &all;
	if (r->state != to)
		tail = audit_change_add(s->arena, tail, "state", NULL, NULL, from, request_state_name(to));
	*tail = (struct audit_change *)changes;
	return request_record(tx, r, activity, all);
}

enum err request_tell(struct db_tx *tx, const struct request *r, enum letter letter, const char *extra)
{
	return letter_queue(tx, r->request, letter, extra, NULL);
}

/* ---- opening ---- */

/* NULL and "": none. */
static enum err check_sealed(struct scope *s, const char *contact, const char *statement)
{
	if (contact != NULL && *contact != '\0' && (strlen(contact) > REQUEST_CONTACT_MAX || !mail_address_ok(contact)))
		return scope_fail(s, ERR_BAD_REQUEST, "'contact' must be a mail address");
	if (statement != NULL && *statement != '\0')
		return request_text_check(s, "statement", statement, REQUEST_STATEMENT_MAX, true);
	return OK;
}

static enum err check_order(struct scope *s, const struct request_order *o)
{
	static const char *const channels[] = {"portal", "api", "email", "letter", "inPerson"};
	if (o->type == NULL || request_type_find(o->type) == NULL)
		return scope_fail(s, ERR_BAD_REQUEST, "'type' is access, portability, erasure, rectification, restriction or objection");
	if (!one_of(o->channel, channels, sizeof channels / sizeof channels[0]))
		return scope_fail(s, ERR_BAD_REQUEST, "'channel' is portal, api, email, letter or inPerson");
	if (o->received_at > s->now)
		return scope_fail(s, ERR_BAD_REQUEST, "'receivedDateTime' is in the future");
	if (o->received_at < s->now - REQUEST_AGE_DAYS_MAX * DAY_US)
		return scope_fail(s, ERR_BAD_REQUEST, "'receivedDateTime' is more than %d days ago", REQUEST_AGE_DAYS_MAX);
	return check_sealed(s, o->contact, o->statement);
}

static struct db_value sealed(struct scope *s, const char *text)
{
	size_t n;
	if (text == NULL || *text == '\0')
		return db_v_null();
	const void *p = keeper_seal(s->keeper, s->arena, text, strlen(text), &n);
	return db_v_blob(p, n);
}

struct opening {
	struct request_order o;
	struct request r;
};

static struct db_value id_or_null(const struct id *id) { return id_is_nil(*id) ? db_v_null() : db_v_id(id); }
static struct db_value time_or_null(int64_t us) { return us == 0 ? db_v_null() : db_v_int(us); }

static enum err record_opening(struct db_tx *tx, const struct opening *a)
{
	struct scope *s = db_tx_scope(tx);
	struct audit_change *changes = NULL, **tail = &changes;
	tail = audit_change_add(s->arena, tail, "type", NULL, NULL, NULL, a->r.type->name);
	tail = audit_change_add(s->arena, tail, "regime", NULL, NULL, NULL, a->r.regime);
	tail = audit_change_add(s->arena, tail, "channel", NULL, NULL, NULL, a->o.channel);
	tail = audit_change_add(s->arena, tail, "receivedDateTime", NULL, NULL, NULL, request_time_text(s, a->r.received_at));
	audit_change_add(s->arena, tail, "dueDateTime", NULL, NULL, NULL, request_time_text(s, a->r.due_at));
	return request_record(tx, &a->r, ACT_DSR_OPEN, changes);
}

static enum err open_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct opening *a = arg;
	struct request *r = &a->r;
	struct regime regime;
	TRY(regime_load(tx, a->o.regime, &regime));
	r->request = scope_id(s);
	r->regime = regime.name;
	r->received_at = a->o.received_at;
	r->due_at = r->first_due_at = regime_due(&regime, r->received_at);
	r->acknowledge_by = regime_acknowledge_by(&regime, r->received_at);
	TRY(db_exec(tx, &request_insert,
		    DB_ARGS(db_v_id(&r->request), db_v_text(r->type->name), db_v_text(r->regime), db_v_text(a->o.channel), db_v_int(a->o.on_behalf),
			    id_or_null(&r->user), sealed(s, a->o.contact), sealed(s, a->o.statement), db_v_int(r->received_at),
			    time_or_null(r->acknowledge_by), db_v_int(r->due_at), time_or_null(request_alarm_at(r->received_at, r->due_at, 0))),
		    NULL));
	TRY(record_opening(tx, a));
	return strcmp(a->o.channel, "portal") == 0 ? OK : request_tell(tx, r, LETTER_receipt, NULL);
}

enum err request_open(struct scope *s, const struct request_order *o, struct id *ret)
{
	struct opening a = {.o = *o};
	if (a.o.regime == NULL)
		a.o.regime = "gdpr";
	if (a.o.channel == NULL)
		a.o.channel = "api";
	if (a.o.received_at == 0)
		a.o.received_at = s->now;
	TRY(check_order(s, &a.o));
	if (o->user == NULL && s->actor.only != NULL)
		return scope_fail(s, ERR_FORBIDDEN, "a request that names nobody needs the permission DataSubjectRequest.ReadWrite.All for the whole tenant");
	a.r = (struct request){.type = request_type_find(a.o.type), .state = REQUEST_received};
	if (o->user != NULL)
		TRY(export_resolve(s, o->user, &a.r.user));
	s->subject = a.r.user;
	TRY(db_write(s, open_tx, &a));
	*ret = a.r.request;
	return OK;
}

/* ---- whom it is about ---- */

struct naming {
	struct id request, user;
};

static enum err no_disclosures(struct db_tx *tx, struct id request)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &request_disclosures, DB_ARGS(db_v_id(&request)), &r));
	if (db_next(r))
		return scope_fail(db_tx_scope(tx), ERR_CONFLICT, "decisions on what to disclose about somebody else stand: withdraw them first");
	return db_rows_err(r);
}

static enum err set_subject_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct naming *a = arg;
	struct request r;
	TRY(request_load(tx, a->request, &r));
	bool known = !id_is_nil(r.user);
	if (known && id_equal(r.user, a->user))
		return OK;
	if (r.state > REQUEST_discovered)
		return request_wrong_state(s, &r, "about somebody else");
	TRY(no_disclosures(tx, a->request));
	TRY(db_exec(tx, &request_set_user, DB_ARGS(db_v_id(&a->request), db_v_id(&a->user)), NULL));
	if (known)
		TRY(db_exec(tx, &request_drop_identity, DB_ARGS(db_v_id(&a->request)), NULL));
	char before[ID_TEXT], after[ID_TEXT];
	struct audit_change *changes = NULL;
	audit_change_add(s->arena, &changes, "userId", NULL, NULL, known ? id_format(r.user, before) : NULL, id_format(a->user, after));
	enum request_state to = known || r.state == REQUEST_received ? REQUEST_received : REQUEST_verified;
	r.user = a->user;
	return request_move(tx, &r, to, ACT_DSR_SUBJECT, changes);
}

enum err request_set_subject(struct scope *s, struct id request, const char *user)
{
	struct naming a = {.request = request};
	TRY(export_resolve(s, user, &a.user));
	return db_write(s, set_subject_tx, &a);
}

/* ---- who asks ---- */

struct checking {
	struct id request;
	const char *method;
};

static enum err verify_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct checking *a = arg;
	struct request r;
	struct audit_change *changes = NULL;
	TRY(request_load(tx, a->request, &r));
	TRY(db_exec(tx, &request_set_identity,
		    DB_ARGS(db_v_id(&a->request), db_v_text(a->method), id_or_null(&s->actor.id), db_v_int(s->now)), NULL));
	audit_change_add(s->arena, &changes, "identityMethod", NULL, NULL, NULL, a->method);
	if (r.state != REQUEST_received)
		return request_wrong_state(s, &r, "verified");
	return request_move(tx, &r, REQUEST_verified, ACT_DSR_VERIFY, changes);
}

enum err request_verify(struct scope *s, struct id request, const char *method)
{
	static const char *const methods[] = {"signIn", "contactCode", "document", "knownInPerson", "callBack", "other"};
	if (method == NULL || !one_of(method, methods, sizeof methods / sizeof methods[0]))
		return scope_fail(s, ERR_BAD_REQUEST, "'method' is signIn, contactCode, document, knownInPerson, callBack or other");
	return db_write(s, verify_tx, &(struct checking){.request = request, .method = method});
}

/* ---- more time ---- */

static enum err extend_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct checking *a = arg;
	struct request r;
	struct regime regime;
	int64_t n;
	TRY(request_load(tx, a->request, &r));
	TRY(regime_load(tx, r.regime, &regime));
	int64_t due = regime_extended(&regime, r.received_at, r.first_due_at);
	if (!request_runs(r.state))
		return request_wrong_state(s, &r, "extended");
	if (r.extended_at != 0)
		return scope_fail(s, ERR_CONFLICT, "the request was extended already");
	if (due == 0)
		return scope_fail(s, ERR_CONFLICT, "the regime %s knows no extension", r.regime);
	if (s->now > r.first_due_at)
		return scope_fail(s, ERR_CONFLICT, "the due date is over: an extension has to be told before it");
	TRY(db_exec(tx, &request_set_extension,
		    DB_ARGS(db_v_id(&a->request), db_v_int(s->now), db_v_text(a->method), db_v_int(due),
			    db_v_int(request_alarm_at(r.received_at, due, 0))), &n));
	if (n != 1)
		return scope_fail(s, ERR_CONFLICT, "the request was extended already");
	struct audit_change *changes = NULL;
	audit_change_add(s->arena, &changes, "dueDateTime", NULL, NULL, request_time_text(s, r.due_at), request_time_text(s, due));
	TRY(request_record(tx, &r, ACT_DSR_EXTEND, changes));
	return request_tell(tx, &r, LETTER_extension, a->method);
}

enum err request_extend(struct scope *s, struct id request, const char *reason)
{
	TRY(request_text_check(s, "reason", reason, REQUEST_TEXT_MAX, true));
	return db_write(s, extend_tx, &(struct checking){.request = request, .method = reason});
}

/* ---- corrections ---- */

struct correction {
	struct id request;
	const struct request_patch *p;
};

static enum err correct(struct db_tx *tx, const struct correction *a, struct audit_change **changes)
{
	struct scope *s = db_tx_scope(tx);
	const struct request_patch *p = a->p;
	struct audit_change **tail = changes;
	int64_t n = 0;
	if (p->contact != NULL) {
		TRY(db_exec(tx, &request_set_contact, DB_ARGS(db_v_id(&a->request), sealed(s, p->contact)), NULL));
		tail = audit_change_add(s->arena, tail, "contact", NULL, NULL, "[changed]", "[changed]");
	}
	if (p->statement != NULL) {
		TRY(db_exec(tx, &request_set_statement, DB_ARGS(db_v_id(&a->request), sealed(s, p->statement)), NULL));
		tail = audit_change_add(s->arena, tail, "statement", NULL, NULL, "[changed]", "[changed]");
	}
	if (p->on_behalf != NULL)
		TRY(db_exec(tx, &request_set_on_behalf, DB_ARGS(db_v_id(&a->request), db_v_int(*p->on_behalf)), &n));
	if (n > 0)
		tail = audit_change_add(s->arena, tail, "onBehalf", NULL, NULL, *p->on_behalf ? "false" : "true", *p->on_behalf ? "true" : "false");
	if (p->acknowledged_at != 0) {
		TRY(db_exec(tx, &request_set_acknowledged, DB_ARGS(db_v_id(&a->request), db_v_int(p->acknowledged_at)), &n));
		if (n == 0)
			return scope_fail(s, ERR_CONFLICT, "a receipt was given already");
		audit_change_add(s->arena, tail, "acknowledgedDateTime", NULL, NULL, NULL, request_time_text(s, p->acknowledged_at));
	}
	return OK;
}

/* Whoever can read what goes to the address reads the answer: who says where that is may read it themselves. */
static enum err may_readdress(struct db_tx *tx, const struct request *r)
{
	auto_rows struct db_rows *rows = NULL;
	if (id_is_nil(r->operation))
		return OK;
	enum err e = db_query_one(tx, &request_answer_asked_by, DB_ARGS(db_v_id(&r->operation)), &rows);
	if (e == ERR_NOT_FOUND)
		db_tx_scope(tx)->detail = NULL;
	return e != OK ? (e == ERR_NOT_FOUND ? OK : e) : export_readable(tx, r->user, db_id(rows, 0));
}

static enum err patch_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct correction *a = arg;
	struct request r;
	struct audit_change *changes = NULL;
	TRY(request_load(tx, a->request, &r));
	if (r.state == REQUEST_closed)
		return request_wrong_state(s, &r, "changed");
	if (a->p->acknowledged_at != 0 && (a->p->acknowledged_at > s->now || a->p->acknowledged_at < r.received_at))
		return scope_fail(s, ERR_BAD_REQUEST, "'acknowledgedDateTime' lies between the receipt and now");
	if (a->p->contact != NULL)
		TRY(may_readdress(tx, &r));
	TRY(correct(tx, a, &changes));
	return changes == NULL ? OK : request_record(tx, &r, ACT_DSR_UPDATE, changes);
}

enum err request_patch(struct scope *s, struct id request, const struct request_patch *p)
{
	TRY(check_sealed(s, p->contact, p->statement));
	return db_write(s, patch_tx, &(struct correction){.request = request, .p = p});
}
