/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose account here belongs to whom at an identity provider: rows of user_identities, (provider, subject) -> user.  Bound once, by the
 * administrator or at the first sign-in where the directory says that it is the same person; never by mail address or preferred_username, which
 * others can change.
 */
#ifndef REEVE_DIRECTORY_SIGN_IN_IDENTITY_H
#define REEVE_DIRECTORY_SIGN_IN_IDENTITY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"
#include "directory/sign_in/provider.h"

enum {
	IDENTITY_SUBJECT_MAX = 255, /* of sub: OpenID Connect Core, section 2 */
	IDENTITY_VALUES_MAX = 1000, /* of the role claim that are looked at */
};

/* Who these claims (of a verified token of the provider) are about, as user_identities has it: sub, or "<tid>/<oid>" of Entra; NULL: they do not
 * say, or the text is too long or no text.  In the arena. */
char *identity_subject(struct arena *a, const struct provider *p, const json_t *claims);

/* What the provisioned externalId is compared with: sub, or oid of Entra.  NULL: they do not say. */
const char *identity_external_id(struct arena *a, const struct provider *p, const json_t *claims);
/* The userPrincipalName that the provider vouches for: upn of Entra, of any other email where email_verified is true.  NULL: it vouches for none. */
const char *identity_upn(const struct provider *p, const json_t *claims);

/* The values of the role claim, a path such as "roles" or "realm_access.roles" (a member that has the whole path as its name wins): strings of an array, or
 * one string, duplicates included, at most IDENTITY_VALUES_MAX.  In the arena, valid as long as the claims. */
size_t identity_values(struct arena *a, const json_t *claims, const char *path, const char ***ret);
/* Whether Entra left the groups out of the token because there are too many (_claim_names, hasgroups). */
bool identity_overage(const json_t *claims, const char *path);

/* The visible user that these claims are bound to.  ERR_NOT_FOUND: nobody. */
MUST_CHECK enum err identity_user(struct db_tx *tx, const struct provider *p, const json_t *claims, struct id *ret);
/* The same, and at the first sign-in binds them, with an event, to the user whose externalId is sub or oid (p->match_external_id), or whose
 * userPrincipalName the provider has verified (p->match_upn), if that one has no identity at this provider yet, and holds nothing that only its holders
 * hand on (access/rule.h): such a person is bound by one of those.  ERR_NOT_FOUND: nobody. */
MUST_CHECK enum err identity_sign_in(struct db_tx *tx, const struct provider *p, const json_t *claims, struct id *ret);
/* Before a person gets another userPrincipalName or externalId: whoever has that name at a provider which matches by it becomes them at the first
 * sign-in, so the caller holds all that the person holds (access/rule.h), unless they are bound at each such provider already.  ERR_FORBIDDEN. */
MUST_CHECK enum err identity_may_rename(struct db_tx *tx, struct id user);
/* Makes the roles that the user holds through this provider those that the mappings give for these claims, with an event for each difference. */
MUST_CHECK enum err identity_roles(struct db_tx *tx, const struct provider *p, const json_t *claims, struct id user);

/* By an administrator: subject as identity_subject() has it.  ERR_EXISTS: somebody is bound to it, or the user to another; ERR_NOT_FOUND;
 * ERR_FORBIDDEN: the user may do what the caller may not (whoever owns the other account becomes them). */
MUST_CHECK enum err identity_bind(struct scope *s, struct id user, struct id provider, const char *subject, struct id *ret);
/* Ends the sessions that the provider began for the user. */
MUST_CHECK enum err identity_unbind(struct scope *s, struct id user, struct id identity);

#endif
