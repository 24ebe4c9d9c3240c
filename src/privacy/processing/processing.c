/* SPDX-License-Identifier: Apache-2.0 */
#include "privacy/processing/processing.h"

#include <string.h>

#include "codec/csv.h"
#include "codec/html.h"
#include "db/db.h"
#include "directory/tenant_settings.h"
#include "privacy/processing/map_document.h"

DB_TENANT(processing_organisation, "SELECT display_name FROM tenants WHERE tenant_id = ?1");
DB_TENANT(processing_sinks, "SELECT display_name, kind, enabled FROM audit_sinks WHERE tenant_id = ?1 ORDER BY sink_id LIMIT ?2");
DB_TENANT(processing_told, "SELECT display_name, kind, enabled FROM recipients WHERE tenant_id = ?1 ORDER BY recipient_id LIMIT ?2");

enum { RECIPIENTS_MAX = 100, CATEGORIES_MAX = 100 };

static const struct {
	const char *title, *text;
} MEASURES[] = {
#define MEASURE(title_, text_) {title_, text_},
#include "privacy/processing/measures.def"
#undef MEASURE
};
enum { MEASURE_COUNT = sizeof MEASURES / sizeof MEASURES[0] };

static const char transfers[] =
	"Reeve itself sends nothing to a third country. Where the organisation's own receivers, mail server and storage are is for the organisation to say.";

/* ---- facts ---- */

static enum err load_recipients(struct db_tx *tx, struct processing *p, struct db_stmt *stmt, bool log)
{
	struct arena *a = db_tx_scope(tx)->arena;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, stmt, DB_ARGS(db_v_int((int64_t)(RECIPIENTS_MAX - p->recipient_n))), &r));
	while (db_next(r))
		p->recipients[p->recipient_n++] = (struct processing_recipient){
			.name = db_text_dup(r, 0, a), .kind = db_text_dup(r, 1, a), .enabled = db_bool(r, 2), .log = log};
	return db_rows_err(r);
}

static enum err load_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct processing *p = arg;
	auto_rows struct db_rows *name = NULL;
	TRY(tenant_setting_int(tx, "auditRetentionDays", &p->audit_days));
	TRY(tenant_setting_int(tx, "exportDays", &p->export_days));
	TRY(tenant_setting_int(tx, "reportHours", &p->report_hours));
	TRY(db_query_one(tx, &processing_organisation, DB_NOARGS, &name));
	p->organisation = db_text_dup(name, 0, s->arena);
	p->recipients = arena_alloc(s->arena, RECIPIENTS_MAX * sizeof *p->recipients);
	p->recipient_n = 0;
	TRY(load_recipients(tx, p, &processing_sinks, true));
	return load_recipients(tx, p, &processing_told, false);
}

enum err processing_load(struct scope *s, const char *host, struct processing *ret)
{
	*ret = (struct processing){.arena = s->arena, .tenant = s->tenant, .at = s->now, .host = host};
	return db_read(s, load_tx, ret);
}

const char *processing_limit(const struct processing *p, const struct map_table *t)
{
	return t->retention == MAP_RETAIN_AUDIT ? arena_printf(p->arena, "%lld days after the event", (long long)p->audit_days)
						: map_retention_text(t->retention);
}

const char *processing_recipients(const struct processing *p, const struct map_table *t)
{
	const char *text = t->recipients;
	for (size_t i = 0; i < p->recipient_n && p->recipients[i].log && t->link == MAP_LINK_AUDIT; i++)
		text = arena_printf(p->arena, "%s%s %s (%s%s)", text, i == 0 ? ":" : ",", p->recipients[i].name, p->recipients[i].kind,
				    p->recipients[i].enabled ? "" : ", off");
	return text;
}

/* ---- what an activity is ---- */

/* Whom the table's rows are about, by the roles of its paths. */
static const char *subjects(struct arena *a, const struct map_table *t)
{
	static const char *const who[] = {"people with an account or a device", "people who administer, decide or act",
					  "people whom an act is about", "people who are named"};
	const char *list[4];
	bool seen[4] = {false};
	size_t n, count = 0;
	const struct map_path *p = map_table_paths(t, &n);
	for (size_t i = 0; i < n; i++)
		seen[p[i].role] = true;
	for (size_t i = 0; i < 4; i++)
		if (seen[i])
			list[count++] = who[i];
	return map_join(a, list, count);
}

static const char *categories(struct arena *a, const struct map_table *t)
{
	const char *list[CATEGORIES_MAX];
	return map_join(a, list, map_categories(t, list, 0, CATEGORIES_MAX));
}

/* All categories of personal data, in the map's order. */
static size_t all_categories(const char **list)
{
	size_t n, count = 0;
	const struct map_table *t = map_tables(&n);
	for (size_t i = 0; i < n; i++)
		count = map_categories(&t[i], list, count, CATEGORIES_MAX);
	return count;
}

