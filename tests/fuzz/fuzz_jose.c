/* SPDX-License-Identifier: Apache-2.0
 * Tokens of others, their key sets, and certificates, as anybody may send them.  Input: a token, a line; then a JSON key set, or the bytes of a
 * certificate.  What is good is good by a key of the set and by one of three algorithms; a certificate's key is one that verifies something. */
#include "fuzz.h"

#include "codec/json.h"
#include "crypto/jose.h"

static void token(struct scope *s, const char *text, size_t n, const json_t *keys)
{
	auto_jose t = {0};
	enum err e = jose_read(s, text, n, &t);
	if (e != OK) {
		fuzz_refused(s, e);
		check(e == ERR_UNAUTHENTICATED && t.header == NULL && t.claims == NULL);
		s->detail = NULL;
		return;
	}
	check(json_is_object(t.header) && json_is_object(t.claims) && (t.alg == JOSE_RS256 || t.alg == JOSE_PS256 || t.alg == JOSE_ES256));
	check(jose_verify(&t, keys, JOSE_ALL & ~t.alg) == JOSE_ALGORITHM);
	check(jose_verify(&t, keys, JOSE_ALL) != JOSE_GOOD || json_array_size(json_object_get(keys, "keys")) > 0);
	jose_has_audience(t.claims, "x");
	if (jose_check_times(s, t.claims, JOSE_SKEW_US) != OK)
		s->detail = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const char *p = (const char *)bytes, *line = n > 0 ? memchr(bytes, '\n', n) : NULL;
	struct scope *s = fuzz_scope();
	if (line == NULL || n > 64 * KIB)
		return 0;
	size_t rest = n - (size_t)(line + 1 - p);
	auto_json *keys = NULL;
	if (json_read(s, line + 1, rest, &keys) != OK)
		s->detail = NULL;
	token(s, p, (size_t)(line - p), keys);
	struct jose_certificate c;
	enum err e = jose_certificate(s, line + 1, rest, &c);
	if (e != OK) {
		fuzz_refused(s, e);
		return 0;
	}
	check(json_is_object(c.jwk) && strlen(c.sha1_text) == 27 && strlen(c.sha256_text) == 43 && c.der_n > 0 && c.subject != NULL);
	json_decref(c.jwk);
	return 0;
}
