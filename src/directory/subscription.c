/* SPDX-License-Identifier: Apache-2.0
 * Which products a tenant has: decides what a closing deletes (tenant.h). */
#include <string.h>

#include "directory/tenant_internal.h"
#include "resource/tables.h"

/* A tenant has a handful of subscriptions: its own rows are read by the key's first column. */
DB_TENANT(subscription_insert, "INSERT INTO subscriptions (tenant_id, subscription_id, product, status, created_at) "
			       "VALUES (?1, ?2, ?3, ?4, ?5)");
DB_TENANT(subscription_select, "SELECT subscription_id, status FROM subscriptions WHERE tenant_id = ?1 AND product = ?2");
DB_TENANT(subscription_count, "SELECT count(*) FROM subscriptions WHERE tenant_id = ?1");
DB_TENANT(subscription_update, "UPDATE subscriptions SET status = ?3 WHERE tenant_id = ?1 AND subscription_id = ?2");
DB_TENANT(subscription_other, "SELECT count(*) FROM subscriptions WHERE tenant_id = ?1 AND product <> '" PRODUCT_DEVICE_MANAGEMENT "' "
			      "AND status IN ('Enabled', 'Warning')");

enum { PRODUCT_BYTES = 64, SUBSCRIPTIONS_MAX = 100 };

static enum err insert(struct db_tx *tx, struct id id, const char *product, const char *status)
{
	struct scope *s = db_tx_scope(tx);
	return db_exec(tx, &subscription_insert,
		       DB_ARGS(db_v_id(&id), db_v_text(product), db_v_text(status), db_v_int(s->now)), NULL);
}

enum err subscription_seed(struct db_tx *tx)
{
	return insert(tx, scope_id(db_tx_scope(tx)), PRODUCT_DEVICE_MANAGEMENT, "Enabled");
}

/* ---- set ---- */

struct set {
	const char *product, *status;
	bool changed;        /* out */
	const char *name;    /* out: of the tenant */
};

static enum err find(struct db_tx *tx, const char *product, struct id *ret_id, const char **ret_status)
{
	*ret_status = NULL;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &subscription_select, DB_ARGS(db_v_text(product)), &r));
	if (db_next(r)) {
		*ret_id = db_id(r, 0);
		*ret_status = db_text_dup(r, 1, db_tx_scope(tx)->arena);
	}
	return db_rows_err(r);
}

static enum err add(struct db_tx *tx, const struct set *a, struct id *ret_id)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &subscription_count, DB_NOARGS, &r));
	if (db_int(r, 0) >= SUBSCRIPTIONS_MAX)
		return scope_fail(s, ERR_CONFLICT, "a tenant has at most %d subscriptions", (int)SUBSCRIPTIONS_MAX);
	*ret_id = scope_id(s);
	return insert(tx, *ret_id, a->product, a->status);
}

static enum err set_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct set *a = arg;
	struct tenant t;
	struct id id;
	const char *old;
	TRY(tenant_load(tx, &t));
	a->name = t.display_name;
	TRY(find(tx, a->product, &id, &old));
	a->changed = old == NULL || strcmp(old, a->status) != 0;
	if (!a->changed)
		return OK;
	if (old == NULL)
		TRY(add(tx, a, &id));
	else
		TRY(db_exec(tx, &subscription_update, DB_ARGS(db_v_id(&id), db_v_text(a->status)), NULL));
	struct audit_change *change = NULL;
	audit_change_add(s->arena, &change, "status", "subscriptions", "status", old, a->status);
	return audit_record(tx, &(struct audit_event){.activity = ACT_SUBSCRIPTION_SET, .resource_type = RES_SUBSCRIPTION.entity,
						      .resource = id, .resource_name = a->product, .changes = change});
}

static bool product_fits(const char *p)
{
	size_t n = strlen(p);
	for (size_t i = 0; i < n; i++)
		if ((p[i] < 'a' || p[i] > 'z') && (p[i] < 'A' || p[i] > 'Z') && (p[i] < '0' || p[i] > '9') &&
		    strchr("-_.", p[i]) == NULL)
			return false;
	return n > 0 && n <= PRODUCT_BYTES;
}

static bool status_fits(const char *status)
{
	static const char *const all[] = {"Enabled", "Warning", "Suspended", "Deleted", "LockedOut"};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (strcmp(all[i], status) == 0)
			return true;
	return false;
}

enum err subscription_set(struct scope *s, struct id tenant, const char *product, const char *status)
{
	bool own = s->has_tenant && id_equal(s->tenant, tenant);
	if (!own)
		TRY(tenant_operator_only(s));
	if (id_is_nil(tenant))
		return scope_fail(s, ERR_NOT_FOUND, "the installation itself has no subscriptions");
	if (!product_fits(product))
		return scope_fail(s, ERR_BAD_REQUEST, "a product's name has 1 to 64 letters, digits, dots, dashes and underscores");
	if (!status_fits(status))
		return scope_fail(s, ERR_BAD_REQUEST, "status must be Enabled, Warning, Suspended, Deleted or LockedOut");
	struct set a = {.product = product, .status = status};
	TRY(tenant_write(s, tenant, set_tx, &a));
	if (a.changed && !own)
		tenant_copy_event(s, ACT_SUBSCRIPTION_SET, tenant, a.name);
	return OK;
}

/* ---- read ---- */

enum err tenant_keeps_directory(struct db_tx *tx, bool *ret)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &subscription_other, DB_NOARGS, &r));
	*ret = db_int(r, 0) > 0;
	return OK;
}
