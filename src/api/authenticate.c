/* SPDX-License-Identifier: Apache-2.0 */
#include "api/authenticate.h"

#include <string.h>
#include <strings.h>

#include "api/sign_in/cookie.h"
#include "api/sign_in/external_token.h"
#include "directory/access/operator_access.h"
#include "directory/provisioning/client.h"

/* A token that this server issued (keeper_token_issue). */
static enum err own_token(struct call *c, const char *token, struct tenant_levels *ret)
{
	struct token_claims claims;
	TRY(keeper_token_verify(c->server->keeper, &c->s, token, &claims));
	c->s.tenant = claims.tenant;
	c->s.has_tenant = true;
	enum err err = tenant_admit(&c->s, &claims, &c->s.actor, ret);
	if (err == ERR_UNAUTHENTICATED && operator_access_admit(&c->s, &claims, &c->s.actor, ret) == OK) {
		c->s.detail = NULL;
		err = OK;
	}
	TRY(err);
	c->s.actor.ip = c->in->client_ip;
	return OK;
}

enum err authenticate(struct call *c, struct tenant_levels *ret)
{
	const char *h = http_header(c->in, "Authorization");
	if (h == NULL)
		return cookie_admit(c, ret);
	if (c->route->access == ACCESS_SCIM && provisioning_token_looks(h)) /* Okta sends it bare where it was typed in so */
		return provisioning_admit(&c->s, h, &c->s.actor, ret);
	if (strncasecmp(h, "Bearer ", strlen("Bearer ")) != 0)
		return scope_fail(&c->s, ERR_UNAUTHENTICATED, "send an access token: 'Authorization: Bearer …'");
	h += strlen("Bearer ");
	h += strspn(h, " ");
	if (*h == '\0')
		return scope_fail(&c->s, ERR_BAD_REQUEST, "the Authorization header holds no token");
	if (provisioning_token_looks(h))
		return provisioning_admit(&c->s, h, &c->s.actor, ret);
	if (external_token_looks(h))
		return external_token_admit(c, h, ret);
	return own_token(c, h, ret);
}
