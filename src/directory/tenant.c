/* SPDX-License-Identifier: Apache-2.0
 * Tenants: birth, closing, reopening, reading.  Subscriptions are in subscription.c. */
#include "directory/tenant.h"

#include <string.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "base/limits.h"
#include "directory/access/role.h"
#include "directory/approval/policy.h"
#include "directory/tenant_internal.h"
#include "directory/tenant_settings.h"
#include "duty/duty.h"
#include "keeper/keeper.h"

#define TENANT_COLUMNS "tenant_id, display_name, state, created_at, closed_at, purge_starts_at, purge_deadline_at, unpaid"
DB_TENANT(tenant_insert, "INSERT INTO tenants (tenant_id, display_name, state, created_at) VALUES (?1, ?2, 'active', ?3)");
DB_TENANT(tenant_select, "SELECT " TENANT_COLUMNS " FROM tenants WHERE tenant_id = ?1");
DB_TENANT(tenant_set_closing, "UPDATE tenants SET state = 'closing', closed_at = ?2, purge_starts_at = ?3, purge_deadline_at = ?4, "
			      "devices_retire_at = ?5 WHERE tenant_id = ?1");
DB_TENANT(tenant_set_active, "UPDATE tenants SET state = 'active', closed_at = NULL, purge_starts_at = NULL, purge_deadline_at = NULL, "
			     "devices_retire_at = NULL WHERE tenant_id = ?1");
DB_TENANT(tenant_set_purging, "UPDATE tenants SET state = 'purging', devices_retire_at = NULL WHERE tenant_id = ?1");
DB_TENANT(tenant_set_due, "UPDATE tenants SET purge_starts_at = ?2, devices_retire_at = NULL, deletion_asked_at = NULL, "
			  "deletion_asked_by = NULL WHERE tenant_id = ?1");
DB_TENANT(tenant_set_unpaid, "UPDATE tenants SET unpaid = ?2 WHERE tenant_id = ?1");
DB_TENANT(tenant_standing,
	  "SELECT t.state, t.closed_at, count(CASE WHEN p.product = '" PRODUCT_DEVICE_MANAGEMENT "' THEN 1 END), count(p.product) "
	  "FROM tenants t LEFT JOIN subscriptions p ON p.tenant_id = t.tenant_id AND p.status IN ('Enabled', 'Warning') "
	  "WHERE t.tenant_id = ?1 GROUP BY t.tenant_id, t.state, t.closed_at");

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

void tenant_tell_installation(struct scope *s, enum activity activity, struct id tenant, const char *name)
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
			     .purge_deadline_at = db_int(r, 6), .unpaid = db_bool(r, 7)};
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
	if (a->reach == REACH_TENANT)
		TRY(approval_policy_seed(tx));
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
	tenant_tell_installation(s, ACT_TENANT_CREATE, tenant, display_name);
	return OK;
}

/* ---- closing and reopening ---- */

int64_t tenant_purge_days_most(struct keeper *k)
{
	return DUTY_TENANT_DEADLINE_US / DAY_US - keeper_backup_days(k) - TENANT_PURGE_ROOM_DAYS;
}


/* Between the end of signing in and the purge the devices have their grace to fetch the retire. */
static int64_t retire_at(int64_t closed_at, int64_t purge_at, int64_t grace_days)
{
	int64_t at = purge_at - grace_days * DAY_US, earliest = closed_at + TENANT_READ_ONLY_US;
	return at > earliest ? at : earliest < purge_at ? earliest : purge_at;
}

enum err tenant_begin_closing(struct db_tx *tx, const struct tenant *t)
{
	struct scope *s = db_tx_scope(tx);
	int64_t days, grace;
	TRY(tenant_setting_int(tx, "purgeStartsAfterDays", &days));
	TRY(tenant_setting_int(tx, "deviceGraceDays", &grace));
	if (days > tenant_purge_days_most(s->keeper)) /* it was set before backups were kept for so long */
		days = tenant_purge_days_most(s->keeper);
	int64_t purge = s->now + days * DAY_US, deadline = s->now + DUTY_TENANT_DEADLINE_US;
	TRY(db_exec(tx, &tenant_set_closing,
		    DB_ARGS(db_v_int(s->now), db_v_int(purge), db_v_int(deadline), db_v_int(retire_at(s->now, purge, grace))), NULL));
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

/* A purge that waits for a legal hold has taken nothing yet; the tenant may come back, if only to release the hold. */
static enum err purge_is_held(struct db_tx *tx, struct duty *d, bool *ret)
{
	enum err e = duty_of_subject(tx, db_tx_scope(tx)->tenant, d);
	*ret = e == OK && d->state == DUTY_held;
	if (e == ERR_NOT_FOUND)
		db_tx_scope(tx)->detail = NULL;
	return e == ERR_NOT_FOUND ? OK : e;
}

enum err tenant_end_closing(struct db_tx *tx, const struct tenant *t)
{
	struct scope *s = db_tx_scope(tx);
	struct duty d;
	bool held;
	TRY(purge_is_held(tx, &d, &held));
	if (strcmp(t->state, "closing") != 0 && !held)
		return scope_fail(s, ERR_CONFLICT, "the tenant is not closed, or its data is going already");
	if (t->purge_starts_at <= s->now && !held)
		return scope_fail(s, ERR_CONFLICT, "the purge of the tenant has started");
	enum err e = held ? duty_move(tx, d.duty, DUTY_held, DUTY_cancelled, NULL) : duty_cancel(tx, s->tenant);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, ERR_CONFLICT, "the purge of the tenant has started");
	TRY(e);
	TRY(db_exec(tx, &tenant_set_active, DB_NOARGS, NULL));
	struct audit_change *change = NULL;
	audit_change_add(s->arena, &change, "state", "tenants", "state", t->state, "active");
	return record_tenant(tx, ACT_TENANT_REOPEN, t->display_name, change);
}

