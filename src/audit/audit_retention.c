/* SPDX-License-Identifier: Apache-2.0
 *
 * Retention.  One batch is one transaction: the places of the oldest expired events go, then the events, the ranges of indexes are noted in
 * audit_removed, and the event about it is written.  So an index without content always has its record, whenever the process ends, and no
 * record tells of an event that is still there.
 *
 * The database itself refuses to remove an event that has not expired by its own clock (trigger; on PostgreSQL the server's role may not
 * delete at all and calls an owner's function).  keptFrom is told from audit_removed and not from what is missing: a row that somebody else
 * took away is never covered by a later record.
 */
#include "audit/audit_retention.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "audit/audit_internal.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "db/db.h"
#include "tlog/tile.h"

/* Both take the same events: what is due by the server's clock, oldest expiry first, but for what still waits for its place in the log. */
#define DUE "SELECT x.event_id FROM audit_events x WHERE x.tenant_id = ?1 AND x.expires_at <= ?2 AND NOT EXISTS " \
	    "(SELECT 1 FROM audit_pending p WHERE p.tenant_id = ?1 AND p.event_id = x.event_id) ORDER BY x.expires_at, x.rowid LIMIT ?3"
/* On PostgreSQL the database's clock bounds it, where SQLite's trigger would refuse. */
#define DUE_PG "SELECT x.event_id FROM audit_events x WHERE x.tenant_id = ?1 AND x.expires_at <= " \
	       "least(?2, (extract(epoch FROM now()) * 1000000)::bigint) AND NOT EXISTS " \
	       "(SELECT 1 FROM audit_pending p WHERE p.tenant_id = ?1 AND p.event_id = x.event_id) ORDER BY x.expires_at, x.event_id LIMIT ?3"
DB_TENANT_PG(audit_places_expire, "DELETE FROM audit_leaves WHERE tenant_id = ?1 AND event_id IN (" DUE ") RETURNING leaf_index",
	     "DELETE FROM audit_leaves WHERE tenant_id = ?1 AND event_id IN (" DUE_PG ") RETURNING leaf_index");
/* PostgreSQL: the application role has no DELETE on events; the function belongs to the owner and chooses by the same rule. */
DB_TENANT_PG(audit_events_expire, "DELETE FROM audit_events WHERE tenant_id = ?1 AND event_id IN (" DUE ") RETURNING 1",
	     "SELECT 1 FROM generate_series(1, audit_events_prune(?1, ?2, ?3))");
DB_TENANT(audit_any_expired, "SELECT 1 FROM audit_events WHERE tenant_id = ?1 AND expires_at <= ?2 LIMIT 1");
DB_TENANT(audit_removed_take,
	  "DELETE FROM audit_removed WHERE tenant_id = ?1 AND first <= ?3 AND past >= ?2 RETURNING first, past");
DB_TENANT(audit_removed_put, "INSERT INTO audit_removed (tenant_id, first, past, scrubbed) VALUES (?1, ?2, ?3, 0)");
DB_TENANT(audit_removed_kept, "SELECT past FROM audit_removed WHERE tenant_id = ?1 AND first = 0");
DB_TENANT(audit_removed_within, "SELECT first, past FROM audit_removed WHERE tenant_id = ?1 AND first < ?3 AND past > ?2 ORDER BY first");
DB_GLOBAL(audit_scrub_owed, "SELECT 1 FROM audit_removed WHERE scrubbed = 0 LIMIT 1");
DB_GLOBAL(audit_scrub_paid, "UPDATE audit_removed SET scrubbed = 1 WHERE scrubbed = 0");
/* SQLite has no partitions. */
DB_GLOBAL_PG(audit_partitions_prepare, "SELECT 0", "SELECT audit_events_prepare()");
DB_GLOBAL_PG(audit_partitions_drop, "SELECT 0", "SELECT audit_events_drop_past()");
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
DB_TENANT(audit_delete_removed, "DELETE FROM audit_removed WHERE tenant_id = ?1");
DB_TENANT(audit_delete_edge, "DELETE FROM audit_tiles WHERE tenant_id = ?1");
DB_TENANT(audit_delete_cosignatures, "DELETE FROM audit_cosignatures WHERE tenant_id = ?1");
DB_TENANT(audit_delete_sinks, "DELETE FROM audit_sinks WHERE tenant_id = ?1");
DB_TENANT(audit_delete_exports, "DELETE FROM audit_exports WHERE tenant_id = ?1");
DB_TENANT(audit_delete_head, "DELETE FROM audit_heads WHERE tenant_id = ?1");

