/* SPDX-License-Identifier: Apache-2.0
 *
 * The cookie of a browser's session: "__Host-reeve" (RFC 6265bis: Secure, no Domain, Path=/), HttpOnly, SameSite=Lax, for as long as the browser
 * runs; its value is session_cookie()'s.  With it every method but GET must show that one of our own pages sent the request: its Origin (or
 * Sec-Fetch-Site) and the session's CSRF token, in the header X-Reeve-CSRF or, of a form, in the field "csrf".
 */
#ifndef REEVE_API_SIGN_IN_COOKIE_H
#define REEVE_API_SIGN_IN_COOKIE_H

#include "api/api.h"
#include "directory/tenant.h"

#define CSRF_FIELD "csrf"

/* The request's session cookie, in the arena; NULL: it has none, or two of them. */
const char *cookie_value(struct call *c);
void cookie_set(struct call *c, struct id tenant, const char *secret);
void cookie_clear(struct call *c);

/* For ACCESS_BEARER: session_admit() and, where the route changes something, the two checks.  ERR_UNAUTHENTICATED; ERR_FORBIDDEN where a check
 * fails. */
MUST_CHECK enum err cookie_admit(struct call *c, struct tenant_levels *ret_levels);

#endif
