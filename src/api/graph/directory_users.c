/* SPDX-License-Identifier: Apache-2.0
 * users, and the groups that a user is a member of. */
#include "api/api.h"
#include "audit/audit_read.h"
#include "directory/user.h"
#include "resource/tables.h"

enum err users_list(struct call *c);
enum err users_create(struct call *c);
enum err users_get(struct call *c);
enum err users_patch(struct call *c);
enum err users_delete(struct call *c);
enum err users_member_of(struct call *c);

/* {user}: an id or a userPrincipalName. */
static enum err user_param(struct call *c, struct id *ret)
{
	TRY(user_resolve(&c->s, call_param(c, "user"), ret));
	c->s.subject = *ret;
	return OK;
}

/* The person's page: who looks at it is recorded. */
static enum err page_param(struct call *c, struct id *ret)
{
	TRY(user_param(c, ret));
	return audit_record_view(&c->s, *ret);
}

enum err users_list(struct call *c)
{
	struct resource_query q;
	TRY(call_query(c, &RES_USER, &q));
	return call_list(c, &q);
}

enum err users_create(struct call *c)
{
	json_t *body;
	struct record *r;
	struct id user;
	TRY(call_body(c, true, &body));
	TRY(record_parse(&c->s, &RES_USER, body, RECORD_CREATE, c->version, NULL, &r));
	TRY(user_create(&c->s, r, &user));
	return call_created(c, &RES_USER, user);
}

enum err users_get(struct call *c)
{
	struct resource_query q;
	struct id user;
	TRY(page_param(c, &user));
	TRY(call_query(c, &RES_USER, &q));
	return call_get(c, &q, user);
}

enum err users_patch(struct call *c)
{
	json_t *body;
	struct record *r;
	struct id user;
	TRY(user_param(c, &user));
	TRY(call_body(c, true, &body));
	TRY(record_parse(&c->s, &RES_USER, body, RECORD_PATCH, c->version, NULL, &r));
	TRY(user_patch(&c->s, user, r));
	return call_status(c, 204);
}

enum err users_delete(struct call *c)
{
	struct id user;
	TRY(user_param(c, &user));
	TRY(user_delete(&c->s, user));
	return call_status(c, 204);
}

/* Members of directoryObject collections say what they are. */
static enum err write_type(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id key, void *arg)
{
	jw_kstring(w, "@odata.type", "#microsoft.graph.group");
	return OK;
}

enum err users_member_of(struct call *c)
{
	struct resource_query q;
	struct id user;
	TRY(page_param(c, &user));
	TRY(call_query(c, &RES_GROUP, &q));
	struct db_value args[] = {db_v_id(&user)};
	q.extra_where = "t.group_id IN (SELECT m.group_id FROM group_members m WHERE m.tenant_id = ?1 AND m.user_id = ?2)";
	q.args = args;
	q.arg_count = 1;
	q.more = write_type;
	return call_list(c, &q);
}
