/* SPDX-License-Identifier: Apache-2.0
 * Forms of public pages: what is taken is within its limits, UTF-8 without control characters and blanks around it; what is not leaves nothing.
 */
#include "fuzz.h"

#include "codec/form.h"
#include "codec/utf8.h"

enum { INPUT_MAX = 32 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct form_field f[] = {{"type", 40, false, NULL}, {"name", 400, false, NULL}, {"statement", 6000, true, NULL}};
	if (n > INPUT_MAX)
		return 0;
	struct arena *a = fuzz_scope()->arena;
	const char *p = arena_strndup(a, (const char *)bytes, n);
	bool good = form_parse(a, n == 0 ? NULL : p, n, f, 3);
	for (size_t i = 0; i < 3; i++) {
		size_t length = strlen(f[i].value);
		check(length <= f[i].max_bytes && (good || length == 0) && utf8_valid(f[i].value, length));
		check(length == 0 || (strchr(" \t\n", f[i].value[0]) == NULL && strchr(" \t\n", f[i].value[length - 1]) == NULL));
		for (size_t k = 0; k < length; k++)
			check((unsigned char)f[i].value[k] >= ' ' || (f[i].lines && strchr("\n\t", f[i].value[k]) != NULL));
	}
	return 0;
}
