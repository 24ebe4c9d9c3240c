/* SPDX-License-Identifier: Apache-2.0
 * Tenants: birth, closing, reopening, reading.  Subscriptions are in subscription.c. */
#include "directory/tenant.h"

#include <string.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "base/limits.h"
#include "directory/role.h"
#include "directory/tenant_internal.h"
#include "directory/tenant_settings.h"
#include "duty/duty.h"

#define TENANT_COLUMNS "tenant_id, display_name, state, created_at, closed_at, purge_starts_at, purge_deadline_at"
DB_TENANT(tenant_insert, "INSERT INTO tenants (tenant_id, display_name, state, created_at) VALUES (?1, ?2, 'active', ?3)");
DB_TENANT(tenant_select, "SELECT " TENANT_COLUMNS " FROM tenants WHERE tenant_id = ?1");
DB_TENANT(tenant_set_closing, "UPDATE tenants SET state = 'closing', closed_at = ?2, purge_starts_at = ?3, purge_deadline_at = ?4 "
			      "WHERE tenant_id = ?1");
DB_TENANT(tenant_set_active, "UPDATE tenants SET state = 'active', closed_at = NULL, purge_starts_at = NULL, purge_deadline_at = NULL "
			     "WHERE tenant_id = ?1");
DB_TENANT(tenant_set_purging, "UPDATE tenants SET state = 'purging' WHERE tenant_id = ?1");

/* ---- scopes ---- */

enum err tenant_operator_only(struct scope *s)
{
	if (s->has_tenant && !id_is_nil(s->tenant))
		return scope_fail(s, ERR_FORBIDDEN, "only the installation's operator may do this");
	return OK;
}

enum err tenant_operator_scope(struct scope *s)
{
	TRY(tenant_operator_only(s));
	s->has_tenant = false;
	return OK;
}

enum err tenant_write(struct scope *s, struct id tenant, db_fn fn, void *arg)
{
	struct scope t = *s;
	t.tenant = tenant;
	t.has_tenant = true;
	enum err e = db_write(&t, fn, arg);
	s->detail = t.detail;
	s->detail_file = t.detail_file;
	s->detail_line = t.detail_line;
	return e;
}

static enum err record_tenant(struct db_tx *tx, enum activity activity, const char *name, const struct audit_change *changes)
{
	return audit_record(tx, &(struct audit_event){.activity = activity, .resource_type = "Tenant",
						      .resource = db_tx_scope(tx)->tenant, .resource_name = name,
						      .changes = changes});
}

void tenant_copy_event(struct scope *s, enum activity activity, struct id tenant, const char *name)
{
	static const struct id installation;
	struct scope t = *s;
	t.tenant = installation;
	t.has_tenant = true;
	/* The change and its event are on disk: like a refusal, the copy fails nobody, and a lost one is logged. */
	audit_refused(&t, &(struct audit_event){.activity = activity, .resource_type = "Tenant", .resource = tenant,
						.resource_name = name});
}

/* ---- rows ---- */

static void read_tenant(const struct db_rows *r, struct arena *a, struct tenant *t)
{
	*t = (struct tenant){.tenant = db_id(r, 0), .display_name = db_text_dup(r, 1, a), .state = db_text_dup(r, 2, a),
			     .created_at = db_int(r, 3), .closed_at = db_int(r, 4), .purge_starts_at = db_int(r, 5),
			     .purge_deadline_at = db_int(r, 6)};
}

enum err tenant_load(struct db_tx *tx, struct tenant *ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &tenant_select, DB_NOARGS, &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "there is no such tenant");
	TRY(e);
	read_tenant(r, s->arena, ret);
	return OK;
}

/* ---- birth ---- */

struct birth {
	const char *display_name, *administrator, *role;
	enum role_reach reach;
	int64_t life_us;
	struct application_secret *ret_admin;
};

static enum err birth_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct birth *a = arg;
	TRY(db_exec(tx, &tenant_insert, DB_ARGS(db_v_text(a->display_name), db_v_int(s->now)), NULL));
	TRY(role_seed(tx, a->reach));
	TRY(tenant_settings_seed(tx));
	if (a->reach == REACH_TENANT)
		TRY(subscription_seed(tx));
	struct audit_change *change = NULL;
	audit_change_add(s->arena, &change, "displayName", "tenants", "display_name", NULL, a->display_name);
	TRY(record_tenant(tx, ACT_TENANT_CREATE, a->display_name, change));
	return application_found(tx, a->administrator, a->role, a->life_us, a->ret_admin);
}

enum err tenant_create_installation(struct scope *s, int64_t life_us, struct application_secret *ret_operator)
{
	static const struct id installation;
	struct birth a = {.display_name = "Installation", .administrator = "Operator", .role = ROLE_OPERATOR,
			  .reach = REACH_INSTALLATION, .life_us = life_us, .ret_admin = ret_operator};
	return tenant_write(s, installation, birth_tx, &a);
}

enum err tenant_create(struct scope *s, const char *display_name, int64_t life_us, struct application_secret *ret_admin, struct id *ret)
{
	TRY(tenant_operator_only(s));
	size_t n = strlen(display_name);
	if (n == 0 || n > LIMIT_TEXT_BYTES)
		return scope_fail(s, ERR_BAD_REQUEST, "a tenant's displayName has 1 to %u bytes", LIMIT_TEXT_BYTES);
	struct birth a = {.display_name = display_name, .administrator = "Administrator", .role = ROLE_ADMINISTRATOR,
			  .reach = REACH_TENANT, .life_us = life_us, .ret_admin = ret_admin};
	struct id tenant = scope_id(s);
	TRY(tenant_write(s, tenant, birth_tx, &a));
	*ret = tenant;
	tenant_copy_event(s, ACT_TENANT_CREATE, tenant, display_name);
	return OK;
}

