/* SPDX-License-Identifier: Apache-2.0
 *
 * `leave`: a person takes their own device out of management, without any administrator.  A company device is refused
 * by the server.
 */
#include <stdio.h>

#include "channel.h"
#include "cmd.h"
#include "sync.h"

static enum err ask_server(struct agent *a, const struct device *d)
{
	auto_buf body;
	auto_json *answer = NULL;
	struct id id;
	char text[ID_TEXT];
	buf_init(&body, 16);
	buf_adds(&body, "{}");
	struct endpoint to = channel_endpoint(a, d->url);
	enum err e = channel_post(a, &to, "/linux/leave", &body, &answer);
	if (e == ERR_FORBIDDEN) {
		agent_forgive(a);
		return scope_fail(
			a->scope, e,
			"this is a company device: it is returned to the organisation, whose administrator retires it");
	}
	TRY(e);
	if (!id_parse(json_string_value(json_object_get(answer, "actionId")), &id))
		return scope_fail(a->scope, ERR_BAD_REQUEST, "the server's answer has no actionId");
	return action_begin(a, d, id_format(id, text), "retire");
}

static enum err leave(struct agent *a, struct outcome *out, struct action *act, bool *ret_gone)
{
	struct device d = {0};
	TRY(state_open(a));
	enum err e = action_load(a, act);
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	if (e == ERR_NOT_FOUND || act->phase != ACTION_REPORTED) {
		TRY(device_load(a, &d));
		TRY(state_credentials(a));
	}
	if (e == ERR_NOT_FOUND)
		TRY(ask_server(a, &d));
	return action_finish(a, &d, act, out, ret_gone);
}

int cmd_leave(struct agent *a, const struct options *o)
{
	struct outcome out = {0};
	struct action act = {0};
	bool gone = false;
	(void)o;
	enum err e = leave(a, &out, &act, &gone);
	state_close(a);
	if (e == OK && !gone)
		e = scope_fail(a->scope, ERR_CONFLICT, "not left: %s",
			       act.error != NULL ? act.error : "the server has other plans");
	if (e != OK)
		return complain(a, e);
	printf("left: %d of the organisation's items taken back; this device is no longer managed\n", out.taken_back);
	return 0;
}
