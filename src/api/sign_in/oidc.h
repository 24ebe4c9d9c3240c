/* SPDX-License-Identifier: Apache-2.0
 *
 * Single sign-on: OpenID Connect's code flow with PKCE (OpenID Connect Core 1.0 section 3.1, RFC 7636, RFC 9207, RFC 9700), sign-out at the provider
 * (RP-Initiated Logout 1.0) and by it (Back-Channel Logout 1.0).  Each provider has redirect addresses of its own: what one provider answers can
 * never be taken for another's.
 *
 *   GET  /signin/{tenant}/oidc/{provider}            to the provider; ?max_age=SECONDS: the person proves who they are, unless they did so just now
 *   GET  /signin/{tenant}/oidc/{provider}/callback   back from it, with a code
 *   POST /signin/{tenant}/oidc/{provider}/logout     its logout tokens
 */
#ifndef REEVE_API_SIGN_IN_OIDC_H
#define REEVE_API_SIGN_IN_OIDC_H

#include "api/api.h"

/* "https://host/signin/<tenant>/oidc/<provider>" and the suffix, in the arena. */
char *oidc_address(struct call *c, struct id tenant, struct id provider, const char *suffix);

/* The provider that began the session of the scope's actor; nil: none. */
struct id oidc_provider_of_session(struct call *c);
/* After that session has ended here: a page from which the browser goes on to the provider, so that it ends there, too.  (No redirect: the policy of our
 * pages lets the answer to a form go nowhere else.)  False: the provider is nil or has no such address, and nothing was answered. */
bool oidc_signed_out(struct call *c, struct id provider);

#endif
