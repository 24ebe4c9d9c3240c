/* SPDX-License-Identifier: Apache-2.0
 *
 * Checking a certificate, offline: what is signed is the body's exact bytes; what is shown beside it must say the same.
 */
#include "privacy/erasure/certificate.h"

#include <string.h>

#include "codec/base64.h"

bool certificate_verify(const void *body, size_t n, const uint8_t signature[ED25519_SIGNATURE_BYTES],
			const uint8_t public_key[ED25519_KEY_BYTES])
{
	return ed25519_verify(public_key, body, n, signature);
}

static enum err member(struct scope *s, const json_t *o, const char *name, const char **ret)
{
	*ret = json_string_value(json_object_get(o, name));
	return *ret != NULL ? OK : scope_fail(s, ERR_BAD_REQUEST, "no certificate: '%s' is missing", name);
}

static enum err bytes(struct scope *s, const json_t *o, const char *name, size_t want, void **ret, size_t *ret_n)
{
	const char *text;
	TRY(member(s, o, name, &text));
	if (!base64_decode(s->arena, text, strlen(text), ret, ret_n) || (want > 0 && *ret_n != want))
		return scope_fail(s, ERR_BAD_REQUEST, "no certificate: '%s' is no base64 of the right length", name);
	return OK;
}

static enum err same(struct scope *s, const json_t *file, const char *name, const json_t *body, const char *inside)
{
	const char *shown, *said;
	TRY(member(s, file, name, &shown));
	TRY(member(s, body, inside, &said));
	return strcmp(shown, said) == 0 ? OK : scope_fail(s, ERR_BAD_REQUEST, "'%s' differs from what is signed", name);
}

static enum err check_shown(struct scope *s, const json_t *file, const json_t *body)
{
	TRY(same(s, file, "id", body, "certificateId"));
	TRY(same(s, file, "dutyId", body, "dutyId"));
	TRY(same(s, file, "issuedDateTime", body, "issuedDateTime"));
	if (!json_equal(json_object_get(file, "certificate"), body))
		return scope_fail(s, ERR_BAD_REQUEST, "'certificate' differs from what is signed");
	return OK;
}

static enum err summarise(struct scope *s, const json_t *body, const char *key, struct certificate_summary *ret)
{
	const char *id, *duty, *format, *issuer, *trigger, *type, *issued;
	struct id parsed;
	TRY(member(s, body, "format", &format));
	if (strcmp(format, "reeve/erasure-certificate/v1") != 0)
		return scope_fail(s, ERR_BAD_REQUEST,
				  "this version knows certificates of the format reeve/erasure-certificate/v1 only");
	TRY(member(s, body, "certificateId", &id));
	TRY(member(s, body, "dutyId", &duty));
	TRY(member(s, body, "trigger", &trigger));
	TRY(member(s, body, "subjectType", &type));
	TRY(member(s, body, "issuedDateTime", &issued));
	TRY(member(s, json_object_get(body, "issuer"), "host", &issuer));
	if (!id_parse(id, &parsed) || !id_parse(duty, &parsed))
		return scope_fail(s, ERR_BAD_REQUEST, "no certificate: its ids are none");
	*ret = (struct certificate_summary){
		.issuer = arena_strdup(s->arena, issuer),
		.trigger = arena_strdup(s->arena, trigger),
		.subject_type = arena_strdup(s->arena, type),
		.issued = arena_strdup(s->arena, issued),
		.public_key = arena_strdup(s->arena, key),
		.deadline_met = json_is_true(json_object_get(body, "deadlineMet")),
	};
	memcpy(ret->id, id, ID_TEXT);
	memcpy(ret->duty, duty, ID_TEXT);
	return OK;
}

enum err certificate_check_file(struct scope *s, const char *json, size_t n, const uint8_t *public_key,
				struct certificate_summary *ret)
{
	auto_json *file = NULL, *body = NULL;
	void *text, *signature, *own_key;
	size_t text_n, signature_n, key_n;
	TRY(json_read(s, json, n, &file));
	TRY(bytes(s, file, "body", 0, &text, &text_n));
	TRY(bytes(s, file, "signature", ED25519_SIGNATURE_BYTES, &signature, &signature_n));
	TRY(bytes(s, file, "publicKey", ED25519_KEY_BYTES, &own_key, &key_n));
	const uint8_t *key = public_key != NULL ? public_key : own_key;
	if (!certificate_verify(text, text_n, signature, key))
		return scope_fail(s, ERR_BAD_REQUEST, "the signature is not that of %s",
				  public_key != NULL ? "the given key" : "the file's own key");
	TRY(json_read(s, text, text_n, &body));
	TRY(check_shown(s, file, body));
	const char *signer = base64_encode(s->arena, key, ED25519_KEY_BYTES), *named;
	TRY(member(s, json_object_get(body, "issuer"), "publicKey", &named));
	if (strcmp(named, signer) != 0)
		return scope_fail(s, ERR_BAD_REQUEST, "the certificate names another issuer's key");
	return summarise(s, body, signer, ret);
}
