/* SPDX-License-Identifier: Apache-2.0
 *
 * A page reads a bounded stretch of the log: a filter that matches nothing costs no more than one that matches all, and the reader is sent on.
 */
#include "audit/audit_tail.h"

#include "base/scope.h"

DB_TENANT(audit_tail_head, "SELECT size, generation FROM audit_heads WHERE tenant_id = ?1");
DB_TENANT(audit_tail_first, "SELECT min(leaf_index) FROM audit_leaves WHERE tenant_id = ?1 AND leaf_index >= ?2");

enum { STRETCH = 20000 };

enum err audit_tail_end(struct db_tx *tx, struct audit_tail *io)
{
	auto_rows struct db_rows *r = NULL;
	enum err err = db_query_one(tx, &audit_tail_head, DB_NOARGS, &r);
	io->size = err == OK ? (uint64_t)db_int(r, 0) : 0;
	io->generation = err == OK ? (uint64_t)db_int(r, 1) : 1;
	io->next = io->size;
	return err == ERR_NOT_FOUND ? OK : err;
}

/* What expired leaves a gap, which is passed in one step. */
static enum err skip_expired(struct db_tx *tx, struct audit_tail *io, uint64_t *ret)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &audit_tail_first, DB_ARGS(db_v_int((int64_t)io->from)), &r));
	*ret = db_is_null(r, 0) || (uint64_t)db_int(r, 0) > io->size ? io->size : (uint64_t)db_int(r, 0);
	return OK;
}

static enum err query(struct db_tx *tx, struct audit_tail *io, uint64_t from, uint64_t until, struct db_rows **ret)
{
	struct arena *a = db_tx_scope(tx)->arena;
	struct db_value *args = arena_alloc(a, (AUDIT_TAIL_FIRST - 2 + io->arg_count) * sizeof *args);
	size_t n = 0;
	args[n++] = db_v_int((int64_t)from);
	args[n++] = db_v_int((int64_t)until);
	args[n++] = db_v_int(io->most);
	for (size_t i = 0; i < io->arg_count; i++)
		args[n++] = io->args[i];
	/* SQLite joins in the order written here: from the log to the events, whatever the condition suggests. */
	const char *sql = arena_printf(a, "SELECT l.leaf_index, t.bytes, t.resource_id FROM audit_leaves l CROSS JOIN audit_events t "
					  "WHERE l.tenant_id = ?1 AND t.tenant_id = ?1 AND t.event_id = l.event_id "
					  "AND l.leaf_index >= ?2 AND l.leaf_index < ?3 AND %s ORDER BY l.leaf_index LIMIT ?4",
				       io->where != NULL ? io->where : "1=1");
	return db_query_text(tx, DB_REACH_TENANT, sql, args, n, ret);
}

enum err audit_tail(struct db_tx *tx, struct audit_tail *io, audit_tail_fn fn, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	uint64_t generation = io->generation, from, rows = 0;
	TRY(audit_tail_end(tx, io));
	if ((generation != 0 && generation != io->generation) || io->from > io->size)
		return scope_fail(db_tx_scope(tx), ERR_SYNC_STATE, "the log was restored since this token was given: start again without it");
	TRY(skip_expired(tx, io, &from));
	uint64_t until = io->size - from > STRETCH ? from + STRETCH : io->size;
	TRY(query(tx, io, from, until, &r));
	io->next = until;
	while (!io->full && db_next(r)) {
		size_t n;
		const char *bytes = db_blob(r, 1, &n);
		uint64_t index = (uint64_t)db_int(r, 0);
		io->resource = db_id(r, 2);
		TRY(fn(tx, io, bytes, n, arg));
		if (++rows == io->most || io->full)
			io->next = index + 1;
	}
	return db_rows_err(r);
}
