/* SPDX-License-Identifier: Apache-2.0
 * A report of a replay is accepted only where what it shows is what was signed.  Input: a byte, then: 0, a file as it came; else a body, of
 * which a file is made and signed with a key that is known here, with one byte of what it shows changed where the first byte is 2. */
#include "fuzz.h"

#include "codec/base64.h"
#include "privacy/restore/restore.h"

static const uint8_t SEED[ED25519_KEY_BYTES] = {1, 2, 3};

static enum err verdict(struct scope *s, const char *file, size_t n, const uint8_t *key)
{
	struct restore_summary r;
	s->detail = NULL;
	enum err e = restore_report_check(s, file, n, key, &r);
	if (e != OK)
		fuzz_refused(s, e);
	else
		check(r.id != NULL && r.issuer != NULL && r.issued != NULL && r.public_key != NULL);
	return e;
}

static void make(struct scope *s, struct buf *out, const char *text, size_t n, const uint8_t key[ED25519_KEY_BYTES])
{
	auto_json *body = NULL;
	uint8_t signature[ED25519_SIGNATURE_BYTES];
	struct json_writer w;
	ed25519_sign(SEED, text, n, signature);
	jw_init(&w, out);
	jw_object(&w);
	if (json_read(s, text, n, &body) == OK) {
		jw_kstring(&w, "id", json_string_value(json_object_get(body, "reportId")));
		jw_kstring(&w, "issuedDateTime", json_string_value(json_object_get(body, "issuedDateTime")));
		jw_key(&w, "report");
		jw_json(&w, body);
	}
	jw_kstring(&w, "body", base64_encode(s->arena, text, n));
	jw_kstring(&w, "signature", base64_encode(s->arena, signature, sizeof signature));
	jw_kstring(&w, "publicKey", base64_encode(s->arena, key, ED25519_KEY_BYTES));
	jw_end_object(&w);
	check(!out->failed);
}

static void signed_body(struct scope *s, const char *text, size_t n, bool change)
{
	uint8_t key[ED25519_KEY_BYTES], other[ED25519_KEY_BYTES] = {9};
	auto_buf out;
	ed25519_public(SEED, key);
	buf_init(&out, MIB);
	make(s, &out, text, n, key);
	enum err e = verdict(s, out.data, out.len, key);
	check(verdict(s, out.data, out.len, NULL) == e);
	check(verdict(s, out.data, out.len, other) != OK);
	const char *signed_text = strstr(out.data, "\"body\":\"");
	if (e != OK || !change)
		return;
	check(signed_text != NULL);
	out.data[signed_text - out.data + 10] ^= 1; /* a letter of what is signed */
	check(verdict(s, out.data, out.len, key) != OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n == 0 || n > 64 * KIB)
		return 0;
	struct scope *s = fuzz_scope();
	if (bytes[0] == 0)
		verdict(s, (const char *)bytes + 1, n - 1, NULL);
	else
		signed_body(s, (const char *)bytes + 1, n - 1, bytes[0] == 2);
	return 0;
}
