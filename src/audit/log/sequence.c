/* SPDX-License-Identifier: Apache-2.0
 *
 * From committed events to the tree: each pending event of a tenant gets the next index of its log, leaves audit_pending, and its commitment
 * is appended to the tiles, in one transaction: the log has no gap and no event twice.
 *
 * One transaction serves several tenants, so that a thousand logs with one event each do not cost a thousand commits; it takes no more than
 * a page of events, so that nobody waits long for the writer.
 */
#include <stdlib.h>
#include <string.h>

#include "audit/commitment.h"
#include "audit/log/internal.h"
#include "audit/log/log.h"
#include "audit/log/tiles.h"
#include "db/db.h"

DB_GLOBAL(audit_tenants_to_sequence, "SELECT DISTINCT tenant_id FROM audit_pending WHERE tenant_id > ?1 ORDER BY tenant_id LIMIT ?2");
DB_GLOBAL(audit_pending_page, "SELECT event_id, commitment FROM audit_pending WHERE tenant_id = ?1 ORDER BY event_id LIMIT ?2");
DB_GLOBAL(audit_head_size, "SELECT size FROM audit_heads WHERE tenant_id = ?1");
DB_GLOBAL(audit_leaves_insert,
	  "INSERT INTO audit_leaves (tenant_id, leaf_index, event_id) SELECT tenant_id, CAST(?2 AS bigint) + row_number() OVER (ORDER BY event_id) "
	  "- 1, event_id FROM audit_pending WHERE tenant_id = ?1 AND event_id <= ?3");
DB_GLOBAL(audit_pending_done, "DELETE FROM audit_pending WHERE tenant_id = ?1 AND event_id <= ?2");
DB_GLOBAL(audit_head_grow,
	  "INSERT INTO audit_heads (tenant_id, size, signed_size, place) VALUES (?1, ?2, 0, ?3) "
	  "ON CONFLICT (tenant_id) DO UPDATE SET size = excluded.size");

enum { PAGE = 512, TENANTS_PAGE = 64 }; /* about 4 ms of the writer */

struct page {
	struct id after;
	bool first; /* there is no `after` yet: the installation's id is all zeros */
	struct id tenant[TENANTS_PAGE];
	size_t n;
	size_t events; /* out */
};

static enum err take_pending(const struct audit_tiles *log, size_t most, struct id *ret_last, uint8_t (*out)[SHA256_BYTES], size_t *ret_n)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(log->tx, &audit_pending_page, DB_ARGS(db_v_id(&log->tenant), db_v_int((int64_t)most)), &r));
	for (*ret_n = 0; db_next(r); ++*ret_n) {
		size_t len;
		const void *c = db_blob(r, 1, &len);
		check(len == AUDIT_COMMITMENT_BYTES);
		memcpy(out[*ret_n], c, AUDIT_COMMITMENT_BYTES);
		*ret_last = db_id(r, 0);
	}
	return db_rows_err(r);
}

/* place: where a log begins; NULL for one that has begun. */
static enum err head_size(const struct audit_tiles *log, uint64_t *ret, struct log_place *place)
{
	auto_rows struct db_rows *r = NULL;
	enum err err = db_query_one(log->tx, &audit_head_size, DB_ARGS(db_v_id(&log->tenant)), &r);
	*ret = err == OK ? (uint64_t)db_int(r, 0) : 0;
	return err == ERR_NOT_FOUND ? audit_log_place(log->tx, place) : err;
}

