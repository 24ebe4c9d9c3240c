/* SPDX-License-Identifier: Apache-2.0
 *
 * Who asks: from the credentials of a request to the scope's tenant and actor.  What may be sent is a table of ways (authenticate.c): a token
 * of ours, a provisioning client's, a JWT of an issuer that the tenant trusts, the cookie of a session.  A request that carries an
 * Authorization header is judged by it alone: its cookie is not looked at.
 */
#ifndef REEVE_API_AUTHENTICATE_H
#define REEVE_API_AUTHENTICATE_H

#include "api/api.h"
#include "directory/tenant.h"

/* Fills c->s.tenant and c->s.actor (ip included) and the levels of the tenant.  ERR_UNAUTHENTICATED: nobody, or not any more;
 * ERR_BAD_REQUEST: a header without a token; ERR_UNAVAILABLE: a token's issuer cannot be asked for its keys. */
MUST_CHECK enum err authenticate(struct call *c, struct tenant_levels *ret);

#endif
