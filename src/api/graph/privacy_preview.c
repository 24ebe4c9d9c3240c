/* SPDX-License-Identifier: Apache-2.0
 * dataSubjectRequests/{request}/preview: what the person will see, as JSON or ($format=html) as a page to print. */
#include <string.h>
#include <strings.h>

#include "api/api.h"
#include "codec/odata.h"
#include "privacy/disclosure/preview.h"
#include "privacy/disclosure/preview_html.h"
#include "privacy/disclosure/reason.h"

enum err preview_show(struct call *c);
enum err preview_show_section(struct call *c);

#define CONTEXT "deviceManagement/dataSubjectRequests/preview"

struct asked {
	struct id request;
	struct odata_query odata;
	bool html;
};

static enum err ask(struct call *c, struct asked *q)
{
	TRY(call_param_id(c, "request", "data-subject request", &q->request));
	TRY(odata_parse(&c->s, c->in->query, &q->odata));
	if (q->odata.filter != NULL || q->odata.order != NULL || q->odata.select != NULL || q->odata.expand != NULL || q->odata.search != NULL ||
	    q->odata.skip >= 0)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "a preview takes $top, $skiptoken and $format");
	const char *format = q->odata.format == NULL ? "json" : q->odata.format;
	q->html = strcasecmp(format, "html") == 0;
	if (!q->html && strcasecmp(format, "json") != 0)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "$format is json or html");
	return OK;
}

/* ---- JSON ---- */

static const char *verdict_name(enum verdict v)
{
	static const char *const names[] = {"full", "redacted", "withheld"};
	return names[v];
}

static void write_verdict(struct json_writer *w, const struct disclosed *d)
{
	jw_kstring(w, "disclosure", verdict_name(d->verdict));
	jw_kstring(w, "reasonCode", d->reason);
	jw_kstring(w, "reason", d->reason == NULL ? NULL : reason_text(d->reason));
	jw_kstring(w, "legalGround", d->ground);
	jw_kstring(w, "decidedBy", d->by_officer ? "officer" : "map");
	if (d->quiet)
		jw_kbool(w, "untold", true);
}

static void write_section(struct json_writer *w, const struct preview_section *s)
{
	jw_object(w);
	jw_kstring(w, "section", s->path->section);
	jw_kstring(w, "purpose", map_table(s->path->table)->purpose);
	jw_kbool(w, "notPortable", s->not_portable);
	write_verdict(w, &s->what);
	jw_kint(w, "records", s->records);
	jw_kint(w, "withheldRecords", s->withheld_records);
	jw_kint(w, "untoldRecords", s->quiet_records);
	jw_kint(w, "given", s->given);
	jw_kint(w, "redacted", s->redacted);
	jw_kint(w, "withheld", s->withheld);
	jw_end_object(w);
}

static void write_text(struct json_writer *w, const char *key, const char *text, bool literal)
{
	jw_key(w, key);
	if (text != NULL && literal)
		jw_raw(w, text, strlen(text));
	else
		jw_string(w, text);
}

static void write_value(struct json_writer *w, const char *name, const struct held_value *v)
{
	jw_object(w);
	jw_kstring(w, "name", name);
	write_verdict(w, &v->what);
	write_text(w, "shown", v->shown, v->literal && v->what.verdict == GIVE);
	write_text(w, "held", v->text, v->literal);
	jw_end_object(w);
}

static void write_part(struct json_writer *w, const struct held_hidden *h)
{
	jw_object(w);
	jw_kstring(w, "name", h->property);
	write_verdict(w, &h->what);
	jw_kint(w, "count", (int64_t)h->count);
	jw_end_object(w);
}

static void write_event(struct json_writer *w, const char *key, const json_t *event)
{
	jw_key(w, key);
	if (event == NULL)
		jw_null(w);
	else
		jw_json(w, event);
}

static void write_record(struct json_writer *w, const struct preview_page *p, const struct held_row *row)
{
	bool event = held_is_event(p->section.path);
	jw_object(w);
	jw_kstring(w, "recordKey", row->record);
	write_verdict(w, &row->what);
	jw_key(w, "properties");
	jw_array(w);
	for (size_t i = 0; i < p->columns; i++)
		write_value(w, p->column[i].name, &row->value[i]);
	for (size_t i = 0; event && i < row->hidden_n; i++)
		write_part(w, &row->hidden[i]);
	jw_end_array(w);
	if (event) {
		write_event(w, "shown", row->event);
		write_event(w, "held", row->held);
	}
	jw_end_object(w);
}

