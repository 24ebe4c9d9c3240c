/* SPDX-License-Identifier: Apache-2.0
 *
 * Renewal: a new key, a certificate for it, and the CA set as it is now.  The old pair works until the new one is in
 * place (see state_credentials() for the order that makes a crash harmless).
 */
#include <string.h>

#include "channel.h"
#include "crypto/digest.h"
#include "crypto/x509.h"
#include "sync.h"

enum err renew_check(struct agent *a, const char *cert, const char *ca, const char *key)
{
	struct x509_info info;
	if (cert == NULL || x509_read(a->scope, cert, &info) != OK || !x509_key_matches(cert, key)) {
		agent_forgive(a);
		return scope_fail(a->scope, ERR_BAD_REQUEST,
				  "the server's certificate for this device does not fit its key");
	}
	if (ca == NULL || x509_read(a->scope, ca, &info) != OK) {
		agent_forgive(a);
		return scope_fail(a->scope, ERR_BAD_REQUEST, "the server sent no CA that can be read");
	}
	return OK;
}

static enum err ask(struct agent *a, const struct device *d, const char *csr, json_t **ret)
{
	auto_buf body;
	struct json_writer w;
	buf_init(&body, CHANNEL_BODY_MAX);
	jw_init(&w, &body);
	jw_object(&w);
	jw_kstring(&w, "csr", csr);
	jw_end_object(&w);
	struct endpoint to = channel_endpoint(a, d->url);
	return channel_post(a, &to, "/linux/renew", &body, ret);
}

static enum err replace(struct agent *a, const struct device *d, const char *key, const char *csr)
{
	auto_json *answer = NULL;
	TRY(state_write(a, "next-key.pem", key, strlen(key)));
	TRY(ask(a, d, csr, &answer));
	const char *cert = json_string_value(json_object_get(answer, "certificate"));
	const char *ca = json_string_value(json_object_get(answer, "ca"));
	TRY(renew_check(a, cert, ca, key));
	/* the CA set first: with the old pair the new set still reaches the server */
	TRY(state_write(a, "ca.pem", ca, strlen(ca)));
	TRY(state_write(a, "next-cert.pem", cert, strlen(cert)));
	return state_credentials(a);
}

enum err renew(struct agent *a, const struct device *d)
{
	char *key, *csr;
	TRY(x509_make_request(a->scope->arena, d->id, &key, &csr));
	enum err e = replace(a, d, key, csr);
	wipe(key, strlen(key));
	return e;
}
