/* SPDX-License-Identifier: Apache-2.0
 *
 * One table of the map as a section: JSON, CSV, and its first rows for people.  Rows are read a page at a time, each in
 * a read transaction of its own, and go into files without a name (O_TMPFILE: a crash leaves nothing), which are then
 * mapped into the zip: memory does not grow with what is held.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "crypto/newfile.h"
#include "keeper/keeper.h"
#include "privacy/export_internal.h"
#include "privacy/subject.h"

enum {
	PAGE = 50, /* audit events have up to 512 KiB each */
	PAGE_BYTES = 32 * 1024 * 1024,
	PAGE_ATTEMPTS = 5,
	COLUMNS_MAX = 64,
	HTML_ROWS = 50,
};

const char *omission(const struct map_column *c)
{
	if (c->disclosure == MAP_DISCLOSE_WITHHOLD_SECURITY)
		return "withheld for security: it would let its holder act as the person, the device or the server";
	if (c->disclosure != MAP_DISCLOSE_INTERNAL)
		return NULL;
	return c->kind == MAP_KIND_PERSONAL
		       ? "internal: a copy of a value that is in the bundle, kept to find it"
		       : "internal: a key or a state of the server, which says nothing about the person";
}

/* ---- files without a name ---- */

struct spool {
	int fd;
	struct sha256_stream *hash;
	int64_t bytes;
};

