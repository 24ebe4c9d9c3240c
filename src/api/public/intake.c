/* SPDX-License-Identifier: Apache-2.0
 *
 * /privacy/{tenant}: a data-subject request by anybody, where the tenant takes them (setting requestIntake).  Nobody is looked up: whoever sends
 * it gets the same answer, and a code at the address that they gave; whom it is about, an officer finds.
 */
#include "api/public/page.h"

#include <string.h>

#include "codec/html.h"
#include "codec/mail.h"
#include "privacy/request/request.h"
#include "privacy/request/code.h"
#include "privacy/request/page.h"

enum err intake_show(struct call *c);
enum err intake_send(struct call *c);

enum { NAME_MAX_BYTES = 400, STATEMENT_MAX = 6000 };

static const struct {
	const char *type, *label, *hint;
} CHOICES[] = {
	{"access", "A copy of the data that is held about me", NULL},
	{"portability", "My data in a form that I can take elsewhere", NULL},
	{"rectification", "Correction of data that is wrong", "Say below what is wrong and what is right."},
	{"erasure", "Deletion of my data", NULL},
	{"restriction", "That my data is kept but not used for now", NULL},
	{"objection", "I object to the use of my data", "Say below to what, and why."},
};
enum { CHOICE_COUNT = sizeof CHOICES / sizeof CHOICES[0] };

enum { TYPE, NAME, MAIL, STATEMENT, FIELDS };

/* ---- the form ---- */

static void write_choices(struct buf *b, const char *chosen)
{
	buf_adds(b, "<fieldset><legend>What do you ask for?</legend>\n");
	for (size_t i = 0; i < CHOICE_COUNT; i++) {
		buf_printf(b, "<label class=\"choice\"><input type=\"radio\" name=\"type\" value=\"%s\" required%s><span>%s", CHOICES[i].type,
			   strcmp(chosen, CHOICES[i].type) == 0 ? " checked" : "", CHOICES[i].label);
		if (CHOICES[i].hint != NULL)
			buf_printf(b, "<br><span class=\"hint\">%s</span>", CHOICES[i].hint);
		buf_adds(b, "</span></label>\n");
	}
	buf_adds(b, "</fieldset>\n");
}

static void write_input(struct buf *b, const char *name, const char *type, const char *label, const char *hint, int max, const char *complete,
			const char *value)
{
	buf_printf(b, "<fieldset><label class=\"field\" for=\"%s\">%s</label><input id=\"%s\" name=\"%s\" type=\"%s\" maxlength=\"%d\" autocomplete=\"%s\" "
		      "required aria-describedby=\"%s-hint\" value=\"", name, label, name, name, type, max, complete, name);
	html_escape(b, value);
	buf_printf(b, "\"><p class=\"hint\" id=\"%s-hint\">%s</p></fieldset>\n", name, hint);
}

static enum err write_form(struct call *c, const char *organisation, const struct form_field *f, const char *wrong)
{
	struct buf *b = page_begin(c, organisation, "Ask about your data");
	if (wrong != NULL) {
		buf_adds(b, "<p class=\"bad\" role=\"alert\">");
		html_escape(b, wrong);
		buf_adds(b, "</p>\n");
	}
	buf_adds(b, "<p>Use this form if you cannot sign in, for example because you do not work here any more. You get a letter with a code by "
		    "e-mail; with it "
		    "you can see how your request stands and fetch the answer.</p>\n<form method=\"post\" accept-charset=\"utf-8\">\n");
	write_choices(b, f[TYPE].value);
	write_input(b, "name", "text", "Your name", "As the organisation knows you.", 100, "name", f[NAME].value);
	write_input(b, "mail", "email", "Your e-mail address", "An address that you can read now. All letters about the request go there.", MAIL_ADDRESS_MAX,
		    "email", f[MAIL].value);
	buf_adds(b, "<fieldset><label class=\"field\" for=\"statement\">What should be known (optional)</label><textarea id=\"statement\" name=\"statement\" "
		    "maxlength=\"1500\" aria-describedby=\"statement-hint\">\n");
	html_escape(b, f[STATEMENT].value);
	buf_adds(b, "</textarea><p class=\"hint\" id=\"statement-hint\">For example when you worked there, your former user name, or which data "
		    "you mean. Please send no "
		    "copies of documents.</p></fieldset>\n<button type=\"submit\">Send the request</button></form>\n");
	return page_end(c, wrong == NULL ? 200 : 400);
}

