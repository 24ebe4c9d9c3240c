/* SPDX-License-Identifier: Apache-2.0
 * deviceManagement/dataSubjectRequests: cases of people who ask about their data.  Reeve's own; Graph's subjectRightsRequest is of another product
 * and knows neither identity nor regimes. */
#include <string.h>

#include "api/api.h"
#include "directory/access/access.h"
#include "privacy/request/request.h"
#include "resource/tables.h"

#define MAY_WRITE "DataSubjectRequest.ReadWrite.All"

enum err requests_list(struct call *c);
enum err requests_count(struct call *c);
enum err requests_get(struct call *c);
enum err requests_create(struct call *c);
enum err requests_patch(struct call *c);
enum err requests_set_subject(struct call *c);
enum err requests_verify(struct call *c);
enum err requests_discover(struct call *c);
enum err requests_decide(struct call *c);
enum err requests_extend(struct call *c);
enum err requests_deliver(struct call *c);
enum err requests_close(struct call *c);

/* ---- what is shown ---- */

static void write_time(struct json_writer *w, const char *name, int64_t us)
{
	jw_key(w, name);
	if (us == 0)
		jw_null(w);
	else
		jw_time(w, us);
}

/* What people wrote is shown to those who work on the case. */
static void write_sealed(struct json_writer *w, const struct resource_query *q, const struct request_view *v)
{
	if (resource_selected(q, "contact"))
		jw_kstring(w, "contact", v->contact);
	if (resource_selected(q, "statement"))
		jw_kstring(w, "statement", v->statement);
	if (resource_selected(q, "erasureSalt"))
		jw_kstring(w, "erasureSalt", v->erasure_salt);
}

/* Whether whoever may read the case may write it, too: the same people, or more. */
static bool may_write(const struct call *c)
{
	const struct scope_groups *only = NULL, *read = c->s.actor.only;
	struct arena *a = c->s.arena;
	return actor_allows(&c->s.actor, MAY_WRITE, a, &only) &&
	       (only == NULL || (read != NULL && strcmp(scope_groups_text(a, only), scope_groups_text(a, read)) == 0));
}

static enum err write_more(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id key, void *arg)
{
	static const char *const names[] = {"isOverdue", "percentElapsed", "erasureDeadlineDateTime", "contact", "statement",
						   "isAcknowledgementOverdue", "erasureSalt"};
	const struct call *c = arg;
	struct request_view v;
	bool any = false;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		any = any || resource_selected(q, names[i]);
	if (!any)
		return OK;
	TRY(request_view(tx, key, &v));
	if (resource_selected(q, "isOverdue"))
		jw_kbool(w, "isOverdue", v.overdue);
	if (resource_selected(q, "percentElapsed"))
		jw_kint(w, "percentElapsed", v.percent);
	if (resource_selected(q, "erasureDeadlineDateTime"))
		write_time(w, "erasureDeadlineDateTime", v.erasure_deadline);
	if (resource_selected(q, "isAcknowledgementOverdue"))
		jw_kbool(w, "isAcknowledgementOverdue", v.acknowledgement_overdue);
	if (may_write(c))
		write_sealed(w, q, &v);
	return OK;
}

static enum err query(struct call *c, struct resource_query *q)
{
	TRY(call_query(c, &RES_DATA_SUBJECT_REQUEST, q));
	q->more = write_more;
	q->more_arg = c;
	return OK;
}

enum err requests_list(struct call *c)
{
	struct resource_query q;
	TRY(query(c, &q));
	return call_list(c, &q);
}

enum err requests_count(struct call *c)
{
	struct resource_query q;
	TRY(query(c, &q));
	return call_count(c, &q);
}

static enum err request_param(struct call *c, struct id *ret)
{
	TRY(call_param_id(c, "request", "data-subject request", ret));
	c->s.subject = *ret;
	return OK;
}

static enum err answer(struct call *c, struct id request)
{
	struct resource_query q;
	TRY(query(c, &q));
	return call_get(c, &q, request);
}

enum err requests_get(struct call *c)
{
	struct id request;
	TRY(request_param(c, &request));
	return answer(c, request);
}

/* ---- opening and correcting ---- */

/* userId and userPrincipalName both name a person either way. */
static enum err read_user(struct call *c, const json_t *body, bool required, const char **ret)
{
	const char *id, *upn;
	TRY(call_string(c, body, "userId", false, &id));
	TRY(call_string(c, body, "userPrincipalName", false, &upn));
	if ((id != NULL && upn != NULL) || (required && id == NULL && upn == NULL))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "%s of userId and userPrincipalName %s", required ? "one" : "at most one",
				  required ? "is required" : "can be given");
	*ret = id != NULL ? id : upn;
	return OK;
}

static const char *text_of(struct call *c, const struct record *r, const char *name)
{
	return record_has(r, name) ? record_text(c->s.arena, r, name) : NULL;
}

/* A sealed text: longer than a property, checked by the core.  Not given: NULL; null, which takes it away: "". */
static enum err read_sealed(struct call *c, const json_t *body, const char *name, const char **ret)
{
	const json_t *v = json_object_get(body, name);
	*ret = v == NULL ? NULL : "";
	if (v == NULL || json_is_null(v))
		return OK;
	if (!json_is_string(v) || json_string_length(v) == 0 || strlen(json_string_value(v)) != json_string_length(v))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'%s' must be a text that is not empty", name);
	*ret = json_string_value(v);
	return OK;
}

