/* SPDX-License-Identifier: Apache-2.0
 *
 * reeve role: who may do what.  Roles, people, groups and programs are named as people name them: a role and a group by its display name, a person
 * by the userPrincipalName, a program by its display name, and anything by its id.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/limits.h"
#include "cmd/cmd.h"
#include "cmd/verbs.h"
#include "codec/odata.h"

int cmd_role(int argc, char **argv);

#define RM "/v1.0/roleManagement/directory"

static const char MORE_HELP[] =
	"  show          ROLE: what it allows\n"
	"  holders       who was given which role, and for whom; an application's own role: reeve api GET /v1.0/applications\n"
	"  assign        WHO ROLE [--for GROUP]: gives it, for everybody or for the members of a group\n"
	"  unassign      WHO ROLE [--for GROUP]: takes it\n"
	"  explain       WHO METHOD PATH, or WHO PERMISSION: whether they may, and why\n"
	"  admit         ROLE HOURS REASON: lets the installation's operator in\n"
	"  admitted      what the installation's operator may do here, and until when\n";

/* ---- names ---- */

/* The id of the only object of a list that has this display name; NULL: there is none, or several. */
static const char *by_name(struct client *c, const char *list, const char *name, size_t *ret_n)
{
	struct client_answer a;
	auto_buf b;
	buf_init(&b, 4096);
	*ret_n = 0;
	for (const char *p = name; *p != '\0'; p++) {
		if (*p == '\'') /* doubled in OData's literals */
			buf_addc(&b, '\'');
		buf_addc(&b, *p);
	}
	if (b.failed || b.len == 0)
		return NULL;
	const char *path = arena_printf(c->arena, "%s?$filter=displayName%%20eq%%20'%s'", list, url_encode(c->arena, b.data));
	if (client_call(c, "GET", path, NULL, &a) != 0) {
		json_decref(a.json);
		return NULL;
	}
	const json_t *found = json_object_get(a.json, "value");
	const char *id = json_string_value(json_object_get(json_array_get(found, 0), "id"));
	*ret_n = json_array_size(found);
	const char *ret = *ret_n == 1 && id != NULL ? arena_strdup(c->arena, id) : NULL;
	json_decref(a.json);
	return ret;
}

static const char *find_in(struct client *c, const char *const *lists, const char *what, const char *name)
{
	struct id id;
	size_t n = 0;
	const char *found = NULL;
	if (id_parse(name, &id))
		return name;
	for (; *lists != NULL && found == NULL && n < 2; lists++)
		found = by_name(c, *lists, name, &n);
	if (found == NULL)
		cmd_fail(c->command, ERR_NOT_FOUND, "there is %s %s '%s'", n > 1 ? "more than one" : "no", what, name);
	return found;
}

static const char *find_role(struct client *c, const char *name)
{
	static const char *const lists[] = {RM "/roleDefinitions", NULL};
	return find_in(c, lists, "role", name);
}

static const char *find_group(struct client *c, const char *name)
{
	static const char *const lists[] = {"/v1.0/groups", NULL};
	return find_in(c, lists, "group", name);
}

static const char *find_principal(struct client *c, const char *name)
{
	static const char *const lists[] = {"/v1.0/groups", "/v1.0/applications", NULL};
	struct client_answer a;
	if (strchr(name, '@') == NULL)
		return find_in(c, lists, "person, group or application", name);
	int code = client_call(c, "GET", arena_printf(c->arena, "/v1.0/users/%s?$select=id", url_encode(c->arena, name)), NULL, &a);
	const char *id = code == 0 ? json_string_value(json_object_get(a.json, "id")) : NULL;
	const char *ret = id == NULL ? NULL : arena_strdup(c->arena, id);
	json_decref(a.json);
	return ret;
}

/* ---- verbs ---- */

static int ask(struct client *c, const char *method, const char *path, const char *body)
{
	struct client_answer a;
	int code = client_call(c, method, path, body, &a);
	if (code == 0)
		verbs_show(c, &a, NULL);
	json_decref(a.json);
	return code;
}

static int show(struct client *c, char **argv)
{
	struct client_answer a;
	size_t i;
	json_t *name;
	const char *role = find_role(c, argv[0]);
	if (role == NULL)
		return err_exit_code(ERR_NOT_FOUND);
	int code = client_call(c, "GET", arena_printf(c->arena, RM "/roleDefinitions/%s", role), NULL, &a);
	if (code == 0 && c->json)
		verbs_show(c, &a, NULL);
	const json_t *list = json_object_get(json_array_get(json_object_get(a.json, "rolePermissions"), 0), "allowedResourceActions");
	json_array_foreach((json_t *)list, i, name)
		if (code == 0 && !c->json)
			puts(json_string_value(name));
	json_decref(a.json);
	return code;
}

