/* SPDX-License-Identifier: Apache-2.0
 * A request inside a request: what a listener checks of a target and of header lines is checked here again. */
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "http/guard.h"
#include "http/server.h"

/* Whose request it is, and for the session of a browser that our own page sent it. */
static const char *const CREDENTIALS[] = {"Authorization", "Cookie", "X-Reeve-CSRF", "Origin", "Sec-Fetch-Site"};
enum { CREDENTIALS_N = sizeof CREDENTIALS / sizeof CREDENTIALS[0] };

static bool is_credential(const char *name)
{
	for (size_t i = 0; i < CREDENTIALS_N; i++)
		if (strcasecmp(name, CREDENTIALS[i]) == 0)
			return true;
	return false;
}

static const char *refused(const char *method, const char *target, const struct http_field *fields, size_t n)
{
	if (strlen(target) > LIMIT_URL_BYTES)
		return "the request target is longer than the limit";
	if (target[0] != '/' || guard_target(target) != GUARD_OK)
		return guard_reason(GUARD_TARGET);
	if (!guard_name_valid(method, strlen(method)))
		return "the method is no token";
	for (size_t i = 0; i < n; i++) {
		if (!guard_name_valid(fields[i].name, strlen(fields[i].name)))
			return guard_reason(GUARD_NAME);
		if (!guard_value_valid(fields[i].value, strlen(fields[i].value)))
			return guard_reason(GUARD_VALUE);
	}
	return NULL;
}

bool http_inner(const struct http_request *outer, const char *method, const char *target, const struct http_field *fields, size_t n,
	struct http_request *ret, const char **reason)
{
	*reason = refused(method, target, fields, n);
	if (*reason != NULL)
		return false;
	struct header_table *t = arena_alloc(outer->arena, sizeof *t + (n + CREDENTIALS_N) * sizeof t->line[0]);
	for (size_t i = 0; i < n; i++)
		if (!is_credential(fields[i].name))
			t->line[t->count++] = fields[i];
	for (size_t i = 0; i < CREDENTIALS_N; i++) {
		const char *value = http_header(outer, CREDENTIALS[i]);
		if (value != NULL)
			t->line[t->count++] = (struct http_field){CREDENTIALS[i], value};
	}
	const char *mark = strchr(target, '?');
	*ret = *outer;
	ret->method = method;
	ret->path = mark == NULL ? target : arena_strndup(outer->arena, target, (size_t)(mark - target));
	ret->query = mark == NULL ? "" : mark + 1;
	ret->body = "";
	ret->body_len = 0;
	ret->headers_ = t;
	return true;
}

void http_answer_begin(struct http_response *r, struct arena *a)
{
	response_init(r, a);
}

void http_answer_drop(struct http_response *r)
{
	response_drop(r);
}
