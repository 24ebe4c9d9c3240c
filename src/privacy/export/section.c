/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything that is held, read in one transaction and so of one moment: each path of the data map is a section.  Rows are streamed, by the
 * index of the person, into the spool: memory does not grow with what is held, and the reader is gone before the file is made.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit/log/log.h"
#include "base/clock.h"
#include "directory/tenant_settings.h"
#include "privacy/disclosure/event_row.h"
#include "privacy/export/internal.h"

DB_TENANT(export_subject,
	  "SELECT u.upn, u.display_name, t.display_name FROM users u JOIN tenants t ON t.tenant_id = u.tenant_id "
	  "WHERE u.tenant_id = ?1 AND u.user_id = ?2");
DB_TENANT(export_case, "SELECT regime FROM data_subject_requests WHERE tenant_id = ?1 AND request_id = ?2");
DB_TENANT(export_sinks, "SELECT display_name, kind FROM audit_sinks WHERE tenant_id = ?1 AND enabled = 1 ORDER BY display_name, sink_id");

enum { ATTEMPTS = 6, RECIPIENTS_MAX = 100 };

struct reading {
	struct bundle *b;
	struct section *sec;
	struct held_row row;
	bool page; /* HTML alone */
};

bool bundle_is(const struct bundle *b, const char *variant) { return strcmp(b->variant, variant) == 0; }

/* ---- which sections, which columns ---- */

static bool asked(const struct bundle *b, const char *section)
{
	size_t i;
	json_t *v;
	bool found = b->sections == NULL;
	auto_json *list = found ? NULL : json_loads(b->sections, 0, NULL);
	json_array_foreach(list, i, v)
		found = found || (json_is_string(v) && strcmp(json_string_value(v), section) == 0);
	return found;
}

static bool is_events(const struct section *sec) { return held_is_event(sec->path); }

/* A section that is withheld quietly is read as one without rows: each of them is withheld quietly, too. */
static enum left_out left_out(const struct bundle *b, const struct map_path *p, const struct disclosed *whole)
{
	bool about = p->role == MAP_ROLE_OWNER && map_table(p->table)->link != MAP_LINK_AUDIT;
	if (!asked(b, p->section))
		return LEFT_NOT_ASKED;
	if (bundle_is(b, "portability") && !about)
		return LEFT_NOT_PORTABLE;
	return whole->verdict == WITHHOLD && !whole->quiet ? LEFT_WITHHELD : NOT_LEFT_OUT;
}

/* Why a column is in no row (held_columns() leaves it out); NULL: it is. */
static const char *column_omission(const struct map_column *c, bool portability)
{
	if (c->disclosure == MAP_DISCLOSE_WITHHOLD_SECURITY || c->kind == MAP_KIND_SECRET)
		return "security_secret";
	if (c->disclosure == MAP_DISCLOSE_INTERNAL)
		return "not_personal";
	return portability && c->origin == MAP_ORIGIN_DERIVED ? "not_portable" : NULL;
}

static void omit_columns(struct bundle *b, struct section *sec)
{
	size_t n;
	const struct map_column *c = map_table_columns(sec->table, &n);
	for (size_t i = 0; i < n; i++) {
		const char *reason = column_omission(&c[i], bundle_is(b, "portability"));
		if (reason != NULL)
			omission_of_column(b, sec, &c[i], reason);
	}
}

/* Two paths of one section are two files. */
static const char *file_name(const struct bundle *b, const struct map_path *p)
{
	struct arena *a = b->s->arena;
	for (size_t i = 0; i < b->n; i++)
		if (strcmp(b->section[i].name, p->section) == 0)
			return arena_printf(a, "%s-%s-%s", p->section, property_name(a, p->table), property_name(a, p->column));
	return p->section;
}

/* ---- rows ---- */

struct row_out {
	struct json_writer json;
	struct csv_writer csv;
	struct buf *html;
};

static void csv_text(struct csv_writer *csv, const char *text) { csv_field(csv, text, text == NULL ? 0 : strlen(text)); }

/* A new page of HTML every PAGE_ROWS; one page for the printable form. */
static struct buf *html_of(struct reading *w)
{
	struct section *sec = w->sec;
	if (sec->pages == 0 || (!w->page && (size_t)(sec->rows / PAGE_ROWS) == sec->pages)) {
		sec->html = realloc(sec->html, (sec->pages + 1) * sizeof *sec->html);
		check(sec->html != NULL);
		spool_text_init(&sec->html[sec->pages++], &w->b->spool);
	}
	return &sec->html[sec->pages - 1].buf;
}

static void row_begin(struct reading *w, struct row_out *o)
{
	struct section *sec = w->sec;
	o->html = html_of(w);
	html_row_begin(sec, o->html);
	if (w->page)
		return;
	buf_adds(&sec->json.buf, sec->rows > 0 ? ",\n" : "\n");
	jw_init(&o->json, &sec->json.buf);
	csv_init(&o->csv, &sec->csv.buf);
	csv_text(&o->csv, w->row.record);
}

