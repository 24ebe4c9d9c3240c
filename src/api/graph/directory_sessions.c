/* SPDX-License-Identifier: Apache-2.0
 * /me, and where people are signed in.  revokeSignInSessions is Graph's; the sessions themselves are Reeve's own. */
#include "api/api.h"
#include "audit/audit_read.h"
#include "directory/sign_in/session.h"
#include "directory/user.h"
#include "resource/tables.h"

enum err me_get(struct call *c);
enum err me_sessions(struct call *c);
enum err me_session_end(struct call *c);
enum err me_revoke(struct call *c);
enum err user_sessions(struct call *c);
enum err user_session_end(struct call *c);
enum err user_revoke(struct call *c);

static enum err me(struct call *c, struct id *ret)
{
	c->s.subject = c->s.actor.id;
	if (c->s.actor.type != ACTOR_USER)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "/me request is only valid with delegated authentication flow.");
	*ret = c->s.actor.id;
	return OK;
}

static enum err user_param(struct call *c, struct id *ret)
{
	TRY(user_resolve(&c->s, call_param(c, "user"), ret));
	c->s.subject = *ret;
	return OK;
}

/* ---- one's own ---- */

enum err me_get(struct call *c)
{
	struct resource_query q;
	struct id user;
	TRY(me(c, &user));
	TRY(call_query(c, &RES_USER, &q));
	return call_get(c, &q, user);
}

static enum err list(struct call *c, struct id user)
{
	struct resource_query q;
	TRY(call_query(c, &RES_SESSION, &q));
	struct db_value args[] = {db_v_id(&user), db_v_int(c->s.now)};
	q.extra_where = "t.user_id = ?2 AND t.expires_at > ?3";
	q.args = args;
	q.arg_count = 2;
	return call_list(c, &q);
}

enum err me_sessions(struct call *c)
{
	struct id user;
	TRY(me(c, &user));
	return list(c, user);
}

enum err user_sessions(struct call *c)
{
	struct id user;
	TRY(user_param(c, &user));
	TRY(audit_record_view(&c->s, user));
	return list(c, user);
}

/* ---- ending them ---- */

struct ending {
	struct id user, session; /* session nil: all */
};

static enum err end_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct ending *e = arg;
	const char *why = id_equal(s->actor.id, e->user) ? "byThemselves" : "byAdministrator";
	return id_is_nil(e->session) ? session_end_all(tx, e->user, why) : session_end_of(tx, e->user, e->session, why);
}

static enum err end_one(struct call *c, struct id user)
{
	struct ending e = {.user = user};
	TRY(call_param_id(c, "session", "session", &e.session));
	TRY(db_write(&c->s, end_tx, &e));
	return call_status(c, 204);
}

/* Graph answers with true. */
static enum err revoke(struct call *c, struct id user)
{
	TRY(db_write(&c->s, end_tx, &(struct ending){.user = user}));
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(c->s.arena, "%s/$metadata#Edm.Boolean", call_base_url(c)));
	jw_kbool(&w, "value", true);
	jw_end_object(&w);
	return OK;
}

enum err me_session_end(struct call *c)
{
	struct id user;
	TRY(me(c, &user));
	return end_one(c, user);
}

enum err me_revoke(struct call *c)
{
	struct id user;
	TRY(me(c, &user));
	return revoke(c, user);
}

enum err user_session_end(struct call *c)
{
	struct id user;
	TRY(user_param(c, &user));
	return end_one(c, user);
}

enum err user_revoke(struct call *c)
{
	struct id user;
	TRY(user_param(c, &user));
	return revoke(c, user);
}
