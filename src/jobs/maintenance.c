/* SPDX-License-Identifier: Apache-2.0
 * The audit log's retention, tenant by tenant, after which the freed bytes are pushed out of the files; the database's statistics. */
#include "audit/audit_retention.h"
#include "db/db.h"
#include "jobs/jobs_internal.h"

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

static enum err expire_one(struct scope *s, struct id tenant, uint64_t *total)
{
	struct scope t;
	uint64_t removed = 0;
	scope_tenant(&t, s->arena, s->db, s->keeper, tenant);
	struct arena_mark mark = arena_mark(s->arena);
	enum err err = audit_expire(&t, &removed);
	if (err != OK)
		return err;
	arena_rewind(s->arena, mark);
	*total += removed;
	return OK;
}

enum err job_retention(struct server *srv, struct scope *s, bool *ret_more)
{
	static const struct id installation;
	static const char *const tables[] = {"audit_events"};
	struct page *p = arena_alloc(s->arena, sizeof *p);
	uint64_t total = 0;
	TRY(expire_one(s, installation, &total));
	do {
		TRY(db_read(s, load_page, p));
		for (size_t i = 0; i < p->n; i++) {
			TRY(expire_one(s, p->id[i], &total));
			p->after = p->id[i];
		}
	} while (p->n == PAGE);
	if (total == 0)
		return OK;
	enum err err = db_scrub(srv->db, tables, 1);
	return err == ERR_BUSY || err == ERR_NOT_IMPLEMENTED ? OK : err; /* the next removal scrubs; without the owner PostgreSQL's own vacuum does */
}

enum err job_statistics(struct server *srv, struct scope *s, bool *ret_more)
{
	return db_analyze(srv->db);
}
