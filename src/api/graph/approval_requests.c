/* SPDX-License-Identifier: Apache-2.0
 * deviceManagement/operationApprovalRequests: what waits for a second person, and what was decided.  Below installation/tenants/{tenant} the
 * operator's part of them: the closing of that tenant. */
#include <string.h>
#include <strings.h>

#include "api/api.h"
#include "api/approval.h"
#include "api/gate.h"
#include "directory/approval/approval.h"
#include "directory/approval/profile.h"
#include "directory/tenant.h"
#include "resource/tables.h"

enum err approval_requests_list(struct call *c);
enum err approval_requests_get(struct call *c);
enum err approval_requests_mine(struct call *c);
enum err approval_requests_my(struct call *c);
enum err approval_requests_status(struct call *c);
enum err approval_requests_call(struct call *c);
enum err approval_requests_approve(struct call *c);
enum err approval_requests_reject(struct call *c);
enum err approval_requests_cancel_approval(struct call *c);
enum err approval_requests_cancel_mine(struct call *c);
enum err approval_requests_complete(struct call *c);

struct requests {
	struct resource_query q;
	struct id me;
	const char *type;
	struct db_value args[1];
};

static bool is_operators(const struct call *c) { return strstr(c->route->path, "{tenant}") != NULL; }

/* An operator's call is about the tenant that the path names. */
static enum err enter_tenant(struct call *c)
{
	struct tenant t;
	struct id tenant;
	if (!is_operators(c))
		return OK;
	TRY(call_param_id(c, "tenant", "tenant", &tenant));
	TRY(tenant_get(&c->s, tenant, &t));
	c->s.tenant = tenant;
	return OK;
}

static enum err request_param(struct call *c, struct id *ret)
{
	TRY(enter_tenant(c));
	TRY(call_param_id(c, "approval", "approval request", ret));
	c->s.subject = *ret;
	return OK;
}

/* To an operator the closing of the tenant, and nobody's name. */
static enum err query(struct call *c, struct requests *r)
{
	bool operator_ = is_operators(c);
	TRY(call_query(c, &RES_APPROVAL_REQUEST, &r->q));
	r->q.more = approval_request_more;
	r->q.more_arg = operator_ ? c : NULL;
	if (!operator_)
		return OK;
	r->type = approval_profile_name(APPROVAL_tenantClosing);
	r->args[0] = db_v_text(r->type);
	r->q.extra_where = "t.policy_types = ?2";
	r->q.args = r->args;
	r->q.arg_count = 1;
	return OK;
}

enum err approval_requests_list(struct call *c)
{
	struct requests r = {0};
	TRY(enter_tenant(c));
	TRY(query(c, &r));
	return call_list(c, &r.q);
}

enum err approval_requests_get(struct call *c)
{
	struct requests r = {0};
	struct id request;
	TRY(request_param(c, &request));
	TRY(query(c, &r));
	return call_get(c, &r.q, request);
}

/* ---- what exactly was asked for ---- */

/* A secret in a body is for the server alone. */
static bool is_secret(const char *name)
{
	static const char *const words[] = {"secret", "password", "passphrase", "privatekey", "token"};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcasestr(name, words[i]) != NULL)
			return true;
	return false;
}

/* So is the query of an address, which may hold a key to what is behind it (a store, a webhook). */
static void hide_query(struct arena *a, json_t *v)
{
	const char *text = json_string_value(v), *query = strncasecmp(text, "https://", 8) == 0 ? strchr(text, '?') : NULL;
	if (query != NULL)
		json_string_set(v, arena_printf(a, "%.*s?[secret]", (int)(query - text), text));
}

static void hide_secrets(struct arena *a, json_t *v)
{
	const char *key;
	json_t *member;
	size_t i;
	json_object_foreach (v, key, member) {
		if (json_is_string(member) && is_secret(key))
			json_string_set(member, "[secret]");
		else if (json_is_string(member))
			hide_query(a, member);
		else
			hide_secrets(a, member);
	}
	json_array_foreach (v, i, member)
		hide_secrets(a, member);
}

enum err approval_requests_call(struct call *c)
{
	struct approval_stored call;
	struct id request;
	auto_json *body = NULL;
	struct scope unsaid = c->s; /* a body that is no JSON is not shown */
	TRY(request_param(c, &request));
	TRY(approval_asked_call(&c->s, request, &call));
	if (call.body_len > 0 && json_read(&unsaid, call.body, call.body_len, &body) != OK)
		body = NULL;
	hide_secrets(c->s.arena, body);
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(c->s.arena, "%s/$metadata#microsoft.graph.operationApprovalCall", call_base_url(c)));
	jw_kstring(&w, "method", call.method);
	jw_kstring(&w, "path", call.target);
	jw_key(&w, "body");
	if (body == NULL)
		jw_null(&w);
	else
		jw_json(&w, body);
	jw_end_object(&w);
	return OK;
}

