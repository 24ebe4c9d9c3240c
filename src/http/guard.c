/* SPDX-License-Identifier: Apache-2.0
 *
 * The framing guard.  libmicrohttpd takes the first of two Content-Length headers, prefers Transfer-Encoding where both
 * are there, and keeps a space before the colon as a part of the name; a front that reads the same bytes otherwise
 * could then be made to see another request than we do.  So everything ambiguous is refused, also where the standard
 * would allow a repair.
 */
#include "http/guard.h"

#include <string.h>

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool equal_any_case(const char *a, size_t n, const char *b)
{
	if (strlen(b) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool all_of(const char *s, size_t n, const char *beside_alnum)
{
	for (size_t i = 0; i < n; i++)
		if (!is_alnum(s[i]) && (s[i] == '\0' || strchr(beside_alnum, s[i]) == NULL))
			return false;
	return true;
}

bool guard_name_valid(const char *name, size_t n)
{
	return n > 0 && all_of(name, n, "!#$%&'*+-.^_`|~");
}

bool guard_value_valid(const char *value, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)value[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

bool guard_name_is(const struct guard_header *h, const char *name)
{
	return equal_any_case(h->name, h->name_len, name);
}

static bool parse_length(const struct guard_header *h, uint64_t *ret)
{
	uint64_t n = 0;
	if (h->value_len == 0 || h->value_len > 18) /* 18 digits always fit */
		return false;
	for (size_t i = 0; i < h->value_len; i++) {
		if (h->value[i] < '0' || h->value[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(h->value[i] - '0');
	}
	*ret = n;
	return true;
}

/* What the lines that matter for framing have said so far. */
struct seen {
	unsigned hosts, lengths, encodings, credentials;
	uint64_t length;
};

static enum guard_verdict check_line(const struct guard_header *h, const struct guard_input *in, struct seen *seen)
{
	if (!guard_name_valid(h->name, h->name_len))
		return GUARD_NAME;
	if (!guard_value_valid(h->value, h->value_len))
		return GUARD_VALUE;
	if (guard_name_is(h, "Host")) {
		if (in->need_host && seen->hosts++ > 0)
			return GUARD_HOST_REPEATED;
		if (in->need_host && !all_of(h->value, h->value_len, "-._~%:[]"))
			return GUARD_HOST;
	} else if (guard_name_is(h, "Content-Length")) {
		if (seen->lengths++ > 0)
			return GUARD_LENGTH_REPEATED;
		if (!parse_length(h, &seen->length))
			return GUARD_LENGTH;
	} else if (guard_name_is(h, "Transfer-Encoding")) {
		if (seen->encodings++ > 0 || in->http10 || !equal_any_case(h->value, h->value_len, "chunked"))
			return GUARD_ENCODING;
	} else if (guard_name_is(h, "Authorization") && seen->credentials++ > 0) {
		return GUARD_CREDENTIALS_REPEATED;
	}
	return GUARD_OK;
}

enum guard_verdict guard_check(const struct guard_input *in, struct guard_framing *ret)
{
	struct seen seen = {0};
	for (size_t i = 0; i < in->count; i++) {
		enum guard_verdict v = check_line(&in->headers[i], in, &seen);
		if (v != GUARD_OK)
			return v;
	}
	if (in->need_host && seen.hosts == 0)
		return GUARD_HOST_MISSING;
	if (seen.lengths > 0 && seen.encodings > 0)
		return GUARD_LENGTH_AND_ENCODING;
	*ret = (struct guard_framing){.chunked = seen.encodings > 0, .length = seen.length};
	return GUARD_OK;
}

enum guard_verdict guard_target(const char *target)
{
	if (target[0] != '/' && strcmp(target, "*") != 0)
		return GUARD_TARGET;
	for (const char *p = target; *p != '\0'; p++)
		if ((unsigned char)*p <= 0x20 || *p == 0x7f)
			return GUARD_TARGET;
	return GUARD_OK;
}

const char *guard_reason(enum guard_verdict v)
{
	switch (v) {
	case GUARD_OK:
		return "ok";
	case GUARD_TARGET:
		return "the request target must be a path without spaces and control characters";
	case GUARD_NAME:
		return "a header name has a character that no name may have";
	case GUARD_VALUE:
		return "a header value has a control character";
	case GUARD_HOST_MISSING:
		return "the Host header is missing";
	case GUARD_HOST_REPEATED:
		return "there is more than one Host header";
	case GUARD_HOST:
		return "the Host header is no host and port";
	case GUARD_LENGTH_REPEATED:
		return "there is more than one Content-Length header";
	case GUARD_LENGTH:
		return "the Content-Length header is no plain number";
	case GUARD_ENCODING:
		return "the only Transfer-Encoding that is understood is one chunked, in HTTP/1.1";
	case GUARD_LENGTH_AND_ENCODING:
		return "Content-Length and Transfer-Encoding exclude each other";
	case GUARD_CREDENTIALS_REPEATED:
		return "there is more than one Authorization header";
	}
	return "malformed request";
}
