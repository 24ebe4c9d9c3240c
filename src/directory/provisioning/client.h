/* SPDX-License-Identifier: Apache-2.0
 *
 * Provisioning clients: applications (provisioning = 1, with a role that has Provisioning.ReadWrite.All) by which another directory tells this
 * one of people and groups (SCIM).  That directory keeps one bearer token for years, so such a client has tokens of its own beside secrets:
 * random text with a prefix that scanners of leaked secrets find, stored as its SHA-256, shown once, several valid at once so that one can be
 * exchanged for the next.  Whatever the client's role has beside it, a token carries Provisioning.ReadWrite.All and nothing else.
 *
 * That a token was used, and when its client was last heard of, is telemetry: written at most once a minute.  A client that was heard of and
 * then is silent for the tenant's provisioningSilentDays raises an alarm, once for each silence; its silentSinceDateTime shows it until it is
 * heard of again.
 */
#ifndef REEVE_DIRECTORY_PROVISIONING_CLIENT_H
#define REEVE_DIRECTORY_PROVISIONING_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"
#include "directory/tenant.h"

#define PROVISIONING_PERMISSION "Provisioning.ReadWrite.All"
#define PROVISIONING_TOKEN_PREFIX "reeve_scim_"
enum { PROVISIONING_TOKEN_TEXT = sizeof PROVISIONING_TOKEN_PREFIX + 43 }; /* 32 bytes in base64url behind the prefix, and the terminator */

#define PROVISIONING_TOKEN_DEFAULT_US (365 * DAY_US)
#define PROVISIONING_TOKEN_LONGEST_US (1096 * DAY_US) /* three years, as a secret's */

struct provisioning_token {
	struct id token, application;
	const char *display_name, *hint;	    /* hint: prefix and four characters */
	int64_t created_at, expires_at, last_used_at; /* last_used_at 0: never */
};

/* expires_at 0: PROVISIONING_TOKEN_DEFAULT_US from now.  The text is written to ret_text, which nobody stores or logs.  ERR_NOT_FOUND: there
 * is no such application; ERR_CONFLICT: it is no provisioning client, or has 8 tokens; ERR_BAD_REQUEST: the expiry; ERR_FORBIDDEN: the caller
 * lacks a permission of the client's role. */
MUST_CHECK enum err provisioning_token_add(struct scope *s, struct id application, const char *display_name, int64_t expires_at,
					   struct provisioning_token *ret, char ret_text[PROVISIONING_TOKEN_TEXT]);
MUST_CHECK enum err provisioning_token_remove(struct scope *s, struct id application, struct id token);
/* Of one application, oldest first, also expired ones, in the arena. */
MUST_CHECK enum err provisioning_tokens(struct db_tx *tx, struct id application, struct provisioning_token **ret, size_t *ret_n);
/* With the application's secrets, when it is deleted. */
MUST_CHECK enum err provisioning_tokens_drop(struct db_tx *tx, struct id application);

/* Whether the text has the form of such a token, from its prefix on. */
bool provisioning_token_looks(const char *text);

/* Who a token is, now: binds s to the tenant and fills the actor (ip is the caller's) and the tenant's levels.  ERR_UNAUTHENTICATED: unknown,
 * expired or removed, or its client is disabled, deleted, or a provisioning client no more; one detail for all. */
MUST_CHECK enum err provisioning_admit(struct scope *s, const char *token, struct actor *ret, struct tenant_levels *ret_levels);

/* Whether the transaction's actor is an application with provisioning = 1: what it disables or deletes follows another directory. */
MUST_CHECK enum err provisioning_acts(struct db_tx *tx, bool *ret);

/* For the periodic job, in a scope without a tenant: the alarm of every client that has become silent. */
MUST_CHECK enum err provisioning_silent_run(struct scope *s);

#endif
