/* SPDX-License-Identifier: Apache-2.0
 *
 * One duty: its progress, its next step, and what becomes of a step that fails.  Which duties are due: run.c.
 *
 *   later         busy store, full disk, broken disk: the duty stays where it is and the next run tries again
 *   moved         another server was faster: nothing
 *   failed        anything else: the duty's state says so, an event and a log line too; retried by hand, and once by a
 *                 server's start
 *
 * One duty never holds up another.
 */
#include "privacy/erasure/erasure.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "directory/tenant.h"
#include "keeper/keeper.h"
#include "privacy/erasure/internal.h"

DB_TENANT(duty_progress, "UPDATE duties SET result = ?3, updated_at = ?4 WHERE tenant_id = ?1 AND duty_id = ?2");
/* Not a movement: updated_at stays. */
DB_TENANT(duty_attempts, "UPDATE duties SET result = ?3 WHERE tenant_id = ?1 AND duty_id = ?2");
DB_TENANT(tenant_is_purging, "SELECT 1 FROM tenants WHERE tenant_id = ?1 AND state = 'purging'");
DB_TENANT(device_is_known, "SELECT 1 FROM managed_devices WHERE tenant_id = ?1 AND device_id = ?2");
DB_TENANT(user_is_known, "SELECT 1 FROM users WHERE tenant_id = ?1 AND user_id = ?2");

enum { ATTEMPTS_MOST = 700 }; /* about an hour, where a run comes every five seconds */

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

void erase_job_free(struct erase_job *j)
{
	json_decref(j->progress);
	j->progress = NULL;
}

enum subject_type subject_type_of(const char *text)
{
	return strcmp(text, "user") == 0 ? SUBJECT_USER : strcmp(text, "device") == 0 ? SUBJECT_DEVICE : SUBJECT_TENANT;
}

enum err erase_job_load(struct erase_job *j, const struct erasure *e, struct id tenant, struct id duty, bool *ret_overtaken)
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

enum err erase_step(struct erase_job *j)
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
void erase_step_failed(struct erase_job *j, enum err err)
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
