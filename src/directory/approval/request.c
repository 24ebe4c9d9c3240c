/* SPDX-License-Identifier: Apache-2.0
 * A request's row: its states, its stored call, and how it moves. */
#include <jansson.h>
#include <string.h>

#include "codec/base64.h"
#include "directory/approval/internal.h"
#include "keeper/keeper.h"
#include "resource/tables.h"

DB_TENANT(approval_select,
	  "SELECT policy_types, state, operation, route, permission, requester_type, requested_by, requested_at, decide_until, user_id, call_hash, "
	  "sealed_call, attempt, request_justification, approval_justification FROM operation_approval_requests WHERE tenant_id = ?1 AND request_id = ?2");
DB_TENANT(approval_set_approved,
	  "UPDATE operation_approval_requests SET state = 'approved', approver_type = ?3, decided_by = ?4, approval_justification = ?5, modified_at = ?6 "
	  "WHERE tenant_id = ?1 AND request_id = ?2 AND state = 'needsApproval'");
DB_TENANT(approval_close,
	  "UPDATE operation_approval_requests SET state = ?4, approver_type = COALESCE(?5, approver_type), decided_by = COALESCE(?6, decided_by), "
	  "approval_justification = COALESCE(?7, approval_justification), modified_at = ?8, attempt = ?9, expires_at = ?10, object_key = NULL, "
	  "call_hash = NULL, sealed_call = NULL WHERE tenant_id = ?1 AND request_id = ?2 AND state = ?3");

/* ---- states ---- */

static const struct {
	const char *name;
	bool open;
} STATES[] = {
#define APPROVAL_STATE(name_, open_) {#name_, open_},
#include "directory/approval/states.def"
};
static const struct {
	enum approval_event event;
	enum approval_state from, to;
} MOVES[] = {
#define APPROVAL_MOVE(event_, from_, to_) {APPROVAL_##event_, APPROVAL_STATE_##from_, APPROVAL_STATE_##to_},
#include "directory/approval/states.def"
};
static const enum activity ACTIVITIES[APPROVAL_EVENTS] = {
	[APPROVAL_approve] = ACT_APPROVAL_APPROVE,
	[APPROVAL_reject] = ACT_APPROVAL_REJECT,
	[APPROVAL_cancelApproval] = ACT_APPROVAL_CANCEL,
	[APPROVAL_cancelMyRequest] = ACT_APPROVAL_CANCEL,
	[APPROVAL_complete] = ACT_APPROVAL_COMPLETE,
	[APPROVAL_expire] = ACT_APPROVAL_EXPIRE,
};

const char *approval_state_name(enum approval_state s)
{
	check((unsigned)s < APPROVAL_STATES);
	return STATES[s].name;
}

enum approval_state approval_move(enum approval_event e, enum approval_state from)
{
	for (size_t i = 0; i < sizeof MOVES / sizeof MOVES[0]; i++)
		if (MOVES[i].event == e && MOVES[i].from == from)
			return MOVES[i].to;
	return APPROVAL_STATES;
}

static enum approval_state state_of(const char *name)
{
	unsigned s = 0;
	while (s < APPROVAL_STATES && strcmp(STATES[s].name, name) != 0)
		s++;
	check(s < APPROVAL_STATES);
	return (enum approval_state)s;
}

enum approval_state approval_state_now(const struct request *r, int64_t now)
{
	return STATES[r->state].open && r->decide_until <= now ? APPROVAL_STATE_expired : r->state;
}

enum err approval_wrong_state(struct scope *s, const struct request *r)
{
	enum approval_state state = approval_state_now(r, s->now);
	if (state == APPROVAL_STATE_needsApproval)
		return scope_fail(s, ERR_CONFLICT, "the approval request is not decided yet: a second person has to approve it first");
	return scope_fail(s, ERR_CONFLICT, "the approval request is %s", approval_state_name(state));
}

/* ---- actors ---- */

static const struct {
	enum actor_type type;
	const char *name;
} ACTORS[] = {{ACTOR_USER, "user"}, {ACTOR_APPLICATION, "application"}, {ACTOR_OPERATOR, "operator"}};

const char *approval_actor_type(enum actor_type t)
{
	for (size_t i = 0; i < sizeof ACTORS / sizeof ACTORS[0]; i++)
		if (ACTORS[i].type == t)
			return ACTORS[i].name;
	return NULL;
}

static enum actor_type actor_of(const char *name)
{
	size_t i = 0;
	while (strcmp(ACTORS[i].name, name) != 0) /* the column is CHECKed */
		i++;
	return ACTORS[i].type;
}

/* ---- rows ---- */

static const void *blob_dup(const struct db_rows *r, int column, struct arena *a, size_t *ret_n)
{
	const void *p = db_blob(r, column, ret_n);
	return p == NULL ? NULL : arena_strndup(a, p, *ret_n);
}

enum err approval_load(struct db_tx *tx, struct id request, struct request *ret)
{
	struct scope *s = db_tx_scope(tx);
	char text[ID_TEXT];
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &approval_select, DB_ARGS(db_v_id(&request)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "no approval request has the id %s", id_format(request, text));
	TRY(e);
	*ret = (struct request){.request = request, .profiles = approval_set_parse(db_text(r, 0)), .state = state_of(db_text(r, 1)),
				.operation = db_text_dup(r, 2, s->arena), .route = db_text_dup(r, 3, s->arena),
				.permission = db_text_dup(r, 4, s->arena), .requester = actor_of(db_text(r, 5)), .requested_by = db_id(r, 6),
				.requested_at = db_int(r, 7), .decide_until = db_int(r, 8), .user = db_id(r, 9), .attempt = db_id(r, 12)};
	ret->call_hash = blob_dup(r, 10, s->arena, &ret->call_hash_n);
	ret->sealed_call = blob_dup(r, 11, s->arena, &ret->sealed_call_n);
	ret->justification = blob_dup(r, 13, s->arena, &ret->justification_n);
	ret->answer = blob_dup(r, 14, s->arena, &ret->answer_n);
	return OK;
}

