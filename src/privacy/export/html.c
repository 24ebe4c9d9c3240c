/* SPDX-License-Identifier: Apache-2.0
 *
 * What people read: README.html, the pages of each section, and the one page of the printable form.  No script, no link out, no picture, no
 * font from elsewhere; legible without colour and on paper.  Whatever stands in a value stays a value: it is escaped, what would turn the
 * direction of the text around it or hide is shown as what it is, and each cell keeps its own direction.
 */
#include <string.h>

#include "base/clock.h"
#include "codec/html.h"
#include "privacy/disclosure/event_row.h"
#include "privacy/export/internal.h"

/* ---- text ---- */

static void text(struct buf *out, const char *s)
{
	if (s != NULL)
		html_show(out, s, strlen(s));
}

/* A purpose of the map at the beginning of a sentence. */
static void sentence(struct buf *out, const char *s)
{
	char first = *s >= 'a' && *s <= 'z' ? (char)(*s - 'a' + 'A') : *s;
	html_show(out, &first, *s != '\0');
	text(out, *s == '\0' ? s : s + 1);
}

/* "2026-11-22T18:40:58.427736Z" as people read it; data/ has all of it. */
static void moment(struct buf *out, const char *time)
{
	html_show(out, time, 10);
	buf_addc(out, ' ');
	html_show(out, time + 11, 8);
}

/* deviceName: "Device name". */
static void label(struct buf *out, const char *name)
{
	static const char *const words[][2] = {{"id", "ID"}, {"Id", "ID"}, {"upn", "UPN"}, {"os", "OS"}, {"mac", "MAC"}, {"Mac", "MAC"},
					       {"ip", "IP"}, {"Ip", "IP"}, {"sha256", "SHA-256"}};
	for (const char *p = name; *p != '\0';) {
		size_t n = 1;
		const char *word = NULL;
		while (p[n] != '\0' && !(p[n] >= 'A' && p[n] <= 'Z'))
			n++;
		for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
			if (strlen(words[i][0]) == n && strncmp(words[i][0], p, n) == 0)
				word = words[i][1];
		if (p > name)
			buf_addc(out, ' ');
		if (word != NULL) {
			buf_adds(out, word);
		} else {
			bool lower = p > name && *p >= 'A' && *p <= 'Z', upper = p == name && *p >= 'a' && *p <= 'z';
			buf_addc(out, (char)(lower ? *p - 'A' + 'a' : upper ? *p - 'a' + 'A' : *p));
			html_show(out, p + 1, n - 1);
		}
		p += n;
	}
}

/* ---- rows ---- */

enum { TABLE_COLUMNS = 6 };

bool html_is_table(const struct section *sec) { return sec->table->link == MAP_LINK_AUDIT || sec->n <= TABLE_COLUMNS; }

void html_row_begin(const struct section *sec, struct buf *out)
{
	buf_adds(out, html_is_table(sec) ? "<tr>" : "<table class=\"card\"><tbody>\n");
}

void html_row_end(const struct section *sec, struct buf *out)
{
	buf_adds(out, html_is_table(sec) ? "</tr>\n" : "</tbody></table>\n");
}

static void shown(const struct section *sec, struct buf *out, const char *value)
{
	size_t all = strlen(value), n = all;
	if (n > VALUE_SHOWN)
		for (n = VALUE_SHOWN; n > 0 && ((unsigned char)value[n] & 0xc0) == 0x80;)
			n--;
	html_show(out, value, n);
	if (n < all)
		buf_printf(out, " <span class=\"u\">… %zu bytes in all: see data/%s.json</span>", all, sec->name);
}

static bool is_moment(const struct section *sec, const char *name, const char *value)
{
	const struct map_column *c = NULL;
	for (size_t i = 0; i < sec->n; i++)
		if (strcmp(sec->column[i].name, name) == 0)
			c = sec->column[i].column;
	bool time = c != NULL ? c->type == MAP_TYPE_TIME : strcmp(name, event_shown[0]) == 0;
	return time && strlen(value) >= 20 && value[10] == 'T';
}

