/* SPDX-License-Identifier: Apache-2.0
 *
 * Sessions of people: a row for each browser and each program through which a person acts.  The secret is 32 random bytes in base64url; its
 * SHA-256 is stored, its text goes into a cookie (kind "browser") or is the refresh token (kind "commandLine").  A session ends when it was not
 * used for the tenant's idle limit, at its absolute limit, when it is ended, and with its user: one who is disabled or deleted is refused
 * although the row is there.  An ended session has no row (what ran out goes by the map's retention); what is left of it are its events.
 *
 * Times are microseconds UTC; texts of results are in the scope's arena.
 */
#ifndef REEVE_DIRECTORY_SIGN_IN_SESSION_H
#define REEVE_DIRECTORY_SIGN_IN_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"
#include "directory/tenant.h"

#define SESSION_BROWSER "browser"
#define SESSION_COMMAND_LINE "commandLine"

enum {
	SESSIONS_MAX = 100,                                      /* of a user; the oldest goes when one more begins */
	SESSION_SECRET_TEXT = 44,                                /* 43 characters and the terminator */
	SESSION_COOKIE_TEXT = ID_TEXT + SESSION_SECRET_TEXT,     /* "<tenant>.<secret>" and the terminator */
	SESSION_CSRF_TEXT = 44,
	SESSION_AGENT_BYTES = 200,                               /* what is kept of a User-Agent */
};

/* ---- beginning ---- */

struct session_new {
	struct id user;
	const char *kind;             /* SESSION_BROWSER or SESSION_COMMAND_LINE */
	const char *method;           /* how they proved who they are: "password", "password+totp", "oidc" … */
	struct id provider;           /* the identity provider; nil: a local account */
	const char *provider_session; /* its "sid"; NULL: none */
	struct id application;        /* the program that acts for the person; nil: a browser */
	const char *ip, *user_agent;  /* NULL: not known */
	int64_t auth_at;              /* when they last proved who they are; 0: now */
};

/* In the caller's transaction, with the event of the sign-in, whose actor is the person.  The secret is returned once and never stored.
 * ERR_UNAUTHENTICATED where the user is not there, disabled or deleted, or the tenant lets nobody in. */
MUST_CHECK enum err session_begin(struct db_tx *tx, const struct session_new *n, char ret_secret[SESSION_SECRET_TEXT], struct id *ret);
/* The cookie's value. */
void session_cookie(struct id tenant, const char *secret, char ret[SESSION_COOKIE_TEXT]);

/* A refused sign-in, in a transaction of its own, at most one a minute and user.  `why` is for the tenant's log, not for who was refused.  A nil
 * user is nobody of the tenant: the API's refusals count that, and there is no event. */
void session_refused(struct scope *s, struct id user, const char *why);

/* ---- using ---- */

/* Who a cookie's value is now: binds the scope to its tenant and fills actor (permissions, session, application; ip is left alone) and levels.
 * ERR_UNAUTHENTICATED with one detail for all reasons.  Last use is written at most once a minute. */
MUST_CHECK enum err session_admit(struct scope *s, const char *cookie, struct actor *ret, struct tenant_levels *ret_levels);
/* The same for a token of ours that names its session; the scope is bound to the token's tenant. */
MUST_CHECK enum err session_admit_id(struct scope *s, struct id session, struct actor *ret, struct tenant_levels *ret_levels);

struct session {
	struct id session, user, provider, application;
	const char *kind, *method, *provider_session, *ip, *user_agent;
	int64_t created_at, auth_at, last_used_at, expires_at, ends_at; /* expires_at: when it ends unless it is used; ends_at: in any case */
};
/* A living session.  ERR_NOT_FOUND. */
MUST_CHECK enum err session_get(struct db_tx *tx, struct id session, struct session *ret);
/* Of a user, newest first. */
MUST_CHECK enum err session_list(struct db_tx *tx, struct id user, struct session **ret, size_t *ret_n);

/* A new secret for a session of the command line (refresh): the old ones are good no more, and any of them that is shown again ends the session, for
 * somebody else may have it (RFC 9700, section 4.14.2).  That is done in the transaction: OK with *ret_stolen, and nobody is to be let in.
 * ERR_UNAUTHENTICATED: there is no such session, its user is gone or disabled, or the tenant lets nobody in. */
MUST_CHECK enum err session_renew(struct db_tx *tx, const char *secret, char ret_secret[SESSION_SECRET_TEXT], struct session *ret, bool *ret_stolen);
/* Whether a text is, or was before, the secret of a session of the command line: asked before session_renew(), so that strangers who guess are not
 * let near the writer. */
MUST_CHECK enum err session_known(struct scope *s, const char *secret, bool *ret);

/* What forms and the header X-Reeve-CSRF of this session must carry. */
void session_csrf(struct scope *s, struct id session, char ret[SESSION_CSRF_TEXT]);
bool session_csrf_holds(struct scope *s, struct id session, const char *token); /* NULL does not */

/* ---- ending: in the caller's transaction, each with its event; none there: OK and no event ---- */

#define SESSION_SIGN_OUT "signOut" /* `why` of a session that its own user ends; anything else is a revocation, and its event says why */

MUST_CHECK enum err session_end(struct db_tx *tx, struct id session, const char *why);
/* ERR_NOT_FOUND where it is not this user's. */
MUST_CHECK enum err session_end_of(struct db_tx *tx, struct id user, struct id session, const char *why);
MUST_CHECK enum err session_end_all(struct db_tx *tx, struct id user, const char *why);
/* All but one. */
MUST_CHECK enum err session_end_others(struct db_tx *tx, struct id user, struct id keep, const char *why);
/* Back-channel logout: the sessions that a provider began, of one "sid" (NULL: of any) and one user (nil: of any; then sid is needed). */
MUST_CHECK enum err session_end_provider(struct db_tx *tx, struct id provider, const char *provider_session, struct id user, const char *why);

#endif
