/* SPDX-License-Identifier: Apache-2.0
 * deviceManagement/legalHolds, their members and evidence; and the holds of a person, a device, a case.  Reeve's own. */
#include "api/api.h"
#include "privacy/export/export.h"
#include "privacy/hold/evidence.h"
#include "privacy/hold/legal_hold.h"
#include "resource/tables.h"

enum err holds_list(struct call *c);
enum err holds_create(struct call *c);
enum err holds_get(struct call *c);
enum err holds_patch(struct call *c);
enum err holds_release(struct call *c);
enum err hold_members_list(struct call *c);
enum err hold_members_add(struct call *c);
enum err hold_members_remove(struct call *c);
enum err hold_evidence_list(struct call *c);
enum err hold_evidence_collect(struct call *c);
enum err holds_of_user(struct call *c);
enum err holds_of_device(struct call *c);
enum err holds_of_request(struct call *c);

static enum err hold_param(struct call *c, struct id *ret)
{
	TRY(call_param_id(c, "hold", "legal hold", ret));
	c->s.subject = *ret;
	return OK;
}

enum err holds_list(struct call *c)
{
	struct resource_query q;
	TRY(call_query(c, &RES_LEGAL_HOLD, &q));
	return call_list(c, &q);
}

static enum err answer(struct call *c, struct id hold)
{
	struct resource_query q;
	TRY(call_query(c, &RES_LEGAL_HOLD, &q));
	return call_get(c, &q, hold);
}

enum err holds_get(struct call *c)
{
	struct id hold;
	TRY(hold_param(c, &hold));
	return answer(c, hold);
}

/* ---- changes ---- */

static enum err read_record(struct call *c, enum record_mode mode, struct record **ret)
{
	json_t *body;
	TRY(call_body(c, true, &body));
	return record_parse(&c->s, &RES_LEGAL_HOLD, body, mode, c->version, NULL, ret);
}

enum err holds_create(struct call *c)
{
	struct record *r;
	struct id hold;
	TRY(read_record(c, RECORD_CREATE, &r));
	TRY(legal_hold_create(&c->s, r, &hold));
	return call_created(c, &RES_LEGAL_HOLD, hold);
}

enum err holds_patch(struct call *c)
{
	struct record *r;
	struct id hold;
	TRY(hold_param(c, &hold));
	TRY(read_record(c, RECORD_PATCH, &r));
	TRY(legal_hold_patch(&c->s, hold, r));
	return answer(c, hold);
}

enum err holds_release(struct call *c)
{
	static const char *const allowed[] = {"reason", NULL};
	json_t *body;
	struct id hold;
	const char *reason;
	TRY(hold_param(c, &hold));
	TRY(call_body(c, true, &body));
	TRY(call_only(c, body, allowed));
	TRY(call_string(c, body, "reason", true, &reason));
	TRY(legal_hold_release(&c->s, hold, reason));
	return answer(c, hold);
}

/* ---- members ---- */

static enum err list_of(struct call *c, struct resource_query *q, struct id hold)
{
	struct db_value *arg = arena_alloc(c->s.arena, sizeof *arg);
	struct id *key = arena_memdup(c->s.arena, &hold, sizeof hold);
	*arg = db_v_id(key);
	q->extra_where = "t.hold_id = ?2";
	q->args = arg;
	q->arg_count = 1;
	TRY(legal_hold_has(&c->s, &RES_LEGAL_HOLD, hold));
	return call_list(c, q);
}

enum err hold_members_list(struct call *c)
{
	struct resource_query q;
	struct id hold;
	TRY(hold_param(c, &hold));
	TRY(call_query(c, &RES_LEGAL_HOLD_MEMBER, &q));
	return list_of(c, &q, hold);
}