void html_value(const struct section *sec, struct buf *out, const char *name, const char *value, const struct disclosed *d)
{
	bool told = d->verdict == WITHHOLD && !d->quiet, table = html_is_table(sec);
	if (!table && !told && (value == NULL || *value == '\0'))
		return;
	if (!table) {
		buf_adds(out, "<tr><th scope=\"row\">");
		label(out, name);
		buf_adds(out, "</th>");
	}
	buf_adds(out, d->verdict == REDACT || told ? "<td class=\"r\" dir=\"auto\">" : "<td dir=\"auto\">");
	if (told)
		buf_printf(out, "[withheld: %s]", omission_text(d->reason));
	else if (value != NULL && is_moment(sec, name, value))
		moment(out, value);
	else if (value != NULL)
		shown(sec, out, value);
	buf_adds(out, table ? "</td>" : "</td></tr>\n");
}

static void table_head(const struct section *sec, struct buf *out)
{
	if (!html_is_table(sec))
		return;
	bool events = sec->table->link == MAP_LINK_AUDIT;
	buf_printf(out, "<table class=\"%s\"><thead><tr>", events ? "list events" : "list");
	for (size_t i = 0; events && event_shown[i] != NULL; i++) {
		buf_adds(out, "<th scope=\"col\">");
		label(out, event_shown[i]);
		buf_adds(out, "</th>");
	}
	for (size_t i = 0; i < sec->n; i++) {
		buf_adds(out, "<th scope=\"col\">");
		label(out, sec->column[i].name);
		buf_adds(out, "</th>");
	}
	buf_adds(out, "</tr></thead><tbody>\n");
}

static void rows_end(const struct section *sec, struct buf *out)
{
	if (sec->rows > 0 && html_is_table(sec))
		buf_adds(out, "</tbody></table>\n");
}

/* ---- the frame of a page ---- */

static const char STYLE[] =
	"<style>\n"
	":root{color-scheme:light}\n"
	"body{font:16px/1.5 system-ui,'Liberation Sans','DejaVu Sans',Arial,sans-serif;max-width:66em;margin:2em auto;padding:0 1.2em;"
	"color:#111;background:#fff}\n"
	"h1{font-size:1.7em;line-height:1.25;margin:.2em 0 .6em}h2{font-size:1.25em;margin:1.8em 0 .5em;break-after:avoid}\n"
	"a{color:#003a8c;text-decoration:underline}\n"
	"table{border-collapse:collapse;width:100%;margin:0 0 1.2em}\n"
	"th,td{border:1px solid #767676;padding:.25em .55em;text-align:start;vertical-align:top;overflow-wrap:break-word}\n"
	"td{white-space:pre-wrap;unicode-bidi:plaintext}\n"
	"th{background:#eee;font-weight:600}thead{display:table-header-group}tr{break-inside:avoid}\n"
	".card{table-layout:fixed}.card th{width:15em}.card td{overflow-wrap:anywhere}\n"
	".list td{overflow-wrap:anywhere}.events{font-size:.85em;table-layout:fixed}.events th:nth-child(1){width:13%}"
	".events th:nth-child(2),.events th:nth-child(3){width:18%}.events th:nth-child(4){width:15%}\n"
	".sum td{white-space:normal}.sum td.n{text-align:right;white-space:nowrap}\n"
	".r{font-style:italic;border-left:.35em double #444}\n"
	".u{font:.85em monospace;border:1px solid #767676;padding:0 .2em}\n"
	".note{border:1px solid #444;border-left-width:.4em;padding:.5em 1em;margin:1em 0}\n"
	"nav{margin:1em 0}nav a{margin-inline-end:1em}dt{font-weight:600;margin-top:.6em}dd{margin:0 0 0 1.2em}\n"
	"code{font:.92em monospace;overflow-wrap:anywhere}\n"
	"@media screen and (max-width:40em){body{padding:0 .6em}th,td{padding:.2em .35em}.card,.list{font-size:.85em}.card th{width:9em}"
	".list th,.card th{overflow-wrap:anywhere}.events{font-size:.7em}.sum thead{display:none}.sum tr{display:block;margin-bottom:.6em;"
	"border:1px solid #767676}.sum th,.sum td,.sum td.n{display:block;border:0;text-align:start}"
	".sum td::before{content:attr(data-label) ': ';font-weight:600}}\n"
	"@page{size:A4;margin:16mm 14mm}\n"
	"@media print{body{font-size:10pt;margin:0;padding:0;max-width:none}nav{display:none}a{color:inherit}"
	"th{background:none}thead th{border-bottom-width:2px}.card{break-inside:auto}.card th{width:12em}}\n"
	"</style>\n";

