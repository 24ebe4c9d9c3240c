/* SPDX-License-Identifier: Apache-2.0
 *
 * The job that makes report files, one at a time: the oldest that waits.  A row that is inProgress when the job looks is what a crash or a
 * stop left: it starts again from nothing.
 *
 * Rows come page by page in the order of their keys, each page in a transaction of its own, and go through one buffer and the zip into the
 * sealed file: memory does not grow with the tenant, no plain text is on disk, and no reader stays longer than a page.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/audit.h"
#include "audit/file_job.h"
#include "base/limits.h"
#include "codec/zip.h"
#include "crypto/digest.h"
#include "devices/reports/job_internal.h"
#include "keeper/keeper.h"

DB_GLOBAL(report_job_next,
	  "SELECT tenant_id, job_id, report_name, filter, selected, format, localization, requested_at, scope_groups FROM report_jobs WHERE status IN "
	  "('inProgress', 'notStarted') ORDER BY requested_at LIMIT 1");
DB_TENANT(report_job_start,
	  "UPDATE report_jobs SET status = 'inProgress' WHERE tenant_id = ?1 AND job_id = ?2 AND status IN ('inProgress', 'notStarted')");
DB_TENANT(report_job_finish,
	  "UPDATE report_jobs SET status = 'completed', completed_at = ?3, expires_at = ?3 + (expires_at - requested_at), row_count = ?4, "
	  "size_bytes = ?5, sha256 = ?6 WHERE tenant_id = ?1 AND job_id = ?2 AND status = 'inProgress'");
DB_TENANT(report_job_fail,
	  "UPDATE report_jobs SET status = 'failed', completed_at = ?3, error = ?4 WHERE tenant_id = ?1 AND job_id = ?2 AND status IN "
	  "('inProgress', 'notStarted')");

enum {
	PAGE_ATTEMPTS = 20, /* a reader in the way of a scrub is interrupted */
	PAGE_BYTES = 64 * MIB,
	ZIP_LEVEL = 1,      /* a third larger than at 6 and four times as fast */
};

struct making {
	struct file_job file;
	struct scope *s; /* of the tenant */
	const char *data_dir;
	const _Atomic bool *stop;
	const char *report, *filter, *select, *format, *localization;
	const struct scope_groups *only; /* what whoever asked could see */
	bool found;
	struct report_plan *plan;
	struct seal_stream *to;
	struct sha256_stream *hash;
	struct zip_writer *zip;
	struct buf page;
	int64_t bytes;
	uint8_t sha256[SHA256_BYTES];
};

static enum err next_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct making *m = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &report_job_next, DB_NOARGS, &r));
	m->found = db_next(r);
	if (m->found) {
		m->file.tenant = db_id(r, 0);
		m->file.object = db_id(r, 1);
		m->report = db_text_dup(r, 2, s->arena);
		m->filter = db_text_dup(r, 3, s->arena);
		m->select = db_text_dup(r, 4, s->arena);
		m->format = db_text_dup(r, 5, s->arena);
		m->localization = db_text_dup(r, 6, s->arena);
		m->file.asked_at = db_int(r, 7);
		m->only = scope_groups_parse(s->arena, db_text(r, 8));
	}
	return db_rows_err(r);
}

static enum err start_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	return db_exec(tx, &report_job_start, DB_ARGS(db_v_id(&((struct making *)arg)->file.object)), NULL);
}

/* ---- the file ---- */

static enum err put_out(void *arg, const void *bytes, size_t n)
{
	struct making *m = arg;
	sha256_update(m->hash, bytes, n);
	m->bytes += (int64_t)n;
	return seal_write(m->to, bytes, n);
}

static enum err page_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct making *m = arg;
	buf_clear(&m->page); /* the closure may run again */
	return report_plan_page(m->plan, tx, &m->page);
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

static enum err put_page(struct making *m)
{
	if (m->page.failed)
		return scope_fail(m->s, ERR_LIMIT, "a page of the report is too large");
	enum err e = zip_put(m->zip, m->page.data, m->page.len);
	buf_clear(&m->page);
	return e == OK ? OK : scope_fail(m->s, e, "the file of the report cannot be written");
}

