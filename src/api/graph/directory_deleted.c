/* SPDX-License-Identifier: Apache-2.0
 * directory/deletedItems: users who can be restored. */
#include "api/api.h"
#include "audit/audit_read.h"
#include "directory/user.h"
#include "resource/tables.h"

enum err deleted_items_bare(struct call *c);
enum err deleted_users_list(struct call *c);
enum err deleted_items_get(struct call *c);
enum err deleted_items_restore(struct call *c);
enum err deleted_items_delete(struct call *c);

static enum err item_param(struct call *c, struct id *ret)
{
	TRY(call_param_id(c, "id", "deleted item", ret));
	c->s.subject = *ret;
	return OK;
}

enum err deleted_items_bare(struct call *c)
{
	return scope_fail(&c->s, ERR_BAD_REQUEST, "say which kind: GET /directory/deletedItems/microsoft.graph.user");
}

enum err deleted_users_list(struct call *c)
{
	struct resource_query q;
	TRY(call_query(c, &RES_DELETED_USER, &q));
	return call_list(c, &q);
}

enum err deleted_items_get(struct call *c)
{
	struct resource_query q;
	struct id user;
	TRY(item_param(c, &user));
	TRY(call_query(c, &RES_DELETED_USER, &q));
	TRY(call_get(c, &q, user));
	return audit_record_view(&c->s, user);
}

static enum err write_type(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id key, void *arg)
{
	jw_kstring(w, "@odata.type", "#microsoft.graph.user");
	return OK;
}

enum err deleted_items_restore(struct call *c)
{
	static const char *const allowed[] = {"newUserPrincipalName", "autoReconcileProxyConflict", NULL};
	struct resource_query q;
	struct id user;
	json_t *body;
	const char *upn;
	TRY(item_param(c, &user));
	TRY(call_body(c, false, &body));
	TRY(call_only(c, body, allowed));
	TRY(call_string(c, body, "newUserPrincipalName", false, &upn));
	TRY(user_restore(&c->s, user, upn));
	TRY(call_query(c, &RES_USER, &q));
	q.more = write_type;
	return call_get(c, &q, user);
}

enum err deleted_items_delete(struct call *c)
{
	struct id user;
	TRY(item_param(c, &user));
	TRY(user_delete_forever(&c->s, user));
	return call_status(c, 204);
}
