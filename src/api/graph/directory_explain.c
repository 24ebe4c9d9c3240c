/* SPDX-License-Identifier: Apache-2.0
 * roleManagement/directory/explain?principal=…&permission=… or &method=…&path=…: why somebody may or may not. */
#include <string.h>
#include <strings.h>

#include "api/api.h"
#include "api/router.h"
#include "base/limits.h"
#include "codec/form.h"
#include "directory/access/explain.h"
#include "directory/access/role.h"

enum err role_explain(struct call *c);

enum { PRINCIPAL, PERMISSION, METHOD, PATH, FIELDS };

/* ---- the question ---- */

/* A path as one would request it; without a version it is one of v1.0. */
static enum err find_required(struct call *c, const struct form_field *f, const struct route **ret)
{
	size_t n;
	struct route_match m;
	const struct route *table = route_table(&n);
	const char *path = f[PATH].value;
	bool bare = strncmp(path, "/v1.0/", 6) != 0 && strncmp(path, "/beta/", 6) != 0;
	path = arena_printf(c->s.arena, "%s%.*s", *path == '/' ? "" : "/", (int)strcspn(path, "?"), path);
	char *method = arena_strdup(c->s.arena, f[METHOD].value);
	for (char *p = method; *p != '\0'; p++)
		*p = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
	route_find(c->s.arena, table, n, ON_API, method, path, &m);
	if (m.route == NULL && bare)
		route_find(c->s.arena, table, n, ON_API, method, arena_printf(c->s.arena, "/v1.0%s", path), &m);
	if (m.route == NULL)
		return scope_fail(&c->s, ERR_BAD_REQUEST, m.other_method ? "this path is not served with that method" : "no such path is served");
	*ret = m.route;
	return OK;
}

static enum err check_known(struct call *c, const char *list)
{
	while (*list != '\0') {
		size_t n = strcspn(list, "|");
		if (!permission_known(arena_strndup(c->s.arena, list, n)))
			return scope_fail(&c->s, ERR_BAD_REQUEST, "there is no such permission");
		list += n + (list[n] != '\0');
	}
	return OK;
}

static enum err read_question(struct call *c, struct form_field *f, const struct route **ret_route, const char **ret_required)
{
	const char *query = c->in->query == NULL ? "" : c->in->query;
	*ret_route = NULL;
	if (!form_parse(c->s.arena, query, strlen(query), f, FIELDS))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "the query is malformed");
	if (*f[PRINCIPAL].value == '\0')
		return scope_fail(&c->s, ERR_BAD_REQUEST, "say who: principal=<id or userPrincipalName>");
	bool permission = *f[PERMISSION].value != '\0', path = *f[METHOD].value != '\0' && *f[PATH].value != '\0';
	if (permission == path)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "say what: permission=<name>, or method=<GET …> and path=</users …>");
	*ret_required = f[PERMISSION].value;
	if (permission)
		return check_known(c, f[PERMISSION].value);
	TRY(find_required(c, f, ret_route));
	*ret_required = (*ret_route)->permission;
	return OK;
}

/* ---- the answer ---- */

static const char *scope_id_of(struct call *c, struct id group)
{
	char text[ID_TEXT];
	return id_is_nil(group) ? "/" : arena_printf(c->s.arena, "/groups/%s", id_format(group, text));
}

static const char *in_words(struct call *c, const struct access_explanation *x, const char *required)
{
	if (*required == '\0')
		return "This needs no permission.";
	if (x->because_n > 0) {
		const struct access_because *b = &x->because[0];
		for (size_t i = 0; i < x->because_n; i++)
			if (id_is_nil(x->because[i].grant->scope_group))
				b = &x->because[i];
		return arena_printf(c->s.arena, "%s may, by the role %s%s%s%s%s.%s", x->who.name, b->grant->role_name,
				    b->group_name != NULL ? ", through the group " : "", b->group_name != NULL ? b->group_name : "",
				    b->scope_name != NULL ? ", for the members of " : ", for everybody", b->scope_name != NULL ? b->scope_name : "",
				    x->who.enabled ? "" : " But the account is disabled.");
	}
	return arena_printf(c->s.arena, "%s may not: no role that they hold has the permission %s.", x->who.name, required);
}

static void write_because(struct call *c, struct json_writer *w, const struct access_because *b)
{
	jw_object(w);
	jw_kid(w, "roleAssignmentId", b->grant->assignment);
	jw_kid(w, "roleDefinitionId", b->grant->role);
	jw_kstring(w, "roleDisplayName", b->grant->role_name);
	jw_kid(w, "groupId", b->grant->group);
	jw_kstring(w, "groupDisplayName", b->group_name);
	jw_kstring(w, "directoryScopeId", scope_id_of(c, b->grant->scope_group));
	jw_kstring(w, "scopeDisplayName", b->scope_name);
	jw_end_object(w);
}

static void write_giver(struct json_writer *w, const struct access_giver *g)
{
	jw_object(w);
	jw_kid(w, "principalId", g->who.principal);
	jw_kstring(w, "principalType", g->who.type);
	jw_kstring(w, "displayName", g->who.name);
	jw_kstring(w, "roleDisplayName", g->role_name);
	jw_end_object(w);
}

static void write_lists(struct call *c, struct json_writer *w, const struct access_explanation *x)
{
	jw_key(w, "through");
	jw_array(w);
	for (size_t i = 0; i < x->because_n; i++)
		write_because(c, w, &x->because[i]);
	jw_end_array(w);
	jw_key(w, "rolesThatAllow");
	jw_array(w);
	for (size_t i = 0; i < x->role_n; i++)
		jw_string(w, x->roles[i]);
	jw_end_array(w);
	jw_key(w, "whoCouldGive");
	jw_array(w);
	for (size_t i = 0; i < x->giver_n; i++)
		write_giver(w, &x->givers[i]);
	jw_end_array(w);
}

enum err role_explain(struct call *c)
{
	struct form_field f[FIELDS] = {{.name = "principal", .max_bytes = 320}, {.name = "permission", .max_bytes = 128}, {.name = "method", .max_bytes = 10},
				       {.name = "path", .max_bytes = 1024}};
	struct access_explanation x;
	const struct route *route;
	const char *required;
	TRY(read_question(c, f, &route, &required));
	TRY(access_explain(&c->s, f[PRINCIPAL].value, required, &x));
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(c->s.arena, "%s/$metadata#roleManagement/directory/explain", call_base_url(c)));
	jw_kid(&w, "principalId", x.who.principal);
	jw_kstring(&w, "principalType", x.who.type);
	jw_kstring(&w, "principalDisplayName", x.who.name);
	jw_kbool(&w, "principalEnabled", x.who.enabled);
	jw_kstring(&w, "route", route == NULL ? NULL : arena_printf(c->s.arena, "%s %s", route->method, route->path));
	jw_kstring(&w, "permission", required);
	jw_kbool(&w, "allowed", x.allowed);
	jw_kstring(&w, "explanation", in_words(c, &x, required));
	write_lists(c, &w, &x);
	jw_end_object(&w);
	return OK;
}
