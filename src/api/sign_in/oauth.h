/* SPDX-License-Identifier: Apache-2.0
 *
 * This server as an authorization server (RFC 6749) for programs (client credentials: a secret or a signed assertion) and for people through programs
 * (device code, RFC 8628; refresh tokens), at /{tenant}/oauth2/v2.0/…, in the shapes that Microsoft's libraries expect.  Its access tokens are for its own
 * API alone and opaque to everybody else.
 *
 * Errors have OAuth's form, not Graph's (ACCESS_OAUTH): the handlers write those that OAuth has a word for themselves and return OK.
 */
#ifndef REEVE_API_SIGN_IN_OAUTH_H
#define REEVE_API_SIGN_IN_OAUTH_H

#include "api/api.h"
#include "directory/sign_in/device_code.h"

/* What a request's form and its Authorization header say; NULL where they do not. */
struct oauth_form {
	const char *grant_type, *client_id, *client_secret, *client_assertion, *client_assertion_type;
	const char *scope, *device_code, *refresh_token, *token;
	bool basic; /* the client came in the header */
};

/* Reads it and binds the scope to the path's tenant, by its id.  NULL, or what is wrong (invalid_request). */
const char *oauth_read(struct call *c, struct oauth_form *f);
/* The answer to a refused request; description: words of ours.  Returns OK. */
enum err oauth_error(struct call *c, int status, const char *error, const char *description);
/* The same for who did nothing wrong and is early: it is not counted as a refusal. */
enum err oauth_wait(struct call *c, int status, const char *error, const char *description);
/* error and error_description; and the word for what the gate or the listener refuses (RFC 6749, sections 4.1.2.1 and 5.2). */
void oauth_error_body(struct buf *out, const char *error, const char *description);
const char *oauth_error_code(enum err err, int status);
/* Only these are known of a person's grant: what ends in .default, openid, profile, email, offline_access. */
bool oauth_scope_known(const char *scope);
bool oauth_scope_has(const char *scope, const char *word);

/* "https://host:port/<tenant>", of the scope's tenant. */
const char *oauth_base(struct call *c);

/* Grants of a person's (oauth_person.c). */
MUST_CHECK enum err oauth_grant_device_code(struct call *c, const struct oauth_form *f);
MUST_CHECK enum err oauth_grant_refresh(struct call *c, const struct oauth_form *f);

#endif
