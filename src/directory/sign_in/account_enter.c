/* SPDX-License-Identifier: Apache-2.0
 * The steps from a right password to a session. */
#include "directory/sign_in/account_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "codec/base64.h"
#include "crypto/digest.h"
#include "directory/access/access.h"
#include "directory/tenant_settings.h"
#include "keeper/keeper.h"

DB_TENANT(account_entered, "UPDATE local_accounts SET failures = 0, failed_at = NULL, locked_until = NULL WHERE tenant_id = ?1 AND user_id = ?2 "
			   "AND (failures > 0 OR locked_until IS NOT NULL)");

/* ---- what is missing ---- */

/* Whether a list of permissions holds one that is not for reading. */
static bool may_change(const char *permissions)
{
	for (const char *p = permissions; p != NULL && *p != '\0';) {
		p += strspn(p, " ");
		size_t n = strcspn(p, " ");
		if (n > 0 && memmem(p, n, ".Read.", 6) == NULL && (n < 5 || strncmp(p + n - 5, ".Read", 5) != 0))
			return true;
		p += n;
	}
	return false;
}

static enum err second_factor_required(struct db_tx *tx, struct id user, bool *ret)
{
	int64_t required;
	struct actor person = {.type = ACTOR_USER};
	TRY(tenant_setting_int(tx, "secondFactorRequired", &required));
	*ret = false;
	if (required == 0)
		return OK;
	TRY(access_of_user(tx, user, &person));
	*ret = may_change(person.permissions);
	return OK;
}

static enum err need_in(struct db_tx *tx, const struct account *a, const struct account_proof *p, enum account_need *ret)
{
	bool required;
	*ret = NEED_CODE;
	if (a->second_factor && p->what == PROVED_PASSWORD)
		return OK;
	TRY(second_factor_required(tx, a->user, &required));
	*ret = required && !a->second_factor ? NEED_SECOND_FACTOR : a->must_change ? NEED_PASSWORD : NEED_NOTHING;
	return OK;
}

struct entry {
	const struct account_proof *proof;
	struct id session;
	enum account_need need;
	struct session_new *session_new;
	char *secret;
	struct account account;
};

static enum err need_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct entry *e = arg;
	TRY(account_load_proved(tx, e->proof, &e->account));
	return need_in(tx, &e->account, e->proof, &e->need);
}

enum err account_need(struct scope *s, const struct account_proof *p, enum account_need *ret)
{
	struct entry e = {.proof = p};
	TRY(db_read(s, need_tx, &e));
	*ret = e.need;
	return OK;
}

static enum err enter_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct entry *e = arg;
	TRY(need_tx(s, tx, e));
	if (e->need != NEED_NOTHING)
		return scope_fail(s, ERR_UNAUTHENTICATED, "the sign-in is not complete");
	TRY(db_exec(tx, &account_entered, DB_ARGS(db_v_id(&e->proof->user)), NULL));
	return session_begin(tx, e->session_new, e->secret, &e->session);
}

enum err account_enter(struct scope *s, const struct account_proof *p, struct session_new *n, char ret_secret[SESSION_SECRET_TEXT], struct id *ret)
{
	struct entry e = {.proof = p, .session_new = n, .secret = ret_secret};
	n->user = p->user;
	n->method = p->what == PROVED_CODE ? "password+totp" : "password";
	TRY(db_write(s, enter_tx, &e));
	*ret = e.session;
	return OK;
}

/* ---- tickets: "<user>.<proof><seconds>.<mac>" ---- */

static const char *ticket_text(struct scope *s, const struct account_proof *p, int64_t at)
{
	char user[ID_TEXT], tenant[ID_TEXT];
	uint8_t mac[SHA256_BYTES];
	id_format(p->user, user);
	id_format(s->tenant, tenant);
	const char *what = arena_printf(s->arena, "%s %s %c %" PRId64 " %" PRId64 " %" PRId64, tenant, user, (char)p->what, at, p->password_at, p->totp_at);
	keeper_reference(s->keeper, "sign-in-ticket", what, strlen(what), mac);
	return arena_printf(s->arena, "%s.%c%" PRId64 ".%s", user, (char)p->what, at, base64url_encode(s->arena, mac, sizeof mac));
}

void account_ticket(struct scope *s, const struct account_proof *p, char ret[TICKET_TEXT])
{
	const char *text = ticket_text(s, p, s->now / SECOND_US);
	check(strlen(text) < TICKET_TEXT);
	memcpy(ret, text, strlen(text) + 1);
}

static bool parse_ticket(const char *ticket, struct account_proof *ret, int64_t *ret_at)
{
	char user[ID_TEXT], what;
	if (strlen(ticket) >= TICKET_TEXT || sscanf(ticket, "%36[0-9a-f-].%c%13" SCNd64 ".", user, &what, ret_at) != 3)
		return false;
	ret->what = what == PROVED_CODE ? PROVED_CODE : PROVED_PASSWORD;
	return id_parse(user, &ret->user);
}

/* A ticket is of the password and the second factor that the account has now, or of none. */
static enum err times_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct account_proof *p = arg;
	struct account a;
	(void)s;
	TRY(account_load(tx, p->user, &a));
	if (!a.enabled)
		return ERR_NOT_FOUND;
	p->password_at = a.password_at;
	p->totp_at = a.totp_at;
	return OK;
}

enum err account_ticket_open(struct scope *s, const char *ticket, struct account_proof *ret, bool *ret_holds)
{
	int64_t at;
	*ret_holds = false;
	if (!parse_ticket(ticket, ret, &at) || at > s->now / SECOND_US || s->now / SECOND_US - at > TICKET_LIFE_US / SECOND_US)
		return OK;
	struct scope own = *s;
	enum err err = db_read(&own, times_tx, ret);
	if (err != OK)
		return err == ERR_NOT_FOUND ? OK : scope_fail(s, err, "%s", scope_detail(&own, err));
	const char *want = ticket_text(s, ret, at);
	*ret_holds = strlen(want) == strlen(ticket) && bytes_equal(want, ticket, strlen(want));
	return OK;
}
