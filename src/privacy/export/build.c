/* SPDX-License-Identifier: Apache-2.0
 *
 * The job that makes the files, one at a time: the oldest that waits.  A row that is `running` and has no hash is what a crash left (the job
 * never leaves one so): it starts again from nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "base/log.h"
#include "directory/tenant_settings.h"
#include "privacy/export/internal.h"
#include "privacy/request/request.h"

DB_GLOBAL(export_next,
	  "SELECT tenant_id, operation_id, user_id, request_id, variant, form, sections, storage_location FROM data_policy_operations "
	  "WHERE status IN ('running', 'notStarted') AND sha256 IS NULL ORDER BY submitted_at LIMIT 1");
DB_TENANT(export_start,
	  "UPDATE data_policy_operations SET status = 'running' WHERE tenant_id = ?1 AND operation_id = ?2 AND status IN ('running', 'notStarted')");
DB_TENANT(export_progress,
	  "UPDATE data_policy_operations SET progress = ?3 WHERE tenant_id = ?1 AND operation_id = ?2 AND status = 'running' AND progress < ?3");
DB_TENANT(export_sealed,
	  "UPDATE data_policy_operations SET progress = 90, sha256 = ?3, size_bytes = ?4, manifest_sha256 = ?5 "
	  "WHERE tenant_id = ?1 AND operation_id = ?2 AND status = 'running'");
DB_TENANT(export_finish,
	  "UPDATE data_policy_operations SET status = 'complete', progress = 100, completed_at = ?3, expires_at = ?4 "
	  "WHERE tenant_id = ?1 AND operation_id = ?2 AND status = 'running'");
DB_TENANT(export_fail,
	  "UPDATE data_policy_operations SET status = 'failed', completed_at = ?3, error = ?4, storage_location = '' WHERE tenant_id = ?1 AND "
	  "operation_id = ?2 AND status IN ('running', 'notStarted')");

#define LONG_US SECOND_US /* a reading that took longer tells how far it is */

struct work {
	const struct export_job *job;
	struct id tenant;
	struct bundle b;
	bool found, parcel;
	struct packed packed;
	const char *error;
};

static enum err next_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct work *w = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &export_next, DB_NOARGS, &r));
	w->found = db_next(r);
	if (w->found) {
		w->tenant = db_id(r, 0);
		w->b.operation = db_id(r, 1);
		w->b.user = db_id(r, 2);
		w->b.request = db_id(r, 3);
		w->b.variant = db_text_dup(r, 4, s->arena);
		w->b.form = db_text_dup(r, 5, s->arena);
		w->b.sections = db_text_dup(r, 6, s->arena);
		w->parcel = w->job->parcels && *db_text(r, 7) != '\0';
	}
	return db_rows_err(r);
}

static enum err start_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct work *w = arg;
	return db_exec(tx, &export_start, DB_ARGS(db_v_id(&w->b.operation)), NULL);
}

static enum err read_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct work *w = arg;
	return db_exec(tx, &export_progress, DB_ARGS(db_v_id(&w->b.operation), db_v_int(50)), NULL);
}

/* ---- building ---- */

static enum err build(struct work *w, const char *folder, const char *sealed)
{
	struct bundle *b = &w->b;
	struct scope *s = b->s;
	const char *map = map_version_text(s->arena);
	int64_t began = clock_monotonic();
	sha256(map, strlen(map), b->map);
	if (mkdir(folder, 0700) != 0 && errno != EEXIST)
		return scope_fail(s, ERR_IO, "the folder of exports cannot be made");
	enum err e = spool_open(&b->spool, folder, s->arena);
	if (e != OK)
		return scope_fail(s, e, "a file for an export cannot be made");
	e = export_read(b);
	if (e == OK && clock_monotonic() - began > LONG_US)
		e = db_write_low(s, read_tx, w);
	if (e == OK)
		e = bundle_pack(b, sealed, &w->packed);
	export_release(b);
	spool_close(&b->spool);
	return e == OK ? OK : scope_fail(s, e, "the data could not be written");
}

