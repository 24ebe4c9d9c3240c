/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of an account: soft delete, restore, permanent delete.  Which of the three a user is in is said by deleted_at and by the state
 * of the user's open duty; no third place holds it.
 */
#include "base/clock.h"
#include "directory/access/rule.h"
#include "directory/provisioning/client.h"
#include "directory/sign_in/identity.h"
#include "directory/sign_in/session.h"
#include "directory/tenant_settings.h"
#include "directory/user.h"
#include "directory/user_internal.h"
#include "duty/duty.h"
#include "resource/tables.h"

DB_TENANT(user_soft_delete, "UPDATE users SET deleted_at = ?3, upn_key = NULL "
			    "WHERE tenant_id = ?1 AND user_id = ?2 AND deleted_at IS NULL");
DB_TENANT(user_deleted, "SELECT upn, display_name, deleted_at FROM users "
			"WHERE tenant_id = ?1 AND user_id = ?2 AND deleted_at IS NOT NULL");
DB_TENANT(user_undelete, "UPDATE users SET deleted_at = NULL, upn = ?3, upn_key = ?4, version = version + 1, "
			 "user_name = CASE WHEN upn = ?3 THEN user_name ELSE NULL END WHERE tenant_id = ?1 AND user_id = ?2");
/* Restored to a disabled account: what is counted from its deactivation begins anew. */
DB_TENANT(user_disabled_again, "UPDATE users SET disabled_at = ?3, erase_due_at = NULL WHERE tenant_id = ?1 AND user_id = ?2 AND account_enabled = 0");
DB_GLOBAL(users_due, "SELECT tenant_id, subject_id FROM duties WHERE state = 'scheduled' AND due_at <= ?1 "
		     "AND trigger_name = 'softDelete' ORDER BY due_at LIMIT ?2");

struct removal {
	struct id user;
	const char *new_upn, *trigger; /* trigger: of the duty at once; NULL: DUTY_BY_PERMANENT_DELETE */
};

static enum err record_removal(struct db_tx *tx, enum activity activity, struct id user, const char *name,
			       const struct audit_change *changes)
{
	return audit_record(tx, &(struct audit_event){.activity = activity, .resource_type = RES_USER.entity, .resource = user,
						      .subject = user, .resource_name = name, .changes = changes});
}

/* ---- soft delete ---- */

static enum err promise(struct db_tx *tx, struct id user, int64_t deleted_at)
{
	int64_t due = deleted_at + DUTY_SOFT_DELETE_US;
	return duty_open(tx,
			 &(struct duty_order){.trigger = DUTY_BY_SOFT_DELETE, .subject_type = "user", .subject = user,
					      .person = user, .first = DUTY_scheduled, .due_at = due,
					      .deadline_at = due + DUTY_DEADLINE_US},
			 NULL);
}

/* account_enabled stays as it was: a deleted user is found by nothing that signs in or enrols, and a restore must not enable an account
 * that had been disabled. */
static enum err delete_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct removal *a = arg;
	struct user u;
	TRY(user_load(tx, a->user, &u));
	TRY(db_exec(tx, &user_soft_delete, DB_ARGS(db_v_id(&a->user), db_v_int(s->now)), NULL));
	TRY(record_removal(tx, ACT_USER_DELETE, a->user, u.display_name, NULL));
	TRY(access_keep_administrator(tx));
	TRY(session_end_all(tx, a->user, "userDeleted"));
	return promise(tx, a->user, s->now);
}

enum err user_delete(struct scope *s, struct id user)
{
	return db_write(s, delete_tx, &(struct removal){.user = user});
}

/* ---- of deleted users ---- */

struct deleted {
	const char *upn, *display_name;
	struct duty duty;
};

/* A user who is soft-deleted and not yet deleted for good. */
static enum err load_deleted(struct db_tx *tx, struct id user, struct deleted *ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &user_deleted, DB_ARGS(db_v_id(&user)), &r);
	if (e == OK) {
		ret->upn = db_text_dup(r, 0, s->arena);
		ret->display_name = db_text_dup(r, 1, s->arena);
		e = duty_of_subject(tx, user, &ret->duty);
	}
	if (e == ERR_NOT_FOUND || (e == OK && ret->duty.state != DUTY_scheduled))
		return scope_fail(s, ERR_NOT_FOUND, "there is no such deleted user");
	return e;
}