enum {
	BATCH = 200, /* about 5 ms of a writer's time */
	RANGES = 100, /* of one event */
};

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

/* ---- one batch ---- */

struct span {
	uint64_t first, past;
};

struct removal {
	uint64_t index[BATCH];
	struct span span[BATCH];
	size_t n, spans;
	uint64_t events;
};

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static void find_spans(struct removal *m)
{
	qsort(m->index, m->n, sizeof m->index[0], by_number); /* RETURNING promises no order */
	m->spans = 0;
	for (size_t i = 0; i < m->n; i++) {
		if (m->spans == 0 || m->span[m->spans - 1].past != m->index[i])
			m->span[m->spans++] = (struct span){m->index[i], m->index[i]};
		m->span[m->spans - 1].past++;
	}
}

static enum err take_due(struct db_tx *tx, struct removal *m)
{
	auto_rows struct db_rows *r = NULL, *gone = NULL;
	struct db_value args[] = {db_v_int(db_tx_scope(tx)->now), db_v_int(BATCH)};
	TRY(db_query(tx, &audit_places_expire, args, 2, &r));
	for (m->n = 0; db_next(r); m->n++) {
		check(m->n < BATCH);
		m->index[m->n] = (uint64_t)db_int(r, 0);
	}
	TRY(db_rows_err(r));
	TRY(db_query(tx, &audit_events_expire, args, 2, &gone));
	for (m->events = 0; db_next(gone); m->events++)
		;
	return db_rows_err(gone);
}

/* Joined with the ranges that it touches. */
static enum err note_span(struct db_tx *tx, struct span span)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &audit_removed_take, DB_ARGS(db_v_int((int64_t)span.first), db_v_int((int64_t)span.past)), &r));
	while (db_next(r)) {
		uint64_t first = (uint64_t)db_int(r, 0), past = (uint64_t)db_int(r, 1);
		span.first = first < span.first ? first : span.first;
		span.past = past > span.past ? past : span.past;
	}
	TRY(db_rows_err(r));
	return db_exec(tx, &audit_removed_put, DB_ARGS(db_v_int((int64_t)span.first), db_v_int((int64_t)span.past)), NULL);
}

static enum err kept_from(struct db_tx *tx, uint64_t *ret)
{
	auto_rows struct db_rows *r = NULL;
	enum err err = db_query_one(tx, &audit_removed_kept, DB_NOARGS, &r);
	*ret = err == OK ? (uint64_t)db_int(r, 0) : 0;
	return err == ERR_NOT_FOUND ? OK : err;
}

static char *number(struct arena *a, uint64_t n)
{
	return arena_printf(a, "%llu", (unsigned long long)n);
}

/* One event about up to RANGES of the batch's ranges. */
static enum err record_spans(struct db_tx *tx, const struct span *span, size_t n, uint64_t kept, int64_t days)
{
	struct scope *s = db_tx_scope(tx);
	char until[TIME_TEXT];
	uint64_t events = 0;
	auto_buf ranges;
	buf_init(&ranges, 8 * KIB);
	for (size_t i = 0; i < n; i++) {
		events += span[i].past - span[i].first;
		buf_printf(&ranges, "%s%llu", i > 0 ? "," : "", (unsigned long long)span[i].first);
		if (span[i].past - span[i].first > 1)
			buf_printf(&ranges, "-%llu", (unsigned long long)span[i].past - 1);
	}
	check(!ranges.failed);
	struct audit_change *changes = NULL, **tail = &changes;
	tail = audit_change_add(s->arena, tail, "eventsRemoved", NULL, NULL, NULL, number(s->arena, events));
	tail = audit_change_add(s->arena, tail, "indexes", NULL, NULL, NULL, arena_strndup(s->arena, ranges.data, ranges.len));
	tail = audit_change_add(s->arena, tail, "keptFrom", NULL, NULL, NULL, number(s->arena, kept));
	tail = audit_change_add(s->arena, tail, "expiredUntil", NULL, NULL, NULL, time_format(s->now, until));
	audit_change_add(s->arena, tail, "policyDays", NULL, NULL, NULL, number(s->arena, (uint64_t)days));
	return audit_record(tx, &(struct audit_event){.activity = ACT_AUDIT_RETENTION, .resource_type = "AuditLog", .changes = changes});
}

