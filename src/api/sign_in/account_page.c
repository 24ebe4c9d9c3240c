/* SPDX-License-Identifier: Apache-2.0
 *
 * /account: who I am here, what I may do and why, where I am signed in; my password and my second factor.  /signout.  Forms carry the session's
 * CSRF token.
 */
#include <string.h>

#include "api/sign_in/cookie.h"
#include "api/sign_in/oidc.h"
#include "api/sign_in/pages.h"
#include "codec/html.h"
#include "crypto/password.h"
#include "directory/sign_in/own.h"

enum err account_page_show(struct call *c);
enum err account_page_send(struct call *c);
enum err sign_out_send(struct call *c);

enum { ACTION, SESSION, PASSWORD, FRESH, AGAIN, CODE, CSRF, FIELDS };

struct account_page {
	struct call *c;
	struct own own;
	struct form_field *f;
	const char *wrong, *done;
};

/* ---- writing ---- */

static void form(struct account_page *p, struct buf *b, const char *path)
{
	char token[SESSION_CSRF_TEXT];
	session_csrf(&p->c->s, p->c->s.actor.session, token);
	buf_printf(b, "<form method=\"post\" action=\"%s\" accept-charset=\"utf-8\">", path);
	sign_in_hidden(b, CSRF_FIELD, token);
}

static void fact(struct buf *b, const char *label, const char *text)
{
	buf_printf(b, "<dt>%s</dt><dd>", label);
	html_name_escape(b, text);
	buf_adds(b, "</dd>\n");
}

static const char *method_words(const char *method)
{
	static const char *const words[][2] = {{"password", "a password"}, {"password+totp", "a password and a code"},
					       {"oidc", "the organisation's identity provider"}};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp(words[i][0], method) == 0)
			return words[i][1];
	return method;
}

static void write_roles(struct account_page *p, struct buf *b)
{
	const struct access *a = p->own.access;
	buf_adds(b, "<h2>What I may do</h2>\n");
	if (a->n == 0) {
		buf_adds(b, "<p>You hold no role: you see your own account here and nothing else.</p>\n");
		return;
	}
	buf_adds(b, "<table><tr><th>Role</th><th>For whom</th><th>Why</th></tr>\n");
	for (size_t i = 0; i < a->n; i++) {
		buf_adds(b, "<tr><td>");
		html_name_escape(b, a->grants[i].role_name);
		buf_adds(b, "</td><td>");
		if (p->own.scopes[i] == NULL)
			buf_adds(b, "everybody");
		else
			html_name_escape(b, p->own.scopes[i]);
		buf_printf(b, "</td><td>%s</td></tr>\n", id_is_nil(a->grants[i].group) ? "given to you" : "given to a group that you are in");
	}
	buf_adds(b, "</table>\n<details><summary>All permissions</summary><ul>\n");
	const char *list = access_permissions(a, p->c->s.arena);
	for (size_t n; *list != '\0'; list += n) {
		list += strspn(list, " ");
		n = strcspn(list, " ");
		if (n > 0)
			buf_printf(b, "<li>%.*s</li>\n", (int)n, list);
	}
	buf_adds(b, "</ul></details>\n<p><a href=\"/account/access\">Why I may, or may not</a></p>\n");
}

/* What most people know a browser by, out of its User-Agent. */
static const char *agent_name(const struct session *v)
{
	static const char *const known[][2] = {{"Edg/", "Edge"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}};
	if (strcmp(v->kind, SESSION_COMMAND_LINE) == 0)
		return "Command line";
	for (size_t i = 0; v->user_agent != NULL && i < sizeof known / sizeof known[0]; i++)
		if (strstr(v->user_agent, known[i][0]) != NULL)
			return known[i][1];
	return "Browser";
}

static void write_session(struct account_page *p, struct buf *b, const struct session *v)
{
	char id[ID_TEXT];
	bool this = id_equal(v->session, p->own.session.session);
	buf_printf(b, "<tr><td>%s%s<br><span class=\"hint\">", agent_name(v), this ? " (this one)" : "");
	html_escape(b, v->ip);
	buf_adds(b, v->ip != NULL ? ", since " : "Since ");
	html_time(b, v->created_at);
	buf_adds(b, ", last used ");
	html_time(b, v->last_used_at);
	buf_adds(b, "</span></td><td class=\"end\">");
	if (!this) {
		form(p, b, "/account");
		sign_in_hidden(b, "session", id_format(v->session, id));
		buf_adds(b, "<button class=\"plain small\" name=\"action\" value=\"end\">End</button></form>");
	}
	buf_adds(b, "</td></tr>\n");
}

