/* SPDX-License-Identifier: Apache-2.0
 *
 * Kind "email": an e-mail account as an INI file in etc/reeve/email, which mail programs or an organisation's set-up
 * script read. There is no password in it.
 */
#include <string.h>

#include "provision.h"

static enum err add_port(struct agent *a, const json_t *payload, const char *key, struct buf *out)
{
	const json_t *v = json_object_get(payload, key);
	if (v == NULL || json_is_null(v))
		return OK;
	if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > 65535)
		return scope_fail(a->scope, ERR_BAD_REQUEST, "the payload's %s is not a port", key);
	buf_printf(out, "%s=%d\n", key, (int)json_integer_value(v));
	return OK;
}

static enum err plan(struct agent *a, const struct desired *d, struct plan *ret)
{
	static const struct {
		const char *key;
		bool required;
	} lines[] = {{"accountName", true},    {"emailAddress", true},   {"displayName", false},
		     {"userName", false},      {"incomingServer", true}, {"incomingProtocol", false},
		     {"outgoingServer", false}};
	auto_buf out;
	buf_init(&out, 65536);
	buf_adds(&out, "[account]\n");
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		const char *value;
		TRY(payload_line(a, d->payload, lines[i].key, lines[i].required, &value));
		if (value != NULL)
			buf_printf(&out, "%s=%s\n", lines[i].key, value);
	}
	TRY(add_port(a, d->payload, "incomingPort", &out));
	TRY(add_port(a, d->payload, "outgoingPort", &out));
	check(!out.failed);
	plan_one_file(a, ret, arena_printf(a->scope->arena, "etc/reeve/email/%s.conf", d->id),
		      arena_strndup(a->scope->arena, out.data, out.len), out.len, 0644);
	return OK;
}

const struct kind kind_email = {.name = "email", .plan = plan};
