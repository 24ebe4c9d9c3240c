/* SPDX-License-Identifier: Apache-2.0
 * Sinks' rows, cursors and pages. */
#include "audit/out/sink.h"

#include <string.h>

#include "base/clock.h"
#include "base/limits.h"

DB_TENANT(sink_load, "SELECT kind, format, target, filter, ca_pem, secret, enabled, version, next_index, "
		     "(SELECT h.generation FROM audit_heads h WHERE h.tenant_id = ?1) FROM audit_sinks WHERE tenant_id = ?1 AND sink_id = ?2");
DB_TENANT(sink_log_size, "SELECT size FROM audit_heads WHERE tenant_id = ?1");
DB_TENANT(sink_confirm,
	  "UPDATE audit_sinks SET next_index = ?4, delivered_count = delivered_count + ?5, expired_count = expired_count + ?6, "
	  "delivered_at = CASE WHEN ?5 > 0 THEN ?7 ELSE delivered_at END, failures = CASE WHEN ?5 > 0 THEN 0 ELSE failures END, "
	  "failing_since = CASE WHEN ?5 > 0 THEN NULL ELSE failing_since END, last_error = CASE WHEN ?5 > 0 THEN NULL ELSE last_error END "
	  "WHERE tenant_id = ?1 AND sink_id = ?2 AND next_index = ?3");
DB_TENANT(sink_failed, "UPDATE audit_sinks SET failures = failures + 1, failing_since = coalesce(failing_since, ?3), last_error = ?4 "
		       "WHERE tenant_id = ?1 AND sink_id = ?2");
DB_TENANT(sink_lag, "SELECT coalesce((SELECT h.size FROM audit_heads h WHERE h.tenant_id = ?1), 0) - next_index, "
		    "(SELECT e.at FROM audit_leaves l JOIN audit_events e ON e.tenant_id = l.tenant_id AND e.event_id = l.event_id "
		    "WHERE l.tenant_id = ?1 AND l.leaf_index >= audit_sinks.next_index ORDER BY l.leaf_index LIMIT 1) "
		    "FROM audit_sinks WHERE tenant_id = ?1 AND sink_id = ?2");
/* Few rows (SINKS_PER_INSTALLATION), read from end to end. */
DB_GLOBAL(sinks_enabled, "SELECT audit_sinks.tenant_id, sink_id, version, next_index, coalesce(h.size, 0) FROM audit_sinks "
			 "LEFT JOIN audit_heads h ON h.tenant_id = audit_sinks.tenant_id WHERE enabled = 1 "
			 "ORDER BY audit_sinks.tenant_id, sink_id LIMIT ?1");
DB_GLOBAL(sinks_count, "SELECT count(*) FROM audit_sinks");
DB_GLOBAL(sinks_stats,
	  "SELECT kind, failures, coalesce((SELECT h.size FROM audit_heads h WHERE h.tenant_id = audit_sinks.tenant_id), 0) - next_index, "
	  "(SELECT e.at FROM audit_leaves l JOIN audit_events e ON e.tenant_id = l.tenant_id AND e.event_id = l.event_id "
	  "WHERE l.tenant_id = audit_sinks.tenant_id AND l.leaf_index >= audit_sinks.next_index ORDER BY l.leaf_index LIMIT 1) "
	  "FROM audit_sinks WHERE enabled = 1");

enum { STRETCH = 256, LIST_MAX = 2 * SINKS_PER_INSTALLATION };

static const char *const KINDS[SINK_KINDS] = {"file", "syslog", "webhook"};

const char *sink_kind_name(enum sink_kind k)
{
	check((unsigned)k < SINK_KINDS);
	return KINDS[k];
}

bool sink_kind_parse(const char *name, enum sink_kind *ret)
{
	for (int k = 0; k < SINK_KINDS; k++)
		if (strcmp(KINDS[k], name) == 0) {
			*ret = (enum sink_kind)k;
			return true;
		}
	return false;
}

/* ---- one row ---- */

static enum err load(struct scope *s, struct db_tx *tx, void *arg)
{
	struct audit_sink *k = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &sink_load, DB_ARGS(db_v_id(&k->sink)), &r));
	check(sink_kind_parse(db_text(r, 0), &k->kind));
	k->ocsf = strcmp(db_text(r, 1), "ocsf") == 0;
	k->target = db_text_dup(r, 2, s->arena);
	k->filter = db_text_dup(r, 3, s->arena);
	k->ca_pem = db_text_dup(r, 4, s->arena);
	const void *secret = db_blob(r, 5, &k->secret_n);
	k->secret = secret == NULL ? NULL : arena_memdup(s->arena, secret, k->secret_n);
	k->enabled = db_bool(r, 6);
	k->version = db_int(r, 7);
	k->next_index = (uint64_t)db_int(r, 8);
	k->generation = db_is_null(r, 9) ? 1 : (unsigned)db_int(r, 9);
	return OK;
}

