/* SPDX-License-Identifier: Apache-2.0
 * A certificate of erasure is accepted only where what it shows is what was signed.  Input: a byte, then: 0, a file as it came; else a
 * body, of which a file is made and signed with a key that is known here, with one byte of it changed where the first byte is 2. */
#include "fuzz.h"

#include "codec/base64.h"
#include "privacy/certificate/certificate.h"

static const uint8_t SEED[ED25519_KEY_BYTES] = {1, 2, 3};

static enum err verdict(struct scope *s, const char *file, size_t n, const uint8_t *key, struct certificate_summary *ret)
{
	s->detail = NULL;
	enum err e = certificate_check_file(s, file, n, key, ret);
	if (e != OK) {
		fuzz_refused(s, e);
		return e;
	}
	check(strlen(ret->id) == ID_TEXT - 1 && strlen(ret->duty) == ID_TEXT - 1 && ret->issuer != NULL && ret->trigger != NULL);
	check(ret->subject_type != NULL && ret->issued != NULL && ret->public_key != NULL);
	return e;
}

static void shown(struct json_writer *w, const json_t *body, const char *name, const char *inside)
{
	jw_kstring(w, name, json_string_value(json_object_get(body, inside)));
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
		shown(&w, body, "id", "certificateId");
		shown(&w, body, "dutyId", "dutyId");
		shown(&w, body, "issuedDateTime", "issuedDateTime");
		jw_key(&w, "certificate");
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
	struct certificate_summary sum;
	auto_buf out;
	ed25519_public(SEED, key);
	buf_init(&out, MIB);
	make(s, &out, text, n, key);
	enum err e = verdict(s, out.data, out.len, key, &sum);
	check(verdict(s, out.data, out.len, NULL, &sum) == e);
	check(verdict(s, out.data, out.len, other, &sum) != OK);
	if (e != OK || !change)
		return;
	/* another letter in what is shown or signed: no letter of it is idle, but for names that nobody reads */
	size_t at = n > 0 ? (size_t)(unsigned char)text[n / 2] * 7 % out.len : 0;
	out.data[at] = out.data[at] == 'a' ? 'b' : 'a';
	if (verdict(s, out.data, out.len, key, &sum) == OK)
		check(strstr(out.data, base64_encode(s->arena, text, n)) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct certificate_summary sum;
	if (n == 0 || n > 64 * KIB)
		return 0;
	struct scope *s = fuzz_scope();
	if (bytes[0] == 0)
		verdict(s, (const char *)bytes + 1, n - 1, NULL, &sum);
	else
		signed_body(s, (const char *)bytes + 1, n - 1, bytes[0] == 2);
	return 0;
}
