/* SPDX-License-Identifier: Apache-2.0
 * The data map for people, spreadsheets and programs. */
#include "privacy/processing/map_document.h"

#include <string.h>

#include "codec/csv.h"
#include "codec/html.h"
#include "crypto/digest.h"

const char *map_version(struct arena *a, char ret[MAP_VERSION_TEXT])
{
	uint8_t hash[SHA256_BYTES];
	const char *text = map_version_text(a);
	sha256(text, strlen(text), hash);
	hex_encode(hash, sizeof hash, ret);
	return ret;
}

/* ---- what a table holds ---- */

bool map_is_personal(const struct map_table *t)
{
	size_t n;
	const struct map_column *c = map_table_columns(t, &n);
	for (size_t i = 0; i < n; i++)
		if (c[i].kind == MAP_KIND_PERSONAL)
			return true;
	return false;
}

static size_t add_distinct(const char **list, size_t n, size_t room, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], text) == 0)
			return n;
	if (n < room)
		list[n++] = text;
	return n;
}

size_t map_categories(const struct map_table *t, const char **list, size_t n, size_t room)
{
	size_t count;
	const struct map_column *c = map_table_columns(t, &count);
	for (size_t i = 0; i < count; i++)
		if (c[i].kind == MAP_KIND_PERSONAL)
			n = add_distinct(list, n, room, c[i].category);
	return n;
}

const char *map_category_words(struct arena *a, const char *category)
{
	const char *dot = strchr(category, '.');
	char *text = arena_strdup(a, dot != NULL && dot[1] != '\0' ? dot + 1 : category);
	for (char *c = text; *c != '\0'; c++)
		*c = *c == '.' ? ' ' : *c == '_' ? ' ' : *c;
	return text;
}

const char *map_join(struct arena *a, const char *const *list, size_t n)
{
	const char *text = "";
	for (size_t i = 0; i < n; i++)
		text = arena_printf(a, "%s%s%s", text, i > 0 ? ", " : "", list[i]);
	return text;
}

const char *map_origins(struct arena *a, const struct map_table *t)
{
	const char *list[3];
	size_t count, n = 0;
	const struct map_column *c = map_table_columns(t, &count);
	for (size_t i = 0; i < count; i++)
		if (c[i].kind == MAP_KIND_PERSONAL)
			n = add_distinct(list, n, 3, map_origin_name(c[i].origin));
	return map_join(a, list, n);
}

/* "user_id (owner), decided_by (actor)" */
static const char *ways(struct arena *a, const struct map_table *t)
{
	size_t n;
	const struct map_path *p = map_table_paths(t, &n);
	const char *text = "";
	for (size_t i = 0; i < n; i++)
		text = arena_printf(a, "%s%s%s (%s)", text, i > 0 ? ", " : "", p[i].column, map_role_name(p[i].role));
	return text;
}

static const struct map_path *path_of(const struct map_column *c)
{
	size_t n;
	const struct map_path *p = map_table_paths(map_table(c->table), &n);
	for (size_t i = 0; i < n; i++)
		if (strcmp(p[i].column, c->name) == 0)
			return &p[i];
	return NULL;
}

/* ---- text ---- */

void map_document_text(struct arena *a, struct buf *out)
{
	size_t n, stores;
	const struct map_column *c = map_columns(&n);
	const struct map_store *s = map_stores(&stores);
	for (size_t i = 0; i < n; i++) {
		const struct map_table *t = map_table(c[i].table);
		buf_printf(out, "%-24s %-24s %-12s %-32s %-9s %-18s %s; %s\n", c[i].table, c[i].name, map_kind_name(c[i].kind), c[i].category,
			   map_origin_name(c[i].origin), map_disclosure_name(c[i].disclosure), map_retention_text(t->retention), t->purpose);
	}
	buf_adds(out, "\nStores that are no columns:\n");
	for (size_t i = 0; i < stores; i++)
		buf_printf(out, "%s (%s)\n    holds:     %s\n    protected: %s\n    erased:    %s\n    lasts:     %s\n", s[i].name, s[i].place,
			   s[i].holds, s[i].protection, s[i].erase, s[i].until);
}

/* ---- CSV ---- */

