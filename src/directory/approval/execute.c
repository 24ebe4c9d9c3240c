/* SPDX-License-Identifier: Apache-2.0
 *
 * A call that needs approval: refused, asked for, carried out once.
 *
 * Once: the claim is a compare-and-set on the request's row, in the transaction of the change (audit_record).  Each execution has an id of its own
 * (attempt), so that a transaction that the database runs again, and the later ones of the same call, find their own claim and go on, and any
 * other execution finds the request completed.
 */
#include <string.h>

#include "base/log.h"
#include "directory/approval/internal.h"
#include "directory/provisioning/client.h"
#include "directory/user.h"
#include "keeper/keeper.h"
#include "notice/notice.h"
#include "resource/tables.h"

DB_TENANT(approval_insert,
	  "INSERT INTO operation_approval_requests (tenant_id, request_id, policy_types, state, operation, route, permission, requester_type, requested_by, "
	  "request_justification, requested_at, decide_until, modified_at, user_id, object_key, call_hash, sealed_call, expires_at) "
	  "VALUES (?1, ?2, ?3, 'needsApproval', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?10, ?12, ?13, ?14, ?15, ?16)");
DB_TENANT(approval_of_object,
	  "SELECT request_id FROM operation_approval_requests WHERE tenant_id = ?1 AND object_key = ?2 AND object_key IS NOT NULL");
/* Whom it concerns: the object itself, or whose device or case it is. */
DB_TENANT(approval_person,
	  "SELECT user_id FROM users WHERE tenant_id = ?1 AND user_id = ?2 UNION ALL "
	  "SELECT user_id FROM managed_devices WHERE tenant_id = ?1 AND device_id = ?2 UNION ALL "
	  "SELECT user_id FROM data_subject_requests WHERE tenant_id = ?1 AND request_id = ?2");
DB_TENANT(approval_group_role, "SELECT 1 FROM role_assignments WHERE tenant_id = ?1 AND principal_id = ?2 LIMIT 1");

struct asking {
	const struct approval_call *call;
	struct call_text text;
	unsigned needs;            /* profiles in force for this call; out */
	struct id code, request;   /* request: out */
};

static struct call_text text_of(const struct approval_call *c)
{
	return (struct call_text){c->method, c->target, c->body, c->body_len, c->object};
}

/* ---- whether it needs one ---- */

static bool policy_applies(const struct scope *s, const struct approval_call *c, const struct approval_policy *p, unsigned profiles)
{
	bool weakened = (!id_is_nil(c->policy) && id_equal(c->policy, p->policy)) || (!id_is_nil(c->group) && approval_list_has(p->groups, c->group)) ||
			(!id_is_nil(c->application) && approval_list_has(p->excluded, c->application));
	bool excluded = s->actor.type == ACTOR_APPLICATION && approval_list_has(p->excluded, s->actor.id);
	return weakened || ((profiles & 1u << p->profile) && !excluded);
}

static enum err group_holds_role(struct db_tx *tx, struct id group, bool *ret)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &approval_group_role, DB_ARGS(db_v_id(&group)), &r));
	*ret = db_next(r);
	return db_rows_err(r);
}

static enum err needs_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct asking *a = arg;
	struct approval_policy list[APPROVAL_PROFILES];
	unsigned profiles = approval_profiles_of(a->call->activity, a->call->json);
	size_t n;
	bool role = false, passes = false;
	a->needs = 0;
	if (a->call->provisioning)
		TRY(provisioning_acts(tx, &passes));
	if (passes)
		return OK;
	if (!id_is_nil(a->call->group))
		TRY(group_holds_role(tx, a->call->group, &role));
	profiles |= role ? 1u << APPROVAL_role : 0;
	TRY(approval_policies_load(tx, list, &n));
	for (size_t i = 0; i < n; i++)
		if (policy_applies(s, a->call, &list[i], profiles))
			a->needs |= 1u << list[i].profile;
	return OK;
}

/* ---- asked for ---- */

static enum err no_other(struct db_tx *tx, const uint8_t key[SHA256_BYTES])
{
	struct scope *s = db_tx_scope(tx);
	struct request other;
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &approval_of_object, DB_ARGS(db_v_blob(key, SHA256_BYTES)), &r);
	if (e == ERR_NOT_FOUND)
		return OK;
	TRY(e);
	struct id id = db_id(r, 0);
	db_rows_free(&r);
	TRY(approval_load(tx, id, &other));
	if (approval_state_now(&other, s->now) == other.state)
		return scope_fail(s, ERR_CONFLICT, "An active Approval Request already exists");
	return approval_step(tx, &other, &(struct approval_step){.event = APPROVAL_expire});
}

