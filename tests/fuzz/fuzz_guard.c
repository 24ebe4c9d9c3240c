/* SPDX-License-Identifier: Apache-2.0
 * What the guard lets through, only one reading has: one host, one length or one "chunked", and no character that could end a line.
 * Input: a byte of flags, the target's line, then the header's lines. */
#include <ctype.h>
#include <strings.h>

#include "fuzz.h"

#include "http/guard.h"

static bool named(const struct guard_header *h, const char *name)
{
	return h->name_len == strlen(name) && strncasecmp(h->name, name, h->name_len) == 0;
}

static size_t split(const char *p, const char *end, struct guard_header out[GUARD_HEADERS_MAX])
{
	size_t count = 0;
	while (p < end && count < GUARD_HEADERS_MAX) {
		const char *line_end = memchr(p, '\n', (size_t)(end - p));
		if (line_end == NULL)
			line_end = end;
		const char *colon = memchr(p, ':', (size_t)(line_end - p));
		const char *name_end = colon != NULL ? colon : line_end, *value = colon != NULL ? colon + 1 : line_end;
		out[count++] = (struct guard_header){p, value, (size_t)(name_end - p), (size_t)(line_end - value)};
		p = line_end < end ? line_end + 1 : end;
	}
	return count;
}

static void passed(const struct guard_input *in, const struct guard_framing *f)
{
	unsigned hosts = 0, lengths = 0, encodings = 0;
	for (size_t i = 0; i < in->count; i++) {
		const struct guard_header *h = &in->headers[i];
		check(h->name_len > 0);
		for (size_t k = 0; k < h->name_len; k++)
			check(h->name[k] > ' ' && h->name[k] < 0x7f);
		for (size_t k = 0; k < h->value_len; k++)
			check(h->value[k] == '\t' || ((unsigned char)h->value[k] >= ' ' && h->value[k] != 0x7f));
		hosts += named(h, "host");
		encodings += named(h, "transfer-encoding");
		if (!named(h, "content-length"))
			continue;
		uint64_t length = 0;
		for (size_t k = 0; k < h->value_len; k++) {
			check(isdigit((unsigned char)h->value[k]));
			length = length * 10 + (uint64_t)(h->value[k] - '0');
		}
		check(h->value_len > 0 && length == f->length && length <= INT64_MAX);
		lengths++;
	}
	check(!in->need_host || hosts == 1);
	check(lengths <= 1 && encodings <= 1 && lengths + encodings <= 1);
	check(f->chunked == (encodings == 1) && !(f->chunked && in->http10));
	check(lengths == 1 || f->length == 0);
}

static void target(const char *text)
{
	enum guard_verdict v = guard_target(text);
	check(v == GUARD_OK || v == GUARD_TARGET);
	if (v != GUARD_OK)
		return;
	check(text[0] == '/' || strcmp(text, "*") == 0);
	for (; *text != '\0'; text++)
		check((unsigned char)*text > ' ' && *text != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n == 0 || n > LIMIT_HEADER_BYTES)
		return 0;
	struct guard_header headers[GUARD_HEADERS_MAX];
	struct guard_framing f = {.chunked = true, .length = 77};
	const char *p = (const char *)bytes + 1, *end = (const char *)bytes + n;
	const char *line_end = memchr(p, '\n', n - 1);
	size_t line = line_end != NULL ? (size_t)(line_end - p) : n - 1;
	target(arena_strndup(fuzz_scope()->arena, p, line));
	p = line_end != NULL ? line_end + 1 : end;
	struct guard_input in = {.headers = headers, .count = split(p, end, headers), .need_host = bytes[0] & 1, .http10 = bytes[0] & 2};
	enum guard_verdict v = guard_check(&in, &f);
	check(guard_reason(v)[0] != '\0' && strcmp(guard_reason(v), "malformed request") != 0);
	if (v == GUARD_OK)
		passed(&in, &f);
	else
		check(f.chunked && f.length == 77);
	return 0;
}
