/* SPDX-License-Identifier: Apache-2.0
 *
 * The job that makes the files, one at a time: the oldest that waits.  A row that is inProgress when the job looks is what a crash or a stop
 * left: it starts again from nothing.
 *
 * Events come in the log's order, a stretch of it per transaction, and go through one buffer into the sealed file: memory does not grow with
 * the log, no plain text is on disk, and no reader stays longer than a page.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "audit/file_job.h"
#include "audit/out/archive.h"
#include "audit/out/export_internal.h"
#include "audit/out/format.h"
#include "audit/out/period.h"
#include "base/limits.h"
#include "crypto/digest.h"
#include "crypto/seal.h"
#include "keeper/keeper.h"

DB_GLOBAL(audit_export_next,
	  "SELECT tenant_id, export_id, format, filter, from_at, until_at, created_at, scope_groups FROM audit_exports WHERE status IN ('inProgress', "
	  "'notStarted') ORDER BY created_at LIMIT 1");
DB_TENANT(audit_export_start,
	  "UPDATE audit_exports SET status = 'inProgress' WHERE tenant_id = ?1 AND export_id = ?2 AND status IN ('inProgress', 'notStarted')");
DB_TENANT(audit_export_finish,
	  "UPDATE audit_exports SET status = 'completed', completed_at = ?3, expires_at = ?3 + (expires_at - created_at), events = ?4, "
	  "size_bytes = ?5, sha256 = ?6 WHERE tenant_id = ?1 AND export_id = ?2 AND status = 'inProgress'");
DB_TENANT(audit_export_fail,
	  "UPDATE audit_exports SET status = 'failed', completed_at = ?3, error = ?4 WHERE tenant_id = ?1 AND export_id = ?2 AND status IN "
	  "('inProgress', 'notStarted')");
DB_TENANT(audit_export_reach,
	  "SELECT h.size, (SELECT count(*) FROM audit_pending p WHERE p.tenant_id = ?1) FROM audit_heads h WHERE h.tenant_id = ?1");
DB_TENANT(audit_export_page,
	  "SELECT l.leaf_index, t.bytes FROM audit_leaves l JOIN audit_events t ON t.tenant_id = l.tenant_id AND t.event_id = l.event_id "
	  "WHERE l.tenant_id = ?1 AND l.leaf_index >= ?2 AND l.leaf_index < ?3 AND t.at >= ?4 AND t.at < ?5 ORDER BY l.leaf_index");

enum {
	PAGE = 256,                  /* indexes to a transaction */
	PAGE_BYTES = 4 * MIB,        /* and no more than about this much of text */
	EVENT_TEXT_MAX = 128 * MIB,  /* CSV repeats an event for each of its properties */
	PAGE_ATTEMPTS = 20,          /* a reader in the way of a scrub is interrupted */
	FIRST_PARAM = 6,             /* of the filter */
	WAIT_MS = 3000, WAIT_STEP_MS = 50,
};

struct making {
	struct file_job file;
	struct scope *s; /* of the tenant */
	const struct audit_export_job *job;
	const char *format_name, *filter;
	const struct scope_groups *only; /* what whoever asked could see */
	enum audit_format format;
	int64_t from, until;
	bool found;
	/* the filter, and its page's statement */
	const char *sql;
	struct db_value *args;
	size_t arg_count;
	/* the file */
	struct seal_stream *to;
	struct sha256_stream *hash;
	struct buf page;
	uint64_t next, end, reach, pending; /* indexes */
	uint64_t page_next, page_events;    /* of the page at hand */
	int64_t events, bytes;
	uint8_t sha256[SHA256_BYTES];
};

static enum err next_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct making *m = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &audit_export_next, DB_NOARGS, &r));
	m->found = db_next(r);
	if (m->found) {
		m->file.tenant = db_id(r, 0);
		m->file.object = db_id(r, 1);
		m->format_name = db_text_dup(r, 2, s->arena);
		m->filter = db_text_dup(r, 3, s->arena);
		m->from = db_int(r, 4);
		m->until = db_is_null(r, 5) ? INT64_MAX : db_int(r, 5);
		m->file.asked_at = db_int(r, 6);
		m->only = scope_groups_parse(s->arena, db_text(r, 7));
	}
	return db_rows_err(r);
}

static enum err start_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	return db_exec(tx, &audit_export_start, DB_ARGS(db_v_id(&((struct making *)arg)->file.object)), NULL);
}

/* ---- CSV, NDJSON, OCSF ---- */

static enum err reach_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct making *m = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &audit_export_reach, DB_NOARGS, &r));
	m->reach = (uint64_t)db_int(r, 0);
	m->pending = (uint64_t)db_int(r, 1);
	return OK;
}

