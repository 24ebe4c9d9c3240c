/* SPDX-License-Identifier: Apache-2.0
 *
 * The decision on a request and what it sets going: each type of request is carried out in one of four ways (types.def).  And its two ends,
 * the handing over and the closing.
 */
#include <string.h>

#include "codec/mail.h"
#include "crypto/digest.h"
#include "directory/restriction.h"
#include "directory/user.h"
#include "duty/duty.h"
#include "keeper/keeper.h"
#include "privacy/export/export.h"
#include "privacy/disclosure/reason.h"
#include "privacy/request/internal.h"

DB_TENANT(request_set_decision,
	  "UPDATE data_subject_requests SET decision = ?3, reason_code = ?4, legal_ground = ?5, outcome = ?6, decided_by = ?7, decided_at = ?8 "
	  "WHERE tenant_id = ?1 AND request_id = ?2");
DB_TENANT(request_set_operation, "UPDATE data_subject_requests SET operation_id = ?3 WHERE tenant_id = ?1 AND request_id = ?2");
DB_TENANT(request_set_duty, "UPDATE data_subject_requests SET duty_id = ?3 WHERE tenant_id = ?1 AND request_id = ?2");
DB_TENANT(request_own_address, "SELECT u.mail FROM data_subject_requests q JOIN users u ON u.tenant_id = q.tenant_id AND u.user_id = q.user_id "
			       "WHERE q.tenant_id = ?1 AND q.request_id = ?2 AND q.contact IS NULL");
DB_TENANT(request_keep_address, "UPDATE data_subject_requests SET contact = ?3 WHERE tenant_id = ?1 AND request_id = ?2");
DB_TENANT(request_set_outcome, "UPDATE data_subject_requests SET outcome = ?3 WHERE tenant_id = ?1 AND request_id = ?2");
DB_TENANT(request_set_delivery,
	  "UPDATE data_subject_requests SET delivered_at = ?3, delivered_sha256 = ?4 WHERE tenant_id = ?1 AND request_id = ?2");
DB_TENANT(request_operation, "SELECT status, sha256, expires_at FROM data_policy_operations WHERE tenant_id = ?1 AND operation_id = ?2");
DB_TENANT(request_whole_answer,
	  "SELECT 1 FROM data_policy_operations WHERE tenant_id = ?1 AND operation_id = ?2 AND variant = ?3 AND sections IS NULL");

struct deciding {
	struct id request;
	const struct request_decision *d;
	bool refused;
};

/* ---- rules ---- */

static bool is(const char *text, const char *word) { return strcmp(text, word) == 0; }

static enum err check_decision(struct scope *s, const struct request_decision *d)
{
	bool known = d->decision != NULL && (is(d->decision, "grant") || is(d->decision, "redacted") || is(d->decision, "withheld") ||
					     is(d->decision, "refused"));
	if (!known)
		return scope_fail(s, ERR_BAD_REQUEST, "'decision' is grant, redacted, withheld or refused");
	TRY(request_text_check(s, "outcome", d->outcome, REQUEST_TEXT_MAX, false));
	if (is(d->decision, "grant"))
		return d->reason == NULL && d->ground == NULL ? OK : scope_fail(s, ERR_BAD_REQUEST, "what is granted needs no reason and no ground");
	if (d->reason == NULL || !reason_may(d->reason, REASON_ANSWER))
		return scope_fail(s, ERR_BAD_REQUEST, "'reasonCode' is required: %s", reason_codes(s->arena, REASON_ANSWER));
	return request_text_check(s, "legalGround", d->ground, REQUEST_TEXT_MAX, true);
}

