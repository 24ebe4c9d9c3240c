/* SPDX-License-Identifier: Apache-2.0
 * Setting passwords. */
#include "directory/sign_in/account_internal.h"

#include <string.h>

#include "crypto/password.h"
#include "directory/user.h"

DB_TENANT(account_insert, "INSERT INTO local_accounts (tenant_id, user_id, password, password_at, must_change, failures, totp_step, created_at) "
			  "VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, ?4)");
DB_TENANT(account_set, "UPDATE local_accounts SET password = ?3, password_at = ?4, must_change = ?5, failures = 0, failed_at = NULL, locked_until = NULL "
		       "WHERE tenant_id = ?1 AND user_id = ?2");
DB_TENANT(account_there, "SELECT 1 FROM local_accounts WHERE tenant_id = ?1 AND user_id = ?2");

struct setting {
	struct id user, keep;
	const struct account_proof *proof; /* of the person themselves; NULL: somebody else sets it */
	char phc[PASSWORD_PHC_TEXT];
	bool must_change, makes; /* makes: also where there is no account yet */
};

static enum err exists(struct db_tx *tx, struct id user, bool *ret)
{
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &account_there, DB_ARGS(db_v_id(&user)), &r);
	*ret = e == OK;
	return e == ERR_NOT_FOUND ? OK : e;
}

static enum err set_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct setting *v = arg;
	struct account a;
	struct user u;
	bool there;
	TRY(user_load(tx, v->user, &u));
	if (v->proof != NULL)
		TRY(account_load_proved(tx, v->proof, &a));
	TRY(exists(tx, v->user, &there));
	struct db_stmt *stmt = there || !v->makes ? &account_set : &account_insert;
	TRY(db_exec(tx, stmt, DB_ARGS(db_v_id(&v->user), db_v_text(v->phc), db_v_int(s->now), db_v_int(v->must_change)), NULL));
	TRY(account_load(tx, v->user, &a)); /* refuses where there was none to change */
	TRY(account_record(tx, there ? ACT_ACCOUNT_PASSWORD : ACT_ACCOUNT_CREATE, &a, NULL));
	return id_is_nil(v->keep) ? session_end_all(tx, v->user, "passwordChanged") : session_end_others(tx, v->user, v->keep, "passwordChanged");
}

struct look {
	struct id user;
	struct user ret;
};

static enum err look_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct look *l = arg;
	return user_load(tx, l->user, &l->ret);
}

static enum err set(struct scope *s, struct setting *v, const char *password, const char **ret_problem)
{
	struct look l = {.user = v->user};
	TRY(db_read(s, look_tx, &l));
	*ret_problem = password_problem(password, l.ret.upn);
	if (*ret_problem != NULL)
		return OK;
	TRY(password_hash(s, password, v->phc));
	return db_write(s, set_tx, v);
}

struct old {
	const struct account_proof *proof;
	struct account ret;
};

static enum err old_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct old *o = arg;
	(void)s;
	return account_load_proved(tx, o->proof, &o->ret);
}

enum err account_change_password(struct scope *s, struct account_proof *p, const char *password, struct id keep, const char **ret_problem)
{
	struct old o = {.proof = p};
	bool same;
	TRY(db_read(s, old_tx, &o));
	*ret_problem = password_problem(password, o.ret.upn);
	if (*ret_problem != NULL)
		return OK;
	TRY(password_check(s, password, o.ret.phc, &same, NULL));
	if (same) {
		*ret_problem = "This is the password that you have. Choose another one.";
		return OK;
	}
	TRY(set(s, &(struct setting){.user = p->user, .keep = keep, .proof = p}, password, ret_problem));
	if (*ret_problem == NULL)
		p->password_at = s->now;
	return OK;
}

enum err account_set_password(struct scope *s, struct id user, const char *password, bool must_change)
{
	const char *problem;
	TRY(set(s, &(struct setting){.user = user, .must_change = must_change, .makes = true}, password, &problem));
	return problem == NULL ? OK : scope_fail(s, ERR_BAD_REQUEST, "password: %s", problem);
}
