/* SPDX-License-Identifier: Apache-2.0
 *
 * /signin and /signin/{tenant}: from a name and a password, or the tenant's identity providers, to a session.  Each step is a form of its own; what
 * was proved so far is in its ticket (directory/sign_in/account.h).
 */
#include "api/sign_in/pages.h"

#include <stdatomic.h>
#include <string.h>

#include "api/metrics.h"
#include "codec/html.h"
#include "codec/odata.h"
#include "crypto/password.h"
#include "directory/sign_in/account.h"
#include "directory/sign_in/organisation.h"

enum err sign_in_choose(struct call *c);
enum err sign_in_chosen(struct call *c);
enum err sign_in_show(struct call *c);
enum err sign_in_send(struct call *c);

enum { ACTION, NAME, PASSWORD, CODE, TICKET, FRESH, AGAIN, NEXT, FIELDS };
enum { NAME_BYTES = 400 };

struct page {
	struct call *c;
	struct organisation org;
	struct form_field *f; /* NULL: a page that is opened */
	const char *next, *wrong;
};

/* ---- which organisation ---- */

static enum err write_choice(struct call *c, const char *next, const char *wrong)
{
	struct buf *b = page_begin(c, NULL, "Sign in");
	sign_in_notice(b, "bad", wrong);
	buf_adds(b, "<form method=\"post\">");
	sign_in_hidden(b, "next", next);
	sign_in_input(b, &(struct sign_in_field){.name = "organisation", .type = "text", .label = "Organisation", .max = 40, .complete = "organization",
						 .hint = "Its id, as your administrator gave it to you. You can keep the address of the next page."});
	buf_adds(b, "<button type=\"submit\">Continue</button></form>\n");
	return sign_in_page_end(c, wrong == NULL ? 200 : 400);
}

static enum err go_to(struct call *c, struct id tenant, const char *next)
{
	char text[ID_TEXT];
	const char *query = strcmp(next, "/account") == 0 ? "" : arena_printf(c->s.arena, "?next=%s", url_encode(c->s.arena, next));
	return sign_in_see_other(c, arena_printf(c->s.arena, "/signin/%s%s", id_format(tenant, text), query));
}

enum err sign_in_choose(struct call *c)
{
	struct id tenant;
	bool one;
	if (!page_within(c, LIMIT_PAGES, NULL))
		return OK;
	TRY(organisation_only(&c->s, &tenant, &one));
	return one ? go_to(c, tenant, sign_in_next_of_query(c)) : write_choice(c, sign_in_next_of_query(c), NULL);
}

enum err sign_in_chosen(struct call *c)
{
	struct form_field f[] = {{"organisation", 40, false, NULL}, {"next", 600, false, NULL}};
	struct id tenant;
	if (!page_within(c, LIMIT_PAGES, NULL) || !page_form(c, f, 2))
		return OK;
	if (!id_parse(f[0].value, &tenant))
		return write_choice(c, sign_in_next(c, f[1].value), "An organisation's id looks like 0190cd3e-7b54-7c21-9c11-3f1f6e0a2b4d.");
	return go_to(c, tenant, sign_in_next(c, f[1].value));
}

/* ---- the page of one ---- */

static void write_providers(struct buf *b, struct call *c, const struct page *p)
{
	char tenant[ID_TEXT], provider[ID_TEXT];
	id_format(c->s.tenant, tenant);
	for (size_t i = 0; i < p->org.provider_n; i++) {
		buf_printf(b, "<a class=\"button\" href=\"/signin/%s/oidc/%s?next=%s\">Sign in with ", tenant,
			   id_format(p->org.providers[i].provider, provider), url_encode(c->s.arena, p->next));
		html_name_escape(b, p->org.providers[i].display_name);
		buf_adds(b, "</a>\n");
	}
}

static void write_local(struct buf *b, const struct page *p)
{
	const char *name = p->f != NULL ? p->f[NAME].value : NULL;
	buf_adds(b, "<form method=\"post\" accept-charset=\"utf-8\">");
	sign_in_hidden(b, "next", p->next);
	sign_in_input(b, &(struct sign_in_field){.name = "name", .type = "text", .label = "User name", .max = NAME_BYTES, .complete = "username", .value = name,
						 .hint = "It looks like an e-mail address."});
	sign_in_input(b, &(struct sign_in_field){.name = "password", .type = "password", .label = "Password", .max = PASSWORD_BYTES_MAX,
						 .complete = "current-password"});
	buf_adds(b, "<button name=\"action\" value=\"password\">Sign in</button></form>\n");
}