/* ---- the stored call ---- */

const void *approval_call_seal(struct scope *s, const struct call_text *c, size_t *ret_n)
{
	char object[ID_TEXT];
	json_t *j = json_pack("{s:s, s:s, s:s, s:s}", "method", c->method, "target", c->target, "object", id_format(c->object, object), "body",
			      base64_encode(s->arena, c->body, c->body_len));
	char *text = j == NULL ? NULL : json_dumps(j, JSON_COMPACT);
	check(text != NULL); /* a target is checked text */
	const void *sealed = keeper_seal(s->keeper, s->arena, text, strlen(text), ret_n);
	free(text);
	json_decref(j);
	return sealed;
}

bool approval_call_unseal(struct scope *s, const struct request *r, struct call_text *ret)
{
	size_t n;
	void *body;
	*ret = (struct call_text){0};
	const char *text = r->sealed_call == NULL ? NULL : keeper_unseal(s->keeper, s->arena, r->sealed_call, r->sealed_call_n, &n);
	json_t *j = text == NULL ? NULL : json_loadb(text, n, 0, NULL);
	const char *method = json_string_value(json_object_get(j, "method")), *target = json_string_value(json_object_get(j, "target"));
	const char *coded = json_string_value(json_object_get(j, "body")), *object = json_string_value(json_object_get(j, "object"));
	bool fits = method != NULL && target != NULL && coded != NULL && object != NULL && id_parse(object, &ret->object) &&
		    base64_decode(s->arena, coded, strlen(coded), &body, &ret->body_len);
	if (fits) {
		ret->method = arena_strdup(s->arena, method);
		ret->target = arena_strdup(s->arena, target);
		ret->body = body;
	}
	json_decref(j);
	return fits;
}

void approval_call_hash(const struct call_text *c, uint8_t out[SHA256_BYTES])
{
	/* the object: whom a name in the path means may change */
	struct digest_part parts[] = {{c->object.b, sizeof c->object.b}, {c->method, strlen(c->method) + 1}, {c->target, strlen(c->target) + 1},
				      {c->body, c->body_len}};
	sha256_parts(parts, sizeof parts / sizeof parts[0], out);
}

void approval_object_key(const struct call_text *c, uint8_t out[SHA256_BYTES])
{
	uint8_t call[SHA256_BYTES];
	approval_call_hash(c, call);
	bool none = id_is_nil(c->object);
	struct digest_part parts[] = {{none ? "call" : "object", none ? 5 : 7},
				      {none ? (const void *)call : c->object.b, none ? sizeof call : sizeof c->object.b}};
	sha256_parts(parts, 2, out);
}

/* ---- moving ---- */

static struct db_value sealed(struct scope *s, const char *text)
{
	size_t n;
	if (text == NULL || *text == '\0')
		return db_v_null();
	const void *p = keeper_seal(s->keeper, s->arena, text, strlen(text), &n);
	return db_v_blob(p, n);
}

static enum err record_step(struct db_tx *tx, const struct request *r, enum approval_event event, enum approval_state to)
{
	struct scope *s = db_tx_scope(tx);
	char by[ID_TEXT];
	struct audit_change *changes = NULL, **tail = &changes;
	tail = audit_change_add(s->arena, tail, "status", NULL, NULL, STATES[r->state].name, STATES[to].name);
	tail = audit_change_add(s->arena, tail, "operation", NULL, NULL, NULL, r->operation);
	tail = audit_change_add(s->arena, tail, "requiredOperationApprovalPolicyTypes", NULL, NULL, NULL, approval_set_text(s->arena, r->profiles));
	if (!id_is_nil(r->requested_by))
		audit_change_add(s->arena, tail, "requestedBy", NULL, NULL, NULL, id_format(r->requested_by, by));
	return audit_record(tx, &(struct audit_event){.activity = ACTIVITIES[event], .resource_type = RES_APPROVAL_REQUEST.entity,
						      .resource = r->request, .resource_name = r->route, .subject = r->user, .changes = changes});
}

enum err approval_step(struct db_tx *tx, const struct request *r, const struct approval_step *step)
{
	struct scope *s = db_tx_scope(tx);
	enum approval_state to = approval_move(step->event, r->state);
	bool by_second = step->event <= APPROVAL_cancelApproval;
	struct db_value type = by_second ? db_v_text(approval_actor_type(s->actor.type)) : db_v_null();
	struct db_value by = by_second ? db_v_id(&s->actor.id) : db_v_null();
	struct db_value why = by_second ? sealed(s, step->justification) : db_v_null();
	int64_t n;
	if (to == APPROVAL_STATES)
		return approval_wrong_state(s, r);
	if (STATES[to].open)
		TRY(db_exec(tx, &approval_set_approved, DB_ARGS(db_v_id(&r->request), type, by, why, db_v_int(s->now)), &n));
	else
		TRY(db_exec(tx, &approval_close,
			    DB_ARGS(db_v_id(&r->request), db_v_text(STATES[r->state].name), db_v_text(STATES[to].name), type, by, why,
				    db_v_int(s->now), step->claim == NULL ? db_v_null() : db_v_id(&step->claim->attempt),
				    db_v_int(s->now + APPROVAL_KEPT_US)),
			    &n));
	if (n == 0)
		return scope_fail(s, ERR_CONFLICT, "somebody else was faster: the approval request has changed");
	return record_step(tx, r, step->event, to);
}
