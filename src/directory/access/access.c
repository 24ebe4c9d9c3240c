/* SPDX-License-Identifier: Apache-2.0
 * What a principal holds, and what that allows. */
#include "directory/access/access.h"

#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "directory/access/role.h"

#define GRANT_COLUMNS "a.assignment_id, a.role_id, a.scope_group_id, r.display_name, r.built_in, r.permissions"
#define GRANT_ROLE "JOIN roles r ON r.tenant_id = ?1 AND r.role_id = a.role_id "
DB_TENANT(access_of_person,
	  "SELECT " GRANT_COLUMNS ", CASE WHEN a.principal_id = ?2 THEN NULL ELSE a.principal_id END FROM role_assignments a " GRANT_ROLE
	  "WHERE a.tenant_id = ?1 AND (a.principal_id = ?2 OR a.principal_id IN "
	  "(SELECT m.group_id FROM group_members m WHERE m.tenant_id = ?1 AND m.user_id = ?2)) ORDER BY a.assignment_id");
DB_TENANT(access_of_application,
	  "SELECT " GRANT_COLUMNS " FROM role_assignments a " GRANT_ROLE "WHERE a.tenant_id = ?1 AND a.principal_id = ?2 UNION ALL "
	  "SELECT NULL, a.role_id, NULL, r.display_name, r.built_in, r.permissions FROM applications a " GRANT_ROLE
	  "WHERE a.tenant_id = ?1 AND a.application_id = ?2");
DB_TENANT(access_person, "SELECT upn, display_name FROM users WHERE tenant_id = ?1 AND user_id = ?2 AND deleted_at IS NULL AND account_enabled = 1");

/* ---- loading ---- */

struct grant_list {
	struct access_grant v;
	struct grant_list *next;
};

static struct access *as_array(struct arena *a, const struct grant_list *first, size_t n)
{
	struct access *ret = arena_alloc(a, sizeof *ret);
	struct access_grant *v = arena_alloc(a, (n == 0 ? 1 : n) * sizeof *v);
	for (size_t i = 0; i < n; i++, first = first->next)
		v[i] = first->v;
	*ret = (struct access){.grants = v, .n = n};
	return ret;
}

enum err access_load(struct db_tx *tx, enum actor_type type, struct id principal, struct access **ret)
{
	struct arena *a = db_tx_scope(tx)->arena;
	struct grant_list *first = NULL, **tail = &first;
	size_t n = 0;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, type == ACTOR_USER ? &access_of_person : &access_of_application, DB_ARGS(db_v_id(&principal)), &r));
	for (; db_next(r); n++) {
		struct grant_list *g = arena_alloc(a, sizeof *g);
		g->next = NULL;
		g->v = (struct access_grant){.assignment = db_id(r, 0), .role = db_id(r, 1), .scope_group = db_id(r, 2),
					     .role_name = db_text_dup(r, 3, a)};
		if (type == ACTOR_USER)
			g->v.group = db_id(r, 6);
		g->v.permissions = db_bool(r, 4) ? role_built_in(a, g->v.role_name) : db_text_dup(r, 5, a);
		*tail = g;
		tail = &g->next;
	}
	TRY(db_rows_err(r));
	*ret = as_array(a, first, n);
	return OK;
}

enum err access_of_user(struct db_tx *tx, struct id user, struct actor *ret)
{
	struct scope *s = db_tx_scope(tx);
	struct access *access;
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &access_person, DB_ARGS(db_v_id(&user)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, ERR_UNAUTHENTICATED, "the account is gone or disabled");
	TRY(e);
	TRY(access_load(tx, ACTOR_USER, user, &access));
	ret->type = ACTOR_USER;
	ret->id = user;
	ret->upn = db_text_dup(r, 0, s->arena);
	ret->name = db_text_dup(r, 1, s->arena);
	ret->permissions = access_permissions(access, s->arena);
	ret->access = access;
	return OK;
}

/* ---- what it allows ---- */

/* Whether the list has[0..has_n) names p[0..n). */
static bool is_listed(const char *has, size_t has_n, const char *p, size_t n)
{
	for (size_t at = 0; at + n <= has_n;) {
		const char *end = memchr(has + at, ' ', has_n - at);
		size_t len = end == NULL ? has_n - at : (size_t)(end - has) - at;
		if (len == n && memcmp(has + at, p, n) == 0)
			return true;
		at += len + 1;
	}
	return false;
}

static bool is_among(const struct id *v, size_t n, struct id id)
{
	for (size_t i = 0; i < n; i++)
		if (id_equal(v[i], id))
			return true;
	return false;
}

const char *access_permissions(const struct access *a, struct arena *arena)
{
	auto_buf b;
	buf_init(&b, 64 * KIB);
	for (size_t i = 0; a->n > 1 && i < a->n; i++) {
		const char *p = a->grants[i].permissions;
		for (size_t n; *p != '\0'; p += n + (p[n] != '\0')) {
			n = strcspn(p, " ");
			if (n == 0 || is_listed(b.data, b.len, p, n))
				continue;
			if (b.len > 0)
				buf_addc(&b, ' ');
			buf_add(&b, p, n);
		}
	}
	return a->n == 0 ? "" : a->n == 1 ? a->grants[0].permissions : arena_strndup(arena, b.data, b.len);
}

bool access_allows(const struct access *a, const char *required, struct arena *arena, const struct scope_groups **ret_only)
{
	struct id *groups = NULL;
	size_t n = 0;
	*ret_only = NULL;
	if (*required == '\0')
		return true;
	for (size_t i = 0; i < a->n; i++) {
		const struct access_grant *g = &a->grants[i];
		if (!permission_granted(g->permissions, required))
			continue;
		if (id_is_nil(g->scope_group))
			return true;
		if (groups == NULL)
			groups = arena_alloc(arena, SCOPE_GROUPS_MAX * sizeof *groups);
		if (n < SCOPE_GROUPS_MAX && !is_among(groups, n, g->scope_group))
			groups[n++] = g->scope_group;
	}
	if (n == 0)
		return false;
	struct scope_groups *only = arena_alloc(arena, sizeof *only);
	*only = (struct scope_groups){.groups = groups, .n = n};
	*ret_only = only;
	return true;
}

bool actor_allows(const struct actor *actor, const char *required, struct arena *arena, const struct scope_groups **ret_only)
{
	*ret_only = NULL;
	if (actor->access != NULL)
		return access_allows(actor->access, required, arena, ret_only);
	return permission_granted(actor->permissions, required);
}
