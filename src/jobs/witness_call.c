/* SPDX-License-Identifier: Apache-2.0
 * add-checkpoint, by libcurl. */
#include "jobs/witness_call.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "codec/base64.h"

enum { CONNECT_MS = 2000, TOTAL_MS = 10000, SIZE_DIGITS_MAX = 19 };

void witness_body(struct buf *out, uint64_t old_size, const struct merkle_proof *p, const char *note)
{
	buf_printf(out, "old %" PRIu64 "\n", old_size);
	for (unsigned i = 0; i < p->n; i++) {
		base64_add(out, p->hash[i], SHA256_BYTES);
		buf_addc(out, '\n');
	}
	buf_addc(out, '\n');
	buf_adds(out, note);
}

/* ---- the answer ---- */

static void say(struct witness_answer *a, const char *what, const char *body, size_t n)
{
	size_t at = (size_t)snprintf(a->why, sizeof a->why, "%s", what);
	if (n > 0 && at + 3 < sizeof a->why)
		at += (size_t)snprintf(a->why + at, sizeof a->why - at, ": ");
	for (size_t i = 0; i < n && body[i] != '\n' && at + 1 < sizeof a->why; i++)
		a->why[at++] = body[i] >= ' ' && body[i] < 0x7f && body[i] != '"' ? body[i] : '?';
	a->why[at] = '\0';
}

/* "<size>\n" */
static bool read_size(const char *body, size_t n, uint64_t *ret)
{
	uint64_t v = 0;
	if (n > 0 && body[n - 1] == '\n')
		n--;
	if (n == 0 || n > SIZE_DIGITS_MAX || (n > 1 && body[0] == '0'))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (body[i] < '0' || body[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(body[i] - '0');
	}
	*ret = v;
	return v <= INT64_MAX;
}

/* The lines under our own note must make a note that this witness has signed.  Lines of keys that we do not know are left out. */
static void read_lines(struct scope *s, const struct policy_item *w, const char *note, const char *body, size_t n, struct witness_answer *ret)
{
	struct scope inner = *s;
	struct note_seen seen = {0};
	char *text, *all = arena_try(s->arena, strlen(note) + n + 1);
	ret->what = WITNESS_LOST;
	if (all == NULL || n == 0 || memchr(body, '\0', n) != NULL) {
		say(ret, "it answered with no signature", NULL, 0);
		return;
	}
	memcpy(stpcpy(all, note), body, n);
	inner.detail = NULL;
	enum err e = note_open(&inner, all, strlen(note) + n, &w->key, 1, &text, &seen);
	if (e != OK || !seen.signed_ || strncmp(text, note, strlen(text)) != 0) {
		say(ret, e != OK ? "its signature is bad" : "its signature is by another key", NULL, 0);
		return;
	}
	ret->what = WITNESS_SIGNED;
	ret->line = seen.line;
}

void witness_read(struct scope *s, const struct policy_item *w, const char *note, int status, const char *content_type, const char *body,
		  size_t n, struct witness_answer *ret)
{
	*ret = (struct witness_answer){.what = WITNESS_REFUSED, .status = status};
	switch (status) {
	case 200:
		read_lines(s, w, note, body, n, ret);
		return;
	case 409:
		if (content_type != NULL && strcmp(content_type, "text/x.tlog.size") == 0 && read_size(body, n, &ret->size))
			ret->what = WITNESS_ELSEWHERE;
		else
			say(ret, "it answered 409 without a size", body, n);
		return;
	case 400:
		say(ret, "it could not read the request (400)", body, n);
		return;
	case 403:
		say(ret, "it trusts no key that signed the checkpoint (403)", body, n);
		return;
	case 404:
		say(ret, "it does not know the log's origin (404)", body, n);
		return;
	case 422:
		say(ret, "what it saw before is not what this log continues (422)", body, n);
		return;
	default:
		ret->what = WITNESS_LOST;
		say(ret, "it answered with an unexpected status", body, n);
	}
}

/* ---- the way ---- */

struct exchange {
	struct buf body;
	const atomic_bool *stop;
};

static size_t take(char *p, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;
	buf_add(&x->body, p, size * n);
	return x->body.failed ? 0 : size * n; /* 0 ends the transfer */
}

static int stopped(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct exchange *x = arg;
	return atomic_load(x->stop);
}

static char *address(struct arena *a, const char *url)
{
	size_t n = strlen(url);
	while (n > 0 && url[n - 1] == '/')
		n--;
	return arena_printf(a, "%.*s/add-checkpoint", (int)n, url);
}

static void prepare(CURL *h, struct scope *s, const char *url, const struct buf *request, struct exchange *x)
{
	curl_easy_reset(h);
	curl_easy_setopt(h, CURLOPT_URL, address(s->arena, url));
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)TOTAL_MS);
	curl_easy_setopt(h, CURLOPT_POSTFIELDS, request->data);
	curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE, (long)request->len);
	curl_easy_setopt(h, CURLOPT_USERAGENT, "reeve/" REEVE_VERSION);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, stopped);
	curl_easy_setopt(h, CURLOPT_XFERINFODATA, x);
}

void witness_call(struct scope *s, void *curl, const struct policy_item *w, uint64_t old_size, const struct merkle_proof *p, const char *note,
		  const atomic_bool *stop, struct witness_answer *ret)
{
	struct exchange x = {.stop = stop};
	auto_buf request;
	long status = 0;
	char *type = NULL;
	buf_init(&request, NOTE_BYTES_MAX);
	buf_init(&x.body, WITNESS_ANSWER_BYTES_MAX);
	witness_body(&request, old_size, p, note);
	prepare(curl, s, w->url, &request, &x);
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: text/plain; charset=utf-8");
	headers = curl_slist_append(headers, "Expect:");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	CURLcode code = curl_easy_perform(curl);
	if (code == CURLE_OK) {
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
		curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
		witness_read(s, w, note, (int)status, type, x.body.data, x.body.len, ret);
	} else {
		*ret = (struct witness_answer){.what = WITNESS_LOST};
		say(ret, curl_easy_strerror(code), NULL, 0);
	}
	curl_slist_free_all(headers);
	buf_release(&x.body);
}