static enum err write_entry(struct page *p, int status)
{
	struct call *c = p->c;
	struct buf *b = page_begin(c, p->org.display_name, "Sign in");
	sign_in_notice(b, "bad", p->wrong);
	write_providers(b, c, p);
	bool aside = p->org.provider_n > 0;
	if (aside && p->org.local_accounts)
		buf_printf(b, "<details%s><summary>Use a password of this server</summary>\n", p->f != NULL ? " open" : "");
	if (!aside || p->org.local_accounts)
		write_local(b, p);
	if (aside && p->org.local_accounts)
		buf_adds(b, "</details>\n");
	if (!aside && !p->org.local_accounts)
		buf_adds(b, "<p class=\"hint\">Nobody can sign in here yet: on the server, <code>reeve account create NAME --role Administrator</code> "
			    "makes the first account.</p>\n");
	return sign_in_page_end(c, status);
}

/* ---- its further steps ---- */

static struct buf *begin_step(struct page *p, const char *title, const char *ticket)
{
	struct buf *b = page_begin(p->c, p->org.display_name, title);
	sign_in_notice(b, "bad", p->wrong);
	buf_adds(b, "<form method=\"post\" accept-charset=\"utf-8\">");
	sign_in_hidden(b, "next", p->next);
	sign_in_hidden(b, "ticket", ticket);
	return b;
}

static enum err end_step(struct page *p, struct buf *b, const char *action, const char *label)
{
	char tenant[ID_TEXT];
	buf_printf(b, "<button name=\"action\" value=\"%s\">%s</button></form>\n<p><a href=\"/signin/%s\">Start again</a></p>\n", action, label,
		   id_format(p->c->s.tenant, tenant));
	return sign_in_page_end(p->c, p->wrong == NULL ? 200 : 400);
}

static enum err write_code(struct page *p, const char *ticket)
{
	struct buf *b = begin_step(p, "Enter a code", ticket);
	sign_in_input(b, &(struct sign_in_field){.name = "code", .type = "text", .label = "Code", .complete = "one-time-code", .max = 12, .code = true,
						 .hint = "Six digits, from your authenticator app."});
	return end_step(p, b, "code", "Continue");
}

static enum err write_set_up(struct page *p, const char *ticket, struct id user)
{
	struct buf *b = begin_step(p, "Set up a second factor", ticket);
	buf_adds(b, "<p>Your organisation asks for a second factor: a code from an app on your phone, beside the password.</p>\n");
	TRY(sign_in_write_offer(p->c, b, user));
	return end_step(p, b, "setUp", "Set it up and continue");
}

static enum err write_change(struct page *p, const char *ticket)
{
	struct buf *b = begin_step(p, "Choose a new password", ticket);
	buf_adds(b, "<p>Somebody else chose the password that you have. From now on it should be known to you alone.</p>\n");
	sign_in_input(b, &(struct sign_in_field){.name = "new", .type = "password", .label = "New password", .max = PASSWORD_BYTES_MAX,
						 .complete = "new-password", .hint = "At least 12 characters. A sentence is a good password."});
	sign_in_input(b, &(struct sign_in_field){.name = "again", .type = "password", .label = "The same once more", .max = PASSWORD_BYTES_MAX,
						 .complete = "new-password"});
	return end_step(p, b, "change", "Save it and continue");
}

/* What is missing, or in. */
static enum err go_on(struct page *p, const struct account_proof *proof)
{
	char ticket[TICKET_TEXT], secret[SESSION_SECRET_TEXT];
	struct session_new n = {0};
	struct id session;
	enum account_need need;
	TRY(account_need(&p->c->s, proof, &need));
	account_ticket(&p->c->s, proof, ticket);
	switch (need) {
	case NEED_CODE: return write_code(p, ticket);
	case NEED_SECOND_FACTOR: return write_set_up(p, ticket, proof->user);
	case NEED_PASSWORD: return write_change(p, ticket);
	case NEED_NOTHING: break;
	}
	sign_in_describe(p->c, &n);
	TRY(account_enter(&p->c->s, proof, &n, secret, &session));
	return sign_in_done(p->c, session, secret, p->next);
}

/* ---- what was sent ---- */

static enum err with_password(struct page *p)
{
	struct account_proof proof;
	bool right;
	const char *password = p->f[PASSWORD].value;
	if (*password == '\0' || *p->f[NAME].value == '\0') {
		p->wrong = "Enter your user name and your password.";
		return write_entry(p, 400);
	}
	TRY(account_password(&p->c->s, p->f[NAME].value, password, &proof, &right));
	if (right)
		return go_on(p, &proof);
	sign_in_failed(p->c);
	p->wrong = "This user name and this password do not fit together, or the account is locked for some minutes after too many attempts.";
	return write_entry(p, 401);
}

