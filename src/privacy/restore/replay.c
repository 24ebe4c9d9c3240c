/* SPDX-License-Identifier: Apache-2.0
 *
 * Carrying out again what a restored database has back.  The ordinary engine does it, one duty after another up to `deleted`: the restored duty
 * itself where it is there in an earlier state, a new one (trigger restoreReplay) where it is not.  Such a duty has `replay` in its progress and
 * waits for nothing: it was carried out once, whatever the restored rows say.
 *
 * A crash costs nothing: the position moves with the report, in one transaction, after everything is gone; until then each start looks at
 * the same entries again, and finds what is done already by its duties.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "base/log.h"
#include "devices/removal.h"
#include "directory/tenant.h"
#include "keeper/keeper.h"
#include "privacy/erasure/erasure.h"
#include "privacy/restore/internal.h"

DB_TENANT(replay_tenant_state, "SELECT state FROM tenants WHERE tenant_id = ?1");
DB_TENANT(replay_tenant_purging,
	  "UPDATE tenants SET state = 'purging', closed_at = COALESCE(closed_at, ?2), purge_starts_at = COALESCE(purge_starts_at, ?2), "
	  "purge_deadline_at = COALESCE(purge_deadline_at, ?3), devices_retire_at = NULL WHERE tenant_id = ?1");

/* Whoever could have undone it did not. */
DB_TENANT(replay_undo_over, "UPDATE duties SET undo_until = NULL WHERE tenant_id = ?1 AND duty_id = ?2");

static const struct id installation;

/* One time for all of it: a duty that is due for the engine's scope must be due for the one that opened it. */
static void tenant_scope(const struct restore_run *r, struct id tenant, struct scope *ret)
{
	scope_tenant(ret, r->system->arena, r->system->db, r->system->keeper, tenant);
	ret->now = r->system->now;
}

enum { STALE_AT_ONCE = 500 };

/* ---- the duty that does it ---- */

struct taking {
	const struct entry *e;
	struct duty d; /* out */
};

/* The tenant's own steps ask for its day, which the restored row may not have reached. */
static enum err purge_tenant(struct db_tx *tx)
{
	struct scope *s = db_tx_scope(tx);
	struct audit_change *change = NULL;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &replay_tenant_state, DB_NOARGS, &r));
	const char *state = db_text_dup(r, 0, s->arena);
	db_rows_free(&r);
	if (strcmp(state, "purging") == 0)
		return OK;
	TRY(db_exec(tx, &replay_tenant_purging, DB_ARGS(db_v_int(s->now), db_v_int(s->now + DUTY_TENANT_DEADLINE_US)), NULL));
	audit_change_add(s->arena, &change, "state", "tenants", "state", state, "purging");
	return audit_record(tx, &(struct audit_event){.activity = ACT_TENANT_PURGE, .resource_type = "Tenant", .resource = s->tenant, .changes = change});
}

/* A device that never confirmed may still come back: it then finds the one action that it owes, and nothing else. */
static enum err retire_again(struct db_tx *tx, struct id device)
{
	enum err err = device_retire_in_tx(tx, device, DUTY_BY_RESTORE_REPLAY, NULL);
	if (err == ERR_NOT_FOUND)
		db_tx_scope(tx)->detail = NULL; /* its record went with its person */
	return err == ERR_NOT_FOUND ? OK : err;
}

static enum err open_duty(struct db_tx *tx, const struct entry *e)
{
	static const char *const types[] = {[SUBJECT_USER] = "user", [SUBJECT_DEVICE] = "device", [SUBJECT_TENANT] = "tenant"};
	struct scope *s = db_tx_scope(tx);
	int64_t promise = e->type == SUBJECT_TENANT ? DUTY_TENANT_DEADLINE_US : DUTY_DEADLINE_US;
	return duty_open(tx,
			 &(struct duty_order){.trigger = DUTY_BY_RESTORE_REPLAY, .subject_type = types[e->type], .subject = e->subject,
					      .person = e->type == SUBJECT_USER ? e->subject : installation, .first = DUTY_received,
					      .due_at = s->now, .deadline_at = s->now + promise},
			 NULL);
}

/* What the purge decided then, it decides again. */
static enum err note_scope(struct db_tx *tx, const struct entry *e, struct erase_job *j)
{
	bool keeps = e->keeps_directory;
	progress_set_int(j, "replay", 1);
	if (e->type != SUBJECT_TENANT || (!e->says_directory && progress_has(j, "keepsDirectory")))
		return OK;
	if (!e->says_directory)
		TRY(tenant_keeps_directory(tx, &keeps));
	progress_set_int(j, "keepsDirectory", keeps);
	return OK;
}

