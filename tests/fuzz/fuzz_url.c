/* SPDX-License-Identifier: Apache-2.0
 * What is decoded is no longer than its text, and comes back from encoding and decoding unchanged, whatever '+' means. */
#include "fuzz.h"

#include "codec/odata.h"
#include "codec/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n > 64 * KIB)
		return 0;
	struct arena *a = fuzz_scope()->arena;
	for (int plus = 0; plus < 2; plus++) {
		char *text = url_decode(a, (const char *)bytes, n, plus);
		if (text == NULL)
			continue;
		check(strlen(text) <= n && utf8_valid(text, strlen(text)));
		char *encoded = url_encode(a, text);
		for (int again = 0; again < 2; again++) {
			char *back = url_decode(a, encoded, strlen(encoded), again);
			check(back != NULL && strcmp(back, text) == 0);
		}
	}
	return 0;
}
