/* SPDX-License-Identifier: Apache-2.0
 * applications and their secrets. */
#include "api/graph/credential.h"
#include "api/graph/directory_application_keys.h"
#include "base/clock.h"
#include "directory/application.h"
#include "resource/tables.h"

enum err applications_list(struct call *c);
enum err applications_create(struct call *c);
enum err applications_get(struct call *c);
enum err applications_patch(struct call *c);
enum err applications_delete(struct call *c);
enum err applications_add_password(struct call *c);
enum err applications_remove_password(struct call *c);

/* A passwordCredential; text NULL: it was shown once, when it was made. */
static void write_credential(struct json_writer *w, const struct secret_info *i, const char *text)
{
	jw_kid(w, "keyId", i->secret);
	jw_kstring(w, "displayName", i->display_name);
	jw_kstring(w, "hint", i->hint);
	jw_kstring(w, "secretText", text);
	jw_ktime(w, "startDateTime", i->created_at);
	jw_ktime(w, "endDateTime", i->expires_at);
}

static enum err write_more(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id key, void *arg)
{
	struct secret_info *v;
	size_t n;
	if (resource_selected(q, "keyCredentials"))
		TRY(application_keys_write(tx, w, key, q->odata.select != NULL));
	if (!resource_selected(q, "passwordCredentials"))
		return OK;
	TRY(application_secrets(tx, key, &v, &n));
	jw_key(w, "passwordCredentials");
	jw_array(w);
	for (size_t i = 0; i < n; i++) {
		jw_object(w);
		write_credential(w, &v[i], NULL);
		jw_end_object(w);
	}
	jw_end_array(w);
	return OK;
}

enum err applications_list(struct call *c)
{
	struct resource_query q;
	TRY(call_query(c, &RES_APPLICATION, &q));
	q.more = write_more;
	return call_list(c, &q);
}

enum err applications_create(struct call *c)
{
	json_t *body;
	struct record *r;
	struct id application;
	TRY(call_body(c, true, &body));
	TRY(record_parse(&c->s, &RES_APPLICATION, body, RECORD_CREATE, c->version, NULL, &r));
	TRY(application_create(&c->s, r, &application));
	return call_created(c, &RES_APPLICATION, application);
}

enum err applications_get(struct call *c)
{
	struct resource_query q;
	struct id application;
	TRY(credential_application(c, &application));
	TRY(call_query(c, &RES_APPLICATION, &q));
	q.more = write_more;
	return call_get(c, &q, application);
}

enum err applications_patch(struct call *c)
{
	json_t *body;
	struct record *r;
	struct id application;
	TRY(credential_application(c, &application));
	TRY(call_body(c, true, &body));
	TRY(record_parse(&c->s, &RES_APPLICATION, body, RECORD_PATCH, c->version, NULL, &r));
	TRY(application_patch(&c->s, application, r));
	return call_status(c, 204);
}

enum err applications_delete(struct call *c)
{
	struct id application;
	TRY(credential_application(c, &application));
	TRY(application_delete(&c->s, application));
	return call_status(c, 204);
}

/* ---- secrets ---- */

enum err applications_add_password(struct call *c)
{
	struct id application;
	struct application_secret secret;
	static const char *const members[] = {"displayName", "endDateTime", "startDateTime", NULL};
	const char *name;
	int64_t end;
	TRY(credential_application(c, &application));
	TRY(credential_asked(c, "passwordCredential", members, &name, &end));
	TRY(application_add_secret(&c->s, application, name, end, &secret));
	char hint[] = {secret.text[0], secret.text[1], secret.text[2], '\0'};
	struct secret_info info = {.secret = secret.secret, .hint = hint, .display_name = name, .created_at = secret.created_at,
				   .expires_at = secret.expires_at};
	http_response_header(c->out, "Cache-Control", "no-store");
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context",
		   arena_printf(c->s.arena, "%s/$metadata#microsoft.graph.passwordCredential", call_base_url(c)));
	write_credential(&w, &info, secret.text);
	jw_end_object(&w);
	return OK;
}

enum err applications_remove_password(struct call *c)
{
	static const char *const allowed[] = {"keyId", NULL};
	struct id application, secret;
	TRY(credential_application(c, &application));
	TRY(credential_named(c, allowed, "secret", &secret));
	TRY(application_remove_secret(&c->s, application, secret));
	return call_status(c, 204);
}