/* Every statement sees the same rows of audit_pending: SQLite has one writer, and PostgreSQL's writes are serializable. */
static enum err integrate_tenant(const struct audit_tiles *log, size_t most, size_t *ret_n)
{
	struct scope *s = db_tx_scope(log->tx);
	struct arena_mark mark = arena_mark(s->arena);
	uint8_t(*commitments)[SHA256_BYTES] = arena_alloc(s->arena, most * sizeof *commitments);
	uint64_t size;
	struct id last;
	int64_t placed, taken;
	struct log_place place = {0};
	struct db_value tenant = db_v_id(&log->tenant);
	TRY(take_pending(log, most, &last, commitments, ret_n));
	if (*ret_n == 0)
		return OK;
	TRY(head_size(log, &size, &place));
	TRY(db_exec(log->tx, &audit_leaves_insert, DB_ARGS(tenant, db_v_int((int64_t)size), db_v_id(&last)), &placed));
	TRY(db_exec(log->tx, &audit_pending_done, DB_ARGS(tenant, db_v_id(&last)), &taken));
	check(placed == (int64_t)*ret_n && taken == placed);
	TRY(audit_tiles_append(log, size, (const void *)commitments, *ret_n));
	TRY(db_exec(log->tx, &audit_head_grow, DB_ARGS(tenant, db_v_int((int64_t)(size + *ret_n)), db_v_text(place.name)), NULL));
	arena_rewind(s->arena, mark);
	return OK;
}

static enum err integrate_page(struct scope *s, struct db_tx *tx, void *arg)
{
	struct page *p = arg;
	p->events = 0;
	for (size_t i = 0; i < p->n && p->events < PAGE; i++) {
		size_t n;
		TRY(integrate_tenant(&(struct audit_tiles){tx, p->tenant[i]}, PAGE - p->events, &n));
		p->events += n;
	}
	return OK;
}

static enum err list_tenants(struct scope *s, struct db_tx *tx, void *arg)
{
	struct page *p = arg;
	auto_rows struct db_rows *r = NULL;
	struct db_value after = db_v_blob(&p->after, p->first ? 0 : sizeof p->after);
	TRY(db_query(tx, &audit_tenants_to_sequence, DB_ARGS(after, db_v_int(TENANTS_PAGE)), &r));
	for (p->n = 0; db_next(r); p->n++)
		p->tenant[p->n] = db_id(r, 0);
	return db_rows_err(r);
}

/* One log, whose tiles may lack what an older schema did not keep. */
static enum err integrate_alone(struct scope *s, struct id tenant, size_t *ret_events)
{
	struct page one = {.tenant = {tenant}, .n = 1};
	enum err err = db_write(s, integrate_page, &one);
	if (err == ERR_CONFLICT && audit_mend_tiles(s, tenant) == OK) {
		s->detail = NULL;
		err = db_write(s, integrate_page, &one);
	}
	*ret_events = err == OK ? one.events : 0;
	if (err == ERR_CONFLICT)
		audit_damaged(s, tenant);
	return err;
}

/* What is wrong with one log must not hold up the others. */
static enum err integrate_each(struct scope *s, const struct page *p, size_t *ret_events)
{
	enum err first = OK;
	for (size_t i = 0; i < p->n; i++) {
		size_t n;
		s->detail = NULL;
		enum err err = integrate_alone(s, p->tenant[i], &n);
		if (err != OK && err != ERR_CONFLICT)
			return err;
		first = first == OK ? err : first;
		*ret_events += n;
	}
	return first;
}

enum err audit_integrate(struct scope *s, bool *ret_more)
{
	enum err first = OK;
	struct page *p = arena_alloc(s->arena, sizeof *p);
	p->first = true;
	*ret_more = false;
	do {
		struct arena_mark mark = arena_mark(s->arena);
		TRY(db_read(s, list_tenants, p));
		if (p->n == 0)
			break;
		enum err err = db_write(s, integrate_page, p);
		if (err == ERR_CONFLICT)
			err = integrate_each(s, p, &p->events);
		if (err != OK && err != ERR_CONFLICT)
			return err;
		first = first == OK ? err : first;
		*ret_more |= p->events >= PAGE;
		p->after = p->tenant[p->n - 1];
		p->first = false;
		if (err == OK)
			arena_rewind(s->arena, mark);
	} while (p->n == TENANTS_PAGE);
	return first;
}
