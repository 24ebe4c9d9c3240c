/* SPDX-License-Identifier: Apache-2.0
 *
 * Local accounts, for `reeve account`.  Who sets a password or takes a second factor away can be that person from then on: both are done on the
 * server's machine alone, by the local socket.
 */
#include "api/api.h"
#include "audit/audit_read.h"
#include "crypto/password.h"
#include "directory/sign_in/account.h"
#include "directory/user.h"
#include "resource/tables.h"

enum err local_accounts_list(struct call *c);
enum err local_account_get(struct call *c);
enum err local_account_put(struct call *c);
enum err local_account_unlock(struct call *c);
enum err local_account_reset(struct call *c);
enum err local_account_delete(struct call *c);

static enum err user_param(struct call *c, struct id *ret)
{
	TRY(user_resolve(&c->s, call_param(c, "user"), ret));
	c->s.subject = *ret;
	return OK;
}

static enum err on_the_machine(struct call *c, struct id *ret)
{
	TRY(user_param(c, ret));
	return c->in->local ? OK : scope_fail(&c->s, ERR_FORBIDDEN, "this is done on the server's machine alone: see 'reeve account --help'");
}

enum err local_accounts_list(struct call *c)
{
	struct resource_query q;
	TRY(call_query(c, &RES_LOCAL_ACCOUNT, &q));
	return call_list(c, &q);
}

enum err local_account_get(struct call *c)
{
	struct resource_query q;
	struct id user;
	TRY(user_param(c, &user));
	TRY(audit_record_view(&c->s, user));
	TRY(call_query(c, &RES_LOCAL_ACCOUNT, &q));
	return call_get(c, &q, user);
}

enum err local_account_put(struct call *c)
{
	static const char *const allowed[] = {"password", "mustChangePassword", NULL};
	struct id user;
	json_t *body;
	const char *password;
	TRY(on_the_machine(c, &user));
	TRY(call_body(c, true, &body));
	TRY(call_only(c, body, allowed));
	TRY(call_string(c, body, "password", true, &password));
	const json_t *must = json_object_get(body, "mustChangePassword");
	if (must != NULL && !json_is_boolean(must))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'mustChangePassword' is true or false");
	TRY(account_set_password(&c->s, user, password, json_is_true(must)));
	return call_status(c, 204);
}

enum err local_account_unlock(struct call *c)
{
	struct id user;
	TRY(user_param(c, &user));
	TRY(account_unlock(&c->s, user));
	return call_status(c, 204);
}

enum err local_account_reset(struct call *c)
{
	struct id user;
	TRY(on_the_machine(c, &user));
	TRY(account_totp_reset(&c->s, user));
	return call_status(c, 204);
}

enum err local_account_delete(struct call *c)
{
	struct id user;
	TRY(user_param(c, &user));
	TRY(account_delete(&c->s, user));
	return call_status(c, 204);
}
