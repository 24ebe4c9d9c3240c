/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine: which duties are due, one step after another, and what becomes of a step that fails.
 *
 *   later         busy store, full disk, broken disk: the duty stays where it is and the next run tries again
 *   moved         another server was faster: nothing
 *   failed        anything else: the duty's state says so, an event and a log line too; retried by hand, and once by a
 *                 server's start
 *
 * One duty never holds up another.
 */
#include "privacy/erasure/erasure.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "directory/tenant.h"
#include "directory/user.h"
#include "keeper/keeper.h"
#include "privacy/erasure/internal.h"
#include "privacy/restore/restore.h"

DB_TENANT(duty_progress, "UPDATE duties SET result = ?3, updated_at = ?4 WHERE tenant_id = ?1 AND duty_id = ?2");
/* Not a movement: updated_at stays. */
DB_TENANT(duty_attempts, "UPDATE duties SET result = ?3 WHERE tenant_id = ?1 AND duty_id = ?2");
DB_TENANT(tenant_is_purging, "SELECT 1 FROM tenants WHERE tenant_id = ?1 AND state = 'purging'");
DB_TENANT(device_is_known, "SELECT 1 FROM managed_devices WHERE tenant_id = ?1 AND device_id = ?2");
DB_TENANT(user_is_known, "SELECT 1 FROM users WHERE tenant_id = ?1 AND user_id = ?2");
DB_GLOBAL(purged_tenants,
	  "SELECT d.tenant_id, d.duty_id FROM tenants t JOIN duties d ON d.tenant_id = t.tenant_id AND d.subject_id = "
	  "t.tenant_id "
	  "AND d.state = 'scrubbed' WHERE t.state = 'purging' LIMIT ?1");

enum {
	DUTIES_AT_ONCE = 64,
	SCRUB_AT_ONCE = 64,
	USERS_AT_ONCE = 20,
	ATTEMPTS_MOST = 700, /* about an hour, where a run comes every five seconds */
	STEPS_A_RUN = 400, /* then the job's arena is given back */
};
static const int64_t scrub_waits_us = 60 * SECOND_US; /* at most so long for other duties to join the batch */

struct run {
	struct erasure e;
	unsigned steps; /* left */
	bool more;	/* some work is left that can go on at once */
	bool under_way; /* a duty that is due has not come to `deleted` yet, and may soon */
};

/* ---- progress ---- */

enum err progress_save(struct db_tx *tx, struct erase_job *j)
{
	struct scope *s = db_tx_scope(tx);
	char *text = json_dumps(j->progress, JSON_COMPACT);
	check(text != NULL);
	enum err e = db_exec(tx, &duty_progress, DB_ARGS(db_v_id(&j->d.duty), db_v_text(text), db_v_int(s->now)), NULL);
	free(text);
	return e;
}

int64_t progress_int(const struct erase_job *j, const char *name)
{
	return json_integer_value(json_object_get(j->progress, name));
}

void progress_set_int(struct erase_job *j, const char *name, int64_t v)
{
	json_object_set_new(j->progress, name, json_integer(v));
}

bool progress_has(const struct erase_job *j, const char *name) { return json_object_get(j->progress, name) != NULL; }

json_t *progress_table(struct erase_job *j, const char *table)
{
	json_t *tables = json_object_get(j->progress, "tables");
	if (tables == NULL) {
		tables = json_object();
		json_object_set_new(j->progress, "tables", tables);
	}
	json_t *row = json_object_get(tables, table);
	if (row == NULL) {
		row = json_object();
		json_object_set_new(tables, table, row);
	}
	return row;
}

/* ---- one duty ---- */

struct load {
	struct erase_job *j;
	struct id duty;
	bool overtaken; /* its tenant is being purged, and this duty with it */
};

static enum err load_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct load *l = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(duty_load(tx, l->duty, &l->j->d));
	if (strcmp(l->j->d.subject_type, "tenant") == 0)
		return OK;
	enum err e = db_query_one(tx, &tenant_is_purging, DB_NOARGS, &r);
	l->overtaken = e == OK;
	return e == ERR_NOT_FOUND ? OK : e;
}

