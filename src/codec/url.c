/* SPDX-License-Identifier: Apache-2.0
 *
 * Percent-encoding (RFC 3986).  What comes out of the decoder is text: UTF-8 without NUL, so that nothing behind it
 * ends early at a terminator, or is refused by the database.
 */
#include <stdint.h>
#include <string.h>

#include "base/id.h"
#include "codec/odata.h"
#include "codec/utf8.h"

char *url_decode(struct arena *a, const char *text, size_t n, bool plus)
{
	char *out = n < SIZE_MAX ? arena_try(a, n + 1) : NULL;
	if (out == NULL)
		return NULL;
	size_t len = 0;
	for (size_t i = 0; i < n; i++) {
		char c = text[i];
		if (c == '%') {
			if (n - i < 3 || !hex_decode(text + i + 1, 1, &c))
				return NULL;
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		if (c == '\0')
			return NULL;
		out[len++] = c;
	}
	return utf8_valid(out, len) ? out : NULL;
}

static bool unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
	       c == '_' || c == '~';
}

char *url_encode(struct arena *a, const char *text)
{
	static const char digits[] = "0123456789ABCDEF"; /* upper case, as RFC 3986 2.1 asks */
	char *out = arena_alloc(a, strlen(text) * 3 + 1), *at = out;
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		if (unreserved(*text)) {
			*at++ = *text;
		} else {
			*at++ = '%';
			*at++ = digits[c >> 4];
			*at++ = digits[c & 15];
		}
	}
	return out;
}
