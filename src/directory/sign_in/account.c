/* SPDX-License-Identifier: Apache-2.0
 * Local accounts: finding them, passwords that fit or not, locks. */
#include "directory/sign_in/account_internal.h"

#include <string.h>

#include "crypto/password.h"
#include "directory/user.h"
#include "resource/tables.h"

#define COLUMNS "u.user_id, u.upn, u.display_name, u.account_enabled, a.password, a.must_change, a.failures, a.failed_at, a.locked_until, " \
		"a.password_at, a.totp_at, a.totp_step, a.created_at, a.totp_secret"
DB_TENANT(account_by_user, "SELECT " COLUMNS " FROM users u JOIN local_accounts a ON a.tenant_id = u.tenant_id AND a.user_id = u.user_id "
			   "WHERE u.tenant_id = ?1 AND u.user_id = ?2 AND u.deleted_at IS NULL");
DB_TENANT(account_user_by_upn, "SELECT user_id FROM users WHERE tenant_id = ?1 AND upn_key = ?2");
DB_TENANT(account_fail, "UPDATE local_accounts SET failures = ?3, failed_at = ?4, locked_until = ?5 WHERE tenant_id = ?1 AND user_id = ?2");
DB_TENANT(account_rehash, "UPDATE local_accounts SET password = ?4 WHERE tenant_id = ?1 AND user_id = ?2 AND password = ?3");
DB_TENANT(account_drop, "DELETE FROM local_accounts WHERE tenant_id = ?1 AND user_id = ?2");
DB_TENANT(account_known_address, "SELECT 1 FROM sessions WHERE tenant_id = ?1 AND user_id = ?2 AND ip = ?3 AND expires_at > ?4 LIMIT 1");

/* ---- finding ---- */

static struct account read_row(const struct db_rows *r, struct arena *a)
{
	struct account v = {.user = db_id(r, 0), .upn = db_text_dup(r, 1, a), .display_name = db_text_dup(r, 2, a), .enabled = db_bool(r, 3),
			    .phc = db_text_dup(r, 4, a), .must_change = db_bool(r, 5), .failures = db_int(r, 6), .failed_at = db_int(r, 7),
			    .locked_until = db_int(r, 8), .password_at = db_int(r, 9), .totp_at = db_int(r, 10), .totp_step = db_int(r, 11),
			    .created_at = db_int(r, 12), .second_factor = !db_is_null(r, 13)};
	struct db_value sealed = db_value_dup(r, 13, a);
	v.sealed = sealed.p;
	v.sealed_n = sealed.n;
	return v;
}

enum err account_load(struct db_tx *tx, struct id user, struct account *ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &account_by_user, DB_ARGS(db_v_id(&user)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "there is no such user, or it has no local account");
	TRY(e);
	*ret = read_row(r, s->arena);
	return OK;
}

enum err account_load_proved(struct db_tx *tx, const struct account_proof *p, struct account *ret)
{
	enum err e = account_load(tx, p->user, ret);
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	if (e == OK && ret->enabled && ret->password_at == p->password_at && ret->totp_at == p->totp_at)
		return OK;
	return scope_fail(db_tx_scope(tx), ERR_UNAUTHENTICATED, "the password or the second factor has changed meanwhile, or the account is disabled");
}

enum err account_record(struct db_tx *tx, enum activity activity, const struct account *a, const struct audit_change *changes)
{
	return audit_record(tx, &(struct audit_event){.activity = activity, .resource_type = "LocalAccount", .resource = a->user, .subject = a->user,
						      .resource_name = a->display_name, .changes = changes});
}

/* ---- locks ---- */

/* One that ends later than any does was set while the clock stood ahead: it would keep everybody out until then. */
enum err account_locked(struct db_tx *tx, const struct account *a, bool *ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	*ret = a->locked_until > s->now && a->locked_until - s->now <= ACCOUNT_LOCK_LONGEST_US;
	if (!*ret || s->actor.ip == NULL)
		return OK;
	TRY(db_query(tx, &account_known_address, DB_ARGS(db_v_id(&a->user), db_v_text(s->actor.ip), db_v_int(s->now)), &r));
	*ret = !db_next(r);
	return db_rows_err(r);
}

/* How long after so many failures. */
static int64_t lock_time(int64_t failures)
{
	int64_t us = ACCOUNT_LOCK_FIRST_US;
	if (failures < ACCOUNT_FREE_FAILURES)
		return 0;
	for (int64_t i = ACCOUNT_FREE_FAILURES; i < failures && us < ACCOUNT_LOCK_LONGEST_US; i++)
		us *= 2;
	return us < ACCOUNT_LOCK_LONGEST_US ? us : ACCOUNT_LOCK_LONGEST_US;
}