/* "users: until …; groups: until …": each distinct limit of a category. */
static const char *limits_of(const struct processing *p, const char *category)
{
	size_t n, limit_n = 0;
	const char *limits[32];
	const struct map_table *t = map_tables(&n);
	for (size_t i = 0; i < n; i++) {
		const char *has[CATEGORIES_MAX], *limit = processing_limit(p, &t[i]);
		size_t has_n = map_categories(&t[i], has, 0, CATEGORIES_MAX);
		bool listed = false, known = false;
		for (size_t k = 0; k < has_n; k++)
			listed = listed || strcmp(has[k], category) == 0;
		for (size_t k = 0; k < limit_n; k++)
			known = known || strcmp(limits[k], limit) == 0;
		if (listed && !known && limit_n < 32)
			limits[limit_n++] = limit;
	}
	const char *text = "";
	for (size_t i = 0; i < limit_n; i++)
		text = arena_printf(p->arena, "%s%s%s", text, i > 0 ? "; " : "", limits[i]);
	return text;
}

/* ---- JSON ---- */

static void activity_json(const struct processing *p, struct json_writer *w, const struct map_table *t)
{
	const char *list[CATEGORIES_MAX];
	size_t n = map_categories(t, list, 0, CATEGORIES_MAX);
	const char *recipients = processing_recipients(p, t);
	jw_object(w);
	jw_kstring(w, "name", t->name);
	jw_kstring(w, "purpose", t->purpose);
	jw_kstring(w, "legalBasis", map_basis_text(t->basis));
	jw_kstring(w, "dataSubjects", subjects(p->arena, t));
	jw_key(w, "dataCategories");
	jw_array(w);
	for (size_t i = 0; i < n; i++)
		jw_string(w, list[i]);
	jw_end_array(w);
	jw_kstring(w, "origin", map_origins(p->arena, t));
	jw_kstring(w, "recipients", *recipients == '\0' ? NULL : recipients);
	jw_kstring(w, "timeLimit", processing_limit(p, t));
	jw_kstring(w, "atErasure", map_table_erase_text(t));
	jw_end_object(w);
}

static void lists_json(const struct processing *p, struct json_writer *w)
{
	const char *list[CATEGORIES_MAX];
	size_t n = all_categories(list);
	jw_key(w, "timeLimits");
	jw_array(w);
	for (size_t i = 0; i < n; i++) {
		jw_object(w);
		jw_kstring(w, "dataCategory", list[i]);
		jw_kstring(w, "timeLimit", limits_of(p, list[i]));
		jw_end_object(w);
	}
	jw_end_array(w);
	jw_key(w, "recipients");
	jw_array(w);
	for (size_t i = 0; i < p->recipient_n; i++) {
		jw_object(w);
		jw_kstring(w, "displayName", p->recipients[i].name);
		jw_kstring(w, "kind", p->recipients[i].kind);
		jw_kbool(w, "enabled", p->recipients[i].enabled);
		jw_end_object(w);
	}
	jw_end_array(w);
	jw_key(w, "securityMeasures");
	jw_array(w);
	for (size_t i = 0; i < MEASURE_COUNT; i++) {
		jw_object(w);
		jw_kstring(w, "title", MEASURES[i].title);
		jw_kstring(w, "text", MEASURES[i].text);
		jw_end_object(w);
	}
	jw_end_array(w);
}

void processing_json(const struct processing *p, struct json_writer *w)
{
	size_t n;
	char version[MAP_VERSION_TEXT];
	const struct map_table *t = map_tables(&n);
	jw_key(w, "controller");
	jw_object(w);
	jw_kid(w, "tenantId", p->tenant);
	jw_kstring(w, "displayName", p->organisation);
	jw_end_object(w);
	jw_kstring(w, "host", p->host);
	jw_kstring(w, "software", "reeve " REEVE_VERSION);
	jw_kstring(w, "mapVersion", map_version(p->arena, version));
	jw_ktime(w, "generatedDateTime", p->at);
	jw_key(w, "retentionSettings");
	jw_object(w);
	jw_kint(w, "auditRetentionDays", p->audit_days);
	jw_kint(w, "exportDays", p->export_days);
	jw_kint(w, "reportHours", p->report_hours);
	jw_end_object(w);
	jw_key(w, "processingActivities");
	jw_array(w);
	for (size_t i = 0; i < n; i++)
		if (map_is_personal(&t[i]))
			activity_json(p, w, &t[i]);
	jw_end_array(w);
	lists_json(p, w);
	jw_kstring(w, "transfers", transfers);
	jw_key(w, "stores");
	map_stores_json(w);
}

/* ---- CSV and HTML: the same columns ---- */

static const char *const header[] = {"Activity", "Purpose", "Legal basis", "Whose data", "Categories of data", "Origin", "Recipients",
				     "Time limit for erasure", "When the person is erased"};
