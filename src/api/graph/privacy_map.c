/* SPDX-License-Identifier: Apache-2.0
 * The data map, the record of processing that is made from it, and what it says to one person. */
#include <string.h>
#include <strings.h>

#include "api/api.h"
#include "audit/audit_read.h"
#include "codec/html.h"
#include "codec/odata.h"
#include "privacy/export/export.h"
#include "privacy/processing/held_data.h"
#include "privacy/processing/map_document.h"
#include "privacy/processing/processing.h"

enum err data_map_get(struct call *c);
enum err record_of_processing_get(struct call *c);
enum err held_data_get(struct call *c);

enum form { FORM_JSON = 1, FORM_HTML = 2, FORM_CSV = 4 };

static const struct {
	const char *name, *media;
	enum form form;
} FORMS[] = {{"json", "application/json", FORM_JSON}, {"html", "text/html", FORM_HTML}, {"csv", "text/csv", FORM_CSV}};
enum { FORM_COUNT = sizeof FORMS / sizeof FORMS[0] };

/* $format says it, else the first of Accept's media types that there is; JSON where neither does.  offered: those that there are. */
static enum err form_of(struct call *c, unsigned offered, enum form *ret)
{
	struct odata_query q;
	const char *accept = http_header(c->in, "Accept"), *first = NULL;
	*ret = FORM_JSON;
	TRY(odata_parse(&c->s, c->in->query, &q));
	for (size_t i = 0; i < FORM_COUNT && q.format != NULL; i++)
		if ((FORMS[i].form & offered) != 0 && (strcasecmp(q.format, FORMS[i].name) == 0 || strcasecmp(q.format, FORMS[i].media) == 0)) {
			*ret = FORMS[i].form;
			return OK;
		}
	if (q.format != NULL)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "$format is json, html%s here", (offered & FORM_CSV) != 0 ? " or csv" : "");
	for (size_t i = 0; i < FORM_COUNT && accept != NULL; i++) {
		const char *at = strcasestr(accept, FORMS[i].media);
		if (at != NULL && (FORMS[i].form & offered) != 0 && (first == NULL || at < first)) {
			first = at;
			*ret = FORMS[i].form;
		}
	}
	return OK;
}

/* The page or file is in the body: its headers. */
static enum err finish(struct call *c, enum form form, const char *name)
{
	http_response_header(c->out, "Vary", "Accept");
	http_response_header(c->out, "Cache-Control", "no-store");
	if (form == FORM_HTML) {
		c->out->content_type = "text/html; charset=utf-8";
		http_response_header(c->out, "Content-Security-Policy", HTML_POLICY);
	} else if (form == FORM_CSV) {
		c->out->content_type = "text/csv; charset=utf-8";
		http_response_header(c->out, "Content-Disposition", arena_printf(c->s.arena, "attachment; filename=\"%s.csv\"", name));
	}
	return c->out->body.failed ? scope_fail(&c->s, ERR_LIMIT, "the answer is too large") : OK;
}

static struct json_writer begin(struct call *c, const char *context)
{
	const char *base = call_base_url(c);
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(c->s.arena, "%s/$metadata#%s", base, context));
	return w;
}

enum err data_map_get(struct call *c)
{
	enum form form;
	TRY(form_of(c, FORM_JSON | FORM_HTML | FORM_CSV, &form));
	struct json_writer w = begin(c, "deviceManagement/dataMap");
	if (form == FORM_JSON) {
		map_document_json(c->s.arena, &w);
		jw_end_object(&w);
		return finish(c, form, "data-map");
	}
	buf_clear(&c->out->body);
	if (form == FORM_HTML)
		map_document_html(c->s.arena, &c->out->body);
	else
		map_document_csv(c->s.arena, &c->out->body);
	return finish(c, form, "data-map");
}

enum err record_of_processing_get(struct call *c)
{
	enum form form;
	struct processing p;
	TRY(form_of(c, FORM_JSON | FORM_HTML | FORM_CSV, &form));
	TRY(processing_load(&c->s, c->server->host, &p));
	struct json_writer w = begin(c, "deviceManagement/recordOfProcessing");
	if (form == FORM_JSON) {
		processing_json(&p, &w);
		jw_end_object(&w);
		return finish(c, form, "record-of-processing");
	}
	buf_clear(&c->out->body);
	if (form == FORM_HTML)
		processing_html(&p, &c->out->body);
	else
		processing_csv(&p, &c->out->body);
	return finish(c, form, "record-of-processing");
}

enum err held_data_get(struct call *c)
{
	enum form form;
	struct id user;
	struct held_data h;
	TRY(form_of(c, FORM_JSON | FORM_HTML, &form));
	TRY(export_resolve(&c->s, call_param(c, "user"), &user));
	TRY(audit_record_view(&c->s, user));
	TRY(held_data_load(&c->s, c->server->host, user, &h));
	struct json_writer w = begin(c, "users/heldData");
	if (form == FORM_JSON) {
		held_data_json(&h, &w);
		jw_end_object(&w);
	} else {
		buf_clear(&c->out->body);
		held_data_html(&h, &c->out->body);
	}
	return finish(c, form, "held-data");
}
