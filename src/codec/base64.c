/* SPDX-License-Identifier: Apache-2.0
 *
 * Base64 both ways.  The decoder accepts exactly what the encoder of the same alphabet makes, so that bytes have one
 * text: no white space, no missing or superfluous padding, no bits set in the unused tail.
 */
#include "codec/base64.h"

#include <stdint.h>

#include "base/err.h"

static const char STANDARD[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Writes the text of n bytes and returns its length; no terminator. */
static size_t encode(const char *alphabet, bool pad, const unsigned char *p, size_t n, char *out)
{
	char *at = out;
	for (; n >= 3; n -= 3, p += 3) {
		*at++ = alphabet[p[0] >> 2];
		*at++ = alphabet[(p[0] & 3) << 4 | p[1] >> 4];
		*at++ = alphabet[(p[1] & 15) << 2 | p[2] >> 6];
		*at++ = alphabet[p[2] & 63];
	}
	if (n > 0) {
		*at++ = alphabet[p[0] >> 2];
		*at++ = alphabet[(p[0] & 3) << 4 | (n == 2 ? p[1] >> 4 : 0)];
		if (n == 2)
			*at++ = alphabet[(p[1] & 15) << 2];
		else if (pad)
			*at++ = '=';
		if (pad)
			*at++ = '=';
	}
	return (size_t)(at - out);
}

static char *encode_in(struct arena *a, const char *alphabet, bool pad, const void *p, size_t n)
{
	check(n <= SIZE_MAX / 2);
	char *out = arena_alloc(a, (n + 2) / 3 * 4 + 1);
	encode(alphabet, pad, p, n, out);
	return out;
}

char *base64_encode(struct arena *a, const void *p, size_t n)
{
	return encode_in(a, STANDARD, true, p, n);
}

char *base64url_encode(struct arena *a, const void *p, size_t n)
{
	return encode_in(a, URL, false, p, n);
}

char *base32_encode(struct arena *a, const void *p, size_t n)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	const unsigned char *in = p;
	check(n <= SIZE_MAX / 16);
	char *out = arena_alloc(a, (n * 8 + 4) / 5 + 1), *at = out;
	for (size_t bit = 0; bit < n * 8; bit += 5) {
		unsigned pair = (unsigned)in[bit / 8] << 8 | (bit / 8 + 1 < n ? in[bit / 8 + 1] : 0);
		*at++ = alphabet[pair >> (11 - bit % 8) & 31];
	}
	*at = '\0';
	return out;
}

void base64_add(struct buf *out, const void *p, size_t n)
{
	enum { BYTES = 768 }; /* a multiple of 3: padding only at the end */
	char text[BYTES / 3 * 4];
	for (const unsigned char *at = p; n > 0;) {
		size_t part = n < BYTES ? n : BYTES;
		buf_add(out, text, encode(STANDARD, true, at, part, text));
		at += part;
		n -= part;
	}
}

static int value_of(const char *alphabet, char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == alphabet[62] ? 62 : c == alphabet[63] ? 63 : -1;
}

static bool decode(struct arena *a, const char *alphabet, const char *text, size_t n, void **ret, size_t *ret_n)
{
	size_t rest = n % 4;
	if (rest == 1)
		return false;
	size_t bytes = n / 4 * 3 + (rest > 0 ? rest - 1 : 0), filled = 0;
	unsigned char *out = arena_try(a, bytes + 1);
	if (out == NULL)
		return false;
	uint32_t bits = 0;
	unsigned have = 0;
	for (size_t i = 0; i < n; i++) {
		int v = value_of(alphabet, text[i]);
		if (v < 0)
			return false;
		bits = (bits << 6 | (uint32_t)v) & 0xffff;
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[filled++] = (unsigned char)(bits >> have);
		}
	}
	if ((bits & ((1u << have) - 1)) != 0)
		return false;
	check(filled == bytes);
	*ret = out;
	*ret_n = bytes;
	return true;
}

bool base64_decode(struct arena *a, const char *text, size_t n, void **ret, size_t *ret_n)
{
	if (n % 4 != 0)
		return false;
	for (int i = 0; i < 2 && n > 0 && text[n - 1] == '='; i++)
		n--;
	return decode(a, STANDARD, text, n, ret, ret_n);
}

bool base64url_decode(struct arena *a, const char *text, size_t n, void **ret, size_t *ret_n)
{
	return decode(a, URL, text, n, ret, ret_n);
}
