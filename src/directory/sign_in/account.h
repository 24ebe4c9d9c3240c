/* SPDX-License-Identifier: Apache-2.0
 *
 * Local accounts: people of the directory who sign in with a password that is known here alone (crypto/password.h), for installations without an
 * identity provider and for emergencies.  After wrong passwords or codes an account is locked for a while, longer each time and never longer
 * than ACCOUNT_LOCK_LONGEST_US; whoever asks from an address where the person has a session is not kept out by it, and the command line
 * unlocks.  Nothing tells a stranger whether a name is known, locked or disabled.
 *
 * Signing in goes step by step: password, then what account_need() says, then account_enter().  What was proved stands in a ticket that the page
 * carries: it is good for TICKET_LIFE_US and until the password or the second factor changes, or the person is disabled.  A proof that is overtaken by
 * such a change while its request is under way is good for no further step, either: whoever sets a new password has everybody out.
 */
#ifndef REEVE_DIRECTORY_SIGN_IN_ACCOUNT_H
#define REEVE_DIRECTORY_SIGN_IN_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"
#include "directory/sign_in/session.h"

enum { ACCOUNT_FREE_FAILURES = 5, TICKET_TEXT = 128, PASSWORD_CHARACTERS = 12 };
#define ACCOUNT_LOCK_FIRST_US (30 * SECOND_US) /* after ACCOUNT_FREE_FAILURES; doubles with each further one */
#define ACCOUNT_LOCK_LONGEST_US (15 * MINUTE_US)
#define ACCOUNT_FORGET_US DAY_US /* failures that lie so far back do not count */
#define TICKET_LIFE_US (10 * MINUTE_US)

struct account {
	struct id user;
	const char *upn, *display_name, *phc;
	bool enabled, must_change, second_factor;
	int64_t failures, failed_at, locked_until, password_at, totp_at, totp_step, created_at; /* times: 0 for never */
	const void *sealed; /* the second factor's secret */
	size_t sealed_n;
};
/* ERR_NOT_FOUND: there is no such user, or it has no local account. */
MUST_CHECK enum err account_load(struct db_tx *tx, struct id user, struct account *ret);

/* ---- signing in ---- */

struct account_proof {
	struct id user;
	enum { PROVED_PASSWORD = 'p', PROVED_CODE = 'c' /* the password and a code */ } what;
	int64_t password_at, totp_at; /* of what it was: the account's when it was proved */
};
enum account_need { NEED_NOTHING, NEED_CODE, NEED_SECOND_FACTOR /* to be set up now */, NEED_PASSWORD /* a new one */ };

/* Whether name and password fit, with an event where they do not; an unknown name costs the same hashing.  ip: of who asks.  ERR_TOO_MANY: too
 * many sign in at once. */
MUST_CHECK enum err account_password(struct scope *s, const char *upn, const char *password, struct account_proof *ret, bool *ret_right);

/* With a proof: ERR_UNAUTHENTICATED where it is overtaken. */

/* A code of the second factor; each is good once.  One that is right is part of the proof. */
MUST_CHECK enum err account_code(struct scope *s, struct account_proof *p, const char *code, bool *ret_right);
/* What is still missing before account_enter(). */
MUST_CHECK enum err account_need(struct scope *s, const struct account_proof *p, enum account_need *ret);
/* The last step: a session, with session_begin()'s event; the failures are forgotten.  n: user and method are set here.  ERR_UNAUTHENTICATED also where
 * something is missing. */
MUST_CHECK enum err account_enter(struct scope *s, const struct account_proof *p, struct session_new *n, char ret_secret[SESSION_SECRET_TEXT],
				  struct id *ret);

void account_ticket(struct scope *s, const struct account_proof *p, char ret[TICKET_TEXT]);
/* False: forged, too old, or overtaken. */
MUST_CHECK enum err account_ticket_open(struct scope *s, const char *ticket, struct account_proof *ret, bool *ret_holds);

/* ---- passwords ---- */

/* NULL: good enough; else why not, for people.  upn may be NULL. */
const char *password_problem(const char *password, const char *upn);

/* By the person, who has proved who they are.  Ends all sessions but `keep` (nil: all).  *ret_problem: why the new one is not taken, NULL where
 * it is; the proof is then of the new one. */
MUST_CHECK enum err account_change_password(struct scope *s, struct account_proof *p, const char *password, struct id keep, const char **ret_problem);
/* By somebody else; makes the account where there is none, unlocks it, and ends all sessions.  ERR_BAD_REQUEST with password_problem()'s text. */
MUST_CHECK enum err account_set_password(struct scope *s, struct id user, const char *password, bool must_change);

/* ---- second factor: TOTP (RFC 6238), SHA-1, six digits, thirty seconds ---- */

/* What is to be typed into an app: the same until it is confirmed.  The secret in base32, and the otpauth: URI. */
MUST_CHECK enum err account_totp_offer(struct scope *s, struct id user, const char **ret_secret, const char **ret_uri);
/* Takes the offer with a code that the app made, which becomes part of the proof; other sessions than `keep` end. */
MUST_CHECK enum err account_totp_confirm(struct scope *s, struct account_proof *p, const char *code, struct id keep, bool *ret_right);

/* ---- by an administrator ---- */

MUST_CHECK enum err account_unlock(struct scope *s, struct id user);
MUST_CHECK enum err account_totp_reset(struct scope *s, struct id user); /* ends all sessions */
MUST_CHECK enum err account_delete(struct scope *s, struct id user);     /* the user stays, and cannot sign in by password any more */

#endif
