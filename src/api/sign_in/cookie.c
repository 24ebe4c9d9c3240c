/* SPDX-License-Identifier: Apache-2.0 */
#include "api/sign_in/cookie.h"

#include <string.h>

#include "api/public/page.h"
#include "audit/audit_read.h"
#include "directory/sign_in/session.h"

#define NAME "__Host-reeve"
#define FLAGS "; Path=/; Secure; HttpOnly; SameSite=Lax"

enum { COOKIES_MAX = 8192 };

/* RFC 6265, section 4.2: pairs separated by "; ".  Two of our name are none: whoever set the other one did not mean well. */
const char *cookie_value(struct call *c)
{
	const char *h = http_header(c->in, "Cookie"), *found = NULL;
	if (h == NULL || strnlen(h, COOKIES_MAX + 1) > COOKIES_MAX)
		return NULL;
	for (const char *p = h; *p != '\0';) {
		p += strspn(p, "; ");
		size_t n = strcspn(p, ";");
		if (n > sizeof NAME && strncmp(p, NAME "=", sizeof NAME) == 0) {
			if (found != NULL)
				return NULL;
			found = arena_strndup(c->s.arena, p + sizeof NAME, n - sizeof NAME);
		}
		p += n;
	}
	return found;
}

void cookie_set(struct call *c, struct id tenant, const char *secret)
{
	char value[SESSION_COOKIE_TEXT];
	session_cookie(tenant, secret, value);
	http_response_header(c->out, "Set-Cookie", arena_printf(c->s.arena, NAME "=%s" FLAGS, value));
}

void cookie_clear(struct call *c)
{
	http_response_header(c->out, "Set-Cookie", NAME "=" FLAGS "; Max-Age=0");
}

enum err cookie_admit(struct call *c, struct tenant_levels *ret_levels)
{
	const char *value = cookie_value(c);
	if (value == NULL)
		return scope_fail(&c->s, ERR_UNAUTHENTICATED, "send an access token: 'Authorization: Bearer …'");
	TRY(session_admit(&c->s, value, &c->s.actor, ret_levels));
	c->s.actor.ip = c->in->client_ip;
	if (strcmp(c->route->method, "GET") == 0)
		return OK;
	if (page_same_origin(c) && session_csrf_holds(&c->s, c->s.actor.session, http_header(c->in, "X-Reeve-CSRF")))
		return OK;
	c->refusal_told = !audit_first_in_minute(&c->s, ACT_REQUEST_REFUSED, c->s.actor.session);
	return scope_fail(&c->s, ERR_FORBIDDEN, "a change by a browser's session needs the header X-Reeve-CSRF of one of this server's own pages");
}
