/* SPDX-License-Identifier: Apache-2.0
 *
 * A sink that POSTs batches of CloudEvents over HTTPS.  2xx confirms the whole batch; everything else, redirects too, is a failure.  429 and
 * 503 with Retry-After are taken at their word; 413 makes the batches smaller.  What the answer says is read to 64 KiB and ignored.
 */
#include <curl/curl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "codec/json.h"
#include "codec/target.h"
#include "crypto/digest.h"
#include "http/outbound.h"
#include "jobs/sinks_internal.h"
#include "keeper/keeper.h"

#define EVENT_TYPE "org.reeve.auditEvent.v1"
#define EVENT_TYPE_OCSF "org.reeve.auditEvent.ocsf.v1"

/* ---- the body ---- */

static enum err add_event(struct delivery *d, const struct audit_sink_event *e, struct json_writer *w)
{
	char id[ID_TEXT];
	auto_buf data;
	buf_init(&data, LIMIT_RESPONSE_BYTES);
	TRY(sink_render(d, e, &data));
	jw_object(w);
	jw_kstring(w, "specversion", "1.0");
	jw_kid(w, "id", e->event);
	jw_kstring(w, "source", d->origin);
	jw_kstring(w, "type", d->sink->ocsf ? EVENT_TYPE_OCSF : EVENT_TYPE);
	jw_ktime(w, "time", e->at);
	if (e->resource_type != NULL && !id_is_nil(e->resource))
		jw_kstring(w, "subject", arena_printf(d->s->arena, "%s/%s", e->resource_type, id_format(e->resource, id)));
	jw_kstring(w, "datacontenttype", "application/json");
	jw_kstring(w, "logindex", arena_printf(d->s->arena, "%" PRIu64, e->index)); /* text: an Integer of CloudEvents has 32 bits */
	jw_key(w, "data");
	jw_raw(w, data.data, data.len);
	jw_end_object(w);
	return data.failed ? scope_fail(d->s, ERR_LIMIT, "the event is too large") : OK;
}

enum err sink_cloud_events(struct delivery *d, struct buf *out)
{
	struct json_writer w;
	jw_init(&w, out);
	jw_array(&w);
	for (size_t i = 0; i < d->page->count; i++)
		TRY(add_event(d, &d->page->events[i], &w));
	jw_end_array(&w);
	return out->failed ? scope_fail(d->s, ERR_LIMIT, "the events are too large") : OK;
}

char *sink_signature(struct arena *a, const void *secret, size_t secret_n, int64_t now_us, const void *body, size_t n)
{
	uint8_t mac[SHA256_BYTES];
	char hex[2 * SHA256_BYTES + 1];
	const char *at = arena_printf(a, "%" PRId64, now_us / SECOND_US);
	const struct digest_part parts[] = {{at, strlen(at)}, {".", 1}, {body, n}};
	hmac_sha256(secret, secret_n, parts, 3, mac);
	hex_encode(mac, sizeof mac, hex);
	return arena_printf(a, "t=%s,v1=%s", at, hex);
}

/* ---- the call ---- */

struct call_state {
	struct delivery *d;
	struct outbound out;
};

static int progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	return *((const struct call_state *)arg)->d->stop;
}

static void set_options(CURL *h, struct call_state *c, const struct buf *body, struct curl_slist *headers)
{
	curl_easy_reset(h); /* its connections stay */
	outbound_guard(h, &c->out, c->d->sink->target);
	curl_easy_setopt(h, CURLOPT_POST, 1L);
	curl_easy_setopt(h, CURLOPT_POSTFIELDS, body->data);
	curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)SINK_TIMEOUT_MS);
	curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, progress);
	curl_easy_setopt(h, CURLOPT_XFERINFODATA, c);
	if (c->d->sink->ca_pem != NULL) {
		struct curl_blob ca = {.data = (void *)(uintptr_t)c->d->sink->ca_pem, .len = strlen(c->d->sink->ca_pem), .flags = CURL_BLOB_COPY};
		curl_easy_setopt(h, CURLOPT_CAINFO_BLOB, &ca);
		curl_easy_setopt(h, CURLOPT_CAPATH, NULL);
	}
}

/* A status is an answer also where the rest of it was cut off. */
static enum err judge(CURL *h, struct call_state *c, CURLcode code)
{
	struct delivery *d = c->d;
	long status = 0;
	curl_off_t after = 0;
	curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(h, CURLINFO_RETRY_AFTER, &after);
	if (c->out.refused)
		return scope_fail(d->s, ERR_FORBIDDEN, OUTBOUND_REFUSED);
	if (!outbound_answered(&c->out, code))
		return scope_fail(d->s, ERR_NO_SERVER, "no answer: %s", curl_easy_strerror(code));
	if (status >= 200 && status < 300)
		return OK;
	if ((status == 429 || status == 503) && after > 0)
		d->retry_after_us = (after < 86400 ? (int64_t)after : 86400) * SECOND_US;
	if (status == 413 && d->page->count > 1)
		d->fewer = d->page->count / 2;
	return scope_fail(d->s, ERR_NO_SERVER, "the receiver answered %ld", status);
}

static enum err post(struct delivery *d, CURL *h, const char *host, const struct buf *body)
{
	struct call_state c = {.d = d, .out = {.reach = d->srv->reach, .host = host}};
	size_t n;
	void *secret = keeper_unseal(d->s->keeper, d->s->arena, d->sink->secret, d->sink->secret_n, &n);
	if (secret == NULL)
		return scope_fail(d->s, ERR_CONFIG, "the webhook's secret was not sealed by this keeper; give it again");
	char *signature = sink_signature(d->s->arena, secret, n, d->s->now, body->data, body->len);
	wipe(secret, n);
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/cloudevents-batch+json; charset=utf-8");
	headers = curl_slist_append(headers, "Expect:");
	headers = curl_slist_append(headers, arena_printf(d->s->arena, "Reeve-Signature: %s", signature));
	check(headers != NULL);
	set_options(h, &c, body, headers);
	enum err e = judge(h, &c, curl_easy_perform(h));
	curl_slist_free_all(headers);
	return e;
}

enum err sink_to_webhook(struct delivery *d)
{
	struct target t;
	auto_buf body;
	buf_init(&body, LIMIT_RESPONSE_BYTES);
	if (!target_https(d->s->arena, d->sink->target, &t))
		return scope_fail(d->s, ERR_BAD_REQUEST, "the target is no https URL");
	TRY(sink_cloud_events(d, &body));
	if (*d->kept == NULL)
		*d->kept = curl_easy_init();
	if (*d->kept == NULL)
		return scope_fail(d->s, ERR_INTERNAL, "no memory");
	return post(d, *d->kept, t.host, &body);
}

void sink_webhook_forget(void *kept)
{
	if (kept != NULL)
		curl_easy_cleanup(kept);
}