struct target {
	const char *principal, *role, *scope;
};

static bool find_target(struct client *c, char **argv, const char *group, struct target *t)
{
	const char *id = group == NULL ? NULL : find_group(c, group);
	t->principal = group == NULL || id != NULL ? find_principal(c, argv[0]) : NULL;
	t->role = t->principal == NULL ? NULL : find_role(c, argv[1]);
	t->scope = id == NULL ? "/" : arena_printf(c->arena, "/groups/%s", id);
	return t->role != NULL;
}

static int assign(struct client *c, char **argv, const char *group)
{
	struct target t;
	if (!find_target(c, argv, group, &t))
		return err_exit_code(ERR_NOT_FOUND);
	return ask(c, "POST", RM "/roleAssignments",
		   arena_printf(c->arena, "{\"principalId\":\"%s\",\"roleDefinitionId\":\"%s\",\"directoryScopeId\":\"%s\"}", t.principal, t.role, t.scope));
}

static int unassign(struct client *c, char **argv, const char *group)
{
	struct target t;
	struct client_answer a;
	size_t i;
	json_t *row;
	const char *id = NULL;
	if (!find_target(c, argv, group, &t))
		return err_exit_code(ERR_NOT_FOUND);
	int code = client_call(c, "GET", arena_printf(c->arena, RM "/roleAssignments?$filter=principalId%%20eq%%20'%s'", t.principal), NULL, &a);
	json_array_foreach(json_object_get(a.json, "value"), i, row) {
		const char *role = json_string_value(json_object_get(row, "roleDefinitionId"));
		const char *scope = json_string_value(json_object_get(row, "directoryScopeId"));
		if (role != NULL && scope != NULL && strcasecmp(role, t.role) == 0 && strcasecmp(scope, t.scope) == 0)
			id = arena_strdup(c->arena, json_string_value(json_object_get(row, "id")));
	}
	json_decref(a.json);
	if (code != 0)
		return code;
	if (id == NULL)
		return cmd_fail(c->command, ERR_NOT_FOUND, "'%s' does not have the role '%s' there", argv[0], argv[1]);
	return ask(c, "DELETE", arena_printf(c->arena, RM "/roleAssignments/%s", id), NULL);
}

/* What the thing of this id in a list is called; the id itself where whoever asks may not read that.  names: those that are known already. */
static const char *name_of(struct client *c, json_t *names, const char *list, const char *property, const char *id)
{
	auto_buf b;
	long status = 0;
	const char *detail;
	buf_init(&b, MIB);
	if (json_object_get(names, id) == NULL) {
		json_t *j = client_fetch(c, arena_printf(c->arena, "%s/%s", list, id), &b, &status, &detail) == OK && status == 200
				    ? json_loadb(b.data, b.len, 0, NULL) : NULL;
		json_t *name = json_object_get(j, property);
		json_object_set_new(names, id, json_is_string(name) ? json_incref(name) : json_string(id));
		json_decref(j);
	}
	return json_string_value(json_object_get(names, id));
}

/* Beside each id of a row what it is called. */
static void add_names(struct client *c, json_t *names, json_t *row)
{
	const char *principal = json_string_value(json_object_get(row, "principalId")), *role = json_string_value(json_object_get(row, "roleDefinitionId"));
	const char *type = json_string_value(json_object_get(row, "principalType")), *scope = json_string_value(json_object_get(row, "directoryScopeId"));
	bool user = type != NULL && strcmp(type, "user") == 0;
	if (principal != NULL && type != NULL)
		json_object_set_new(row, "principal", json_string(name_of(c, names, arena_printf(c->arena, "/v1.0/%ss", type),
									  user ? "userPrincipalName" : "displayName", principal)));
	if (role != NULL)
		json_object_set_new(row, "role", json_string(name_of(c, names, RM "/roleDefinitions", "displayName", role)));
	if (scope != NULL)
		json_object_set_new(row, "for", strncmp(scope, "/groups/", 8) == 0
							? json_string(name_of(c, names, "/v1.0/groups", "displayName", scope + 8)) : json_string("everybody"));
}

static int list(struct client *c, const char *path, const char *query, const char *columns)
{
	json_t *names = json_object();
	char *asked = query == NULL ? NULL : arena_printf(c->arena, "%s?%s", path, query);
	for (char *p = asked == NULL ? NULL : strchr(asked, ' '); p != NULL; p = strchr(p, ' '))
		*p = '+'; /* $filter as people type it */
	path = asked == NULL ? path : asked;
	int code = 0;
	while (code == 0 && path != NULL) {
		struct client_answer a = {0};
		size_t i;
		json_t *row;
		code = client_call(c, "GET", path, NULL, &a);
		if (code == 0 && !c->json)
			json_array_foreach(json_object_get(a.json, "value"), i, row)
				add_names(c, names, row);
		if (code == 0)
			verbs_show(c, &a, columns);
		const char *next = json_string_value(json_object_get(a.json, "@odata.nextLink"));
		path = next == NULL || c->json ? NULL : arena_strdup(c->arena, next);
		json_decref(a.json);
	}
	json_decref(names);
	return code;
}

