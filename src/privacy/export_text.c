/* SPDX-License-Identifier: Apache-2.0
 *
 * What tells about the bundle: manifest.json for programs, README.html for people.  The page has no script and no link
 * out, and prints.
 */
#include <string.h>

#include "base/clock.h"
#include "privacy/export_internal.h"

void html_text(struct buf *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		switch (s[i]) {
		case '&': buf_adds(out, "&amp;"); break;
		case '<': buf_adds(out, "&lt;"); break;
		case '>': buf_adds(out, "&gt;"); break;
		case '"': buf_adds(out, "&quot;"); break;
		case '\'': buf_adds(out, "&#39;"); break;
		default: buf_addc(out, s[i]);
		}
}

/* ---- manifest.json ---- */

static void write_file(struct json_writer *w, const struct bundle_file *f)
{
	jw_object(w);
	jw_kstring(w, "name", f->name);
	jw_kint(w, "rows", f->rows);
	jw_kint(w, "bytes", f->bytes);
	jw_key(w, "sha256");
	jw_hex(w, f->sha256, sizeof f->sha256);
	jw_end_object(w);
}

static void write_files(struct json_writer *w, const struct bundle *b)
{
	jw_key(w, "files");
	jw_array(w);
	for (size_t i = 0; i < b->n; i++) {
		write_file(w, &b->sections[i].json);
		write_file(w, &b->sections[i].csv);
	}
	jw_end_array(w);
}

static void write_sections(struct json_writer *w, const struct bundle *b)
{
	jw_key(w, "sections");
	jw_array(w);
	for (size_t i = 0; i < b->n; i++) {
		const struct section *s = &b->sections[i];
		jw_object(w);
		jw_kstring(w, "section", s->path->section);
		jw_kstring(w, "table", s->table->name);
		jw_kstring(w, "purpose", s->table->purpose);
		jw_kstring(w, "retention", map_retention_text(s->table->retention));
		jw_kint(w, "rows", s->rows);
		jw_kint(w, "redactedValues", s->redacted);
		jw_end_object(w);
	}
	jw_end_array(w);
}

static void write_omitted(struct json_writer *w, const struct bundle *b)
{
	jw_key(w, "omitted");
	jw_array(w);
	for (size_t i = 0; i < b->n; i++) {
		size_t n;
		const struct map_column *c = map_table_columns(b->sections[i].table, &n);
		for (size_t k = 0; k < n; k++) {
			const char *why = omission(&c[k]);
			if (why == NULL && c[k].disclosure == MAP_DISCLOSE_OTHERS)
				why = "redacted in part: names, addresses and ids of other people";
			if (why == NULL)
				continue;
			jw_object(w);
			jw_kstring(w, "table", c[k].table);
			jw_kstring(w, "column", c[k].name);
			jw_kstring(w, "disclosure", map_disclosure_name(c[k].disclosure));
			jw_kstring(w, "reason", why);
			jw_end_object(w);
		}
	}
	jw_end_array(w);
}

enum err bundle_manifest(const struct bundle *b, struct buf *out)
{
	struct json_writer w;
	jw_init(&w, out);
	jw_object(&w);
	jw_kstring(&w, "format", "reeve/export-bundle/v1");
	jw_kid(&w, "requestId", b->operation);
	jw_kid(&w, "tenantId", b->s->tenant);
	jw_kstring(&w, "organisation", b->organisation);
	jw_key(&w, "subject");
	jw_object(&w);
	jw_kid(&w, "id", b->user);
	jw_kstring(&w, "userPrincipalName", b->upn);
	jw_kstring(&w, "displayName", b->display_name);
	jw_end_object(&w);
	jw_kstring(&w, "host", b->host);
	jw_kstring(&w, "software", "reeve " REEVE_VERSION);
	jw_ktime(&w, "cutOffDateTime", b->s->now);
	jw_key(&w, "mapVersion");
	jw_hex(&w, b->map, sizeof b->map);
	write_files(&w, b);
	write_sections(&w, b);
	write_omitted(&w, b);
	jw_kstring(&w, "auditCheckpoint", b->checkpoint);
	jw_end_object(&w);
	return out->failed ? ERR_LIMIT : OK;
}

/* ---- README.html ---- */

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>What is held about you</title>\n"
	"<style>body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#111}"
	"table{border-collapse:collapse;margin:0 0 1em;width:100%;page-break-inside:avoid}"
	"th,td{border:1px solid #bbb;padding:.2em .5em;text-align:left;vertical-align:top;overflow-wrap:break-word}"
	"td+td{overflow-wrap:anywhere}"
	"th{width:16em;font-weight:600;background:#f3f3f3}.sum th{width:auto}@media "
	"print{body{margin:0}}</style></head><body>\n"
	"<h1>What is held about you</h1>\n";

