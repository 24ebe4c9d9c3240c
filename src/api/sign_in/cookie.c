/* SPDX-License-Identifier: Apache-2.0 */
#include "api/sign_in/cookie.h"

#include <string.h>

#include "api/public/page.h"
#include "audit/audit_read.h"
#include "codec/cookie.h"
#include "directory/sign_in/session.h"

#define NAME "__Host-reeve"
#define FLAGS "; Path=/; Secure; HttpOnly; SameSite=Lax"

const char *cookie_value(struct call *c)
{
	return cookie_find(c->s.arena, http_header(c->in, "Cookie"), NAME);
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
