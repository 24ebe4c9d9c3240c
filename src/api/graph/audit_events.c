/* SPDX-License-Identifier: Apache-2.0
 * deviceManagement/auditEvents: reading, and refusing everything else. */
#include <string.h>
#include <strings.h>

#include "api/api.h"
#include "audit/audit_log.h"
#include "audit/audit_read.h"
#include "resource/tables.h"

enum err audit_events_list(struct call *c);
enum err audit_events_count(struct call *c);
enum err audit_events_get(struct call *c);
enum err audit_categories(struct call *c);
enum err audit_activity_types(struct call *c);
enum err audit_events_refuse(struct call *c);
enum err audit_log_checkpoint(struct call *c);
enum err audit_log_verify(struct call *c);

static enum err write_members(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id key, void *arg)
{
	return audit_write_event(tx, w, key, q->version == API_BETA, q->odata.select);
}

static enum err query(struct call *c, struct resource_query *q)
{
	TRY(call_query(c, &RES_AUDIT_EVENT, q));
	q->more = write_members;
	return audit_record_read(&c->s);
}

enum err audit_events_list(struct call *c)
{
	struct resource_query q;
	TRY(query(c, &q));
	return call_list(c, &q);
}

enum err audit_events_count(struct call *c)
{
	struct resource_query q;
	TRY(query(c, &q));
	return call_count(c, &q);
}

enum err audit_events_get(struct call *c)
{
	struct resource_query q;
	struct id event;
	TRY(call_param_id(c, "event", "audit event", &event));
	TRY(query(c, &q));
	return call_get(c, &q, event);
}

/* Intune's sixteen, in its order. */
static const char *const CATEGORIES[] = {
	"Other", "Enrollment", "Compliance", "DeviceConfiguration", "Device", "Application", "EBookManagement", "ConditionalAccess",
	"OnPremiseAccess", "Role", "SoftwareUpdates", "DeviceSetupConfiguration", "DeviceIntent", "DeviceIntentSetting", "DeviceSecurity",
	"GroupPolicyAnalytics",
};

enum err audit_categories(struct call *c)
{
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(c->s.arena, "%s/$metadata#Collection(Edm.String)", call_base_url(c)));
	jw_key(&w, "value");
	jw_array(&w);
	for (size_t i = 0; i < sizeof CATEGORIES / sizeof CATEGORIES[0]; i++)
		jw_string(&w, CATEGORIES[i]);
	jw_end_array(&w);
	jw_end_object(&w);
	return OK;
}

enum err audit_activity_types(struct call *c)
{
	const char *category = call_param(c, "category");
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(c->s.arena, "%s/$metadata#Collection(Edm.String)", call_base_url(c)));
	jw_key(&w, "value");
	jw_array(&w);
	for (int a = ACT_NONE + 1; a < ACT_COUNT; a++) {
		const struct activity_info *info = activity_info((enum activity)a);
		if (strcasecmp(info->category, category) == 0)
			jw_string(&w, info->type);
	}
	jw_end_array(&w);
	jw_end_object(&w);
	return OK;
}

/* The gate records the attempt (AUDIT_TAMPER). */
enum err audit_events_refuse(struct call *c)
{
	http_response_header(c->out, "Allow", "GET");
	return scope_fail(&c->s, ERR_METHOD, "audit events cannot be created, changed or deleted by anybody");
}

enum err audit_log_checkpoint(struct call *c)
{
	char *note;
	TRY(audit_checkpoint(&c->s, &note));
	c->out->content_type = "text/plain; charset=utf-8";
	buf_clear(&c->out->body);
	buf_adds(&c->out->body, note);
	return OK;
}

enum err audit_log_verify(struct call *c)
{
	uint64_t events, leaves;
	TRY(audit_verify_all(&c->s, c->server->host, &events, &leaves));
	const char *origin = audit_origin(c->s.arena, c->server->host, c->s.tenant);
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "origin", origin);
	jw_kstring(&w, "verifierKey", keeper_vkey(c->server->keeper, c->s.arena, origin)); /* to be kept: it judges later checkpoints */
	jw_kint(&w, "size", (int64_t)leaves);
	jw_kint(&w, "events", (int64_t)events);
	jw_kint(&w, "expired", (int64_t)(leaves - events));
	jw_kbool(&w, "verified", true);
	jw_end_object(&w);
	return OK;
}
