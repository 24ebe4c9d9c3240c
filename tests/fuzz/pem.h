/* SPDX-License-Identifier: Apache-2.0
 * A fuzzer changes DER, not base64: PEM around any bytes, and the bytes out of PEM. */
#ifndef REEVE_TESTS_FUZZ_PEM_H
#define REEVE_TESTS_FUZZ_PEM_H

#include "codec/base64.h"
#include "fuzz.h"

static inline char *pem_of(struct arena *a, const char *label, const void *der, size_t n)
{
	const char *text = base64_encode(a, der, n);
	char *body = arena_alloc(a, strlen(text) * 65 / 64 + 2), *p = body;
	for (size_t left = strlen(text), line; left > 0; left -= line, text += line) {
		line = left < 64 ? left : 64;
		memcpy(p, text, line);
		p[line] = '\n';
		p += line + 1;
	}
	return arena_printf(a, "-----BEGIN %s-----\n%s-----END %s-----\n", label, body, label);
}

/* Of the first object in the text, which is one that OpenSSL wrote. */
static inline void *pem_bytes(struct arena *a, const char *pem, size_t *ret_n)
{
	const char *from = strchr(pem, '\n'), *to = from != NULL ? strstr(from, "-----END") : NULL;
	check(to != NULL);
	char *text = arena_alloc(a, (size_t)(to - from) + 1), *p = text;
	for (; from < to; from++)
		if (*from != '\n')
			*p++ = *from;
	void *bytes;
	check(base64_decode(a, text, strlen(text), &bytes, ret_n));
	return bytes;
}

#endif