enum err audit_sink_load(struct scope *s, struct id sink, struct audit_sink *ret)
{
	*ret = (struct audit_sink){.sink = sink};
	return db_read(s, load, ret);
}

/* ---- a page ---- */

struct reading {
	uint64_t from;
	const struct audit_sink_filter *f;
	struct audit_sink_limits most;
	struct audit_sink_page *page;
};

/* What the filter leaves out comes without its bytes: it is there, and not to be delivered. */
static const char *page_sql(struct arena *a, const struct audit_sink_filter *f)
{
	const char *bytes = f->sql == NULL ? "t.bytes" : arena_printf(a, "CASE WHEN %s THEN t.bytes END", f->sql);
	return arena_printf(a,
			    "SELECT l.leaf_index, %s, t.event_id, t.at, t.activity_type, t.resource_type, t.resource_id, t.result "
			    "FROM audit_leaves l JOIN audit_events t ON t.tenant_id = l.tenant_id AND t.event_id = l.event_id "
			    "WHERE l.tenant_id = ?1 AND l.leaf_index >= ?2 AND l.leaf_index < ?3 AND t.expires_at > ?4 ORDER BY l.leaf_index",
			    bytes);
}

static void take(struct arena *a, const struct db_rows *r, uint64_t index, struct audit_sink_event *e)
{
	size_t n;
	const void *bytes = db_blob(r, 1, &n);
	*e = (struct audit_sink_event){.index = index, .event = db_id(r, 2), .at = db_int(r, 3), .activity_type = db_text_dup(r, 4, a),
				       .resource_type = db_text_dup(r, 5, a), .resource = db_id(r, 6),
				       .failure = strcmp(db_text(r, 7), "Success") != 0, .bytes = arena_strndup(a, bytes, n), .n = n};
}

static bool is_full(const struct reading *q, size_t bytes, size_t more)
{
	return q->page->count > 0 && (q->page->count >= q->most.events || bytes + more > q->most.bytes);
}

static enum err read_rows(struct scope *s, struct db_tx *tx, struct reading *q, uint64_t until)
{
	struct audit_sink_page *p = q->page;
	size_t bytes = 0, n, argc = 3 + q->f->arg_count;
	uint64_t present = 0;
	struct db_value *args = arena_alloc(s->arena, argc * sizeof *args);
	auto_rows struct db_rows *r = NULL;
	args[0] = db_v_int((int64_t)q->from);
	args[1] = db_v_int((int64_t)until);
	args[2] = db_v_int(s->now);
	if (q->f->arg_count > 0)
		memcpy(args + 3, q->f->args, q->f->arg_count * sizeof *args);
	TRY(db_query_text(tx, DB_REACH_TENANT, page_sql(s->arena, q->f), args, argc, &r));
	p->next = until;
	while (db_next(r)) {
		uint64_t index = (uint64_t)db_int(r, 0);
		bool wanted = !db_is_null(r, 1);
		n = 0;
		if (wanted)
			(void)db_blob(r, 1, &n);
		if (wanted && is_full(q, bytes, n)) {
			p->next = index; /* the next page begins here */
			break;
		}
		present++;
		if (wanted)
			take(s->arena, r, index, &p->events[p->count++]);
		bytes += n;
	}
	p->expired = p->next - q->from - present;
	return db_rows_err(r);
}

static enum err read_page(struct scope *s, struct db_tx *tx, void *arg)
{
	struct reading *q = arg;
	auto_rows struct db_rows *r = NULL;
	enum err err = db_query_one(tx, &sink_log_size, DB_NOARGS, &r);
	if (err != OK && err != ERR_NOT_FOUND)
		return err;
	*q->page = (struct audit_sink_page){.next = q->from, .size = err == OK ? (uint64_t)db_int(r, 0) : 0};
	if (q->page->size <= q->from)
		return OK;
	q->page->events = arena_alloc(s->arena, STRETCH * sizeof *q->page->events);
	return read_rows(s, tx, q, q->page->size - q->from > STRETCH ? q->from + STRETCH : q->page->size);
}

enum err audit_sink_page(struct scope *s, uint64_t from, const struct audit_sink_filter *f, struct audit_sink_limits most,
			 struct audit_sink_page *ret)
{
	struct reading q = {.from = from, .f = f, .most = most, .page = ret};
	return db_read(s, read_page, &q);
}

/* ---- what became of it ---- */