/* ---- closing and reopening ---- */

/* arg: the tenant as it was, out */
static enum err close_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct tenant *t = arg;
	TRY(tenant_load(tx, t));
	if (strcmp(t->state, "active") != 0)
		return scope_fail(s, ERR_CONFLICT, "the tenant is closed already");
	int64_t days;
	TRY(tenant_setting_int(tx, "purgeStartsAfterDays", &days));
	int64_t purge = s->now + days * DAY_US, deadline = s->now + DUTY_TENANT_DEADLINE_US;
	TRY(db_exec(tx, &tenant_set_closing, DB_ARGS(db_v_int(s->now), db_v_int(purge), db_v_int(deadline)), NULL));
	char when[TIME_TEXT];
	struct audit_change *changes = NULL, **tail = &changes;
	tail = audit_change_add(s->arena, tail, "state", "tenants", "state", "active", "closing");
	tail = audit_change_add(s->arena, tail, "purgeStartsDateTime", "tenants", "purge_starts_at", NULL, time_format(purge, when));
	audit_change_add(s->arena, tail, "purgeDeadlineDateTime", "tenants", "purge_deadline_at", NULL, time_format(deadline, when));
	TRY(record_tenant(tx, ACT_TENANT_CLOSE, t->display_name, changes));
	return duty_open(tx,
			 &(struct duty_order){.trigger = DUTY_BY_TENANT_CLOSE, .subject_type = "tenant", .subject = s->tenant,
					      .first = DUTY_scheduled, .due_at = purge, .deadline_at = deadline},
			 NULL);
}

static enum err reopen_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct tenant *t = arg;
	TRY(tenant_load(tx, t));
	if (strcmp(t->state, "closing") != 0)
		return scope_fail(s, ERR_CONFLICT, "the tenant is not closed, or its data is going already");
	if (t->purge_starts_at <= s->now)
		return scope_fail(s, ERR_CONFLICT, "the purge of the tenant has started");
	enum err e = duty_cancel(tx, s->tenant);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, ERR_CONFLICT, "the purge of the tenant has started");
	TRY(e);
	TRY(db_exec(tx, &tenant_set_active, DB_NOARGS, NULL));
	struct audit_change *change = NULL;
	audit_change_add(s->arena, &change, "state", "tenants", "state", "closing", "active");
	return record_tenant(tx, ACT_TENANT_REOPEN, t->display_name, change);
}

static enum err change_state(struct scope *s, struct id tenant, db_fn fn, enum activity activity)
{
	TRY(tenant_operator_only(s));
	if (id_is_nil(tenant))
		return scope_fail(s, ERR_NOT_FOUND, "there is no such tenant");
	struct tenant t;
	TRY(tenant_write(s, tenant, fn, &t));
	tenant_copy_event(s, activity, tenant, t.display_name);
	return OK;
}

enum err tenant_close(struct scope *s, struct id tenant)
{
	return change_state(s, tenant, close_tx, ACT_TENANT_CLOSE);
}

enum err tenant_reopen(struct scope *s, struct id tenant)
{
	return change_state(s, tenant, reopen_tx, ACT_TENANT_REOPEN);
}

enum err tenant_start_purge(struct db_tx *tx)
{
	struct scope *s = db_tx_scope(tx);
	struct tenant t;
	TRY(tenant_load(tx, &t));
	if (strcmp(t.state, "purging") == 0)
		return OK;
	if (strcmp(t.state, "closing") != 0 || t.purge_starts_at > s->now)
		return scope_fail(s, ERR_STATE, "the purge of the tenant may not start yet");
	TRY(db_exec(tx, &tenant_set_purging, DB_NOARGS, NULL));
	struct audit_change *change = NULL;
	audit_change_add(s->arena, &change, "state", "tenants", "state", "closing", "purging");
	return record_tenant(tx, ACT_TENANT_PURGE, t.display_name, change);
}

/* ---- reading ---- */

static enum err get_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	(void)s;
	return tenant_load(tx, arg);
}

enum err tenant_get(struct scope *s, struct id tenant, struct tenant *ret)
{
	if (!s->has_tenant || !id_equal(tenant, s->tenant))
		TRY(tenant_operator_only(s));
	struct scope t = *s;
	t.tenant = tenant;
	t.has_tenant = true;
	enum err e = db_read(&t, get_tx, ret);
	s->detail = t.detail;
	return e;
}

enum tenant_level tenant_level_of(const char *state, int64_t closed_at, int64_t now)
{
	if (strcmp(state, "active") == 0)
		return TENANT_FULL;
	return strcmp(state, "closing") == 0 && now < closed_at + TENANT_READ_ONLY_US ? TENANT_READ_ONLY : TENANT_NONE;
}

static enum err access_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	enum tenant_level *level = arg;
	*level = TENANT_NONE;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &tenant_select, DB_NOARGS, &r));
	if (db_next(r))
		*level = tenant_level_of(db_text(r, 2), db_int(r, 4), s->now);
	return db_rows_err(r);
}

enum err tenant_access(struct scope *s, enum tenant_level *ret)
{
	check(s->has_tenant);
	return db_read(s, access_tx, ret);
}