static enum err write_rows(struct making *m)
{
	bool more = true;
	report_plan_head(m->plan, &m->page);
	TRY(put_page(m));
	while (more) {
		struct arena_mark mark = arena_mark(m->s->arena);
		if (m->stop != NULL && *m->stop)
			return scope_fail(m->s, ERR_UNAVAILABLE, "the server stops");
		TRY(read_page(m));
		TRY(put_page(m));
		more = report_plan_advance(m->plan);
		arena_rewind(m->s->arena, mark);
	}
	report_plan_tail(m->plan, &m->page);
	return put_page(m);
}

static enum err write_zip(struct making *m)
{
	TRY(zip_open_out(put_out, m, ZIP_LEVEL, &m->zip));
	const char *name = arena_printf(m->s->arena, "%s.%s", report_job_name(m->s->arena, m->report, m->file.object), m->format);
	enum err e = zip_begin(m->zip, name, m->s->now);
	if (e == OK)
		e = write_rows(m);
	if (e != OK) {
		zip_abort(m->zip);
		return e;
	}
	return zip_finish(m->zip);
}

static enum err make(void *arg, struct scope *s)
{
	struct making *m = arg;
	m->s = s;
	const char *dir = arena_printf(m->s->arena, "%s/reports", m->data_dir);
	s->actor.only = m->only;
	TRY(report_job_plan(m->s, m->report, m->filter, m->select, m->localization, m->format, &m->plan));
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return scope_fail(m->s, ERR_IO, "the folder of reports cannot be made");
	enum err e = keeper_seal_open(m->s->keeper, m->file.object, m->file.sealed, &m->to);
	if (e != OK)
		return scope_fail(m->s, e, "the file of the report cannot be made");
	m->hash = sha256_new();
	buf_init(&m->page, PAGE_BYTES);
	e = write_zip(m);
	buf_release(&m->page);
	sha256_final(m->hash, m->sha256);
	if (e != OK) {
		seal_abandon(m->to);
		return e;
	}
	e = seal_commit(m->to);
	return e == OK ? OK : scope_fail(m->s, e, "the file of the report cannot be written");
}

/* ---- the end ---- */

static enum err record(struct db_tx *tx, const struct making *m)
{
	struct arena *a = db_tx_scope(tx)->arena;
	char hex[2 * SHA256_BYTES + 1];
	struct audit_change *changes = NULL, **tail = &changes;
	if (m->file.error == NULL) {
		hex_encode(m->sha256, sizeof m->sha256, hex);
		tail = audit_change_add(a, tail, "rows", "report_jobs", "row_count", NULL, arena_printf(a, "%" PRId64, report_plan_rows(m->plan)));
		tail = audit_change_add(a, tail, "sizeBytes", "report_jobs", "size_bytes", NULL, arena_printf(a, "%" PRId64, m->bytes));
		audit_change_add(a, tail, "sha256", "report_jobs", "sha256", NULL, hex);
	}
	return audit_record(tx, &(struct audit_event){.activity = ACT_REPORT_COMPLETE, .resource_type = REPORT_JOB_TYPE, .resource = m->file.object,
						      .resource_name = m->report, .changes = changes, .failure = m->file.error});
}

static enum err finish_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct making *m = arg;
	int64_t n;
	TRY(db_exec(tx, &report_job_finish,
		    DB_ARGS(db_v_id(&m->file.object), db_v_int(s->now), db_v_int(report_plan_rows(m->plan)), db_v_int(m->bytes),
			    db_v_blob(m->sha256, sizeof m->sha256)),
		    &n));
	m->file.gone = n == 0;
	return m->file.gone ? OK : record(tx, m);
}

static enum err fail_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct making *m = arg;
	int64_t n;
	TRY(db_exec(tx, &report_job_fail, DB_ARGS(db_v_id(&m->file.object), db_v_int(s->now), db_v_text(m->file.error)), &n));
	m->file.gone = n == 0;
	return m->file.gone ? OK : record(tx, m);
}

enum err report_jobs_run_pending(struct scope *s, const char *data_dir, const _Atomic bool *stop, bool *ret_more)
{
	struct making *m = arena_alloc(s->arena, sizeof *m);
	m->data_dir = data_dir;
	m->stop = stop;
	*ret_more = false;
	TRY(db_read(s, next_tx, m));
	if (!m->found)
		return OK;
	m->file.sealed = report_job_path(s->arena, data_dir, m->file.object, "sealed");
	m->file.failed = "report_failed";
	m->file.key = "job";
	m->file.start = start_tx;
	m->file.finish = finish_tx;
	m->file.fail = fail_tx;
	m->file.make = make;
	m->file.arg = m;
	return file_job_run(s, &m->file, ret_more);
}
