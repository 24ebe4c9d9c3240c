/* SPDX-License-Identifier: Apache-2.0
 * Tokens of provisioning clients.  Reeve's own, in the shape of Graph's passwordCredentials. */
#include "api/graph/credential.h"
#include "crypto/digest.h"
#include "directory/provisioning/client.h"
#include "resource/tables.h"

enum err provisioning_tokens_list(struct call *c);
enum err provisioning_tokens_add(struct call *c);
enum err provisioning_tokens_remove(struct call *c);

/* text NULL: it was shown once, when it was made. */
static void write_token(struct json_writer *w, const struct provisioning_token *t, const char *text)
{
	jw_kid(w, "id", t->token);
	jw_kid(w, "keyId", t->token);
	jw_kstring(w, "displayName", t->display_name);
	jw_kstring(w, "hint", t->hint);
	jw_kstring(w, "secretText", text);
	jw_ktime(w, "startDateTime", t->created_at);
	jw_ktime(w, "endDateTime", t->expires_at);
	if (t->last_used_at != 0)
		jw_ktime(w, "lastUsedDateTime", t->last_used_at);
	else
		jw_kstring(w, "lastUsedDateTime", NULL);
}

struct list {
	struct id application;
	struct provisioning_token *v;
	size_t n;
};

static enum err list_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	(void)s;
	struct list *l = arg;
	struct record *there;
	TRY(record_load(tx, &RES_APPLICATION, l->application, false, &there)); /* it is one of the tenant's */
	return provisioning_tokens(tx, l->application, &l->v, &l->n);
}

enum err provisioning_tokens_list(struct call *c)
{
	struct list l = {.n = 0};
	TRY(credential_application(c, &l.application));
	TRY(db_read(&c->s, list_tx, &l));
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(c->s.arena, "%s/$metadata#applications/provisioningTokens", call_base_url(c)));
	jw_key(&w, "value");
	jw_array(&w);
	for (size_t i = 0; i < l.n; i++) {
		jw_object(&w);
		write_token(&w, &l.v[i], NULL);
		jw_end_object(&w);
	}
	jw_end_array(&w);
	jw_end_object(&w);
	return OK;
}

enum err provisioning_tokens_add(struct call *c)
{
	struct id application;
	struct provisioning_token t;
	char text[PROVISIONING_TOKEN_TEXT];
	static const char *const members[] = {"displayName", "endDateTime", NULL};
	const char *name;
	int64_t end;
	TRY(credential_application(c, &application));
	TRY(credential_asked(c, "provisioningToken", members, &name, &end));
	TRY(provisioning_token_add(&c->s, application, name, end, &t, text));
	http_response_header(c->out, "Cache-Control", "no-store");
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(c->s.arena, "%s/$metadata#applications/provisioningTokens/$entity", call_base_url(c)));
	write_token(&w, &t, text);
	jw_end_object(&w);
	wipe(text, sizeof text);
	return OK;
}

enum err provisioning_tokens_remove(struct call *c)
{
	static const char *const allowed[] = {"keyId", NULL};
	struct id application, token;
	TRY(credential_application(c, &application));
	TRY(credential_named(c, allowed, "provisioning token", &token));
	TRY(provisioning_token_remove(&c->s, application, token));
	return call_status(c, 204);
}