/* What was committed before the file is begun is in it: the last of it gets its place within a moment. */
static enum err find_reach(struct making *m)
{
	uint64_t want = 0;
	for (int waited = 0;; waited += WAIT_STEP_MS) {
		enum err e = db_read(m->s, reach_tx, m);
		if (e != OK && e != ERR_NOT_FOUND)
			return e;
		if (e == OK && want == 0)
			want = m->reach + m->pending;
		if (e == OK && m->reach >= want)
			return OK;
		if (waited >= WAIT_MS)
			return scope_fail(m->s, ERR_UNAVAILABLE, "the newest events have no place in the log yet");
		nanosleep(&(struct timespec){.tv_nsec = WAIT_STEP_MS * 1000000L}, NULL);
	}
}

/* The page's statement with one condition more. */
static const char *page_sql(struct arena *a, const char *condition)
{
	const char *all = audit_export_page.sql, *order = strstr(all, " ORDER BY ");
	return arena_printf(a, "%.*s AND %s%s", (int)(order - all), all, condition, order);
}

static enum err prepare_filter(struct making *m)
{
	const struct db_value *args;
	const char *condition;
	if (m->filter == NULL && m->only == NULL)
		return OK;
	m->s->actor.only = m->only;
	TRY(m->job->filter(m->s, m->filter, FIRST_PARAM, &condition, &args, &m->arg_count));
	m->sql = page_sql(m->s->arena, condition);
	m->args = arena_alloc(m->s->arena, (FIRST_PARAM - 2 + m->arg_count) * sizeof *m->args);
	if (m->arg_count > 0)
		memcpy(m->args + FIRST_PARAM - 2, args, m->arg_count * sizeof *args);
	return OK;
}

static enum err query_page(struct making *m, struct db_tx *tx, struct db_rows **ret)
{
	uint64_t end = m->next + PAGE < m->end ? m->next + PAGE : m->end;
	const struct db_value range[] = {db_v_int((int64_t)m->next), db_v_int((int64_t)end), db_v_int(m->from), db_v_int(m->until)};
	m->page_next = end;
	if (m->sql == NULL)
		return db_query(tx, &audit_export_page, range, 4, ret);
	memcpy(m->args, range, sizeof range);
	return db_query_text(tx, DB_REACH_TENANT, m->sql, m->args, FIRST_PARAM - 2 + m->arg_count, ret);
}

static enum err page_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct making *m = arg;
	auto_rows struct db_rows *r = NULL;
	buf_clear(&m->page); /* the closure may run again */
	m->page_events = 0;
	TRY(query_page(m, tx, &r));
	while (db_next(r)) {
		size_t n;
		uint64_t index = (uint64_t)db_int(r, 0);
		const char *bytes = db_blob(r, 1, &n);
		TRY(audit_format_event(s, m->format, index, bytes, n, &m->page));
		m->page_events++;
		if (m->page.len >= PAGE_BYTES) {
			m->page_next = index + 1;
			break;
		}
	}
	return db_rows_err(r);
}

static enum err put_page(struct making *m)
{
	sha256_update(m->hash, m->page.data, m->page.len);
	enum err e = seal_write(m->to, m->page.data, m->page.len);
	m->bytes += (int64_t)m->page.len;
	m->events += (int64_t)m->page_events;
	buf_clear(&m->page);
	return e == OK ? OK : scope_fail(m->s, e, "the file of an export of the audit log cannot be written");
}

static enum err read_page(struct making *m)
{
	enum err e = OK;
	for (int i = 0; i < PAGE_ATTEMPTS; i++) {
		e = db_read(m->s, page_tx, m);
		if (e == OK || !err_retryable(e))
			break;
	}
	return e;
}

static enum err write_pages(struct making *m)
{
	audit_format_head(m->format, &m->page);
	if (m->page.len > 0)
		TRY(put_page(m));
	while (m->next < m->end) {
		struct arena_mark mark = arena_mark(m->s->arena);
		if (m->job->stop != NULL && *m->job->stop)
			return scope_fail(m->s, ERR_UNAVAILABLE, "the server stops");
		TRY(read_page(m));
		if (m->page.len > 0)
			TRY(put_page(m));
		m->next = m->page_next;
		arena_rewind(m->s->arena, mark);
	}
	return OK;
}

static enum err write_sealed(struct making *m, const char *sealed)
{
	struct audit_period p = {.from = m->from, .until = m->until};
	TRY(prepare_filter(m));
	TRY(find_reach(m));
	p.size = m->reach;
	TRY(audit_period_find(m->s, &p));
	m->next = p.first;
	m->end = p.end;
	enum err e = keeper_seal_open(m->s->keeper, m->file.object, sealed, &m->to);
	if (e != OK)
		return scope_fail(m->s, e, "the file of an export of the audit log cannot be made");
	m->hash = sha256_new();
	buf_init(&m->page, EVENT_TEXT_MAX);
	e = write_pages(m);
	buf_release(&m->page);
	sha256_final(m->hash, m->sha256);
	if (e != OK) {
		seal_abandon(m->to);
		return e;
	}
	e = seal_commit(m->to);
	return e == OK ? OK : scope_fail(m->s, e, "the file of an export of the audit log cannot be written");
}

