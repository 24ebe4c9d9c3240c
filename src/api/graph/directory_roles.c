/* SPDX-License-Identifier: Apache-2.0
 * roleManagement/directory: roles, and who holds them (Graph's unifiedRoleDefinition and unifiedRoleAssignment). */
#include <string.h>

#include "api/api.h"
#include "base/buf.h"
#include "base/limits.h"
#include "directory/access/assignment.h"
#include "directory/access/role.h"
#include "directory/access/role_change.h"
#include "resource/tables.h"

enum err roles_list(struct call *c);
enum err roles_get(struct call *c);
enum err roles_create(struct call *c);
enum err roles_patch(struct call *c);
enum err roles_delete(struct call *c);
enum err role_assignments_list(struct call *c);
enum err role_assignments_get(struct call *c);
enum err role_assignments_create(struct call *c);
enum err role_assignments_delete(struct call *c);

/* ---- roles ---- */

static enum err role_param(struct call *c, struct id *ret)
{
	TRY(call_param_id(c, "role", "role", ret));
	c->s.subject = *ret;
	return OK;
}

/* rolePermissions: [{"allowedResourceActions": […]}] */
static enum err write_role(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id key, void *arg)
{
	struct role role;
	if (!resource_selected(q, "rolePermissions"))
		return OK;
	TRY(role_by_id(tx, key, &role));
	jw_key(w, "rolePermissions");
	jw_array(w);
	jw_object(w);
	jw_key(w, "allowedResourceActions");
	jw_array(w);
	for (const char *p = role.permissions; *p != '\0';) {
		size_t n = strcspn(p, " ");
		jw_stringn(w, p, n);
		p += n + (p[n] != '\0');
	}
	jw_end_array(w);
	jw_end_object(w);
	jw_end_array(w);
	return OK;
}

static enum err role_query(struct call *c, struct resource_query *q)
{
	TRY(call_query(c, &RES_ROLE, q));
	q->more = write_role;
	return OK;
}

enum err roles_list(struct call *c)
{
	struct resource_query q;
	TRY(role_query(c, &q));
	return call_list(c, &q);
}

enum err roles_get(struct call *c)
{
	struct resource_query q;
	struct id role;
	TRY(role_param(c, &role));
	TRY(role_query(c, &q));
	return call_get(c, &q, role);
}

/* The names of one element's allowedResourceActions, appended with a space between; each once. */
static enum err read_actions(struct call *c, const json_t *element, struct buf *out)
{
	static const char *const allowed[] = {"allowedResourceActions", "condition", NULL};
	const json_t *names = json_object_get(element, "allowedResourceActions");
	size_t i;
	json_t *v;
	TRY(call_only(c, element, allowed));
	if (!json_is_array(names) || (json_object_get(element, "condition") != NULL && !json_is_null(json_object_get(element, "condition"))))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "rolePermissions: an element has allowedResourceActions, an array of strings, and no condition");
	json_array_foreach(names, i, v) {
		const char *name = json_string_value(v);
		if (name == NULL || strlen(name) != json_string_length(v) || *name == '\0' || strpbrk(name, " |") != NULL)
			return scope_fail(&c->s, ERR_BAD_REQUEST, "allowedResourceActions: each must be the name of a permission");
		if (out->len > 0 && permission_listed(out->data, name))
			continue;
		if (out->len > 0)
			buf_addc(out, ' ');
		buf_adds(out, name);
	}
	return OK;
}

/* rolePermissions of a body as a list; NULL where it has none. */
static enum err read_permissions(struct call *c, const json_t *body, const char **ret)
{
	const json_t *list = json_object_get(body, "rolePermissions");
	size_t i;
	json_t *v;
	auto_buf b;
	buf_init(&b, 16 * KIB);
	*ret = NULL;
	if (list == NULL)
		return OK;
	if (!json_is_array(list))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'rolePermissions' must be an array");
	json_array_foreach(list, i, v) {
		if (!json_is_object(v))
			return scope_fail(&c->s, ERR_BAD_REQUEST, "'rolePermissions' must be an array of objects");
		TRY(read_actions(c, v, &b));
	}
	if (b.failed)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'rolePermissions' is too long");
	*ret = b.len == 0 ? "" : arena_strndup(c->s.arena, b.data, b.len);
	return OK;
}