/* What answers a case already: ERR_CONFLICT unless it came to nothing. */
static enum err came_to_nothing(struct db_tx *tx, const struct request *r)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *rows = NULL;
	if (id_is_nil(r->operation))
		return request_wrong_state(s, r, "decided");
	enum err e = db_query_one(tx, &request_operation, DB_ARGS(db_v_id(&r->operation)), &rows);
	if (e == ERR_NOT_FOUND)
		return OK;
	TRY(e);
	bool gone = is(db_text(rows, 0), "failed") || db_int(rows, 2) <= s->now;
	return gone ? OK : scope_fail(s, ERR_CONFLICT, "the request is decided, and its export is %s", db_text(rows, 0));
}

/* A case about nobody whom the directory knows is for people. */
static enum request_way way_of(const struct request *r) { return id_is_nil(r->user) ? BY_HAND : r->type->way; }

static enum err check_state(struct db_tx *tx, const struct request *r, const struct deciding *a)
{
	struct scope *s = db_tx_scope(tx);
	if (a->refused)
		return r->state <= REQUEST_discovered ? OK : request_wrong_state(s, r, "refused");
	if (r->state == REQUEST_decided)
		return came_to_nothing(tx, r);
	if (r->state != REQUEST_discovered)
		return request_wrong_state(s, r, "decided");
	if ((way_of(r) == BY_ERASURE || way_of(r) == BY_RESTRICTION) && !is(a->d->decision, "grant"))
		return scope_fail(s, ERR_BAD_REQUEST, "'decision' of %s is grant or refused: nothing of it can be done in part", r->type->name);
	if (way_of(r) == BY_HAND && a->d->outcome == NULL)
		return scope_fail(s, ERR_BAD_REQUEST, "'outcome' is required: what was or will be done, and where (what a device reports is corrected "
						      "on the device, directory data in the directory)");
	return OK;
}

/* ---- carrying out ---- */

static enum err set_outcome(struct db_tx *tx, const struct request *r, const char *outcome)
{
	return db_exec(tx, &request_set_outcome, DB_ARGS(db_v_id(&r->request), db_v_text(outcome)), NULL);
}

/* Where the answer goes is settled with it: who writes the directory afterwards does not say so. */
static enum err keep_address(struct db_tx *tx, const struct request *r)
{
	struct scope *s = db_tx_scope(tx);
	struct audit_change *change = NULL;
	size_t n;
	auto_rows struct db_rows *rows = NULL;
	TRY(db_query(tx, &request_own_address, DB_ARGS(db_v_id(&r->request)), &rows));
	const char *mail = db_next(rows) ? db_text_dup(rows, 0, s->arena) : NULL;
	TRY(db_rows_err(rows));
	if (mail == NULL || !mail_address_ok(mail))
		return OK;
	const void *sealed = keeper_seal(s->keeper, s->arena, mail, strlen(mail), &n);
	TRY(db_exec(tx, &request_keep_address, DB_ARGS(db_v_id(&r->request), db_v_blob(sealed, n)), NULL));
	audit_change_add(s->arena, &change, "contact", NULL, NULL, NULL, "[the person's address]");
	return request_record(tx, r, ACT_DSR_UPDATE, change);
}

static enum err by_export(struct db_tx *tx, const struct request *r, const char *outcome)
{
	struct id operation;
	struct export_order o = {.user = r->user, .request = r->request, .variant = r->type->variant};
	TRY(keep_address(tx, r));
	TRY(export_request_tx(tx, &o, &operation));
	return db_exec(tx, &request_set_operation, DB_ARGS(db_v_id(&r->request), db_v_id(&operation)), NULL);
}

/* The letter goes before the address does. */
static enum err by_erasure(struct db_tx *tx, const struct request *r, const char *outcome)
{
	struct scope *s = db_tx_scope(tx);
	struct id id;
	struct duty duty;
	TRY(user_erase(tx, r->user, &id));
	TRY(duty_load(tx, id, &duty));
	TRY(db_exec(tx, &request_set_duty, DB_ARGS(db_v_id(&r->request), db_v_id(&id)), NULL));
	if (outcome == NULL) {
		outcome = arena_printf(s->arena, "The account is out of use. What is held is deleted by %.10s at the latest, and a signed certificate of "
						 "the deletion is kept.", request_time_text(s, duty.deadline_at));
		TRY(set_outcome(tx, r, outcome));
	}
	return request_tell(tx, r, LETTER_done, outcome);
}