enum { CELLS = sizeof header / sizeof header[0] };

static void cells_of(const struct processing *p, const struct map_table *t, const char *ret[CELLS])
{
	const char *const cells[CELLS] = {t->name,
					  t->purpose,
					  map_basis_text(t->basis),
					  subjects(p->arena, t),
					  categories(p->arena, t),
					  map_origins(p->arena, t),
					  processing_recipients(p, t),
					  processing_limit(p, t),
					  map_table_erase_text(t)};
	memcpy(ret, cells, sizeof cells);
}

static void csv_row(struct csv_writer *w, const char *const *cells)
{
	for (size_t i = 0; i < CELLS; i++)
		csv_field(w, cells[i], strlen(cells[i]));
	csv_end_row(w);
}

void processing_csv(const struct processing *p, struct buf *out)
{
	size_t n;
	const char *cells[CELLS];
	const struct map_table *t = map_tables(&n);
	struct csv_writer w;
	csv_init(&w, out);
	csv_row(&w, header);
	for (size_t i = 0; i < n; i++)
		if (map_is_personal(&t[i])) {
			cells_of(p, &t[i], cells);
			csv_row(&w, cells);
		}
}

/* A block for each activity: nine columns do not fit on paper. */
static void activities_html(const struct processing *p, struct buf *out)
{
	size_t n;
	const char *cells[CELLS];
	const struct map_table *t = map_tables(&n);
	buf_adds(out, "<h2>Processing activities</h2>\n");
	for (size_t i = 0; i < n; i++) {
		if (!map_is_personal(&t[i]))
			continue;
		cells_of(p, &t[i], cells);
		buf_printf(out, "<h3>%s</h3>\n<table class=\"fixed facts\">", cells[0]);
		for (size_t k = 1; k < CELLS; k++)
			html_fact(out, header[k], *cells[k] == '\0' ? "nobody beside those who administer" : cells[k]);
		buf_adds(out, "</table>\n");
	}
}

static void limits_html(const struct processing *p, struct buf *out)
{
	static const char *const titles[] = {"Category of data", "Time limits for erasure"};
	const char *list[CATEGORIES_MAX];
	size_t n = all_categories(list);
	buf_printf(out, "<h2>Time limits by category of data</h2>\n<p>This organisation keeps audit events %lld days, copies of a person's data %lld days "
			"and report files %lld hours.</p>\n<table><thead>",
		   (long long)p->audit_days, (long long)p->export_days, (long long)p->report_hours);
	html_row(out, "th", titles, 2);
	buf_adds(out, "</thead>\n");
	for (size_t i = 0; i < n; i++)
		html_row(out, "td", (const char *const[]){list[i], limits_of(p, list[i])}, 2);
	buf_adds(out, "</table>\n");
}

static void recipients_html(const struct processing *p, struct buf *out)
{
	buf_adds(out, "<h2>Receivers that the organisation set up</h2>\n");
	if (p->recipient_n == 0)
		buf_adds(out, "<p>None: the audit log is sent nowhere, and nobody is told of erasures.</p>\n");
	else
		buf_adds(out, "<ul>\n");
	for (size_t i = 0; i < p->recipient_n; i++) {
		buf_adds(out, "<li>");
		html_name_escape(out, p->recipients[i].name);
		buf_printf(out, " (%s%s)</li>\n", p->recipients[i].kind, p->recipients[i].enabled ? "" : ", off");
	}
	if (p->recipient_n > 0)
		buf_adds(out, "</ul>\n");
	buf_printf(out, "<h2>Transfers to third countries</h2>\n<p>%s</p>\n", transfers);
}

static void measures_html(struct buf *out)
{
	buf_adds(out, "<h2>Security measures</h2>\n<table>");
	for (size_t i = 0; i < MEASURE_COUNT; i++)
		html_row(out, "td", (const char *const[]){MEASURES[i].title, MEASURES[i].text}, 2);
	buf_adds(out, "</table>\n<h2>Where data stands beside the database's columns</h2>\n");
	map_stores_html(out);
}

void processing_html(const struct processing *p, struct buf *out)
{
	char version[MAP_VERSION_TEXT], id[ID_TEXT];
	html_page_begin(out, "Record of processing activities");
	buf_adds(out, "<p>Controller: <b>");
	html_name_escape(out, p->organisation);
	buf_printf(out, "</b> (tenant %s), device management at ", id_format(p->tenant, id));
	html_escape(out, p->host);
	buf_adds(out, ".<br>\nMade on ");
	html_time(out, p->at);
	buf_printf(out, " by reeve " REEVE_VERSION " from version %.16s… of its data map (GDPR Art. 30(1)). Contact, representative and data protection "
			"officer are for the organisation to add.</p>\n", map_version(p->arena, version));
	activities_html(p, out);
	limits_html(p, out);
	recipients_html(p, out);
	measures_html(out);
	html_page_end(out);
}
