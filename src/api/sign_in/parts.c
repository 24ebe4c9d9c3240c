/* SPDX-License-Identifier: Apache-2.0
 * What the sign-in pages share. */
#include "api/sign_in/pages.h"

#include <string.h>

#include "api/sign_in/cookie.h"
#include "codec/form.h"
#include "codec/html.h"
#include "directory/sign_in/account.h"

enum { NEXT_MAX = 512 };

/* ---- where to go ---- */

/* "/a", and nothing that a browser takes for another host: "//b", "/\b". */
static bool own_path(const char *next)
{
	if (next == NULL || *next != '/' || next[1] == '/' || strlen(next) > NEXT_MAX)
		return false;
	for (const char *p = next; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~' || *p == '\\' || *p == '"' || *p == '<' || *p == '>')
			return false;
	return true;
}

const char *sign_in_next(struct call *c, const char *next)
{
	return own_path(next) ? arena_strdup(c->s.arena, next) : "/account";
}

const char *sign_in_next_of_query(struct call *c)
{
	struct form_field next = {"next", NEXT_MAX, false, NULL};
	return form_parse(c->s.arena, c->in->query, strlen(c->in->query), &next, 1) ? sign_in_next(c, next.value) : "/account";
}

enum err sign_in_see_other(struct call *c, const char *path)
{
	http_response_header(c->out, "Location", path);
	http_response_header(c->out, "Cache-Control", "no-store");
	return call_status(c, 303);
}

/* ---- sessions ---- */

bool sign_in_who(struct call *c)
{
	struct tenant_levels levels;
	struct scope s = c->s;
	struct actor actor = {.type = ACTOR_ANONYMOUS, .ip = c->in->client_ip};
	const char *value = cookie_value(c);
	if (value == NULL || session_admit(&s, value, &actor, &levels) != OK || levels.whole == TENANT_NONE)
		return false;
	c->s.tenant = s.tenant;
	c->s.has_tenant = true;
	c->s.actor = actor;
	c->s.actor.ip = c->in->client_ip;
	return true;
}

void sign_in_describe(struct call *c, struct session_new *n)
{
	n->kind = SESSION_BROWSER;
	n->ip = c->in->client_ip;
	n->user_agent = http_header(c->in, "User-Agent");
}

static enum err replace_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	return session_end(tx, s->actor.session, "signedInAgain");
}

/* In its own tenant, as whom it was: the browser forgets it. */
static enum err end_former(struct call *c, struct id but)
{
	struct call former = *c;
	if (!sign_in_who(&former) || id_equal(former.s.actor.session, but))
		return OK;
	return db_write(&former.s, replace_tx, NULL);
}

enum err sign_in_done(struct call *c, struct id session, const char *secret, const char *next)
{
	TRY(end_former(c, session));
	cookie_set(c, c->s.tenant, secret);
	return sign_in_see_other(c, sign_in_next(c, next));
}

/* ---- parts of pages ---- */

enum err sign_in_page_end(struct call *c, int status)
{
	return page_end_with(c, status, "One cookie, which keeps you signed in; no scripts.");
}

void sign_in_notice(struct buf *b, const char *class, const char *text)
{
	if (text == NULL)
		return;
	buf_printf(b, "<p class=\"%s\" role=\"%s\">", class, strcmp(class, "bad") == 0 ? "alert" : "status");
	html_escape(b, text);
	buf_adds(b, "</p>\n");
}

void sign_in_hidden(struct buf *b, const char *name, const char *value)
{
	buf_printf(b, "<input type=\"hidden\" name=\"%s\" value=\"", name);
	html_escape(b, value);
	buf_adds(b, "\">");
}

void sign_in_input(struct buf *b, const struct sign_in_field *f)
{
	const char *id = f->id != NULL ? f->id : f->name;
	buf_printf(b, "<fieldset><label class=\"field\" for=\"%s\">%s</label><input id=\"%s\" name=\"%s\" type=\"%s\" maxlength=\"%d\" "
		      "autocomplete=\"%s\" required",
		   id, f->label, id, f->name, f->type, f->max, f->complete);
	if (f->code)
		buf_adds(b, " class=\"code\" inputmode=\"numeric\" pattern=\"[0-9 ]*\"");
	if (f->hint != NULL)
		buf_printf(b, " aria-describedby=\"%s-hint\"", id);
	if (f->value != NULL) {
		buf_adds(b, " value=\"");
		html_escape(b, f->value);
		buf_adds(b, "\"");
	}
	buf_adds(b, ">");
	if (f->hint != NULL)
		buf_printf(b, "<p class=\"hint\" id=\"%s-hint\">%s</p>", id, f->hint);
	buf_adds(b, "</fieldset>\n");
}

const char *sign_in_digits(struct call *c, const char *code)
{
	char *out = arena_strdup(c->s.arena, code), *at = out;
	for (; *code != '\0'; code++)
		if (*code != ' ')
			*at++ = *code;
	*at = '\0';
	return out;
}

enum err sign_in_write_offer(struct call *c, struct buf *b, struct id user)
{
	const char *secret, *uri;
	TRY(account_totp_offer(&c->s, user, &secret, &uri));
	buf_adds(b, "<ol><li>Open your authenticator app and add an account. On this device, <a href=\"");
	html_escape(b, uri);
	buf_adds(b, "\">open it here</a>; on another one, type the key:<p class=\"key\">");
	for (size_t i = 0; i < strlen(secret); i += 4)
		buf_printf(b, "%s%.4s", i > 0 ? " " : "", secret + i);
	buf_adds(b, "</p><span class=\"hint\">Time-based, six digits, 30 seconds.</span></li>\n<li>Enter the code that the app shows now.</li></ol>\n");
	sign_in_input(b, &(struct sign_in_field){.name = "code", .type = "text", .label = "Code", .complete = "one-time-code", .max = 12, .code = true});
	return OK;
}
