/* SPDX-License-Identifier: Apache-2.0
 * Bytes come back from their text, and a text that is accepted is the one text of its bytes. */
#include "fuzz.h"

#include "codec/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n > 64 * KIB)
		return 0;
	struct arena *a = fuzz_scope()->arena;
	void *got;
	size_t got_n;
	const char *text = (const char *)bytes;
	if (base64_decode(a, text, n, &got, &got_n)) {
		char *again = base64_encode(a, got, got_n);
		check(strlen(again) == n && memcmp(again, text, n) == 0);
	}
	if (base64url_decode(a, text, n, &got, &got_n)) {
		char *again = base64url_encode(a, got, got_n);
		check(strlen(again) == n && memcmp(again, text, n) == 0);
	}
	char *encoded = base64_encode(a, bytes, n);
	check(base64_decode(a, encoded, strlen(encoded), &got, &got_n));
	check(got_n == n && (n == 0 || memcmp(got, bytes, n) == 0));
	encoded = base64url_encode(a, bytes, n);
	check(base64url_decode(a, encoded, strlen(encoded), &got, &got_n));
	check(got_n == n && (n == 0 || memcmp(got, bytes, n) == 0));
	return 0;
}
