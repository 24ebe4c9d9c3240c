/* SPDX-License-Identifier: Apache-2.0
 * Why somebody may or may not. */
#include "directory/access/explain.h"

#include <string.h>

#include "directory/access/role.h"
#include "directory/access/rule.h"
#include "directory/user.h"

#define MAY_GIVE "RoleManagement.ReadWrite.Directory"

DB_TENANT(explain_principal,
	  "SELECT 'user', display_name, account_enabled FROM users WHERE tenant_id = ?1 AND user_id = ?2 AND deleted_at IS NULL UNION ALL "
	  "SELECT 'group', display_name, 1 FROM groups WHERE tenant_id = ?1 AND group_id = ?2 UNION ALL "
	  "SELECT 'application', display_name, enabled FROM applications WHERE tenant_id = ?1 AND application_id = ?2");
DB_TENANT(explain_roles, "SELECT role_id, display_name, built_in, permissions FROM roles WHERE tenant_id = ?1 ORDER BY display_name");
/* A tenant has tens of applications, not thousands: its own rows are read by the key's first column. */
DB_TENANT(explain_holders, "SELECT principal_id FROM role_assignments WHERE tenant_id = ?1 AND role_id = ?2 AND scope_group_id IS NULL UNION ALL "
			   "SELECT application_id FROM applications WHERE tenant_id = ?1 AND role_id = ?2 LIMIT ?3");

struct explaining {
	struct id principal;
	const char *required;
	struct access_explanation *ret;
};

static enum err find_principal(struct db_tx *tx, struct id principal, struct access_principal *ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &explain_principal, DB_ARGS(db_v_id(&principal)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "there is no such user, group or application");
	TRY(e);
	*ret = (struct access_principal){.principal = principal, .type = db_text_dup(r, 0, s->arena), .name = db_text_dup(r, 1, s->arena),
					 .enabled = db_bool(r, 2)};
	return OK;
}

static enum err group_named(struct db_tx *tx, struct id group, const char **ret)
{
	struct access_principal p;
	*ret = NULL;
	if (id_is_nil(group))
		return OK;
	TRY(find_principal(tx, group, &p));
	*ret = p.name;
	return OK;
}

/* The grants of a that allow it. */
static enum err find_because(struct db_tx *tx, const struct explaining *x, const struct access *a)
{
	struct access_explanation *ret = x->ret;
	ret->because = arena_alloc(db_tx_scope(tx)->arena, (a->n + 1) * sizeof *ret->because);
	for (size_t i = 0; i < a->n; i++) {
		const struct access_grant *g = &a->grants[i];
		struct access_because *b = &ret->because[ret->because_n];
		if (!permission_granted(g->permissions, x->required))
			continue;
		b->grant = g;
		TRY(group_named(tx, g->group, &b->group_name));
		TRY(group_named(tx, g->scope_group, &b->scope_name));
		ret->because_n++;
	}
	return OK;
}

/* Those who hold the role over the whole tenant. */
static enum err add_givers(struct db_tx *tx, const struct explaining *x, struct id role, const char *role_name)
{
	struct access_explanation *ret = x->ret;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &explain_holders, DB_ARGS(db_v_id(&role), db_v_int(EXPLAIN_GIVERS_MAX)), &r));
	while (ret->giver_n < EXPLAIN_GIVERS_MAX && db_next(r)) {
		struct access_giver *g = &ret->givers[ret->giver_n];
		enum err e = find_principal(tx, db_id(r, 0), &g->who);
		if (e == ERR_NOT_FOUND) { /* a deleted user, who may be restored */
			db_tx_scope(tx)->detail = NULL;
			continue;
		}
		TRY(e);
		g->role_name = role_name;
		ret->giver_n += g->who.enabled;
	}
	return db_rows_err(r);
}

static enum err find_roles(struct db_tx *tx, const struct explaining *x)
{
	struct arena *a = db_tx_scope(tx)->arena;
	struct access_explanation *ret = x->ret;
	enum { ROLES_SHOWN = 256 };
	ret->roles = arena_alloc(a, ROLES_SHOWN * sizeof *ret->roles);
	ret->givers = arena_alloc(a, EXPLAIN_GIVERS_MAX * sizeof *ret->givers);
	bool first;
	TRY(access_first_is_open(tx, x->required, &first));
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &explain_roles, DB_NOARGS, &r));
	while (ret->role_n < ROLES_SHOWN && db_next(r)) {
		const char *name = db_text_dup(r, 1, a), *list = db_bool(r, 2) ? role_built_in(a, name) : db_text_dup(r, 3, a);
		if (first && db_bool(r, 2) && strcmp(name, ROLE_ADMINISTRATOR) == 0)
			TRY(add_givers(tx, x, db_id(r, 0), name));
		if (!permission_granted(list, x->required))
			continue;
		ret->roles[ret->role_n++] = name;
		if (!ret->allowed && permission_granted(list, MAY_GIVE))
			TRY(add_givers(tx, x, db_id(r, 0), name));
	}
	return db_rows_err(r);
}

static enum err explain_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct explaining *x = arg;
	struct access *a;
	*x->ret = (struct access_explanation){0};
	TRY(find_principal(tx, x->principal, &x->ret->who));
	TRY(access_load(tx, x->ret->who.type[0] == 'u' ? ACTOR_USER : ACTOR_APPLICATION, x->principal, &a));
	x->ret->allowed = access_allows(a, x->required, s->arena, &x->ret->only);
	TRY(find_because(tx, x, a));
	return find_roles(tx, x);
}

enum err access_explain(struct scope *s, const char *principal, const char *required, struct access_explanation *ret)
{
	struct explaining x = {.required = required, .ret = ret};
	if (!id_parse(principal, &x.principal))
		TRY(user_resolve(s, principal, &x.principal));
	return db_read(s, explain_tx, &x);
}