struct outcome {
	struct id sink;
	const struct audit_sink_progress *p;
	const char *why;
	int64_t changed;
};

static enum err confirm(struct scope *s, struct db_tx *tx, void *arg)
{
	struct outcome *o = arg;
	return db_exec(tx, &sink_confirm,
		       DB_ARGS(db_v_id(&o->sink), db_v_int((int64_t)o->p->from), db_v_int((int64_t)o->p->next),
			       db_v_int((int64_t)o->p->delivered), db_v_int((int64_t)o->p->expired), db_v_int(s->now)),
		       &o->changed);
}

enum err audit_sink_confirm(struct scope *s, struct id sink, const struct audit_sink_progress *p, bool *ret_moved)
{
	struct outcome o = {.sink = sink, .p = p};
	check(p->next >= p->from);
	TRY(db_write(s, confirm, &o));
	*ret_moved = o.changed == 1;
	return OK;
}

static enum err failed(struct scope *s, struct db_tx *tx, void *arg)
{
	struct outcome *o = arg;
	size_t n = strlen(o->why);
	return db_exec(tx, &sink_failed,
		       DB_ARGS(db_v_id(&o->sink), db_v_int(s->now), db_v_textn(o->why, n < LIMIT_TEXT_BYTES ? n : LIMIT_TEXT_BYTES)), NULL);
}

enum err audit_sink_failed(struct scope *s, struct id sink, const char *why)
{
	return db_write(s, failed, &(struct outcome){.sink = sink, .why = why});
}

/* ---- lag ---- */

static uint64_t positive(int64_t v)
{
	return v > 0 ? (uint64_t)v : 0;
}

static uint64_t age_seconds(const struct db_rows *r, int col, int64_t now)
{
	return db_is_null(r, col) ? 0 : positive((now - db_int(r, col)) / SECOND_US);
}

enum err audit_sink_lag(struct db_tx *tx, struct id sink, uint64_t *ret_events, int64_t *ret_seconds)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &sink_lag, DB_ARGS(db_v_id(&sink)), &r));
	*ret_events = positive(db_int(r, 0));
	*ret_seconds = (int64_t)age_seconds(r, 1, db_tx_scope(tx)->now);
	return OK;
}

/* ---- all of them ---- */

struct list {
	struct sink_place *v;
	size_t n;
};

static enum err list_enabled(struct scope *s, struct db_tx *tx, void *arg)
{
	struct list *l = arg;
	auto_rows struct db_rows *r = NULL;
	l->v = arena_alloc(s->arena, LIST_MAX * sizeof *l->v);
	TRY(db_query(tx, &sinks_enabled, DB_ARGS(db_v_int(LIST_MAX)), &r));
	for (l->n = 0; db_next(r); l->n++)
		l->v[l->n] = (struct sink_place){.tenant = db_id(r, 0), .sink = db_id(r, 1), .version = db_int(r, 2),
						 .next_index = (uint64_t)db_int(r, 3), .size = (uint64_t)db_int(r, 4)};
	return db_rows_err(r);
}

enum err audit_sinks_enabled(struct scope *s, struct sink_place **ret, size_t *ret_n)
{
	struct list l = {0};
	TRY(db_read(s, list_enabled, &l));
	*ret = l.v;
	*ret_n = l.n;
	return OK;
}

static enum err count_all(struct scope *s, struct db_tx *tx, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &sinks_count, DB_NOARGS, &r));
	*(uint64_t *)arg = (uint64_t)db_int(r, 0);
	return OK;
}

enum err audit_sinks_count(struct scope *s, uint64_t *ret)
{
	return db_read(s, count_all, ret);
}

static enum err read_stats(struct scope *s, struct db_tx *tx, void *arg)
{
	struct sink_stats *stats = arg;
	auto_rows struct db_rows *r = NULL;
	memset(stats, 0, SINK_KINDS * sizeof *stats);
	TRY(db_query(tx, &sinks_stats, DB_NOARGS, &r));
	while (db_next(r)) {
		enum sink_kind kind;
		check(sink_kind_parse(db_text(r, 0), &kind));
		struct sink_stats *k = &stats[kind];
		uint64_t events = positive(db_int(r, 2)), seconds = age_seconds(r, 3, s->now);
		k->sinks++;
		k->failing += db_int(r, 1) > 0;
		k->lag_events = events > k->lag_events ? events : k->lag_events;
		k->lag_seconds = seconds > k->lag_seconds ? seconds : k->lag_seconds;
	}
	return db_rows_err(r);
}

enum err audit_sinks_stats(struct scope *s, struct sink_stats ret[SINK_KINDS])
{
	return db_read(s, read_stats, ret);
}