static enum err with_code(struct page *p, struct account_proof *proof)
{
	bool right;
	TRY(account_code(&p->c->s, proof, sign_in_digits(p->c, p->f[CODE].value), &right));
	if (right)
		return go_on(p, proof);
	sign_in_failed(p->c);
	p->wrong = "This code is wrong or was used already. Wait for the next one. After too many wrong codes the account is locked for some minutes.";
	return go_on(p, proof);
}

static enum err with_set_up(struct page *p, struct account_proof *proof)
{
	static const struct id none;
	bool right;
	TRY(account_totp_confirm(&p->c->s, proof, sign_in_digits(p->c, p->f[CODE].value), none, &right));
	if (right)
		return go_on(p, proof);
	p->wrong = "This code does not fit the key. Check the clock of your phone, and enter the code that the app shows now.";
	return go_on(p, proof);
}

static enum err with_change(struct page *p, struct account_proof *proof)
{
	static const struct id none;
	if (strcmp(p->f[FRESH].value, p->f[AGAIN].value) != 0)
		p->wrong = "The two are not the same.";
	else
		TRY(account_change_password(&p->c->s, proof, p->f[FRESH].value, none, &p->wrong));
	return go_on(p, proof);
}

static const struct {
	const char *action;
	enum account_need need;
	enum err (*run)(struct page *p, struct account_proof *proof);
} STEPS[] = {
	{"code", NEED_CODE, with_code},
	{"setUp", NEED_SECOND_FACTOR, with_set_up},
	{"change", NEED_PASSWORD, with_change},
};

static enum err start_again(struct page *p)
{
	p->wrong = "That took too long. Please start again.";
	return write_entry(p, 400);
}

/* A step that is not the next one is passed over: the page shows which is. */
static enum err with_ticket(struct page *p)
{
	struct account_proof proof;
	enum account_need need;
	bool holds;
	TRY(account_ticket_open(&p->c->s, p->f[TICKET].value, &proof, &holds));
	if (!holds)
		return start_again(p);
	TRY(account_need(&p->c->s, &proof, &need));
	for (size_t i = 0; i < sizeof STEPS / sizeof STEPS[0]; i++)
		if (need == STEPS[i].need && strcmp(p->f[ACTION].value, STEPS[i].action) == 0)
			return STEPS[i].run(p, &proof);
	return go_on(p, &proof);
}

/* ---- routes ---- */

/* *ret_open false: the answer is given already. */
static enum err open_page(struct page *p, bool *ret_open)
{
	struct call *c = p->c;
	*ret_open = false;
	if (!page_within(c, LIMIT_PAGES, NULL))
		return OK;
	if (!id_parse(call_param(c, "tenant"), &c->s.tenant))
		return page_not_found(c);
	c->s.has_tenant = true;
	enum err e = organisation_get(&c->s, &p->org);
	if (e == ERR_NOT_FOUND)
		return page_not_found(c);
	*ret_open = e == OK;
	return e;
}

enum err sign_in_show(struct call *c)
{
	struct page p = {.c = c};
	bool open;
	TRY(open_page(&p, &open));
	if (!open)
		return OK;
	p.next = sign_in_next_of_query(c);
	struct call who = *c;
	if (sign_in_who(&who) && id_equal(who.s.tenant, c->s.tenant))
		return sign_in_see_other(c, p.next);
	return write_entry(&p, 200);
}

enum err sign_in_send(struct call *c)
{
	struct form_field f[FIELDS] = {[ACTION] = {"action", 20, false, NULL}, [NAME] = {"name", NAME_BYTES, false, NULL},
				       [PASSWORD] = {"password", PASSWORD_BYTES_MAX, false, NULL}, [CODE] = {"code", 20, false, NULL},
				       [TICKET] = {"ticket", TICKET_TEXT, false, NULL}, [FRESH] = {"new", PASSWORD_BYTES_MAX, false, NULL},
				       [AGAIN] = {"again", PASSWORD_BYTES_MAX, false, NULL}, [NEXT] = {"next", 600, false, NULL}};
	struct page p = {.c = c, .f = f};
	bool open;
	TRY(open_page(&p, &open));
	if (!open || !sign_in_may_try(c) || !page_form(c, f, FIELDS))
		return OK;
	p.next = sign_in_next(c, f[NEXT].value);
	enum err e = strcmp(f[ACTION].value, "password") == 0 ? with_password(&p) : with_ticket(&p);
	if (e == ERR_UNAUTHENTICATED) { /* overtaken by a change of the account */
		c->s.detail = NULL;
		return start_again(&p);
	}
	if (e == ERR_TOO_MANY) {
		atomic_fetch_add(&c->server->metrics->sign_ins_throttled, 1);
		http_response_header(c->out, "Retry-After", "5");
		return page_message(c, 429, "Too many at once", "Many people are signing in right now. Please try again in a moment.");
	}
	return e;
}
