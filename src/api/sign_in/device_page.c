/* SPDX-License-Identifier: Apache-2.0
 *
 * /signin/{tenant}/device: where a person enters the code that a program shows, sees which program asks from where, and lets it in or not (RFC 8628,
 * section 3.3).  Nothing is allowed by opening an address: the code is typed, and each step is a form with the session's CSRF token.
 */
#include <inttypes.h>
#include <string.h>

#include "api/sign_in/cookie.h"
#include "api/sign_in/pages.h"
#include "base/clock.h"
#include "codec/html.h"
#include "directory/sign_in/device_code.h"

enum err device_page_show(struct call *c);
enum err device_page_send(struct call *c);

enum { ACTION, CODE, REQUEST, CSRF, FIELDS };

/* Whoever is not signed in here is sent to do that, and comes back. */
static bool signed_in(struct call *c)
{
	struct id tenant;
	char text[ID_TEXT];
	if (!page_within(c, LIMIT_PAGES, NULL))
		return false;
	if (!id_parse(call_param(c, "tenant"), &tenant)) {
		(void)page_not_found(c);
		return false;
	}
	if (sign_in_who(c) && id_equal(c->s.tenant, tenant))
		return true;
	id_format(tenant, text);
	(void)sign_in_see_other(c, arena_printf(c->s.arena, "/signin/%s?next=%%2Fsignin%%2F%s%%2Fdevice", text, text));
	return false;
}

static void begin_form(struct call *c, struct buf *b)
{
	char token[SESSION_CSRF_TEXT];
	session_csrf(&c->s, c->s.actor.session, token);
	buf_adds(b, "<form method=\"post\" accept-charset=\"utf-8\">");
	sign_in_hidden(b, CSRF_FIELD, token);
}

static enum err write_entry(struct call *c, int status, const char *wrong)
{
	struct buf *b = page_begin(c, NULL, "Let a program in");
	sign_in_notice(b, "bad", wrong);
	buf_adds(b, "<p>Enter the code that the program shows. Enter only codes of programs that you have started yourself just now.</p>\n");
	begin_form(c, b);
	sign_in_input(b, &(struct sign_in_field){.name = "code", .type = "text", .label = "Code", .max = 20, .complete = "off",
						 .hint = "Eight letters, such as BCDF-GHJK."});
	buf_adds(b, "<button name=\"action\" value=\"find\">Continue</button></form>\n");
	return sign_in_page_end(c, status);
}

static void fact(struct buf *b, const char *label, const char *text)
{
	buf_printf(b, "<dt>%s</dt><dd>", label);
	html_escape(b, text != NULL ? text : "not known");
	buf_adds(b, "</dd>\n");
}

static enum err write_question(struct call *c, const struct device_code *d)
{
	char id[ID_TEXT], client_id[ID_TEXT];
	struct public_client client;
	int64_t minutes = (c->s.now - d->created_at) / MINUTE_US;
	struct buf *b = page_begin(c, NULL, "Do you let this program in?");
	bool known = public_client_find(id_format(d->application, client_id), &client);
	buf_adds(b, "<dl>\n");
	fact(b, "Program", known ? client.display_name : client_id);
	fact(b, "It asks from", d->ip);
	fact(b, "It says it is", d->user_agent);
	fact(b, "Asked", minutes == 0 ? "less than a minute ago" : arena_printf(c->s.arena, "%" PRId64 " min ago", minutes));
	fact(b, "You are", c->s.actor.upn);
	buf_adds(b, "</dl>\n<p>It will be able to do everything that you may do here, until you end its session on the page of your account.</p>\n"
		    "<p class=\"bad\">Did somebody send you this code, or ask you to enter it? Then deny it: they want to act in your name.</p>\n");
	begin_form(c, b);
	sign_in_hidden(b, "request", id_format(d->code, id));
	buf_adds(b, "<p><button name=\"action\" value=\"allow\">Allow</button> "
		    "<button class=\"plain\" name=\"action\" value=\"deny\">Deny</button></p></form>\n");
	return sign_in_page_end(c, 200);
}

/* ---- what was sent ---- */

static enum err find(struct call *c, const char *code)
{
	struct device_code d;
	char session[ID_TEXT];
	if (!page_within(c, LIMIT_USER_CODES, id_format(c->s.actor.session, session)))
		return OK;
	enum err e = device_code_find(&c->s, code, &d);
	if (e == ERR_NOT_FOUND)
		return write_entry(c, 400, "No program waits with this code. Look at it again; after a quarter of an hour the program has to ask for another.");
	TRY(e);
	return write_question(c, &d);
}

static enum err decide(struct call *c, const char *request, bool allow)
{
	struct id code;
	if (!id_parse(request, &code))
		return write_entry(c, 400, "Please start again.");
	enum err e = device_code_decide(&c->s, code, allow);
	if (e == ERR_NOT_FOUND)
		return write_entry(c, 400, "The program does not wait any more.");
	TRY(e);
	struct buf *b = page_begin(c, NULL, allow ? "The program is let in" : "The program is refused");
	sign_in_notice(b, "good", allow ? "You can go back to it, and close this page." : "It gets nothing. You can close this page.");
	buf_adds(b, "<p><a href=\"/account\">Your account, and where you are signed in</a></p>\n");
	return sign_in_page_end(c, 200);
}

enum err device_page_show(struct call *c)
{
	return signed_in(c) ? write_entry(c, 200, NULL) : OK;
}

enum err device_page_send(struct call *c)
{
	struct form_field f[FIELDS] = {[ACTION] = {"action", 20, false, NULL}, [CODE] = {"code", 40, false, NULL}, [REQUEST] = {"request", 40, false, NULL},
				       [CSRF] = {CSRF_FIELD, SESSION_CSRF_TEXT, false, NULL}};
	if (!signed_in(c) || !page_form(c, f, FIELDS))
		return OK;
	if (!session_csrf_holds(&c->s, c->s.actor.session, f[CSRF].value))
		return page_message(c, 403, "This form was sent from elsewhere", "Open the page itself and try again.");
	if (strcmp(f[ACTION].value, "allow") == 0 || strcmp(f[ACTION].value, "deny") == 0)
		return decide(c, f[REQUEST].value, strcmp(f[ACTION].value, "allow") == 0);
	return find(c, f[CODE].value);
}
