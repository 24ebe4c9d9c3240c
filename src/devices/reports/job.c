/* SPDX-License-Identifier: Apache-2.0
 * Report files as their caller sees them: asking, fetching, and their end.  Making them is in build.c. */
#include "devices/reports/job.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "codec/json.h"
#include "devices/reports/job_internal.h"
#include "directory/tenant_settings.h"
#include "keeper/keeper.h"

DB_TENANT(report_job_counts,
	  "SELECT count(*), count(CASE WHEN status IN ('notStarted', 'inProgress') THEN 1 END) FROM report_jobs WHERE tenant_id = ?1");
DB_TENANT(report_job_insert,
	  "INSERT INTO report_jobs (tenant_id, job_id, report_name, filter, selected, format, localization, status, requested_by, requested_at, "
	  "expires_at, scope_groups) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'notStarted', ?8, ?9, ?10, ?11)");
DB_TENANT(report_job_select, "SELECT report_name, status, expires_at, size_bytes FROM report_jobs WHERE tenant_id = ?1 AND job_id = ?2");
DB_GLOBAL(report_jobs_expired, "SELECT tenant_id, job_id, report_name FROM report_jobs WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2");
DB_TENANT(report_job_delete, "DELETE FROM report_jobs WHERE tenant_id = ?1 AND job_id = ?2");
DB_TENANT(report_jobs_of_tenant,
	  "SELECT job_id, report_name FROM report_jobs WHERE tenant_id = ?1 AND job_id > ?2 ORDER BY job_id LIMIT ?3");
DB_TENANT(report_job_forget,
	  "UPDATE report_jobs SET status = 'failed', filter = '', completed_at = ?3, error = ?4 WHERE tenant_id = ?1 AND job_id = ?2 AND "
	  "status <> 'failed'");
DB_TENANT(report_job_forgotten, "UPDATE report_jobs SET filter = '', row_count = NULL, size_bytes = NULL, sha256 = NULL WHERE tenant_id = ?1 "
				"AND job_id = ?2 AND status = 'failed'");

#define FORGOTTEN "somebody's data was erased whom the file may have named: ask for it again"

enum { BATCH = 50 };

const char *report_job_path(struct arena *a, const char *data_dir, struct id job, const char *ending)
{
	char text[ID_TEXT];
	return arena_printf(a, "%s/reports/%s.%s", data_dir, id_format(job, text), ending);
}

const char *report_job_name(struct arena *a, const char *report, struct id job)
{
	char text[ID_TEXT];
	return arena_printf(a, "%s_%s", report, id_format(job, text));
}

bool report_job_parse_id(const char *text, struct id *ret)
{
	const char *underscore = strrchr(text, '_');
	return underscore != NULL && underscore != text && id_parse(underscore + 1, ret);
}

/* ---- asking ---- */

/* The first is what an absent value means. */
static const char *const FORMATS[] = {"csv", "json", NULL};
static const char *const LOCALIZATIONS[] = {"localizedValuesAsAdditionalColumn", "replaceLocalizableValues", NULL};

static const char *member(const char *const *list, const char *text)
{
	for (; text != NULL && *list != NULL; list++)
		if (strcasecmp(*list, text) == 0)
			return *list;
	return text == NULL ? *list : NULL;
}

enum err report_job_plan(struct scope *s, const char *report, const char *filter, const char *select, const char *localization, const char *format,
			 struct report_plan **ret)
{
	const struct report *r = report_find(report);
	struct report_asked q = {.filter = filter, .replace = strcmp(localization, LOCALIZATIONS[1]) == 0,
				 .format = strcmp(format, FORMATS[1]) == 0 ? REPORT_JSON : REPORT_CSV};
	if (r == NULL)
		return scope_fail(s, ERR_BAD_REQUEST, "there is no report '%.64s'", report);
	auto_json *names = select == NULL ? NULL : json_loads(select, 0, NULL);
	size_t n = json_array_size(names);
	const char **list = arena_alloc(s->arena, (n + 1) * sizeof *list);
	for (size_t i = 0; i < n; i++)
		list[i] = arena_strdup(s->arena, json_string_value(json_array_get(names, i)));
	q.select = list;
	return report_plan_make(s, r, &q, ret);
}

struct asking {
	const char *report, *format, *localization, *filter, *select; /* as they are stored */
	struct id job;
};

static enum err check_limits(struct db_tx *tx)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &report_job_counts, DB_NOARGS, &r));
	if (db_int(r, 1) >= REPORT_JOBS_WAITING)
		return scope_fail(s, ERR_TOO_MANY, "%d reports are being made already: wait for one to finish", REPORT_JOBS_WAITING);
	if (db_int(r, 0) >= REPORT_JOBS_KEPT)
		return scope_fail(s, ERR_TOO_MANY, "%d reports are kept already: wait for one to expire", REPORT_JOBS_KEPT);
	return OK;
}

