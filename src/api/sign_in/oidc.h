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

/* The tenant's enabled providers, for its sign-in page.  The scope is bound to it. */
struct oidc_way {
	const char *display_name, *path; /* of a link */
};
MUST_CHECK enum err oidc_ways(struct call *c, struct oidc_way **ret, size_t *ret_n);

/* Where the browser goes when a session that this provider began has ended here, so that it ends there, too; NULL: nowhere, or the provider cannot be
 * asked.  session: the one that ended.  The page that sends it there must not answer a form with a redirect: its policy lets forms go nowhere else. */
const char *oidc_sign_out_address(struct call *c, struct id provider, struct id session);

#endif