static enum err keep(struct reading *w, bool end)
{
	struct section *sec = w->sec;
	enum err (*fn)(struct spool_text *) = end ? spool_end : spool_keep;
	bool last = sec->pages > 0 && (end || sec->rows % PAGE_ROWS == 0) && !w->page; /* another page follows, or none */
	if (sec->pages > 0)
		TRY(last || end ? spool_end(&sec->html[sec->pages - 1]) : spool_keep(&sec->html[sec->pages - 1]));
	TRY(fn(&sec->json));
	TRY(fn(&sec->csv));
	TRY(spool_keep(&w->b->redactions));
	return spool_keep(&w->b->withheld);
}

static void write_value(struct reading *w, size_t i, struct row_out *o)
{
	const char *name = w->sec->column[i].name;
	const struct held_value *v = &w->row.value[i];
	html_value(w->sec, o->html, name, v->shown, &v->what);
	if (w->page)
		return;
	csv_text(&o->csv, v->shown);
	if (v->what.verdict == WITHHOLD && !v->what.quiet)
		return;
	jw_key(&o->json, name);
	if (v->what.verdict == GIVE && v->literal && v->shown != NULL)
		jw_raw(&o->json, v->shown, strlen(v->shown));
	else
		jw_string(&o->json, v->shown);
}

static void row_end(struct reading *w, struct row_out *o)
{
	html_row_end(w->sec, o->html);
	if (!w->page)
		csv_end_row(&o->csv);
	w->sec->rows++;
}

static void write_row(struct reading *w)
{
	struct row_out o;
	row_begin(w, &o);
	if (!w->page) {
		jw_object(&o.json);
		jw_kstring(&o.json, "_record", w->row.record);
	}
	for (size_t i = 0; i < w->sec->n; i++)
		write_value(w, i, &o);
	if (!w->page)
		jw_end_object(&o.json);
	row_end(w, &o);
}

static void write_event(struct reading *w)
{
	struct row_out o;
	struct arena *a = w->b->s->arena;
	row_begin(w, &o);
	if (!w->page) {
		json_object_set_new(w->row.event, "_record", json_string(w->row.record));
		jw_json(&o.json, w->row.event);
	}
	for (size_t i = 0; event_columns[i] != NULL && !w->page; i++)
		csv_text(&o.csv, event_column(a, w->row.event, i));
	for (size_t i = 0; event_shown[i] != NULL; i++) {
		const char *text = event_shown_text(a, w->row.event, i);
		struct disclosed d = {.verdict = strncmp(text, "[redacted", 9) == 0 ? REDACT : GIVE};
		html_value(w->sec, o.html, event_shown[i], text, &d);
	}
	row_end(w, &o);
}

/* An event that cannot be read is none; what is hidden in a row that is there is listed with it. */
static void take_row(struct reading *w)
{
	struct bundle *b = w->b;
	if (w->row.what.verdict == WITHHOLD) {
		omission_add(b, w->sec, w->row.record, NULL, &w->row.what, 1);
		return;
	}
	for (size_t i = 0; i < w->row.hidden_n; i++) {
		const struct held_hidden *h = &w->row.hidden[i];
		omission_add(b, w->sec, w->row.record, h->property, &h->what, (int64_t)h->count);
	}
	if (!is_events(w->sec))
		write_row(w);
	else if (w->row.event != NULL)
		write_event(w);
}

/* ---- sections ---- */

static enum err read_rows(struct reading *w, struct db_tx *tx)
{
	struct bundle *b = w->b;
	auto_held struct held_rows *h = NULL;
	struct held_query q = {.path = w->sec->path, .portability = bundle_is(b, "portability")};
	TRY(held_open(tx, b->disclosure, b->user, &q, &h));
	for (;;) {
		struct arena_mark mark = arena_mark(b->s->arena);
		if (!held_next(h, &w->row))
			return held_err(h);
		take_row(w);
		held_row_done(&w->row);
		arena_rewind(b->s->arena, mark);
		TRY(keep(w, false));
	}
}

static void csv_header(struct section *sec)
{
	struct csv_writer csv;
	csv_init(&csv, &sec->csv.buf);
	csv_text(&csv, "_record");
	for (size_t i = 0; is_events(sec) && event_columns[i] != NULL; i++)
		csv_text(&csv, event_columns[i]);
	for (size_t i = 0; i < sec->n; i++)
		csv_text(&csv, sec->column[i].name);
	csv_end_row(&csv);
}