static void write_sessions(struct account_page *p, struct buf *b)
{
	buf_adds(b, "<h2>Where I am signed in</h2>\n<table>\n");
	for (size_t i = 0; i < p->own.session_n; i++)
		write_session(p, b, &p->own.sessions[i]);
	buf_adds(b, "</table>\n<p class=\"hint\">This one ends ");
	html_time(b, p->own.session.ends_at);
	buf_adds(b, " at the latest, and earlier when it is not used.</p>\n");
	if (p->own.session_n < 2)
		return;
	form(p, b, "/account");
	buf_adds(b, "<button class=\"plain\" name=\"action\" value=\"endOthers\">End all others</button></form>\n");
}

/* What was tried and went wrong stands open. */
static const char *tried(const struct account_page *p, const char *action)
{
	return p->wrong != NULL && strcmp(p->f[ACTION].value, action) == 0 ? " open" : "";
}

/* For password managers: whose password it is.  It is not sent. */
static void write_user_name(struct account_page *p, struct buf *b)
{
	buf_adds(b, "<input type=\"text\" autocomplete=\"username\" hidden value=\"");
	html_escape(b, p->c->s.actor.upn);
	buf_adds(b, "\">");
}

static void write_password(struct account_page *p, struct buf *b)
{
	buf_adds(b, "<h2>Password</h2>\n<p>Changed ");
	html_time(b, p->own.account.password_at);
	buf_printf(b, ".</p>\n<details%s><summary>Change it</summary>\n", tried(p, "password"));
	form(p, b, "/account");
	write_user_name(p, b);
	sign_in_input(b, &(struct sign_in_field){.name = "password", .type = "password", .label = "Password that you have", .max = PASSWORD_BYTES_MAX,
						 .complete = "current-password"});
	sign_in_input(b, &(struct sign_in_field){.name = "new", .type = "password", .label = "New password", .max = PASSWORD_BYTES_MAX,
						 .complete = "new-password",
						 .hint = "At least 12 characters. A sentence is a good password. You are signed out everywhere else."});
	sign_in_input(b, &(struct sign_in_field){.name = "again", .type = "password", .label = "The same once more", .max = PASSWORD_BYTES_MAX,
						 .complete = "new-password"});
	buf_adds(b, "<button name=\"action\" value=\"password\">Change the password</button></form></details>\n");
}

static enum err write_second_factor(struct account_page *p, struct buf *b)
{
	buf_adds(b, "<h2>Second factor</h2>\n");
	if (p->own.account.second_factor) {
		buf_adds(b, "<p>An authenticator app, set up ");
		html_time(b, p->own.account.totp_at);
		buf_adds(b, ". If you lose it, an administrator resets it on the server.</p>\n");
		return OK;
	}
	buf_printf(b, "<p>None. With one, your password alone opens nothing.</p>\n<details%s><summary>Set it up</summary>\n", tried(p, "setUp"));
	form(p, b, "/account");
	write_user_name(p, b);
	TRY(sign_in_write_offer(p->c, b, p->c->s.actor.id));
	sign_in_input(b, &(struct sign_in_field){.name = "password", .id = "password-again", .type = "password", .label = "Your password",
						 .max = PASSWORD_BYTES_MAX, .complete = "current-password"});
	buf_adds(b, "<button name=\"action\" value=\"setUp\">Set it up</button></form></details>\n");
	return OK;
}

static enum err write_page(struct account_page *p)
{
	struct call *c = p->c;
	TRY(own_load(&c->s, &p->own));
	struct buf *b = page_begin(c, p->own.organisation, "My account");
	sign_in_notice(b, "bad", p->wrong);
	sign_in_notice(b, "good", p->done);
	buf_adds(b, "<dl>\n");
	fact(b, "Name", c->s.actor.name);
	fact(b, "User name", c->s.actor.upn);
	fact(b, "Signed in with", method_words(p->own.session.method));
	buf_adds(b, "</dl>\n");
	form(p, b, "/signout");
	buf_adds(b, "<button>Sign out</button></form>\n");
	write_roles(p, b);
	write_sessions(p, b);
	if (p->own.local) {
		write_password(p, b);
		TRY(write_second_factor(p, b));
	}
	return sign_in_page_end(c, p->wrong == NULL ? 200 : 400);
}

/* ---- what was sent ---- */

/* The password again: whoever found an open browser does not take the account over with it. */
static enum err proved(struct account_page *p, struct account_proof *ret_proof, bool *ret)
{
	*ret = false;
	if (!sign_in_may_try(p->c))
		return OK;
	if (*p->f[PASSWORD].value != '\0')
		TRY(account_password(&p->c->s, p->c->s.actor.upn, p->f[PASSWORD].value, ret_proof, ret));
	if (*ret)
		return OK;
	sign_in_failed(p->c);
	p->wrong = "The password that you have is wrong, or the account is locked for some minutes after too many attempts.";
	return write_page(p);
}