static void begin_page(struct buf *out, const struct bundle *b, const char *title)
{
	buf_adds(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
		      "<meta name=\"viewport\" content=\"width=device-width\">"
		      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
		      "<title>");
	text(out, title);
	buf_adds(out, "</title>\n");
	buf_adds(out, STYLE);
	buf_adds(out, "</head><body>\n<h1>");
	text(out, title);
	buf_adds(out, "</h1>\n");
	if (bundle_is(b, "full"))
		buf_adds(out, "<p class=\"note\"><b>For the organisation itself.</b> This copy names other people. It is not the answer to a "
			      "person's request: do not hand it out.</p>\n");
}

static void end_page(struct buf *out) { buf_adds(out, "</body></html>\n"); }

static const char *title_of(const struct bundle *b)
{
	return bundle_is(b, "portability") ? "Your data, to take along" : "What is held about you";
}

/* ---- the parts of README.html and of the printable page ---- */

static void opening(const struct bundle *b, struct buf *out)
{
	char when[TIME_TEXT], id[ID_TEXT];
	buf_adds(out, bundle_is(b, "portability")
			      ? "<p>This is what you provided to, and what was observed about you by, the device management of <b><bdi>"
			      : "<p>This is what the device management of <b><bdi>");
	text(out, b->organisation);
	buf_adds(out, bundle_is(b, "portability") ? "</bdi></b>: " : "</bdi></b> holds about ");
	buf_adds(out, "<b><bdi>");
	text(out, b->display_name);
	buf_adds(out, "</bdi></b> (<bdi>");
	text(out, b->upn);
	buf_adds(out, "</bdi>), all of it as it stood at one moment: ");
	moment(out, time_format(b->s->now, when));
	buf_adds(out, ". Times are in UTC.</p>\n");
	buf_printf(out, "<p>Number of this copy: <code>%s</code>.", id_format(b->operation, id));
	if (!id_is_nil(b->request))
		buf_printf(out, " It answers the request <code>%s</code>.", id_format(b->request, id));
	buf_adds(out, "</p>\n");
}

static void rights(const struct bundle *b, struct buf *out)
{
	char id[ID_TEXT];
	buf_adds(out,
		 "<h2>Your rights</h2>\n<ul>\n"
		 "<li>You may have what is wrong here corrected, and ask for what is no longer needed to be erased.</li>\n"
		 "<li>You may object to the processing, or ask for it to be restricted while a question is open.</li>\n"
		 "<li>You may receive what you provided in a form that programs read: the files in <code>data/</code> are that.</li>\n"
		 "<li>You may ask for anything that is left out here to be looked at again.</li>\n"
		 "<li>You may complain to the data protection authority of where you live or work, and go to court.</li>\n"
		 "</ul>\n<p>Nothing is decided about you by this system on its own.</p>\n<h2>Whom to ask</h2>\n<p>");
	text(out, b->organisation);
	buf_adds(out, ": it decides on the data that it keeps here.");
	if (b->intake) {
		buf_adds(out, " Its page for requests about personal data: <code>");
		text(out, b->host);
		buf_printf(out, "/privacy/%s</code>.", id_format(b->s->tenant, id));
	}
	if (!id_is_nil(b->request))
		buf_adds(out, " Name the number of the request.");
	buf_adds(out, "</p>\n");
}

static void number(struct buf *out, const char *head, int64_t n)
{
	buf_printf(out, "<td class=\"n\" data-label=\"%s\">%lld</td>", head, (long long)n);
}

static void section_link(const struct bundle *b, const struct section *sec, bool page, struct buf *out)
{
	buf_printf(out, "<a href=\"%s%s\">", page ? "#" : "", page ? sec->name : html_name(b, sec, 0));
	label(out, sec->name);
	buf_adds(out, "</a>");
}

static void summary(const struct bundle *b, bool page, struct buf *out)
{
	buf_adds(out, "<h2>In short</h2>\n<table class=\"sum\"><thead><tr><th scope=\"col\">Section</th><th scope=\"col\">Entries</th>"
		      "<th scope=\"col\">Values redacted</th><th scope=\"col\">Withheld</th><th scope=\"col\">What it is</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < b->n; i++) {
		const struct section *sec = &b->section[i];
		if (sec->left_out != NOT_LEFT_OUT)
			continue;
		buf_adds(out, "<tr><th scope=\"row\">");
		section_link(b, sec, page, out);
		buf_adds(out, "</th>");
		number(out, "Entries", sec->rows);
		number(out, "Values redacted", sec->redacted);
		number(out, "Withheld", sec->withheld);
		buf_adds(out, "<td data-label=\"What it is\">");
		sentence(out, sec->table->purpose);
		buf_adds(out, "</td></tr>\n");
	}
	buf_adds(out, "</tbody></table>\n");
}

