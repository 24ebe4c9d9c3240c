/* SPDX-License-Identifier: Apache-2.0 */
#include "privacy/processing/held_data.h"

#include <string.h>

#include "codec/html.h"
#include "db/db.h"
#include "privacy/disclosure/disclosure.h"
#include "privacy/processing/map_document.h"
#include "privacy/subject.h"

DB_TENANT(held_person, "SELECT upn, display_name FROM users WHERE tenant_id = ?1 AND user_id = ?2");

enum { CATEGORIES_MAX = 100 };

/* ---- counting ---- */

static enum err count_path(struct db_tx *tx, const struct map_path *p, struct id user, int64_t *ret)
{
	struct arena *a = db_tx_scope(tx)->arena;
	struct db_value who = db_v_id(&user);
	auto_rows struct db_rows *r = NULL;
	const char *sql = arena_printf(a, "SELECT count(*) FROM %s t WHERE %s%s", p->table, subject_path_where(a, p),
				       disclosure_counted_where(a, map_table(p->table)));
	TRY(db_query_text(tx, DB_REACH_TENANT, sql, &who, 1, &r));
	*ret = db_next(r) ? db_int(r, 0) : 0;
	return db_rows_err(r);
}

static enum err load_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct held_data *h = arg;
	size_t n;
	const struct map_path *p = map_paths(&n);
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &held_person, DB_ARGS(db_v_id(&h->user)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "there is no such user");
	TRY(e);
	h->upn = db_text_dup(r, 0, s->arena);
	h->display_name = db_text_dup(r, 1, s->arena);
	h->sections = arena_alloc(s->arena, n * sizeof *h->sections);
	h->n = n;
	for (size_t i = 0; i < n; i++) {
		h->sections[i] = (struct held_section){.path = &p[i]};
		TRY(count_path(tx, &p[i], h->user, &h->sections[i].rows));
	}
	return OK;
}

enum err held_data_load(struct scope *s, const char *host, struct id user, struct held_data *ret)
{
	*ret = (struct held_data){.user = user};
	TRY(processing_load(s, host, &ret->about));
	return db_read(s, load_tx, ret);
}

/* ---- JSON ---- */

static void section_json(const struct held_data *h, struct json_writer *w, const struct held_section *s)
{
	const struct map_table *t = map_table(s->path->table);
	const char *list[CATEGORIES_MAX], *recipients = processing_recipients(&h->about, t);
	size_t n = map_categories(t, list, 0, CATEGORIES_MAX);
	jw_object(w);
	jw_kstring(w, "section", *s->path->section == '\0' ? NULL : s->path->section);
	jw_kstring(w, "table", t->name);
	jw_kstring(w, "role", map_role_name(s->path->role));
	jw_kint(w, "rows", s->rows);
	jw_kstring(w, "purpose", t->purpose);
	jw_kstring(w, "legalBasis", map_basis_text(t->basis));
	jw_kstring(w, "origin", map_origins(h->about.arena, t));
	jw_key(w, "dataCategories");
	jw_array(w);
	for (size_t i = 0; i < n; i++)
		jw_string(w, list[i]);
	jw_end_array(w);
	jw_kstring(w, "recipients", *recipients == '\0' ? NULL : recipients);
	jw_kstring(w, "timeLimit", processing_limit(&h->about, t));
	jw_kstring(w, "atErasure", map_table_erase_text(t));
	jw_end_object(w);
}

void held_data_json(const struct held_data *h, struct json_writer *w)
{
	char version[MAP_VERSION_TEXT];
	jw_kid(w, "userId", h->user);
	jw_kstring(w, "userPrincipalName", h->upn);
	jw_kstring(w, "displayName", h->display_name);
	jw_kstring(w, "organisation", h->about.organisation);
	jw_ktime(w, "asOfDateTime", h->about.at);
	jw_kstring(w, "mapVersion", map_version(h->about.arena, version));
	jw_key(w, "sections");
	jw_array(w);
	for (size_t i = 0; i < h->n; i++)
		section_json(h, w, &h->sections[i]);
	jw_end_array(w);
	jw_kstring(w, "notCounted", DISCLOSURE_QUIET_TEXT);
	jw_key(w, "stores");
	map_stores_json(w);
}

/* ---- the page ---- */

/* "auditAsActor" as people read it: "Audit as actor". */
static const char *heading(struct arena *a, const char *section)
{
	size_t n = strlen(section), len = 0;
	char *text = arena_alloc(a, 2 * n + 1);
	for (size_t i = 0; i < n; i++) {
		bool upper = section[i] >= 'A' && section[i] <= 'Z';
		if (upper)
			text[len++] = ' ';
		text[len++] = (char)(upper ? section[i] + 32 : i == 0 ? section[i] - 32 : section[i]);
	}
	text[len] = '\0';
	return text;
}

