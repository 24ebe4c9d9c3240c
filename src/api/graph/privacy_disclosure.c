/* SPDX-License-Identifier: Apache-2.0
 * dataSubjectRequests/{request}/disclosureDecisions: where an officer departs from the data map in the answer to one request. */
#include "api/api.h"
#include "privacy/disclosure/disclosure.h"
#include "resource/tables.h"

enum err disclosure_decisions_list(struct call *c);
enum err disclosure_decisions_create(struct call *c);
enum err disclosure_decisions_get(struct call *c);
enum err disclosure_decisions_delete(struct call *c);

enum err disclosure_decisions_list(struct call *c)
{
	struct resource_query q;
	struct id request;
	TRY(call_param_id(c, "request", "data-subject request", &request));
	TRY(disclosure_case_subject(&c->s, request, NULL));
	TRY(call_query(c, &RES_DISCLOSURE_DECISION, &q));
	struct db_value args[] = {db_v_id(&request)};
	q.extra_where = "t.request_id = ?2";
	q.args = args;
	q.arg_count = 1;
	return call_list(c, &q);
}

enum err disclosure_decisions_create(struct call *c)
{
	struct id request, decision;
	struct record *r;
	struct resource_query q;
	json_t *body;
	char text[2][ID_TEXT];
	struct arena *a = c->s.arena;
	TRY(call_param_id(c, "request", "data-subject request", &request));
	TRY(disclosure_case_subject(&c->s, request, NULL));
	TRY(call_body(c, true, &body));
	TRY(record_parse(&c->s, &RES_DISCLOSURE_DECISION, body, RECORD_CREATE, c->version, NULL, &r));
	TRY(disclosure_decide(&c->s, request,
			      &(struct disclosure_decision){
				      .section = record_text(a, r, "section"),
				      .record = record_text(a, r, "recordKey"),
				      .property = record_text(a, r, "property"),
				      .disclosure = record_text(a, r, "disclosure"),
				      .reason = record_text(a, r, "reasonCode"),
				      .ground = record_text(a, r, "legalGround"),
			      },
			      &decision));
	TRY(call_query(c, &RES_DISCLOSURE_DECISION, &q));
	TRY(call_get(c, &q, decision));
	http_response_header(c->out, "Location",
			     arena_printf(a, "%s/deviceManagement/dataSubjectRequests/%s/disclosureDecisions/%s", q.base_url,
					  id_format(request, text[0]), id_format(decision, text[1])));
	c->out->status = 201;
	return OK;
}

static enum err both(struct call *c, struct id *ret_request, struct id *ret_decision)
{
	TRY(call_param_id(c, "request", "data-subject request", ret_request));
	TRY(call_param_id(c, "decision", "disclosure decision", ret_decision));
	return disclosure_check(&c->s, *ret_request, *ret_decision);
}

enum err disclosure_decisions_get(struct call *c)
{
	struct resource_query q;
	struct id request, decision;
	TRY(both(c, &request, &decision));
	TRY(call_query(c, &RES_DISCLOSURE_DECISION, &q));
	return call_get(c, &q, decision);
}

enum err disclosure_decisions_delete(struct call *c)
{
	struct id request, decision;
	TRY(both(c, &request, &decision));
	TRY(disclosure_withdraw(&c->s, request, decision));
	return call_status(c, 204);
}
