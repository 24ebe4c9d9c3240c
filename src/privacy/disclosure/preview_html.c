/* SPDX-License-Identifier: Apache-2.0
 *
 * The preview as a page to print: what the person will see, and where something is not given as it is, a mark that stands without colour too.  What
 * is held behind a mark is not on the page.
 */
#include <string.h>

#include "base/clock.h"
#include "codec/html.h"
#include "privacy/disclosure/event_row.h"
#include "privacy/disclosure/preview_html.h"
#include "privacy/disclosure/reason.h"

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Preview of an answer</title>\n"
	"<style>body{font:15px/1.5 sans-serif;max-width:64em;margin:2em auto;padding:0 1em;color:#111}"
	"table{border-collapse:collapse;margin:0 0 1em;width:100%;page-break-inside:avoid}"
	"th,td{border:1px solid #bbb;padding:.2em .5em;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
	"th{width:16em;font-weight:600;background:#f3f3f3}.sum th{width:auto}.sum th,.sum td{overflow-wrap:normal}"
	"mark{background:#fff3c4;border:1px solid #111;padding:0 .3em}.w{outline:2px dashed #111;outline-offset:-2px}"
	"small{color:#444}@media print{body{margin:0}}</style></head><body>\n<h1>Preview of an answer</h1>\n";

static void text(struct buf *out, const char *s)
{
	if (s != NULL)
		html_show(out, s, strlen(s));
}

/* "redacted: it names or describes somebody else (the data map)" */
static void mark(struct buf *out, const struct disclosed *d)
{
	buf_printf(out, "<mark>%s: ", d->verdict == REDACT ? "redacted" : "withheld");
	text(out, reason_text(d->reason));
	buf_adds(out, "</mark> <small>");
	buf_adds(out, d->by_officer ? "decided: " : "by the data map");
	if (d->by_officer)
		text(out, d->ground);
	buf_adds(out, d->quiet ? "; the answer does not tell of it</small>" : "</small>");
}

void preview_html_begin(struct scope *s, struct id request, struct buf *out)
{
	char id[ID_TEXT], when[TIME_TEXT];
	buf_adds(out, head);
	buf_printf(out, "<p>Request %s, as of %s (UTC). This is what the person will see; what is marked they will not see as it is held.</p>\n",
		   id_format(request, id), time_format(s->now, when));
}

void preview_html_end(struct buf *out) { buf_adds(out, "</body></html>\n"); }

static void section_state(struct buf *out, const struct preview_section *c)
{
	if (c->not_portable)
		buf_adds(out, "not part of a copy to take along");
	else if (c->what.verdict == WITHHOLD)
		mark(out, &c->what);
	else
		buf_adds(out, "given");
}

void preview_html_summary(const struct preview_section *c, size_t n, struct buf *out)
{
	buf_adds(out, "<table class=\"sum\"><tr><th>Section</th><th>Answer</th><th>Records given</th><th>Records withheld</th>"
		      "<th>Records not told of</th><th>Values given</th><th>Values redacted</th><th>Values withheld</th></tr>\n");
	for (size_t i = 0; i < n; i++, c++) {
		buf_adds(out, "<tr><td>");
		text(out, c->path->section);
		buf_adds(out, "</td><td>");
		section_state(out, c);
		buf_printf(out, "</td><td>%lld</td><td>%lld</td><td>%lld</td><td>%lld</td><td>%lld</td><td>%lld</td></tr>\n", (long long)c->records,
			   (long long)c->withheld_records, (long long)c->quiet_records, (long long)c->given, (long long)c->redacted,
			   (long long)c->withheld);
	}
	buf_adds(out, "</table>\n");
}

static void pair(struct buf *out, const char *name, const char *shown, const struct disclosed *d)
{
	buf_adds(out, "<tr><th>");
	text(out, name);
	buf_adds(out, "</th><td>");
	text(out, shown);
	if (d->verdict != GIVE) {
		buf_adds(out, shown == NULL ? "" : " ");
		mark(out, d);
	}
	buf_adds(out, "</td></tr>\n");
}

static void values(struct buf *out, const struct preview_page *p, const struct held_row *row)
{
	for (size_t i = 0; i < p->columns; i++)
		if (row->value[i].text != NULL)
			pair(out, p->column[i].name, row->value[i].shown, &row->value[i].what);
}

static void event(struct scope *s, struct buf *out, const struct held_row *row)
{
	for (size_t i = 0; event_columns[i] != NULL; i++) {
		const char *shown = event_column(s->arena, row->event, i);
		if (*shown != '\0')
			pair(out, event_columns[i], shown, &(struct disclosed){.verdict = GIVE});
	}
	for (size_t i = 0; i < row->hidden_n; i++)
		pair(out, row->hidden[i].property, NULL, &row->hidden[i].what);
}

static void record(struct scope *s, struct buf *out, const struct preview_page *p, const struct held_row *row)
{
	bool withheld = row->what.verdict == WITHHOLD;
	buf_printf(out, "<table%s><tr><th>record</th><td>%s", withheld ? " class=\"w\"" : "", row->record);
	if (withheld) {
		buf_addc(out, ' ');
		mark(out, &row->what);
	}
	buf_adds(out, "</td></tr>\n");
	if (!withheld && row->event != NULL)
		event(s, out, row);
	else if (!withheld)
		values(out, p, row);
	buf_adds(out, "</table>\n");
}

void preview_html_records(struct scope *s, const struct preview_page *p, struct buf *out)
{
	buf_adds(out, "<h2>");
	text(out, p->section.path->section);
	buf_adds(out, "</h2>\n");
	if (p->section.what.verdict == WITHHOLD || p->section.not_portable) {
		buf_adds(out, "<p>");
		section_state(out, &p->section);
		buf_adds(out, "</p>\n");
		return;
	}
	if (p->rows == 0)
		buf_adds(out, "<p>Nothing is held.</p>\n");
	for (size_t i = 0; i < p->rows; i++)
		record(s, out, p, &p->row[i]);
	if (p->next != NULL)
		buf_adds(out, "<p>More records follow on further pages.</p>\n");
}
