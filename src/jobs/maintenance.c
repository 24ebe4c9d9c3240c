/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit log's retention; the database's statistics.
 *
 * The job looks every hour, but removes only once the oldest expired event of any tenant is 22 hours past its expiry, and then everything
 * that has expired: one removal a day, one rewriting of the files, and no event stays a day too long.
 */
#include "audit/audit_retention.h"
#include "backup/backup.h"
#include "base/clock.h"
#include "db/db.h"
#include "duty/clock_guard.h"
#include "jobs/jobs_internal.h"
#include "privacy/hold/evidence.h"

DB_GLOBAL(retention_tenants, "SELECT tenant_id FROM tenants WHERE tenant_id > ?1 ORDER BY tenant_id LIMIT ?2");

enum { PAGE = 256 };

struct page {
	struct id after, id[PAGE];
	size_t n;
};

static enum err load_page(struct scope *s, struct db_tx *tx, void *arg)
{
	struct page *p = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &retention_tenants, DB_ARGS(db_v_id(&p->after), db_v_int(PAGE)), &r));
	for (p->n = 0; db_next(r); p->n++)
		p->id[p->n] = db_id(r, 0);
	return db_rows_err(r);
}

typedef enum err (*tenant_fn)(struct scope *s, void *arg);

static enum err in_tenant(struct scope *s, struct id tenant, tenant_fn fn, void *arg)
{
	struct scope t;
	scope_tenant(&t, s->arena, s->db, s->keeper, tenant);
	struct arena_mark mark = arena_mark(s->arena);
	enum err err = fn(&t, arg);
	if (err != OK) {
		s->detail = t.detail;
		return err;
	}
	arena_rewind(s->arena, mark);
	return OK;
}

/* The installation's own log, then every tenant's. */
static enum err each_log(struct scope *s, tenant_fn fn, void *arg)
{
	static const struct id installation;
	struct page *p = arena_alloc(s->arena, sizeof *p);
	p->after = installation;
	TRY(in_tenant(s, installation, fn, arg));
	do {
		TRY(db_read(s, load_page, p));
		for (size_t i = 0; i < p->n; i++) {
			TRY(in_tenant(s, p->id[i], fn, arg));
			p->after = p->id[i];
		}
	} while (p->n == PAGE);
	return OK;
}

static enum err look(struct scope *s, void *arg)
{
	bool *due = arg;
	return *due ? OK : audit_expired_since(s, s->now - 22 * HOUR_US, due);
}

/* What a legal hold keeps is copied first; where that fails nothing goes. */
static enum err expire(struct scope *s, void *arg)
{
	TRY(evidence_keep_expiring(s));
	return audit_expire(s, NULL);
}

/* Also while the time is in doubt: events of today need a place. */
enum err job_partitions(struct server *srv, struct scope *s, bool *ret_more)
{
	return audit_partitions(s);
}

enum err job_retention(struct server *srv, struct scope *s, bool *ret_more)
{
	bool due = false;
	TRY(each_log(s, look, &due));
	if (due)
		TRY(each_log(s, expire, NULL));
	return audit_scrub(s);
}

/* Also where nothing else runs the clock is looked at and stored. */
enum err job_clock(struct server *srv, struct scope *s, bool *ret_more)
{
	clock_guard_doubts(srv->clock, s);
	return OK;
}

enum err job_statistics(struct server *srv, struct scope *s, bool *ret_more)
{
	return db_analyze(srv->db);
}

enum err job_backup_keys(struct server *srv, struct scope *s, bool *ret_more)
{
	return backup_keys_run(s, srv->backups);
}

enum err job_backups(struct server *srv, struct scope *s, bool *ret_more)
{
	return backup_run(s, srv->backups);
}