static struct json_writer begin(struct call *c, const char *context)
{
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(c->s.arena, "%s/$metadata#%s", call_base_url(c), context));
	return w;
}

/* ---- HTML ---- */

static struct buf *begin_page(struct call *c, struct id request)
{
	buf_clear(&c->out->body);
	c->out->content_type = "text/html; charset=utf-8";
	http_response_header(c->out, "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox");
	http_response_header(c->out, "X-Content-Type-Options", "nosniff");
	preview_html_begin(&c->s, request, &c->out->body);
	return &c->out->body;
}

static enum err add_records(struct call *c, struct id request, const char *section, struct buf *out)
{
	struct preview_page p;
	enum err e = preview_records(&c->s, request, section, NULL, PREVIEW_PAGE_DEFAULT, &p);
	if (e == OK)
		preview_html_records(&c->s, &p, out);
	preview_release(&p);
	return e;
}

/* ---- the routes ---- */

static enum err finish(struct call *c)
{
	http_response_header(c->out, "Cache-Control", "no-store");
	return c->out->body.failed ? scope_fail(&c->s, ERR_LIMIT, "the answer is too large: ask for fewer with $top") : OK;
}

enum err preview_show(struct call *c)
{
	struct asked q;
	struct preview_section *list;
	size_t n;
	TRY(ask(c, &q));
	TRY(preview_summary(&c->s, q.request, &list, &n));
	TRY(preview_record(&c->s, q.request));
	if (q.html) {
		struct buf *out = begin_page(c, q.request);
		preview_html_summary(list, n, out);
		for (size_t i = 0; i < n; i++)
			TRY(add_records(c, q.request, list[i].path->section, out));
		preview_html_end(out);
		return finish(c);
	}
	struct json_writer w = begin(c, CONTEXT);
	jw_kid(&w, "requestId", q.request);
	jw_kid(&w, "userId", c->s.subject);
	jw_kstring(&w, "untoldNote", DISCLOSURE_QUIET_TEXT);
	jw_key(&w, "value");
	jw_array(&w);
	for (size_t i = 0; i < n; i++)
		write_section(&w, &list[i]);
	jw_end_array(&w);
	jw_end_object(&w);
	return finish(c);
}

static void write_page(struct call *c, const struct asked *q, const struct preview_page *p)
{
	char id[ID_TEXT];
	struct json_writer w = begin(c, CONTEXT "/records");
	jw_kid(&w, "requestId", q->request);
	jw_kstring(&w, "section", p->section.path->section);
	write_verdict(&w, &p->section.what);
	jw_key(&w, "value");
	jw_array(&w);
	for (size_t i = 0; i < p->rows; i++)
		write_record(&w, p, &p->row[i]);
	jw_end_array(&w);
	if (p->next != NULL)
		jw_kstring(&w, "@odata.nextLink",
			   arena_printf(c->s.arena, "%s/deviceManagement/dataSubjectRequests/%s/preview/%s?$top=%lld&$skiptoken=%s", call_base_url(c),
					id_format(q->request, id), p->section.path->section, (long long)q->odata.top, p->next));
	jw_end_object(&w);
}

static enum err write_records(struct call *c, const struct asked *q, const struct preview_page *p)
{
	TRY(preview_record(&c->s, q->request));
	if (q->html) {
		struct buf *out = begin_page(c, q->request);
		preview_html_records(&c->s, p, out);
		preview_html_end(out);
	} else {
		write_page(c, q, p);
	}
	return finish(c);
}

enum err preview_show_section(struct call *c)
{
	struct asked q;
	struct preview_page p;
	TRY(ask(c, &q));
	if (q.odata.top < 0)
		q.odata.top = PREVIEW_PAGE_DEFAULT;
	if (q.odata.top < 1 || q.odata.top > PREVIEW_PAGE_MAX)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "$top is 1 to %d here", PREVIEW_PAGE_MAX);
	enum err e = preview_records(&c->s, q.request, call_param(c, "section"), q.odata.skiptoken, (unsigned)q.odata.top, &p);
	if (e == OK)
		e = write_records(c, &q, &p);
	preview_release(&p);
	return e;
}