static const char rights[] =
	"<h2>Your rights</h2>\n<ul>\n"
	"<li>You may have what is wrong here corrected, and ask for what is no longer needed to be erased.</li>\n"
	"<li>You may object to the processing, or ask for it to be restricted while a question is open.</li>\n"
	"<li>You may receive what you provided in a form that programs read: the files in <code>data/</code> are "
	"that.</li>\n"
	"<li>You may complain to the data protection authority of where you live or work.</li>\n"
	"</ul>\n<p>Ask your organisation; it decides on the data that it keeps here. Nothing is decided about you by "
	"this system on its own.</p>\n";

static void add_escaped(struct buf *out, const char *s)
{
	if (s != NULL)
		html_text(out, s, strlen(s));
}

static void readme_summary(const struct bundle *b, struct buf *out)
{
	buf_adds(out, "<h2>In short</h2>\n<table class=\"sum\"><tr><th>Section</th><th>Entries</th><th>What "
		      "for</th><th>Kept</th></tr>\n");
	for (size_t i = 0; i < b->n; i++) {
		const struct section *s = &b->sections[i];
		buf_printf(out, "<tr><td><a href=\"#%s\">%s</a></td><td>%lld</td><td>", s->path->section,
			   s->path->section, (long long)s->rows);
		add_escaped(out, s->table->purpose);
		buf_adds(out, "</td><td>");
		add_escaped(out, map_retention_text(s->table->retention));
		buf_adds(out, "</td></tr>\n");
	}
	buf_adds(out, "</table>\n");
}

static void readme_omitted(const struct bundle *b, struct buf *out)
{
	buf_adds(
		out,
		"<h2>What is not in here, and why</h2>\n<p>Names, addresses and ids of other people are replaced by "
		"<code>" REDACTED
		"</code>. These values are left out:</p>\n<table class=\"sum\"><tr><th>Value</th>"
		"<th>Reason</th></tr>\n");
	for (size_t i = 0; i < b->n; i++) {
		size_t n;
		const struct map_column *c = map_table_columns(b->sections[i].table, &n);
		for (size_t k = 0; k < n; k++) {
			const char *why = omission(&c[k]);
			if (why == NULL)
				continue;
			buf_printf(out, "<tr><td>%s: %s</td><td>", b->sections[i].path->section, c[k].name);
			add_escaped(out, why);
			buf_adds(out, "</td></tr>\n");
		}
	}
	buf_adds(out,
		 "</table>\n<p>Outside this file: your own device keeps what the organisation put on it; backups that "
		 "others make of the "
		 "server are not covered.</p>\n");
}

static void readme_section(const struct section *s, struct buf *out)
{
	int64_t shown = s->rows < 50 ? s->rows : 50;
	buf_printf(out, "<h2 id=\"%s\">%s</h2>\n<p>", s->path->section, s->path->section);
	add_escaped(out, s->table->purpose);
	buf_printf(out, ". Files: <code>data/%s.json</code>, <code>data/%s.csv</code>.</p>\n", s->path->section,
		   s->path->section);
	if (s->rows == 0)
		buf_adds(out, "<p>Nothing is held.</p>\n");
	if (s->html.failed)
		buf_adds(out, "<p>Too much to show here: see the files.</p>\n");
	else if (s->html.len > 0)
		buf_add(out, s->html.data, s->html.len);
	if (s->rows > shown)
		buf_printf(out, "<p>The first %lld of %lld; all are in the files.</p>\n", (long long)shown,
			   (long long)s->rows);
}

void bundle_readme(const struct bundle *b, struct buf *out)
{
	char when[TIME_TEXT], id[ID_TEXT];
	buf_adds(out, head);
	buf_adds(out, "<p>This is everything that ");
	add_escaped(out, b->organisation);
	buf_adds(out, " holds in its device management about <b>");
	add_escaped(out, b->display_name);
	buf_adds(out, "</b> (");
	add_escaped(out, b->upn);
	buf_printf(out, "), as of %s. ", time_format(b->s->now, when));
	buf_printf(out,
		   "The request has the number %s. Times are in UTC. Two files stand for each section: JSON for "
		   "programs, CSV for a spreadsheet; "
		   "<code>manifest.json</code> has their SHA-256 sums.</p>\n",
		   id_format(b->operation, id));
	buf_adds(out, rights);
	readme_summary(b, out);
	readme_omitted(b, out);
	for (size_t i = 0; i < b->n; i++)
		readme_section(&b->sections[i], out);
	buf_adds(out, "</body></html>\n");
}