/* ---- archives ---- */

static enum err hash_file(struct making *m, const char *path)
{
	char piece[64 * 1024];
	size_t n;
	FILE *f = fopen(path, "rbe");
	if (f == NULL)
		return ERR_IO;
	m->hash = sha256_new();
	while ((n = fread(piece, 1, sizeof piece, f)) > 0) {
		sha256_update(m->hash, piece, n);
		m->bytes += (int64_t)n;
	}
	enum err e = ferror(f) ? ERR_IO : OK;
	sha256_final(m->hash, m->sha256);
	fclose(f);
	return e;
}

static enum err write_archive(struct making *m, const char *sealed)
{
	const char *part = audit_export_path(m->s->arena, m->job->data_dir, m->file.object, "part");
	struct audit_archive log = {.from = m->from, .until = m->until};
	enum err e = audit_archive_write(m->s, m->job->host, part, &log);
	if (e == OK)
		e = hash_file(m, part);
	if (e == OK)
		e = keeper_seal_file(m->s->keeper, m->file.object, part, sealed);
	unlink(part);
	m->events = (int64_t)log.events;
	return e == OK ? OK : scope_fail(m->s, e, "the archive of the audit log cannot be written");
}

static enum err make(void *arg, struct scope *s)
{
	struct making *m = arg;
	m->s = s;
	const char *dir = arena_printf(m->s->arena, "%s/exports", m->job->data_dir);
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return scope_fail(m->s, ERR_IO, "the folder of exports cannot be made");
	if (strcmp(m->format_name, AUDIT_EXPORT_ARCHIVE) == 0)
		return write_archive(m, m->file.sealed);
	return audit_format_parse(m->format_name, &m->format) ? write_sealed(m, m->file.sealed) : ERR_INTERNAL;
}

/* ---- the end ---- */

static enum err record(struct db_tx *tx, const struct making *m)
{
	struct scope *s = db_tx_scope(tx);
	char hex[2 * SHA256_BYTES + 1];
	struct audit_change *changes = NULL, **tail = &changes;
	tail = audit_change_add(s->arena, tail, "format", "audit_exports", "format", NULL, m->format_name);
	if (m->file.error == NULL) {
		hex_encode(m->sha256, sizeof m->sha256, hex);
		tail = audit_change_add(s->arena, tail, "events", "audit_exports", "events", NULL, arena_printf(s->arena, "%lld", (long long)m->events));
		tail = audit_change_add(s->arena, tail, "sizeBytes", "audit_exports", "size_bytes", NULL, arena_printf(s->arena, "%lld", (long long)m->bytes));
		audit_change_add(s->arena, tail, "sha256", "audit_exports", "sha256", NULL, hex);
	}
	return audit_record(tx, &(struct audit_event){.activity = ACT_AUDIT_EXPORT_COMPLETE, .resource_type = AUDIT_EXPORT_TYPE,
						      .resource = m->file.object, .changes = changes, .failure = m->file.error});
}

static enum err finish_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct making *m = arg;
	int64_t n;
	TRY(db_exec(tx, &audit_export_finish,
		    DB_ARGS(db_v_id(&m->file.object), db_v_int(s->now), db_v_int(m->events), db_v_int(m->bytes), db_v_blob(m->sha256, sizeof m->sha256)), &n));
	m->file.gone = n == 0;
	return m->file.gone ? OK : record(tx, m);
}

static enum err fail_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct making *m = arg;
	int64_t n;
	TRY(db_exec(tx, &audit_export_fail, DB_ARGS(db_v_id(&m->file.object), db_v_int(s->now), db_v_text(m->file.error)), &n));
	m->file.gone = n == 0;
	return m->file.gone ? OK : record(tx, m);
}

enum err audit_export_run_pending(struct scope *s, const struct audit_export_job *job, bool *ret_more)
{
	struct making *m = arena_alloc(s->arena, sizeof *m);
	m->job = job;
	*ret_more = false;
	TRY(db_read(s, next_tx, m));
	if (!m->found)
		return OK;
	m->file.sealed = audit_export_path(s->arena, job->data_dir, m->file.object, "sealed");
	m->file.failed = "audit_export_failed";
	m->file.key = "export";
	m->file.start = start_tx;
	m->file.finish = finish_tx;
	m->file.fail = fail_tx;
	m->file.make = make;
	m->file.arg = m;
	return file_job_run(s, &m->file, ret_more);
}