enum err requests_create(struct call *c)
{
	static const char *const extra[] = {"userId", "userPrincipalName", "contact", "statement", NULL};
	struct request_order o = {0};
	struct record *r;
	struct id request;
	json_t *body;
	char text[ID_TEXT];
	TRY(call_body(c, true, &body));
	TRY(record_parse(&c->s, &RES_DATA_SUBJECT_REQUEST, body, RECORD_CREATE, c->version, extra, &r));
	TRY(read_user(c, body, false, &o.user));
	o.type = text_of(c, r, "type");
	o.regime = text_of(c, r, "regime");
	o.channel = text_of(c, r, "channel");
	TRY(read_sealed(c, body, "contact", &o.contact));
	TRY(read_sealed(c, body, "statement", &o.statement));
	o.on_behalf = record_has(r, "onBehalf") && record_int(r, "onBehalf") != 0;
	o.received_at = record_has(r, "receivedDateTime") ? record_int(r, "receivedDateTime") : 0;
	TRY(request_open(&c->s, &o, &request));
	TRY(answer(c, request));
	http_response_header(c->out, "Location",
			     arena_printf(c->s.arena, "%s/%s/%s", call_base_url(c), RES_DATA_SUBJECT_REQUEST.context, id_format(request, text)));
	c->out->status = 201;
	return OK;
}

enum err requests_patch(struct call *c)
{
	static const char *const extra[] = {"contact", "statement", NULL};
	struct request_patch p = {0};
	struct record *r;
	struct id request;
	json_t *body;
	bool on_behalf;
	TRY(request_param(c, &request));
	TRY(call_body(c, true, &body));
	TRY(record_parse(&c->s, &RES_DATA_SUBJECT_REQUEST, body, RECORD_PATCH, c->version, extra, &r));
	if (json_is_null(json_object_get(body, "acknowledgedDateTime")))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'acknowledgedDateTime' must not be null");
	TRY(read_sealed(c, body, "contact", &p.contact));
	TRY(read_sealed(c, body, "statement", &p.statement));
	on_behalf = record_has(r, "onBehalf") && record_int(r, "onBehalf") != 0;
	p.on_behalf = record_has(r, "onBehalf") ? &on_behalf : NULL;
	p.acknowledged_at = record_has(r, "acknowledgedDateTime") ? record_int(r, "acknowledgedDateTime") : 0;
	TRY(request_patch(&c->s, request, &p));
	return answer(c, request);
}

/* ---- the way of a case ---- */

/* The case's id and the body, which holds nothing else than these members. */
static enum err read_step(struct call *c, const char *const *allowed, struct id *ret, json_t **ret_body)
{
	TRY(request_param(c, ret));
	TRY(call_body(c, false, ret_body));
	return call_only(c, *ret_body, allowed);
}

enum err requests_set_subject(struct call *c)
{
	static const char *const allowed[] = {"userId", "userPrincipalName", NULL};
	struct id request;
	json_t *body;
	const char *user;
	TRY(read_step(c, allowed, &request, &body));
	TRY(read_user(c, body, true, &user));
	TRY(request_set_subject(&c->s, request, user));
	return answer(c, request);
}

enum err requests_verify(struct call *c)
{
	static const char *const allowed[] = {"method", NULL};
	struct id request;
	json_t *body;
	const char *method;
	TRY(read_step(c, allowed, &request, &body));
	TRY(call_string(c, body, "method", true, &method));
	TRY(request_verify(&c->s, request, method));
	return answer(c, request);
}

enum err requests_discover(struct call *c)
{
	static const char *const allowed[] = {NULL};
	struct id request;
	json_t *body;
	TRY(read_step(c, allowed, &request, &body));
	TRY(request_discover(&c->s, request));
	return answer(c, request);
}

enum err requests_decide(struct call *c)
{
	static const char *const allowed[] = {"decision", "reasonCode", "legalGround", "outcome", NULL};
	struct request_decision d;
	struct id request;
	json_t *body;
	TRY(read_step(c, allowed, &request, &body));
	TRY(call_string(c, body, "decision", true, &d.decision));
	TRY(call_string(c, body, "reasonCode", false, &d.reason));
	TRY(call_string(c, body, "legalGround", false, &d.ground));
	TRY(call_string(c, body, "outcome", false, &d.outcome));
	TRY(request_decide(&c->s, request, &d));
	return answer(c, request);
}

enum err requests_extend(struct call *c)
{
	static const char *const allowed[] = {"reason", NULL};
	struct id request;
	json_t *body;
	const char *reason;
	TRY(read_step(c, allowed, &request, &body));
	TRY(call_string(c, body, "reason", true, &reason));
	TRY(request_extend(&c->s, request, reason));
	return answer(c, request);
}

enum err requests_deliver(struct call *c)
{
	static const char *const allowed[] = {NULL};
	struct id request;
	json_t *body;
	TRY(read_step(c, allowed, &request, &body));
	TRY(request_deliver(&c->s, request));
	return answer(c, request);
}

enum err requests_close(struct call *c)
{
	static const char *const allowed[] = {"outcome", NULL};
	struct id request;
	json_t *body;
	const char *outcome;
	TRY(read_step(c, allowed, &request, &body));
	TRY(call_string(c, body, "outcome", false, &outcome));
	TRY(request_close(&c->s, request, outcome));
	return answer(c, request);
}