static enum err change_password(struct account_page *p)
{
	struct account_proof proof;
	bool right;
	if (strcmp(p->f[FRESH].value, p->f[AGAIN].value) != 0) {
		p->wrong = "The two new passwords are not the same.";
		return write_page(p);
	}
	TRY(proved(p, &proof, &right));
	if (!right)
		return OK;
	TRY(account_change_password(&p->c->s, &proof, p->f[FRESH].value, p->c->s.actor.session, &p->wrong));
	if (p->wrong == NULL)
		p->done = "The password is changed.";
	return write_page(p);
}

static enum err set_up(struct account_page *p)
{
	struct account_proof proof;
	bool right;
	TRY(proved(p, &proof, &right));
	if (!right)
		return OK;
	TRY(account_totp_confirm(&p->c->s, &proof, sign_in_digits(p->c, p->f[CODE].value), p->c->s.actor.session, &right));
	p->wrong = right ? NULL : "This code does not fit the key. Check the clock of your phone, and enter the code that the app shows now.";
	p->done = right ? "The second factor is set up. You are asked for a code the next time." : NULL;
	return write_page(p);
}

static enum err end_one(struct account_page *p)
{
	struct id session;
	if (id_parse(p->f[SESSION].value, &session)) {
		enum err e = own_end(&p->c->s, session);
		if (e != OK && e != ERR_NOT_FOUND) /* not found: it has ended meanwhile */
			return e;
	}
	return sign_in_see_other(p->c, "/account");
}

static enum err end_others(struct account_page *p)
{
	TRY(own_end_others(&p->c->s));
	return sign_in_see_other(p->c, "/account");
}

static const struct {
	const char *action;
	enum err (*run)(struct account_page *p);
} ACTIONS[] = {{"password", change_password}, {"setUp", set_up}, {"end", end_one}, {"endOthers", end_others}};

/* ---- routes ---- */

/* Whose page; *ret_in false: the answer is given already. */
static enum err enter(struct call *c, bool *ret_in)
{
	*ret_in = false;
	if (!page_within(c, LIMIT_PAGES, NULL))
		return OK;
	*ret_in = sign_in_who(c);
	if (*ret_in)
		return OK;
	if (cookie_value(c) != NULL)
		cookie_clear(c);
	return sign_in_see_other(c, "/signin");
}

/* A form of this session's. */
static bool sent_by_us(struct account_page *p)
{
	if (!page_form(p->c, p->f, FIELDS))
		return false;
	if (session_csrf_holds(&p->c->s, p->c->s.actor.session, p->f[CSRF].value))
		return true;
	(void)page_message(p->c, 403, "This form was sent from elsewhere", "Open the page itself and try again.");
	return false;
}

enum err account_page_show(struct call *c)
{
	bool in;
	TRY(enter(c, &in));
	return in ? write_page(&(struct account_page){.c = c}) : OK;
}

static struct form_field *fields(struct call *c)
{
	static const struct form_field list[FIELDS] = {
		[ACTION] = {"action", 20, false, NULL}, [SESSION] = {"session", 40, false, NULL}, [PASSWORD] = {"password", PASSWORD_BYTES_MAX, false, NULL},
		[FRESH] = {"new", PASSWORD_BYTES_MAX, false, NULL}, [AGAIN] = {"again", PASSWORD_BYTES_MAX, false, NULL}, [CODE] = {"code", 20, false, NULL},
		[CSRF] = {CSRF_FIELD, 60, false, NULL}};
	struct form_field *f = arena_alloc(c->s.arena, sizeof list);
	memcpy(f, list, sizeof list);
	return f;
}

/* Overtaken by the same from another window, or by an administrator: the page says what is so now. */
static enum err run(struct account_page *p, enum err (*action)(struct account_page *p))
{
	enum err e = action(p);
	if (e != ERR_UNAUTHENTICATED)
		return e;
	p->c->s.detail = NULL;
	return sign_in_see_other(p->c, "/account");
}

enum err account_page_send(struct call *c)
{
	struct account_page p = {.c = c, .f = fields(c)};
	bool in;
	TRY(enter(c, &in));
	if (!in || !sent_by_us(&p))
		return OK;
	for (size_t i = 0; i < sizeof ACTIONS / sizeof ACTIONS[0]; i++)
		if (strcmp(p.f[ACTION].value, ACTIONS[i].action) == 0)
			return run(&p, ACTIONS[i].run);
	return sign_in_see_other(c, "/account");
}

enum err sign_out_send(struct call *c)
{
	struct account_page p = {.c = c, .f = fields(c)};
	bool in;
	TRY(enter(c, &in));
	if (!in || !sent_by_us(&p))
		return OK;
	struct id provider = oidc_provider_of_session(c);
	TRY(own_sign_out(&c->s));
	cookie_clear(c);
	return oidc_signed_out(c, provider) ? OK : sign_in_see_other(c, "/signin");
}