static void job_free(struct erase_job *j)
{
	json_decref(j->progress);
	j->progress = NULL;
}

enum subject_type subject_type_of(const char *text)
{
	return strcmp(text, "user") == 0 ? SUBJECT_USER : strcmp(text, "device") == 0 ? SUBJECT_DEVICE : SUBJECT_TENANT;
}

static enum err job_load(struct erase_job *j, const struct erasure *e, struct id tenant, struct id duty,
			 bool *ret_overtaken)
{
	*j = (struct erase_job){.e = e};
	scope_tenant(&j->s, e->system->arena, e->system->db, e->system->keeper, tenant);
	j->s.now = e->system->now;
	struct load l = {.j = j, .duty = duty};
	TRY(db_read(&j->s, load_tx, &l));
	j->type = subject_type_of(j->d.subject_type);
	j->progress = j->d.result == NULL ? NULL : json_loads(j->d.result, 0, NULL);
	if (j->progress == NULL)
		j->progress = json_object();
	*ret_overtaken = l.overtaken;
	return OK;
}

static enum err step_of(struct erase_job *j)
{
	switch (j->d.state) {
	case DUTY_scheduled: return step_scheduled(j);
	case DUTY_received: return step_received(j);
	case DUTY_suppressed: return step_suppressed(j);
	case DUTY_deleting: return step_deleting(j);
	case DUTY_deleted: return step_certify(j);
	default: return OK;
	}
}

static enum err fail_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct erase_job *j = arg;
	enum duty_state from = j->d.state;
	json_object_set_new(j->progress, "from", json_string(duty_state_name(from)));
	TRY(progress_save(tx, j));
	TRY(duty_move(tx, j->d.duty, from, DUTY_failed, json_string_value(json_object_get(j->progress, "failure"))));
	j->d.state = DUTY_failed;
	enum err e = duty_raise(tx, &j->d, ALARM_failed);
	j->d.state = from;
	return e;
}

static enum err attempts_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct erase_job *j = arg;
	char *text = json_dumps(j->progress, JSON_COMPACT);
	enum err e = db_exec(tx, &duty_attempts, DB_ARGS(db_v_id(&j->d.duty), db_v_text(text)), NULL);
	free(text);
	return e;
}

/* A full disk, a busy store: tried again, but not for ever.  A count that cannot be stored is made up by the next one that can. */
static bool tried_often(struct erase_job *j)
{
	int64_t n = progress_int(j, "attempts") + 1;
	progress_set_int(j, "attempts", n);
	return db_write(&j->s, attempts_tx, j) == OK && n >= ATTEMPTS_MOST;
}

/* Loud, once: the state, its event, an alarm, and a line. */
static void step_failed(struct erase_job *j, enum err err)
{
	char duty[ID_TEXT];
	bool later = err_retryable(err), moved = err == ERR_CONFLICT, waits = err == ERR_BUSY && j->s.detail == NULL;
	if (moved || waits)
		return;
	log_event(later ? LOG_WARN : LOG_ERROR, "erasure_step", "duty=%s state=%s error=%s detail=\"%s\"",
		  id_format(j->d.duty, duty), duty_state_name(j->d.state), err_name(err), scope_detail(&j->s, err));
	if (!duty_may_move(j->d.state, DUTY_failed))
		return;
	const char *why = scope_detail(&j->s, err);
	if (later && !tried_often(j))
		return;
	json_object_set_new(j->progress, "failure", json_string(why));
	err = db_write(&j->s, fail_tx, j);
	if (err != OK)
		log_event(LOG_ERROR, "erasure_failed_state", "duty=%s error=%s", duty, err_name(err));
}

