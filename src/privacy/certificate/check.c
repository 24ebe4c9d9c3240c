/* SPDX-License-Identifier: Apache-2.0
 *
 * Checking a certificate, offline: what is signed is the body's exact bytes; what is shown beside it must say the same; and where the file
 * carries its place in the audit log, the event there holds the body's hash and stands under a head that the same key signed.
 */
#include <string.h>

#include "audit/audit.h"
#include "audit/commitment.h"
#include "base/limits.h"
#include "codec/base64.h"
#include "privacy/certificate/certificate.h"
#include "tlog/note.h"
#include "tlog/proof.h"
#include "tlog/tile.h"

bool certificate_verify(const void *body, size_t n, const uint8_t signature[ED25519_SIGNATURE_BYTES],
			const uint8_t public_key[ED25519_KEY_BYTES])
{
	return ed25519_verify(public_key, body, n, signature);
}

void certificate_reference(const uint8_t salt[CERTIFICATE_SALT_BYTES], struct id tenant, struct id subject, uint8_t ret[SHA256_BYTES])
{
	static const char label[] = "reeve/erasure-subject/v1\n";
	const struct digest_part parts[] = {{label, sizeof label - 1}, {tenant.b, sizeof tenant.b}, {subject.b, sizeof subject.b}};
	hmac_sha256(salt, CERTIFICATE_SALT_BYTES, parts, 3, ret);
}

/* ---- members ---- */

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
	TRY(same(s, file, "kind", body, "kind"));
	TRY(same(s, file, "issuedDateTime", body, "issuedDateTime"));
	if (!json_equal(json_object_get(file, "certificate"), body))
		return scope_fail(s, ERR_BAD_REQUEST, "'certificate' differs from what is signed");
	return OK;
}

/* ---- its place in the log ---- */

struct place {
	const char *text; /* the proof */
	void *event;
	size_t event_n;
	struct tlog_proof proof;
	struct checkpoint head;
};

/* The event is "certify ErasureDuty" of this certificate, with the hash of the body. */
static enum err check_event(struct scope *s, const struct place *p, const char *certificate, const uint8_t hash[SHA256_BYTES])
{
	auto_json *root = NULL;
	char hex[2 * SHA256_BYTES + 1];
	TRY(json_read(s, p->event, p->event_n, &root));
	hex_encode(hash, SHA256_BYTES, hex);
	const json_t *event = json_object_get(root, "event"), *resource = json_array_get(json_object_get(event, "resources"), 0);
	const char *type = json_string_value(json_object_get(event, "activityType"));
	const char *about = json_string_value(json_object_get(resource, "resourceId"));
	const json_t *change = json_array_get(json_object_get(resource, "modifiedProperties"), 0);
	const char *said = json_string_value(json_object_get(change, "newValue"));
	bool fits = type != NULL && strcmp(type, activity_info(ACT_DUTY_CERTIFICATE)->type) == 0 && about != NULL && strcmp(about, certificate) == 0 &&
		    said != NULL && strcmp(said, hex) == 0;
	return fits ? OK : scope_fail(s, ERR_BAD_REQUEST, "'logEvent' is not the event that records this certificate");
}

/* The head is signed with the certificate's own key: the log's name is the key's. */
static enum err check_head(struct scope *s, struct place *p, const uint8_t key[ED25519_KEY_BYTES])
{
	struct note_key signer = {.type = NOTE_ED25519};
	struct note_seen seen;
	char *text;
	char *origin = arena_strndup(s->arena, p->proof.checkpoint, strcspn(p->proof.checkpoint, "\n"));
	if (!note_name_valid(origin))
		return scope_fail(s, ERR_BAD_REQUEST, "'logProof' has a checkpoint of no log");
	signer.name = origin;
	memcpy(signer.public_key, key, ED25519_KEY_BYTES);
	note_key_id(origin, NOTE_ED25519, key, signer.id);
	TRY(note_open(s, p->proof.checkpoint, strlen(p->proof.checkpoint), &signer, 1, &text, &seen));
	if (!seen.signed_)
		return scope_fail(s, ERR_BAD_REQUEST, "the checkpoint in 'logProof' is not signed with the certificate's key");
	TRY(checkpoint_parse(s, text, &p->head));
	return strcmp(p->head.origin, origin) == 0 ? OK : scope_fail(s, ERR_BAD_REQUEST, "'logProof' has a checkpoint of no log");
}

static enum err check_inclusion(struct scope *s, const struct place *p)
{
	uint8_t entry[ENTRY_BYTES], leaf[SHA256_BYTES], commitment[SHA256_BYTES];
	if (p->proof.extra == NULL || p->proof.extra_n != AUDIT_SALT_BYTES)
		return scope_fail(s, ERR_BAD_REQUEST, "'logProof' carries no salt");
	audit_commitment(p->event, p->event_n, p->proof.extra, commitment);
	entry_make(commitment, entry);
	merkle_leaf_hash(entry, sizeof entry, leaf);
	if (merkle_check_inclusion(p->proof.index, p->head.size, leaf, &p->proof.inclusion, p->head.root))
		return OK;
	return scope_fail(s, ERR_BAD_REQUEST, "'logProof' does not prove that 'logEvent' stands in the log");
}

