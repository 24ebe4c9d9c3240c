/* SPDX-License-Identifier: Apache-2.0
 * UUIDv7 and hexadecimal text. */
#include "base/id.h"

#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "base/err.h"

void random_bytes(void *p, size_t n)
{
	unsigned char *at = p;
	while (n > 0) {
		ssize_t got = getrandom(at, n, 0);
		check(got > 0);
		at += got;
		n -= (size_t)got;
	}
}

struct id id_new(int64_t now_us)
{
	struct id id;
	uint64_t ms = (uint64_t)(now_us / 1000);
	random_bytes(id.b + 6, 10);
	for (int i = 0; i < 6; i++)
		id.b[i] = (uint8_t)(ms >> (40 - 8 * i));
	id.b[6] = (uint8_t)(0x70 | (id.b[6] & 0x0f));
	id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3f));
	return id;
}

void hex_encode(const void *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *b = p;
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[b[i] >> 4];
		out[2 * i + 1] = digits[b[i] & 15];
	}
	out[2 * n] = '\0';
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(const char *text, size_t bytes, void *out)
{
	unsigned char *b = out;
	for (size_t i = 0; i < bytes; i++) {
		int hi = nibble(text[2 * i]);
		int lo = hi < 0 ? -1 : nibble(text[2 * i + 1]);
		if (lo < 0)
			return false;
		b[i] = (unsigned char)(hi << 4 | lo);
	}
	return true;
}

char *id_format(struct id id, char out[ID_TEXT])
{
	char hex[33];
	hex_encode(id.b, 16, hex);
	static const int len[] = {8, 4, 4, 4, 12};
	char *at = out;
	const char *from = hex;
	for (int i = 0; i < 5; i++) {
		if (i > 0)
			*at++ = '-';
		memcpy(at, from, (size_t)len[i]);
		at += len[i];
		from += len[i];
	}
	*at = '\0';
	return out;
}

bool id_parse(const char *text, struct id *ret)
{
	if (text == NULL || strlen(text) != 36)
		return false;
	char hex[33];
	int n = 0;
	for (int i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if ((text[i] == '-') != dash)
			return false;
		if (!dash)
			hex[n++] = text[i];
	}
	hex[32] = '\0';
	struct id id;
	if (!hex_decode(hex, 16, id.b))
		return false;
	*ret = id;
	return true;
}

bool id_equal(struct id a, struct id b)
{
	return memcmp(a.b, b.b, 16) == 0;
}

bool id_is_nil(struct id id)
{
	static const struct id nil;
	return id_equal(id, nil);
}