/* ---- the caller's own ---- */

static enum err query_mine(struct call *c, struct requests *r)
{
	TRY(query(c, r));
	r->me = c->s.actor.id;
	r->args[0] = db_v_id(&r->me);
	r->q.extra_where = "t.requested_by = ?2";
	r->q.args = r->args;
	r->q.arg_count = 1;
	return OK;
}

enum err approval_requests_mine(struct call *c)
{
	struct requests r = {0};
	TRY(query_mine(c, &r));
	return call_list(c, &r.q);
}

enum err approval_requests_my(struct call *c)
{
	struct requests r = {0};
	struct id request;
	TRY(request_param(c, &request));
	TRY(query_mine(c, &r));
	return call_get(c, &r.q, request);
}

enum err approval_requests_status(struct call *c)
{
	static const char *const allowed[] = {"entityId", "entityType", NULL};
	struct approval_open open;
	struct id object;
	const char *text, *type;
	json_t *body;
	TRY(call_body(c, true, &body));
	TRY(call_only(c, body, allowed));
	TRY(call_string(c, body, "entityId", true, &text));
	TRY(call_string(c, body, "entityType", false, &type));
	if (!id_parse(text, &object))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'entityId' must be an id");
	TRY(approval_open_of(&c->s, object, &open));
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context",
		   arena_printf(c->s.arena, "%s/$metadata#microsoft.graph.operationApprovalRequestEntityStatus", call_base_url(c)));
	jw_kid(&w, "requestId", open.request);
	jw_ktime(&w, "requestExpirationDateTime", open.decide_until);
	jw_kstring(&w, "requestStatus", approval_state_name(open.state));
	jw_kbool(&w, "entityLocked", true);
	jw_end_object(&w);
	return OK;
}

/* ---- decisions ---- */

static enum err decide(struct call *c, enum approval_event event)
{
	static const char *const allowed[] = {"justification", "approvalSource", NULL};
	struct id request;
	const char *why;
	json_t *body;
	TRY(request_param(c, &request));
	TRY(call_body(c, false, &body));
	TRY(call_only(c, body, allowed));
	TRY(call_string(c, body, "justification", false, &why));
	return approval_decide(&c->s, request, event, why);
}

/* Graph's actions answer a string. */
static enum err decide_and_say(struct call *c, enum approval_event event, const char *said)
{
	TRY(decide(c, event));
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(c->s.arena, "%s/$metadata#Edm.String", call_base_url(c)));
	jw_kstring(&w, "value", said);
	jw_end_object(&w);
	return OK;
}

enum err approval_requests_approve(struct call *c) { return decide_and_say(c, APPROVAL_approve, "approved"); }
enum err approval_requests_reject(struct call *c) { return decide_and_say(c, APPROVAL_reject, "rejected"); }
enum err approval_requests_cancel_approval(struct call *c) { return decide_and_say(c, APPROVAL_cancelApproval, "cancelled"); }

enum err approval_requests_cancel_mine(struct call *c)
{
	TRY(decide(c, APPROVAL_cancelMyRequest));
	return call_status(c, 204);
}

/* ---- the stored call, run as if its requester had sent it again ---- */

static bool is_of_every_answer(const char *name)
{
	return strcasecmp(name, "request-id") == 0 || strcasecmp(name, "client-request-id") == 0 || strcasecmp(name, "x-ms-ags-diagnostic") == 0;
}

static void take_answer(struct call *c, const struct http_response *r)
{
	const void *at = NULL;
	for (const struct http_field *f; (f = http_answer_field(r, &at)) != NULL;)
		if (!is_of_every_answer(f->name))
			http_response_header(c->out, f->name, f->value);
	c->out->status = r->status;
	c->out->content_type = r->content_type;
	buf_clear(&c->out->body);
	buf_add(&c->out->body, r->body.data, r->body.len);
}

enum err approval_requests_complete(struct call *c)
{
	struct approval_stored call;
	struct http_request in;
	struct http_response out;
	struct id request;
	char code[ID_TEXT];
	const char *reason;
	json_t *body;
	TRY(request_param(c, &request));
	TRY(call_body(c, false, &body));
	TRY(call_only(c, body, (const char *const[]){NULL}));
	TRY(approval_stored_call(&c->s, request, &call));
	struct http_field fields[] = {{APPROVAL_CODE_HEADER, id_format(request, code)}, {"Content-Type", "application/json"}};
	if (!http_inner(c->in, call.method, call.target, fields, call.body_len > 0 ? 2 : 1, &in, &reason))
		return scope_fail(&c->s, ERR_INTERNAL, "the stored call of an approval request cannot be sent");
	in.body = call.body;
	in.body_len = call.body_len;
	http_answer_begin(&out, c->s.arena);
	gate_step(c, &in, &out);
	take_answer(c, &out);
	http_answer_drop(&out);
	return OK;
}
