/* SPDX-License-Identifier: Apache-2.0
 * scope_groups.def, asked once for each request of an actor with scope groups. */
#include "api/scope_groups.h"

#include <string.h>

#include "api/graph/intune.h"
#include "directory/user.h"
#include "resource/tables.h"

static const struct scope_param {
	const char *name;
	const struct resource *res;
} PARAMS[] = {
#define SCOPE_PARAM(name_, resource_) {name_, &RES_##resource_},
#include "api/scope_groups.def"
};

static const struct scope_route ROUTES[] = {
#define SCOPE_ROUTE(method_, path_, rule_, why_) {.method = method_, .path = path_, .why = why_, .rule = SCOPE_##rule_},
#include "api/scope_groups.def"
};

const struct scope_route *scope_routes(size_t *ret_n)
{
	*ret_n = sizeof ROUTES / sizeof ROUTES[0];
	return ROUTES;
}

static const struct resource *resource_of(const char *param, size_t n)
{
	for (size_t i = 0; i < sizeof PARAMS / sizeof PARAMS[0]; i++)
		if (strlen(PARAMS[i].name) == n && memcmp(PARAMS[i].name, param, n) == 0)
			return PARAMS[i].res;
	return NULL;
}

static const char *below_version(const char *path)
{
	return strncmp(path, "/{v}", 4) == 0 ? path + 4 : path;
}

static bool names_somebody(const char *path)
{
	for (const char *p = strchr(path, '{'); p != NULL; p = strchr(p + 1, '{'))
		if (resource_of(p + 1, strcspn(p + 1, "}")) != NULL)
			return true;
	return false;
}

enum scope_rule scope_rule_of(const struct route *r)
{
	const char *path = below_version(r->path);
	size_t n;
	for (size_t i = 0; i < sizeof ROUTES / sizeof ROUTES[0]; i++)
		if (strcmp(ROUTES[i].method, r->method) == 0 && strcmp(ROUTES[i].path, path) == 0)
			return ROUTES[i].rule;
	if (names_somebody(path))
		return SCOPE_OF_PARAM;
	const struct intune_row *nothing = intune_rows(&n); /* rows that answer with nothing, whoever asks */
	for (size_t i = 0; i < n && *path == '/'; i++)
		if (strcmp(nothing[i].path, path + 1) == 0 && strcmp(r->method, "GET") == 0)
			return SCOPE_OPEN;
	return SCOPE_UNDECIDED;
}

/* ---- one request ---- */

static enum err out_of_reach(struct scope *s)
{
	return scope_fail(s, ERR_NOT_FOUND, "%s", err_text(ERR_NOT_FOUND));
}

struct reached {
	const struct resource *res;
	struct id key;
};

static enum err reached_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct reached *r = arg;
	return resource_reachable(tx, r->res, r->key);
}

static enum err check_param(struct call *c, const char *value, const struct resource *res)
{
	struct reached r = {.res = res};
	if (!id_parse(value, &r.key)) {
		if (res != &RES_USER)
			return out_of_reach(&c->s);
		TRY(user_resolve(&c->s, value, &r.key));
	}
	return db_read(&c->s, reached_tx, &r);
}

enum err scope_groups_check(struct call *c)
{
	if (c->s.actor.only == NULL)
		return OK;
	c->s.actor.only = scope_groups_parse(c->s.arena, scope_groups_text(c->s.arena, c->s.actor.only)); /* in one order: the tokens of pages hold it */
	enum scope_rule rule = scope_rule_of(c->route);
	if (rule == SCOPE_WHOLE || rule == SCOPE_UNDECIDED)
		return scope_fail(&c->s, ERR_FORBIDDEN, "this needs the permission %s for the whole tenant", c->route->permission);
	for (size_t i = 0; i < c->param_count; i++) {
		const struct resource *res = resource_of(c->param[i].name, strlen(c->param[i].name));
		if (res != NULL)
			TRY(check_param(c, c->param[i].value, res));
	}
	return OK;
}

const char *scope_groups_detail(const struct call *c, enum err err)
{
	return c->s.actor.only != NULL && err == ERR_NOT_FOUND ? err_text(err) : scope_detail(&c->s, err);
}