/* arg: the tenant as it was, out */
static enum err close_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct tenant *t = arg;
	TRY(tenant_load(tx, t));
	if (strcmp(t->state, "active") != 0)
		return scope_fail(s, ERR_CONFLICT, "the tenant is closed already");
	TRY(subscription_move_management(tx, "LockedOut"));
	return tenant_begin_closing(tx, t);
}

static enum err reopen_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct tenant *t = arg;
	TRY(tenant_load(tx, t));
	TRY(tenant_end_closing(tx, t));
	return subscription_move_management(tx, "Enabled");
}

static enum err change_state(struct scope *s, struct id tenant, db_fn fn, enum activity activity)
{
	TRY(tenant_operator_only(s));
	if (id_is_nil(tenant))
		return scope_fail(s, ERR_NOT_FOUND, "there is no such tenant");
	struct tenant t;
	TRY(tenant_write(s, tenant, fn, &t));
	tenant_tell_installation(s, activity, tenant, t.display_name);
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

enum err tenant_delete_now(struct db_tx *tx)
{
	struct scope *s = db_tx_scope(tx);
	struct tenant t;
	TRY(tenant_load(tx, &t));
	if (strcmp(t.state, "active") == 0)
		TRY(tenant_begin_closing(tx, &t));
	TRY(db_exec(tx, &tenant_set_due, DB_ARGS(db_v_int(s->now)), NULL));
	return duty_open(tx,
			 &(struct duty_order){.trigger = DUTY_BY_TENANT_CLOSE, .subject_type = "tenant", .subject = s->tenant,
					      .first = DUTY_scheduled, .due_at = s->now, .deadline_at = s->now + DUTY_TENANT_DEADLINE_US},
			 NULL);
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

/* ---- what the operator notes ---- */

struct note {
	bool unpaid, changed; /* changed, name: out */
	const char *name;
};

static enum err unpaid_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct note *n = arg;
	struct tenant t;
	TRY(tenant_load(tx, &t));
	n->name = t.display_name;
	n->changed = t.unpaid != n->unpaid;
	if (!n->changed)
		return OK;
	TRY(db_exec(tx, &tenant_set_unpaid, DB_ARGS(db_v_int(n->unpaid)), NULL));
	struct audit_change *change = NULL;
	audit_change_add(s->arena, &change, "unpaid", "tenants", "unpaid", t.unpaid ? "true" : "false", n->unpaid ? "true" : "false");
	return record_tenant(tx, ACT_TENANT_UPDATE, t.display_name, change);
}

enum err tenant_set_unpaid_flag(struct scope *s, struct id tenant, bool unpaid)
{
	struct note n = {.unpaid = unpaid};
	TRY(tenant_operator_only(s));
	if (id_is_nil(tenant))
		return scope_fail(s, ERR_NOT_FOUND, "there is no such tenant");
	TRY(tenant_write(s, tenant, unpaid_tx, &n));
	if (n.changed)
		tenant_tell_installation(s, ACT_TENANT_UPDATE, tenant, n.name);
	return OK;
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

struct tenant_levels tenant_levels_of(const char *state, int64_t closed_at, int64_t management, int64_t all, int64_t now)
{
	struct tenant_levels l = {TENANT_FULL, management > 0 ? TENANT_FULL : TENANT_NONE, false};
	if (strcmp(state, "active") == 0)
		return l;
	bool closing = strcmp(state, "closing") == 0;
	l.management = closing && now < closed_at + TENANT_READ_ONLY_US ? TENANT_READ_ONLY : TENANT_NONE;
	l.whole = all > management ? TENANT_FULL : l.management; /* its directory lives on with another product */
	l.devices_retire = closing;
	return l;
}

static enum err levels_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct tenant_levels *l = arg;
	*l = (struct tenant_levels){TENANT_NONE, TENANT_NONE, false};
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &tenant_standing, DB_NOARGS, &r));
	if (db_next(r))
		*l = tenant_levels_of(db_text(r, 0), db_int(r, 1), db_int(r, 2), db_int(r, 3), s->now);
	return db_rows_err(r);
}

enum err tenant_levels(struct scope *s, struct tenant_levels *ret)
{
	check(s->has_tenant);
	return db_read(s, levels_tx, ret);
}

enum err tenant_levels_in(struct db_tx *tx, struct tenant_levels *ret)
{
	return levels_tx(db_tx_scope(tx), tx, ret);
}

enum err tenant_access(struct scope *s, enum tenant_level *ret)
{
	struct tenant_levels l;
	TRY(tenant_levels(s, &l));
	*ret = l.whole;
	return OK;
}
