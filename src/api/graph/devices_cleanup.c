/* SPDX-License-Identifier: Apache-2.0
 * deviceManagement/managedDeviceCleanupRules, and the older singleton managedDeviceCleanupSettings, which is the rule for all platforms. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "devices/cleanup.h"
#include "resource/tables.h"

enum err cleanup_rules_list(struct call *c);
enum err cleanup_rules_create(struct call *c);
enum err cleanup_rules_get(struct call *c);
enum err cleanup_rules_patch(struct call *c);
enum err cleanup_rules_delete(struct call *c);
enum err cleanup_settings_get(struct call *c);
enum err cleanup_settings_patch(struct call *c);

static enum err rule_param(struct call *c, struct id *ret)
{
	TRY(call_param_id(c, "rule", "cleanup rule", ret));
	c->s.subject = *ret;
	return OK;
}

static enum err answer(struct call *c, struct id rule)
{
	struct resource_query q;
	TRY(call_query(c, &RES_DEVICE_CLEANUP_RULE, &q));
	return call_get(c, &q, rule);
}

static enum err read_record(struct call *c, enum record_mode mode, struct record **ret)
{
	json_t *body;
	TRY(call_body(c, true, &body));
	return record_parse(&c->s, &RES_DEVICE_CLEANUP_RULE, body, mode, c->version, NULL, ret);
}

enum err cleanup_rules_list(struct call *c)
{
	struct resource_query q;
	TRY(call_query(c, &RES_DEVICE_CLEANUP_RULE, &q));
	return call_list(c, &q);
}

enum err cleanup_rules_create(struct call *c)
{
	struct record *r;
	struct id rule;
	TRY(read_record(c, RECORD_CREATE, &r));
	TRY(cleanup_rule_create(&c->s, r, &rule));
	return call_created(c, &RES_DEVICE_CLEANUP_RULE, rule);
}

enum err cleanup_rules_get(struct call *c)
{
	struct id rule;
	TRY(rule_param(c, &rule));
	return answer(c, rule);
}

enum err cleanup_rules_patch(struct call *c)
{
	struct record *r;
	struct id rule;
	TRY(rule_param(c, &rule));
	TRY(read_record(c, RECORD_PATCH, &r));
	TRY(cleanup_rule_patch(&c->s, rule, r));
	return answer(c, rule);
}

enum err cleanup_rules_delete(struct call *c)
{
	struct id rule;
	TRY(rule_param(c, &rule));
	TRY(cleanup_rule_delete(&c->s, rule));
	return call_status(c, 204);
}

/* ---- the singleton ---- */

/* Graph's type is a string. */
enum err cleanup_settings_get(struct call *c)
{
	int64_t days;
	TRY(cleanup_days(&c->s, &days));
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(c->s.arena, "%s/$metadata#deviceManagement/managedDeviceCleanupSettings", call_base_url(c)));
	jw_kstring(&w, "deviceInactivityBeforeRetirementInDays", days == 0 ? NULL : arena_printf(c->s.arena, "%lld", (long long)days));
	jw_end_object(&w);
	return OK;
}

/* A number or its text; null, "" and 0 end it.  -1: neither. */
static int64_t days_of(const json_t *v)
{
	if (json_is_integer(v))
		return json_integer_value(v);
	if (json_is_null(v))
		return 0;
	const char *text = json_string_value(v);
	if (text == NULL || strlen(text) > 4 || strspn(text, "0123456789") != strlen(text))
		return -1;
	return *text == '\0' ? 0 : strtol(text, NULL, 10);
}

enum err cleanup_settings_patch(struct call *c)
{
	static const char *const allowed[] = {"deviceInactivityBeforeRetirementInDays", NULL};
	json_t *body;
	TRY(call_body(c, true, &body));
	TRY(call_only(c, body, allowed));
	const json_t *v = json_object_get(body, allowed[0]);
	if (v != NULL)
		TRY(cleanup_set_days(&c->s, days_of(v)));
	return cleanup_settings_get(c);
}
