/* SPDX-License-Identifier: Apache-2.0
 * One decoder step, for those who replace what is malformed (JSON out) and those who refuse it (URLs in). */
#include "codec/utf8.h"

/* What the first byte asks for: the length (0: no first byte) and the range of the second. */
static size_t expect(unsigned char first, unsigned char *ret_lo, unsigned char *ret_hi)
{
	*ret_lo = 0x80;
	*ret_hi = 0xbf;
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef) {
		*ret_lo = first == 0xe0 ? 0xa0 : *ret_lo; /* no overlong forms */
		*ret_hi = first == 0xed ? 0x9f : *ret_hi; /* no surrogates */
		return 3;
	}
	if (first >= 0xf0 && first <= 0xf4) {
		*ret_lo = first == 0xf0 ? 0x90 : *ret_lo;
		*ret_hi = first == 0xf4 ? 0x8f : *ret_hi; /* U+10FFFF is the last */
		return 4;
	}
	return 0;
}

size_t utf8_length(const char *p, size_t n, size_t *ret_bad)
{
	const unsigned char *b = (const unsigned char *)p;
	unsigned char lo, hi;
	*ret_bad = 1;
	if (b[0] < 0x80)
		return 1;
	size_t want = expect(b[0], &lo, &hi);
	for (size_t i = 1; i < want; i++) {
		if (i >= n || b[i] < lo || b[i] > hi) {
			*ret_bad = i;
			return 0;
		}
		lo = 0x80;
		hi = 0xbf;
	}
	return want;
}

bool utf8_valid(const char *p, size_t n)
{
	size_t len, bad;
	for (size_t i = 0; i < n; i += len) {
		len = utf8_length(p + i, n - i, &bad);
		if (len == 0)
			return false;
	}
	return true;
}
