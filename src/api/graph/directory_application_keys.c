/* SPDX-License-Identifier: Apache-2.0
 * addKey and removeKey of applications.  Graph wants a proof of possession of an older key beside a new one; here whoever may add a key may as well add a
 * secret, so it is taken and not looked at. */
#include "api/graph/directory_application_keys.h"

#include <string.h>

#include "api/graph/credential.h"
#include "base/clock.h"
#include "codec/base64.h"
#include "directory/application.h"

enum err applications_add_key(struct call *c);
enum err applications_remove_key(struct call *c);

static void write_key(struct json_writer *w, const struct application_certificate *k, bool whole)
{
	jw_kid(w, "keyId", k->certificate);
	jw_kstring(w, "displayName", k->display_name != NULL ? k->display_name : k->subject);
	jw_kstring(w, "type", "AsymmetricX509Cert");
	jw_kstring(w, "usage", "Verify");
	jw_key(w, "customKeyIdentifier");
	jw_base64(w, k->sha1, sizeof k->sha1);
	jw_key(w, "key");
	if (whole)
		jw_base64(w, k->der, k->der_n);
	else
		jw_null(w);
	jw_ktime(w, "startDateTime", k->starts_at);
	jw_ktime(w, "endDateTime", k->expires_at);
}

enum err application_keys_write(struct db_tx *tx, struct json_writer *w, struct id application, bool whole)
{
	struct application_certificate *v;
	size_t n;
	TRY(application_certificates(tx, application, &v, &n));
	jw_key(w, "keyCredentials");
	jw_array(w);
	for (size_t i = 0; i < n; i++) {
		jw_object(w);
		write_key(w, &v[i], whole);
		jw_end_object(w);
	}
	jw_end_array(w);
	return OK;
}

/* ---- add ---- */

struct key_request {
	const char *name;
	int64_t end;
	struct jose_certificate certificate; /* without its jwk */
};

/* In base64: DER, or PEM text. */
static enum err read_certificate(struct call *c, const json_t *credential, struct key_request *ret)
{
	void *bytes;
	size_t n;
	const char *text = json_string_value(json_object_get(credential, "key"));
	if (text == NULL)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'key' is required");
	if (!base64_decode(c->s.arena, text, strlen(text), &bytes, &n))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'key' must be a certificate in base64");
	TRY(jose_certificate(&c->s, bytes, n, &ret->certificate));
	json_decref(ret->certificate.jwk);
	ret->certificate.jwk = NULL;
	return OK;
}

static enum err read_credential(struct call *c, const json_t *credential, struct key_request *ret)
{
	static const char *const allowed[] = {"key", "type", "usage", "displayName", "startDateTime", "endDateTime", "keyId", "customKeyIdentifier", NULL};
	const char *end, *type, *usage;
	if (!json_is_object(credential))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'keyCredential' must be an object");
	TRY(call_only(c, credential, allowed));
	TRY(call_string(c, credential, "type", false, &type));
	TRY(call_string(c, credential, "usage", false, &usage));
	if ((type != NULL && strcmp(type, "AsymmetricX509Cert") != 0) || (usage != NULL && strcmp(usage, "Verify") != 0))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "a keyCredential has the type AsymmetricX509Cert and the usage Verify");
	TRY(call_string(c, credential, "displayName", false, &ret->name));
	TRY(call_string(c, credential, "endDateTime", false, &end));
	if (end != NULL && !time_parse(end, &ret->end))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'endDateTime' must be a time such as 2027-01-31T00:00:00Z");
	return read_certificate(c, credential, ret);
}

enum err applications_add_key(struct call *c)
{
	static const char *const allowed[] = {"keyCredential", "passwordCredential", "proof", NULL};
	struct id application;
	struct key_request q = {0};
	struct application_certificate k;
	json_t *body;
	TRY(credential_application(c, &application));
	TRY(call_body(c, true, &body));
	TRY(call_only(c, body, allowed));
	TRY(read_credential(c, json_object_get(body, "keyCredential"), &q));
	TRY(application_add_certificate(&c->s, application, q.name, &q.certificate, q.end, &k));
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(c->s.arena, "%s/$metadata#microsoft.graph.keyCredential", call_base_url(c)));
	write_key(&w, &k, false);
	jw_end_object(&w);
	return OK;
}

/* ---- remove ---- */

enum err applications_remove_key(struct call *c)
{
	static const char *const allowed[] = {"keyId", "proof", NULL};
	struct id application, certificate;
	TRY(credential_application(c, &application));
	TRY(credential_named(c, allowed, "certificate", &certificate));
	TRY(application_remove_certificate(&c->s, application, certificate));
	return call_status(c, 204);
}