static enum err concerned(struct db_tx *tx, struct id object, struct id *ret)
{
	auto_rows struct db_rows *r = NULL;
	*ret = (struct id){0};
	TRY(db_query(tx, &approval_person, DB_ARGS(db_v_id(&object)), &r));
	if (db_next(r))
		*ret = db_id(r, 0);
	return db_rows_err(r);
}

static enum err insert(struct db_tx *tx, struct asking *a, const struct request *r, const uint8_t key[SHA256_BYTES])
{
	struct scope *s = db_tx_scope(tx);
	const char *why = a->call->justification;
	uint8_t hash[SHA256_BYTES];
	size_t why_n, call_n;
	const void *sealed_why = keeper_seal(s->keeper, s->arena, why, strlen(why), &why_n);
	const void *sealed = approval_call_seal(s, &a->text, &call_n);
	approval_call_hash(&a->text, hash);
	return db_exec(tx, &approval_insert,
		       DB_ARGS(db_v_id(&r->request), db_v_text(approval_set_text(s->arena, r->profiles)), db_v_text(r->operation), db_v_text(r->route),
			       db_v_text(r->permission), db_v_text(approval_actor_type(r->requester)), db_v_id(&r->requested_by),
			       db_v_blob(sealed_why, why_n), db_v_int(s->now), db_v_int(r->decide_until),
			       id_is_nil(r->user) ? db_v_null() : db_v_id(&r->user), db_v_blob(key, SHA256_BYTES), db_v_blob(hash, sizeof hash),
			       db_v_blob(sealed, call_n), db_v_int(r->decide_until + 2 * APPROVAL_KEPT_US)),
		       NULL);
}

static enum err record_request(struct db_tx *tx, const struct request *r, struct id object)
{
	struct scope *s = db_tx_scope(tx);
	char id[ID_TEXT];
	struct audit_change *changes = NULL, **tail = &changes;
	tail = audit_change_add(s->arena, tail, "status", NULL, NULL, NULL, "needsApproval");
	tail = audit_change_add(s->arena, tail, "operation", NULL, NULL, NULL, r->operation);
	tail = audit_change_add(s->arena, tail, "requiredOperationApprovalPolicyTypes", NULL, NULL, NULL, approval_set_text(s->arena, r->profiles));
	tail = audit_change_add(s->arena, tail, "requestJustification", "operation_approval_requests", "request_justification", NULL, "given");
	if (!id_is_nil(object))
		audit_change_add(s->arena, tail, "entityId", NULL, NULL, NULL, id_format(object, id));
	return audit_record(tx, &(struct audit_event){.activity = ACT_APPROVAL_REQUEST, .resource_type = RES_APPROVAL_REQUEST.entity,
						      .resource = r->request, .resource_name = r->route, .subject = r->user, .changes = changes});
}

static enum err ask_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct asking *a = arg;
	const struct approval_call *c = a->call;
	uint8_t key[SHA256_BYTES];
	struct request r = {.request = scope_id(s), .profiles = a->needs, .requester = s->actor.type, .requested_by = s->actor.id, .requested_at = s->now,
			    .operation = activity_info(c->activity)->type, .route = c->route, .permission = c->permission,
			    .decide_until = s->now + APPROVAL_OPEN_US};
	approval_object_key(&a->text, key);
	TRY(no_other(tx, key));
	TRY(concerned(tx, c->object, &r.user));
	TRY(insert(tx, a, &r, key));
	TRY(record_request(tx, &r, c->object));
	a->request = r.request;
	return approval_tell_approvers(tx, &r);
}

/* Operators may be the second person of a closing: they are told with the installation's alarms. */
static enum err tell_operators_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct id *tenant = arg;
	return notice_alarm(tx, "approvalRequested", *tenant, "The closing of a tenant waits for the approval of a second person.");
}

static void tell_operators(const struct scope *s, const struct asking *a)
{
	struct scope t;
	struct id tenant = s->tenant, installation = {0};
	if (a->needs != 1u << APPROVAL_tenantClosing)
		return;
	scope_tenant(&t, s->arena, s->db, s->keeper, installation);
	enum err e = db_write(&t, tell_operators_tx, &tenant);
	if (e != OK)
		log_event(LOG_WARN, "approval_untold", "error=%s", err_name(e));
}

static enum err waits(struct scope *s, struct id request)
{
	char id[ID_TEXT];
	id_format(request, id);
	return scope_fail(s, ERR_APPROVAL,
			  "request %s waits for the approval of a second person. When it has it, send the same call again with the header "
			  "x-msft-approval-code: %s, or have it run: POST …/operationApprovalRequests/%s/complete",
			  id, id, id);
}

