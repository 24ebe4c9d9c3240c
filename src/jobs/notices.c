/* SPDX-License-Identifier: Apache-2.0
 *
 * One POST, or one mail.  2xx confirms; everything else, redirects too, is a failure.  What an answer says is read to 64 KiB and ignored; a
 * failure is told in our own words, libcurl's and the number of the answer.
 */
#include "jobs/notices.h"

#include <curl/curl.h>
#include <stdatomic.h>
#include <string.h>

#include "codec/target.h"
#include "jobs/jobs_internal.h"
#include "http/outbound.h"
#include "jobs/sinks_internal.h"
#include "privacy/request/letter.h"

static int progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct server *srv = arg;
	return atomic_load(&srv->draining);
}

static void set_options(CURL *h, struct outbound *out, const struct server *srv, const struct notice_webhook *to, const char *body, size_t n)
{
	outbound_guard(h, out, to->url);
	curl_easy_setopt(h, CURLOPT_POST, 1L);
	curl_easy_setopt(h, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)n);
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)NOTICE_TIMEOUT_MS);
	curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, progress);
	curl_easy_setopt(h, CURLOPT_XFERINFODATA, (void *)(uintptr_t)srv);
	if (to->ca_pem != NULL) {
		struct curl_blob ca = {.data = (void *)(uintptr_t)to->ca_pem, .len = strlen(to->ca_pem), .flags = CURL_BLOB_COPY};
		curl_easy_setopt(h, CURLOPT_CAINFO_BLOB, &ca);
		curl_easy_setopt(h, CURLOPT_CAPATH, NULL);
	}
}

static enum err judge(struct scope *s, CURL *h, const struct outbound *out, CURLcode code)
{
	long status = 0;
	curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_ABORTED_BY_CALLBACK)
		return ERR_BUSY;
	if (out->refused)
		return scope_fail(s, ERR_FORBIDDEN, OUTBOUND_REFUSED);
	if (!outbound_answered(out, code))
		return scope_fail(s, ERR_NO_SERVER, "no answer: %s", curl_easy_strerror(code));
	return status >= 200 && status < 300 ? OK : scope_fail(s, ERR_NO_SERVER, "the receiver answered %ld", status);
}

static enum err post(const struct notice_carrier *c, struct scope *s, const struct notice_webhook *to, const char *body, size_t n)
{
	struct server *srv = c->arg;
	struct target t;
	if (!target_https(s->arena, to->url, &t))
		return scope_fail(s, ERR_BAD_REQUEST, "the target is no https URL");
	struct outbound out = {.reach = srv->reach, .host = t.host};
	CURL *h = curl_easy_init();
	const char *signature = sink_signature(s->arena, to->secret, to->secret_n, s->now, body, n);
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/cloudevents+json; charset=utf-8");
	headers = curl_slist_append(headers, "Expect:");
	headers = curl_slist_append(headers, arena_printf(s->arena, "Reeve-Signature: %s", signature));
	check(h != NULL && headers != NULL);
	set_options(h, &out, srv, to, body, n);
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
	enum err e = judge(s, h, &out, curl_easy_perform(h));
	curl_slist_free_all(headers);
	curl_easy_cleanup(h);
	return e;
}

static enum err mail(const struct notice_carrier *c, struct scope *s, const char *to, const char *message, size_t n)
{
	const struct server *srv = c->arg;
	return srv->mailer->send(srv->mailer, s, to, message, n);
}

struct notice_carrier notice_carrier(struct server *srv)
{
	return (struct notice_carrier){.source = srv->url, .from = srv->mailer == NULL ? NULL : srv->mailer->from, .post = post, .mail = mail,
				       .arg = srv};
}

enum err job_notices(struct server *srv, struct scope *s, bool *ret_more)
{
	struct notice_carrier c = notice_carrier(srv);
	return notice_send_next(s, &c, ret_more);
}