/* The filter may name somebody: the event does not carry it. */
static enum err record_request(struct db_tx *tx, const struct asking *a)
{
	struct arena *arena = db_tx_scope(tx)->arena;
	struct audit_change *changes = NULL, **tail = &changes;
	tail = audit_change_add(arena, tail, "reportName", "report_jobs", "report_name", NULL, a->report);
	tail = audit_change_add(arena, tail, "format", "report_jobs", "format", NULL, a->format);
	if (a->select != NULL)
		audit_change_add(arena, tail, "select", "report_jobs", "selected", NULL, a->select);
	return audit_record(tx, &(struct audit_event){.activity = ACT_REPORT_REQUEST, .resource_type = REPORT_JOB_TYPE, .resource = a->job,
						      .resource_name = a->report, .changes = changes});
}

static enum err request_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct asking *a = arg;
	int64_t hours;
	TRY(check_limits(tx));
	TRY(tenant_setting_int(tx, "reportHours", &hours));
	a->job = scope_id(s);
	TRY(db_exec(tx, &report_job_insert,
		    DB_ARGS(db_v_id(&a->job), db_v_text(a->report), db_v_text(a->filter), db_v_text(a->select), db_v_text(a->format),
			    db_v_text(a->localization), db_v_id(id_is_nil(s->actor.id) ? NULL : &s->actor.id), db_v_int(s->now),
			    db_v_int(s->now + hours * HOUR_US), db_v_text(scope_groups_text(s->arena, s->actor.only))),
		    NULL));
	return record_request(tx, a);
}

static const char *select_json(struct arena *a, const char *const *select)
{
	struct json_writer w;
	auto_buf b;
	buf_init(&b, 256 * 1024);
	if (select == NULL || select[0] == NULL)
		return NULL;
	jw_init(&w, &b);
	jw_array(&w);
	for (size_t i = 0; select[i] != NULL; i++)
		jw_string(&w, select[i]);
	jw_end_array(&w);
	check(!b.failed);
	return arena_strndup(a, b.data, b.len);
}

enum err report_job_request(struct scope *s, const struct report_job_request *q, struct id *ret_job)
{
	struct report_plan *unused;
	const struct report *r = report_find(q->report);
	struct asking a = {.format = member(FORMATS, q->format), .localization = member(LOCALIZATIONS, q->localization),
			   .filter = q->filter == NULL ? "" : q->filter, .select = select_json(s->arena, q->select)};
	if (r == NULL)
		return scope_fail(s, ERR_BAD_REQUEST, "there is no report '%.64s'", q->report);
	if (a.format == NULL)
		return scope_fail(s, ERR_BAD_REQUEST, "'format' must be csv or json");
	if (a.localization == NULL)
		return scope_fail(s, ERR_BAD_REQUEST, "'localizationType' must be %s or %s", LOCALIZATIONS[0], LOCALIZATIONS[1]);
	a.report = r->name;
	TRY(report_job_plan(s, a.report, a.filter, a.select, a.localization, a.format, &unused));
	TRY(db_write(s, request_tx, &a));
	*ret_job = a.job;
	return OK;
}

/* ---- fetching ---- */

enum err report_job_load(struct db_tx *tx, struct id job, struct report_job *ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &report_job_select, DB_ARGS(db_v_id(&job)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "no report has this id");
	TRY(e);
	*ret = (struct report_job){.report = db_text_dup(r, 0, s->arena), .status = db_text_dup(r, 1, s->arena), .expires_at = db_int(r, 2),
				   .has_file = !db_is_null(r, 3), .bytes = db_int(r, 3)};
	return OK;
}

struct fetch {
	struct id job;
	struct report_job row;
};

static enum err fetch_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct fetch *f = arg;
	TRY(report_job_load(tx, f->job, &f->row));
	if (strcmp(f->row.status, "failed") == 0)
		return scope_fail(s, ERR_GONE, "the report failed or was removed: ask for another");
	if (!f->row.has_file)
		return scope_fail(s, ERR_CONFLICT, "the report is %s", f->row.status);
	return f->row.expires_at <= s->now ? scope_fail(s, ERR_GONE, "the report has expired: ask for another") : OK;
}

static enum err downloaded_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct fetch *f = arg;
	return audit_record(tx, &(struct audit_event){.activity = ACT_REPORT_DOWNLOAD, .resource_type = REPORT_JOB_TYPE, .resource = f->job,
						      .resource_name = f->row.report});
}