static const char *where_from(struct arena *a, const struct map_table *t)
{
	static const struct {
		const char *name, *text;
	} words[] = {{"provided", "you or your organisation gave it"},
		     {"observed", "a device or the system recorded it"},
		     {"derived", "it was made from other data"}};
	const char *list[3], *origins = map_origins(a, t);
	size_t n = 0;
	for (size_t i = 0; i < 3; i++)
		if (strstr(origins, words[i].name) != NULL)
			list[n++] = words[i].text;
	return map_join(a, list, n);
}

static const char *kinds(struct arena *a, const struct map_table *t)
{
	const char *list[CATEGORIES_MAX];
	size_t n = map_categories(t, list, 0, CATEGORIES_MAX);
	for (size_t i = 0; i < n; i++)
		list[i] = map_category_words(a, list[i]);
	return map_join(a, list, n);
}

static void section_html(const struct held_data *h, struct buf *out, const struct held_section *s)
{
	struct arena *a = h->about.arena;
	const struct map_table *t = map_table(s->path->table);
	const char *recipients = processing_recipients(&h->about, t);
	buf_printf(out, "<h3 id=\"%s\">%s</h3>\n<table class=\"fixed facts\">", s->path->section, heading(a, s->path->section));
	html_fact(out, "Entries about you", arena_printf(a, "%lld", (long long)s->rows));
	html_fact(out, "What for", t->purpose);
	html_fact(out, "On which basis", map_basis_text(t->basis));
	html_fact(out, "Kinds of data", kinds(a, t));
	html_fact(out, "Where it comes from", where_from(a, t));
	html_fact(out, "Who gets it", *recipients == '\0' ? "nobody beside those who administer your organisation's devices" : recipients);
	html_fact(out, "For how long", processing_limit(&h->about, t));
	html_fact(out, "When you are erased", map_table_erase_text(t));
	buf_adds(out, "</table>\n");
}

static void summary_html(const struct held_data *h, struct buf *out)
{
	buf_adds(out, "<h2>In short</h2>\n<table><thead><tr><th>Kind</th><th>Entries</th><th>What for</th></tr></thead>\n");
	for (size_t i = 0; i < h->n; i++) {
		const struct held_section *s = &h->sections[i];
		if (*s->path->section == '\0')
			continue;
		buf_printf(out, "<tr><td><a href=\"#%s\">%s</a></td><td class=\"n\">%lld</td><td>", s->path->section,
			   heading(h->about.arena, s->path->section), (long long)s->rows);
		html_escape(out, map_table(s->path->table)->purpose);
		buf_adds(out, "</td></tr>\n");
	}
	buf_adds(out, "</table>\n");
}

/* Rows that are somebody else's. */
static void others_html(const struct held_data *h, struct buf *out)
{
	buf_adds(out, "<h2>Records of others in which you stand</h2>\n<p>These are about somebody or something else and say that you acted there. When you "
		      "are erased they stay without you.</p>\n<table><thead><tr><th>Record</th><th>You are its</th><th>Entries</th></tr></thead>\n");
	for (size_t i = 0; i < h->n; i++) {
		const struct held_section *s = &h->sections[i];
		if (*s->path->section != '\0')
			continue;
		buf_adds(out, "<tr><td>");
		html_escape(out, map_table(s->path->table)->purpose);
		buf_printf(out, "</td><td>%s (%s)</td><td class=\"n\">%lld</td></tr>\n", map_role_name(s->path->role), s->path->column,
			   (long long)s->rows);
	}
	buf_adds(out, "</table>\n");
}

static const char rights[] =
	"<h2>Your rights</h2>\n<ul>\n<li>You may have a copy of all of this, in a form for people and one for programs.</li>\n"
	"<li>You may have what is wrong corrected, and what is no longer needed erased.</li>\n"
	"<li>You may object to the processing, or ask for it to be restricted while a question is open.</li>\n"
	"<li>You may complain to the data protection authority of where you live or work.</li>\n</ul>\n"
	"<p>Ask your organisation; it decides on the data that it keeps here. Nothing is decided about you by this system on its own.</p>\n";

void held_data_html(const struct held_data *h, struct buf *out)
{
	html_page_begin(out, "What is held about you");
	buf_adds(out, "<p>What ");
	html_name_escape(out, h->about.organisation);
	buf_adds(out, " holds in its device management about <b>");
	html_name_escape(out, h->display_name);
	buf_adds(out, "</b> (");
	html_name_escape(out, h->upn);
	buf_adds(out, "), as of ");
	html_time(out, h->about.at);
	buf_adds(out, ". This page says which kinds of data there are; the data itself is in the copy that you may ask for.</p>\n");
	summary_html(h, out);
	buf_adds(out, rights);
	buf_adds(out, "<h2>Kind by kind</h2>\n");
	for (size_t i = 0; i < h->n; i++)
		if (*h->sections[i].path->section != '\0')
			section_html(h, out, &h->sections[i]);
	others_html(h, out);
	buf_adds(out, "<p>" DISCLOSURE_QUIET_TEXT "</p>\n<h2>Where else something may be</h2>\n");
	map_stores_html(out);
	html_page_end(out);
}
