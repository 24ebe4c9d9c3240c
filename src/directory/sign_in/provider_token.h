/* SPDX-License-Identifier: Apache-2.0
 *
 * Access tokens of identity providers at the API: whose they may be, and who they stand for here.  A provider whose apiAudiences are set lets them in.
 *
 * A token names no tenant of ours.  Its issuer and audience do: where two tenants accept the same pair it is refused, for the one must not be taken
 * for the other.  Of one tenant a provider with this very issuer comes first; where none of them accepts it, those of Microsoft Entra ID that accept the
 * token's tid (its v1 form has an issuer of its own, and common and organizations stand for many).
 */
#ifndef REEVE_DIRECTORY_SIGN_IN_PROVIDER_TOKEN_H
#define REEVE_DIRECTORY_SIGN_IN_PROVIDER_TOKEN_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "directory/sign_in/provider.h"
#include "directory/tenant.h"

/* What Microsoft Entra ID calls itself in access tokens of the form 1.0, whatever its discovery document says. */
#define PROVIDER_ENTRA_V1 "https://sts.windows.net/{tenantid}/"

/* The provider that would accept these claims (not yet verified) by iss, tid and aud; binds the scope, which has no tenant yet, to its tenant.
 * ERR_UNAUTHENTICATED: none does, or those of more than one tenant. */
MUST_CHECK enum err provider_of_token(struct scope *s, const json_t *claims, struct provider *ret);

/* Whether verified claims are those of a program that acts for itself (idtyp "app"; of Entra no scp; RFC 9068, section 2.2: sub is the client). */
bool provider_token_is_app(const struct provider *p, const json_t *claims);

/* Who verified claims of the provider stand for, now.
 *   app-only: the enabled application whose externalIssuer and externalClientId are the provider's issuer and azp (appid, client_id); its role decides.
 *   delegated: the person who is bound to them (identity.h), with what both their roles and scp (scope) allow.
 * ERR_UNAUTHENTICATED with a detail that is for the tenant's log as well. */
MUST_CHECK enum err provider_token_actor(struct scope *s, const struct provider *p, const json_t *claims, struct actor *ret,
					 struct tenant_levels *ret_levels);

#endif
