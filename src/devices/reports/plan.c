/* SPDX-License-Identifier: Apache-2.0
 * From a request to a statement, and from its rows to text. */
#include "devices/reports/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "codec/base64.h"
#include "codec/csv.h"
#include "codec/json.h"
#include "devices/reports/plan_internal.h"

#define YEAR_ONE "0001-01-01T00:00:00Z"

/* ---- values ---- */

/* Intune's: seven digits of a second, no zone. */
static size_t csv_time(const char *rfc3339, char out[40])
{
	size_t n = (size_t)snprintf(out, 40, "%.10s %.8s.", rfc3339, rfc3339 + 11), digits = strspn(rfc3339 + (rfc3339[19] == '.' ? 20 : 19), "0123456789");
	memcpy(out + n, rfc3339[19] == '.' ? rfc3339 + 20 : "", digits);
	memset(out + n + digits, '0', 7 - digits);
	out[n + 7] = '\0';
	return n + 7;
}

struct cell {
	struct csv_writer *csv;   /* NULL: JSON */
	struct json_writer *json;
};

static void put_text(struct cell *c, const char *s, size_t n)
{
	if (c->csv != NULL)
		csv_field(c->csv, s, n);
	else
		jw_stringn(c->json, s == NULL ? "" : s, n);
}

static void put_time(struct cell *c, const char *rfc3339)
{
	char text[40];
	if (c->csv != NULL)
		csv_field(c->csv, text, csv_time(rfc3339, text));
	else
		jw_string(c->json, rfc3339);
}

static void put_int(struct cell *c, int64_t v)
{
	char text[24];
	if (c->csv != NULL)
		csv_field(c->csv, text, (size_t)snprintf(text, sizeof text, "%" PRId64, v)); /* a figure, not a formula: none is negative */
	else
		jw_int(c->json, v);
}

static void put_bool(struct cell *c, bool v)
{
	if (c->csv != NULL)
		csv_field(c->csv, v ? "True" : "False", v ? 4 : 5);
	else
		jw_bool(c->json, v);
}

static void put_code(struct cell *c, const struct report_out *o, const char *ours)
{
	size_t at = 0, n = ours == NULL ? 0 : strlen(ours);
	for (size_t i = 0; i < o->word_n; i++)
		if (o->word[i].ours_n == n && memcmp(o->word[i].ours, ours, n) == 0)
			at = i;
	const struct report_word *w = &o->word[at];
	if (o->words)
		put_text(c, w->text, w->text_n);
	else
		put_text(c, w->number, w->number_n);
}

static void put_app(struct cell *c, struct arena *a, const char *text)
{
	struct arena_mark mark = arena_mark(a);
	const char *key = base64url_encode(a, text, strlen(text));
	put_text(c, key, strlen(key));
	arena_rewind(a, mark);
}

static void put_hex(struct cell *c, const void *p, size_t n)
{
	char text[2 * 64 + 1];
	n = n > 64 ? 64 : n;
	hex_encode(p, n, text);
	put_text(c, text, 2 * n);
}

static void put_id(struct cell *c, struct id id)
{
	char text[ID_TEXT];
	put_text(c, id_format(id, text), ID_TEXT - 1);
}

static void put_value(struct cell *c, struct arena *a, const struct report_out *o, const struct db_rows *r)
{
	char time[TIME_TEXT];
	size_t n = 0;
	const char *text;
	switch (o->column->type) {
	case REPORT_TEXT:
		text = db_text(r, o->at);
		put_text(c, text, text == NULL ? 0 : strlen(text));
		break;
	case REPORT_ID: put_id(c, db_id(r, o->at)); break;
	case REPORT_TIME: put_time(c, db_is_null(r, o->at) ? YEAR_ONE : time_format(db_int(r, o->at), time)); break;
	case REPORT_INT: put_int(c, db_int(r, o->at)); break;
	case REPORT_BOOL: put_bool(c, db_bool(r, o->at)); break;
	case REPORT_CODE: put_code(c, o, db_text(r, o->at)); break;
	case REPORT_HEX:
		text = db_blob(r, o->at, &n);
		put_hex(c, text, n);
		break;
	case REPORT_APP: put_app(c, a, db_text(r, o->at)); break;
	}
}

static void put_constant(struct cell *c, const struct report_column *k)
{
	static const struct id nil;
	const char *v = k->constant;
	switch (k->type) {
	case REPORT_ID: put_id(c, nil); break;
	case REPORT_TIME: put_time(c, v == NULL ? YEAR_ONE : v); break;
	case REPORT_INT: put_int(c, v == NULL ? 0 : atoll(v)); break;
	case REPORT_BOOL: put_bool(c, v != NULL && *v == '1'); break;
	case REPORT_TEXT:
	case REPORT_CODE:
	case REPORT_HEX:
	case REPORT_APP: put_text(c, v, v == NULL ? 0 : strlen(v)); break;
	}
}

