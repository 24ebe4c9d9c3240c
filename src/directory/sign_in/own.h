/* SPDX-License-Identifier: Apache-2.0
 * What a person who is signed in sees of their own account, and what they may do with it. */
#ifndef REEVE_DIRECTORY_SIGN_IN_OWN_H
#define REEVE_DIRECTORY_SIGN_IN_OWN_H

#include "base/err.h"
#include "base/scope.h"
#include "directory/access/access.h"
#include "directory/sign_in/account.h"
#include "directory/sign_in/session.h"

struct own {
	const char *organisation;
	struct session session;   /* the one that asks */
	struct session *sessions; /* all of the person, newest first */
	size_t session_n;
	struct access *access;
	const char **scopes;      /* of each grant: the name of the group for whose people it holds; NULL: the whole organisation */
	bool local;               /* there is a local account: account */
	struct account account;
};
/* Of the scope's actor, who has a session. */
MUST_CHECK enum err own_load(struct scope *s, struct own *ret);
/* Ends one of their sessions (ERR_NOT_FOUND), all others, or (id nil) the one that asks, which is the sign-out. */
MUST_CHECK enum err own_end(struct scope *s, struct id session);
MUST_CHECK enum err own_end_others(struct scope *s);
MUST_CHECK enum err own_sign_out(struct scope *s);

#endif