/* ---- the end ---- */

struct ending {
	struct work *w;
	bool gone; /* the row went while the bundle was built: the person was erased */
};

static enum err record(struct db_tx *tx, const struct work *w, const char *failure)
{
	char bytes[24];
	struct audit_change *change = NULL;
	struct scope *s = db_tx_scope(tx);
	snprintf(bytes, sizeof bytes, "%lld", (long long)w->packed.bytes);
	if (failure == NULL)
		audit_change_add(s->arena, &change, "sizeBytes", "data_policy_operations", "size_bytes", NULL, bytes);
	return audit_record(tx, &(struct audit_event){.activity = ACT_EXPORT_COMPLETE,
						      .resource_type = "DataPolicyOperation",
						      .resource = w->b.operation,
						      .subject = w->b.user,
						      .changes = change,
						      .failure = failure});
}

static enum err finish_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct ending *a = arg;
	const struct work *w = a->w;
	bool page = strcmp(w->b.form, "page") == 0;
	struct db_value manifest = page ? db_v_null() : db_v_blob(w->packed.manifest_sha256, SHA256_BYTES);
	int64_t days, n;
	TRY(db_exec(tx, &export_sealed,
		    DB_ARGS(db_v_id(&w->b.operation), db_v_blob(w->packed.sha256, SHA256_BYTES), db_v_int(w->packed.bytes), manifest), &n));
	a->gone = n == 0;
	if (a->gone)
		return OK;
	TRY(record(tx, w, NULL));
	if (w->parcel)
		return OK;
	TRY(tenant_setting_int(tx, "exportDays", &days));
	TRY(db_exec(tx, &export_finish, DB_ARGS(db_v_id(&w->b.operation), db_v_int(s->now), db_v_int(s->now + days * DAY_US)), NULL));
	return id_is_nil(w->b.request) ? OK : request_answer_ready_tx(tx, w->b.request, w->b.operation);
}

static enum err fail_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct ending *a = arg;
	int64_t n;
	TRY(db_exec(tx, &export_fail, DB_ARGS(db_v_id(&a->w->b.operation), db_v_int(s->now), db_v_text(a->w->error)), &n));
	a->gone = n == 0;
	return a->gone ? OK : record(tx, a->w, a->w->error);
}

static enum err run_one(struct work *w)
{
	char id[ID_TEXT];
	struct scope *s = w->b.s;
	struct ending end = {.w = w};
	const char *folder = arena_printf(s->arena, "%s/exports", w->job->data_dir);
	const char *sealed = export_sealed_path(s->arena, w->job->data_dir, w->b.operation);
	TRY(db_write(s, start_tx, w));
	enum err e = build(w, folder, sealed);
	if (e == OK) {
		s->now = clock_now(); /* the cut-off was when it began */
		TRY(db_write(s, finish_tx, &end));
		if (end.gone)
			unlink(sealed);
		return OK;
	}
	log_event(LOG_ERROR, "export_failed", "operation=%s error=%s detail=\"%s\"", id_format(w->b.operation, id), err_name(e),
		  scope_detail(s, e));
	w->error = scope_detail(s, e);
	unlink(sealed);
	return db_write(s, fail_tx, &end);
}

enum err export_run_pending(struct scope *s, const struct export_job *job, bool *ret_more)
{
	struct work *w = arena_alloc(s->arena, sizeof *w);
	struct scope tenant;
	*ret_more = false;
	w->job = job;
	TRY(db_read(s, next_tx, w));
	if (!w->found)
		return OK;
	scope_tenant(&tenant, s->arena, s->db, s->keeper, w->tenant);
	tenant.now = s->now;
	w->b.s = &tenant;
	w->b.host = job->host;
	enum err e = run_one(w);
	*ret_more = e == OK;
	return e == OK ? OK : scope_fail(s, e, "%s", scope_detail(&tenant, e));
}