static enum err read_section(struct bundle *b, struct db_tx *tx, const struct map_path *p)
{
	struct reading *w = arena_alloc(b->s->arena, sizeof *w);
	const char *name = file_name(b, p);
	check(b->n < SECTIONS_MAX);
	struct section *sec = &b->section[b->n++];
	*w = (struct reading){.b = b, .sec = sec, .page = strcmp(b->form, "page") == 0};
	*sec = (struct section){.table = map_table(p->table), .path = p, .name = name};
	spool_text_init(&sec->json, &b->spool);
	spool_text_init(&sec->csv, &b->spool);
	sec->why = disclosure_of_section(b->disclosure, p->section);
	sec->left_out = left_out(b, p, &sec->why);
	if (sec->left_out == LEFT_WITHHELD)
		omission_add(b, sec, NULL, NULL, &sec->why, 1);
	if (sec->left_out != NOT_LEFT_OUT)
		return OK;
	sec->column = held_columns(b->s->arena, p, bundle_is(b, "portability"), &sec->n);
	buf_addc(&sec->json.buf, '[');
	csv_header(sec);
	TRY(read_rows(w, tx));
	omit_columns(b, sec);
	buf_adds(&sec->json.buf, "\n]\n");
	return keep(w, true);
}

/* ---- the whole ---- */

static enum err read_subject(struct bundle *b, struct db_tx *tx)
{
	struct scope *s = b->s;
	int64_t intake;
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &export_subject, DB_ARGS(db_v_id(&b->user)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "the person's account is gone");
	TRY(e);
	b->upn = db_text_dup(r, 0, s->arena);
	b->display_name = db_text_dup(r, 1, s->arena);
	b->organisation = db_text_dup(r, 2, s->arena);
	TRY(tenant_setting_int(tx, "requestIntake", &intake));
	b->intake = intake != 0;
	return OK;
}

static enum err read_case(struct bundle *b, struct db_tx *tx)
{
	auto_rows struct db_rows *r = NULL;
	b->regime = NULL;
	if (id_is_nil(b->request))
		return OK;
	TRY(db_query(tx, &export_case, DB_ARGS(db_v_id(&b->request)), &r));
	if (db_next(r))
		b->regime = db_text_dup(r, 0, b->s->arena);
	return db_rows_err(r);
}

static enum err read_sinks(struct bundle *b, struct db_tx *tx)
{
	auto_rows struct db_rows *r = NULL;
	b->sinks = arena_alloc(b->s->arena, RECIPIENTS_MAX * sizeof *b->sinks);
	b->sinks_n = 0;
	TRY(db_query(tx, &export_sinks, DB_NOARGS, &r));
	while (b->sinks_n < RECIPIENTS_MAX && db_next(r))
		b->sinks[b->sinks_n++] = (struct recipient){db_text_dup(r, 0, b->s->arena), db_text_dup(r, 1, b->s->arena)};
	return db_rows_err(r);
}

static void drop_sections(struct bundle *b)
{
	for (size_t i = 0; i < b->n; i++) {
		struct section *sec = &b->section[i];
		spool_text_drop(&sec->json);
		spool_text_drop(&sec->csv);
		for (size_t k = 0; k < sec->pages; k++)
			spool_text_drop(&sec->html[k]);
		free(sec->html);
		*sec = (struct section){0};
	}
	spool_text_drop(&b->redactions);
	spool_text_drop(&b->withheld);
	b->n = 0;
}

static enum err start_over(struct bundle *b)
{
	drop_sections(b);
	arena_reset(b->kept);
	b->omission = NULL;
	b->omissions = b->omissions_room = 0;
	b->values_redacted = b->withheld_items = 0;
	spool_text_init(&b->redactions, &b->spool);
	spool_text_init(&b->withheld, &b->spool);
	return spool_restart(&b->spool);
}

static enum err read_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	size_t n;
	struct bundle *b = arg;
	struct audit_head_info head;
	const struct map_path *p = map_paths(&n);
	TRY(start_over(b));
	TRY(read_subject(b, tx));
	TRY(read_case(b, tx));
	TRY(read_sinks(b, tx));
	enum err e = audit_head_tx(tx, &head); /* a log that was never signed has none */
	b->checkpoint = e == OK ? head.checkpoint : NULL;
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	TRY(disclosure_load(tx, b->user, b->request, bundle_is(b, "full"), &b->disclosure));
	for (size_t i = 0; i < n; i++)
		if (*p[i].section != '\0')
			TRY(read_section(b, tx, &p[i]));
	TRY(spool_end(&b->redactions));
	return spool_end(&b->withheld);
}

enum err export_read(struct bundle *b)
{
	enum err e = OK;
	b->kept = arena_new(OMISSIONS_BYTES);
	for (int i = 0; i < ATTEMPTS; i++) {
		struct arena_mark mark = arena_mark(b->s->arena);
		e = db_read(b->s, read_tx, b);
		if (e == OK || !err_retryable(e) || e == ERR_STORAGE_FULL || i + 1 == ATTEMPTS)
			break;
		arena_rewind(b->s->arena, mark);
		b->s->detail = NULL;
		nanosleep(&(struct timespec){.tv_nsec = (long)(100 * (i + 1)) * 1000000}, NULL); /* a scrub is at work */
	}
	return e;
}

void export_release(struct bundle *b)
{
	drop_sections(b);
	arena_free(b->kept);
	b->kept = NULL;
}
