/* SPDX-License-Identifier: Apache-2.0
 *
 * The Linux channel: decode a message of reeve-agent, make one core call, encode the answer.  It translates and decides
 * nothing. The protocol is docs/formats/linux-channel.md.
 */
#include <string.h>

#include "api/api.h"
#include "channels/linux/decode.h"
#include "devices/certificate.h"
#include "devices/device.h"
#include "devices/ownership.h"
#include "devices/request.h"

enum err linux_terms(struct call *c);
enum err linux_enroll(struct call *c);
enum err linux_checkin(struct call *c);
enum err linux_report(struct call *c);
enum err linux_renew(struct call *c);
enum err linux_leave(struct call *c);
enum err linux_ownership(struct call *c);

/* ---- before enrolment ---- */

static void write_texts(struct json_writer *w, const char *key, const char *const *texts)
{
	jw_key(w, key);
	jw_array(w);
	for (; *texts != NULL; texts++)
		jw_string(w, *texts);
	jw_end_array(w);
}

static void write_terms(struct json_writer *w, const struct terms *t)
{
	jw_object(w);
	jw_kid(w, "id", t->terms);
	jw_kint(w, "version", t->version);
	jw_kstring(w, "displayName", t->display_name);
	jw_kstring(w, "title", t->title);
	jw_kstring(w, "bodyText", t->body_text);
	jw_kstring(w, "acceptanceStatement", t->acceptance_statement);
	jw_end_object(w);
}

enum err linux_terms(struct call *c)
{
	struct enrolment_notice notice;
	const char *token;
	TRY(linux_decode_token(&c->s, c->in->body, c->in->body_len, &c->body, &token));
	TRY(enrolment_notice(&c->s, token, &notice));
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "organisation", notice.organisation);
	jw_kstring(&w, "ownership", notice.company ? OWNER_COMPANY : OWNER_PERSONAL);
	write_texts(&w, "collects", notice.collects);
	write_texts(&w, "never", notice.never);
	jw_key(&w, "terms");
	jw_array(&w);
	for (size_t i = 0; i < notice.terms_n; i++)
		write_terms(&w, &notice.terms[i]);
	jw_end_array(&w);
	jw_end_object(&w);
	return OK;
}

enum err linux_enroll(struct call *c)
{
	struct enrolment_request request;
	struct enrolment e;
	TRY(linux_decode_enroll(&c->s, c->in->body, c->in->body_len, &c->body, &request));
	TRY(device_enrol(&c->s, &request, &e));
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kid(&w, "deviceId", e.device);
	jw_kstring(&w, "certificate", e.certificate.cert_pem);
	jw_kstring(&w, "ca", e.certificate.ca_pem);
	jw_kstring(&w, "ownership", e.company ? OWNER_COMPANY : OWNER_PERSONAL);
	jw_kint(&w, "syncSeconds", e.sync_seconds);
	jw_end_object(&w);
	c->out->status = 201;
	return OK;
}

/* ---- check-in ---- */

static enum err write_items(struct call *c, struct json_writer *w, const struct checkin_answer *a)
{
	jw_key(w, "items");
	jw_array(w);
	for (size_t i = 0; i < a->item_n; i++) {
		const struct desired_item *item = &a->items[i];
		jw_object(w);
		jw_kid(w, "id", item->item);
		jw_kint(w, "version", item->version);
		jw_kstring(w, "kind", payload_kind(item->type));
		jw_kstring(w, "name", item->name);
		jw_key(w, "payload");
		TRY(payload_deliver(&c->s, item->type, item->payload, &a->person, w));
		jw_end_object(w);
	}
	jw_end_array(w);
	return OK;
}

static void write_actions(struct json_writer *w, const struct checkin_answer *a)
{
	jw_key(w, "actions");
	jw_array(w);
	for (size_t i = 0; i < a->action_n; i++) {
		const char *parameters = a->actions[i].parameters;
		jw_object(w);
		jw_kid(w, "id", a->actions[i].action);
		jw_kstring(w, "action", a->actions[i].name);
		jw_key(w, "parameters");
		jw_raw(w, parameters == NULL ? "{}" : parameters, parameters == NULL ? 2 : strlen(parameters));
		jw_end_object(w);
	}
	jw_end_array(w);
}

static enum err write_answer(struct call *c, const struct checkin_answer *a)
{
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kid(&w, "deviceId", a->device);
	jw_ktime(&w, "now", c->s.now);
	jw_kint(&w, "syncSeconds", a->sync_seconds);
	jw_ktime(&w, "renewBefore", a->renew_before);
	jw_key(&w, "collect");
	jw_object(&w);
	jw_kbool(&w, "packages", a->collect.packages);
	jw_kbool(&w, "addresses", a->collect.addresses);
	jw_kbool(&w, "disks", a->collect.disks);
	jw_end_object(&w);
	TRY(write_items(c, &w, a));
	write_actions(&w, a);
	jw_end_object(&w);
	return OK;
}

enum err linux_checkin(struct call *c)
{
	struct linux_checkin in;
	struct checkin_answer answer;
	TRY(linux_decode_checkin(&c->s, c->in->body, c->in->body_len, &c->body, &in));
	struct checkin checkin = {.device = c->device,
				  .fingerprint = c->fingerprint,
				  .inventory = in.has_inventory ? &in.inventory : NULL,
				  .items = in.items,
				  .item_n = in.item_n};
	TRY(device_checkin(&c->s, &checkin, &answer));
	return write_answer(c, &answer);
}

/* ---- report, renew, leave ---- */

enum err linux_report(struct call *c)
{
	struct linux_report in;
	bool more;
	TRY(linux_decode_report(&c->s, c->in->body, c->in->body_len, &c->body, &in));
	struct device_report report = {.device = c->device,
				       .fingerprint = c->fingerprint,
				       .results = in.results,
				       .result_n = in.result_n,
				       .items = in.items,
				       .item_n = in.item_n};
	TRY(device_report(&c->s, &report, &more));
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kbool(&w, "more", more);
	jw_end_object(&w);
	return OK;
}

enum err linux_renew(struct call *c)
{
	struct issued_certificate certificate;
	const char *csr;
	TRY(linux_decode_renew(&c->s, c->in->body, c->in->body_len, &c->body, &csr));
	TRY(device_renew(&c->s, c->device, c->fingerprint, csr, &certificate));
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "certificate", certificate.cert_pem);
	jw_kstring(&w, "ca", certificate.ca_pem);
	jw_end_object(&w);
	return OK;
}

enum err linux_leave(struct call *c)
{
	struct id action;
	TRY(linux_decode_empty(&c->s, c->in->body, c->in->body_len));
	TRY(device_leave(&c->s, c->device, c->fingerprint, &action));
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kid(&w, "actionId", action);
	jw_end_object(&w);
	return OK;
}

enum err linux_ownership(struct call *c)
{
	int consents;
	const char *text = NULL;
	TRY(linux_decode_ownership(&c->s, c->in->body, c->in->body_len, &consents));
	TRY(consents < 0 ? ownership_asked(&c->s, c->device, &text) : ownership_answer(&c->s, c->device, c->fingerprint, consents == 1));
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "question", text);
	jw_end_object(&w);
	return OK;
}
