/* SPDX-License-Identifier: Apache-2.0
 *
 * The second factor of local accounts.  What is offered is not stored until it is confirmed: it is made again of the person and of the time of the
 * last change, under the keeper's key, so that pages carry no secret back and no two offers are the same.
 */
#include "directory/sign_in/account_internal.h"

#include <inttypes.h>
#include <string.h>

#include "codec/base64.h"
#include "codec/odata.h"
#include "crypto/digest.h"
#include "crypto/totp.h"
#include "keeper/keeper.h"

DB_TENANT(totp_set, "UPDATE local_accounts SET totp_secret = ?3, totp_at = ?4, totp_step = ?5 WHERE tenant_id = ?1 AND user_id = ?2");
DB_TENANT(totp_used, "UPDATE local_accounts SET totp_step = ?3 WHERE tenant_id = ?1 AND user_id = ?2");

enum { STEPS_AROUND = 1 /* clocks differ, and people are slow */ };

int64_t totp_step_of(const void *secret, size_t n, const char *code, int64_t now, int64_t last)
{
	int64_t current = now / SECOND_US / TOTP_SECONDS, found = -1;
	char want[TOTP_TEXT];
	if (strlen(code) != TOTP_DIGITS)
		return -1;
	for (int64_t step = current - STEPS_AROUND; step <= current + STEPS_AROUND; step++) {
		totp_code(secret, n, step, TOTP_DIGITS, want);
		if (bytes_equal(want, code, TOTP_DIGITS) && step > last && found < 0)
			found = step;
	}
	return found;
}

/* ---- setting it up ---- */

static void offered(struct scope *s, const struct account *a, uint8_t ret[TOTP_SECRET_BYTES])
{
	char tenant[ID_TEXT], user[ID_TEXT];
	uint8_t mac[SHA256_BYTES];
	const char *what = arena_printf(s->arena, "%s %s %" PRId64 " %" PRId64, id_format(s->tenant, tenant), id_format(a->user, user),
					a->created_at, a->totp_at);
	keeper_reference(s->keeper, "second-factor", what, strlen(what), mac);
	memcpy(ret, mac, TOTP_SECRET_BYTES);
	wipe(mac, sizeof mac);
}

struct factor {
	struct id user, keep;
	const struct account_proof *proof;
	const char *code, *organisation;
	bool right;
	struct account account;
};

DB_TENANT(totp_organisation, "SELECT display_name FROM tenants WHERE tenant_id = ?1");

static enum err offer_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct factor *f = arg;
	TRY(account_load(tx, f->user, &f->account));
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &totp_organisation, DB_NOARGS, &r));
	f->organisation = db_text_dup(r, 0, s->arena);
	return OK;
}

enum err account_totp_offer(struct scope *s, struct id user, const char **ret_secret, const char **ret_uri)
{
	struct factor f = {.user = user};
	uint8_t secret[TOTP_SECRET_BYTES];
	TRY(db_read(s, offer_tx, &f));
	offered(s, &f.account, secret);
	*ret_secret = base32_encode(s->arena, secret, sizeof secret);
	const char *issuer = url_encode(s->arena, f.organisation);
	*ret_uri = arena_printf(s->arena, "otpauth://totp/%s:%s?secret=%s&issuer=%s", issuer, url_encode(s->arena, f.account.upn), *ret_secret, issuer);
	wipe(secret, sizeof secret);
	return OK;
}

static enum err confirm_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct factor *f = arg;
	uint8_t secret[TOTP_SECRET_BYTES];
	size_t n;
	TRY(account_load_proved(tx, f->proof, &f->account));
	offered(s, &f->account, secret);
	int64_t step = totp_step_of(secret, sizeof secret, f->code, s->now, 0);
	f->right = step >= 0;
	if (!f->right)
		return account_failed(tx, &f->account);
	void *sealed = keeper_seal(s->keeper, s->arena, secret, sizeof secret, &n);
	wipe(secret, sizeof secret);
	TRY(db_exec(tx, &totp_set, DB_ARGS(db_v_id(&f->user), db_v_blob(sealed, n), db_v_int(s->now), db_v_int(step)), NULL));
	TRY(account_record(tx, ACT_TOTP_SET, &f->account, NULL));
	return session_end_others(tx, f->user, f->keep, "secondFactorChanged");
}

enum err account_totp_confirm(struct scope *s, struct account_proof *p, const char *code, struct id keep, bool *ret_right)
{
	struct factor f = {.user = p->user, .keep = keep, .proof = p, .code = code};
	TRY(db_write(s, confirm_tx, &f));
	*ret_right = f.right;
	if (!f.right)
		return OK;
	p->what = PROVED_CODE;
	p->totp_at = s->now;
	return OK;
}

static enum err reset_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct factor *f = arg;
	struct account a;
	TRY(account_load(tx, f->user, &a));
	TRY(db_exec(tx, &totp_set, DB_ARGS(db_v_id(&f->user), db_v_null(), db_v_int(s->now), db_v_int(0)), NULL));
	TRY(account_record(tx, ACT_TOTP_RESET, &a, NULL));
	return session_end_all(tx, f->user, "secondFactorReset");
}

enum err account_totp_reset(struct scope *s, struct id user)
{
	return db_write(s, reset_tx, &(struct factor){.user = user});
}

/* ---- a code at sign-in ---- */

static enum err code_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct factor *f = arg;
	bool locked;
	size_t n = 0;
	f->right = false;
	TRY(account_load_proved(tx, f->proof, &f->account));
	TRY(account_locked(tx, &f->account, &locked));
	if (locked || !f->account.second_factor)
		return OK;
	uint8_t *secret = keeper_unseal(s->keeper, s->arena, f->account.sealed, f->account.sealed_n, &n);
	if (secret == NULL)
		return scope_fail(s, ERR_INTERNAL, "the second factor's secret cannot be opened");
	int64_t step = totp_step_of(secret, n, f->code, s->now, f->account.totp_step);
	wipe(secret, n);
	f->right = step >= 0;
	if (!f->right)
		return account_failed(tx, &f->account);
	return db_exec(tx, &totp_used, DB_ARGS(db_v_id(&f->user), db_v_int(step)), NULL);
}

enum err account_code(struct scope *s, struct account_proof *p, const char *code, bool *ret_right)
{
	struct factor f = {.user = p->user, .proof = p, .code = code};
	TRY(db_write(s, code_tx, &f));
	*ret_right = f.right;
	if (f.right)
		p->what = PROVED_CODE;
	else
		session_refused(s, p->user, "wrong code");
	return OK;
}