/* Up to `deleted`, or until the steps are used up. */
static void run_duty(struct run *r, struct id tenant, struct id duty)
{
	for (;;) {
		struct erase_job j;
		bool overtaken = false;
		struct arena_mark mark = arena_mark(r->e.system->arena);
		enum err err = job_load(&j, &r->e, tenant, duty, &overtaken);
		bool runs = err == OK && !overtaken && j.d.due_at <= j.s.now && /* the undo window is over */
			    (j.d.state == DUTY_received || j.d.state == DUTY_suppressed || j.d.state == DUTY_deleting ||
			     (j.d.state == DUTY_scheduled && j.type == SUBJECT_TENANT));
		if (runs && r->steps == 0) {
			r->more = r->under_way = true;
			runs = false;
		}
		if (runs) {
			r->steps--;
			err = step_of(&j);
			if (err != OK)
				step_failed(&j, err);
		}
		job_free(&j);
		arena_rewind(r->e.system->arena, mark);
		if (!runs || err != OK)
			return;
	}
}

void erasure_run_duty(const struct erasure *e, struct id tenant, struct id duty)
{
	struct run r = {.e = *e, .steps = UINT_MAX};
	run_duty(&r, tenant, duty);
}

/* ---- the last states ---- */

static enum err load_deleted(struct run *r, const struct duty *list, size_t n, struct erase_job *jobs, size_t *ret_n)
{
	*ret_n = 0;
	for (size_t i = 0; i < n; i++) {
		bool overtaken = false;
		struct erase_job *j = &jobs[*ret_n];
		enum err err = job_load(j, &r->e, list[i].tenant, list[i].duty, &overtaken);
		if (err == OK && !overtaken && j->d.state == DUTY_deleted)
			(*ret_n)++;
		else
			job_free(j);
		if (err != OK && err != ERR_NOT_FOUND)
			return err;
	}
	return OK;
}

static void certify(struct run *r, struct erase_job *j)
{
	enum err err = step_certify(j);
	if (err != OK)
		step_failed(j, err);
	else if (j->type == SUBJECT_TENANT)
		r->more = true; /* its row is next */
}

static void scrub(struct run *r, struct erase_job *const *wait, size_t n)
{
	enum err err = erasure_scrub(&r->e, wait, n);
	if (err == OK)
		r->more = true; /* the certificates are next */
	else if (err != ERR_BUSY)
		log_event(LOG_ERROR, "erasure_scrub", "duties=%zu error=%s detail=\"%s\"", n, err_name(err),
			  scope_detail(r->e.system, err));
}

/* Those whose scan is done get their certificate; the others are scrubbed together. */
static void finish(struct run *r, struct erase_job *jobs, size_t n)
{
	struct erase_job *wait[SCRUB_AT_ONCE];
	size_t waiting = 0;
	struct needles unused;
	for (size_t i = 0; i < n; i++) {
		if (progress_has(&jobs[i], "scrubbedAt") && r->steps > 0) {
			r->steps--;
			certify(r, &jobs[i]);
		} else if (progress_has(&jobs[i], "scrubbedAt")) {
			r->more = true;
		} else {
			enum err err = needles_get(&jobs[i], &unused);
			if (err == OK)
				wait[waiting++] = &jobs[i];
			else /* without them nothing can be proved: only this duty fails */
				step_failed(&jobs[i], err);
		}
	}
	if (waiting > 0 && r->steps == 0) {
		r->more = true;
	} else if (waiting > 0) {
		r->steps--;
		scrub(r, wait, waiting);
	}
}

static enum err finish_deleted(struct run *r)
{
	struct duty *list;
	size_t n, loaded;
	TRY(duty_due(r->e.system, DUTY_deleted, SCRUB_AT_ONCE, &list, &n));
	if (n == 0)
		return OK;
	struct erase_job *jobs = arena_alloc(r->e.system->arena, n * sizeof *jobs);
	enum err err = load_deleted(r, list, n, jobs, &loaded);
	int64_t oldest = r->e.system->now;
	for (size_t i = 0; i < loaded; i++)
		if (progress_int(&jobs[i], "deletedAt") < oldest)
			oldest = progress_int(&jobs[i], "deletedAt");
	if (err == OK && (!r->under_way || r->e.system->now - oldest > scrub_waits_us))
		finish(r, jobs, loaded);
	for (size_t i = 0; i < loaded; i++)
		job_free(&jobs[i]);
	return err;
}

