/* SPDX-License-Identifier: Apache-2.0
 * deviceManagement/ownershipChanges: what a change of managedDeviceOwnerType opened.  Reeve's own. */
#include <strings.h>

#include "api/api.h"
#include "devices/ownership.h"
#include "resource/tables.h"

enum err ownership_changes_list(struct call *c);
enum err ownership_changes_get(struct call *c);
enum err ownership_changes_approve(struct call *c);
enum err ownership_changes_refuse(struct call *c);

static enum err change_param(struct call *c, struct id *ret)
{
	TRY(call_param_id(c, "change", "change of ownership", ret));
	c->s.subject = *ret;
	return OK;
}

static enum err answer(struct call *c, struct id change)
{
	struct resource_query q;
	TRY(call_query(c, &RES_OWNERSHIP_CHANGE, &q));
	return call_get(c, &q, change);
}

enum err ownership_changes_list(struct call *c)
{
	struct resource_query q;
	TRY(call_query(c, &RES_OWNERSHIP_CHANGE, &q));
	return call_list(c, &q);
}

enum err ownership_changes_get(struct call *c)
{
	struct id change;
	TRY(change_param(c, &change));
	return answer(c, change);
}

enum err ownership_changes_approve(struct call *c)
{
	static const char *const allowed[] = {"ground", "evidence", NULL};
	const char *ground, *evidence;
	struct id change;
	json_t *body;
	TRY(change_param(c, &change));
	TRY(call_body(c, false, &body));
	TRY(call_only(c, body, allowed));
	TRY(call_string(c, body, "ground", false, &ground));
	TRY(call_string(c, body, "evidence", false, &evidence));
	if (ground == NULL)
		ground = OWNERSHIP_SECOND_PERSON;
	if (strcasecmp(ground, OWNERSHIP_SECOND_PERSON) != 0 && strcasecmp(ground, OWNERSHIP_CONSENT) != 0)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'ground' is secondPerson or consent");
	bool consent = strcasecmp(ground, OWNERSHIP_CONSENT) == 0;
	TRY(ownership_approve(&c->s, change, consent ? OWNERSHIP_CONSENT : OWNERSHIP_SECOND_PERSON, evidence));
	return answer(c, change);
}

enum err ownership_changes_refuse(struct call *c)
{
	static const char *const none[] = {NULL};
	struct id change;
	json_t *body;
	TRY(change_param(c, &change));
	TRY(call_body(c, false, &body));
	TRY(call_only(c, body, none));
	TRY(ownership_refuse(&c->s, change));
	return answer(c, change);
}