/* Some file systems know no O_TMPFILE. */
static int open_named(const char *dir, struct arena *a)
{
	char *path = arena_printf(a, "%s/section.XXXXXX", dir);
	int fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

static enum err spool_open(struct spool *f, const char *dir, struct arena *a)
{
	f->bytes = 0;
	f->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (f->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
		f->fd = open_named(dir, a);
	f->hash = f->fd < 0 ? NULL : sha256_new();
	return f->fd < 0 ? err_from_errno(errno) : OK;
}

static enum err spool_add(struct spool *f, struct buf *b)
{
	if (b->failed)
		return ERR_LIMIT;
	if (b->len == 0)
		return OK;
	sha256_update(f->hash, b->data, b->len);
	f->bytes += (int64_t)b->len;
	enum err e = write_all(f->fd, b->data, b->len);
	buf_clear(b);
	return e;
}

static enum err spool_into_zip(struct spool *f, struct bundle *b, const char *name, int64_t rows,
			       struct bundle_file *ret)
{
	*ret = (struct bundle_file){.name = name, .rows = rows, .bytes = f->bytes};
	sha256_final(f->hash, ret->sha256);
	f->hash = NULL;
	if (f->bytes == 0)
		return zip_add(b->zip, name, "", 0, b->s->now);
	void *p = mmap(NULL, (size_t)f->bytes, PROT_READ, MAP_PRIVATE, f->fd, 0);
	if (p == MAP_FAILED)
		return err_from_errno(errno);
	enum err e = zip_add(b->zip, name, p, (size_t)f->bytes, b->s->now);
	munmap(p, (size_t)f->bytes);
	return e;
}

static void spool_close(struct spool *f)
{
	uint8_t unused[SHA256_BYTES];
	if (f->hash != NULL)
		sha256_final(f->hash, unused);
	if (f->fd >= 0)
		close(f->fd);
}

/* ---- rows ---- */

struct writing {
	struct bundle *b;
	const struct map_table *table;
	const struct map_path *path;
	struct section *out;
	const struct map_column *column[COLUMNS_MAX];
	const char *name[COLUMNS_MAX]; /* public: userId */
	size_t n;
	struct db_value after; /* of the page before */
	bool more;
	bool any;	      /* a row was written before: JSON needs a comma */
	struct buf json, csv; /* of the page; empty between two */
	struct {
		int64_t rows, redacted;
		size_t html;
		struct db_value after;
		bool any;
	} before; /* the page, for another attempt at it */
};

/* user_id becomes userId. */
static const char *public_name(struct arena *a, const char *column)
{
	char *out = arena_strdup(a, column), *to = out;
	for (const char *p = column; *p != '\0'; p++) {
		if (*p == '_' && p[1] >= 'a' && p[1] <= 'z')
			*to++ = (char)(*++p - 'a' + 'A');
		else
			*to++ = *p;
	}
	*to = '\0';
	return out;
}

static void pick_columns(struct writing *w)
{
	size_t n;
	const struct map_column *c = map_table_columns(w->table, &n);
	for (size_t i = 0; i < n; i++)
		if (omission(&c[i]) == NULL) {
			check(w->n < COLUMNS_MAX);
			w->column[w->n] = &c[i];
			w->name[w->n++] = public_name(w->b->s->arena, c[i].name);
		}
}

static const char *sealed_text(struct writing *w, const struct db_rows *r, int col)
{
	size_t n, plain_n;
	const void *p = db_blob(r, col, &n);
	const char *plain = keeper_unseal(w->b->s->keeper, w->b->s->arena, p, n, &plain_n);
	return plain == NULL ? "" : arena_strndup(w->b->s->arena, plain, plain_n);
}

/* A value as text; NULL for NULL.  *ret_json: how JSON writes it without quotes. */
static const char *value_text(struct writing *w, const struct db_rows *r, int col, const struct map_column *c,
			      bool *ret_json)
{
	struct arena *a = w->b->s->arena;
	char id[ID_TEXT], time[TIME_TEXT];
	size_t n;
	*ret_json = false;
	if (db_is_null(r, col))
		return NULL;
	if (c->disclosure == MAP_DISCLOSE_OTHERS && c->type == MAP_TYPE_ID && !id_equal(db_id(r, col), w->b->user)) {
		w->out->redacted++;
		return REDACTED;
	}
	switch (c->type) {
	case MAP_TYPE_ID: return arena_strdup(a, id_format(db_id(r, col), id));
	case MAP_TYPE_TIME: return arena_strdup(a, time_format(db_int(r, col), time));
	case MAP_TYPE_BOOL: *ret_json = true; return db_bool(r, col) ? "true" : "false";
	case MAP_TYPE_INT: *ret_json = true; return arena_printf(a, "%lld", (long long)db_int(r, col));
	case MAP_TYPE_JSON: *ret_json = true; return db_text_dup(r, col, a);
	case MAP_TYPE_TEXT: return db_text_dup(r, col, a);
	case MAP_TYPE_BLOB: break;
	case MAP_TYPE_SEALED: return sealed_text(w, r, col);
	}
	const void *p = db_blob(r, col, &n);
	char *hex = arena_alloc(a, 2 * n + 1);
	hex_encode(p, n, hex);
	return hex;
}

static void html_pair(struct buf *h, const char *name, const char *value)
{
	buf_adds(h, "<tr><th>");
	html_text(h, name, strlen(name));
	buf_adds(h, "</th><td>");
	html_text(h, value, strlen(value));
	buf_adds(h, "</td></tr>\n");
}

static void write_row(struct writing *w, const struct db_rows *r)
{
	struct json_writer jw;
	struct csv_writer csv;
	bool html = w->out->rows < HTML_ROWS;
	buf_adds(&w->json, w->any ? ",\n" : "\n");
	jw_init(&jw, &w->json);
	csv_init(&csv, &w->csv);
	jw_object(&jw);
	if (html)
		buf_adds(&w->out->html, "<table>\n");
	for (size_t i = 0; i < w->n; i++) {
		bool raw;
		const char *text = value_text(w, r, (int)i + 1, w->column[i], &raw);
		jw_key(&jw, w->name[i]);
		if (raw)
			jw_raw(&jw, text, strlen(text));
		else
			jw_string(&jw, text);
		csv_field(&csv, text, text == NULL ? 0 : strlen(text));
		if (html && text != NULL && *text != '\0')
			html_pair(&w->out->html, w->name[i], text);
	}
	jw_end_object(&jw);
	csv_end_row(&csv);
	if (html)
		buf_adds(&w->out->html, "</table>\n");
}

static void write_event(struct writing *w, const struct db_rows *r)
{
	size_t n;
	struct json_writer jw;
	struct csv_writer csv;
	bool html = w->out->rows < HTML_ROWS;
	const char *bytes = db_blob(r, 1, &n);
	auto_json *event = redact_event(bytes, n, w->b->user, &w->out->redacted);
	buf_adds(&w->json, w->any ? ",\n" : "\n");
	jw_init(&jw, &w->json);
	csv_init(&csv, &w->csv);
	if (event == NULL)
		jw_null(&jw);
	else
		jw_json(&jw, event);
	if (html)
		buf_adds(&w->out->html, "<table>\n");
	for (size_t i = 0; event_columns[i] != NULL; i++) {
		const char *text = event_column(w->b->s->arena, event, i);
		csv_field(&csv, text, strlen(text));
		if (html && *text != '\0')
			html_pair(&w->out->html, event_columns[i], text);
	}
	csv_end_row(&csv);
	if (html)
		buf_adds(&w->out->html, "</table>\n");
}

/* ---- pages ---- */

/* By the row's place in the table, which an index on the person ends with. */
static const char *page_sql(const struct writing *w)
{
	struct arena *a = w->b->s->arena;
	bool sqlite = db_engine(w->b->s->db) == DB_SQLITE;
	auto_buf sql;
	buf_init(&sql, 16 * KIB);
	buf_printf(&sql, "SELECT %s", sqlite ? "t.rowid" : "t.ctid::text");
	for (size_t i = 0; i < w->n; i++)
		buf_printf(&sql, ", t.%s", w->column[i]->name);
	buf_printf(&sql, " FROM %s t WHERE %s AND %s LIMIT %d", w->table->name,
		   subject_path_where(a, w->path),
		   sqlite ? "t.rowid > ?3 ORDER BY t.rowid" : "t.ctid > ?3::tid ORDER BY t.ctid", PAGE);
	return arena_strndup(a, sql.data, sql.len);
}

static void page_mark(struct writing *w)
{
	w->before.rows = w->out->rows;
	w->before.redacted = w->out->redacted;
	w->before.html = w->out->html.len;
	w->before.after = w->after;
	w->before.any = w->any;
}

static void page_again(struct writing *w)
{
	w->out->rows = w->before.rows;
	w->out->redacted = w->before.redacted;
	w->out->html.len = w->before.html;
	w->after = w->before.after;
	w->any = w->before.any;
	buf_clear(&w->json);
	buf_clear(&w->csv);
}

static enum err page_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct writing *w = arg;
	size_t n = 0;
	page_again(w);
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_text(tx, DB_REACH_TENANT, page_sql(w), DB_ARGS(db_v_id(&w->b->user), w->after), &r));
	while (db_next(r)) {
		struct arena_mark mark = arena_mark(s->arena);
		if (w->table->link == MAP_LINK_AUDIT)
			write_event(w, r);
		else
			write_row(w, r);
		w->any = true;
		w->out->rows++;
		arena_rewind(s->arena, mark);
		if (++n == PAGE)
			w->after = db_value_dup(r, 0, s->arena);
	}
	w->more = n == PAGE;
	return db_rows_err(r);
}