/* Written once, for every row. */
static const char *constant_text(struct arena *a, const struct report_column *k, enum report_format format)
{
	struct csv_writer csv;
	struct json_writer json;
	auto_buf b;
	buf_init(&b, 4096);
	csv_init(&csv, &b);
	jw_init(&json, &b);
	put_constant(&(struct cell){.csv = format == REPORT_CSV ? &csv : NULL, .json = &json}, k);
	check(!b.failed);
	return arena_strndup(a, b.len > 0 ? b.data : "", b.len);
}

static const char *json_prefix(struct arena *a, const char *header)
{
	struct json_writer w;
	auto_buf b;
	buf_init(&b, 4096);
	jw_init(&w, &b);
	jw_object(&w);
	jw_key(&w, header);
	check(!b.failed);
	return arena_printf(a, ",%.*s", (int)b.len - 1, b.data + 1);
}

/* ---- columns ---- */

static void add_out(struct report_plan *p, struct arena *a, const struct report_column *c, const char *header, bool words)
{
	check(p->n < REPORT_OUT_MAX);
	struct report_out *o = &p->out[p->n++];
	*o = (struct report_out){.column = c, .header = header, .words = words, .at = -1};
	if (c->type == REPORT_CODE)
		o->word_n = report_words(c, o->word);
	if (c->sql == NULL)
		o->constant = constant_text(a, c, p->format);
	if (p->format == REPORT_JSON)
		o->prefix = json_prefix(a, header);
}

static void add_column(struct report_plan *p, struct arena *a, const struct report_column *c, bool replace)
{
	const char *header = c->header != NULL ? c->header : c->name;
	bool loc = (c->flags & R_LOC) != 0;
	add_out(p, a, c, header, (c->flags & R_WORDS) || (loc && replace));
	if (loc && !replace)
		add_out(p, a, c, arena_printf(a, "%s_loc", header), true);
}

static bool has_column(const struct report_plan *p, const struct report_column *c)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->out[i].column == c)
			return true;
	return false;
}

static enum err add_columns(struct scope *s, struct report_plan *p, const struct report_asked *q)
{
	bool all = q->select == NULL || q->select[0] == NULL;
	for (size_t i = 0; all && i < p->report->n; i++)
		if (!(p->report->columns[i].flags & R_ASKED))
			add_column(p, s->arena, &p->report->columns[i], q->replace);
	for (size_t i = 0; !all && q->select[i] != NULL; i++) {
		const struct report_column *c = report_column(p->report, q->select[i], true);
		if (c == NULL)
			return scope_fail(s, ERR_BAD_REQUEST, "the report %s has no column '%.64s'", p->report->name, q->select[i]);
		if (!has_column(p, c))
			add_column(p, s->arena, c, q->replace);
	}
	return OK;
}

/* ---- the statement ---- */

static void add_list(struct buf *b, const struct report_plan *p)
{
	for (size_t i = 0; i < p->key_n; i++)
		buf_printf(b, "%s%s", i == 0 ? "" : ", ", p->report->key[i]);
}

static void add_key_condition(struct buf *b, const struct report_plan *p)
{
	buf_adds(b, " AND (");
	add_list(b, p);
	buf_adds(b, ") > (");
	for (size_t i = 0; i < p->key_n; i++)
		buf_printf(b, "%s?%zu", i == 0 ? "" : ", ", i + 2);
	buf_adds(b, ")");
}

static void write_sql(struct report_plan *p, struct buf *b, const char *condition, const char *reach)
{
	int at = 0;
	buf_adds(b, "SELECT ");
	for (size_t i = 0; i < p->n; i++)
		if (p->out[i].column->sql != NULL) {
			p->out[i].at = at++;
			buf_printf(b, "%s, ", p->out[i].column->sql);
		}
	p->key_at = at;
	add_list(b, p);
	buf_printf(b, " FROM %s WHERE t.tenant_id = ?1 AND %s", p->report->from, p->report->where);
	add_key_condition(b, p);
	buf_printf(b, " AND %s", reach);
	if (condition != NULL)
		buf_printf(b, " AND %s", condition);
	buf_adds(b, " ORDER BY ");
	add_list(b, p);
	buf_printf(b, " LIMIT %d", (int)REPORT_PAGE);
}

static enum err make_statement(struct scope *s, struct report_plan *p, const char *filter)
{
	struct resource_condition *c, reach;
	struct db_value *args;
	auto_buf b;
	buf_init(&b, 256 * 1024);
	while (p->key_n < REPORT_KEY_MAX && p->report->key[p->key_n] != NULL)
		p->key_n++;
	TRY(report_filter(s, p->report, filter, (unsigned)p->key_n + 2, &c));
	size_t n = c == NULL ? 0 : c->arg_count;
	TRY(resource_reach_condition(s, s->actor.only, p->report->whose, p->report->owner, false, (unsigned)(p->key_n + 2 + n), &reach));
	write_sql(p, &b, c == NULL ? NULL : c->sql, reach.sql);
	if (b.failed)
		return scope_fail(s, ERR_LIMIT, "the filter is too long");
	p->sql = arena_strdup(s->arena, b.data);
	p->arg_n = n + reach.arg_count;
	p->args = args = arena_alloc(s->arena, (p->arg_n + 1) * sizeof *args);
	if (n > 0)
		memcpy(args, c->args, n * sizeof *args);
	if (reach.arg_count > 0)
		memcpy(args + n, reach.args, reach.arg_count * sizeof *args);
	return OK;
}