static void recipients(const struct bundle *b, const struct section *sec, struct buf *out)
{
	bool any = *sec->table->recipients != '\0';
	sentence(out, sec->table->recipients);
	for (size_t i = 0; i < b->sinks_n && sec->table->link == MAP_LINK_AUDIT; i++, any = true) {
		buf_adds(out, any ? "; " : "");
		text(out, b->sinks[i].name);
	}
	if (!any)
		buf_adds(out, "Nobody beside those who administer the organisation's devices");
}

static void retention(const struct bundle *b, struct buf *out)
{
	buf_adds(out, "<h2>On what ground, how long, and who gets it</h2>\n<table class=\"sum\"><thead><tr><th scope=\"col\">Section</th>"
		      "<th scope=\"col\">Ground</th><th scope=\"col\">Kept</th><th scope=\"col\">Recipients</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < b->n; i++) {
		const struct section *sec = &b->section[i];
		if (sec->left_out == LEFT_NOT_ASKED)
			continue;
		buf_adds(out, "<tr><th scope=\"row\">");
		label(out, sec->name);
		buf_adds(out, "</th><td data-label=\"Ground\">");
		sentence(out, map_basis_text(sec->table->basis));
		buf_adds(out, "</td><td data-label=\"Kept\">");
		sentence(out, map_retention_text(sec->table->retention));
		buf_adds(out, "</td><td data-label=\"Recipients\">");
		recipients(b, sec, out);
		buf_adds(out, "</td></tr>\n");
	}
	buf_adds(out, "</tbody></table>\n");
}

static bool same_why(const struct omission *a, const struct omission *b)
{
	return a->verdict == b->verdict && a->by_officer == b->by_officer && strcmp(a->reason, b->reason) == 0 &&
	       (a->ground == b->ground || (a->ground != NULL && b->ground != NULL && strcmp(a->ground, b->ground) == 0));
}

static bool told_before(const struct bundle *b, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (b->omission[k].count > 0 && same_why(&b->omission[k], &b->omission[i]))
			return true;
	return false;
}

static void omission_place(const struct omission *o, struct buf *out)
{
	label(out, o->section->name);
	if (o->property != NULL) {
		buf_adds(out, " – ");
		label(out, o->property);
	}
	if (o->section->left_out == LEFT_WITHHELD)
		buf_adds(out, ", the whole section");
	else
		buf_printf(out, " (%lld)", (long long)o->count);
}

/* One reason, and everything that it is given for. */
static void omission_group(const struct bundle *b, size_t first, struct buf *out)
{
	const struct omission *why = &b->omission[first];
	int64_t columns = 0, places = 0;
	buf_printf(out, "<dt>%s: ", why->verdict == REDACT ? "Redacted" : "Left out");
	text(out, omission_text(why->reason));
	buf_adds(out, "</dt>\n<dd>");
	if (why->by_officer) {
		buf_adds(out, "Decided by the organisation for this answer. Ground: <bdi>");
		text(out, why->ground);
		buf_adds(out, "</bdi>. ");
	}
	for (size_t i = first; i < b->omissions; i++) {
		if (!same_why(why, &b->omission[i]) || (b->omission[i].count == 0 && b->omission[i].section->left_out == NOT_LEFT_OUT))
			continue;
		if (strcmp(why->reason, "not_personal") == 0 && !why->by_officer) {
			columns++;
			continue;
		}
		buf_adds(out, places++ > 0 ? "; " : "");
		omission_place(&b->omission[i], out);
	}
	if (columns > 0)
		buf_printf(out, "%lld columns of the server; each is named in <code>manifest.json</code> of the complete bundle", (long long)columns);
	buf_adds(out, ".</dd>\n");
}

static void left_sections(const struct bundle *b, enum left_out kind, struct buf *out)
{
	bool any = false;
	for (size_t i = 0; i < b->n; i++) {
		if (b->section[i].left_out != kind)
			continue;
		if (!any) {
			buf_adds(out, "<dt>Sections left out: ");
			text(out, omission_text(left_out_reason(&b->section[i])));
			buf_adds(out, "</dt>\n<dd>");
		}
		buf_adds(out, any ? ", " : "");
		label(out, b->section[i].name);
		any = true;
	}
	if (any)
		buf_adds(out, ".</dd>\n");
}

