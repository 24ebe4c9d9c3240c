/* SPDX-License-Identifier: Apache-2.0
 * Duties to erase, their certificates, and what an erasure would do. */
#include "api/api.h"
#include "audit/audit_read.h"
#include "codec/html.h"
#include "privacy/certificate/certificate.h"
#include "privacy/erasure/erasure.h"
#include "privacy/export/export.h"
#include "resource/tables.h"

enum err erasure_show_preview(struct call *c);
enum err duties_list(struct call *c);
enum err duties_get(struct call *c);
enum err erasure_show_device_preview(struct call *c);
enum err erasure_show_tenant_preview(struct call *c);
enum err duties_retry(struct call *c);
enum err duties_cancel(struct call *c);
enum err duties_confirm(struct call *c);
enum err duties_confirm_burst(struct call *c);
enum err certificates_list(struct call *c);
enum err certificates_get(struct call *c);
enum err certificates_page(struct call *c);

enum err erasure_show_preview(struct call *c)
{
	struct id user;
	TRY(export_resolve(&c->s, call_param(c, "user"), &user)); /* who can be exported can be erased */
	TRY(audit_record_view(&c->s, user));
	struct json_writer w = call_json(c);
	jw_object(&w);
	TRY(erasure_preview(&c->s, SUBJECT_USER, user, &w));
	jw_end_object(&w);
	return OK;
}

static enum err show_preview(struct call *c, enum subject_type type, struct id subject)
{
	struct json_writer w = call_json(c);
	jw_object(&w);
	TRY(erasure_preview(&c->s, type, subject, &w));
	jw_end_object(&w);
	return OK;
}

enum err erasure_show_device_preview(struct call *c)
{
	struct id device;
	TRY(call_param_id(c, "device", "managed device", &device));
	return show_preview(c, SUBJECT_DEVICE, device);
}

enum err erasure_show_tenant_preview(struct call *c) { return show_preview(c, SUBJECT_TENANT, c->s.tenant); }

enum err duties_list(struct call *c)
{
	struct resource_query q;
	TRY(call_query(c, &RES_DUTY, &q));
	return call_list(c, &q);
}

enum err duties_get(struct call *c)
{
	struct resource_query q;
	struct id duty;
	TRY(call_param_id(c, "duty", "erasure duty", &duty));
	TRY(call_query(c, &RES_DUTY, &q));
	return call_get(c, &q, duty);
}

enum err duties_retry(struct call *c)
{
	struct id duty;
	TRY(call_param_id(c, "duty", "erasure duty", &duty));
	TRY(erasure_retry(&c->s, duty));
	return call_status(c, 204);
}

enum err duties_cancel(struct call *c)
{
	struct id duty;
	TRY(call_param_id(c, "duty", "erasure duty", &duty));
	TRY(erasure_cancel(&c->s, duty));
	return call_status(c, 204);
}

enum err duties_confirm(struct call *c)
{
	struct id duty;
	TRY(call_param_id(c, "duty", "erasure duty", &duty));
	TRY(erasure_confirm(&c->s, duty));
	return call_status(c, 204);
}

/* {"requestedBy": the application whose requests wait} */
enum err duties_confirm_burst(struct call *c)
{
	static const char *const members[] = {"requestedBy", NULL};
	const char *text;
	json_t *body;
	struct id source;
	size_t n;
	TRY(call_body(c, true, &body));
	TRY(call_only(c, body, members));
	TRY(call_string(c, body, "requestedBy", true, &text));
	if (!id_parse(text, &source))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "requestedBy must be the id of an application");
	TRY(erasure_confirm_burst(&c->s, source, &n));
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kint(&w, "confirmed", (int64_t)n);
	jw_end_object(&w);
	return OK;
}

/* An answer is always the whole file that `reeve erase verify` takes, so $select is none of its options. */
static enum err write_signed(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id key,
			     void *arg)
{
	return certificate_write(tx, w, key);
}

static enum err certificate_query(struct call *c, struct resource_query *q)
{
	static const char *const plain[] = {"id", "dutyId", "issuedDateTime", NULL}; /* kind is certificate_write()'s */
	TRY(call_query(c, &RES_CERTIFICATE, q));
	if (q->odata.select != NULL)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "a certificate is only whole: $select is not supported here");
	q->odata.select = plain;
	q->more = write_signed;
	return OK;
}

enum err certificates_list(struct call *c)
{
	struct resource_query q;
	TRY(certificate_query(c, &q));
	return call_list(c, &q);
}

enum err certificates_get(struct call *c)
{
	struct resource_query q;
	struct id certificate;
	TRY(call_param_id(c, "certificate", "erasure certificate", &certificate));
	TRY(certificate_query(c, &q));
	return call_get(c, &q, certificate);
}

/* ---- for paper ---- */

struct paper {
	struct id certificate;
	struct buf *page;
};

static enum err page_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct paper *p = arg;
	struct json_writer w;
	auto_json *file = NULL;
	auto_buf json;
	buf_init(&json, CERTIFICATE_FILE_MAX);
	jw_init(&w, &json);
	jw_object(&w);
	TRY(certificate_write(tx, &w, p->certificate));
	jw_end_object(&w);
	if (json.failed)
		return scope_fail(s, ERR_LIMIT, "the certificate is too large");
	TRY(json_read(s, json.data, json.len, &file));
	buf_clear(p->page);
	certificate_page(p->page, file);
	return p->page->failed ? scope_fail(s, ERR_LIMIT, "the certificate is too large for a page") : OK;
}

enum err certificates_page(struct call *c)
{
	struct paper p = {.page = &c->out->body};
	TRY(call_param_id(c, "certificate", "erasure certificate", &p.certificate));
	TRY(db_read(&c->s, page_tx, &p));
	c->out->content_type = "text/html; charset=utf-8";
	http_response_header(c->out, "Content-Security-Policy", HTML_POLICY);
	return OK;
}
