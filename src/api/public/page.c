/* SPDX-License-Identifier: Apache-2.0
 * The frame of public pages, and what their forms send. */
#include "api/public/page.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "api/refusals.h"
#include "base/clock.h"
#include "codec/base64.h"
#include "codec/html.h"
#include "crypto/digest.h"

static const char STYLE[] =
	":root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--paper:#fff;--ground:#f6f8fa;--act:#0b57d0;--on:#fff;--bad:#b3261e}"
	"@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9ba5b0;--line:#3a424c;--paper:#161b22;--ground:#0d1117;--act:#8ab4f8;"
	"--on:#0d1117;--bad:#f2b8b5}}"
	"*{box-sizing:border-box}"
	"body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif}"
	"main{max-width:40rem;margin:2rem auto;padding:1.5rem 2rem 2rem;background:var(--paper);border:1px solid var(--line);border-radius:12px}"
	"header{color:var(--soft);font-size:.9rem}h1{font-size:1.5rem;line-height:1.25;margin:.25rem 0 1rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}"
	"p{margin:.5rem 0 1rem}dl{display:grid;grid-template-columns:minmax(8rem,11rem) 1fr;gap:.4rem 1.25rem;margin:1rem 0}dt{color:var(--soft)}"
	"dd{margin:0;overflow-wrap:anywhere;white-space:pre-line}fieldset{border:0;margin:0 0 1.25rem;padding:0}legend,label.field{display:block;"
	"font-weight:600;margin-bottom:.35rem}"
	"label.choice input{margin:0}"
	"label.choice{display:flex;gap:.6rem;align-items:baseline;padding:.3rem 0;font-weight:400}.hint{color:var(--soft);font-size:.9rem;margin:.25rem 0 0}"
	"input[type=text],input[type=email],input[type=password],textarea{width:100%;padding:.6rem .7rem;font:inherit;color:inherit;background:var(--paper);"
	"border:1px solid var(--soft);border-radius:8px}textarea{min-height:8rem}input.code{max-width:14rem;font-size:1.4rem;letter-spacing:.15em}"
	"button{font:inherit;font-weight:600;padding:.65rem 1.25rem;border:1px solid var(--act);border-radius:8px;background:var(--act);"
	"color:var(--on);cursor:pointer}"
	"button.plain{background:transparent;color:var(--act)}:focus-visible{outline:3px solid var(--act);outline-offset:2px}"
	".bad{border-left:4px solid var(--bad);padding:.5rem 1rem;margin:0 0 1.25rem}.good{border-left:4px solid var(--act);padding:.5rem 1rem;"
	"margin:0 0 1.25rem}"
	"a{color:var(--act)}a.button{display:block;text-align:center;text-decoration:none;font-weight:600;padding:.65rem 1.25rem;margin:0 0 .75rem;"
	"border:1px solid var(--act);border-radius:8px}.key{font-family:ui-monospace,monospace;font-size:1.1rem;letter-spacing:.05em;margin:.5rem 0}"
	"summary{cursor:pointer;color:var(--act);margin:1.25rem 0 1rem}table{border-collapse:collapse;width:100%;margin:.5rem 0 1rem}th,td{text-align:left;"
	"vertical-align:top;padding:.5rem .75rem .5rem 0;border-bottom:1px solid var(--line);overflow-wrap:break-word}"
	"h1,li,td a,td bdi,td .hint{overflow-wrap:anywhere}td bdi{display:inline-block;min-width:7rem}"
	"th{color:var(--soft);font-weight:400;font-size:.9rem}"
	"button.small{padding:.25rem .75rem;font-size:.9rem;width:auto}td.end{text-align:right;padding-right:0;white-space:nowrap}table form{margin:0}"
	"ol{padding-left:1.25rem}"
	"ol li{margin-bottom:.75rem}ul{padding-left:1.25rem;margin:.5rem 0 1rem;columns:2 18rem}form>.hint+button,.hint+form{margin-top:.75rem}"
	"footer{max-width:40rem;margin:0 auto 2rem;padding:0 2rem;color:var(--soft);font-size:.85rem}"
	"@media(max-width:34rem){main{margin:0;border:0;border-radius:0;padding:1rem}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.6rem}"
	"button{width:100%}footer{padding:1rem}}"
	"@media print{body{background:#fff}main{border:0;margin:0;max-width:none}form{display:none}}";

