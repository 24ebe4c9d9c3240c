/* SPDX-License-Identifier: Apache-2.0
 *
 * Deleting: files first, then rows, in short batches, in the order of subject.c; then every mapped table is asked
 * again, in the transaction that says `deleted`.  How far it is stands in progress ("step"), and each batch is
 * idempotent.
 */
#include <stdlib.h>
#include <string.h>

#include "audit/audit_retention.h"
#include "base/log.h"
#include "devices/reports/job.h"
#include "keeper/keeper.h"
#include "privacy/erasure/erasure.h"
#include "privacy/erasure/internal.h"
#include "privacy/export/export.h"

/* ---- rows ---- */

struct deleting {
	struct erase_job *j;
	const json_t *before; /* progress as it was: the closure may run again */
	const struct needles *needles;
	struct erase_step *steps;
	size_t step_n, at;
	enum err result;
};

static void add_count(struct erase_job *j, const char *table, const char *what, int64_t n)
{
	json_t *row = progress_table(j, table);
	json_object_set_new(row, what, json_integer(json_integer_value(json_object_get(row, what)) + n));
}

static enum err run_batch(struct db_tx *tx, struct erase_job *j, const struct erase_step *step, struct id subject,
			  enum subject_type type, int64_t most, int64_t *ret_n)
{
	struct db_value args[] = {db_v_id(&subject), db_v_int(most)};
	bool tenant = type == SUBJECT_TENANT;
	TRY(db_exec_text(tx, DB_REACH_TENANT, step->sql, args + tenant, 2 - tenant, ret_n));
	if (*ret_n > 0)
		add_count(j, step->table->name, step->verb == ERASE_DELETE ? "deleted" : "changed", *ret_n);
	return OK;
}

static enum err batch_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct deleting *d = arg;
	int64_t left = ERASE_BATCH, n;
	json_decref(d->j->progress);
	d->j->progress = json_deep_copy(d->before);
	size_t at = d->at;
	while (left > 0 && at < d->step_n) {
		TRY(run_batch(tx, d->j, &d->steps[at], d->j->d.subject, d->j->type, left, &n));
		at += n < left;
		left -= n;
	}
	progress_set_int(d->j, "step", (int64_t)at);
	return progress_save(tx, d->j);
}

/* ---- verification ---- */

static enum err count_left(struct db_tx *tx, const struct erase_step *step, struct id subject, enum subject_type type,
			   int64_t *ret)
{
	auto_rows struct db_rows *r = NULL;
	struct db_value who = db_v_id(&subject);
	TRY(db_query_text(tx, DB_REACH_TENANT, step->count, &who, type == SUBJECT_TENANT ? 0 : 1, &r));
	*ret = db_next(r) ? db_int(r, 0) : 0;
	return db_rows_err(r);
}

/* A report that came while its device's rows went may have left some that are reached through nobody any more: they go,
 * too. */
static enum err sweep_device(struct db_tx *tx, struct erase_job *j, struct id device, bool *ret_clean)
{
	struct erase_step *steps;
	size_t n;
	TRY(subject_erase_steps(db_tx_scope(tx), SUBJECT_DEVICE, 0, &steps, &n));
	for (size_t i = 0; i < n; i++) {
		int64_t left, gone;
		TRY(count_left(tx, &steps[i], device, SUBJECT_DEVICE, &left));
		if (left == 0)
			continue;
		*ret_clean = false;
		TRY(run_batch(tx, j, &steps[i], device, SUBJECT_DEVICE, ERASE_BATCH, &gone));
	}
	return OK;
}

static enum err verify(struct db_tx *tx, struct deleting *d, bool *ret_clean)
{
	*ret_clean = true;
	for (size_t i = 0; i < d->step_n; i++) {
		int64_t left;
		TRY(count_left(tx, &d->steps[i], d->j->d.subject, d->j->type, &left));
		if (left > 0) { /* written since: once more from the start */
			*ret_clean = false;
			progress_set_int(d->j, "step", 0);
			return OK;
		}
	}
	for (size_t i = 0; i < d->needles->device_n; i++)
		TRY(sweep_device(tx, d->j, d->needles->devices[i], ret_clean));
	return OK;
}

/* From here on the duty's row names nobody: the scan that follows would find it. */
static enum err verified_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct deleting *d = arg;
	struct erase_job *j = d->j;
	bool clean;
	uint8_t reference[SHA256_BYTES];
	static const struct id none;
	json_decref(j->progress);
	j->progress = json_deep_copy(d->before);
	TRY(verify(tx, d, &clean));
	if (!clean)
		return progress_save(tx, j);
	progress_set_int(j, "deletedAt", s->now);
	TRY(duty_move(tx, j->d.duty, DUTY_deleting, DUTY_deleted, NULL));
	if (j->type == SUBJECT_TENANT)
		return progress_save(tx, j);
	subject_reference(s->keeper, j->d.tenant, j->d.subject, reference);
	char *text = json_dumps(j->progress, JSON_COMPACT);
	enum err e = duty_finish(tx, j->d.duty, arena_strdup(s->arena, text), none, reference_id(reference));
	free(text);
	return e;
}

/* ---- the step ---- */

static enum err save_tx(struct scope *s, struct db_tx *tx, void *arg) { return progress_save(tx, arg); }

static enum err delete_files(struct erase_job *j)
{
	static const struct id everybody;
	if (j->type == SUBJECT_USER)
		TRY(export_forget_files(&j->s, j->e->data_dir, j->d.subject));
	if (j->type == SUBJECT_TENANT)
		TRY(export_forget_files(&j->s, j->e->data_dir, everybody));
	TRY(report_jobs_forget(&j->s, j->e->data_dir)); /* each may name anybody */
	progress_set_int(j, "filesAt", j->s.now); /* stored with the first rows that go */
	return OK;
}

/* Of a tenant that goes whole.  Events that this erasure still writes go with its row (step_tenant_vanish). */
static enum err delete_log(struct erase_job *j)
{
	size_t n;
	const struct map_table *t = map_tables(&n);
	if (!progress_has(j, "replay")) /* else it was handed over once, and may have gone since */
		TRY(erasure_archive(j));
	TRY(audit_purge_tenant(&j->s, j->d.tenant, NULL));
	for (size_t i = 0; i < n; i++)
		if (t[i].domain == MAP_DOMAIN_LOG) {
			json_t *row = progress_table(j, t[i].name);
			json_object_set(row, "deleted", json_object_get(row, "found"));
		}
	progress_set_int(j, "logAt", j->s.now);
	return db_write_low(&j->s, save_tx, j);
}

enum err step_deleting(struct erase_job *j)
{
	struct needles needles;
	TRY(needles_get(j, &needles));
	if (!progress_has(j, "filesAt"))
		TRY(delete_files(j));
	struct deleting d = {.j = j, .needles = &needles, .at = (size_t)progress_int(j, "step")};
	TRY(subject_erase_steps(&j->s, j->type, tenant_domains(j) & ~(1u << MAP_DOMAIN_LOG), &d.steps, &d.step_n));
	bool rows = d.at < d.step_n;
	if (!rows && j->type == SUBJECT_TENANT && tenant_goes_whole(j) && !progress_has(j, "logAt"))
		return delete_log(j);
	if (!rows)
		TRY(report_jobs_forget(&j->s, j->e->data_dir)); /* and so may one that was made meanwhile */
	auto_json *before = json_deep_copy(j->progress);
	d.before = before;
	return db_write_low(&j->s, rows ? batch_tx : verified_tx, &d);
}
