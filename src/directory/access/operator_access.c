/* SPDX-License-Identifier: Apache-2.0
 * Letting the installation's operator into a tenant for a while. */
#include "directory/access/operator_access.h"

#include "audit/audit.h"
#include "directory/access/access.h"
#include "directory/access/role.h"
#include "directory/access/rule.h"
#include "directory/tenant_internal.h"
#include "resource/tables.h"

DB_TENANT(grant_insert, "INSERT INTO operator_access (tenant_id, grant_id, role_id, operator_id, reason, created_at, expires_at) "
			"VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
DB_TENANT(grant_select, "SELECT role_id, operator_id, expires_at FROM operator_access WHERE tenant_id = ?1 AND grant_id = ?2");
/* The one that lasts longest; a tenant has a handful. */
DB_TENANT(grant_for, "SELECT grant_id, role_id, expires_at FROM operator_access WHERE tenant_id = ?1 AND expires_at > ?3 "
		     "AND (operator_id IS NULL OR operator_id = ?2) ORDER BY expires_at DESC LIMIT 1");
DB_TENANT(grant_drop, "DELETE FROM operator_access WHERE tenant_id = ?1 AND grant_id = ?2");
DB_GLOBAL(grants_due, "SELECT tenant_id, grant_id FROM operator_access WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2");
DB_TENANT(entry_insert, "INSERT INTO operator_entries (tenant_id, entry_id, grant_id, operator_id, credential_id, created_at, expires_at) "
			"VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
DB_TENANT(entry_select, "SELECT e.credential_id, r.display_name, r.built_in, r.permissions, g.role_id FROM operator_entries e "
			"JOIN operator_access g ON g.tenant_id = ?1 AND g.grant_id = e.grant_id JOIN roles r ON r.tenant_id = ?1 AND r.role_id = g.role_id "
			"WHERE e.tenant_id = ?1 AND e.entry_id = ?2 AND e.operator_id = ?3 AND g.expires_at > ?4");

static const struct id NIL;

/* ---- events ---- */

static enum err record(struct db_tx *tx, enum activity activity, struct id grant, const struct operator_access *a)
{
	struct scope *s = db_tx_scope(tx);
	struct role role;
	char until[TIME_TEXT], who[ID_TEXT];
	bool made = activity != ACT_OPERATOR_ACCESS_END;
	struct audit_change *changes = NULL, **tail = &changes;
	TRY(role_by_id(tx, a->role, &role));
	const char *const values[][3] = {{"roleDefinition", "role_id", role.display_name},
					 {"operatorId", "operator_id", id_is_nil(a->operator_) ? "*" : id_format(a->operator_, who)},
					 {"expirationDateTime", "expires_at", time_format(a->expires_at, until)}};
	for (size_t i = 0; i < 3; i++)
		tail = audit_change_add(s->arena, tail, values[i][0], "operator_access", values[i][1], made ? NULL : values[i][2],
					made ? values[i][2] : NULL);
	return audit_record(tx, &(struct audit_event){.activity = activity, .resource_type = "OperatorAccess", .resource = grant,
						      .resource_name = role.display_name, .changes = changes});
}

/* The installation's copy names the tenant, and of the tenant's people nobody. */
static void tell_installation(struct scope *s, enum activity activity, struct id tenant)
{
	struct scope t = *s;
	t.tenant = NIL;
	t.has_tenant = true;
	if (activity != ACT_OPERATOR_ACCESS_USE)
		t.actor = (struct actor){.type = ACTOR_SYSTEM};
	tenant_tell_installation(&t, activity, tenant, NULL);
}

/* ---- the tenant's ---- */

struct granting {
	const struct operator_access *a;
	struct id grant;
};

static enum err grant_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct granting *g = arg;
	const struct operator_access *a = g->a;
	struct role role;
	TRY(role_by_id(tx, a->role, &role));
	TRY(access_may_list(tx, role.permissions));
	g->grant = scope_id(s);
	TRY(db_exec(tx, &grant_insert,
		    DB_ARGS(db_v_id(&g->grant), db_v_id(&a->role), db_v_id(id_is_nil(a->operator_) ? NULL : &a->operator_), db_v_text(a->reason),
			    db_v_int(s->now), db_v_int(a->expires_at)),
		    NULL));
	return record(tx, ACT_OPERATOR_ACCESS_GRANT, g->grant, a);
}

enum err operator_access_grant(struct scope *s, const struct operator_access *a, struct id *ret)
{
	struct granting g = {.a = a};
	if (a->expires_at <= s->now || a->expires_at > s->now + OPERATOR_ACCESS_LONGEST_US)
		return scope_fail(s, ERR_BAD_REQUEST, "'expirationDateTime' must be in the future, and within %d days",
				  (int)(OPERATOR_ACCESS_LONGEST_US / DAY_US));
	TRY(db_write(s, grant_tx, &g));
	tell_installation(s, ACT_OPERATOR_ACCESS_GRANT, s->tenant);
	*ret = g.grant;
	return OK;
}

static enum err end_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct id grant = *(const struct id *)arg;
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &grant_select, DB_ARGS(db_v_id(&grant)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "there is no such access");
	TRY(e);
	struct operator_access a = {.role = db_id(r, 0), .operator_ = db_id(r, 1), .expires_at = db_int(r, 2)};
	TRY(db_exec(tx, &grant_drop, DB_ARGS(db_v_id(&grant)), NULL));
	return record(tx, ACT_OPERATOR_ACCESS_END, grant, &a);
}

