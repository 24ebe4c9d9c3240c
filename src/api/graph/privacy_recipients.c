/* SPDX-License-Identifier: Apache-2.0
 * deviceManagement/recipients and notices: who is told of erasures and alarms, and what became of it.  Reeve's own.  Under installation/ the
 * operator's, whose tenant is the installation itself. */
#include "api/api.h"
#include "http/reach.h"
#include "notice/recipient.h"
#include "resource/tables.h"

enum err recipients_list(struct call *c);
enum err recipients_create(struct call *c);
enum err recipients_get(struct call *c);
enum err recipients_patch(struct call *c);
enum err recipients_delete(struct call *c);
enum err recipients_notices(struct call *c);
enum err notices_list(struct call *c);

static enum err recipient_param(struct call *c, struct id *ret)
{
	TRY(call_param_id(c, "recipient", "recipient", ret));
	c->s.subject = *ret;
	return OK;
}

enum err recipients_list(struct call *c)
{
	struct resource_query q;
	TRY(call_query(c, &RES_RECIPIENT, &q));
	return call_list(c, &q);
}

static enum err answer(struct call *c, struct id recipient)
{
	struct resource_query q;
	TRY(call_query(c, &RES_RECIPIENT, &q));
	return call_get(c, &q, recipient);
}

enum err recipients_get(struct call *c)
{
	struct id recipient;
	TRY(recipient_param(c, &recipient));
	return answer(c, recipient);
}

/* ---- changes ---- */

static bool may_reach(const void *reach, const char *host)
{
	return reach_may_allow(reach, host);
}

static void set_default(struct record *r, const char *name, int64_t value)
{
	if (!record_has(r, name))
		record_set_int(r, name, value);
}

static enum err read_request(struct call *c, enum record_mode mode, struct recipient_request *q)
{
	json_t *body;
	struct record *r;
	TRY(call_body(c, true, &body));
	TRY(record_parse(&c->s, &RES_RECIPIENT, body, mode, c->version, (const char *const[]){"secret", NULL}, &r));
	*q = (struct recipient_request){.r = r, .may_reach = may_reach, .arg = c->server->reach};
	if (mode == RECORD_CREATE) {
		set_default(r, "enabled", 1);
		set_default(r, "receivesErasures", 0);
		set_default(r, "receivesAlarms", 0);
	}
	return call_string(c, body, "secret", false, &q->secret);
}

enum err recipients_create(struct call *c)
{
	struct recipient_request q;
	struct id recipient;
	TRY(read_request(c, RECORD_CREATE, &q));
	TRY(recipient_create(&c->s, &q, &recipient));
	return call_created(c, &RES_RECIPIENT, recipient);
}

enum err recipients_patch(struct call *c)
{
	struct recipient_request q;
	struct id recipient;
	TRY(recipient_param(c, &recipient));
	TRY(read_request(c, RECORD_PATCH, &q));
	TRY(recipient_patch(&c->s, recipient, &q));
	return answer(c, recipient);
}

enum err recipients_delete(struct call *c)
{
	struct id recipient;
	TRY(recipient_param(c, &recipient));
	TRY(recipient_delete(&c->s, recipient));
	return call_status(c, 204);
}

/* ---- notices ---- */

enum err notices_list(struct call *c)
{
	struct resource_query q;
	TRY(call_query(c, &RES_NOTICE, &q));
	return call_list(c, &q);
}

enum err recipients_notices(struct call *c)
{
	struct resource_query q;
	struct id recipient;
	struct db_value args[1];
	TRY(recipient_param(c, &recipient));
	TRY(recipient_exists(&c->s, recipient));
	TRY(call_query(c, &RES_NOTICE, &q));
	args[0] = db_v_id(&recipient);
	q.extra_where = "t.recipient_id = ?2";
	q.args = args;
	q.arg_count = 1;
	return call_list(c, &q);
}
