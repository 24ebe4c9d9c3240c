/* SPDX-License-Identifier: Apache-2.0
 * deviceManagement/auditLog/exports: files and archives of the audit log. */
#include <string.h>

#include "api/api.h"
#include "audit/out/export.h"
#include "base/clock.h"
#include "base/limits.h"
#include "resource/tables.h"

enum err audit_exports_request(struct call *c);
enum err audit_exports_list(struct call *c);
enum err audit_exports_get(struct call *c);
enum err audit_exports_content(struct call *c);

static enum err write_more(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id key, void *arg)
{
	return resource_selected(q, "sha256") ? audit_export_write_more(tx, w, key) : OK;
}

static enum err query(struct call *c, struct resource_query *q)
{
	TRY(call_query(c, &RES_AUDIT_EXPORT, q));
	q->more = write_more;
	return OK;
}

static enum err time_of(struct call *c, const json_t *body, const char *name, int64_t *ret)
{
	const char *text;
	TRY(call_string(c, body, name, false, &text));
	if (text != NULL && !time_parse(text, ret))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'%s' must be a time such as 2026-11-22T08:15:30Z", name);
	return OK;
}

/* The filter is checked here and kept as text: the job turns it into SQL again. */
static enum err filter_of(struct call *c, const json_t *body, const char **ret)
{
	struct resource_condition unused;
	const json_t *v = json_object_get(body, "filter");
	*ret = NULL;
	if (v == NULL || json_is_null(v))
		return OK;
	if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v) || json_string_length(v) > LIMIT_URL_BYTES)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'filter' must be a string of at most %u bytes", LIMIT_URL_BYTES);
	if (json_string_length(v) == 0)
		return OK;
	*ret = arena_strdup(c->s.arena, json_string_value(v));
	return resource_condition(&c->s, &RES_AUDIT_EVENT, API_V1, *ret, 2, &unused);
}

enum err audit_exports_request(struct call *c)
{
	static const char *const allowed[] = {"format", "filter", "fromDateTime", "untilDateTime", NULL};
	struct audit_export_request q = {.until = INT64_MAX};
	struct resource_query rq;
	struct id export;
	json_t *body;
	char text[ID_TEXT];
	TRY(call_body(c, true, &body));
	TRY(call_only(c, body, allowed));
	TRY(call_string(c, body, "format", true, &q.format));
	TRY(filter_of(c, body, &q.filter));
	TRY(time_of(c, body, "fromDateTime", &q.from));
	TRY(time_of(c, body, "untilDateTime", &q.until));
	TRY(audit_export_request(&c->s, &q, &export));
	TRY(query(c, &rq));
	TRY(call_get(c, &rq, export));
	http_response_header(c->out, "Location",
			     arena_printf(c->s.arena, "%s/%s/%s", rq.base_url, RES_AUDIT_EXPORT.context, id_format(export, text)));
	http_response_header(c->out, "Retry-After", "2");
	c->out->status = 201;
	return OK;
}

enum err audit_exports_list(struct call *c)
{
	struct resource_query q;
	TRY(query(c, &q));
	return call_list(c, &q);
}

enum err audit_exports_get(struct call *c)
{
	struct resource_query q;
	struct id export;
	TRY(call_param_id(c, "export", "export of the audit log", &export));
	TRY(query(c, &q));
	return call_get(c, &q, export);
}

enum err audit_exports_content(struct call *c)
{
	struct id export;
	struct audit_export_file file;
	TRY(call_param_id(c, "export", "export of the audit log", &export));
	TRY(audit_export_open(&c->s, c->server->data_dir, export, &file));
	c->out->content_type = file.content_type;
	c->out->stream = audit_export_read; /* a file that was changed on disk breaks the connection */
	c->out->stream_end = audit_export_close;
	c->out->stream_arg = file.stream;
	c->out->stream_length = file.bytes;
	http_response_header(c->out, "Content-Disposition", arena_printf(c->s.arena, "attachment; filename=\"%s\"", file.name));
	http_response_header(c->out, "Cache-Control", "no-store");
	return OK;
}