enum err report_job_open(struct scope *s, const char *data_dir, struct id job, struct unseal_stream **ret, int64_t *ret_bytes, const char **ret_name)
{
	struct fetch f = {.job = job};
	s->subject = job;
	TRY(db_read(s, fetch_tx, &f));
	enum err e = keeper_unseal_open(s->keeper, job, report_job_path(s->arena, data_dir, job, "sealed"), ret);
	if (e != OK)
		return scope_fail(s, e == ERR_NOT_FOUND ? ERR_GONE : e, "the file of the report is not there");
	e = db_write(s, downloaded_tx, &f); /* before the first byte: a download that is not recorded does not happen */
	if (e != OK)
		unseal_close(*ret);
	*ret_bytes = f.row.bytes;
	*ret_name = arena_printf(s->arena, "%s.zip", report_job_name(s->arena, f.row.report, job));
	return e;
}

/* ---- the end ---- */

static enum err remove_file(struct scope *s, const char *path)
{
	return unlink(path) == 0 || errno == ENOENT ? OK : scope_fail(s, ERR_IO, "a file of a report cannot be removed: %s", strerror(errno));
}

static enum err remove_files(struct scope *s, const char *data_dir, struct id job)
{
	TRY(remove_file(s, report_job_path(s->arena, data_dir, job, "sealed.new")));
	return remove_file(s, report_job_path(s->arena, data_dir, job, "sealed"));
}

struct ended {
	struct {
		struct id tenant, job;
		const char *report;
	} x[BATCH];
	size_t n;
	struct id after;
};

static enum err expired_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct ended *list = arg;
	auto_rows struct db_rows *r = NULL;
	list->n = 0;
	TRY(db_query(tx, &report_jobs_expired, DB_ARGS(db_v_int(s->now), db_v_int(BATCH)), &r));
	for (; list->n < BATCH && db_next(r); list->n++) {
		list->x[list->n].tenant = db_id(r, 0);
		list->x[list->n].job = db_id(r, 1);
		list->x[list->n].report = db_text_dup(r, 2, s->arena);
	}
	return db_rows_err(r);
}

struct ending {
	struct id job;
	const char *report;
};

static enum err record_end(struct db_tx *tx, const struct ending *a)
{
	return audit_record(tx, &(struct audit_event){.activity = ACT_REPORT_EXPIRE, .resource_type = REPORT_JOB_TYPE, .resource = a->job,
						      .resource_name = a->report});
}

static enum err expire_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct ending *a = arg;
	int64_t n;
	TRY(db_exec(tx, &report_job_delete, DB_ARGS(db_v_id(&a->job)), &n));
	return n == 0 ? OK : record_end(tx, a);
}

enum err report_jobs_expire_due(struct scope *s, const char *data_dir, bool *ret_more)
{
	struct ended *list = arena_alloc(s->arena, sizeof *list);
	TRY(db_read(s, expired_tx, list));
	for (size_t i = 0; i < list->n; i++) {
		struct scope tenant;
		struct ending a = {.job = list->x[i].job, .report = list->x[i].report};
		scope_tenant(&tenant, s->arena, s->db, s->keeper, list->x[i].tenant);
		TRY(remove_files(s, data_dir, a.job));
		TRY(db_write_low(&tenant, expire_tx, &a));
	}
	*ret_more = list->n == BATCH;
	return OK;
}

/* ---- erasure ---- */

static enum err list_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct ended *list = arg;
	auto_rows struct db_rows *r = NULL;
	list->n = 0;
	TRY(db_query(tx, &report_jobs_of_tenant, DB_ARGS(db_v_id(&list->after), db_v_int(BATCH)), &r));
	for (; list->n < BATCH && db_next(r); list->n++) {
		list->x[list->n].job = db_id(r, 0);
		list->x[list->n].report = db_text_dup(r, 1, s->arena);
	}
	return db_rows_err(r);
}

/* Before the files: a job that ends meanwhile finds its row failed and takes its file away itself. */
static enum err forget_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct ended *list = arg;
	for (size_t i = 0; i < list->n; i++) {
		struct ending a = {.job = list->x[i].job, .report = list->x[i].report};
		int64_t n;
		TRY(db_exec(tx, &report_job_forget, DB_ARGS(db_v_id(&a.job), db_v_int(s->now), db_v_text(FORGOTTEN)), &n));
		if (n > 0)
			TRY(record_end(tx, &a));
	}
	return OK;
}

static enum err forgotten_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct ended *list = arg;
	for (size_t i = 0; i < list->n; i++)
		TRY(db_exec(tx, &report_job_forgotten, DB_ARGS(db_v_id(&list->x[i].job)), NULL));
	return OK;
}

enum err report_jobs_forget(struct scope *s, const char *data_dir)
{
	struct ended *list = arena_alloc(s->arena, sizeof *list);
	do {
		TRY(db_read(s, list_tx, list));
		if (list->n == 0)
			break;
		TRY(db_write_low(s, forget_tx, list));
		for (size_t i = 0; i < list->n; i++)
			TRY(remove_files(s, data_dir, list->x[i].job));
		TRY(db_write_low(s, forgotten_tx, list));
		list->after = list->x[list->n - 1].job;
	} while (list->n == BATCH);
	return OK;
}
