/* SPDX-License-Identifier: Apache-2.0
 * Ids, times and user names: what is accepted has one form, and reading that form gives the same. */
#include "fuzz.h"

#include "base/clock.h"
#include "directory/user.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct id id, id_again;
	int64_t us, us_again;
	char id_text[ID_TEXT], time_text[TIME_TEXT];
	if (n > 4 * KIB)
		return 0;
	struct arena *a = fuzz_scope()->arena;
	const char *text = arena_strndup(a, (const char *)bytes, n);
	if (id_parse(text, &id))
		check(id_parse(id_format(id, id_text), &id_again) && id_equal(id, id_again));
	if (time_parse(text, &us)) {
		check(strlen(time_format(us, time_text)) < TIME_TEXT);
		check(time_parse(time_text, &us_again) && us == us_again);
	}
	if (upn_problem(text) == NULL) {
		const char *key = upn_key(a, text);
		check(upn_problem(key) == NULL && strcmp(upn_key(a, key), key) == 0);
		for (const char *p = text; *p != '\0'; p++)
			check(*p > ' ' && *p < 0x7f && strchr("\"%<>/\\:;,()[]", *p) == NULL);
	}
	return 0;
}
