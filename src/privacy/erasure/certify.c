/* SPDX-License-Identifier: Apache-2.0
 *
 * The ends of a duty.  scrubbed: its needles are destroyed and the certificate that active data is gone is signed.  copies_gone: the last key
 * that could open a backup with the subject's data is destroyed, and the second certificate says so; at once where there are no backups.
 *
 * A tenant that goes whole takes its own duty with it: the installation keeps a copy of it, which waits for the copies' end there.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "keeper/keeper.h"
#include "privacy/certificate/certificate.h"
#include "privacy/erasure/erasure.h"
#include "privacy/erasure/internal.h"

DB_TENANT(duty_copy_insert,
	  "INSERT INTO duties (tenant_id, duty_id, trigger_name, subject_type, subject_id, state, requested_at, due_at, deadline_at, copies_deadline_at, "
	  "updated_at, plan, result, certificate_id) VALUES (?1, ?2, ?3, 'tenant', ?4, 'scrubbed', ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) "
	  "ON CONFLICT (tenant_id, duty_id) DO NOTHING");
DB_TENANT(duty_set_copies_certificate, "UPDATE duties SET copies_certificate_id = ?3 WHERE tenant_id = ?1 AND duty_id = ?2");

enum { COPIES_AT_ONCE = 64 };

static struct id certificate_of(const struct erase_job *j)
{
	struct id certificate;
	check(id_parse(json_string_value(json_object_get(j->progress, "certificateId")), &certificate));
	return certificate;
}

/* A copy that was made between deletion and scrub may hold what was left in free space. */
static int64_t copies_due(const struct erase_job *j)
{
	return keeper_copies_gone_at(j->s.keeper, progress_int(j, "scrubbedAt"));
}

static const char *progress_text(const struct erase_job *j, struct arena *a)
{
	char *text = json_dumps(j->progress, JSON_COMPACT);
	check(text != NULL);
	const char *copy = arena_strdup(a, text);
	free(text);
	return copy;
}

/* ---- active data gone ---- */

static enum err certified_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct erase_job *j = arg;
	struct id certificate = certificate_of(j);
	if (!tenant_goes_whole(j))
		TRY(certificate_issue(tx, j, CERTIFICATE_ACTIVE, certificate));
	TRY(duty_move(tx, j->d.duty, DUTY_deleted, DUTY_scrubbed, NULL));
	TRY(duty_set_due(tx, j->d.duty, copies_due(j)));
	return duty_finish(tx, j->d.duty, progress_text(j, s->arena), certificate, j->d.subject);
}

/* Issuing twice is no harm, and neither is copying the duty twice. */
static enum err at_installation_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct erase_job *j = arg;
	struct id certificate = certificate_of(j);
	TRY(certificate_issue(tx, j, CERTIFICATE_ACTIVE, certificate));
	return db_exec(tx, &duty_copy_insert,
		       DB_ARGS(db_v_id(&j->d.duty), db_v_text(j->d.trigger), db_v_id(&j->d.tenant), db_v_int(j->d.requested_at),
			       db_v_int(copies_due(j)), db_v_int(j->d.deadline_at), db_v_int(j->d.copies_deadline_at), db_v_int(s->now),
			       db_v_text(j->d.plan), db_v_text(progress_text(j, s->arena)), db_v_id(&certificate)),
		       NULL);
}

static void installation_scope(struct scope *ret, const struct erase_job *j)
{
	static const struct id nil;
	scope_tenant(ret, j->s.arena, j->s.db, j->s.keeper, nil);
}

enum err step_certify(struct erase_job *j)
{
	struct scope installation;
	TRY(keeper_needles_drop(j->s.keeper, &j->s, j->d.duty));
	if (tenant_goes_whole(j)) { /* another tenant, so a transaction of its own, before the state moves */
		installation_scope(&installation, j);
		TRY(db_write_low(&installation, at_installation_tx, j));
	}
	return db_write_low(&j->s, certified_tx, j);
}

/* ---- copies gone ---- */

static enum err copies_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct erase_job *j = arg;
	struct id certificate = scope_id(s);
	TRY(duty_load(tx, j->d.duty, &j->d));
	if (j->d.state != DUTY_scrubbed)
		return OK;
	TRY(certificate_issue(tx, j, CERTIFICATE_COPIES, certificate));
	TRY(db_exec(tx, &duty_set_copies_certificate, DB_ARGS(db_v_id(&j->d.duty), db_v_id(&certificate)), NULL));
	return duty_move(tx, j->d.duty, DUTY_scrubbed, DUTY_copies_gone, NULL);
}

/* A tenant's own duty whose tenant goes whole ends with its row; the installation's copy of it goes on. */
static bool goes_on(const struct erase_job *j) { return id_is_nil(j->d.tenant) || !tenant_goes_whole(j); }

static enum err copies_of(const struct erasure *e, const struct duty *d)
{
	struct erase_job j = {.e = e, .d = *d, .type = subject_type_of(d->subject_type)};
	scope_tenant(&j.s, e->system->arena, e->system->db, e->system->keeper, d->tenant);
	j.s.now = e->system->now;
	j.progress = json_loads(d->result, 0, NULL);
	if (j.progress == NULL)
		return scope_fail(e->system, ERR_INTERNAL, "the result of a duty cannot be read");
	enum err err = OK;
	if (goes_on(&j) && keeper_copies_gone(j.s.keeper, progress_int(&j, "scrubbedAt")))
		err = db_write_low(&j.s, copies_tx, &j);
	json_decref(j.progress);
	return err == OK ? OK : scope_fail(e->system, err, "%s", scope_detail(&j.s, err));
}

enum err erasure_copies_due(struct scope *s, const char *host, bool *ret_more)
{
	struct erasure e = {.system = s, .host = host};
	struct duty *list;
	size_t n;
	char text[ID_TEXT];
	*ret_more = false;
	TRY(duty_due(s, DUTY_scrubbed, COPIES_AT_ONCE, &list, &n));
	for (size_t i = 0; i < n; i++) {
		struct arena_mark mark = arena_mark(s->arena);
		enum err err = copies_of(&e, &list[i]);
		if (err != OK && err != ERR_CONFLICT)
			log_event(LOG_WARN, "erasure_copies", "duty=%s error=%s", id_format(list[i].duty, text), err_name(err));
		else
			*ret_more = *ret_more || (err == OK && n == COPIES_AT_ONCE);
		arena_rewind(s->arena, mark);
	}
	return OK;
}