/* Before every key: ids and texts compare with it as they are stored. */
static void start_of_keys(struct report_plan *p)
{
	for (size_t i = 0; i < p->key_n; i++) {
		const char *column = p->report->key[i];
		bool bytes = strcmp(column, "t.device_id") == 0 || strcmp(column, "t.fingerprint") == 0;
		p->place[0].key[i] = bytes ? db_v_blob("", 0) : db_v_text("");
	}
}

enum err report_plan_make(struct scope *s, const struct report *r, const struct report_asked *q, struct report_plan **ret)
{
	struct report_plan *p = arena_alloc(s->arena, sizeof *p);
	p->report = r;
	p->format = q->format;
	TRY(add_columns(s, p, q));
	TRY(make_statement(s, p, q->filter));
	start_of_keys(p);
	*ret = p;
	return OK;
}

/* ---- rows ---- */

void report_plan_head(const struct report_plan *p, struct buf *out)
{
	struct csv_writer w;
	if (p->format == REPORT_JSON) {
		buf_adds(out, "{\"values\":[");
		return;
	}
	csv_init(&w, out);
	for (size_t i = 0; i < p->n; i++)
		csv_field(&w, p->out[i].header, strlen(p->out[i].header));
	csv_end_row(&w);
}

void report_plan_tail(const struct report_plan *p, struct buf *out)
{
	if (p->format == REPORT_JSON)
		buf_adds(out, "]}");
}

static void csv_row(const struct report_plan *p, struct arena *a, const struct db_rows *r, struct buf *out)
{
	struct csv_writer w;
	struct cell c = {.csv = &w};
	csv_init(&w, out);
	for (size_t i = 0; i < p->n; i++) {
		if (p->out[i].at >= 0) {
			put_value(&c, a, &p->out[i], r);
			continue;
		}
		csv_field(&w, NULL, 0);
		buf_adds(out, p->out[i].constant); /* a field already */
	}
	csv_end_row(&w);
}

static void json_row(const struct report_plan *p, struct arena *a, const struct db_rows *r, struct buf *out)
{
	struct json_writer w;
	struct cell c = {.json = &w};
	buf_addc(out, '{');
	for (size_t i = 0; i < p->n; i++) {
		buf_adds(out, p->out[i].prefix + (i == 0));
		jw_init(&w, out);
		if (p->out[i].at >= 0)
			put_value(&c, a, &p->out[i], r);
		else
			buf_adds(out, p->out[i].constant);
	}
	buf_addc(out, '}');
}

/* The key's columns are copied: they point into the row. */
static void keep_place(struct report_plan *p, const struct db_rows *r)
{
	struct report_place *at = &p->place[1];
	at->rows++;
	for (size_t i = 0; i < p->key_n; i++) {
		size_t n;
		int column = p->key_at + (int)i;
		bool bytes = p->place[0].key[i].type == DB_BLOB;
		const void *from = bytes ? db_blob(r, column, &n) : db_text(r, column);
		if (!bytes)
			n = strlen(from);
		check(n <= REPORT_KEY_BYTES);
		memcpy(at->bytes[i], from, n);
		at->key[i] = bytes ? db_v_blob(at->bytes[i], n) : db_v_textn(at->bytes[i], n);
	}
}

enum err report_plan_page(struct report_plan *p, struct db_tx *tx, struct buf *out)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	struct db_value *args = arena_alloc(s->arena, (p->key_n + p->arg_n) * sizeof *args);
	memcpy(args, p->place[0].key, p->key_n * sizeof *args);
	if (p->arg_n > 0)
		memcpy(args + p->key_n, p->args, p->arg_n * sizeof *args);
	p->place[1].rows = p->place[0].rows;
	TRY(db_query_text(tx, DB_REACH_TENANT, p->sql, args, p->key_n + p->arg_n, &r));
	while (db_next(r)) {
		if (p->format == REPORT_JSON && p->place[1].rows > 0)
			buf_addc(out, ',');
		if (p->format == REPORT_JSON)
			json_row(p, s->arena, r, out);
		else
			csv_row(p, s->arena, r, out);
		keep_place(p, r);
	}
	return db_rows_err(r);
}

bool report_plan_advance(struct report_plan *p)
{
	struct report_place *to = &p->place[0], *from = &p->place[1];
	int64_t n = from->rows - to->rows;
	to->rows = from->rows;
	for (size_t i = 0; n > 0 && i < p->key_n; i++) {
		memcpy(to->bytes[i], from->bytes[i], from->key[i].n);
		to->key[i] = from->key[i];
		to->key[i].p = to->bytes[i];
	}
	return n == REPORT_PAGE;
}

int64_t report_plan_rows(const struct report_plan *p) { return p->place[0].rows; }