enum err account_failed(struct db_tx *tx, const struct account *a)
{
	struct scope *s = db_tx_scope(tx);
	char text[TIME_TEXT];
	int64_t failures = (s->now - a->failed_at > ACCOUNT_FORGET_US ? 0 : a->failures) + 1, lock = lock_time(failures);
	TRY(db_exec(tx, &account_fail, DB_ARGS(db_v_id(&a->user), db_v_int(failures), db_v_int(s->now),
					       lock == 0 ? db_v_null() : db_v_int(s->now + lock)), NULL));
	if (lock == 0)
		return OK;
	struct audit_change *changes = NULL;
	audit_change_add(s->arena, &changes, "lockedUntilDateTime", "local_accounts", "locked_until", NULL, time_format(s->now + lock, text));
	return account_record(tx, ACT_ACCOUNT_LOCK, a, changes);
}

/* ---- name and password ---- */

struct attempt {
	const char *upn, *better; /* better: the same password hashed anew */
	struct account account;
	struct id user;
	bool has_account, locked;
};

static enum err find_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct attempt *a = arg;
	auto_rows struct db_rows *r = NULL;
	*a = (struct attempt){.upn = a->upn};
	enum err e = db_query_one(tx, &account_user_by_upn, DB_ARGS(db_v_text(upn_key(s->arena, a->upn))), &r);
	if (e != OK)
		return e == ERR_NOT_FOUND ? OK : e;
	a->user = db_id(r, 0);
	auto_rows struct db_rows *row = NULL;
	e = db_query_one(tx, &account_by_user, DB_ARGS(db_v_id(&a->user)), &row);
	if (e != OK)
		return e == ERR_NOT_FOUND ? OK : e;
	a->account = read_row(row, s->arena);
	a->has_account = true;
	return account_locked(tx, &a->account, &a->locked);
}

static enum err failed_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct attempt *a = arg;
	struct account now;
	TRY(account_load(tx, a->user, &now));
	return account_failed(tx, &now);
}

static enum err rehash_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct attempt *a = arg;
	return db_exec(tx, &account_rehash, DB_ARGS(db_v_id(&a->user), db_v_text(a->account.phc), db_v_text(a->better)), NULL);
}

/* The parameters have risen since it was stored: now is when the password is known.  Where that fails, the next time will do. */
static void rehash(const struct scope *s, struct attempt *a, const char *password)
{
	struct scope own = *s;
	char phc[PASSWORD_PHC_TEXT];
	a->better = phc;
	if (password_hash(&own, password, phc) != OK || db_write(&own, rehash_tx, a) != OK)
		return;
}

static enum err refuse(struct scope *s, struct attempt *a)
{
	const char *why = !a->has_account ? "no local account" : a->locked ? "locked" : !a->account.enabled ? "disabled" : "wrong password";
	bool counts = a->has_account && !a->locked && a->account.enabled;
	if (counts)
		TRY(db_write(s, failed_tx, a));
	session_refused(s, a->user, why);
	return OK;
}

/* Comparing takes its time, and many try at once: whoever was locked meanwhile is not let in by the last of them. */
static enum err look_again(struct scope *s, struct attempt *a, bool *ret_open)
{
	struct attempt now = {.upn = a->upn};
	TRY(db_read(s, find_tx, &now));
	a->locked = now.locked;
	*ret_open = now.has_account && !now.locked && id_equal(now.user, a->user);
	return OK;
}

enum err account_password(struct scope *s, const char *upn, const char *password, struct account_proof *ret, bool *ret_right)
{
	struct attempt a = {.upn = upn};
	bool right, weak;
	*ret_right = false;
	TRY(db_read(s, find_tx, &a));
	bool open = a.has_account && !a.locked && a.account.enabled;
	TRY(password_check(s, password, open ? a.account.phc : NULL, &right, &weak));
	if (right)
		TRY(look_again(s, &a, &right));
	if (!right)
		return refuse(s, &a);
	*ret = (struct account_proof){a.user, PROVED_PASSWORD, a.account.password_at, a.account.totp_at};
	*ret_right = true;
	if (weak)
		rehash(s, &a, password);
	return OK;
}

/* ---- by an administrator ---- */

struct order {
	struct id user;
};

static enum err unlock_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct order *o = arg;
	struct account a;
	TRY(account_load(tx, o->user, &a));
	if (a.failures == 0 && a.locked_until == 0)
		return OK;
	TRY(db_exec(tx, &account_fail, DB_ARGS(db_v_id(&o->user), db_v_int(0), db_v_null(), db_v_null()), NULL));
	return account_record(tx, ACT_ACCOUNT_UNLOCK, &a, NULL);
}

enum err account_unlock(struct scope *s, struct id user)
{
	return db_write(s, unlock_tx, &(struct order){user});
}

static enum err delete_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct order *o = arg;
	struct account a;
	TRY(account_load(tx, o->user, &a));
	TRY(db_exec(tx, &account_drop, DB_ARGS(db_v_id(&o->user)), NULL));
	TRY(account_record(tx, ACT_ACCOUNT_DELETE, &a, NULL));
	return session_end_all(tx, o->user, "accountDeleted");
}

enum err account_delete(struct scope *s, struct id user)
{
	return db_write(s, delete_tx, &(struct order){user});
}
