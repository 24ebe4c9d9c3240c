/* SPDX-License-Identifier: Apache-2.0
 *
 * What clients look up before they sign in (OpenID Connect Discovery 1.0, RFC 8414), in the places where Microsoft's libraries look.  The key set is
 * empty on purpose: access tokens carry an HMAC that only this server can check, and are for its API alone.
 */
#include <string.h>

#include "api/sign_in/oauth.h"

enum err oauth_configuration(struct call *c);
enum err oauth_keys(struct call *c);
enum err oauth_instance(struct call *c);
enum err oauth_authorize(struct call *c);

static void texts(struct json_writer *w, const char *name, const char *const *list)
{
	jw_key(w, name);
	jw_array(w);
	for (; *list != NULL; list++)
		jw_string(w, *list);
	jw_end_array(w);
}

/* The tenant is not looked up: nobody finds out which there are. */
static enum err read_tenant(struct call *c)
{
	if (!id_parse(call_param(c, "tenant"), &c->s.tenant))
		return scope_fail(&c->s, ERR_NOT_FOUND, "the path must name the tenant by its id");
	return OK;
}

static const char *below(struct call *c, const char *path)
{
	return arena_printf(c->s.arena, "%s%s", oauth_base(c), path);
}

enum err oauth_configuration(struct call *c)
{
	static const char *const grants[] = {"client_credentials", "urn:ietf:params:oauth:grant-type:device_code", "refresh_token", NULL};
	static const char *const methods[] = {"client_secret_basic", "client_secret_post", "private_key_jwt", "none", NULL};
	static const char *const algorithms[] = {"RS256", "PS256", "ES256", NULL}, *const pairwise[] = {"public", NULL}, *const none[] = {NULL};
	static const char *const scopes[] = {"openid", "profile", "offline_access", NULL}, *const hs256[] = {"HS256", NULL};
	TRY(read_tenant(c));
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "issuer", below(c, "/v2.0"));
	jw_kstring(&w, "authorization_endpoint", below(c, "/oauth2/v2.0/authorize")); /* libraries want one; it says that there is none */
	jw_kstring(&w, "token_endpoint", below(c, "/oauth2/v2.0/token"));
	jw_kstring(&w, "device_authorization_endpoint", below(c, "/oauth2/v2.0/devicecode"));
	jw_kstring(&w, "revocation_endpoint", below(c, "/oauth2/v2.0/revoke"));
	jw_kstring(&w, "jwks_uri", below(c, "/discovery/v2.0/keys"));
	texts(&w, "response_types_supported", none);
	texts(&w, "grant_types_supported", grants);
	texts(&w, "subject_types_supported", pairwise);
	texts(&w, "scopes_supported", scopes);
	texts(&w, "id_token_signing_alg_values_supported", hs256);
	texts(&w, "token_endpoint_auth_methods_supported", methods);
	texts(&w, "token_endpoint_auth_signing_alg_values_supported", algorithms);
	jw_end_object(&w);
	http_response_header(c->out, "Cache-Control", "max-age=86400");
	return OK;
}

enum err oauth_keys(struct call *c)
{
	TRY(read_tenant(c));
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_key(&w, "keys");
	jw_array(&w);
	jw_end_array(&w);
	jw_end_object(&w);
	return OK;
}

/* Microsoft's libraries ask here whether an authority is one (api-version 1.1): it is, and stands for itself. */
enum err oauth_instance(struct call *c)
{
	const char *host = c->server->url + strlen("https://");
	const char *const names[] = {host, NULL};
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "tenant_discovery_endpoint", arena_printf(c->s.arena, "%s/common/v2.0/.well-known/openid-configuration", c->server->url));
	jw_kstring(&w, "api-version", "1.1");
	jw_key(&w, "metadata");
	jw_array(&w);
	jw_object(&w);
	jw_kstring(&w, "preferred_network", host);
	jw_kstring(&w, "preferred_cache", host);
	texts(&w, "aliases", names);
	jw_end_object(&w);
	jw_end_array(&w);
	jw_end_object(&w);
	return OK;
}

enum err oauth_authorize(struct call *c)
{
	return oauth_error(c, 400, "unsupported_response_type", "people sign in through programs with a device code here; there is no authorization code");
}
