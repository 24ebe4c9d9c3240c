/* SPDX-License-Identifier: Apache-2.0 */
#include "api/graph/credential.h"

#include "base/clock.h"

enum err credential_application(struct call *c, struct id *ret)
{
	TRY(call_param_id(c, "application", "application", ret));
	c->s.subject = *ret;
	return OK;
}

enum err credential_asked(struct call *c, const char *member, const char *const *members, const char **ret_name, int64_t *ret_end)
{
	const char *const outer[] = {member, NULL};
	json_t *body;
	const char *end;
	TRY(call_body(c, false, &body));
	TRY(call_only(c, body, outer));
	const json_t *asked = json_object_get(body, member);
	*ret_name = NULL;
	*ret_end = 0;
	if (asked == NULL || json_is_null(asked))
		return OK;
	if (!json_is_object(asked))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'%s' must be an object", member);
	TRY(call_only(c, asked, members));
	TRY(call_string(c, asked, "displayName", false, ret_name));
	TRY(call_string(c, asked, "endDateTime", false, &end));
	if (end != NULL && !time_parse(end, ret_end))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'endDateTime' must be a time such as 2027-01-31T00:00:00Z");
	return OK;
}

enum err credential_named(struct call *c, const char *const *allowed, const char *what, struct id *ret)
{
	json_t *body;
	const char *key;
	TRY(call_body(c, true, &body));
	TRY(call_only(c, body, allowed));
	TRY(call_string(c, body, "keyId", true, &key));
	if (!id_parse(key, ret))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'keyId' must be the id of a %s", what);
	return OK;
}