static enum err ask(struct scope *s, struct asking *a)
{
	const char *why = a->call->justification;
	size_t n = strlen(why);
	if (n == 0 || n > APPROVAL_JUSTIFICATION_MAX)
		return scope_fail(s, ERR_BAD_REQUEST, "the justification has 1 to %d bytes", APPROVAL_JUSTIFICATION_MAX);
	enum err e = db_write(s, ask_tx, a);
	if (e == ERR_EXISTS) { /* asked for at the same moment */
		s->detail = NULL;
		return scope_fail(s, ERR_CONFLICT, "An active Approval Request already exists");
	}
	TRY(e);
	tell_operators(s, a);
	return waits(s, a->request);
}

/* ---- carried out ---- */

static enum err take(struct db_tx *tx, const struct scope_claim *claim)
{
	struct scope *s = db_tx_scope(tx);
	struct request r;
	TRY(approval_load(tx, claim->request, &r));
	if (r.state == APPROVAL_STATE_completed && id_equal(r.attempt, claim->attempt))
		return OK;
	if (approval_state_now(&r, s->now) != APPROVAL_STATE_approved)
		return approval_wrong_state(s, &r);
	return approval_step(tx, &r, &(struct approval_step){.event = APPROVAL_complete, .claim = claim});
}

static enum err check_state(struct scope *s, const struct request *r)
{
	switch (approval_state_now(r, s->now)) {
	case APPROVAL_STATE_approved: return OK;
	case APPROVAL_STATE_needsApproval: return waits(s, r->request);
	case APPROVAL_STATE_completed: return scope_fail(s, ERR_CONFLICT, "what was approved has been carried out: an approval counts once");
	default: return scope_fail(s, ERR_FORBIDDEN, "the approval request is %s", approval_state_name(approval_state_now(r, s->now)));
	}
}

/* The same path means another person's data where the case or the device has become somebody else's. */
static enum err same_person(struct db_tx *tx, const struct request *r, struct id object)
{
	struct id now;
	TRY(concerned(tx, object, &now));
	return id_is_nil(now) || id_equal(now, r->user)
		       ? OK
		       : scope_fail(db_tx_scope(tx), ERR_FORBIDDEN, "what was approved concerned somebody else: ask once more");
}

static enum err check_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct asking *a = arg;
	struct request r;
	uint8_t hash[SHA256_BYTES];
	enum err e = approval_load(tx, a->code, &r);
	if (e == ERR_NOT_FOUND)
		s->detail = NULL;
	if (e == ERR_NOT_FOUND || (e == OK && (r.requester != s->actor.type || !id_equal(r.requested_by, s->actor.id))))
		return scope_fail(s, ERR_FORBIDDEN, "x-msft-approval-code names no request of yours");
	TRY(e);
	a->request = r.request;
	if (r.state == APPROVAL_STATE_needsApproval || r.state == APPROVAL_STATE_approved) {
		approval_call_hash(&a->text, hash);
		if (r.call_hash_n != sizeof hash || memcmp(r.call_hash, hash, sizeof hash) != 0)
			return scope_fail(s, ERR_FORBIDDEN, "x-msft-approval-code is of another call: method, path and body are those that were approved");
		TRY(same_person(tx, &r, a->call->object));
		if (a->needs & ~r.profiles)
			return scope_fail(s, ERR_FORBIDDEN, "this needs more approvals than when it was asked for: ask once more");
	}
	return check_state(s, &r);
}

static enum err check_code(struct scope *s, struct asking *a, const struct scope_claim **ret)
{
	if (!id_parse(a->call->code, &a->code))
		return scope_fail(s, ERR_FORBIDDEN, "x-msft-approval-code names no request of yours");
	TRY(db_read(s, check_tx, a));
	struct scope_claim *claim = arena_alloc(s->arena, sizeof *claim);
	*claim = (struct scope_claim){.tenant = s->tenant, .request = a->code, .attempt = scope_id(s), .take = take};
	*ret = claim;
	return OK;
}

/* A person in a path stands there by id or by name. */
static struct id object_of(struct scope *s, const struct approval_call *c)
{
	struct id user = c->object;
	if (c->upn == NULL || !id_is_nil(user))
		return user;
	if (user_resolve(s, c->upn, &user) != OK) {
		s->detail = NULL;
		return (struct id){0};
	}
	return user;
}

