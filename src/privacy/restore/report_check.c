/* SPDX-License-Identifier: Apache-2.0
 *
 * Checking a report of a replay, offline: what is signed is the body's exact bytes, and what is shown beside it must say the same. */
#include <string.h>

#include "codec/base64.h"
#include "codec/json.h"
#include "privacy/restore/restore.h"

static enum err text(struct scope *s, const json_t *o, const char *name, const char **ret)
{
	const char *v = json_string_value(json_object_get(o, name));
	if (v == NULL)
		return scope_fail(s, ERR_BAD_REQUEST, "no report of a replay: '%s' is missing", name);
	*ret = arena_strdup(s->arena, v);
	return OK;
}

static enum err bytes(struct scope *s, const json_t *o, const char *name, size_t want, void **ret, size_t *ret_n)
{
	const char *v;
	TRY(text(s, o, name, &v));
	if (!base64_decode(s->arena, v, strlen(v), ret, ret_n) || (want > 0 && *ret_n != want))
		return scope_fail(s, ERR_BAD_REQUEST, "no report of a replay: '%s' is no base64 of the right length", name);
	return OK;
}

static enum err check_shown(struct scope *s, const json_t *file, const json_t *body)
{
	const char *id, *issued, *inside_id, *inside_issued;
	TRY(text(s, file, "id", &id));
	TRY(text(s, file, "issuedDateTime", &issued));
	TRY(text(s, body, "reportId", &inside_id));
	TRY(text(s, body, "issuedDateTime", &inside_issued));
	bool same = strcmp(id, inside_id) == 0 && strcmp(issued, inside_issued) == 0 && json_equal(json_object_get(file, "report"), body);
	return same ? OK : scope_fail(s, ERR_BAD_REQUEST, "what the report shows differs from what is signed");
}

static enum err check_issuer(struct scope *s, const json_t *file, const json_t *body, const char *signer)
{
	const char *named, *shown;
	TRY(text(s, json_object_get(body, "issuer"), "publicKey", &named));
	TRY(text(s, file, "publicKey", &shown));
	if (strcmp(named, signer) != 0 || strcmp(shown, signer) != 0)
		return scope_fail(s, ERR_BAD_REQUEST, "the report names another issuer's key");
	return OK;
}

static int64_t number(const json_t *o, const char *name) { return json_integer_value(json_object_get(o, name)); }

static enum err summarise(struct scope *s, const json_t *body, const char *signer, struct restore_summary *ret)
{
	const char *format;
	const json_t *ledger = json_object_get(body, "ledger");
	*ret = (struct restore_summary){.public_key = signer};
	TRY(text(s, body, "format", &format));
	if (strcmp(format, RESTORE_REPORT_FORMAT) != 0)
		return scope_fail(s, ERR_BAD_REQUEST, "this version knows reports of the format " RESTORE_REPORT_FORMAT " only");
	TRY(text(s, body, "reportId", &ret->id));
	TRY(text(s, body, "issuedDateTime", &ret->issued));
	TRY(text(s, json_object_get(body, "issuer"), "host", &ret->issuer));
	ret->followed = number(json_object_get(ledger, "followed"), "sequence");
	ret->head = number(json_object_get(ledger, "head"), "sequence");
	ret->entries = (size_t)number(body, "entryCount");
	ret->erased = (size_t)number(body, "erasedAgainCount");
	return OK;
}

enum err restore_report_check(struct scope *s, const char *json, size_t n, const uint8_t *public_key, struct restore_summary *ret)
{
	auto_json *file = NULL, *body = NULL;
	void *signed_text, *signature, *own_key;
	size_t signed_n, signature_n, key_n;
	if (n > RESTORE_REPORT_FILE_MAX)
		return scope_fail(s, ERR_BAD_REQUEST, "a report of a replay has at most %d bytes", (int)RESTORE_REPORT_FILE_MAX);
	TRY(json_read(s, json, n, &file));
	TRY(bytes(s, file, "body", 0, &signed_text, &signed_n));
	TRY(bytes(s, file, "signature", ED25519_SIGNATURE_BYTES, &signature, &signature_n));
	TRY(bytes(s, file, "publicKey", ED25519_KEY_BYTES, &own_key, &key_n));
	const uint8_t *key = public_key != NULL ? public_key : own_key;
	if (!ed25519_verify(key, signed_text, signed_n, signature))
		return scope_fail(s, ERR_BAD_REQUEST, "the signature is not that of %s", public_key != NULL ? "the given key" : "the file's own key");
	TRY(json_read(s, signed_text, signed_n, &body));
	TRY(check_shown(s, file, body));
	const char *signer = base64_encode(s->arena, key, ED25519_KEY_BYTES);
	TRY(check_issuer(s, file, body, signer));
	return summarise(s, body, signer, ret);
}