static enum err mark(struct db_tx *tx, const struct entry *e, const struct duty *d)
{
	struct erase_job j = {.d = *d};
	j.progress = d->result != NULL ? json_loads(d->result, 0, NULL) : NULL;
	if (j.progress == NULL)
		j.progress = json_object();
	enum err err = note_scope(tx, e, &j);
	if (err == OK)
		err = progress_save(tx, &j);
	json_decref(j.progress);
	return err;
}

static enum err take_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct taking *t = arg;
	if (t->e->type == SUBJECT_TENANT)
		TRY(purge_tenant(tx));
	if (t->e->type == SUBJECT_DEVICE)
		TRY(retire_again(tx, t->e->subject));
	enum err err = duty_of_subject(tx, t->e->subject, &t->d);
	if (err == ERR_NOT_FOUND) {
		TRY(open_duty(tx, t->e));
		err = duty_of_subject(tx, t->e->subject, &t->d);
	}
	TRY(err);
	TRY(mark(tx, t->e, &t->d));
	TRY(duty_set_due(tx, t->d.duty, s->now));
	TRY(db_exec(tx, &replay_undo_over, DB_ARGS(db_v_id(&t->d.duty)), NULL));
	if (t->d.state == DUTY_scheduled || t->d.state == DUTY_held)
		TRY(duty_move(tx, t->d.duty, t->d.state, DUTY_received, NULL));
	return OK;
}

/* ---- up to deleted ---- */

static enum err result_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct duty *d = arg;
	return duty_load(tx, d->duty, d);
}

static bool is_gone(enum duty_state state) { return state == DUTY_deleted || state == DUTY_scrubbed || state == DUTY_copies_gone; }

static enum err carry_out(const struct restore_run *r, struct scope *t, struct duty *d)
{
	char text[ID_TEXT];
	const struct erasure e = {.system = r->system, .data_dir = r->data_dir, .host = r->host};
	if (d->state == DUTY_failed)
		TRY(erasure_retry(t, d->duty));
	erasure_run_duty(&e, t->tenant, d->duty);
	TRY(db_read(t, result_tx, d));
	if (is_gone(d->state))
		return OK;
	return scope_fail(t, ERR_STATE, "the replay of the erasure ledger stopped at duty %s, which is %s%s%s", id_format(d->duty, text),
			  duty_state_name(d->state), d->error != NULL ? ": " : "", d->error != NULL ? d->error : "; the log says why");
}

static enum err erase_one(const struct restore_run *r, struct entry *e)
{
	struct scope t;
	struct taking take = {.e = e};
	struct arena_mark mark = arena_mark(r->system->arena);
	if (r->go_on != NULL && !r->go_on(r->arg))
		return scope_fail(r->system, ERR_UNAVAILABLE, "another server has taken over the replay of the erasure ledger");
	tenant_scope(r, e->tenant, &t);
	enum err err = db_write(&t, take_tx, &take);
	if (err == OK)
		err = carry_out(r, &t, &take.d);
	if (err != OK)
		return scope_fail(r->system, err, "%s", scope_detail(&t, err));
	e->by = take.d.duty;
	arena_rewind(r->system->arena, mark);
	return OK;
}

/* Entries of one subject share its duty. */
static void copy_outcome(struct entry *to, const struct entry *from)
{
	to->outcome = from->outcome;
	to->by = from->by;
	to->deleted = from->deleted;
	to->changed = from->changed;
}

static enum err erase_found(const struct restore_run *r, struct entry *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct entry *e = &v[i];
		if (i > 0 && v[i - 1].found && e->found && id_equal(v[i - 1].subject, e->subject)) {
			copy_outcome(e, &v[i - 1]);
		} else if (e->found) {
			TRY(erase_one(r, e));
			struct entry done = *e;
			done.duty = e->by;
			TRY(entry_look(r->system, 0, &done)); /* the rows that it counted */
			copy_outcome(e, &done);
			e->outcome = ENTRY_ERASED;
		}
	}
	return OK;
}

static bool same_group(const struct entry *a, const struct entry *b) { return id_equal(a->tenant, b->tenant) && a->type == b->type; }

/* A tenant's own entry comes first: when it goes whole, nothing is left to look for. */
static enum err replay_groups(const struct restore_run *r, struct entry *v, size_t n)
{
	for (size_t i = 0, next; i < n; i = next) {
		for (next = i + 1; next < n && same_group(&v[i], &v[next]);)
			next++;
		TRY(entries_match(r->system, &v[i], next - i));
		TRY(erase_found(r, &v[i], next - i));
	}
	return OK;
}

