/* SPDX-License-Identifier: Apache-2.0
 * groups and their members. */
#include <string.h>
#include <strings.h>

#include "api/api.h"
#include "directory/group.h"
#include "directory/user.h"
#include "resource/tables.h"

enum err groups_list(struct call *c);
enum err groups_create(struct call *c);
enum err groups_get(struct call *c);
enum err groups_patch(struct call *c);
enum err groups_delete(struct call *c);
enum err group_members_list(struct call *c);
enum err group_members_add(struct call *c);
enum err group_members_remove(struct call *c);

static enum err group_param(struct call *c, struct id *ret)
{
	TRY(call_param_id(c, "group", "group", ret));
	c->s.subject = *ret;
	return OK;
}

enum err groups_list(struct call *c)
{
	struct resource_query q;
	TRY(call_query(c, &RES_GROUP, &q));
	return call_list(c, &q);
}

enum err groups_create(struct call *c)
{
	json_t *body;
	struct record *r;
	struct id group;
	TRY(call_body(c, true, &body));
	TRY(record_parse(&c->s, &RES_GROUP, body, RECORD_CREATE, c->version, NULL, &r));
	TRY(group_create(&c->s, r, &group));
	return call_created(c, &RES_GROUP, group);
}

enum err groups_get(struct call *c)
{
	struct resource_query q;
	struct id group;
	TRY(group_param(c, &group));
	TRY(call_query(c, &RES_GROUP, &q));
	return call_get(c, &q, group);
}

enum err groups_patch(struct call *c)
{
	json_t *body;
	struct record *r;
	struct id group;
	TRY(group_param(c, &group));
	TRY(call_body(c, true, &body));
	TRY(record_parse(&c->s, &RES_GROUP, body, RECORD_PATCH, c->version, NULL, &r));
	TRY(group_patch(&c->s, group, r));
	return call_status(c, 204);
}

enum err groups_delete(struct call *c)
{
	struct id group;
	TRY(group_param(c, &group));
	TRY(group_delete(&c->s, group));
	return call_status(c, 204);
}

/* ---- members ---- */

static enum err write_type(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id key, void *arg)
{
	jw_kstring(w, "@odata.type", "#microsoft.graph.user");
	return OK;
}

struct members {
	struct resource_query q;
	struct id group;
	struct db_value args[1];
};

static enum err members_query(struct call *c, struct members *m)
{
	TRY(group_param(c, &m->group));
	TRY(group_exists(&c->s, m->group));
	TRY(call_query(c, &RES_USER, &m->q));
	m->args[0] = db_v_id(&m->group);
	m->q.extra_where = "t.user_id IN (SELECT m.user_id FROM group_members m WHERE m.tenant_id = ?1 AND m.group_id = ?2)";
	m->q.args = m->args;
	m->q.arg_count = 1;
	m->q.more = write_type;
	return OK;
}

enum err group_members_list(struct call *c)
{
	struct members m;
	TRY(members_query(c, &m));
	return call_list(c, &m.q);
}

/* "https://…/v1.0/directoryObjects/{id}", ".../users/{id or UPN}"; the host is not looked at: clients send Graph's own. */
static enum err reference(struct call *c, const char *url, struct id *ret)
{
	static const char *const collections[] = {"/directoryObjects/", "/users/"};
	const char *last = strrchr(url, '/');
	for (size_t i = 0; last != NULL && i < 2; i++) {
		size_t n = strlen(collections[i]);
		if ((size_t)(last + 1 - url) < n || strncasecmp(last + 1 - n, collections[i], n) != 0)
			continue;
		const char *key = url_decode(c->s.arena, last + 1, strlen(last + 1), false);
		if (key != NULL)
			return user_resolve(&c->s, key, ret);
	}
	return scope_fail(&c->s, ERR_BAD_REQUEST, "@odata.id must be a URL that ends in /directoryObjects/{id} or /users/{id}");
}

enum err group_members_add(struct call *c)
{
	static const char *const allowed[] = {NULL};
	struct id group, user;
	json_t *body;
	const char *url;
	TRY(group_param(c, &group));
	TRY(call_body(c, true, &body));
	TRY(call_only(c, body, allowed));
	TRY(call_string(c, body, "@odata.id", true, &url));
	TRY(reference(c, url, &user));
	TRY(group_add_member(&c->s, group, user));
	return call_status(c, 204);
}

enum err group_members_remove(struct call *c)
{
	struct id group, user;
	TRY(group_param(c, &group));
	TRY(call_param_id(c, "member", "member", &user));
	TRY(group_remove_member(&c->s, group, user));
	return call_status(c, 204);
}
