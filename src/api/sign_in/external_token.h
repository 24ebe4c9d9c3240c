/* SPDX-License-Identifier: Apache-2.0
 * Access tokens of identity providers: JWTs that this server did not issue (RFC 9068, and Microsoft Entra ID's forms 1.0 and 2.0). */
#ifndef REEVE_API_SIGN_IN_EXTERNAL_TOKEN_H
#define REEVE_API_SIGN_IN_EXTERNAL_TOKEN_H

#include "api/api.h"
#include "directory/tenant.h"

/* Whether the text has the form of a compact JWS that is not ours. */
bool external_token_looks(const char *text);
/* Binds the scope to the tenant that accepts the token and fills the actor and the tenant's levels.  In this order: size, form, typ, algorithm; issuer and
 * audience; key, signature; iss, aud, times; who it is here.  An ID token is never accepted.  ERR_UNAUTHENTICATED: the token; ERR_UNAVAILABLE: its issuer
 * cannot be asked for its keys. */
MUST_CHECK enum err external_token_admit(struct call *c, const char *text, struct tenant_levels *ret);

#endif