enum err approval_require(struct scope *s, const struct approval_call *call, const struct scope_claim **ret_claim, struct id *ret_request)
{
	struct approval_call c = *call;
	struct asking a = {.call = &c};
	*ret_claim = NULL;
	*ret_request = (struct id){0};
	bool any = approval_profiles_of(c.activity, c.json) != 0 || !id_is_nil(c.policy) || !id_is_nil(c.group) || !id_is_nil(c.application);
	if (!any || approval_actor_type(s->actor.type) == NULL)
		return OK;
	TRY(db_read(s, needs_tx, &a));
	if (a.needs == 0)
		return OK;
	c.object = object_of(s, &c);
	a.text = text_of(&c);
	if (c.code == NULL && c.justification == NULL)
		return scope_fail(s, ERR_APPROVAL,
				  "this needs the approval of a second person (%s): say why you ask for it in the header "
				  "x-msft-approval-justification (Base64)",
				  approval_set_what(s->arena, a.needs));
	enum err err = c.code != NULL ? check_code(s, &a, ret_claim) : ask(s, &a);
	*ret_request = err == ERR_APPROVAL ? a.request : (struct id){0};
	return err;
}

static enum err finish_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	return take(tx, arg);
}

enum err approval_finish(struct scope *s, const struct scope_claim *claim)
{
	struct scope t = *s;
	t.tenant = claim->tenant;
	t.has_tenant = true;
	t.claim = NULL;
	enum err err = db_write(&t, finish_tx, (void *)(uintptr_t)claim);
	s->detail = t.detail;
	return err;
}

/* ---- the stored call ---- */

struct stored {
	struct id request;
	struct approval_stored *ret;
};

static enum err stored_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct stored *q = arg;
	struct request r;
	struct call_text c;
	TRY(approval_load(tx, q->request, &r));
	if (!id_equal(r.requested_by, s->actor.id))
		return scope_fail(s, ERR_FORBIDDEN, "the request is somebody else's: whoever asked completes it");
	if (approval_state_now(&r, s->now) != APPROVAL_STATE_approved)
		return approval_wrong_state(s, &r);
	if (!approval_call_unseal(s, &r, &c))
		return scope_fail(s, ERR_INTERNAL, "the stored call of an approval request cannot be read");
	*q->ret = (struct approval_stored){c.method, c.target, c.body, c.body_len};
	return OK;
}

static enum err asked_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct stored *q = arg;
	struct request r;
	struct call_text c;
	TRY(approval_load(tx, q->request, &r));
	enum err e = id_equal(r.requested_by, s->actor.id) ? OK : approval_may_decide(tx, &r);
	if (e == ERR_FORBIDDEN) {
		s->detail = NULL;
		return scope_fail(s, ERR_NOT_FOUND, "there is no approval request that you may decide with this id");
	}
	TRY(e);
	if (r.sealed_call == NULL)
		return approval_wrong_state(s, &r);
	if (!approval_call_unseal(s, &r, &c))
		return scope_fail(s, ERR_INTERNAL, "the stored call of an approval request cannot be read");
	*q->ret = (struct approval_stored){c.method, c.target, c.body, c.body_len};
	return OK;
}

enum err approval_asked_call(struct scope *s, struct id request, struct approval_stored *ret)
{
	s->subject = request;
	return db_read(s, asked_tx, &(struct stored){request, ret});
}

enum err approval_stored_call(struct scope *s, struct id request, struct approval_stored *ret)
{
	s->subject = request;
	return db_read(s, stored_tx, &(struct stored){request, ret});
}

/* ---- the open one of an object ---- */

struct opening {
	struct id object;
	struct approval_open *ret;
};

static enum err open_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct opening *q = arg;
	struct request r;
	uint8_t key[SHA256_BYTES];
	approval_object_key(&(struct call_text){.method = "", .target = "", .body = "", .object = q->object}, key);
	auto_rows struct db_rows *rows = NULL;
	enum err e = db_query_one(tx, &approval_of_object, DB_ARGS(db_v_blob(key, sizeof key)), &rows);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "no approval request of this object is open");
	TRY(e);
	struct id id = db_id(rows, 0);
	db_rows_free(&rows);
	TRY(approval_load(tx, id, &r));
	if (approval_state_now(&r, s->now) != r.state)
		return scope_fail(s, ERR_NOT_FOUND, "no approval request of this object is open");
	*q->ret = (struct approval_open){r.request, r.state, r.decide_until};
	return OK;
}

enum err approval_open_of(struct scope *s, struct id object, struct approval_open *ret)
{
	return db_read(s, open_tx, &(struct opening){object, ret});
}
