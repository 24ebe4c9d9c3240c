/* SPDX-License-Identifier: Apache-2.0
 * Announcing and beginning the erasure of accounts that were deactivated long ago. */
#include "directory/provisioning/retention.h"

#include "audit/audit.h"
#include "base/clock.h"
#include "directory/provisioning/each_tenant.h"
#include "directory/tenant_settings.h"
#include "directory/user.h"
#include "duty/duty.h"
#include "notice/notice.h"
#include "resource/tables.h"

#define LEFT "provider_disabled = 1 AND account_enabled = 0 AND deleted_at IS NULL"
DB_GLOBAL(left_next_tenant, "SELECT tenant_id FROM users WHERE provider_disabled = 1 AND tenant_id > ?1 ORDER BY tenant_id LIMIT 1");
DB_TENANT(left_to_announce, "SELECT user_id, display_name, disabled_at, erase_due_at FROM users WHERE tenant_id = ?1 AND " LEFT
			    " AND disabled_at < ?2 AND erase_due_at IS NULL ORDER BY disabled_at LIMIT ?3");
DB_TENANT(left_to_call_off, "SELECT user_id, display_name, disabled_at, erase_due_at FROM users WHERE tenant_id = ?1 AND " LEFT
			    " AND disabled_at >= ?2 AND erase_due_at IS NOT NULL LIMIT ?3");
DB_TENANT(left_to_erase, "SELECT user_id, display_name, disabled_at, erase_due_at FROM users WHERE tenant_id = ?1 AND " LEFT
			 " AND disabled_at <= ?2 AND erase_due_at IS NOT NULL AND erase_due_at <= ?3 ORDER BY erase_due_at LIMIT ?4");
DB_TENANT(left_set_due, "UPDATE users SET erase_due_at = ?3 WHERE tenant_id = ?1 AND user_id = ?2");
DB_TENANT(left_is_due, "SELECT 1 FROM users WHERE tenant_id = ?1 AND " LEFT " AND user_id = ?2 AND erase_due_at <= ?3");

enum { A_STEP = 100 };

struct left {
	struct id user;
	const char *name;
	int64_t disabled_at, due_at;
};

/* What one tenant wants, and some of its people. */
struct plan {
	int64_t erase_us, notice_us; /* erase_us 0: never */
	int64_t announced_before;    /* whoever was disabled before that is to be announced today */
	struct left v[A_STEP];
	size_t n;
};

static enum err load_plan(struct db_tx *tx, struct plan *p)
{
	struct scope *s = db_tx_scope(tx);
	int64_t days, notice;
	TRY(tenant_setting_int(tx, "deactivatedEraseDays", &days));
	TRY(tenant_setting_int(tx, "deactivatedNoticeDays", &notice));
	p->erase_us = days * DAY_US;
	p->notice_us = notice * DAY_US;
	p->n = 0;
	/* of the whole day (UTC) at once: one alarm, not one an hour */
	p->announced_before = days == 0 ? INT64_MIN : s->now - s->now % DAY_US + DAY_US + p->notice_us - p->erase_us;
	return OK;
}

static enum err load_people(struct db_tx *tx, struct db_stmt *stmt, const struct db_value *args, size_t arg_n, struct plan *p)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, stmt, args, arg_n, &r));
	while (p->n < A_STEP && db_next(r))
		p->v[p->n++] = (struct left){db_id(r, 0), db_text_dup(r, 1, db_tx_scope(tx)->arena), db_int(r, 2), db_int(r, 3)};
	return db_rows_err(r);
}

/* due_at 0: it is called off. */
static enum err set_due(struct db_tx *tx, const struct left *l, int64_t due_at)
{
	struct scope *s = db_tx_scope(tx);
	char was[TIME_TEXT], is[TIME_TEXT];
	struct audit_change *change = NULL;
	TRY(db_exec(tx, &left_set_due, DB_ARGS(db_v_id(&l->user), due_at == 0 ? db_v_null() : db_v_int(due_at)), NULL));
	audit_change_add(s->arena, &change, "erasureDueDateTime", RES_USER.table, "erase_due_at",
			 l->due_at == 0 ? NULL : time_format(l->due_at, was), due_at == 0 ? NULL : time_format(due_at, is));
	return audit_record(tx, &(struct audit_event){.activity = ACT_USER_ERASE_ANNOUNCED, .resource_type = RES_USER.entity, .resource = l->user,
						      .resource_name = l->name, .subject = l->user, .changes = change});
}

/* ---- announce, call off ---- */

static enum err tell(struct db_tx *tx, size_t n, int64_t first)
{
	static const struct id nothing;
	char day[TIME_TEXT];
	const char *text = arena_printf(db_tx_scope(tx)->arena,
					"%zu account%s that the provisioning directory deactivated and never deleted will be erased, the first on %.10s. "
					"Enabling an account there calls it off; users with erasureDueDateTime are those meant; deactivatedEraseDays is "
					"the setting.",
					n, n == 1 ? "" : "s", time_format(first, day));
	return notice_alarm(tx, "provisioning.deactivated", nothing, text);
}

static enum err announce_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct plan *p = arg;
	int64_t first = INT64_MAX;
	TRY(load_plan(tx, p));
	TRY(load_people(tx, &left_to_announce, DB_ARGS(db_v_int(p->announced_before), db_v_int(A_STEP)), p));
	for (size_t i = 0; i < p->n; i++) {
		int64_t due = p->v[i].disabled_at + p->erase_us, earliest = s->now + p->notice_us;
		due = due < earliest ? earliest : due;
		first = due < first ? due : first;
		TRY(set_due(tx, &p->v[i], due));
	}
	return p->n == 0 ? OK : tell(tx, p->n, first);
}

static enum err call_off_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	(void)s;
	struct plan *p = arg;
	TRY(load_plan(tx, p));
	TRY(load_people(tx, &left_to_call_off, DB_ARGS(db_v_int(p->announced_before), db_v_int(A_STEP)), p));
	for (size_t i = 0; i < p->n; i++)
		TRY(set_due(tx, &p->v[i], 0));
	return OK;
}

/* ---- erase ---- */

static enum err due_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct plan *p = arg;
	TRY(load_plan(tx, p));
	if (p->erase_us == 0)
		return OK;
	return load_people(tx, &left_to_erase, DB_ARGS(db_v_int(s->now - p->erase_us), db_v_int(s->now), db_v_int(A_STEP)), p);
}

/* Enabled or deleted a moment ago: then there is nothing to do. */
static enum err erase_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct left *l = arg;
	struct id duty;
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &left_is_due, DB_ARGS(db_v_id(&l->user), db_v_int(s->now)), &r);
	if (e != OK)
		return e == ERR_NOT_FOUND ? OK : e;
	return user_erase_by(tx, l->user, DUTY_BY_DEACTIVATED, &duty);
}

static enum err run_tenant(struct scope *t, void *arg)
{
	bool *ret_more = arg;
	struct plan *p = arena_alloc(t->arena, sizeof *p);
	TRY(db_write_low(t, call_off_tx, p));
	*ret_more |= p->n == A_STEP;
	TRY(db_write_low(t, announce_tx, p));
	*ret_more |= p->n == A_STEP;
	TRY(db_read(t, due_tx, p));
	*ret_more |= p->n == A_STEP;
	for (size_t i = 0; i < p->n; i++)
		TRY(db_write_low(t, erase_tx, &p->v[i]));
	return OK;
}

/* ---- all tenants ---- */

enum err provisioning_retention_run(struct scope *s, bool *ret_more)
{
	*ret_more = false;
	return each_tenant(s, &left_next_tenant, run_tenant, ret_more);
}
