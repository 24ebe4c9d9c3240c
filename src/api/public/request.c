/* SPDX-License-Identifier: Apache-2.0
 *
 * /privacy/requests/{request}: a code to the case's address, and with it how the case stands and its answer.  A number that is none, a case that is
 * closed and a wrong code look the same.  After the code a pass in the page's own form stands for it, for half an hour.
 */
#include "api/public/page.h"

#include <string.h>

#include "codec/html.h"
#include "privacy/export/export.h"
#include "privacy/request/letter.h"
#include "privacy/request/code.h"
#include "privacy/request/page.h"

enum err request_page_show(struct call *c);
enum err request_page_send(struct call *c);

enum { ACTION, CODE, PASS, FIELDS };

static const struct {
	const char *state, *text;
} STATES[] = {
	{"received", "It was received. Before it is answered, the organisation checks that it comes from you."},
	{"verified", "It is established that it comes from you. The organisation is looking for what it holds."},
	{"discovered", "What is held was found. The organisation is deciding about the answer."},
	{"decided", "It was decided and is being carried out."},
	{"delivered", "It was answered."},
};

/* ---- without a code ---- */

static void write_code_form(struct buf *b)
{
	buf_adds(b, "<form method=\"post\"><fieldset><label class=\"field\" for=\"code\">Code</label><input class=\"code\" id=\"code\" "
		    "name=\"code\" type=\"text\" "
		    "inputmode=\"numeric\" autocomplete=\"one-time-code\" maxlength=\"12\" required aria-describedby=\"code-hint\">"
		    "<p class=\"hint\" id=\"code-hint\">Eight digits, from the newest letter. It is good for 15 minutes and can be used once.</p></fieldset>"
		    "<button name=\"action\" value=\"open\">Open my request</button></form>\n"
		    "<h2>No code, or it has run out?</h2><p>It is sent to the e-mail address of the request.</p><form method=\"post\">"
		    "<button class=\"plain\" name=\"action\" value=\"send\">Send me a code</button></form>\n");
}

static enum err write_entry(struct call *c, const char *class, const char *notice)
{
	struct buf *b = page_begin(c, NULL, "Your request about your data");
	if (notice != NULL) {
		buf_printf(b, "<p class=\"%s\" role=\"status\">", class);
		html_escape(b, notice);
		buf_adds(b, "</p>\n");
	}
	buf_adds(b, "<p>Enter the code that was sent to you to see how your request stands and to fetch the answer.</p>\n");
	write_code_form(b);
	return page_end(c, 200);
}

enum err request_page_show(struct call *c)
{
	return page_within(c, LIMIT_PAGES, NULL) ? write_entry(c, NULL, NULL) : OK;
}

/* ---- with it ---- */

static void row(struct buf *b, const char *name, const char *text)
{
	if (text == NULL || *text == '\0')
		return;
	buf_printf(b, "<dt>%s</dt><dd>", name);
	html_escape(b, text);
	buf_adds(b, "</dd>\n");
}

static void row_day(struct buf *b, const char *name, int64_t at)
{
	if (at == 0)
		return;
	buf_printf(b, "<dt>%s</dt><dd>", name);
	page_day(b, at);
	buf_adds(b, "</dd>\n");
}

static const char *state_text(const struct request_page *p)
{
	if (!id_is_nil(p->operation))
		return "The answer is ready.";
	if (strcmp(p->state, "decided") == 0 && p->exports)
		return "The answer is being prepared. A letter tells you when it is ready.";
	for (size_t i = 0; i < sizeof STATES / sizeof STATES[0]; i++)
		if (strcmp(STATES[i].state, p->state) == 0)
			return STATES[i].text;
	return "";
}

static void write_facts(struct buf *b, struct id request, const struct request_page *p)
{
	char number[ID_TEXT];
	bool shortened = p->decision != NULL && strcmp(p->decision, "grant") != 0;
	buf_adds(b, "<dl>\n");
	row(b, "Number", id_format(request, number));
	row(b, "You asked for", request_type_words(p->type));
	row_day(b, "Received", p->received_at);
	if (p->delivered_at == 0)
		row_day(b, "To be answered by", p->due_at);
	row(b, "Under", p->law);
	row(b, "It takes longer because", p->extended_at != 0 ? p->extension_reason : NULL);
	row(b, "Not everything is given because", shortened ? p->reason : NULL);
	row(b, "Legal ground", shortened ? p->ground : NULL);
	row(b, "What was done", p->outcome);
	row_day(b, "Answered", p->delivered_at);
	buf_adds(b, "</dl>\n");
}

static enum err write_case(struct call *c, struct id request)
{
	struct request_page p;
	TRY(request_page(&c->s, request, &p));
	struct buf *b = page_begin(c, p.organisation, "Your request about your data");
	buf_adds(b, "<p class=\"good\" role=\"status\">");
	html_escape(b, state_text(&p));
	buf_adds(b, "</p>\n");
	write_facts(b, request, &p);
	if (!id_is_nil(p.operation))
		buf_printf(b, "<form method=\"post\"><input type=\"hidden\" name=\"pass\" value=\"%s\"><button name=\"action\" value=\"download\">"
			    "Download the answer"
			      "</button></form><p class=\"hint\">A zip file; open README.html in it. The button works for half an hour; then enter "
			      "a new code.</p>\n",
			   request_pass(&c->s, request));
	return page_end(c, 200);
}

static enum err download(struct call *c, struct id request)
{
	struct request_page p;
	struct export_file f;
	TRY(request_page(&c->s, request, &p));
	if (id_is_nil(p.operation))
		return write_case(c, request);
	TRY(export_open(&c->s, c->server->data_dir, p.operation, &f));
	call_file(c, f.stream, f.bytes, f.type, f.name);
	return OK;
}

/* ---- what was sent ---- */

static enum err send_code(struct call *c, struct id request, bool known)
{
	if (!page_within(c, LIMIT_CODES, NULL))
		return OK;
	if (known)
		TRY(request_code_send(&c->s, request));
	return write_entry(c, "good", "If there is such a request, a code is on its way to its address. No more than five are sent in an hour.");
}

static enum err enter_code(struct call *c, struct id request, bool known, const char *code)
{
	bool right = false;
	if (!page_within(c, LIMIT_ATTEMPTS, NULL))
		return OK;
	if (known)
		TRY(request_code_check(&c->s, request, code, &right));
	return right ? write_case(c, request) : write_entry(c, "bad", "This code is wrong, was used, or has run out.");
}

/* An unknown number goes the same way, but for what is written. */
enum err request_page_send(struct call *c)
{
	struct form_field f[FIELDS] = {[ACTION] = {"action", 20, false, NULL}, [CODE] = {"code", 40, false, NULL}, [PASS] = {"pass", 100, false, NULL}};
	struct id request = {{0}};
	bool known = false;
	if (!page_within(c, LIMIT_PAGES, NULL) || !page_form(c, f, FIELDS))
		return OK;
	if (id_parse(call_param(c, "request"), &request))
		TRY(request_tenant(&c->s, request, &known, &c->s.tenant));
	c->s.has_tenant = known;
	if (strcmp(f[ACTION].value, "send") == 0)
		return send_code(c, request, known);
	if (strcmp(f[ACTION].value, "open") == 0)
		return enter_code(c, request, known, f[CODE].value);
	if (strcmp(f[ACTION].value, "download") == 0 && known && request_pass_holds(&c->s, request, f[PASS].value))
		return download(c, request);
	return write_entry(c, "bad", "Please enter a new code.");
}
