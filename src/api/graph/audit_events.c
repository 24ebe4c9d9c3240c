/* SPDX-License-Identifier: Apache-2.0
 * deviceManagement/auditEvents: reading, and refusing everything else. */
#include <string.h>
#include <strings.h>

#include "api/api.h"
#include "audit/audit_read.h"
#include "audit/log/log.h"
#include "audit/log/proof.h"
#include "resource/tables.h"

enum err audit_events_list(struct call *c);
enum err audit_events_get(struct call *c);
enum err audit_categories(struct call *c);
enum err audit_activity_types(struct call *c);
enum err audit_events_refuse(struct call *c);
enum err audit_events_proof(struct call *c);
enum err audit_log_checkpoint(struct call *c);
enum err audit_log_verify(struct call *c);

static enum err write_members(struct scope *s, struct json_writer *w, const struct resource_query *q, const char *p, size_t n)
{
	return audit_write_event(s, w, p, n, q->version == API_BETA, q->odata.select);
}

static enum err query(struct call *c, struct resource_query *q)
{
	TRY(call_query(c, &RES_AUDIT_EVENT, q));
	q->content = write_members;
	return audit_record_read(&c->s);
}

enum err audit_events_list(struct call *c)
{
	struct resource_query q;
	TRY(query(c, &q));
	return call_list(c, &q);
}

enum err audit_events_get(struct call *c)
{
	struct resource_query q;
	struct id event;
	TRY(call_param_id(c, "event", "audit event", &event));
	TRY(query(c, &q));
	return call_get(c, &q, event);
}

/* ---- functions ---- */

static const char *const CATEGORIES[] = {
#define AUDIT_CATEGORY(name) name,
#include "audit/categories.def"
#undef AUDIT_CATEGORY
};

/* A collection of strings with the options that the SDKs' templates have and that mean something here. */
static enum err write_strings(struct call *c, const char *const *list, size_t n)
{
	struct odata_query o;
	TRY(odata_parse(&c->s, c->in->query, &o));
	if (o.filter != NULL || o.search != NULL || o.order != NULL || o.select != NULL || o.expand != NULL || o.skiptoken != NULL)
		return scope_fail(&c->s, ERR_NOT_IMPLEMENTED, "a list of names takes $top, $skip and $count only");
	size_t from = o.skip > 0 ? (size_t)o.skip : 0, most = o.top >= 0 ? (size_t)o.top : n;
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(c->s.arena, "%s/$metadata#Collection(Edm.String)", call_base_url(c)));
	if (o.count)
		jw_kint(&w, "@odata.count", (int64_t)n);
	jw_key(&w, "value");
	jw_array(&w);
	for (size_t i = from; i < n && i - from < most; i++)
		jw_string(&w, list[i]);
	jw_end_array(&w);
	jw_end_object(&w);
	return OK;
}

enum err audit_categories(struct call *c)
{
	return write_strings(c, CATEGORIES, sizeof CATEGORIES / sizeof CATEGORIES[0]);
}

/* As in Intune a category that is none has no types. */
enum err audit_activity_types(struct call *c)
{
	const char *category = call_param(c, "category"), *types[ACT_COUNT];
	size_t n = 0;
	for (int a = ACT_NONE + 1; a < ACT_COUNT; a++) {
		const struct activity_info *info = activity_info((enum activity)a);
		if (strcasecmp(info->category, category) == 0)
			types[n++] = info->type;
	}
	return write_strings(c, types, n);
}

enum err audit_events_proof(struct call *c)
{
	char *proof;
	struct id event;
	TRY(call_param_id(c, "event", "audit event", &event));
	TRY(audit_record_read(&c->s)); /* a proof holds the event's salt */
	TRY(audit_proof(&c->s, event, &proof));
	c->out->content_type = "text/plain; charset=utf-8";
	buf_clear(&c->out->body);
	buf_adds(&c->out->body, proof);
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
	struct audit_head_info head;
	enum err e = audit_head(&c->s, &head);
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	const char *origin = audit_origin_of(c->s.arena, c->server->host, c->s.tenant, head.generation);
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