/* Drops those that this database has followed. */
static void drop_followed(struct entries *all)
{
	size_t n = 0;
	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].outcome != ENTRY_FOLLOWED)
			all->v[n++] = all->v[i];
	all->n = n;
}

/* What a replay that was interrupted has left: its duty is there, perhaps not at its end. */
static enum err finish_begun(const struct restore_run *r, struct entry *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct scope t;
		struct duty d = {.duty = v[i].by};
		if (v[i].outcome != ENTRY_ERASED)
			continue;
		tenant_scope(r, v[i].tenant, &t);
		enum err err = db_read(&t, result_tx, &d);
		if (err == OK && !is_gone(d.state))
			err = carry_out(r, &t, &d);
		if (err != OK)
			return scope_fail(r->system, err, "%s", scope_detail(&t, err));
		struct entry done = v[i];
		done.duty = v[i].by;
		TRY(entry_look(r->system, 0, &done));
		copy_outcome(&v[i], &done);
	}
	return OK;
}

/* ---- restored in the middle of a deletion ---- */

static enum err lost_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct duty *d = arg;
	return duty_move(tx, d->duty, DUTY_deleting, DUTY_failed, "the database was restored to the middle of this deletion");
}

/* The needles are destroyed with the certificate, so that a duty in `deleting` without them was finished once: it is planned anew. */
static enum err resume_one(const struct restore_run *r, struct duty *d, bool *ret_stale)
{
	struct erase_job j = {.d = *d};
	struct needles unused;
	struct entry e = {.tenant = d->tenant, .duty = d->duty, .type = subject_type_of(d->subject_type), .found = true, .subject = d->subject};
	tenant_scope(r, d->tenant, &j.s);
	enum err err = needles_get(&j, &unused);
	*ret_stale = err == ERR_NOT_FOUND;
	if (err == OK)
		return OK;
	j.s.detail = *ret_stale ? NULL : j.s.detail;
	if (*ret_stale)
		err = db_write(&j.s, lost_tx, d);
	return err == OK ? erase_one(r, &e) : scope_fail(r->system, err, "%s", scope_detail(&j.s, err));
}

static enum err resume_deleting(const struct restore_run *r, size_t *ret_n)
{
	struct duty *list;
	size_t n;
	*ret_n = 0;
	TRY(duty_due(r->system, DUTY_deleting, STALE_AT_ONCE, &list, &n));
	for (size_t i = 0; i < n; i++) {
		bool stale;
		TRY(resume_one(r, &list[i], &stale));
		*ret_n += stale;
	}
	return OK;
}

/* ---- all of it ---- */

static enum err look_at_all(const struct restore_run *r, struct entries *all)
{
	int64_t reported_at;
	TRY(entries_reported_at(r->system, &reported_at));
	for (size_t i = 0; i < all->n; i++)
		TRY(entry_look(r->system, reported_at, &all->v[i]));
	return OK;
}

static enum err set_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct entries *all = arg;
	return position_set(tx, all->head, all->head_hash);
}

static enum err keep_position(const struct restore_run *r, const struct position *from, struct entries *all)
{
	struct scope t;
	if (from->own && from->sequence == all->head)
		return OK;
	tenant_scope(r, installation, &t);
	return db_write(&t, set_tx, all);
}

static enum err replay(const struct restore_run *r, const struct position *from, struct entries *all)
{
	size_t resumed;
	int64_t started = clock_now();
	TRY(look_at_all(r, all));
	TRY(resume_deleting(r, &resumed));
	drop_followed(all);
	if (all->n == 0 && resumed == 0)
		return keep_position(r, from, all);
	log_event(LOG_WARN, "restore_replay", "followed=%" PRIu64 " head=%" PRIu64 " entries=%zu", from->sequence, all->head, all->n);
	TRY(finish_begun(r, all->v, all->n));
	TRY(replay_groups(r, all->v, all->n));
	return report_store(&(struct outcome_of_replay){.run = r, .from = *from, .entries = all, .resumed = resumed, .started_at = started});
}

enum err restore_replay(const struct restore_run *r)
{
	struct scope t;
	struct position from;
	struct entries all = {0};
	tenant_scope(r, installation, &t);
	enum err err = position_load(&t, &from);
	if (err != OK)
		return scope_fail(r->system, err, "%s", scope_detail(&t, err));
	err = entries_load(r->system, from.sequence, &all);
	if (err == OK)
		err = replay(r, &from, &all);
	entries_free(&all);
	return err == OK ? report_announce(r) : err;
}
