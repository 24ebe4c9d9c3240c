/* SPDX-License-Identifier: Apache-2.0
 * deviceManagement/auditSinks: where audit events are sent.  Reeve's own; Intune has diagnostic settings in its portal. */
#include "api/api.h"
#include "audit/out/sink.h"
#include "directory/sink.h"
#include "http/reach.h"
#include "resource/tables.h"

enum err audit_sinks_list(struct call *c);
enum err audit_sinks_create(struct call *c);
enum err audit_sinks_get(struct call *c);
enum err audit_sinks_patch(struct call *c);
enum err audit_sinks_delete(struct call *c);

static enum err sink_param(struct call *c, struct id *ret)
{
	TRY(call_param_id(c, "sink", "audit sink", ret));
	c->s.subject = *ret;
	return OK;
}

static enum err write_more(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id key, void *arg)
{
	uint64_t events;
	int64_t seconds;
	if (!resource_selected(q, "lagEvents") && !resource_selected(q, "lagSeconds"))
		return OK;
	TRY(audit_sink_lag(tx, key, &events, &seconds));
	if (resource_selected(q, "lagEvents"))
		jw_kint(w, "lagEvents", (int64_t)events);
	if (resource_selected(q, "lagSeconds"))
		jw_kint(w, "lagSeconds", seconds);
	return OK;
}

enum err audit_sinks_list(struct call *c)
{
	struct resource_query q;
	TRY(call_query(c, &RES_AUDIT_SINK, &q));
	q.more = write_more;
	return call_list(c, &q);
}

static enum err answer(struct call *c, struct id sink)
{
	struct resource_query q;
	TRY(call_query(c, &RES_AUDIT_SINK, &q));
	q.more = write_more;
	return call_get(c, &q, sink);
}

enum err audit_sinks_get(struct call *c)
{
	struct id sink;
	TRY(sink_param(c, &sink));
	return answer(c, sink);
}

/* ---- changes ---- */

static bool may_reach(const void *reach, const char *host)
{
	return reach_may_allow(reach, host);
}

static enum err read_start(struct call *c, const json_t *body, struct sink_request *q)
{
	const json_t *index = json_object_get(body, "startIndex"), *beginning = json_object_get(body, "fromBeginning");
	if (index != NULL && !json_is_null(index) && (!json_is_integer(index) || json_integer_value(index) < 0))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'startIndex' must be a whole number that is not negative");
	if (beginning != NULL && !json_is_null(beginning) && !json_is_boolean(beginning))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'fromBeginning' must be true or false");
	q->start_index = json_is_integer(index) ? json_integer_value(index) : -1;
	q->from_beginning = json_is_true(beginning);
	return OK;
}

static enum err read_request(struct call *c, enum record_mode mode, struct sink_request *q)
{
	static const char *const at_creation[] = {"secret", "startIndex", "fromBeginning", NULL};
	json_t *body;
	struct record *r;
	TRY(call_body(c, true, &body));
	TRY(record_parse(&c->s, &RES_AUDIT_SINK, body, mode, c->version, mode == RECORD_CREATE ? at_creation : (const char *const[]){"secret", NULL},
			 &r));
	*q = (struct sink_request){.start_index = -1, .may_reach = may_reach, .arg = c->server->reach};
	TRY(call_string(c, body, "secret", false, &q->secret));
	if (mode == RECORD_CREATE) {
		TRY(read_start(c, body, q));
		if (!record_has(r, "format"))
			record_set_text(r, "format", "ndjson");
		if (!record_has(r, "enabled"))
			record_set_int(r, "enabled", 1);
	}
	q->r = r;
	return OK;
}

enum err audit_sinks_create(struct call *c)
{
	struct sink_request q;
	struct id sink;
	char text[ID_TEXT];
	TRY(read_request(c, RECORD_CREATE, &q));
	TRY(sink_create(&c->s, &q, &sink));
	TRY(answer(c, sink));
	http_response_header(c->out, "Location",
			     arena_printf(c->s.arena, "%s/%s/%s", call_base_url(c), RES_AUDIT_SINK.context, id_format(sink, text)));
	c->out->status = 201;
	return OK;
}

enum err audit_sinks_patch(struct call *c)
{
	struct sink_request q;
	struct id sink;
	TRY(sink_param(c, &sink));
	TRY(read_request(c, RECORD_PATCH, &q));
	TRY(sink_patch(&c->s, sink, &q));
	return answer(c, sink);
}

enum err audit_sinks_delete(struct call *c)
{
	struct id sink;
	TRY(sink_param(c, &sink));
	TRY(sink_delete(&c->s, sink));
	return call_status(c, 204);
}
