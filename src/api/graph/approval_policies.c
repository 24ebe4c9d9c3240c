/* SPDX-License-Identifier: Apache-2.0
 * deviceManagement/operationApprovalPolicies: what needs a second person. */
#include <string.h>
#include <strings.h>

#include "api/api.h"
#include "directory/approval/policy.h"
#include "resource/tables.h"

enum err approval_policies_list(struct call *c);
enum err approval_policies_create(struct call *c);
enum err approval_policies_get(struct call *c);
enum err approval_policies_patch(struct call *c);
enum err approval_policies_delete(struct call *c);
enum err approval_policies_approvable(struct call *c);
enum err approval_policies_requiring(struct call *c);

static enum err query(struct call *c, struct resource_query *q)
{
	TRY(call_query(c, &RES_APPROVAL_POLICY, q));
	q->more = approval_policy_more;
	return OK;
}

static enum err policy_param(struct call *c, struct id *ret)
{
	TRY(call_param_id(c, "policy", "approval policy", ret));
	c->s.subject = *ret;
	return OK;
}

enum err approval_policies_list(struct call *c)
{
	struct resource_query q;
	TRY(query(c, &q));
	return call_list(c, &q);
}

static enum err answer(struct call *c, struct id policy)
{
	struct resource_query q;
	TRY(query(c, &q));
	return call_get(c, &q, policy);
}

enum err approval_policies_get(struct call *c)
{
	struct id policy;
	TRY(policy_param(c, &policy));
	return answer(c, policy);
}

/* Graph's clients say the type in policySet, or beside it, or both. */
static enum err take_policy_set(struct call *c, json_t *body)
{
	json_t *set = json_object_get(body, "policySet"), *type = json_object_get(set, "policyType"), *beside = json_object_get(body, "policyType");
	json_t *platform = json_object_get(set, "policyPlatform");
	if (set != NULL && !json_is_object(set))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'policySet' must be an object");
	if (type != NULL && beside == NULL && json_is_string(type))
		json_object_set(body, "policyType", type);
	else if (type != NULL && (!json_is_string(type) || !json_is_string(beside) || strcasecmp(json_string_value(type), json_string_value(beside)) != 0))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'policySet' says another policyType");
	if (platform != NULL && (!json_is_string(platform) || strcasecmp(json_string_value(platform), "notApplicable") != 0))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "policyPlatform must be notApplicable: a policy holds for every platform");
	return OK;
}

static enum err read_policy(struct call *c, enum record_mode mode, struct record **ret)
{
	static const char *const extra[] = {"policySet", NULL};
	json_t *body;
	TRY(call_body(c, true, &body));
	if (mode == RECORD_CREATE)
		TRY(take_policy_set(c, body));
	return record_parse(&c->s, &RES_APPROVAL_POLICY, body, mode, c->version, mode == RECORD_CREATE ? extra : NULL, ret);
}

enum err approval_policies_create(struct call *c)
{
	struct record *r;
	struct id policy;
	char text[ID_TEXT];
	TRY(read_policy(c, RECORD_CREATE, &r));
	TRY(approval_policy_create(&c->s, r, &policy));
	TRY(answer(c, policy));
	http_response_header(c->out, "Location",
			     arena_printf(c->s.arena, "%s/%s/%s", call_base_url(c), RES_APPROVAL_POLICY.context, id_format(policy, text)));
	c->out->status = 201;
	return OK;
}

enum err approval_policies_patch(struct call *c)
{
	struct record *r;
	struct id policy;
	TRY(policy_param(c, &policy));
	TRY(read_policy(c, RECORD_PATCH, &r));
	TRY(approval_policy_patch(&c->s, policy, r));
	return answer(c, policy);
}

enum err approval_policies_delete(struct call *c)
{
	struct id policy;
	TRY(policy_param(c, &policy));
	TRY(approval_policy_delete(&c->s, policy));
	return call_status(c, 204);
}

/* ---- functions ---- */

static void write_sets(struct call *c, unsigned profiles)
{
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context",
		   arena_printf(c->s.arena, "%s/$metadata#Collection(microsoft.graph.operationApprovalPolicySet)", call_base_url(c)));
	jw_key(&w, "value");
	jw_array(&w);
	for (unsigned p = 0; p < APPROVAL_PROFILES; p++)
		if (profiles & 1u << p)
			approval_policy_write_set(&w, (enum approval_profile)p);
	jw_end_array(&w);
	jw_end_object(&w);
}

enum err approval_policies_approvable(struct call *c)
{
	write_sets(c, (1u << APPROVAL_PROFILES) - 1);
	return OK;
}

enum err approval_policies_requiring(struct call *c)
{
	unsigned on;
	TRY(approval_policies_on(&c->s, &on));
	write_sets(c, on);
	return OK;
}
