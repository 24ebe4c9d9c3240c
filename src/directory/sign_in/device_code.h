/* SPDX-License-Identifier: Apache-2.0
 *
 * Letting in a program that has no browser (RFC 8628): it shows a short code, a person who is signed in elsewhere types it, sees who asks from where, and
 * allows or denies; the program polls with a long code until then.  Allowed, it acts for that person in a session of its own (session.h, kind
 * "commandLine"), which the person can see and end.
 *
 *   pending -> allowed -> (fetched: the row goes)
 *           -> denied  -> (fetched: the row goes)      a code that nobody fetched goes DEVICE_CODE_LIFE_US after it was made
 */
#ifndef REEVE_DIRECTORY_SIGN_IN_DEVICE_CODE_H
#define REEVE_DIRECTORY_SIGN_IN_DEVICE_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "directory/sign_in/session.h"

#define DEVICE_CODE_LIFE_US (15 * MINUTE_US)
enum {
	DEVICE_CODE_TEXT = 44,       /* of the long code: 43 characters and the terminator */
	DEVICE_USER_TEXT = 10,       /* "BCDF-GHJK" and the terminator */
	DEVICE_POLL_SECONDS = 2,     /* between two polls; a person types for longer */
	DEVICE_SLOWER_SECONDS = 5,   /* more, each time that it was too soon (RFC 8628, section 3.5) */
	DEVICE_CODES_MAX = 1000,     /* of a tenant, at a time */
};

/* ---- programs ---- */

struct public_client {
	const char *name, *display_name;
	struct id id;
};
/* By client_id, which is its name or its id.  False: there is none. */
bool public_client_find(const char *client_id, struct public_client *ret);

/* ---- codes ---- */

struct device_code {
	struct id code, application;
	const char *scope, *ip, *user_agent; /* the last two: NULL where they are not known */
	int64_t created_at, expires_at;
};
/* c->application, scope, ip and user_agent are what the program said.  The texts are stored as hashes.  ERR_TOO_MANY: DEVICE_CODES_MAX. */
MUST_CHECK enum err device_code_begin(struct scope *s, struct device_code *c, char ret_device[DEVICE_CODE_TEXT], char ret_user[DEVICE_USER_TEXT]);
/* A pending one by what a person typed, in any case, with or without dashes and blanks.  ERR_NOT_FOUND. */
MUST_CHECK enum err device_code_find(struct scope *s, const char *user_code, struct device_code *ret);
/* By the scope's actor, a person in a session; with its event.  ERR_NOT_FOUND: it is not pending any more. */
MUST_CHECK enum err device_code_decide(struct scope *s, struct id code, bool allow);

enum device_poll { DEVICE_PENDING, DEVICE_SLOW_DOWN, DEVICE_DENIED, DEVICE_EXPIRED, DEVICE_ALLOWED };
/* ALLOWED, once: the session and its secret.  SLOW_DOWN: from now on it has to wait five seconds longer between two polls.  EXPIRED: also one that is
 * unknown, or another program's. */
MUST_CHECK enum err device_code_poll(struct scope *s, struct id application, const char *device_code, enum device_poll *ret, struct session *ret_session,
				     char ret_secret[SESSION_SECRET_TEXT]);

#endif
