/* SPDX-License-Identifier: Apache-2.0
 * deviceManagement/enrollmentTokens: Reeve's own; Graph has no enrolment of Linux devices by token. */
#include <string.h>
#include <strings.h>

#include "api/api.h"
#include "devices/device.h"
#include "devices/enrollment_token.h"
#include "directory/user.h"
#include "resource/tables.h"

enum err enrollment_tokens_list(struct call *c);
enum err enrollment_tokens_get(struct call *c);
enum err enrollment_tokens_create(struct call *c);
enum err enrollment_tokens_delete(struct call *c);

enum err enrollment_tokens_list(struct call *c)
{
	struct resource_query q;
	TRY(call_query(c, &RES_ENROLLMENT_TOKEN, &q));
	return call_list(c, &q);
}

enum err enrollment_tokens_get(struct call *c)
{
	struct resource_query q;
	struct id token;
	TRY(call_param_id(c, "token", "enrolment token", &token));
	TRY(call_query(c, &RES_ENROLLMENT_TOKEN, &q));
	return call_get(c, &q, token);
}

enum err enrollment_tokens_delete(struct call *c)
{
	struct id token;
	TRY(call_param_id(c, "token", "enrolment token", &token));
	TRY(enrollment_token_delete(&c->s, token));
	return call_status(c, 204);
}

/* ownerType is short for managedDeviceOwnerType; userId and userPrincipalName both name a person either way. */
static enum err read_body(struct call *c, const char **ret_user, bool *ret_company, int64_t *ret_hours)
{
	static const char *const allowed[] = {
		"userId", "userPrincipalName", "ownerType", "managedDeviceOwnerType", "expiresInHours", NULL};
	const char *id, *upn, *owner, *long_owner;
	json_t *body;
	TRY(call_body(c, true, &body));
	TRY(call_only(c, body, allowed));
	TRY(call_string(c, body, "userId", false, &id));
	TRY(call_string(c, body, "userPrincipalName", false, &upn));
	TRY(call_string(c, body, "ownerType", false, &owner));
	TRY(call_string(c, body, "managedDeviceOwnerType", false, &long_owner));
	if ((id == NULL) == (upn == NULL))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "one of userId and userPrincipalName is required");
	if (owner == NULL)
		owner = long_owner;
	if (owner == NULL || (strcasecmp(owner, OWNER_PERSONAL) != 0 && strcasecmp(owner, OWNER_COMPANY) != 0))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "ownerType is personal or company");
	const json_t *hours = json_object_get(body, "expiresInHours");
	if (hours != NULL && (!json_is_integer(hours) || json_integer_value(hours) < 1))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "expiresInHours is a whole number of hours");
	*ret_user = id != NULL ? id : upn;
	*ret_company = strcasecmp(owner, OWNER_COMPANY) == 0;
	*ret_hours = json_integer_value(hours);
	return OK;
}

enum err enrollment_tokens_create(struct call *c)
{
	struct enrollment_token t;
	const char *who = NULL;
	struct id user;
	bool company = false;
	int64_t hours = 0;
	char text[ID_TEXT];
	TRY(read_body(c, &who, &company, &hours));
	TRY(user_resolve(&c->s, who, &user));
	TRY(enrollment_token_create(&c->s, user, company, hours, &t));
	const char *base = call_base_url(c), *context = RES_ENROLLMENT_TOKEN.context;
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(c->s.arena, "%s/$metadata#%s/$entity", base, context));
	jw_kid(&w, "id", t.token);
	jw_kstring(&w, "token", t.text); /* shown here and never again */
	jw_kid(&w, "userId", t.user);
	jw_kstring(&w, "managedDeviceOwnerType", t.company ? OWNER_COMPANY : OWNER_PERSONAL);
	jw_ktime(&w, "createdDateTime", t.created_at);
	jw_ktime(&w, "expirationDateTime", t.expires_at);
	jw_kstring(&w, "deviceUrl", c->server->device_url);
	jw_end_object(&w);
	http_response_header(c->out, "Location",
			     arena_printf(c->s.arena, "%s/%s/%s", base, context, id_format(t.token, text)));
	c->out->status = 201;
	return OK;
}