/* ---- writing ---- */

void page_day(struct buf *b, int64_t at)
{
	static const char *const months[] = {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
					     "November", "December"};
	time_t seconds = (time_t)(at / SECOND_US);
	struct tm t;
	check(gmtime_r(&seconds, &t) != NULL);
	buf_printf(b, "%d %s %d", t.tm_mday, months[t.tm_mon], 1900 + t.tm_year);
}

struct buf *page_begin(struct call *c, const char *organisation, const char *title)
{
	struct buf *b = &c->out->body;
	buf_clear(b);
	buf_adds(b, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, "
		    "initial-scale=1\">"
		    "<meta name=\"robots\" content=\"noindex\"><title>");
	html_escape(b, title);
	buf_adds(b, "</title><style>");
	buf_adds(b, STYLE);
	buf_adds(b, "</style></head><body><main>");
	if (organisation != NULL) {
		buf_adds(b, "<header><bdi>");
		html_escape(b, organisation);
		buf_adds(b, "</bdi></header>");
	}
	buf_adds(b, "<h1>");
	html_escape(b, title);
	buf_adds(b, "</h1>\n");
	return b;
}

/* The style is allowed by its digest, and nothing else is loaded, run or framed. */
static void headers(struct call *c)
{
	uint8_t digest[SHA256_BYTES];
	sha256(STYLE, sizeof STYLE - 1, digest);
	http_response_header(c->out, "Content-Security-Policy",
			     arena_printf(c->s.arena, "default-src 'none'; style-src 'sha256-%s'; form-action 'self'; frame-ancestors 'none'; "
			"base-uri 'none'",
					  base64_encode(c->s.arena, digest, sizeof digest)));
	http_response_header(c->out, "X-Content-Type-Options", "nosniff");
	http_response_header(c->out, "X-Frame-Options", "DENY");
	http_response_header(c->out, "Referrer-Policy", "same-origin"); /* without a referrer a form would be sent without its origin */
	http_response_header(c->out, "Cross-Origin-Opener-Policy", "same-origin");
	http_response_header(c->out, "Cache-Control", "no-store");
}

enum err page_end(struct call *c, int status)
{
	return page_end_with(c, status, "No cookies, no scripts. What you send here is used for your request alone.");
}

enum err page_end_with(struct call *c, int status, const char *footer)
{
	buf_printf(&c->out->body, "</main><footer>%s</footer></body></html>\n", footer);
	headers(c);
	c->out->content_type = "text/html; charset=utf-8";
	c->out->status = status;
	if (status >= 400)
		refusals_count(c->in->client_ip, status, "publicPage", c->s.now);
	return OK;
}

enum err page_message(struct call *c, int status, const char *title, const char *text)
{
	struct buf *b = page_begin(c, NULL, title);
	buf_adds(b, "<p>");
	html_escape(b, text);
	buf_adds(b, "</p>\n");
	return page_end(c, status);
}

enum err page_not_found(struct call *c)
{
	return page_message(c, 404, "There is no such page", "Look at the address again, or ask the organisation for it.");
}

/* ---- reading ---- */

/* Whoever opens a form on another site sends that site's origin. */
bool page_same_origin(struct call *c)
{
	const char *origin = http_header(c->in, "Origin"), *site = http_header(c->in, "Sec-Fetch-Site");
	if (origin != NULL)
		return strcasecmp(origin, c->server->url) == 0;
	return site != NULL && strcmp(site, "same-origin") == 0;
}

static bool read_form(struct call *c, struct form_field *fields, size_t n)
{
	static const char form[] = "application/x-www-form-urlencoded";
	const char *type = http_header(c->in, "Content-Type");
	return type != NULL && strncasecmp(type, form, sizeof form - 1) == 0 && form_parse(c->s.arena, c->in->body, c->in->body_len, fields, n);
}

bool page_form(struct call *c, struct form_field *fields, size_t n)
{
	if (!page_same_origin(c)) {
		(void)page_message(c, 403, "This form was sent from elsewhere", "Open the page itself and try again.");
		return false;
	}
	if (!read_form(c, fields, n)) {
		(void)page_message(c, 400, "This cannot be read", "One of the fields is too long or holds characters that no text has. Go back and "
		"shorten it.");
		return false;
	}
	return true;
}