struct purged {
	struct id tenant[DUTIES_AT_ONCE], duty[DUTIES_AT_ONCE];
	size_t n;
};

static enum err load_purged(struct scope *s, struct db_tx *tx, void *arg)
{
	struct purged *p = arg;
	auto_rows struct db_rows *r = NULL;
	p->n = 0;
	TRY(db_query(tx, &purged_tenants, DB_ARGS(db_v_int(DUTIES_AT_ONCE)), &r));
	for (; p->n < DUTIES_AT_ONCE && db_next(r); p->n++) {
		p->tenant[p->n] = db_id(r, 0);
		p->duty[p->n] = db_id(r, 1);
	}
	return db_rows_err(r);
}

static enum err finish_tenants(struct run *r)
{
	struct purged p;
	TRY(db_read(r->e.system, load_purged, &p));
	for (size_t i = 0; i < p.n; i++) {
		struct erase_job j;
		bool overtaken, gone = true;
		if (r->steps == 0) {
			r->more = true;
			return OK;
		}
		r->steps--;
		enum err err = job_load(&j, &r->e, p.tenant[i], p.duty[i], &overtaken);
		if (err == OK)
			err = step_tenant_vanish(&j, &gone);
		if (err != OK)
			step_failed(&j, err);
		r->more = r->more || (err == OK && !gone);
		job_free(&j);
	}
	return OK;
}

/* ---- a run ---- */

/* Duties that failed before this process started: perhaps what was in their way has gone with the old one. */
static void retry_at_start(struct run *r)
{
	static atomic_flag done = ATOMIC_FLAG_INIT;
	struct duty *list;
	size_t n;
	if (atomic_flag_test_and_set(&done) || duty_due(r->e.system, DUTY_failed, 1000, &list, &n) != OK)
		return;
	for (size_t i = 0; i < n; i++) {
		struct scope t;
		scope_tenant(&t, r->e.system->arena, r->e.system->db, r->e.system->keeper, list[i].tenant);
		if (erasure_retry(&t, list[i].duty) != OK)
			log_event(LOG_WARN, "erasure_retry", "detail=\"%s\"", scope_detail(&t, ERR_CONFLICT));
	}
}

static enum err run_state(struct run *r, enum duty_state state)
{
	struct duty *list;
	size_t n;
	unsigned before = r->steps;
	TRY(duty_due(r->e.system, state, DUTIES_AT_ONCE, &list, &n));
	for (size_t i = 0; i < n; i++)
		if (state != DUTY_scheduled || strcmp(list[i].subject_type, "tenant") == 0)
			run_duty(r, list[i].tenant, list[i].duty);
	r->more = r->more || (n == DUTIES_AT_ONCE && r->steps < before);
	return OK;
}

enum err erasure_run_steps(struct scope *s, const char *data_dir, const char *host, unsigned steps, bool *ret_more)
{
	/* received twice: a person's erasure makes their devices' duties due */
	static const enum duty_state order[] = {DUTY_deleting, DUTY_suppressed, DUTY_scheduled, DUTY_received,
						DUTY_received};
	struct run r = {.e = {.system = s, .data_dir = data_dir, .host = host}, .steps = steps};
	size_t users = 0;
	*ret_more = false;
	retry_at_start(&r);
	TRY(user_expire_deleted(s, USERS_AT_ONCE, &users));
	r.more = users == USERS_AT_ONCE;
	TRY(erasure_release_due(s));
	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
		TRY(run_state(&r, order[i]));
	TRY(finish_tenants(&r));
	TRY(finish_deleted(&r));
	TRY(duty_alarms(s));
	TRY(restore_follow(s));
	*ret_more = r.more;
	return OK;
}

enum err erasure_run_due(struct scope *s, const char *data_dir, const char *host, bool *ret_more)
{
	return erasure_run_steps(s, data_dir, host, STEPS_A_RUN, ret_more);
}

/* ---- by hand ---- */