static enum err restore_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct removal *a = arg;
	struct deleted d;
	TRY(load_deleted(tx, a->user, &d));
	if (d.duty.due_at <= s->now) /* the job is late; the promise is not */
		return scope_fail(s, ERR_NOT_FOUND, "the user was deleted more than 30 days ago");
	const char *upn = a->new_upn != NULL ? a->new_upn : d.upn;
	TRY(user_upn_free(tx, upn, a->user));
	if (a->new_upn != NULL)
		TRY(identity_may_rename(tx, a->user));
	TRY(db_exec(tx, &user_undelete,
		    DB_ARGS(db_v_id(&a->user), db_v_text(upn), db_v_text(upn_key(s->arena, upn))), NULL));
	TRY(db_exec(tx, &user_disabled_again, DB_ARGS(db_v_id(&a->user), db_v_int(s->now)), NULL));
	struct audit_change *changes = NULL;
	if (a->new_upn != NULL)
		audit_change_add(s->arena, &changes, "userPrincipalName", "users", "upn", d.upn, upn);
	TRY(record_removal(tx, ACT_USER_RESTORE, a->user, d.display_name, changes));
	return duty_cancel(tx, a->user);
}

enum err user_restore(struct scope *s, struct id user, const char *new_upn)
{
	return db_write(s, restore_tx, &(struct removal){.user = user, .new_upn = new_upn});
}

/* What a provisioning client sent may be an accident of the other directory; what a person confirmed is not. */
static enum err undo_until(struct db_tx *tx, int64_t *ret)
{
	struct scope *s = db_tx_scope(tx);
	int64_t hours;
	bool provider;
	*ret = 0;
	TRY(provisioning_acts(tx, &provider));
	if (!provider)
		return OK;
	TRY(tenant_setting_int(tx, "eraseUndoHours", &hours));
	*ret = hours == 0 ? 0 : s->now + hours * HOUR_US;
	return OK;
}

static enum err forever_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct removal *a = arg;
	struct deleted d;
	int64_t undo;
	TRY(load_deleted(tx, a->user, &d));
	TRY(undo_until(tx, &undo));
	TRY(record_removal(tx, ACT_USER_DELETE_FOREVER, a->user, d.display_name, NULL));
	return duty_open(tx,
			 &(struct duty_order){.trigger = a->trigger != NULL ? a->trigger : DUTY_BY_PERMANENT_DELETE,
					      .subject_type = "user", .subject = a->user,
					      .person = a->user, .first = DUTY_received, .due_at = s->now,
					      .deadline_at = s->now + DUTY_DEADLINE_US, .undo_until = undo},
			 NULL);
}

enum err user_delete_forever(struct scope *s, struct id user)
{
	return db_write(s, forever_tx, &(struct removal){.user = user});
}

static enum err is_deleted(struct db_tx *tx, struct id user, bool *ret)
{
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &user_deleted, DB_ARGS(db_v_id(&user)), &r);
	*ret = e == OK;
	return e == ERR_NOT_FOUND ? OK : e;
}

enum err user_erase_by(struct db_tx *tx, struct id user, const char *trigger, struct id *ret_duty)
{
	struct scope *s = db_tx_scope(tx);
	struct removal a = {.user = user, .trigger = trigger};
	struct duty d;
	bool deleted;
	TRY(is_deleted(tx, user, &deleted));
	if (!deleted)
		TRY(delete_tx(s, tx, &a));
	TRY(forever_tx(s, tx, &a));
	TRY(duty_of_subject(tx, user, &d));
	*ret_duty = d.duty;
	return OK;
}

enum err user_erase(struct db_tx *tx, struct id user, struct id *ret_duty)
{
	return user_erase_by(tx, user, DUTY_BY_PERMANENT_DELETE, ret_duty);
}

enum err user_keep_deleted(struct db_tx *tx, struct id user)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &user_deleted, DB_ARGS(db_v_id(&user)), &r));
	return promise(tx, user, db_int(r, 2));
}

/* ---- day 30 ---- */

struct due {
	struct id tenant, user;
};
struct due_list {
	struct due *v;
	size_t most, n;
};

static enum err due_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct due_list *l = arg;
	l->v = arena_alloc(s->arena, l->most * sizeof *l->v);
	l->n = 0;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &users_due, DB_ARGS(db_v_int(s->now), db_v_int((int64_t)l->most)), &r));
	while (l->n < l->most && db_next(r))
		l->v[l->n++] = (struct due){db_id(r, 0), db_id(r, 1)};
	return db_rows_err(r);
}

enum err user_expire_deleted(struct scope *s, size_t most, size_t *ret_n)
{
	check(!s->has_tenant);
	struct due_list l = {.most = most};
	*ret_n = 0;
	TRY(db_read(s, due_tx, &l));
	enum err first = OK;
	for (size_t i = 0; i < l.n; i++) { /* one that fails does not hold up the others */
		struct scope t = *s;
		t.tenant = l.v[i].tenant;
		t.has_tenant = true;
		enum err e = user_delete_forever(&t, l.v[i].user);
		if (e == OK)
			(*ret_n)++;
		else if (e != ERR_NOT_FOUND && first == OK) /* not found: restored in between */
			first = scope_fail(s, e, "%s", scope_detail(&t, e));
	}
	return first;
}
