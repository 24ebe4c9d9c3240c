/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/sign_in/organisation.h"

#include "db/db.h"
#include "directory/tenant.h"

DB_TENANT(organisation_name, "SELECT t.display_name, EXISTS (SELECT 1 FROM local_accounts a WHERE a.tenant_id = ?1) FROM tenants t WHERE t.tenant_id = ?1");
DB_GLOBAL(organisations_two, "SELECT tenant_id FROM tenants WHERE tenant_id <> ?1 AND state IN ('active', 'closing') LIMIT 2");

static enum err get_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct organisation *o = arg;
	struct tenant_levels levels;
	TRY(tenant_levels_in(tx, &levels));
	if (levels.whole == TENANT_NONE || id_is_nil(s->tenant))
		return scope_fail(s, ERR_NOT_FOUND, "there is no such organisation");
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &organisation_name, DB_NOARGS, &r));
	o->display_name = db_text_dup(r, 0, s->arena);
	o->local_accounts = db_bool(r, 1);
	return provider_list(tx, &o->providers, &o->provider_n);
}

enum err organisation_get(struct scope *s, struct organisation *ret)
{
	check(s->has_tenant);
	*ret = (struct organisation){0};
	return db_read(s, get_tx, ret);
}

struct only {
	struct id tenant;
	unsigned n;
};

static enum err only_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct only *o = arg;
	static const struct id nil;
	auto_rows struct db_rows *r = NULL;
	o->n = 0;
	TRY(db_query(tx, &organisations_two, DB_ARGS(db_v_id(&nil)), &r));
	while (db_next(r)) {
		o->tenant = db_id(r, 0);
		o->n++;
	}
	return db_rows_err(r);
}

enum err organisation_only(struct scope *s, struct id *ret, bool *ret_one)
{
	check(!s->has_tenant);
	struct only o;
	TRY(db_read(s, only_tx, &o));
	*ret = o.tenant;
	*ret_one = o.n == 1;
	return OK;
}