enum err request_hand_over(struct db_tx *tx, const struct request *r, const void *sha256, size_t n)
{
	struct scope *s = db_tx_scope(tx);
	struct audit_change *changes = NULL;
	char *hex = arena_alloc(s->arena, 2 * SHA256_BYTES + 1);
	if (n == SHA256_BYTES) {
		hex_encode(sha256, n, hex);
		audit_change_add(s->arena, &changes, "sha256", NULL, NULL, NULL, hex);
	}
	TRY(db_exec(tx, &request_set_delivery,
		    DB_ARGS(db_v_id(&r->request), db_v_int(s->now), n == 0 ? db_v_null() : db_v_blob(sha256, n)), NULL));
	return request_move(tx, r, REQUEST_delivered, ACT_DSR_DELIVER, changes);
}

static enum err by_restriction(struct db_tx *tx, const struct request *r, const char *outcome)
{
	bool holds;
	struct request decided = *r;
	TRY(restriction_holds(tx, r->user, &holds));
	if (!holds)
		TRY(restriction_set(tx, r->user));
	if (outcome == NULL) {
		outcome = "The data is kept, and nothing else is done with it until the restriction is lifted.";
		TRY(set_outcome(tx, r, outcome));
	}
	TRY(request_tell(tx, r, LETTER_done, outcome));
	decided.state = REQUEST_decided;
	return request_hand_over(tx, &decided, NULL, 0);
}

/* The letter goes when it is done, with the closing. */
static enum err by_hand(struct db_tx *tx, const struct request *r, const char *outcome) { return OK; }

static enum err (*const CARRY_OUT[])(struct db_tx *tx, const struct request *r, const char *outcome) = {
	[BY_EXPORT] = by_export, [BY_ERASURE] = by_erasure, [BY_RESTRICTION] = by_restriction, [BY_HAND] = by_hand};

/* ---- deciding ---- */

static struct audit_change *decision_changes(struct scope *s, const struct request_decision *d)
{
	struct audit_change *changes = NULL, **tail = &changes;
	tail = audit_change_add(s->arena, tail, "decision", "data_subject_requests", "decision", NULL, d->decision);
	if (d->reason != NULL)
		tail = audit_change_add(s->arena, tail, "reasonCode", "data_subject_requests", "reason_code", NULL, d->reason);
	if (d->ground != NULL)
		audit_change_add(s->arena, tail, "legalGround", "data_subject_requests", "legal_ground", NULL, d->ground);
	return changes;
}

static enum err refuse(struct db_tx *tx, const struct request *r, const struct request_decision *d)
{
	TRY(request_record(tx, r, ACT_DSR_DECIDE, decision_changes(db_tx_scope(tx), d)));
	TRY(request_tell(tx, r, LETTER_refusal, NULL));
	return request_move(tx, r, REQUEST_closed, ACT_DSR_CLOSE, NULL);
}

static enum err decide_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct deciding *a = arg;
	const struct request_decision *d = a->d;
	struct request r;
	TRY(request_load(tx, a->request, &r));
	TRY(check_state(tx, &r, a));
	TRY(db_exec(tx, &request_set_decision,
		    DB_ARGS(db_v_id(&r.request), db_v_text(d->decision), db_v_text(d->reason), db_v_text(d->ground), db_v_text(d->outcome),
			    id_is_nil(s->actor.id) ? db_v_null() : db_v_id(&s->actor.id), db_v_int(s->now)),
		    NULL));
	if (a->refused)
		return refuse(tx, &r, d);
	TRY(request_move(tx, &r, REQUEST_decided, ACT_DSR_DECIDE, decision_changes(s, d)));
	return CARRY_OUT[way_of(&r)](tx, &r, d->outcome);
}