static enum err expire_batch(struct scope *s, struct db_tx *tx, void *arg)
{
	struct removal *m = arg;
	uint64_t kept;
	int64_t keep_us;
	TRY(take_due(tx, m));
	find_spans(m);
	for (size_t i = 0; i < m->spans; i++)
		TRY(note_span(tx, m->span[i]));
	TRY(kept_from(tx, &kept));
	TRY(audit_retention_us(tx, &keep_us));
	for (size_t i = 0; i < m->spans; i += RANGES)
		TRY(record_spans(tx, m->span + i, m->spans - i < RANGES ? m->spans - i : RANGES, kept, keep_us / DAY_US));
	return OK;
}

enum err audit_expire(struct scope *s, uint64_t *ret_removed)
{
	uint64_t total = 0;
	struct removal *m = arena_alloc(s->arena, sizeof *m);
	do {
		TRY(db_write_low(s, expire_batch, m));
		total += m->events;
	} while (m->events == BATCH);
	if (ret_removed != NULL)
		*ret_removed = total;
	return OK;
}

/* ---- when ---- */

struct due {
	int64_t before;
	bool any;
};

static enum err find_due(struct scope *s, struct db_tx *tx, void *arg)
{
	struct due *d = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &audit_any_expired, DB_ARGS(db_v_int(d->before)), &r));
	d->any = db_next(r);
	return db_rows_err(r);
}

enum err audit_expired_since(struct scope *s, int64_t before, bool *ret)
{
	struct due d = {.before = before};
	TRY(db_read(s, find_due, &d));
	*ret = d.any;
	return OK;
}

enum err audit_removed(struct db_tx *tx, uint64_t first, size_t n, bool *ret)
{
	auto_rows struct db_rows *r = NULL;
	memset(ret, false, n * sizeof *ret);
	TRY(db_query(tx, &audit_removed_within, DB_ARGS(db_v_int((int64_t)first), db_v_int((int64_t)(first + n))), &r));
	while (db_next(r)) {
		uint64_t from = (uint64_t)db_int(r, 0), past = (uint64_t)db_int(r, 1);
		for (uint64_t i = from > first ? from : first; i < past && i < first + n; i++)
			ret[i - first] = true;
	}
	return db_rows_err(r);
}

/* ---- the files ---- */

struct answer {
	struct db_stmt *stmt;
	int64_t ret;
};

static enum err ask(struct scope *s, struct db_tx *tx, void *arg)
{
	struct answer *a = arg;
	enum err err = scalar(tx, a->stmt, NULL, 0, &a->ret);
	return err == ERR_NOT_FOUND ? OK : err;
}

static enum err pay_scrub(struct scope *s, struct db_tx *tx, void *arg)
{
	return db_exec(tx, &audit_scrub_paid, DB_NOARGS, NULL);
}

enum err audit_partitions(struct scope *s)
{
	struct answer prepare = {.stmt = &audit_partitions_prepare};
	return db_engine(s->db) == DB_POSTGRES ? db_write(s, ask, &prepare) : OK;
}

/* Content goes with the partition; what is left of the places, an index and an id, goes with the same turn. */
static enum err drop_past(struct scope *s)
{
	static const char *const places[] = {"audit_leaves"};
	struct answer drop = {.stmt = &audit_partitions_drop};
	TRY(db_write(s, ask, &drop));
	if (drop.ret == 0)
		return OK;
	enum err err = db_scrub(s->db, places, 1);
	return err == ERR_BUSY || err == ERR_NOT_IMPLEMENTED ? OK : err; /* at the next turn; without the owner PostgreSQL's own vacuum */
}

enum err audit_scrub(struct scope *s)
{
	struct answer owed = {.stmt = &audit_scrub_owed};
	if (db_engine(s->db) == DB_POSTGRES)
		return drop_past(s);
	TRY(db_read(s, ask, &owed));
	if (owed.ret == 0)
		return OK;
	enum err err = db_scrub(s->db, NULL, 0);
	if (err == ERR_BUSY)
		return OK; /* still owed */
	if (err != OK)
		return scope_fail(s, err, "the removed events' bytes could not be pushed out of the database's files");
	return db_write_low(s, pay_scrub, NULL);
}

/* ---- a tenant's end ---- */

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
	struct db_stmt *const last[] = {&audit_delete_edge, &audit_delete_removed, &audit_delete_cosignatures, &audit_delete_sinks,
					&audit_delete_exports, &audit_delete_head};
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