static void csv_row(struct csv_writer *w, const char *const *cells, size_t n)
{
	for (size_t i = 0; i < n; i++)
		csv_field(w, cells[i], strlen(cells[i]));
	csv_end_row(w);
}

void map_document_csv(struct arena *a, struct buf *out)
{
	static const char *const header[] = {"table",	"column",  "type",    "kind",  "category",   "origin",	  "disclosure",	 "audit", "erase",
					     "path",	"section", "purpose", "basis", "recipients", "retention", "tableErase"};
	size_t n;
	const struct map_column *c = map_columns(&n);
	struct csv_writer w;
	csv_init(&w, out);
	csv_row(&w, header, sizeof header / sizeof header[0]);
	for (size_t i = 0; i < n; i++) {
		const struct map_table *t = map_table(c[i].table);
		const struct map_path *p = path_of(&c[i]);
		const char *const cells[] = {c[i].table, c[i].name, map_type_name(c[i].type), map_kind_name(c[i].kind), c[i].category,
					     map_origin_name(c[i].origin), map_disclosure_name(c[i].disclosure), map_audit_name(c[i].audit),
					     map_erase_name(c[i].erase), p == NULL ? "" : map_role_name(p->role), p == NULL ? "" : p->section,
					     t->purpose, map_basis_text(t->basis), t->recipients, map_retention_text(t->retention),
					     map_is_personal(t) ? map_table_erase_text(t) : ""};
		csv_row(&w, cells, sizeof cells / sizeof cells[0]);
	}
}

/* ---- HTML ---- */

void map_stores_html(struct buf *out)
{
	static const char *const header[] = {"Store and place", "What it may hold", "Protection", "How it is erased, and how long it lasts"};
	size_t n;
	const struct map_store *s = map_stores(&n);
	buf_adds(out, "<table class=\"fixed\"><thead>");
	html_row(out, "th", header, 4);
	buf_adds(out, "</thead>\n");
	for (size_t i = 0; i < n; i++) {
		buf_printf(out, "<tr><td><b>%s</b><br>", s[i].name);
		html_escape(out, s[i].place);
		buf_adds(out, "</td><td>");
		html_escape(out, s[i].holds);
		buf_adds(out, "</td><td>");
		html_escape(out, s[i].protection);
		buf_adds(out, "</td><td>");
		html_escape(out, s[i].erase);
		buf_adds(out, "<br>Lasts: ");
		html_escape(out, s[i].until);
		buf_adds(out, "</td></tr>\n");
	}
	buf_adds(out, "</table>\n");
}

static void fact(struct buf *out, const char *name, const char *text)
{
	if (*text == '\0')
		return;
	buf_printf(out, "<b>%s</b>: ", name);
	html_escape(out, text);
	buf_adds(out, "<br>\n");
}

static void table_html(struct arena *a, struct buf *out, const struct map_table *t)
{
	static const char *const header[] = {"Column", "Type", "Kind", "Category", "Origin", "In an export", "In an event", "At erasure"};
	size_t n;
	const struct map_column *c = map_table_columns(t, &n);
	buf_printf(out, "<h2 id=\"%s\">%s</h2>\n<p>", t->name, t->name);
	fact(out, "Purpose", t->purpose);
	fact(out, "Legal basis", map_basis_text(t->basis));
	fact(out, "The person stands in", ways(a, t));
	fact(out, "Recipients", t->recipients);
	fact(out, "Kept", map_retention_text(t->retention));
	fact(out, "When the person is erased", map_is_personal(t) ? map_table_erase_text(t) : "");
	buf_adds(out, "</p>\n<table><thead>");
	html_row(out, "th", header, 8);
	buf_adds(out, "</thead>\n");
	for (size_t i = 0; i < n; i++)
		html_row(out, "td",
			 (const char *const[]){c[i].name, map_type_name(c[i].type), map_kind_name(c[i].kind), c[i].category,
					       map_origin_name(c[i].origin), map_disclosure_name(c[i].disclosure), map_audit_name(c[i].audit),
					       map_erase_name(c[i].erase)}, 8);
	buf_adds(out, "</table>\n");
}