static void omitted(const struct bundle *b, bool page, struct buf *out)
{
	buf_adds(out, "<h2>What is not in here, and why</h2>\n<dl>\n");
	left_sections(b, LEFT_NOT_ASKED, out);
	left_sections(b, LEFT_NOT_PORTABLE, out);
	for (size_t i = 0; i < b->omissions; i++)
		if (b->omission[i].count > 0 && !told_before(b, i))
			omission_group(b, i, out);
	buf_adds(out, "</dl>\n<p>" DISCLOSURE_QUIET_TEXT "</p>\n"
		      "<p>Outside this file: your own device keeps what the organisation put on it; backups that others make of the server, and "
		      "what other systems of the organisation hold, are not covered.</p>\n");
	if (!page)
		buf_adds(out, "<p>Each redacted value is listed in <code>redactions.json</code>, each withheld one in "
			      "<code>withheld.json</code>.</p>\n");
}

static void files(struct buf *out)
{
	buf_adds(out, "<h2>The files</h2>\n<ul>\n"
		      "<li><code>html/</code>: every entry of each section, to read and to print.</li>\n"
		      "<li><code>data/</code>: the same for programs (JSON) and for a spreadsheet (CSV); <code>schema/</code> describes it.</li>\n"
		      "<li><code>manifest.json</code>: all files with their SHA-256 sums, signed in <code>manifest.sig</code>. "
		      "<code>reeve export verify FILE</code> shows that nothing was changed.</li>\n</ul>\n");
}

void html_readme(const struct bundle *b, struct buf *out)
{
	begin_page(out, b, title_of(b));
	opening(b, out);
	summary(b, false, out);
	omitted(b, false, out);
	rights(b, out);
	retention(b, out);
	files(out);
	end_page(out);
}

/* ---- the pages of a section ---- */

const char *html_name(const struct bundle *b, const struct section *sec, size_t page)
{
	return page == 0 ? arena_printf(b->s->arena, "html/%s.html", sec->name)
			 : arena_printf(b->s->arena, "html/%s-%zu.html", sec->name, page + 1);
}

static void page_link(const struct bundle *b, const struct section *sec, size_t page, const char *what, struct buf *out)
{
	buf_printf(out, "<a href=\"%s\">%s</a>", html_name(b, sec, page) + strlen("html/"), what);
}

static void page_links(const struct bundle *b, const struct section *sec, size_t page, struct buf *out)
{
	buf_adds(out, "<nav><a href=\"../README.html\">Overview</a>");
	if (page > 0)
		page_link(b, sec, page - 1, "Page before", out);
	if (page + 1 < sec->pages)
		page_link(b, sec, page + 1, "Next page", out);
	buf_adds(out, "</nav>\n");
}

static void section_intro(const struct section *sec, struct buf *out)
{
	buf_adds(out, "<p>");
	sentence(out, sec->table->purpose);
	buf_printf(out, ". Entries: %lld. Times are in UTC.</p>\n", (long long)sec->rows);
	if (sec->rows == 0)
		buf_adds(out, "<p>There are no entries.</p>\n");
}

void html_section_head(const struct bundle *b, const struct section *sec, size_t page, struct buf *out)
{
	auto_buf title;
	buf_init(&title, 1024);
	label(&title, sec->name);
	if (sec->pages > 1)
		buf_printf(&title, ", page %zu of %zu", page + 1, sec->pages);
	begin_page(out, b, title.data);
	page_links(b, sec, page, out);
	section_intro(sec, out);
	if (sec->rows > 0)
		table_head(sec, out);
}

void html_section_foot(const struct bundle *b, const struct section *sec, size_t page, struct buf *out)
{
	rows_end(sec, out);
	page_links(b, sec, page, out);
	end_page(out);
}

/* ---- the printable form ---- */

void html_page_head(const struct bundle *b, struct buf *out)
{
	begin_page(out, b, title_of(b));
	opening(b, out);
	summary(b, true, out);
}

void html_page_section(const struct bundle *b, const struct section *sec, struct buf *out)
{
	(void)b;
	buf_printf(out, "<h2 id=\"%s\">", sec->name);
	label(out, sec->name);
	buf_adds(out, "</h2>\n");
	section_intro(sec, out);
	if (sec->rows > 0)
		table_head(sec, out);
}

void html_page_section_end(const struct section *sec, struct buf *out) { rows_end(sec, out); }

void html_page_foot(const struct bundle *b, struct buf *out)
{
	omitted(b, true, out);
	rights(b, out);
	retention(b, out);
	end_page(out);
}