/* Which tenant; *ret_open false: the answer is given already. */
static enum err admit(struct call *c, bool *ret_open, const char **ret_organisation)
{
	*ret_open = false;
	if (!page_within(c, LIMIT_PAGES, NULL))
		return OK;
	if (!id_parse(call_param(c, "tenant"), &c->s.tenant))
		return page_not_found(c);
	c->s.has_tenant = true;
	TRY(request_intake(&c->s, ret_open, ret_organisation));
	return *ret_open ? OK : page_not_found(c);
}

enum err intake_show(struct call *c)
{
	static const struct form_field empty[FIELDS] = {[TYPE].value = "", [NAME].value = "", [MAIL].value = "", [STATEMENT].value = ""};
	const char *organisation;
	bool open;
	TRY(admit(c, &open, &organisation));
	return open ? write_form(c, organisation, empty, NULL) : OK;
}

/* ---- what was sent ---- */

static const char *problem(const struct form_field *f)
{
	bool known = false;
	for (size_t i = 0; i < CHOICE_COUNT; i++)
		known = known || strcmp(CHOICES[i].type, f[TYPE].value) == 0;
	if (!known)
		return "Please choose what you ask for.";
	if (*f[NAME].value == '\0')
		return "Please give your name.";
	if (!mail_address_ok(f[MAIL].value))
		return "Please check your e-mail address.";
	return NULL;
}

static enum err answer(struct call *c, const char *organisation, struct id request)
{
	char number[ID_TEXT];
	struct buf *b = page_begin(c, organisation, "Your request was received");
	id_format(request, number);
	buf_printf(b, "<dl><dt>Number</dt><dd>%s</dd></dl>\n<p>A letter with a code is on its way to the address that you gave. Enter the code "
		    "within 15 minutes "
		      "to confirm the address; you can have another one sent at any time.</p>\n"
		      "<p><a href=\"/privacy/requests/%s\">To the page of your request</a> (keep this address)</p>\n", number, number);
	return page_end(c, 200);
}

enum err intake_send(struct call *c)
{
	struct form_field f[FIELDS] = {[TYPE] = {"type", 40, false, NULL}, [NAME] = {"name", NAME_MAX_BYTES, false, NULL},
				       [MAIL] = {"mail", 400, false, NULL}, [STATEMENT] = {"statement", STATEMENT_MAX, true, NULL}};
	const char *organisation;
	struct id request;
	bool open;
	char tenant[ID_TEXT];
	TRY(admit(c, &open, &organisation));
	if (!open || !page_form(c, f, FIELDS))
		return OK;
	const char *wrong = problem(f);
	if (wrong != NULL)
		return write_form(c, organisation, f, wrong);
	if (!page_within(c, LIMIT_INTAKE, NULL) || !page_within(c, LIMIT_INTAKE_TENANT, id_format(c->s.tenant, tenant)) ||
	    !page_within(c, LIMIT_INTAKE_MAIL, f[MAIL].value))
		return OK;
	struct request_order o = {.type = f[TYPE].value, .channel = "portal", .contact = f[MAIL].value,
				  .statement = arena_printf(c->s.arena, "Name: %s\n\n%s", f[NAME].value, f[STATEMENT].value)};
	TRY(request_open(&c->s, &o, &request));
	TRY(request_code_send(&c->s, request));
	return answer(c, organisation, request);
}
