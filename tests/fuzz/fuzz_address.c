/* SPDX-License-Identifier: Apache-2.0
 * An address and a network come back from their text, and no X-Forwarded-For of a stranger is believed.  Input: lines; the first is an
 * address, the second a network, the rest are values of the header. */
#include "fuzz.h"

#include "http/address.h"

enum { LINES_MAX = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n > LIMIT_HEADER_BYTES)
		return 0;
	char *text = arena_strndup(fuzz_scope()->arena, (const char *)bytes, n), *line[LINES_MAX];
	char out[ADDRESS_TEXT];
	size_t count = 0;
	struct address a, b;
	struct network net;
	for (; count < LINES_MAX && text != NULL; count++)
		line[count] = strsep(&text, "\n");
	bool have = address_parse(line[0], strlen(line[0]), &a);
	if (have) {
		address_format(&a, out);
		check(address_parse(out, strlen(out), &b) && address_equal(&a, &b));
	}
	if (count < 2 || !network_parse(line[1], &net))
		return 0;
	check(net.bits <= 128 && network_has(&net, &net.base));
	if (!have)
		return 0;
	struct address got = address_client(a, &net, 1, (const char *const *)line + 2, count - 2);
	if (!network_has(&net, &a))
		check(address_equal(&got, &a));
	got = address_client(a, NULL, 0, (const char *const *)line + 2, count - 2);
	check(address_equal(&got, &a));
	return 0;
}
