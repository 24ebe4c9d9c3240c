/* SPDX-License-Identifier: Apache-2.0
 *
 * Retention.  The database itself refuses to remove an event that has not expired (trigger; on PostgreSQL the server's role may not
 * delete at all and calls an owner's function that is bounded by the database's clock).
 */
#include "audit/audit_retention.h"

#include <stdio.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "db/db.h"
#include "tlog/tile.h"

DB_TENANT(audit_unlink_expired,
	  "DELETE FROM audit_leaves WHERE tenant_id = ?1 AND event_id IN (SELECT event_id FROM audit_events "
	  "WHERE tenant_id = ?1 AND expires_at <= ?2 ORDER BY expires_at LIMIT ?3)");
/* PostgreSQL: the application role has no DELETE on events; the function belongs to the owner and checks the expiry again. */
DB_TENANT_PG(audit_delete_expired,
	     "DELETE FROM audit_events WHERE tenant_id = ?1 AND event_id IN (SELECT event_id FROM audit_events WHERE tenant_id = ?1 "
	     "AND expires_at <= ?2 ORDER BY expires_at LIMIT ?3) AND event_id NOT IN (SELECT event_id FROM audit_pending WHERE tenant_id = ?1)",
	     "SELECT audit_events_prune(?1, ?3) WHERE ?2 > 0");
DB_TENANT(audit_count_expired, "SELECT count(*) FROM (SELECT 1 FROM audit_events WHERE tenant_id = ?1 AND expires_at <= ?2 LIMIT ?3) x");
DB_TENANT_PG(audit_delete_all,
	     "DELETE FROM audit_events WHERE tenant_id = ?1 AND event_id IN (SELECT event_id FROM audit_events WHERE tenant_id = ?1 LIMIT ?2)",
	     "SELECT audit_events_purge(?1, ?2)");
DB_TENANT(audit_count_some, "SELECT count(*) FROM (SELECT 1 FROM audit_events WHERE tenant_id = ?1 LIMIT ?2) x");
DB_TENANT(audit_delete_pending, "DELETE FROM audit_pending WHERE tenant_id = ?1");
DB_TENANT(audit_delete_leaves, "DELETE FROM audit_leaves WHERE tenant_id = ?1 AND leaf_index < (SELECT min(leaf_index) FROM audit_leaves "
			       "WHERE tenant_id = ?1) + ?2");
/* All but the last of a level: what is still recorded goes on from there. */
DB_TENANT(audit_delete_tiles, "DELETE FROM audit_tiles WHERE tenant_id = ?1 AND level = ?2 AND tile < (SELECT max(tile) FROM audit_tiles "
			      "WHERE tenant_id = ?1 AND level = ?2) AND tile < (SELECT min(tile) FROM audit_tiles "
			      "WHERE tenant_id = ?1 AND level = ?2) + ?3");
DB_TENANT(audit_delete_edge, "DELETE FROM audit_tiles WHERE tenant_id = ?1");
DB_TENANT(audit_delete_cosignatures, "DELETE FROM audit_cosignatures WHERE tenant_id = ?1");
DB_TENANT(audit_delete_sinks, "DELETE FROM audit_sinks WHERE tenant_id = ?1");
DB_TENANT(audit_delete_exports, "DELETE FROM audit_exports WHERE tenant_id = ?1");
DB_TENANT(audit_delete_head, "DELETE FROM audit_heads WHERE tenant_id = ?1");

enum { BATCH = 200 }; /* about 5 ms of a writer's time */

static enum err scalar(struct db_tx *tx, struct db_stmt *stmt, const struct db_value *args, size_t n, int64_t *ret)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, stmt, args, n, &r));
	*ret = db_int(r, 0);
	return OK;
}

/* Runs a statement that deletes on SQLite and calls a function (a row comes back) on PostgreSQL. */
static enum err run_to_end(struct db_tx *tx, struct db_stmt *stmt, const struct db_value *args, size_t n)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, stmt, args, n, &r));
	while (db_next(r))
		;
	return db_rows_err(r);
}

static enum err expire_batch(struct scope *s, struct db_tx *tx, void *arg)
{
	int64_t *removed = arg;
	struct db_value args[] = {db_v_int(s->now), db_v_int(BATCH)};
	TRY(scalar(tx, &audit_count_expired, args, 2, removed));
	if (*removed == 0)
		return OK;
	TRY(db_exec(tx, &audit_unlink_expired, args, 2, NULL));
	return run_to_end(tx, &audit_delete_expired, args, 2);
}

static enum err record_removed(struct scope *s, struct db_tx *tx, void *arg)
{
	char count[24], until[TIME_TEXT];
	snprintf(count, sizeof count, "%llu", (unsigned long long)*(uint64_t *)arg);
	struct audit_change *changes = NULL, **tail = &changes;
	tail = audit_change_add(s->arena, tail, "eventsRemoved", NULL, NULL, NULL, count);
	audit_change_add(s->arena, tail, "expiredUntil", NULL, NULL, NULL, time_format(s->now, until));
	return audit_record(tx, &(struct audit_event){.activity = ACT_AUDIT_RETENTION, .resource_type = "AuditLog", .changes = changes});
}

enum err audit_expire(struct scope *s, uint64_t *ret_removed)
{
	uint64_t total = 0;
	int64_t removed;
	do {
		removed = 0;
		TRY(db_write_low(s, expire_batch, &removed));
		total += (uint64_t)removed;
	} while (removed == BATCH);
	if (total > 0)
		TRY(db_write(s, record_removed, &total));
	if (ret_removed != NULL)
		*ret_removed = total;
	return OK;
}

/* One batch of each; *rows grows with what went. */
static enum err purge_log(struct db_tx *tx, int64_t *rows)
{
	int64_t n;
	TRY(db_exec(tx, &audit_delete_leaves, DB_ARGS(db_v_int(BATCH)), &n));
	*rows += n;
	for (int64_t level = 0; level < TILE_LEVELS; level++) {
		TRY(db_exec(tx, &audit_delete_tiles, DB_ARGS(db_v_int(level), db_v_int(BATCH)), &n));
		*rows += n;
	}
	return OK;
}

/* The head stays: what is still recorded of the purge continues the log, whose signed size never goes back (I3). */
static enum err purge_batch(struct scope *s, struct db_tx *tx, void *arg)
{
	int64_t *removed = arg;
	struct db_value most = db_v_int(BATCH);
	TRY(db_exec(tx, &audit_delete_pending, DB_NOARGS, NULL));
	TRY(scalar(tx, &audit_count_some, &most, 1, removed));
	if (*removed > 0)
		TRY(run_to_end(tx, &audit_delete_all, &most, 1));
	return purge_log(tx, removed); /* go on while anything is left */
}

enum err audit_purge_rest(struct db_tx *tx)
{
	struct db_stmt *const last[] = {&audit_delete_edge, &audit_delete_cosignatures, &audit_delete_sinks, &audit_delete_exports, &audit_delete_head};
	for (size_t i = 0; i < sizeof last / sizeof last[0]; i++)
		TRY(db_exec(tx, last[i], DB_NOARGS, NULL));
	return OK;
}

enum err audit_purge_tenant(struct scope *s, struct id tenant, uint64_t *ret_removed)
{
	struct scope t;
	scope_tenant(&t, s->arena, s->db, s->keeper, tenant);
	uint64_t total = 0;
	int64_t removed;
	do {
		removed = 0;
		TRY(db_write_low(&t, purge_batch, &removed));
		total += (uint64_t)removed;
	} while (removed > 0);
	if (ret_removed != NULL)
		*ret_removed = total;
	return OK;
}