void map_document_html(struct arena *a, struct buf *out)
{
	size_t n;
	char version[MAP_VERSION_TEXT];
	const struct map_table *t = map_tables(&n);
	html_page_begin(out, "The data map");
	buf_printf(out, "<p>Every column that Reeve " REEVE_VERSION " holds: whose, what for, how it is handed over, when it goes. Version of the map: "
			"%s.</p>\n<h2>Tables</h2>\n<p>", map_version(a, version));
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s<a href=\"#%s\">%s</a>", i > 0 ? ", " : "", t[i].name, t[i].name);
	buf_adds(out, "</p>\n");
	for (size_t i = 0; i < n; i++)
		table_html(a, out, &t[i]);
	buf_adds(out, "<h2>Stores that are no columns</h2>\n");
	map_stores_html(out);
	html_page_end(out);
}

/* ---- JSON ---- */

static void paths_json(struct json_writer *w, const struct map_table *t)
{
	size_t n;
	const struct map_path *p = map_table_paths(t, &n);
	jw_key(w, "paths");
	jw_array(w);
	for (size_t i = 0; i < n; i++) {
		jw_object(w);
		jw_kstring(w, "column", p[i].column);
		jw_kstring(w, "through", map_through_name(p[i].through));
		jw_kstring(w, "role", map_role_name(p[i].role));
		jw_kstring(w, "section", *p[i].section == '\0' ? NULL : p[i].section);
		jw_end_object(w);
	}
	jw_end_array(w);
}

static void columns_json(struct json_writer *w, const struct map_table *t)
{
	size_t n;
	const struct map_column *c = map_table_columns(t, &n);
	jw_key(w, "columns");
	jw_array(w);
	for (size_t i = 0; i < n; i++) {
		jw_object(w);
		jw_kstring(w, "name", c[i].name);
		jw_kstring(w, "type", map_type_name(c[i].type));
		jw_kstring(w, "kind", map_kind_name(c[i].kind));
		jw_kstring(w, "category", c[i].category);
		jw_kstring(w, "origin", map_origin_name(c[i].origin));
		jw_kstring(w, "disclosure", map_disclosure_name(c[i].disclosure));
		jw_kstring(w, "audit", map_audit_name(c[i].audit));
		jw_kstring(w, "erase", map_erase_name(c[i].erase));
		jw_end_object(w);
	}
	jw_end_array(w);
}

static void table_json(struct json_writer *w, const struct map_table *t)
{
	jw_object(w);
	jw_kstring(w, "name", t->name);
	jw_kstring(w, "purpose", t->purpose);
	jw_kstring(w, "domain", map_domain_name(t->domain));
	jw_kstring(w, "basis", map_basis_name(t->basis));
	jw_kstring(w, "recipients", *t->recipients == '\0' ? NULL : t->recipients);
	jw_kstring(w, "retention", map_retention_name(t->retention));
	jw_kstring(w, "retentionText", map_retention_text(t->retention));
	jw_kstring(w, "erase", map_is_personal(t) ? map_table_erase_text(t) : NULL);
	paths_json(w, t);
	columns_json(w, t);
	jw_end_object(w);
}

void map_stores_json(struct json_writer *w)
{
	size_t n;
	const struct map_store *s = map_stores(&n);
	jw_array(w);
	for (size_t i = 0; i < n; i++) {
		jw_object(w);
		jw_kstring(w, "name", s[i].name);
		jw_kstring(w, "place", s[i].place);
		jw_kstring(w, "holds", s[i].holds);
		jw_key(w, "categories");
		jw_array(w);
		for (const char *p = s[i].categories; *p != '\0'; p += strspn(p, " ")) {
			jw_stringn(w, p, strcspn(p, " "));
			p += strcspn(p, " ");
		}
		jw_end_array(w);
		jw_kstring(w, "protection", s[i].protection);
		jw_kstring(w, "erase", s[i].erase);
		jw_kstring(w, "until", s[i].until);
		jw_end_object(w);
	}
	jw_end_array(w);
}

void map_document_json(struct arena *a, struct json_writer *w)
{
	size_t n;
	char version[MAP_VERSION_TEXT];
	const struct map_table *t = map_tables(&n);
	jw_kstring(w, "software", "reeve " REEVE_VERSION);
	jw_kstring(w, "mapVersion", map_version(a, version));
	jw_key(w, "tables");
	jw_array(w);
	for (size_t i = 0; i < n; i++)
		table_json(w, &t[i]);
	jw_end_array(w);
	jw_key(w, "stores");
	map_stores_json(w);
}