enum err request_decide(struct scope *s, struct id request, const struct request_decision *d)
{
	TRY(check_decision(s, d));
	return db_write(s, decide_tx, &(struct deciding){.request = request, .d = d, .refused = is(d->decision, "refused")});
}

/* ---- handing over ---- */

/* A copy for the organisation, and a part of it, are no answer. */
static enum err is_answer(struct db_tx *tx, const struct request *r, struct id operation, bool *ret)
{
	auto_rows struct db_rows *rows = NULL;
	*ret = false;
	if (r->state != REQUEST_decided || id_is_nil(r->operation))
		return OK;
	TRY(db_query(tx, &request_whole_answer, DB_ARGS(db_v_id(&operation), db_v_text(r->type->variant)), &rows));
	*ret = db_next(rows);
	return db_rows_err(rows);
}

enum err request_answer_ready_tx(struct db_tx *tx, struct id request, struct id operation)
{
	struct request r;
	TRY(request_load(tx, request, &r));
	return r.state == REQUEST_decided && id_equal(r.operation, operation) ? request_tell(tx, &r, LETTER_delivery, NULL) : OK;
}

enum err request_delivered_tx(struct db_tx *tx, struct id request, struct id operation, const uint8_t *sha256)
{
	struct request r;
	bool whole;
	TRY(request_load(tx, request, &r));
	TRY(is_answer(tx, &r, operation, &whole));
	return whole ? request_hand_over(tx, &r, sha256, SHA256_BYTES) : OK;
}

static enum err deliver_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct request r;
	size_t n;
	auto_rows struct db_rows *rows = NULL;
	TRY(request_load(tx, *(const struct id *)arg, &r));
	if (r.state != REQUEST_decided)
		return request_wrong_state(s, &r, "delivered");
	if (id_is_nil(r.operation))
		return scope_fail(s, ERR_CONFLICT, "there is nothing to hand over");
	enum err e = db_query_one(tx, &request_operation, DB_ARGS(db_v_id(&r.operation)), &rows);
	if (e == ERR_NOT_FOUND || (e == OK && !is(db_text(rows, 0), "complete")))
		return scope_fail(s, ERR_CONFLICT, "the export is not complete");
	TRY(e);
	const void *digest = db_blob(rows, 1, &n);
	const uint8_t *copy = digest == NULL ? NULL : arena_memdup(s->arena, digest, n);
	return request_hand_over(tx, &r, copy, copy == NULL ? 0 : n);
}

enum err request_deliver(struct scope *s, struct id request) { return db_write(s, deliver_tx, &request); }

/* ---- closing ---- */

struct closing {
	struct id request;
	const char *outcome;
};

static enum err close_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct closing *a = arg;
	struct request r;
	TRY(request_load(tx, a->request, &r));
	if (r.state != REQUEST_decided && r.state != REQUEST_delivered)
		return request_wrong_state(s, &r, "closed");
	if (!id_is_nil(r.operation) && r.state == REQUEST_decided)
		return scope_fail(s, ERR_CONFLICT, "the answer was not handed over");
	if (!id_is_nil(r.duty) && r.state == REQUEST_decided)
		return scope_fail(s, ERR_CONFLICT, "the deletion is not done");
	if (a->outcome != NULL)
		TRY(set_outcome(tx, &r, a->outcome));
	if (r.state == REQUEST_decided) /* by hand: what was handed over was told of before */
		TRY(request_tell(tx, &r, LETTER_done, NULL));
	return request_move(tx, &r, REQUEST_closed, ACT_DSR_CLOSE, NULL);
}

enum err request_close(struct scope *s, struct id request, const char *outcome)
{
	TRY(request_text_check(s, "outcome", outcome, REQUEST_TEXT_MAX, false));
	return db_write(s, close_tx, &(struct closing){.request = request, .outcome = outcome});
}