static enum err retry_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct erase_job *j = arg;
	enum duty_state to = DUTY_suppressed;
	const char *from = json_string_value(json_object_get(j->progress, "from"));
	struct duty d;
	TRY(duty_load(tx, j->d.duty, &d));
	if (d.state != DUTY_failed)
		return scope_fail(s, ERR_CONFLICT, "the duty has not failed: it is %s", duty_state_name(d.state));
	for (int i = 0; from != NULL && i < DUTY_STATE_COUNT; i++)
		if (strcmp(duty_state_name((enum duty_state)i), from) == 0)
			to = (enum duty_state)i;
	TRY(progress_save(tx, j));
	return duty_move(tx, d.duty, DUTY_failed, to, NULL);
}

enum err erasure_retry(struct scope *s, struct id duty)
{
	struct erase_job j = {.s = *s};
	struct load l = {.j = &j, .duty = duty};
	struct needles needles;
	enum err err = db_read(s, load_tx, &l);
	if (err != OK)
		return err;
	j.progress = j.d.result == NULL ? NULL : json_loads(j.d.result, 0, NULL);
	if (j.progress == NULL)
		j.progress = json_object();
	const char *from = json_string_value(json_object_get(j.progress, "from"));
	json_object_del(j.progress, "attempts");
	if (from != NULL && strcmp(from, duty_state_name(DUTY_suppressed)) == 0)
		json_object_del(j.progress, "planned"); /* meanwhile it may have to wait */
	if (from != NULL && strcmp(from, duty_state_name(DUTY_deleting)) == 0 &&
	    needles_get(&j, &needles) == ERR_NOT_FOUND)
		json_object_del(j.progress, "from"); /* planned anew */
	err = db_write(s, retry_tx, &j);
	json_decref(j.progress);
	return err;
}

/* ---- looking without touching ---- */

struct preview {
	enum subject_type type;
	struct id subject;
	unsigned domains;
	struct table_count *v;
	size_t n;
};

static const struct {
	struct db_stmt *known;
	const char *noun, *id;
} PREVIEWED[] = {
	[SUBJECT_USER] = {&user_is_known, "user", "userId"},
	[SUBJECT_DEVICE] = {&device_is_known, "managed device", "deviceId"},
	[SUBJECT_TENANT] = {NULL, "tenant", "tenantId"},
};

static enum err preview_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct preview *p = arg;
	auto_rows struct db_rows *r = NULL;
	bool keeps;
	if (p->type == SUBJECT_TENANT) {
		TRY(tenant_keeps_directory(tx, &keeps));
		return plan_count(tx, p->type, p->subject, closing_domains(keeps), &p->v, &p->n);
	}
	enum err err = db_query_one(tx, PREVIEWED[p->type].known, DB_ARGS(db_v_id(&p->subject)), &r);
	if (err == ERR_NOT_FOUND)
		return scope_fail(s, err, "there is no such %s", PREVIEWED[p->type].noun);
	TRY(err);
	return plan_count(tx, p->type, p->subject, 0, &p->v, &p->n);
}

enum err erasure_preview(struct scope *s, enum subject_type type, struct id subject, struct json_writer *w)
{
	struct preview p = {.type = type, .subject = subject};
	TRY(db_read(s, preview_tx, &p));
	jw_kid(w, PREVIEWED[type].id, subject);
	jw_key(w, "tables");
	jw_array(w);
	for (size_t i = 0; i < p.n; i++) {
		const struct table_count *c = &p.v[i];
		jw_object(w);
		jw_kstring(w, "table", c->table->name);
		jw_kstring(w, "purpose", c->table->purpose);
		jw_kint(w, "found", c->found);
		jw_kint(w, "deleted", c->deleted);
		jw_kint(w, "changed", c->changed);
		jw_kint(w, "kept", c->kept);
		jw_kstring(w, "ground", c->ground);
		if (c->until != 0)
			jw_ktime(w, "keptUntilDateTime", c->until);
		jw_end_object(w);
	}
	jw_end_array(w);
	return OK;
}
