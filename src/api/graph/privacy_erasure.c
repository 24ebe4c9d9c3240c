/* SPDX-License-Identifier: Apache-2.0
 * Duties to erase, their certificates, and what an erasure would do. */
#include "api/api.h"
#include "audit/audit_read.h"
#include "privacy/erasure/certificate.h"
#include "privacy/erasure/erasure.h"
#include "privacy/export/export.h"
#include "resource/tables.h"

enum err erasure_show_preview(struct call *c);
enum err duties_list(struct call *c);
enum err duties_get(struct call *c);
enum err duties_retry(struct call *c);
enum err certificates_list(struct call *c);
enum err certificates_get(struct call *c);

enum err erasure_show_preview(struct call *c)
{
	struct id user;
	TRY(export_resolve(&c->s, call_param(c, "user"), &user)); /* who can be exported can be erased */
	TRY(audit_record_view(&c->s, user));
	struct json_writer w = call_json(c);
	jw_object(&w);
	TRY(erasure_preview(&c->s, user, &w));
	jw_end_object(&w);
	return OK;
}

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

/* An answer is always the whole file that `reeve erase verify` takes, so $select is none of its options. */
static enum err write_signed(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id key,
			     void *arg)
{
	return certificate_write(tx, w, key);
}

static enum err certificate_query(struct call *c, struct resource_query *q)
{
	static const char *const plain[] = {"id", "dutyId", "issuedDateTime", NULL};
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
