/* SPDX-License-Identifier: Apache-2.0
 * The Cookie header: what is found stands in it once, after its name, and holds no separator. */
#include "fuzz.h"

#include "codec/cookie.h"

#define NAME "__Host-reeve"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n > COOKIE_HEADER_MAX + 100)
		return 0;
	struct arena *a = fuzz_scope()->arena;
	const char *header = arena_strndup(a, (const char *)bytes, n), *value = cookie_find(a, header, NAME);
	if (value == NULL)
		return 0;
	const char *pair = arena_printf(a, NAME "=%s", value), *at = strstr(header, pair);
	check(*value != '\0' && strchr(value, ';') == NULL && strlen(header) <= COOKIE_HEADER_MAX);
	check(at != NULL && (at == header || at[-1] == ' ' || at[-1] == ';' || strstr(at + 1, pair) != NULL));
	return 0;
}
