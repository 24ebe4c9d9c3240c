/* SPDX-License-Identifier: Apache-2.0 */
#include "api/cors.h"

#include <string.h>

enum { ORIGINS_MAX = 32, ORIGIN_BYTES_MAX = 300 };

struct cors {
	size_t n;
	const char *origin[ORIGINS_MAX];
};

/* scheme://host[:port] in lower case, without a path: as browsers send it (RFC 6454, section 6.2). */
static bool is_origin(const char *text)
{
	static const char *const schemes[] = {"https://", "http://localhost", "http://127.0.0.1", "http://[::1]"};
	size_t n = strlen(text);
	bool good = false;
	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
		size_t head = strlen(schemes[i]);
		good |= strncmp(text, schemes[i], head) == 0 && (i == 0 ? text[head] != '\0' : text[head] == '\0' || text[head] == ':');
	}
	const char *host = strstr(text, "//");
	return good && n <= ORIGIN_BYTES_MAX && host != NULL && strspn(host + 2, "abcdefghijklmnopqrstuvwxyz0123456789.-:[]") == strlen(host + 2);
}

bool cors_parse(struct arena *a, const char *text, const struct cors **ret)
{
	struct cors *c = arena_alloc(a, sizeof *c);
	char *rest = NULL;
	*ret = NULL;
	for (char *p = strtok_r(arena_strdup(a, text), ", ", &rest); p != NULL; p = strtok_r(NULL, ", ", &rest)) {
		if (c->n == ORIGINS_MAX || !is_origin(p))
			return false;
		c->origin[c->n++] = p;
	}
	*ret = c->n > 0 ? c : NULL;
	return true;
}

/* The request's origin where it is a named one. */
static const char *named(const struct cors *c, const struct http_request *in)
{
	const char *origin = c == NULL ? NULL : http_header(in, "Origin");
	for (size_t i = 0; origin != NULL && i < c->n; i++)
		if (strcmp(origin, c->origin[i]) == 0)
			return c->origin[i];
	return NULL;
}

void cors_answer(const struct cors *c, const struct http_request *in, struct http_response *out)
{
	const char *origin = named(c, in);
	if (c != NULL)
		http_response_header(out, "Vary", "Origin");
	if (origin == NULL)
		return;
	http_response_header(out, "Access-Control-Allow-Origin", origin);
	http_response_header(out, "Access-Control-Expose-Headers", "request-id, client-request-id, Retry-After, Location, ETag, Preference-Applied");
	http_response_header(out, "Cross-Origin-Resource-Policy", "cross-origin");
}

void cors_preflight(const struct cors *c, const struct http_request *in, struct http_response *out, const char *allow)
{
	if (named(c, in) == NULL || http_header(in, "Access-Control-Request-Method") == NULL)
		return;
	http_response_header(out, "Access-Control-Allow-Methods", allow);
	http_response_header(out, "Access-Control-Allow-Headers", "authorization, content-type, accept, client-request-id, consistencylevel, prefer, "
								  "if-match, if-none-match, x-msft-approval-code, x-msft-approval-justification");
	http_response_header(out, "Access-Control-Max-Age", "600");
}