enum err operator_access_end(struct scope *s, struct id grant)
{
	TRY(db_write(s, end_tx, &grant));
	tell_installation(s, ACT_OPERATOR_ACCESS_END, s->tenant);
	return OK;
}

/* ---- the operator's ---- */

struct entering {
	const struct token_claims *own;
	struct token_claims *ret;
};

static enum err enter_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct entering *e = arg;
	auto_rows struct db_rows *r = NULL;
	enum err err = db_query_one(tx, &grant_for, DB_ARGS(db_v_id(&e->own->application), db_v_int(s->now)), &r);
	if (err == ERR_NOT_FOUND)
		return scope_fail(s, ERR_FORBIDDEN, "the tenant has not let the installation's operator in");
	TRY(err);
	struct id grant = db_id(r, 0);
	struct operator_access a = {.role = db_id(r, 1), .operator_ = e->own->application, .expires_at = db_int(r, 2)};
	int64_t until = s->now + TOKEN_LIFE_US < a.expires_at ? s->now + TOKEN_LIFE_US : a.expires_at;
	*e->ret = (struct token_claims){.tenant = s->tenant, .application = e->own->application, .credential = scope_id(s), .issued_us = s->now,
					.expires_us = until};
	TRY(db_exec(tx, &entry_insert,
		    DB_ARGS(db_v_id(&e->ret->credential), db_v_id(&grant), db_v_id(&e->own->application), db_v_id(&e->own->credential),
			    db_v_int(s->now), db_v_int(until)),
		    NULL));
	return record(tx, ACT_OPERATOR_ACCESS_USE, grant, &a);
}

enum err operator_access_enter(struct scope *s, struct id tenant, const struct token_claims *own, struct token_claims *ret)
{
	TRY(tenant_operator_only(s));
	if (id_is_nil(tenant) || !id_is_nil(own->tenant))
		return scope_fail(s, ERR_BAD_REQUEST, "only the operator's own token opens another tenant");
	TRY(tenant_write(s, tenant, enter_tx, &(struct entering){own, ret}));
	tell_installation(s, ACT_OPERATOR_ACCESS_USE, tenant);
	return OK;
}

struct admitting {
	const struct token_claims *claims;
	struct actor *ret;
	struct tenant_levels *levels;
	struct id credential;
};

static enum err admit_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct admitting *a = arg;
	const struct token_claims *c = a->claims;
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &entry_select, DB_ARGS(db_v_id(&c->credential), db_v_id(&c->application), db_v_int(s->now)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, ERR_UNAUTHENTICATED, "the token's application or secret is gone, disabled or expired");
	TRY(e);
	a->credential = db_id(r, 0);
	struct access_grant *g = arena_alloc(s->arena, sizeof *g);
	struct access *access = arena_alloc(s->arena, sizeof *access);
	*g = (struct access_grant){.role = db_id(r, 4), .role_name = db_text_dup(r, 1, s->arena)};
	g->permissions = db_bool(r, 2) ? role_built_in(s->arena, g->role_name) : db_text_dup(r, 3, s->arena);
	*access = (struct access){.grants = g, .n = 1};
	*a->ret = (struct actor){.type = ACTOR_OPERATOR, .id = c->application, .permissions = g->permissions, .access = access};
	return tenant_levels_in(tx, a->levels);
}

enum err operator_access_admit(struct scope *s, const struct token_claims *c, struct actor *ret, struct tenant_levels *ret_levels)
{
	struct admitting a = {.claims = c, .ret = ret, .levels = ret_levels};
	struct actor self = {0};
	if (id_is_nil(c->tenant) || !id_is_nil(c->user))
		return scope_fail(s, ERR_UNAUTHENTICATED, "the token's application or secret is gone, disabled or expired");
	TRY(db_read(s, admit_tx, &a));
	struct scope installation = *s;
	struct token_claims own = {.application = c->application, .credential = a.credential, .issued_us = c->issued_us, .expires_us = c->expires_us};
	installation.tenant = NIL;
	enum err e = application_principal(&installation, &own, &self);
	s->detail = installation.detail;
	TRY(e);
	ret->name = self.name;
	return OK;
}

/* ---- the end of its time ---- */

struct due_list {
	struct id tenant[64], grant[64];
	size_t n, most;
};

static enum err due_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct due_list *l = arg;
	auto_rows struct db_rows *r = NULL;
	l->n = 0;
	TRY(db_query(tx, &grants_due, DB_ARGS(db_v_int(s->now), db_v_int((int64_t)l->most)), &r));
	for (; l->n < l->most && db_next(r); l->n++) {
		l->tenant[l->n] = db_id(r, 0);
		l->grant[l->n] = db_id(r, 1);
	}
	return db_rows_err(r);
}

enum err operator_access_expire(struct scope *s, size_t most, size_t *ret_n)
{
	check(!s->has_tenant);
	struct due_list l = {.most = most < 64 ? most : 64};
	*ret_n = 0;
	TRY(db_read(s, due_tx, &l));
	for (size_t i = 0; i < l.n; i++) {
		struct scope t = *s;
		t.tenant = l.tenant[i];
		t.has_tenant = true;
		enum err e = operator_access_end(&t, l.grant[i]);
		if (e != OK && e != ERR_NOT_FOUND) /* not found: ended in between */
			return scope_fail(s, e, "%s", scope_detail(&t, e));
		*ret_n += e == OK;
	}
	return OK;
}