/* A reader in the way of a scrub is interrupted: the page is read again. */
static enum err page_read(struct writing *w)
{
	enum err e = OK;
	page_mark(w);
	for (int i = 0; i < PAGE_ATTEMPTS; i++) {
		e = db_read(w->b->s, page_tx, w);
		if (e == OK || !err_retryable(e))
			break;
	}
	return e;
}

static void header_row(struct writing *w)
{
	struct csv_writer csv;
	csv_init(&csv, &w->csv);
	if (w->table->link == MAP_LINK_AUDIT)
		for (size_t i = 0; event_columns[i] != NULL; i++)
			csv_field(&csv, event_columns[i], strlen(event_columns[i]));
	else
		for (size_t i = 0; i < w->n; i++)
			csv_field(&csv, w->name[i], strlen(w->name[i]));
	csv_end_row(&csv);
}

static enum err write_parts(struct writing *w, struct spool *json, struct spool *csv)
{
	bool sqlite = db_engine(w->b->s->db) == DB_SQLITE;
	header_row(w);
	buf_addc(&w->json, '[');
	TRY(spool_add(json, &w->json));
	TRY(spool_add(csv, &w->csv));
	w->after = sqlite ? db_v_int(INT64_MIN) : db_v_text("(0,0)");
	do {
		TRY(page_read(w));
		TRY(spool_add(json, &w->json));
		TRY(spool_add(csv, &w->csv));
	} while (w->more);
	buf_adds(&w->json, "\n]\n");
	return spool_add(json, &w->json);
}

enum err section_write(struct bundle *b, const struct map_path *path, struct section *ret)
{
	const struct map_table *t = map_table(path->table);
	struct writing w = {.b = b, .table = t, .path = path, .out = ret};
	struct spool json = {.fd = -1}, csv = {.fd = -1};
	ret->table = t;
	ret->path = path;
	buf_init(&ret->html, 4 * MIB);
	buf_init(&w.json, PAGE_BYTES);
	buf_init(&w.csv, PAGE_BYTES);
	pick_columns(&w);
	enum err e = spool_open(&json, b->dir, b->s->arena);
	if (e == OK)
		e = spool_open(&csv, b->dir, b->s->arena);
	if (e == OK)
		e = write_parts(&w, &json, &csv);
	if (e == OK)
		e = spool_into_zip(&json, b, arena_printf(b->s->arena, "data/%s.json", path->section), ret->rows,
				   &ret->json);
	if (e == OK)
		e = spool_into_zip(&csv, b, arena_printf(b->s->arena, "data/%s.csv", path->section), ret->rows, &ret->csv);
	spool_close(&json);
	spool_close(&csv);
	buf_release(&w.json);
	buf_release(&w.csv);
	return e == OK ? OK : scope_fail(b->s, e, "section %s of an export could not be written", path->section);
}