static enum err check_place(struct scope *s, const json_t *file, const uint8_t hash[SHA256_BYTES], const uint8_t key[ED25519_KEY_BYTES],
			    struct certificate_summary *ret)
{
	struct place p = {0};
	const json_t *event = json_object_get(file, "logEvent"), *proof = json_object_get(file, "logProof");
	bool none = (event == NULL || json_is_null(event)) && (proof == NULL || json_is_null(proof));
	if (none)
		return OK;
	TRY(member(s, file, "logProof", &p.text));
	TRY(bytes(s, file, "logEvent", 0, &p.event, &p.event_n));
	TRY(tlog_proof_parse(s, p.text, strlen(p.text), &p.proof));
	TRY(check_event(s, &p, ret->id, hash));
	TRY(check_head(s, &p, key));
	TRY(check_inclusion(s, &p));
	ret->in_log = true;
	ret->log = p.head.origin;
	ret->index = p.proof.index;
	ret->size = p.head.size;
	return OK;
}

/* ---- the file ---- */

static bool known_kind(const char *kind) { return strcmp(kind, CERTIFICATE_ACTIVE) == 0 || strcmp(kind, CERTIFICATE_COPIES) == 0; }

static enum err copy_id(struct scope *s, const json_t *body, const char *name, char ret[ID_TEXT])
{
	struct id parsed;
	const char *text;
	TRY(member(s, body, name, &text));
	if (!id_parse(text, &parsed))
		return scope_fail(s, ERR_BAD_REQUEST, "no certificate: '%s' is no id", name);
	memcpy(ret, text, ID_TEXT);
	return OK;
}

static enum err summarise(struct scope *s, const json_t *body, const char *key, struct certificate_summary *ret)
{
	const char *format, *kind, *issuer, *trigger, *type, *issued, *reference;
	*ret = (struct certificate_summary){0};
	TRY(member(s, body, "format", &format));
	if (strcmp(format, CERTIFICATE_FORMAT) != 0)
		return scope_fail(s, ERR_BAD_REQUEST, "this version knows certificates of the format " CERTIFICATE_FORMAT " only");
	TRY(member(s, body, "kind", &kind));
	TRY(member(s, body, "trigger", &trigger));
	TRY(member(s, body, "subjectType", &type));
	TRY(member(s, body, "subjectReference", &reference));
	TRY(member(s, body, "issuedDateTime", &issued));
	TRY(member(s, json_object_get(body, "issuer"), "host", &issuer));
	if (!known_kind(kind) || !hex_decode(reference, sizeof ret->reference, ret->reference))
		return scope_fail(s, ERR_BAD_REQUEST, "no certificate: its kind or its reference is none");
	ret->kind = arena_strdup(s->arena, kind);
	ret->issuer = arena_strdup(s->arena, issuer);
	ret->trigger = arena_strdup(s->arena, trigger);
	ret->subject_type = arena_strdup(s->arena, type);
	ret->issued = arena_strdup(s->arena, issued);
	ret->public_key = arena_strdup(s->arena, key);
	ret->deadline_met = json_is_true(json_object_get(body, "deadlineMet"));
	TRY(copy_id(s, body, "certificateId", ret->id));
	TRY(copy_id(s, body, "dutyId", ret->duty));
	return copy_id(s, body, "tenantId", ret->tenant);
}

enum err certificate_check_file(struct scope *s, const char *json, size_t n, const uint8_t *public_key,
				struct certificate_summary *ret)
{
	auto_json *file = NULL, *body = NULL;
	void *text, *signature, *own_key;
	size_t text_n, signature_n, key_n;
	uint8_t hash[SHA256_BYTES];
	if (n > CERTIFICATE_FILE_MAX)
		return scope_fail(s, ERR_BAD_REQUEST, "a certificate has at most %d bytes", (int)CERTIFICATE_FILE_MAX);
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
	const char *signer = base64_encode(s->arena, key, ED25519_KEY_BYTES), *named, *shown;
	TRY(member(s, json_object_get(body, "issuer"), "publicKey", &named));
	TRY(member(s, file, "publicKey", &shown));
	if (strcmp(named, signer) != 0 || strcmp(shown, signer) != 0)
		return scope_fail(s, ERR_BAD_REQUEST, "the certificate names another issuer's key");
	TRY(summarise(s, body, signer, ret));
	sha256(text, text_n, hash);
	return check_place(s, file, hash, key, ret);
}