static enum err read_thing(struct call *c, const json_t *body, struct legal_hold_thing *t)
{
	static const char *const allowed[] = {"userId", "userPrincipalName", "deviceId", "sections", NULL};
	const char *user, *upn, *device;
	TRY(call_only(c, body, allowed));
	TRY(call_string(c, body, "userId", false, &user));
	TRY(call_string(c, body, "userPrincipalName", false, &upn));
	TRY(call_string(c, body, "deviceId", false, &device));
	if ((user != NULL) + (upn != NULL) + (device != NULL) != 1)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "one of userId, userPrincipalName and deviceId is required");
	*t = (struct legal_hold_thing){.user = user != NULL ? user : upn, .sections = json_object_get(body, "sections")};
	if (device != NULL && !id_parse(device, &t->device))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'deviceId' is no id");
	return OK;
}

enum err hold_members_add(struct call *c)
{
	json_t *body;
	struct id hold, member;
	struct legal_hold_thing t;
	struct resource_query q;
	TRY(hold_param(c, &hold));
	TRY(call_body(c, true, &body));
	TRY(read_thing(c, body, &t));
	TRY(legal_hold_add(&c->s, hold, &t, &member));
	TRY(call_query(c, &RES_LEGAL_HOLD_MEMBER, &q));
	TRY(call_get(c, &q, member));
	c->out->status = 201;
	return OK;
}

enum err hold_members_remove(struct call *c)
{
	struct id hold, member;
	TRY(hold_param(c, &hold));
	TRY(call_param_id(c, "part", "member", &member));
	TRY(legal_hold_remove(&c->s, hold, member));
	return call_status(c, 204);
}

/* ---- evidence ---- */

static enum err write_evidence(struct scope *s, struct json_writer *w, const struct resource_query *q, const char *p, size_t n)
{
	return evidence_write(s, w, q->odata.select, p, n);
}

enum err hold_evidence_list(struct call *c)
{
	struct resource_query q;
	struct id hold;
	TRY(hold_param(c, &hold));
	TRY(call_query(c, &RES_LEGAL_HOLD_EVIDENCE, &q));
	q.content = write_evidence;
	TRY(evidence_record_read(&c->s, hold));
	return list_of(c, &q, hold);
}

enum err hold_evidence_collect(struct call *c)
{
	struct id hold;
	uint64_t copied;
	TRY(hold_param(c, &hold));
	TRY(evidence_collect(&c->s, hold, &copied));
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kint(&w, "eventsCopied", (int64_t)copied);
	jw_end_object(&w);
	return OK;
}

/* ---- beside what is held ---- */

#define HOLDS_OF(condition) "t.hold_id IN (SELECT m.hold_id FROM legal_hold_members m WHERE m.tenant_id = ?1 AND " condition ")"

/* of: what key names. */
static enum err holds_where(struct call *c, const struct resource *of, const char *where, struct id key)
{
	struct resource_query q;
	struct db_value args[1];
	TRY(legal_hold_has(&c->s, of, key));
	TRY(call_query(c, &RES_LEGAL_HOLD, &q));
	args[0] = db_v_id(&key);
	q.extra_where = where;
	q.args = args;
	q.arg_count = 1;
	return call_list(c, &q);
}

enum err holds_of_user(struct call *c)
{
	struct id user;
	if (!id_parse(call_param(c, "user"), &user)) /* by id also a person who is out of sight already */
		TRY(export_resolve(&c->s, call_param(c, "user"), &user));
	return holds_where(c, &RES_USER, HOLDS_OF("m.user_id = ?2"), user);
}

enum err holds_of_device(struct call *c)
{
	struct id device;
	TRY(call_param_id(c, "device", "managed device", &device));
	return holds_where(c, &RES_MANAGED_DEVICE, HOLDS_OF("m.device_id = ?2"), device);
}

enum err holds_of_request(struct call *c)
{
	struct id request;
	TRY(call_param_id(c, "request", "data-subject request", &request));
	return holds_where(c, &RES_DATA_SUBJECT_REQUEST,
			   HOLDS_OF("m.user_id = (SELECT q.user_id FROM data_subject_requests q WHERE q.tenant_id = ?1 AND q.request_id = ?2)"), request);
}