static void say(const json_t *x)
{
	size_t i;
	json_t *row;
	printf("%s: %s\n", json_is_true(json_object_get(x, "allowed")) ? "yes" : "no", json_string_value(json_object_get(x, "explanation")));
	if (json_is_true(json_object_get(x, "allowed")))
		return;
	json_array_foreach(json_object_get(x, "rolesThatAllow"), i, row)
		printf("a role that allows it: %s\n", json_string_value(row));
	json_array_foreach(json_object_get(x, "whoCouldGive"), i, row)
		printf("who could give one: %s\n", json_string_value(json_object_get(row, "displayName")));
}

static int explain(struct client *c, int argc, char **argv)
{
	struct client_answer a;
	struct id id;
	const char *who = strchr(argv[0], '@') != NULL || id_parse(argv[0], &id) ? argv[0] : find_principal(c, argv[0]);
	if (who == NULL)
		return err_exit_code(ERR_NOT_FOUND);
	const char *what = argc == 2 ? arena_printf(c->arena, "permission=%s", url_encode(c->arena, argv[1]))
				     : arena_printf(c->arena, "method=%s&path=%s", url_encode(c->arena, argv[1]), url_encode(c->arena, argv[2]));
	int code = client_call(c, "GET", arena_printf(c->arena, RM "/explain?principal=%s&%s", url_encode(c->arena, who), what), NULL, &a);
	if (code == 0 && c->json)
		verbs_show(c, &a, NULL);
	else if (code == 0)
		say(a.json);
	json_decref(a.json);
	return code;
}

static int admit(struct client *c, char **argv)
{
	char until[TIME_TEXT];
	const char *role = find_role(c, argv[0]);
	long hours = strtol(argv[1], NULL, 10);
	if (role == NULL)
		return err_exit_code(ERR_NOT_FOUND);
	if (hours < 1 || hours > 30 * 24)
		return cmd_fail(c->command, ERR_USAGE, "HOURS is a number from 1 to 720");
	json_t *body = json_pack("{s:s,s:s,s:s}", "roleDefinitionId", role, "reason", argv[2], "expirationDateTime",
				 time_format(clock_now() + hours * 3600 * SECOND_US, until));
	char *text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);
	int code = text == NULL ? cmd_fail(c->command, ERR_USAGE, "REASON must be text in UTF-8") : ask(c, "POST", RM "/operatorAccess", text);
	free(text);
	json_decref(body);
	return code;
}

static int run(struct client *c, int argc, char **argv, const char *group, const char *query)
{
	const char *verb = argv[0];
	argv++;
	argc--;
	if (strcmp(verb, "show") == 0 && argc == 1)
		return show(c, argv);
	if (strcmp(verb, "holders") == 0 && argc == 0)
		return list(c, RM "/roleAssignments", query, "principalType,principal,role,for,id");
	if (strcmp(verb, "admitted") == 0 && argc == 0)
		return list(c, RM "/operatorAccess", query, "expirationDateTime,role,operatorId,reason,id");
	if (strcmp(verb, "assign") == 0 && argc == 2)
		return assign(c, argv, group);
	if (strcmp(verb, "unassign") == 0 && argc == 2)
		return unassign(c, argv, group);
	if (strcmp(verb, "explain") == 0 && (argc == 2 || argc == 3))
		return explain(c, argc, argv);
	if (strcmp(verb, "admit") == 0 && argc == 3)
		return admit(c, argv);
	return cmd_fail(c->command, ERR_USAGE, "see 'reeve role --help'");
}

static bool is_ours(const char *verb)
{
	static const char *const ours[] = {"show", "assign", "unassign", "explain", "admit", "holders", "admitted"};
	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
		if (strcmp(verb, ours[i]) == 0)
			return true;
	return false;
}

int cmd_role(int argc, char **argv)
{
	struct client c;
	if (argc < 2 || !is_ours(argv[1]) || cmd_wants_help(argc, argv, ""))
		return verbs_run(argc, argv, false, MORE_HELP);
	const char *group = option_take(&argc, argv, "--for"), *query = option_take(&argc, argv, "--query");
	int code = client_open(&c, "role", false, &argc, argv);
	if (code == 0)
		code = run(&c, argc - 1, argv + 1, group, query);
	client_close(&c);
	return code;
}
