/* SPDX-License-Identifier: Apache-2.0
 * A call of an issuer: bounded in time and bytes, one address judged at a time (http/outbound.h), an object of JSON or nothing. */
#include <string.h>

#include "api/sign_in/issuer_inner.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "codec/target.h"
#include "http/outbound.h"

struct taken {
	struct buf body;
	struct outbound out;
};

static size_t take(char *p, size_t size, size_t n, void *arg)
{
	struct taken *t = arg;
	buf_add(&t->body, p, size * n);
	return t->body.failed ? 0 : size * n;
}

static enum err unavailable(struct scope *s, const char *why)
{
	return scope_fail(s, ERR_UNAVAILABLE, "the identity provider %s", why);
}

static enum err judge(struct scope *s, const struct taken *t, CURLcode code, long status, json_t **ret)
{
	if (t->out.refused)
		return unavailable(s, "has an address that may not be reached (setting sink_targets)");
	if (t->body.failed)
		return unavailable(s, "answered with more than may be read");
	if (code != CURLE_OK)
		return scope_fail(s, ERR_UNAVAILABLE, "the identity provider did not answer: %s", curl_easy_strerror(code));
	if (status >= 500 || (status >= 300 && status < 400))
		return scope_fail(s, ERR_UNAVAILABLE, "the identity provider answered with status %ld", status);
	if (json_read(s, t->body.data != NULL ? t->body.data : "", t->body.len, ret) == OK)
		return OK;
	s->detail = NULL;
	return scope_fail(s, ERR_UNAVAILABLE, "the identity provider answered with status %ld and no JSON object", status);
}

static struct curl_slist *set_options(CURL *h, struct taken *t, const struct issuer_call *c, struct arena *a)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");
	outbound_guard(h, &t->out, c->url);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)ISSUER_TIMEOUT_MS);
	if (*c->ca_file != '\0') {
		curl_easy_setopt(h, CURLOPT_CAINFO, c->ca_file);
		curl_easy_setopt(h, CURLOPT_CAPATH, NULL);
	}
	if (c->form != NULL)
		curl_easy_setopt(h, CURLOPT_POSTFIELDS, c->form);
	if (c->basic != NULL) {
		char *line = arena_printf(a, "Authorization: Basic %s", base64_encode(a, c->basic, strlen(c->basic)));
		headers = curl_slist_append(headers, line);
	}
	check(headers != NULL);
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
	return headers;
}

enum err issuer_call(struct scope *s, const struct issuer_call *c, long *ret_status, json_t **ret)
{
	struct target target;
	struct taken t = {.out = {.reach = c->reach}};
	if (!target_https(s->arena, c->url, &target))
		return unavailable(s, "has an address that is no https URL");
	t.out.host = target.host;
	CURL *h = curl_easy_init();
	if (h == NULL)
		return scope_fail(s, ERR_INTERNAL, "no memory");
	buf_init(&t.body, ISSUER_ANSWER_MAX);
	struct curl_slist *headers = set_options(h, &t, c, s->arena);
	CURLcode code = curl_easy_perform(h);
	curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, ret_status);
	enum err e = judge(s, &t, code, *ret_status, ret);
	curl_easy_cleanup(h);
	curl_slist_free_all(headers);
	buf_release(&t.body);
	return e;
}
