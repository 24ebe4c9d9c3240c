/* SPDX-License-Identifier: Apache-2.0
 * Tokens of provisioning clients.  Reeve's own, in the shape of Graph's passwordCredentials. */
#include "api/api.h"
#include "base/clock.h"
#include "crypto/digest.h"
#include "directory/provisioning/client.h"
#include "resource/tables.h"

enum err provisioning_tokens_list(struct call *c);
enum err provisioning_tokens_add(struct call *c);
enum err provisioning_tokens_remove(struct call *c);

static enum err application_param(struct call *c, struct id *ret)
{
	TRY(call_param_id(c, "application", "application", ret));
	c->s.subject = *ret;
	return OK;
}

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
	TRY(application_param(c, &l.application));
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

/* {"provisioningToken": {"displayName"?, "endDateTime"?}} */
static enum err read_token(struct call *c, const char **ret_name, int64_t *ret_end)
{
	static const char *const outer[] = {"provisioningToken", NULL};
	static const char *const inner[] = {"displayName", "endDateTime", NULL};
	json_t *body;
	const char *end;
	TRY(call_body(c, false, &body));
	TRY(call_only(c, body, outer));
	const json_t *token = json_object_get(body, "provisioningToken");
	*ret_name = NULL;
	*ret_end = 0;
	if (token == NULL || json_is_null(token))
		return OK;
	if (!json_is_object(token))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'provisioningToken' must be an object");
	TRY(call_only(c, token, inner));
	TRY(call_string(c, token, "displayName", false, ret_name));
	TRY(call_string(c, token, "endDateTime", false, &end));
	if (end != NULL && !time_parse(end, ret_end))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'endDateTime' must be a time such as 2027-01-31T00:00:00Z");
	return OK;
}

enum err provisioning_tokens_add(struct call *c)
{
	struct id application;
	struct provisioning_token t;
	char text[PROVISIONING_TOKEN_TEXT];
	const char *name;
	int64_t end;
	TRY(application_param(c, &application));
	TRY(read_token(c, &name, &end));
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
	json_t *body;
	const char *key;
	TRY(application_param(c, &application));
	TRY(call_body(c, true, &body));
	TRY(call_only(c, body, allowed));
	TRY(call_string(c, body, "keyId", true, &key));
	if (!id_parse(key, &token))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'keyId' must be the id of a provisioning token");
	TRY(provisioning_token_remove(&c->s, application, token));
	return call_status(c, 204);
}
