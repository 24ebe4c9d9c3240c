/* SPDX-License-Identifier: Apache-2.0
 *
 * The devices of a tenant that is closing are told to retire before its data goes, a grace earlier, in batches.  Those that come meanwhile
 * fetch it; nobody waits for the silent ones, and the certificate counts them.
 */
#include "audit/audit.h"
#include "base/log.h"
#include "devices/removal.h"
#include "duty/duty.h"
#include "privacy/erasure/erasure.h"
#include "privacy/erasure/internal.h"

DB_GLOBAL(tenants_retiring, "SELECT tenant_id FROM tenants WHERE devices_retire_at <= ?1 ORDER BY devices_retire_at LIMIT ?2");
DB_TENANT(tenant_devices_retired, "UPDATE tenants SET devices_retire_at = NULL WHERE tenant_id = ?1 AND state = 'closing' AND devices_retire_at <= ?2");
DB_TENANT(tenant_devices_page,
	  "SELECT d.device_id, EXISTS (SELECT 1 FROM device_certificates c WHERE c.tenant_id = ?1 AND c.device_id = d.device_id AND "
	  "c.revoked_at IS NULL AND c.expires_at > ?3) FROM managed_devices d WHERE d.tenant_id = ?1 AND d.device_id > ?2 "
	  "ORDER BY d.device_id LIMIT ?4");
DB_TENANT(tenant_certificates_left,
	  "SELECT count(DISTINCT device_id) FROM device_certificates WHERE tenant_id = ?1 AND revoked_at IS NULL AND expires_at > ?2");

enum { TENANTS_AT_ONCE = 16, DEVICES_AT_ONCE = 20 };

struct retiring {
	struct id tenant[TENANTS_AT_ONCE];
	size_t n;
};

struct walk {
	struct id after, last;
	int64_t asked, batch; /* of devices, so far and in this batch */
	bool end;
};

static enum err list_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct retiring *l = arg;
	auto_rows struct db_rows *r = NULL;
	l->n = 0;
	TRY(db_query(tx, &tenants_retiring, DB_ARGS(db_v_int(s->now), db_v_int(TENANTS_AT_ONCE)), &r));
	while (l->n < TENANTS_AT_ONCE && db_next(r))
		l->tenant[l->n++] = db_id(r, 0);
	return db_rows_err(r);
}

static enum err batch_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct walk *w = arg;
	struct id device[DEVICES_AT_ONCE];
	size_t n = 0, rows = 0;
	auto_rows struct db_rows *r = NULL;
	w->last = w->after;
	TRY(db_query(tx, &tenant_devices_page, DB_ARGS(db_v_id(&w->after), db_v_int(s->now), db_v_int(DEVICES_AT_ONCE)), &r));
	for (; rows < DEVICES_AT_ONCE && db_next(r); rows++) {
		w->last = db_id(r, 0);
		if (db_bool(r, 1))
			device[n++] = w->last;
	}
	TRY(db_rows_err(r));
	for (size_t i = 0; i < n; i++)
		TRY(device_retire_in_tx(tx, device[i], DUTY_BY_TENANT_CLOSE, NULL));
	w->batch = (int64_t)n;
	w->end = rows < DEVICES_AT_ONCE;
	return OK;
}

static enum err end_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct walk *w = arg;
	int64_t n;
	TRY(db_exec(tx, &tenant_devices_retired, DB_ARGS(db_v_int(s->now)), &n));
	if (n == 0) /* it returned meanwhile */
		return OK;
	struct audit_change *change = NULL;
	audit_change_add(s->arena, &change, "devicesToldToRetire", NULL, NULL, NULL, arena_printf(s->arena, "%lld", (long long)w->asked));
	return audit_record(tx, &(struct audit_event){.activity = ACT_TENANT_UPDATE, .resource_type = "Tenant", .resource = s->tenant,
						      .changes = change});
}

/* From the start again after a crash: a device that was asked already is not asked twice. */
static enum err retire_all(struct scope *s)
{
	struct walk w = {0};
	while (!w.end) {
		struct arena_mark mark = arena_mark(s->arena);
		enum err e = db_write_low(s, batch_tx, &w);
		arena_rewind(s->arena, mark);
		TRY(e);
		w.after = w.last;
		w.asked += w.batch;
	}
	return db_write_low(s, end_tx, &w);
}

enum err erasure_retire_devices(struct scope *s, bool *ret_more)
{
	struct retiring l;
	*ret_more = false;
	TRY(db_read(s, list_tx, &l));
	for (size_t i = 0; i < l.n; i++) {
		struct scope t;
		char text[ID_TEXT];
		scope_tenant(&t, s->arena, s->db, s->keeper, l.tenant[i]);
		t.now = s->now;
		enum err e = retire_all(&t);
		if (e != OK)
			log_event(LOG_WARN, "tenant_devices_retire", "tenant=%s error=%s", id_format(l.tenant[i], text), err_name(e));
	}
	return OK;
}

enum err tenant_devices_silent(struct db_tx *tx, int64_t *ret)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &tenant_certificates_left, DB_ARGS(db_v_int(db_tx_scope(tx)->now)), &r));
	*ret = db_int(r, 0);
	return OK;
}