static const char *const ELSEWHERE[] = {"rolePermissions", NULL};

enum err roles_create(struct call *c)
{
	json_t *body;
	struct record *r;
	struct id role;
	const char *permissions;
	struct resource_query q;
	TRY(call_body(c, true, &body));
	TRY(record_parse(&c->s, &RES_ROLE, body, RECORD_CREATE, c->version, ELSEWHERE, &r));
	TRY(read_permissions(c, body, &permissions));
	TRY(role_create(&c->s, r, permissions == NULL ? "" : permissions, &role));
	TRY(role_query(c, &q));
	return call_created_as(c, &q, role);
}

enum err roles_patch(struct call *c)
{
	json_t *body;
	struct record *r;
	struct id role;
	const char *permissions;
	TRY(role_param(c, &role));
	TRY(call_body(c, true, &body));
	TRY(record_parse(&c->s, &RES_ROLE, body, RECORD_PATCH, c->version, ELSEWHERE, &r));
	TRY(read_permissions(c, body, &permissions));
	TRY(role_patch(&c->s, role, r, permissions));
	return call_status(c, 204);
}

enum err roles_delete(struct call *c)
{
	struct id role;
	TRY(role_param(c, &role));
	TRY(role_delete(&c->s, role));
	return call_status(c, 204);
}

/* ---- assignments ---- */

static enum err write_scope(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id key, void *arg)
{
	const char *scope;
	if (!resource_selected(q, "directoryScopeId"))
		return OK;
	TRY(assignment_scope(tx, key, &scope));
	jw_kstring(w, "directoryScopeId", scope);
	return OK;
}

static enum err assignment_query(struct call *c, struct resource_query *q)
{
	TRY(call_query(c, &RES_ROLE_ASSIGNMENT, q));
	q->more = write_scope;
	return OK;
}

static enum err assignment_param(struct call *c, struct id *ret)
{
	TRY(call_param_id(c, "roleassignment", "role assignment", ret));
	c->s.subject = *ret;
	return OK;
}

enum err role_assignments_list(struct call *c)
{
	struct resource_query q;
	TRY(assignment_query(c, &q));
	return call_list(c, &q);
}

enum err role_assignments_get(struct call *c)
{
	struct resource_query q;
	struct id assignment;
	TRY(assignment_param(c, &assignment));
	TRY(assignment_query(c, &q));
	return call_get(c, &q, assignment);
}

/* "/" or "/groups/{id}" */
static enum err read_scope(struct call *c, const char *text, struct id *ret)
{
	static const char groups[] = "/groups/";
	*ret = (struct id){0};
	if (text == NULL || strcmp(text, "/") == 0)
		return OK;
	if (strncmp(text, groups, sizeof groups - 1) != 0 || !id_parse(text + sizeof groups - 1, ret) || id_is_nil(*ret))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'directoryScopeId' must be \"/\" or \"/groups/{id}\" with a group of the tenant");
	return OK;
}

enum err role_assignments_create(struct call *c)
{
	static const char *const allowed[] = {"principalId", "roleDefinitionId", "directoryScopeId", NULL};
	json_t *body;
	const char *principal, *role, *scope;
	struct id principal_id, role_id, group, assignment;
	struct resource_query q;
	TRY(call_body(c, true, &body));
	TRY(call_only(c, body, allowed));
	TRY(call_string(c, body, "principalId", true, &principal));
	TRY(call_string(c, body, "roleDefinitionId", true, &role));
	TRY(call_string(c, body, "directoryScopeId", false, &scope));
	if (!id_parse(principal, &principal_id) || !id_parse(role, &role_id))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'principalId' and 'roleDefinitionId' must be ids");
	TRY(read_scope(c, scope, &group));
	c->s.subject = principal_id;
	TRY(assignment_create(&c->s, role_id, principal_id, group, &assignment));
	TRY(assignment_query(c, &q));
	return call_created_as(c, &q, assignment);
}

enum err role_assignments_delete(struct call *c)
{
	struct id assignment;
	TRY(assignment_param(c, &assignment));
	TRY(assignment_delete(&c->s, assignment));
	return call_status(c, 204);
}
