/* SPDX-License-Identifier: Apache-2.0
 * Retention of what runs out, read from the data map.  What is held of a person whose processing is restricted waits until that is lifted,
 * what a legal hold keeps until that is released. */
#include "privacy/retention.h"

#include <string.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "db/db.h"
#include "map/datamap.h"
#include "privacy/hold/legal_hold.h"

enum { BATCH = 200, CASES = 50 };

/* ---- rows that go without a word: credentials, hashes, letters ---- */

struct sweep {
	const struct map_table *table;
	const char *where; /* ?1: the moment */
	int64_t before;
	bool any;
	int64_t gone;
};

static const char *unrestricted(const struct map_table *t)
{
	switch (t->link) {
	case MAP_LINK_USER:
		return " AND NOT EXISTS (SELECT 1 FROM users u WHERE u.tenant_id = t.tenant_id AND u.user_id = t.user_id AND u.restricted_at IS NOT NULL)";
	case MAP_LINK_DEVICE:
		return " AND NOT EXISTS (SELECT 1 FROM managed_devices d JOIN users u ON u.tenant_id = d.tenant_id AND u.user_id = d.user_id "
		       "WHERE d.tenant_id = t.tenant_id AND d.device_id = t.device_id AND u.restricted_at IS NOT NULL)";
	default: return "";
	}
}

/* An action that was owed and has been reported on leaves a revoked certificate that is of no further use. */
static const char *condition(struct arena *a, const struct map_table *t)
{
	const char *over = t->erase == MAP_TABLE_OWED ? "(t.expires_at < ?1 OR (t.owed_action IS NOT NULL AND t.revoked_at IS NOT NULL))"
						      : "t.expires_at < ?1";
	return arena_printf(a, "%s%s%s", over, unrestricted(t), legal_hold_unheld(a, t));
}

static bool runs_out(const struct map_table *t)
{
	bool class = t->retention == MAP_RETAIN_DAYS_30 || t->retention == MAP_RETAIN_EXPIRY || t->retention == MAP_RETAIN_CERTIFICATE ||
		     t->retention == MAP_RETAIN_YEARS_3;
	return class && map_column(t->name, "expires_at") != NULL && map_column(t->name, "storage_location") == NULL;
}

static enum err look_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct sweep *w = arg;
	auto_rows struct db_rows *r = NULL;
	const char *sql = arena_printf(s->arena, "SELECT 1 FROM %s t WHERE %s LIMIT 1", w->table->name, w->where);
	struct db_value before = db_v_int(w->before);
	TRY(db_query_text(tx, DB_REACH_GLOBAL, sql, &before, 1, &r));
	w->any = db_next(r);
	return db_rows_err(r);
}

static enum err delete_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct sweep *w = arg;
	const char *row = db_engine(s->db) == DB_SQLITE ? "rowid" : "ctid";
	const char *sql = arena_printf(s->arena, "DELETE FROM %s WHERE %s IN (SELECT t.%s FROM %s t WHERE %s LIMIT %d)",
				       w->table->name, row, row, w->table->name, w->where, BATCH);
	struct db_value before = db_v_int(w->before);
	return db_exec_text(tx, DB_REACH_GLOBAL, sql, &before, 1, &w->gone);
}

static enum err expire_table(struct scope *s, const struct map_table *t, bool *ret_more)
{
	struct sweep w = {.table = t, .where = condition(s->arena, t)};
	w.before = t->retention == MAP_RETAIN_DAYS_30 ? s->now - 30 * DAY_US : s->now;
	/* reading first: a write has to wait its turn and most of the time nothing is due */
	TRY(db_read(s, look_tx, &w));
	if (w.any)
		TRY(db_write_low(s, delete_tx, &w));
	*ret_more = *ret_more || w.gone == BATCH;
	return OK;
}

/* ---- cases: each removal is a change, and what was decided for the case goes with it ---- */

DB_GLOBAL(requests_expired, "SELECT t.tenant_id, t.request_id, t.user_id FROM data_subject_requests t WHERE t.expires_at < ?1 AND NOT EXISTS "
			    "(SELECT 1 FROM users u WHERE u.tenant_id = t.tenant_id AND u.user_id = t.user_id AND u.restricted_at IS NOT NULL) AND NOT EXISTS "
			    "(SELECT 1 FROM legal_hold_members m WHERE m.tenant_id = t.tenant_id AND m.user_id = t.user_id AND m.device_id IS NULL "
			    "AND (m.sections IS NULL OR m.sections LIKE '%\"requests\"%')) LIMIT ?2");
DB_TENANT(expired_request_delete, "DELETE FROM data_subject_requests WHERE tenant_id = ?1 AND request_id = ?2 AND expires_at < ?3");

struct one_case {
	struct id tenant, request, user;
};

struct cases {
	struct one_case v[CASES];
	size_t n;
};

static enum err expired_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct cases *c = arg;
	auto_rows struct db_rows *r = NULL;
	c->n = 0;
	TRY(db_query(tx, &requests_expired, DB_ARGS(db_v_int(s->now), db_v_int(CASES)), &r));
	while (c->n < CASES && db_next(r))
		c->v[c->n++] = (struct one_case){.tenant = db_id(r, 0), .request = db_id(r, 1), .user = db_id(r, 2)};
	return db_rows_err(r);
}

/* Tables of the case's class that have no time of their own. */
static enum err delete_parts(struct db_tx *tx, const struct id *request)
{
	size_t n;
	const struct map_table *t = map_tables(&n);
	struct arena *a = db_tx_scope(tx)->arena;
	struct db_value arg = db_v_id(request);
	for (size_t i = 0; i < n; i++)
		if (t[i].retention == MAP_RETAIN_MONTHS_24 && map_column(t[i].name, "expires_at") == NULL)
			TRY(db_exec_text(tx, DB_REACH_TENANT, arena_printf(a, "DELETE FROM %s WHERE tenant_id = ?1 AND request_id = ?2", t[i].name),
					 &arg, 1, NULL));
	return OK;
}

static enum err expire_case_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct one_case *c = arg;
	int64_t n;
	TRY(db_exec(tx, &expired_request_delete, DB_ARGS(db_v_id(&c->request), db_v_int(s->now)), &n));
	if (n == 0)
		return OK; /* another server was faster */
	TRY(delete_parts(tx, &c->request));
	return audit_record(tx, &(struct audit_event){.activity = ACT_DSR_EXPIRE,
						      .resource_type = "DataSubjectRequest",
						      .resource = c->request,
						      .subject = c->user});
}

static enum err expire_cases(struct scope *s, bool *ret_more)
{
	struct cases c;
	TRY(db_read(s, expired_tx, &c));
	for (size_t i = 0; i < c.n; i++) {
		struct scope tenant;
		scope_tenant(&tenant, s->arena, s->db, s->keeper, c.v[i].tenant);
		tenant.now = s->now;
		TRY(db_write_low(&tenant, expire_case_tx, &c.v[i]));
	}
	*ret_more = *ret_more || c.n == CASES;
	return OK;
}

enum err retention_expire(struct scope *s, bool *ret_more)
{
	size_t n;
	const struct map_table *t = map_tables(&n);
	*ret_more = false;
	for (size_t i = 0; i < n; i++)
		if (runs_out(&t[i]))
			TRY(expire_table(s, &t[i], ret_more));
	return expire_cases(s, ret_more);
}
