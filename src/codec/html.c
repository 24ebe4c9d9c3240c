/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/html.h"

#include <string.h>

#include "base/clock.h"
#include "codec/utf8.h"

static const char head[] =
	"</title>\n<style>body{font:16px/1.5 sans-serif;max-width:62em;margin:2em auto;padding:0 1em;color:#111;background:#fff}"
	"table{border-collapse:collapse;margin:0 0 1.5em;width:100%}th,td{border:1px solid #888;padding:.25em .5em;text-align:left;"
	"vertical-align:top;overflow-wrap:break-word}p,h1,h2,h3{overflow-wrap:anywhere}table.fixed{table-layout:fixed}"
	"table.fixed th.label{width:30%}table.facts{break-inside:avoid}thead{display:table-header-group}tr{break-inside:avoid}h2,h3{break-after:avoid}"
	"td.n{text-align:right;white-space:nowrap}@page{margin:15mm}"
	"@media print{body{font-size:9pt;margin:0;max-width:none;padding:0}a{color:inherit;text-decoration:none}}</style></head><body>\n<h1>";

static const char *entity(unsigned char c)
{
	switch (c) {
	case '&': return "&amp;";
	case '<': return "&lt;";
	case '>': return "&gt;";
	case '"': return "&quot;";
	case '\'': return "&#39;";
	default: return (c < 0x20 && c != '\t' && c != '\n') || c == 0x7f ? "\xef\xbf\xbd" : NULL;
	}
}

void html_escape(struct buf *out, const char *s)
{
	if (s == NULL)
		return;
	if (!utf8_valid(s, strlen(s))) { /* nothing that the database gives out */
		buf_adds(out, "\xef\xbf\xbd");
		return;
	}
	for (; *s != '\0'; s++) {
		const char *e = entity((unsigned char)*s);
		if (e != NULL)
			buf_adds(out, e);
		else
			buf_addc(out, *s);
	}
}

/* ---- values ---- */

static void visible_code(struct buf *out, unsigned code) { buf_printf(out, "<span class=\"u\">U+%04X</span>", code); }

/* Controls of two bytes, and marks that turn or isolate the direction of what follows; 0: it is a character like others. */
static unsigned special(const char *p, size_t n)
{
	const unsigned char *u = (const unsigned char *)p;
	if (n == 2 && u[0] == 0xc2 && u[1] < 0xa0)
		return u[1];
	bool turns = n == 3 && u[0] == 0xe2 && ((u[1] == 0x80 && u[2] >= 0xaa && u[2] <= 0xae) || (u[1] == 0x81 && u[2] >= 0xa6 && u[2] <= 0xa9));
	return turns ? 0x2000u + (u[1] - 0x80u) * 64 + (u[2] - 0x80u) : 0;
}

static void add_character(struct buf *out, const char *p, size_t n)
{
	const char *e = n == 1 ? entity((unsigned char)*p) : NULL;
	unsigned code = n == 1 && e != NULL && *e != '&' ? (unsigned char)*p : special(p, n);
	if (code != 0 || (n == 1 && *p == '\0'))
		visible_code(out, code);
	else if (e != NULL)
		buf_adds(out, e);
	else
		buf_add(out, p, n);
}

void html_show(struct buf *out, const char *s, size_t n)
{
	for (size_t bad, length; n > 0; s += length, n -= length) {
		length = utf8_length(s, n, &bad);
		if (length > 0)
			add_character(out, s, length);
		else {
			buf_adds(out, "\xef\xbf\xbd");
			length = bad;
		}
	}
}

void html_name_escape(struct buf *out, const char *s)
{
	buf_adds(out, "<bdi>");
	html_escape(out, s);
	buf_adds(out, "</bdi>");
}

void html_page_begin(struct buf *out, const char *title)
{
	buf_adds(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
		      "content=\"width=device-width\"><title>");
	html_escape(out, title);
	buf_adds(out, head);
	html_escape(out, title);
	buf_adds(out, "</h1>\n");
}

void html_page_end(struct buf *out) { buf_adds(out, "</body></html>\n"); }

void html_fact(struct buf *out, const char *label, const char *text)
{
	buf_adds(out, "<tr><th class=\"label\">");
	html_escape(out, label);
	buf_adds(out, "</th><td>");
	html_escape(out, text);
	buf_adds(out, "</td></tr>\n");
}

void html_time(struct buf *out, int64_t us)
{
	char text[TIME_TEXT];
	buf_printf(out, "%.10s %.5s UTC", time_format(us, text), text + 11);
}

void html_row(struct buf *out, const char *tag, const char *const *cells, unsigned n)
{
	buf_adds(out, "<tr>");
	for (unsigned i = 0; i < n; i++) {
		buf_printf(out, "<%s>", tag);
		html_escape(out, cells[i]);
		buf_printf(out, "</%s>", tag);
	}
	buf_adds(out, "</tr>\n");
}
