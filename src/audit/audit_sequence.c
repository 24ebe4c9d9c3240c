/* SPDX-License-Identifier: Apache-2.0
 *
 * From committed events to the tree: each pending event of a tenant gets the next index of its log, leaves audit_pending, and its commitment
 * is appended to the tiles, in one transaction: the log has no gap and no event twice.
 */
#include <stdlib.h>
#include <string.h>

#include "audit/audit_internal.h"
#include "audit/audit_log.h"
#include "audit/audit_tiles.h"
#include "db/db.h"

DB_GLOBAL(audit_tenants_to_sequence, "SELECT DISTINCT tenant_id FROM audit_pending LIMIT ?1");
DB_TENANT(audit_pending_take,
	  "DELETE FROM audit_pending WHERE tenant_id = ?1 AND event_id IN (SELECT event_id FROM audit_pending WHERE tenant_id = ?1 "
	  "ORDER BY event_id LIMIT ?2) RETURNING event_id, commitment");
DB_TENANT(audit_head_size, "SELECT size FROM audit_heads WHERE tenant_id = ?1");
DB_TENANT(audit_leaf_insert, "INSERT INTO audit_leaves (tenant_id, leaf_index, event_id) VALUES (?1, ?2, ?3)");
DB_TENANT(audit_head_grow,
	  "INSERT INTO audit_heads (tenant_id, size, signed_size) VALUES (?1, ?2, 0) "
	  "ON CONFLICT (tenant_id) DO UPDATE SET size = excluded.size");

enum { PAGE = 1024, TENANTS_PAGE = 256 };

struct pending {
	struct id event;
	uint8_t commitment[AUDIT_COMMITMENT_BYTES];
};

static int by_event(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct id));
}

static enum err take_pending(struct db_tx *tx, struct pending *out, size_t *ret_n)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &audit_pending_take, DB_ARGS(db_v_int(PAGE)), &r));
	size_t n = 0, len;
	while (db_next(r)) {
		const void *c = db_blob(r, 1, &len);
		check(len == AUDIT_COMMITMENT_BYTES && n < PAGE);
		out[n].event = db_id(r, 0);
		memcpy(out[n++].commitment, c, AUDIT_COMMITMENT_BYTES);
	}
	qsort(out, n, sizeof *out, by_event); /* RETURNING promises no order */
	*ret_n = n;
	return db_rows_err(r);
}

static enum err head_size(struct db_tx *tx, uint64_t *ret)
{
	auto_rows struct db_rows *r = NULL;
	enum err err = db_query_one(tx, &audit_head_size, DB_NOARGS, &r);
	*ret = err == OK ? (uint64_t)db_int(r, 0) : 0;
	return err == ERR_NOT_FOUND ? OK : err;
}

static enum err integrate_page(struct scope *s, struct db_tx *tx, void *arg)
{
	size_t *n = arg;
	uint64_t size;
	struct pending *events = arena_alloc(s->arena, PAGE * sizeof *events);
	uint8_t(*commitments)[SHA256_BYTES] = arena_alloc(s->arena, PAGE * sizeof *commitments);
	TRY(take_pending(tx, events, n));
	if (*n == 0)
		return OK;
	TRY(head_size(tx, &size));
	for (size_t i = 0; i < *n; i++) {
		TRY(db_exec(tx, &audit_leaf_insert, DB_ARGS(db_v_int((int64_t)(size + i)), db_v_id(&events[i].event)), NULL));
		memcpy(commitments[i], events[i].commitment, sizeof *commitments);
	}
	TRY(audit_tiles_append(tx, size, (const void *)commitments, *n));
	return db_exec(tx, &audit_head_grow, DB_ARGS(db_v_int((int64_t)(size + *n))), NULL);
}

struct tenant_list {
	struct id id[TENANTS_PAGE];
	size_t n;
};

static enum err list_tenants(struct scope *s, struct db_tx *tx, void *arg)
{
	struct tenant_list *list = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &audit_tenants_to_sequence, DB_ARGS(db_v_int(TENANTS_PAGE)), &r));
	for (list->n = 0; db_next(r); list->n++)
		list->id[list->n] = db_id(r, 0);
	return db_rows_err(r);
}

enum err audit_integrate(struct scope *s, bool *ret_more)
{
	struct tenant_list *list = arena_alloc(s->arena, sizeof *list);
	TRY(db_read(s, list_tenants, list));
	*ret_more = list->n == TENANTS_PAGE;
	for (size_t i = 0; i < list->n; i++) {
		struct scope t;
		size_t n = 0;
		scope_tenant(&t, s->arena, s->db, s->keeper, list->id[i]);
		struct arena_mark mark = arena_mark(s->arena);
		enum err err = db_write(&t, integrate_page, &n);
		if (err != OK)
			return err;
		arena_rewind(s->arena, mark);
		*ret_more |= n == PAGE;
	}
	return OK;
}
